"""The one writer thread: takes what is queued, runs it as one batch, answers after the commit.

Batches form by themselves: while one commit waits for the disk, the next commands queue up.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import apsw
import structlog

from penstock.core.commands import Command, Transfer, Withdraw
from penstock.core.points import point
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.views import Accepted
from penstock.engine.rows import RequestRow
from penstock.store.sqlite.batch import BatchRunner, CommitInDoubt, Outcome
from penstock.store.sqlite.connection import StoreUnusable
from penstock.store.sqlite.statements import table

BATCH_MAX = 256
QUEUE_MAX = 4_096
EXIT_STORE_LOST = 70

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Submission:
    """A queued command and who waits for it: a thread's future, or an event loop's."""

    command: Command
    future: Future[object] | asyncio.Future[object]
    loop: asyncio.AbstractEventLoop | None


def _exit_process() -> None:
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
        on_lost: Callable[[], None] = _exit_process,
    ) -> None:
        self._connection = connection
        self._make_runner = make_runner
        self._runner = make_runner(connection)
        self._reopen = reopen
        self._on_lost = on_lost
        self._queue: deque[Submission] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, submission: Submission) -> None:
        """Queue it. Raises Unavailable when the queue is full or the writer is closing: nothing was done."""
        if self._closing or len(self._queue) >= QUEUE_MAX:
            raise Unavailable("the write queue is full" if not self._closing else "the service is stopping")
        self._queue.append(submission)
        self._wake.set()

    @property
    def keys_generation(self) -> int:
        return self._runner.keys_generation

    def close(self) -> None:
        """Run what is queued, then stop the thread and close the connection."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._connection.close()

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                count = min(len(self._queue), BATCH_MAX)
                taken = [self._queue.popleft() for _ in range(count)]
                deliver(taken, self._outcomes(taken))
                point("store.answered")
            if self._closing:
                return

    def _outcomes(self, taken: Sequence[Submission]) -> Sequence[Outcome]:
        try:
            return self._runner.run([submission.command for submission in taken])
        except CommitInDoubt as error:
            _log.error("commit failed; reopening to find out what it left", reason=str(error))
            return self._resolve_doubt([submission.command for submission in taken])
        except Unavailable as error:
            return [error] * len(taken)
        except Exception:
            # Rolled back: nothing of the batch is stored, and the next batch starts clean.
            _log.exception("batch failed and was rolled back")
            return [Unavailable("the batch was rolled back")] * len(taken)

    def _resolve_doubt(self, commands: Sequence[Command]) -> list[Outcome]:
        """Open the database anew and look every command up; what cannot be looked up stays in doubt."""
        try:
            self._connection.close(force=True)
            self._connection = self._reopen()
            # The failed flush must have succeeded by now before anything found may be called accepted.
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
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
        return Accepted(row.withdrawal_id, row.at_ms, repeated=False)


def deliver(taken: Sequence[Submission], outcomes: Sequence[Outcome]) -> None:
    """Hand each outcome to whoever waits; one wake-up per event loop, however many wait there."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[object], Outcome]]] = {}
    for submission, outcome in zip(taken, outcomes, strict=True):
        future = submission.future
        if isinstance(future, Future):
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        else:
            assert submission.loop is not None
            by_loop.setdefault(submission.loop, []).append((future, outcome))
    for loop, waiting in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(waiting: list[tuple[asyncio.Future[object], Outcome]]) -> None:
    for future, outcome in waiting:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
