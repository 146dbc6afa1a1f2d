"""The table of routes: which venue serves an exact raw path, and what counts its requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from penstock.server.counting import Counting
from penstock.server.rate import WindowLimiter
from penstock.venues.venue import Limit, Route, Scope, Usage, Venue

PREFIX_SEGMENTS_MAX = 8
"""By this much of an unknown path is told whose it may have been; its sender chose how many segments it has."""


@dataclass(frozen=True, slots=True)
class Served:
    """A route with its venue and its counts. before, after: those shared with other routes, taken before and after
    authentication. unused: what is told of its own limit where nothing was counted.
    """

    venue: Venue
    route: Route
    own: Counting
    before: tuple[Counting, ...]
    after: tuple[Counting, ...]
    unused: Usage


class RouteTable:
    """Every route of the venues. limit_by_ip: whether limits that routes share are counted for each source address."""

    def __init__(self, venues: Iterable[Venue], *, limit_by_ip: bool) -> None:
        self._limit_by_ip = limit_by_ip
        self._paths: dict[bytes, dict[str, Served]] = {}
        self._requests: dict[tuple[bytes, bytes], Served] = {}
        self._by_prefix: dict[bytes, Venue] = {}
        self._buckets: dict[tuple[str, str], Counting] = {}
        self._fallback: Venue | None = None
        for venue in venues:
            self._add(venue)

    def methods(self, path: bytes) -> Mapping[str, Served]:
        """What is served on a path, by method; nothing where the path is unknown."""
        return self._paths.get(path, {})

    def find(self, method: bytes, path: bytes) -> Served | None:
        return self._requests.get((method, path))

    def venue_for(self, path: bytes) -> Venue:
        """The venue in whose form an answer to this path is written: the one that has the nearest paths."""
        for prefix in reversed(_prefixes(path)):
            venue = self._by_prefix.get(prefix)
            if venue is not None:
                return venue
        assert self._fallback is not None, "a gate without venues"
        return self._fallback

    def _add(self, venue: Venue) -> None:
        self._fallback = self._fallback or venue
        for route in venue.routes:
            path = route.path.encode()
            methods = self._paths.setdefault(path, {})
            assert route.method not in methods, f"{route.method} {route.path} is served twice"
            methods[route.method] = self._requests[route.method.encode(), path] = self._served(venue, route)
            for prefix in _prefixes(path):
                self._by_prefix.setdefault(prefix, venue)

    def _served(self, venue: Venue, route: Route) -> Served:
        shared = [
            self._counting(venue, route, limit)
            for limit in route.shared
            if limit.scope is not Scope.IP or self._limit_by_ip
        ]
        return Served(
            venue,
            route,
            self._counting(venue, route, route.limit),
            tuple(counting for counting in shared if counting.limit.scope is Scope.IP),
            tuple(counting for counting in shared if counting.limit.scope is not Scope.IP),
            Usage(0, route.limit),
        )

    def _counting(self, venue: Venue, route: Route, limit: Limit) -> Counting:
        limiter = WindowLimiter(limit.count, limit.window_s, ban_s=limit.ban_s)
        if not limit.bucket:
            return Counting(f"{venue.name} {route.method} {route.path}", limit, limiter)
        made = Counting(f"{venue.name} {limit.bucket}", limit, limiter)
        known = self._buckets.setdefault((venue.name, limit.bucket), made)
        assert known.limit == limit, f"the bucket {limit.bucket} has two limits"
        return known


def _prefixes(path: bytes) -> list[bytes]:
    """The path's first segments, ever more of them: b"/a/b" gives b"/a" and b"/a/b"."""
    parts = path.split(b"/")[: PREFIX_SEGMENTS_MAX + 1]
    return [b"/".join(parts[:count]) for count in range(2, len(parts) + 1)]
