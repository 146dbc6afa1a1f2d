"""How often somebody asks: a limit with its limiter, and whom it counts."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.core.views import KeyView
from penstock.server.rate import WindowLimiter
from penstock.venues.venue import Limit, Scope, Usage

NS_PER_MS = 1_000_000
ABUSE_FACTOR = 20
"""A caller refused this many times a window's limit, in one window, is told in the venue's harsher words."""


@dataclass(frozen=True, slots=True)
class Counting:
    """A limit and the limiter that counts it."""

    limit: Limit
    limiter: WindowLimiter

    def take(self, key: str, now_ms: int) -> tuple[Usage, bool]:
        """Count one request; also whether its sender kept on after being told."""
        use = self.limiter.take(key, now_ms * NS_PER_MS)
        usage = Usage(use.used, self.limit, use.resets_in_ms, refused=not use.allowed)
        return usage, use.over_by > ABUSE_FACTOR * use.limit


def counted_key(scope: Scope, who: KeyView | None, source: str) -> str:
    """Under what a request is counted: its source, its key, or the key's account; the source where nobody is known."""
    if who is None or scope is Scope.IP:
        return source
    return who.key_id if scope is Scope.KEY else str(who.account_id)
