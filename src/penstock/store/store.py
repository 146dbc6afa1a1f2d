"""The interface of a store: submit commands to the engine, read views. One behaviour on every database."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from penstock.core.commands import Command
from penstock.core.queries import Query
from penstock.core.views import KeyView
from penstock.store.delivery import Link
from penstock.store.reader import Reader


class AsyncStore(Protocol):
    """What a server needs of a store, in the same process or over a link.

    An executed command gives the decision's answer, or raises Refused (nothing written), Unavailable (nothing
    written, try again), InDoubt (unknown: ask by id).
    """

    async def execute(self, command: Command) -> object:
        """Have a command decided; returns once its effect is durable."""
        ...

    def reader(self) -> Reader:
        """Readers beside the writer; they see what is committed."""
        ...

    def ask(self, query: Query) -> object:
        """Answer a venue's query, blocking; call it from a thread."""
        ...

    @property
    def keys_generation(self) -> int:
        """Changes whenever a change to a key or an account was committed through this store."""
        ...

    def find_key(self, key_id: str) -> KeyView | None:
        """An API key by its id, blocking for one indexed read."""
        ...


class Store(AsyncStore, Protocol):
    """A store with its writer in this process; commands may come from any thread."""

    def submit(self, command: Command) -> Future[object]:
        """Queue a command. Raises Unavailable when the queue is full. The future raises what `execute` raises, or
        whatever bug the decision met (nothing written then).
        """
        ...

    def close(self) -> None:
        """Finish what is queued, then stop."""
        ...


class LinkedStore(Store, Protocol):
    """A store that takes commands of other processes as well."""

    def submit_from(self, link: Link, numbered: list[tuple[int, Command]]) -> None:
        """Queue commands that came over a link. Raises Unavailable: then none of them is queued."""
        ...
