"""A venue driven as the gate drives it, without a server and without an engine."""

from __future__ import annotations

from penstock.core.rates import Rate
from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.core.views import KeyView
from penstock.venues.venue import Ask, Reply, Request, Route, Venue


class NoRates:
    """For a venue that converts nothing."""

    def rate(self, _source: str, _target: str, _now_ms: UnixMs) -> Rate | None:
        return None

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return ()


def key_view(**fields: object) -> KeyView:
    """A key that may do everything, from everywhere, unless `fields` say otherwise."""
    usual: dict[str, object] = {
        "passphrase": "",
        "permissions": frozenset({"read", "withdraw"}),
        "allowed_ips": (),
        "expires_ms": None,
        "frozen": False,
        "is_sub_account": False,
    }
    return KeyView(**(usual | fields))  # type: ignore[arg-type]


def route_of(venue: Venue, method: str, path: str) -> Route:
    return next(route for route in venue.routes if (route.method, route.path) == (method, path))


def outcome(venue: Venue, request: Request, key: KeyView) -> Ask | Reply:
    """What the venue makes of a request up to the question to the engine; refusals as their replies."""
    route = route_of(venue, request.method, request.path)
    who = venue.authenticate(request, route, {key.key_id: key}.get)
    if isinstance(who, Reply):
        return who
    try:
        return venue.read(request, route, who)
    except Refused as refused:
        return venue.refuse(refused, route)


def answered(venue: Venue, route: Route, asked: Ask | Reply, *values: object) -> Ask | Reply:
    """What comes of the question when it, and each that it leads to, is answered with the next of `values`."""
    for value in values:
        assert isinstance(asked, Ask), asked
        try:
            asked = asked.write(value)
        except Refused as refused:
            return venue.refuse(refused, route)
    return asked


def reply_to(venue: Venue, request: Request, key: KeyView, *values: object) -> Reply:
    """The reply to a request that is not refused before its questions are answered with `values`."""
    route = route_of(venue, request.method, request.path)
    said = answered(venue, route, outcome(venue, request, key), *values)
    assert isinstance(said, Reply), said
    return said
