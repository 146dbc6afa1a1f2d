"""How many requests may be with the store at once; the rest is turned away before anything is computed for it."""

from __future__ import annotations

from collections.abc import Callable

from penstock.core.time import Clock

BUSY_FOR_MS = 1_000
"""So long after a request was turned away only half as many are let in: a queue that never empties makes everybody
wait and nothing faster, while one that fills for a moment may be as long as a commit is large.
"""
LOOKED_AFTER = 16
"""Requests turned away in a row before it is seen again whether one that was let in is answered."""


class Room:
    """For one event loop. in_flight: raise it with each request let in, and lower it with its answer.

    catch_up: has answers that have come from the store given now; asked before a request is turned away, so that who
    was let in does not wait for that.
    """

    __slots__ = ("_busy_size", "_busy_until_ms", "_catch_up", "_clock", "_size", "_turned_away", "in_flight")

    def __init__(self, size: int, clock: Clock, catch_up: Callable[[], None] | None) -> None:
        self._size = size
        self._busy_size = max(1, size // 2)
        self._busy_until_ms = 0
        self._clock = clock
        self._catch_up = catch_up or (lambda: None)
        self._turned_away = 0  # in a row
        self.in_flight = 0

    def is_full(self) -> bool:
        """Whether a request is to be turned away."""
        if self.in_flight < self._busy_size:
            return False
        now_ms = self._clock.monotonic_ms()
        if self.in_flight < self._size and now_ms >= self._busy_until_ms:
            return False
        self._busy_until_ms = now_ms + BUSY_FOR_MS
        return True

    def is_left(self) -> bool:
        """Whether a request is let in. Not inside a task: requests that are answered meanwhile go on in this call."""
        if not self.is_full():
            self._turned_away = 0
            return True
        self._turned_away += 1
        if self._turned_away % LOOKED_AFTER != 1:
            return False
        self._catch_up()
        return not self.is_full()
