"""Rate limits. Time is passed in: nanoseconds of one monotonic clock. For one thread.

Charge a customer's quota only after the request is authenticated, else whoever knows a key id can use it up.
Failed authentication is charged to limiters of its own. Memory is bounded by two generations of keys: what
has not been touched for a whole generation is forgotten.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable

import msgspec

NS_PER_S = 1_000_000_000
KEYS_MAX = 65_536


def client_scope(host: str) -> str:
    """The key under which requests of one source are counted.

    host: the peer's address as text. An IPv6 address counts by its /64, because a single customer is given
    that many; an IPv4-mapped one as its IPv4 address. Anything else is returned unchanged.
    """
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Address((int(address) >> 64) << 64)}/64"


class GcraLimiter:
    """`limit` events per `period_ns`, evenly: at most `burst` at once, then one each period_ns / limit.

    GCRA (ITU-T I.371) keeps one time per key: when its next event would be due if events came evenly. With
    more than `keys_max` keys alive, those untouched for longest are forgotten, and start afresh.
    """

    __slots__ = (
        "_interval_ns",
        "_keys_half",
        "_older",
        "_recent",
        "_rotate_at_ns",
        "_span_ns",
        "_tolerance_ns",
    )

    def __init__(self, limit: int, period_ns: int, *, burst: int, keys_max: int = KEYS_MAX) -> None:
        assert limit >= 1, limit
        assert period_ns >= limit, period_ns
        assert burst >= 1, burst
        assert keys_max >= 2, keys_max  # noqa: PLR2004 - one key for each generation
        self._interval_ns = -(-period_ns // limit)
        self._tolerance_ns = (burst - 1) * self._interval_ns
        # A due time lies at most this far ahead: a key untouched for so long is as good as new.
        self._span_ns = burst * self._interval_ns
        self._keys_half = keys_max // 2
        self._recent: dict[Hashable, int] = {}
        self._older: dict[Hashable, int] = {}
        self._rotate_at_ns: int | None = None

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def take(self, key: Hashable, now_ns: int) -> int:
        """Count one event and return 0. Over the limit: count nothing, return the ns until one will pass."""
        if self._rotate_at_ns is None or now_ns >= self._rotate_at_ns or len(self._recent) >= self._keys_half:
            self._rotate(now_ns)
        due_ns = max(self._due_ns(key), now_ns)
        wait_ns = due_ns - self._tolerance_ns - now_ns
        if wait_ns > 0:
            return wait_ns
        self._recent[key] = due_ns + self._interval_ns
        return 0

    def wait_ns(self, key: Hashable, now_ns: int) -> int:
        """What `take` would return, without counting."""
        return max(self._due_ns(key) - self._tolerance_ns - now_ns, 0)

    def _due_ns(self, key: Hashable) -> int:
        due_ns = self._recent.get(key)
        return due_ns if due_ns is not None else self._older.get(key, 0)

    def _rotate(self, now_ns: int) -> None:
        idle = self._rotate_at_ns is not None and now_ns >= self._rotate_at_ns + self._span_ns
        self._older = {} if idle else self._recent
        self._recent = {}
        self._rotate_at_ns = now_ns + self._span_ns


class WindowUse(msgspec.Struct, frozen=True, gc=False):
    """How a window stands after one request.

    used: requests let through in the window, this one included when `allowed`; at most `limit`.
    over_by: requests refused in the window, this one included; 0 when allowed. For a venue that answers
    repeated abuse in another way than the first excess. resets_in_ms: until the window ends, rounded up.
    """

    allowed: bool
    used: int
    limit: int
    window_s: int
    over_by: int
    resets_in_ms: int


class WindowLimiter:
    """`limit` requests per `window_s` seconds and key. One instance per endpoint; the key is who asks.

    ban_s: whoever goes over the limit is refused for so long from then on, in place of the window's rest.

    A key's window begins with its first request and is followed by a new one with the first request after its
    end, so that "one too many" is refused wherever the seconds of the clock fall. Keep limiters that count
    unauthenticated sources apart from those that count customers: beyond `keys_max` keys alive, those
    untouched for longest are forgotten, and start afresh.
    """

    __slots__ = (
        "_ban_ns",
        "_keys_half",
        "_older",
        "_recent",
        "_rotate_at_ns",
        "_window_ns",
        "limit",
        "window_s",
    )

    def __init__(self, limit: int, window_s: int, *, ban_s: int = 0, keys_max: int = KEYS_MAX) -> None:
        assert limit >= 1, limit
        assert window_s >= 1, window_s
        assert keys_max >= 2, keys_max  # noqa: PLR2004 - one key for each generation
        self.limit = limit
        self.window_s = window_s
        self._window_ns = window_s * NS_PER_S
        self._ban_ns = ban_s * NS_PER_S
        self._keys_half = keys_max // 2
        # key -> [end of its window, requests in it]
        self._recent: dict[Hashable, list[int]] = {}
        self._older: dict[Hashable, list[int]] = {}
        self._rotate_at_ns = 0

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def take(self, key: Hashable, now_ns: int) -> WindowUse:
        """Count one request of `key`."""
        window = self._recent.get(key)
        if window is None:
            if now_ns >= self._rotate_at_ns or len(self._recent) >= self._keys_half:
                self._rotate(now_ns)
            window = self._older.pop(key, None) or [now_ns + self._window_ns, 0]
            self._recent[key] = window
        if now_ns >= window[0]:
            window[0] = now_ns + self._window_ns
            window[1] = 0
        window[1] = count = window[1] + 1
        limit = self.limit
        if count == limit + 1 and self._ban_ns:
            window[0] = now_ns + self._ban_ns
        resets_in_ms = (window[0] - now_ns + 999_999) // 1_000_000
        if count <= limit:
            return WindowUse(True, count, limit, self.window_s, 0, resets_in_ms)  # noqa: FBT003 - a struct's first field
        return WindowUse(False, limit, limit, self.window_s, count - limit, resets_in_ms)  # noqa: FBT003 - as above

    def used(self, key: Hashable, now_ns: int) -> int:
        """Requests of `key` let through in its window so far; counts nothing."""
        window = self._recent.get(key) or self._older.get(key)
        return 0 if window is None or now_ns >= window[0] else min(window[1], self.limit)

    def _rotate(self, now_ns: int) -> None:
        self._older = self._recent
        self._recent = {}
        self._rotate_at_ns = now_ns + max(self._window_ns, self._ban_ns)
