"""Batches on SQLite, and finding out after a failed commit what it left."""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import apsw
import structlog

from penstock.core.commands import Command
from penstock.core.refusals import InDoubt, Unavailable
from penstock.engine.row import Row
from penstock.store.delivery import Outcome
from penstock.store.doubt import look_up
from penstock.store.sqlite.batch import BatchRunner
from penstock.store.sqlite.checkpoints import Checkpoints
from penstock.store.sqlite.statements import table
from penstock.store.unusable import StoreUnusable

R = TypeVar("R", bound=Row)

_log = structlog.get_logger(__name__)


class SqliteBatches:
    """Batches (store/writer.py) on the writing connection.

    reopen: opens the connection again after a commit failed. on_lost: called when even that fails; by default
    the process ends at once, because nothing it could say about earlier commands would be reliable. checkpoints: who
    keeps the log short, closed with this; None: SQLite by its own rule.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        make_runner: Callable[[apsw.Connection], BatchRunner],
        reopen: Callable[[], apsw.Connection],
        on_lost: Callable[[], None],
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self._connection = connection
        self._make_runner = make_runner
        self._runner = make_runner(connection)
        self._reopen = reopen
        self._on_lost = on_lost
        self._checkpoints = checkpoints
        if checkpoints is not None:
            checkpoints.watch(connection)

    @property
    def commit_s(self) -> float:
        return self._runner.commit_s

    @property
    def keys_generation(self) -> int:
        return self._runner.keys_generation

    def run(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        try:
            return self._runner.run(commands)
        except apsw.ConstraintError:
            raise
        except apsw.Error as error:
            # Rolled back: nothing of the batch is stored, and the next batch starts clean.
            _log.exception("batch failed and was rolled back")
            raise Unavailable("the batch was rolled back") from error

    def resolve(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Open the database anew and look every command up; what cannot be looked up stays in doubt."""
        try:
            self._connection.close(force=True)
            self._connection = self._reopen()
            if self._checkpoints is None:
                fence(self._connection)
            else:
                # One checkpoint refuses the other, and the fence's must not be refused.
                with self._checkpoints.copying:
                    fence(self._connection)
                self._checkpoints.watch(self._connection)
            generation = self._runner.keys_generation
            self._runner = self._make_runner(self._connection)
            self._runner.keys_generation = generation + 1
            return [look_up(command, self._read) for command in commands]
        except (apsw.Error, StoreUnusable):
            _log.exception("the database could not be opened again")
            self._on_lost()
            return [InDoubt("the database was lost while committing")] * len(commands)

    def close(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._connection.close()

    def _read(self, row_type: type[R], *key: int | str) -> R | None:
        known = table(row_type)
        found = self._connection.execute(known.select_by_keys, (known.keys_json([key]),)).fetchone()
        return None if found is None else known.decode(found)


def fence(connection: apsw.Connection) -> None:
    """Make what the reopened database shows the truth for good. Raises apsw.Error when it cannot.

    The log may still hold the pages of the failed commit behind its end; a crash now would bring them back
    after we had called them lost. A commit of our own overwrites them. The checkpoint then writes what is
    visible into the database file and flushes that: a flush of the log that failed once proves nothing when
    it succeeds later (the kernel may have dropped the pages).
    """
    version = int(connection.pragma("user_version"))
    connection.execute(f"PRAGMA user_version = {(version + 1) % 2**31}")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
