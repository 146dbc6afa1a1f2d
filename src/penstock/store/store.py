"""The interface of a store: submit commands to the engine, read views. One behaviour on every database."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from penstock.core.commands import Command
from penstock.core.queries import Query
from penstock.core.views import KeyView
from penstock.store.reader import Reader


class Store(Protocol):
    """Takes commands, answers after the commit that holds their effect is durable.

    A command's future gets the decision's answer, or raises Refused (nothing written), Unavailable (nothing
    written, try again), InDoubt (unknown: ask by id), or whatever bug the decision met (nothing written).
    """

    def submit(self, command: Command) -> Future[object]:
        """Queue a command from any thread. Raises Unavailable when the queue is full."""
        ...

    async def execute(self, command: Command) -> object:
        """The same from an event loop, cheaper for many at once."""
        ...

    def reader(self) -> Reader:
        """Readers beside the writer; they see what is committed."""
        ...

    def ask(self, query: Query) -> object:
        """Answer a venue's query, blocking; call it from a thread."""
        ...

    @property
    def keys_generation(self) -> int:
        """Changes whenever this process commits a change to a key or an account."""
        ...

    def find_key(self, key_id: str) -> KeyView | None:
        """An API key by its id, blocking for one indexed read."""
        ...

    def close(self) -> None:
        """Finish what is queued, then stop."""
        ...
