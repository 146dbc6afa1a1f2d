"""The store on SQLite: one writer thread, readers beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import apsw

from penstock.core.commands import Command
from penstock.core.ids import Ids
from penstock.core.queries import Query
from penstock.core.time import Clock
from penstock.core.views import KeyView
from penstock.engine.rules import Rules
from penstock.store.delivery import Link, Submission
from penstock.store.sqlite.batch import BatchRunner
from penstock.store.sqlite.checkpoints import Checkpoints
from penstock.store.sqlite.connection import migrate, open_writer
from penstock.store.sqlite.reader import SqliteReader
from penstock.store.sqlite.recovering import SqliteBatches
from penstock.store.writer import Writer, exit_process

DATABASE_NAME = "penstock.db"


class SqliteStore:
    """A Store (store/store.py) in one file.

    path: the database file; made when missing. vfs: name of a registered SQLite VFS, for tests of failing
    disks. on_lost: called when the database cannot be opened again after a failed commit; ends the process.
    Raises StoreUnusable when the file cannot be opened with the settings we need.
    """

    def __init__(
        self,
        path: Path,
        rules: Rules,
        clock: Clock,
        ids: Ids,
        vfs: str | None = None,
        on_lost: Callable[[], None] = exit_process,
    ) -> None:
        connection = open_writer(path, vfs)
        try:
            migrate(connection, clock.now_ms())
        except BaseException:
            connection.close(force=True)
            raise
        self._reader = SqliteReader(path, rules, clock)

        def make_runner(using: apsw.Connection) -> BatchRunner:
            return BatchRunner(using, rules, clock, ids)

        def open_again() -> apsw.Connection:
            return open_writer(path, vfs)

        self.checkpoints = Checkpoints(open_again)
        batches = SqliteBatches(connection, make_runner, open_again, on_lost, self.checkpoints)
        self._writer = Writer(batches, on_lost)

    def submit(self, command: Command) -> Future[object]:
        future: Future[object] = Future()
        self._writer.submit(Submission(command, future))
        return future

    async def execute(self, command: Command) -> object:
        return await asyncio.wrap_future(self.submit(command))

    def submit_from(self, link: Link, numbered: list[tuple[int, Command]]) -> None:
        """Queue commands that came over a link. Raises Unavailable: then none of them is queued."""
        self._writer.submit(*(Submission(command, None, link, number) for number, command in numbered))

    def reader(self) -> SqliteReader:
        return self._reader

    def ask(self, query: Query) -> object:
        return self._reader.ask(query)

    @property
    def keys_generation(self) -> int:
        return self._writer.keys_generation

    def find_key(self, key_id: str) -> KeyView | None:
        return self._reader.find_key(key_id)

    def close(self) -> None:
        self._writer.close()
        self._reader.close()
