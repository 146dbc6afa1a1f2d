"""How often somebody asks: a limit with its limiter, and whom it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from penstock.core.views import KeyView
from penstock.server.rate import WindowLimiter
from penstock.store.link.counting import Take, Taken
from penstock.venues.venue import Limit, Scope, Usage

NS_PER_MS = 1_000_000
MS_PER_S = 1_000
ABUSE_FACTOR = 20
"""A caller refused this many times a window's limit, in one window, is told in the venue's harsher words."""


@dataclass(frozen=True, slots=True)
class Counting:
    """A limit and the limiter that counts it in this process. bucket: its name among all limits of all venues."""

    bucket: str
    limit: Limit
    limiter: WindowLimiter


class Counter(Protocol):
    """Who counts requests."""

    async def take(self, counting: Counting, key: str, now_ms: int) -> tuple[Usage, bool]:
        """Count one request; also whether its sender kept on after being told. now_ms: monotonic."""
        ...

    def used(self, counting: Counting, key: str, now_ms: int) -> int:
        """How many were counted in the window so far, as far as is known here; counts nothing."""
        ...


class OwnCounter:
    """Counts in this process alone: right where there is no other."""

    async def take(self, counting: Counting, key: str, now_ms: int) -> tuple[Usage, bool]:
        use = counting.limiter.take(key, now_ms * NS_PER_MS)
        usage = Usage(use.used, counting.limit, use.resets_in_ms, refused=not use.allowed)
        return usage, use.over_by > ABUSE_FACTOR * use.limit

    def used(self, counting: Counting, key: str, now_ms: int) -> int:
        return counting.limiter.used(key, now_ms * NS_PER_MS)


class SharedCounter:
    """Has requests counted where every process of the service asks."""

    def __init__(self, take: Callable[[Take], Awaitable[Taken]]) -> None:
        self._take = take

    async def take(self, counting: Counting, key: str, now_ms: int) -> tuple[Usage, bool]:
        del now_ms  # whoever counts has a clock
        limit = counting.limit
        taken = await self._take(
            Take(counting.bucket, key, limit.count, limit.window_s * MS_PER_S, limit.ban_s * MS_PER_S)
        )
        usage = Usage(taken.used, limit, taken.resets_in_ms, refused=taken.over_by > 0)
        return usage, taken.over_by > ABUSE_FACTOR * limit.count

    def used(self, counting: Counting, key: str, now_ms: int) -> int:
        del counting, key, now_ms
        return 0


def counted_key(scope: Scope, who: KeyView | None, source: str) -> str:
    """Under what a request is counted: its source, its key, or the key's account; the source where nobody is known."""
    if who is None or scope is Scope.IP:
        return source
    return who.key_id if scope is Scope.KEY else str(who.account_id)
