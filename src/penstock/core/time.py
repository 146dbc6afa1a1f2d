"""Time: integer Unix milliseconds from one clock that is handed in. The only module that asks the machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NewType, Protocol

UnixMs = NewType("UnixMs", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

DAY_MS = 86_400_000


class Clock(Protocol):
    """Where the service reads time."""

    def now_ms(self) -> UnixMs:
        """Wall-clock time; it may jump. For timestamps and signature windows only."""
        ...

    def monotonic_ms(self) -> int:
        """Never goes back; origin unspecified. For deadlines, rate limits and leases held in memory."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> UnixMs:
        return UnixMs(time.time_ns() // 1_000_000)

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


@dataclass(slots=True)
class ManualClock:
    """A clock that moves only when told to: for simulation and tests."""

    at_ms: int

    def now_ms(self) -> UnixMs:
        return UnixMs(self.at_ms)

    def monotonic_ms(self) -> int:
        return self.at_ms

    def advance(self, by_ms: int) -> None:
        """Move forward by `by_ms` >= 0."""
        assert by_ms >= 0, by_ms
        self.at_ms += by_ms
