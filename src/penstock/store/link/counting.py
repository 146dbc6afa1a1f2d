"""Rate limits that hold for several processes: what a front asks to be counted, and who counts it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec
import structlog

from penstock.core.refusals import Unavailable
from penstock.store.delivery import Link
from penstock.store.outage import Outage

TEND_AGAIN_S = 0.5
"""After it failed."""

_log = structlog.get_logger(__name__)


class Take(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Count one request of `who` against a limit: at most `limit` in `window_ms`.

    bucket: which limit, unique among all venues. ban_ms: how long whoever goes over is refused, 0: until the window
    ends.
    """

    bucket: str
    who: str
    limit: int
    window_ms: int
    ban_ms: int


class Taken(msgspec.Struct, frozen=True, gc=False, tag=True):
    """used: let through in the window, this one included; over_by: refused in it; resets_in_ms: until it ends."""

    used: int
    over_by: int
    resets_in_ms: int


class Counts(Protocol):
    """Counts requests, for every process that asks it."""

    def take(self, takes: Sequence[Take]) -> list[Taken]:
        """Count them in this order. May block. Raises Unavailable."""
        ...

    def close(self) -> None:
        """Let go of whatever is open."""
        ...


@runtime_checkable
class TendedCounts(Counts, Protocol):
    """Counts that must be looked after, and may then be able to answer at once."""

    def tend(self) -> float:
        """Do what is due. Returns in how many seconds to call again. May block. Raises Unavailable."""
        ...

    def take_at_once(self, takes: Sequence[Take]) -> list[Taken] | None:
        """As `take` from any thread, without blocking; None where it cannot be done so now."""
        ...


class CountKeeper:
    """Answers the links of all fronts: at once where that can be, else from one thread, all that waits together."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._tended = counts if isinstance(counts, TendedCounts) else None
        self._tend_at = time.monotonic()
        self._outage = Outage("counting cannot be looked after", "counting is looked after again")
        self._queue: deque[tuple[Link, int, Take]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="count-keeper", daemon=True)
        self._thread.start()

    def submit(self, link: Link, numbered: Sequence[tuple[int, Take]]) -> None:
        if self._tended is not None:
            taken = self._tended.take_at_once([take for _, take in numbered])
            if taken is not None:
                link.answer([(number, each) for (number, _), each in zip(numbered, taken, strict=True)])
                return
        self._queue.extend((link, number, take) for number, take in numbered)
        self._wake.set()

    def close(self) -> None:
        """End the thread and close the counts. What still waits is not answered: end the fronts first."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._counts.close()

    def _work(self) -> None:
        while not self._closing:
            self._wake.wait(self._tend())
            self._wake.clear()
            waiting = [self._queue.popleft() for _ in range(len(self._queue))]
            if not waiting:
                continue
            outcomes = self._counted([take for _, _, take in waiting])
            by_link: dict[Link, list[tuple[int, object]]] = {}
            for (link, number, _), outcome in zip(waiting, outcomes, strict=True):
                by_link.setdefault(link, []).append((number, outcome))
            for link, answers in by_link.items():
                link.answer(answers)

    def _tend(self) -> float | None:
        """Have the counts looked after when it is time. Returns in how many seconds it will be; None: never."""
        if self._tended is None:
            return None
        if time.monotonic() >= self._tend_at:
            again_s = TEND_AGAIN_S
            try:
                again_s = self._tended.tend()
                self._outage.worked()
            except Unavailable as error:
                self._outage.failed(str(error))
            except Exception:  # noqa: BLE001 - the boundary of the thread
                _log.exception("looking after counting failed")
            self._tend_at = time.monotonic() + again_s
        return max(self._tend_at - time.monotonic(), 0)

    def _counted(self, takes: list[Take]) -> Sequence[object]:
        try:
            return self._counts.take(takes)
        except Unavailable as error:
            return [error] * len(takes)
        except Exception:  # noqa: BLE001 - the boundary of the thread
            # A bug here must not end the thread that every request waits for.
            _log.exception("counting requests failed")
            return [Unavailable("requests cannot be counted")] * len(takes)
