"""A writer's thread: takes what is queued, runs it as one batch, answers after the commit.

Batches form by themselves: while one commit waits for the disk, the next commands queue up.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from penstock.core.commands import Command
from penstock.core.points import point
from penstock.core.refusals import Unavailable
from penstock.store.deciding import CommitInDoubt
from penstock.store.delivery import Outcome, Submission, deliver

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


class Batches(Protocol):
    """Runs batches on a database; used by one thread."""

    @property
    def commit_s(self) -> float:
        """How long the last commit took, in seconds."""
        ...

    @property
    def keys_generation(self) -> int:
        """Changes whenever a change to a key or an account was committed, or may have been."""
        ...

    def run(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """One outcome per command, in order, all durable. Raises CommitInDoubt when the commit did not come back
        clean; Unavailable: nothing was written; anything else: nothing was written, and one of the commands is why.
        """
        ...

    def resolve(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """What became of a batch after CommitInDoubt; what cannot be found out stays in doubt. Raises nothing."""
        ...

    def close(self) -> None: ...


class Writer:
    """Owns a database's batches and the thread that runs them.

    lock: guards the queue; writers of one store may share it. on_lost: called when the thread fails; by default the
    process ends at once.
    """

    def __init__(
        self,
        batches: Batches,
        on_lost: Callable[[], None] = exit_process,
        lock: threading.Lock | None = None,
    ) -> None:
        self._batches = batches
        self._on_lost = on_lost
        self._queue: deque[Submission] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._work_s = 0.0
        self._expected = 0
        self._lock = lock or threading.Lock()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, *submissions: Submission) -> None:
        """Queue them all or none. Raises Unavailable when the queue is full or the writer is closing."""
        # The lock keeps a command from slipping in behind the last batch of a writer that is closing.
        with self._lock:
            self.check_room(len(submissions))
            self.extend(submissions)

    def check_room(self, count: int) -> None:
        """Raises Unavailable unless `count` more may be queued. With the lock held."""
        if self._closing:
            raise Unavailable("the service is stopping")
        if len(self._queue) + count > QUEUE_MAX:
            raise Unavailable("the write queue is full")

    def extend(self, submissions: Sequence[Submission]) -> None:
        """Queue them. With the lock held, after `check_room`."""
        self._queue.extend(submissions)
        self._wake.set()

    @property
    def keys_generation(self) -> int:
        return self._batches.keys_generation

    def close(self) -> None:
        """Run what is queued, then stop the thread and close the connection."""
        with self._lock:
            self._closing = True
        self._wake.set()
        self._thread.join()
        self._batches.close()

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
                outcomes = self._outcomes([submission.command for submission in taken])
                self._work_s = time.monotonic() - began - self._batches.commit_s
                self._expected = len(taken) + len(self._queue)
                deliver(taken, outcomes)
                point("store.answered")
            # Before `_closing` was set, more may have come behind the last batch.
            if self._closing and not self._queue:
                return

    def _gather(self) -> None:
        """On a slow disk, wait a little for those who were answered and ask again: one flush then serves them all.

        Without it the callers fall into two halves that wait for each other's flush. Where the flush takes less than
        the work, the two halves are what keeps two processors busy, and nothing is waited for.
        """
        patience_s = min((self._batches.commit_s - self._work_s) * GATHER_SHARE, GATHER_S_MAX)
        if patience_s <= 0:
            return
        until = time.monotonic() + patience_s
        enough = min(int(self._expected * GATHER_ENOUGH), BATCH_MAX)
        while len(self._queue) < enough and not self._closing:
            left_s = until - time.monotonic()
            if left_s <= 0 or not self._wake.wait(left_s):
                return
            self._wake.clear()

    def _outcomes(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        try:
            return self._batches.run(commands)
        except CommitInDoubt as error:
            _log.error("commit failed; finding out what it left", reason=str(error))
            return self._batches.resolve(commands)
        except Unavailable as error:
            return [error] * len(commands)
        except Exception as error:  # noqa: BLE001 - the boundary of one batch
            if len(commands) == 1:
                name = type(commands[0]).__name__
                _log.error("command failed and was rolled back", command=name, exc_info=error)
                return [error]
        # One command made the database refuse all of them: by halves, it is alone after a few batches.
        middle = len(commands) // 2
        return [*self._outcomes(commands[:middle]), *self._outcomes(commands[middle:])]
