"""Rate limits counted in the core process, for all of its fronts."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.core.time import Clock
from penstock.server.counting import NS_PER_MS
from penstock.server.rate import WindowLimiter
from penstock.store.link.counting import Take, Taken

MS_PER_S = 1_000


class MemoryCounts:
    """A Counts (store/link/counting.py). For one thread. A limiter is made with the first request that needs it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limiters: dict[tuple[str, int, int, int], WindowLimiter] = {}

    def take(self, takes: Sequence[Take]) -> list[Taken]:
        now_ns = self._clock.monotonic_ms() * NS_PER_MS
        answers: list[Taken] = []
        for take in takes:
            use = self._limiter(take).take(take.who, now_ns)
            answers.append(Taken(use.used, use.over_by, use.resets_in_ms))
        return answers

    def close(self) -> None:
        """Nothing is open."""

    def _limiter(self, take: Take) -> WindowLimiter:
        key = (take.bucket, take.limit, take.window_ms, take.ban_ms)
        found = self._limiters.get(key)
        if found is None:
            found = WindowLimiter(take.limit, take.window_ms // MS_PER_S, ban_s=take.ban_ms // MS_PER_S)
            self._limiters[key] = found
        return found
