"""The one writer thread: takes what is queued, runs it as one batch, answers after the commit.

Batches form by themselves: while one commit waits for the disk, the next commands queue up.
"""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import apsw
import structlog

from penstock.core.commands import Command, Transfer, Withdraw
from penstock.core.points import point
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.views import Accepted
from penstock.engine.rows import RequestRow
from penstock.store.delivery import Submission, deliver
from penstock.store.sqlite.batch import BatchRunner, CommitInDoubt, Outcome
from penstock.store.sqlite.connection import StoreUnusable
from penstock.store.sqlite.statements import table

BATCH_MAX = 256
QUEUE_MAX = 4_096
GATHER_SHARE = 0.5
GATHER_S_MAX = 0.005
GATHER_ENOUGH = 0.9
EXIT_STORE_LOST = 70

_log = structlog.get_logger(__name__)


def exit_process() -> None:
    """End at once, telling nobody anything: after a restart the database says what holds."""
    os._exit(EXIT_STORE_LOST)


class Writer:
    """Owns the writing connection and its thread.

    reopen: opens the connection again after a commit failed. on_lost: called when even that fails; by default
    the process ends at once, because nothing it could say about earlier commands would be reliable.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        make_runner: Callable[[apsw.Connection], BatchRunner],
        reopen: Callable[[], apsw.Connection],
        on_lost: Callable[[], None] = exit_process,
    ) -> None:
        self._connection = connection
        self._make_runner = make_runner
        self._runner = make_runner(connection)
        self._reopen = reopen
        self._on_lost = on_lost
        self._queue: deque[Submission] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._work_s = 0.0
        self._expected = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, *submissions: Submission) -> None:
        """Queue them all or none. Raises Unavailable when the queue is full or the writer is closing."""
        # The lock keeps a command from slipping in behind the last batch of a writer that is closing.
        with self._lock:
            if self._closing:
                raise Unavailable("the service is stopping")
            if len(self._queue) + len(submissions) > QUEUE_MAX:
                raise Unavailable("the write queue is full")
            self._queue.extend(submissions)
        self._wake.set()

    @property
    def keys_generation(self) -> int:
        return self._runner.keys_generation

    def close(self) -> None:
        """Run what is queued, then stop the thread and close the connection."""
        with self._lock:
            self._closing = True
        self._wake.set()
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        try:
            self._work_until_closed()
        except BaseException:
            # Without its writer a service would take requests and never answer one.
            _log.exception("the writer's thread failed")
            self._on_lost()
            raise

    def _work_until_closed(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._gather()
                count = min(len(self._queue), BATCH_MAX)
                taken = [self._queue.popleft() for _ in range(count)]
                began = time.monotonic()
                outcomes = self._outcomes(taken)
                self._work_s = time.monotonic() - began - self._runner.commit_s
                self._expected = len(taken) + len(self._queue)
                deliver(taken, outcomes)
                point("store.answered")
            if self._closing:
                return

    def _gather(self) -> None:
        """On a slow disk, wait a little for those who were answered and ask again: one flush then serves them all.

        Without it the callers fall into two halves that wait for each other's flush. Where the flush takes less than
        the work, the two halves are what keeps two processors busy, and nothing is waited for.
        """
        patience_s = min((self._runner.commit_s - self._work_s) * GATHER_SHARE, GATHER_S_MAX)
        if patience_s <= 0:
            return
        until = time.monotonic() + patience_s
        enough = min(int(self._expected * GATHER_ENOUGH), BATCH_MAX)
        while len(self._queue) < enough and not self._closing:
            left_s = until - time.monotonic()
            if left_s <= 0 or not self._wake.wait(left_s):
                return
            self._wake.clear()

    def _outcomes(self, taken: Sequence[Submission]) -> Sequence[Outcome]:
        try:
            return self._runner.run([submission.command for submission in taken])
        except CommitInDoubt as error:
            _log.error("commit failed; reopening to find out what it left", reason=str(error))
            return self._resolve_doubt([submission.command for submission in taken])
        except Unavailable as error:
            return [error] * len(taken)
        except apsw.ConstraintError as error:
            return self._one_by_one(taken, error)
        except apsw.Error:
            # Rolled back: nothing of the batch is stored, and the next batch starts clean.
            _log.exception("batch failed and was rolled back")
            return [Unavailable("the batch was rolled back")] * len(taken)
        except Exception as error:  # noqa: BLE001 - the boundary of one batch
            return self._one_by_one(taken, error)

    def _one_by_one(self, taken: Sequence[Submission], error: Exception) -> Sequence[Outcome]:
        """Run a batch again in parts, because one command in it made the database refuse all of them."""
        if len(taken) == 1:
            command = type(taken[0].command).__name__
            _log.error("command failed and was rolled back", command=command, exc_info=error)
            return [error]
        return [outcome for submission in taken for outcome in self._outcomes([submission])]

    def _resolve_doubt(self, commands: Sequence[Command]) -> list[Outcome]:
        """Open the database anew and look every command up; what cannot be looked up stays in doubt."""
        try:
            self._connection.close(force=True)
            self._connection = self._reopen()
            fence(self._connection)
            generation = self._runner.keys_generation
            self._runner = self._make_runner(self._connection)
            self._runner.keys_generation = generation + 1
            return [self._look_up(command) for command in commands]
        except (apsw.Error, StoreUnusable):
            _log.exception("the database could not be opened again")
            self._on_lost()
            return [InDoubt("the database was lost while committing")] * len(commands)

    def _look_up(self, command: Command) -> Outcome:
        if not isinstance(command, Withdraw | Transfer):
            return InDoubt("the commit failed; look at the present state before repeating")
        known = table(RequestRow)
        key = (command.account_id, command.venue, command.request_id)
        found = self._connection.execute(known.select_by_keys, (known.keys_json([key]),)).fetchone()
        if found is None:
            return Unavailable("the commit failed and left nothing")
        row = known.decode(found)
        if row.business != command.business:
            return InDoubt("another request with this id stands; ask again")
        return Accepted(row.withdrawal_id, row.at_ms, repeated=False)


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
