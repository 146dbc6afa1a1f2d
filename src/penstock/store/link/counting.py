"""Rate limits that hold for several processes: what a front asks to be counted, and who counts it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from penstock.core.refusals import Unavailable
from penstock.store.delivery import Link

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


class CountKeeper:
    """Answers the links of all fronts from one thread, everything that waits at once."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._queue: deque[tuple[Link, int, Take]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="count-keeper", daemon=True)
        self._thread.start()

    def submit(self, link: Link, numbered: Sequence[tuple[int, Take]]) -> None:
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
            self._wake.wait()
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

    def _counted(self, takes: list[Take]) -> Sequence[object]:
        try:
            return self._counts.take(takes)
        except Unavailable as error:
            return [error] * len(takes)
        except Exception:  # noqa: BLE001 - the boundary of the thread
            # A bug here must not end the thread that every request waits for.
            _log.exception("counting requests failed")
            return [Unavailable("requests cannot be counted")] * len(takes)
