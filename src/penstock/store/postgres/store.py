"""The store on PostgreSQL: writer threads, each with a connection, and readers beside them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from zlib import crc32

import psycopg

from penstock.core.acts import ReleaseQuarantine
from penstock.core.commands import ClaimLane, Command, LaneStep, Quarantine
from penstock.core.ids import Ids
from penstock.core.queries import Query
from penstock.core.time import Clock
from penstock.core.views import KeyView
from penstock.engine.rules import Rules
from penstock.store.delivery import Link, Submission
from penstock.store.postgres.batch import PostgresBatches
from penstock.store.postgres.connection import PRIMARY, connect, open_session
from penstock.store.postgres.reader import PostgresReader
from penstock.store.postgres.schema import migrate
from penstock.store.postgres.session import Session
from penstock.store.unusable import StoreUnusable
from penstock.store.writer import Writer, exit_process

ISOLATIONS = ("READ COMMITTED", "SERIALIZABLE")


class PostgresStore:
    """A Store (store/store.py) on a server that others may write to at the same time.

    url: "postgresql://...", as libpq takes it, several hosts included. writers: connections that write; commands of
    one account, and of one lane, keep their order. isolation: among ISOLATIONS. open_writer: for tests of failing
    connections. on_lost: called when a writer's thread fails.
    Raises StoreUnusable when the database cannot be opened with the settings we need.
    """

    def __init__(
        self,
        url: str,
        rules: Rules,
        clock: Clock,
        ids: Ids,
        *,
        writers: int = 1,
        isolation: str = ISOLATIONS[0],
        open_writer: Callable[[str], Session] = open_session,
        on_lost: Callable[[], None] = exit_process,
    ) -> None:
        assert isolation in ISOLATIONS, isolation
        _prepare(url, clock)
        self._reader = PostgresReader(url, rules, clock)
        self._lock = threading.Lock()
        ids = ids if writers == 1 else _SharedIds(ids)
        make = partial(PostgresBatches, partial(open_writer, url), rules, clock, ids, isolation)
        self._writers = [Writer(make(), on_lost, self._lock) for _ in range(writers)]

    def submit(self, command: Command) -> Future[object]:
        future: Future[object] = Future()
        self._writer_of(command).submit(Submission(command, future))
        return future

    async def execute(self, command: Command) -> object:
        return await asyncio.wrap_future(self.submit(command))

    def submit_from(self, link: Link, numbered: list[tuple[int, Command]]) -> None:
        """Queue commands that came over a link. Raises Unavailable: then none of them is queued."""
        by_writer: dict[Writer, list[Submission]] = {}
        for number, command in numbered:
            submission = Submission(command, None, link, number)
            by_writer.setdefault(self._writer_of(command), []).append(submission)
        with self._lock:
            for writer, submissions in by_writer.items():
                writer.check_room(len(submissions))
            for writer, submissions in by_writer.items():
                writer.extend(submissions)

    def reader(self) -> PostgresReader:
        return self._reader

    def ask(self, query: Query) -> object:
        return self._reader.ask(query)

    @property
    def keys_generation(self) -> int:
        return sum(writer.keys_generation for writer in self._writers)

    def find_key(self, key_id: str) -> KeyView | None:
        return self._reader.find_key(key_id)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
        self._reader.close()

    def _writer_of(self, command: Command) -> Writer:
        return self._writers[share_of(command, len(self._writers)) if len(self._writers) > 1 else 0]


def share_of(command: Command, count: int) -> int:
    """Which of `count` writers takes the command: the same for all that name one account, or one lane."""
    account_id: int | None = getattr(command, "account_id", None)
    if account_id is not None:
        return crc32(account_id.to_bytes(8, "big")) % count
    lane: LaneStep | None = getattr(command, "lane", None)
    if lane is not None:
        return crc32(f"{lane.network}/{lane.sender}".encode()) % count
    if isinstance(command, ClaimLane | Quarantine | ReleaseQuarantine):
        return crc32(f"{command.network}/{command.sender}".encode()) % count
    return 0


class _SharedIds:
    """One source of ids for several threads."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._lock = threading.Lock()

    def next(self, now_ms: int) -> int:
        with self._lock:
            return self._ids.next(now_ms)


def _prepare(url: str, clock: Clock) -> None:
    """Check the server's settings and bring the schema up to date. Raises StoreUnusable."""
    try:
        open_session(url).close()
        connection = connect(url, PRIMARY, {})
        with connection:
            migrate(connection, clock.now_ms())
    except psycopg.OperationalError as error:
        raise StoreUnusable(f"the database cannot be reached: {error}") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreUnusable(
            f"the database's role lacks a right: {error.diag.message_primary}; it must own the database and the "
            "tables (ALTER DATABASE ... OWNER TO ...; REASSIGN OWNED BY ... TO ...)"
        ) from error
