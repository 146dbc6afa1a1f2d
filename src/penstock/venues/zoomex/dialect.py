"""Zoomex as a venue: the one object that the gate holds."""

from __future__ import annotations

from collections.abc import Callable

from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView
from penstock.venues.venue import (
    Ask,
    Headers,
    Level,
    LookUpKey,
    Reply,
    Request,
    Route,
    Scope,
    Usage,
    World,
)
from penstock.venues.zoomex import auth, errors
from penstock.venues.zoomex import routes as wire
from penstock.venues.zoomex.chains import Chains
from penstock.venues.zoomex.create import CreateReader
from penstock.venues.zoomex.errors import Rejected, WireError
from penstock.venues.zoomex.lookups import LookUps
from penstock.venues.zoomex.messages import SIGNED_BY_PARAMETERS, Parameters, read_parameters
from penstock.venues.zoomex.records import Records
from penstock.venues.zoomex.replies import Envelopes, RecordWriter

_RESET_MS_MIN = 1_000


class Zoomex:
    """The Zoomex dialect; see venues.venue.Venue for the contract."""

    name = auth.VENUE
    routes = wire.ROUTES

    def __init__(self, world: World) -> None:
        chains = Chains(world.catalogue)
        writer = RecordWriter(world.catalogue)
        self._now_ms = world.now_ms
        self._envelopes = Envelopes(world.now_ms)
        self._create = CreateReader(world.catalogue, chains, world.check_address)
        self._looks = LookUps(world.catalogue, chains, writer, self._envelopes)
        records = Records(chains, writer, self._envelopes)
        self._private: dict[str, Callable[[Request, Parameters, KeyView], Ask | Reply]] = {
            wire.CREATE.path: self._read_create,
            wire.INNER_CREATE.path: self._read_inner_create,
            wire.WITHDRAW_RECORDS.path: records.withdrawals,
            wire.DEPOSIT_RECORDS.path: records.deposits,
            wire.COINS.path: self._looks.coins,
            wire.DEPOSIT_ADDRESSES.path: self._looks.deposit_addresses,
            wire.ASSETS.path: self._looks.assets,
            wire.WALLET_BALANCE.path: self._looks.wallet_balance,
        }
        assert {wire.MARKET_TIME.path, *self._private} == {route.path for route in self.routes}
        # The request read last: authenticating needs its parameters, and reading it a moment later needs them again.
        self._last: tuple[Request, Parameters] | None = None

    def authenticate(self, request: Request, route: Route, look_up: LookUpKey) -> KeyView | Reply | None:
        if route.level is Level.NONE:
            return None
        if request.body and route.method == "GET":
            return self._error(route, errors.BODY_ON_GET)
        try:
            found = auth.authenticate(request, route, look_up, self._parameters(request))
        except Rejected as rejected:
            return self._rejection(route, rejected)
        return self._error(route, found) if isinstance(found, WireError) else found

    def _parameters(self, request: Request) -> Parameters:
        """Raises Rejected."""
        last = self._last
        if last is not None and last[0] is request:
            return last[1]
        parameters = read_parameters(request)
        self._last = (request, parameters)
        return parameters

    def claimed_key(self, request: Request) -> str | None:
        try:
            return auth.claimed_key(request, self._parameters(request))
        except Rejected:
            return auth.claimed_key(request, None)

    def read(self, request: Request, route: Route, key: KeyView | None) -> Ask | Reply:
        if key is None:
            return self._looks.market_time(request)
        try:
            parameters = self._parameters(request)
            if SIGNED_BY_PARAMETERS in parameters:
                parameters.check_names(route)
            return self._private[route.path](request, parameters, key)
        except Rejected as rejected:
            return self._rejection(route, rejected)

    def _read_create(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask:
        return Ask(self._create.to_address(parameters, key), self._write_created)

    def _read_inner_create(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask:
        return Ask(self._create.to_account(parameters, key), self._write_created)

    def _write_created(self, answer: Accepted) -> Reply:
        # Both calls are answered in the same form.
        return self._envelopes.accepted(wire.CREATE.path, answer.withdrawal_id)

    def limit_headers(self, usage: Usage, now_ms: UnixMs) -> Headers:
        """Status: requests left. Reset: when it may be tried again in Unix ms, now where nothing was exceeded."""
        left = 0 if usage.refused else max(usage.limit.count - usage.used, 0)
        resets_ms = _resets_at_ms(usage, now_ms) if usage.refused else now_ms
        return (
            (b"x-bapi-limit", b"%d" % usage.limit.count),
            (b"x-bapi-limit-status", b"%d" % left),
            (b"x-bapi-limit-reset-timestamp", b"%d" % resets_ms),
        )

    def refuse(self, refused: Refused, route: Route) -> Reply:
        return self._envelopes.error(route.path, *errors.wire_error(refused))

    def in_doubt(self, route: Route) -> Reply:
        return self._error(route, errors.IN_DOUBT)

    def unavailable(self, route: Route) -> Reply:
        return self._error(route, errors.UNAVAILABLE)

    def not_found(self, request: Request, _look_up: LookUpKey) -> Reply:
        return self._envelopes.error(request.path, errors.NOT_FOUND)

    def wrong_method(self, request: Request) -> Reply:
        return self._envelopes.error(request.path, errors.WRONG_METHOD)

    def malformed(self) -> Reply:
        return self._envelopes.error("", errors.MALFORMED)

    def too_large(self) -> Reply:
        return self._envelopes.error("", errors.TOO_LARGE)

    def rate_limited(self, route: Route, usage: Usage, *, abusive: bool) -> Reply:
        """HTTP 403 for what counts the address, and for who keeps on; else 10006."""
        if abusive or usage.limit.scope is Scope.IP:
            return self._error(route, errors.IP_LIMIT)
        resets_at_ms = _resets_at_ms(usage, self._now_ms())
        return self._envelopes.error(route.path, errors.TOO_MANY, resets_at_ms=resets_at_ms)

    def _error(self, route: Route, error: WireError) -> Reply:
        return self._envelopes.error(route.path, error)

    def _rejection(self, route: Route, rejected: Rejected) -> Reply:
        return self._envelopes.error(route.path, rejected.error, rejected.text)


def _resets_at_ms(usage: Usage, now_ms: int) -> int:
    """Never nearer than a second: pybit sleeps until then, and fails where that time has passed on its way."""
    return now_ms + max(usage.resets_in_ms, _RESET_MS_MIN)
