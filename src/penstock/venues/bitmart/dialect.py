"""BitMart as a venue: the one object that the gate holds."""

from __future__ import annotations

from collections.abc import Callable

from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView
from penstock.venues.bitmart import auth, errors
from penstock.venues.bitmart import routes as wire
from penstock.venues.bitmart.apply import ApplyReader
from penstock.venues.bitmart.currencies import CurrencyNames
from penstock.venues.bitmart.errors import Rejected, WireError
from penstock.venues.bitmart.lookups import LookUps
from penstock.venues.bitmart.messages import Parameters, read_query
from penstock.venues.bitmart.replies import Envelopes
from penstock.venues.media import is_plain_json
from penstock.venues.venue import Ask, Headers, LookUpKey, Reply, Request, Route, Scope, Usage, World


class Bitmart:
    """The BitMart dialect; see venues.venue.Venue for the contract."""

    name = auth.VENUE
    routes = wire.ROUTES

    def __init__(self, world: World) -> None:
        catalogue = world.catalogue
        self.names = CurrencyNames(catalogue)
        self._envelopes = Envelopes(world.new_trace)
        self._apply = ApplyReader(catalogue, self.names, world.check_address)
        looks = LookUps(catalogue, self.names, self._envelopes)
        self._public: dict[str, Callable[[Request, Parameters], Reply]] = {
            wire.CURRENCIES.path: looks.currencies,
            wire.SERVER_TIME.path: looks.server_time,
            wire.SERVICES.path: looks.services,
            wire.SPOT_SYMBOLS.path: looks.symbols,
            wire.CONTRACT_SYMBOLS.path: looks.symbols,
        }
        self._keyed: dict[str, Callable[[Request, Parameters, KeyView], Ask]] = {
            wire.CHARGE.path: looks.charge,
            wire.ACCOUNT_WALLET.path: looks.account_wallet,
            wire.SPOT_WALLET.path: looks.spot_wallet,
            wire.DEPOSIT_ADDRESS.path: looks.deposit_address,
            wire.HISTORY.path: looks.history,
            wire.DETAIL.path: looks.detail,
            wire.ADDRESS_LIST.path: looks.address_list,
        }
        served = {wire.APPLY.path, *self._public, *self._keyed}
        assert served == {route.path for route in self.routes}

    def authenticate(self, request: Request, route: Route, look_up: LookUpKey) -> KeyView | Reply | None:
        found = auth.authenticate(request, route, look_up)
        return self._envelopes.error(found) if isinstance(found, WireError) else found

    def claimed_key(self, request: Request) -> str | None:
        key = auth.read_claims(request).key
        return key.decode("latin-1") if key else None

    def read(self, request: Request, route: Route, key: KeyView | None) -> Ask | Reply:
        try:
            if route.path == wire.APPLY.path:
                return self._read_apply(request, key)
            parameters = read_query(request.query)
            if key is None:
                return self._public[route.path](request, parameters)
            if key.is_sub_account and not route.sub_accounts:
                return self._envelopes.error(errors.SUB_ACCOUNT_FORBIDDEN)
            return self._keyed[route.path](request, parameters, key)
        except Rejected as rejected:
            return self._envelopes.error(rejected.error)

    def _read_apply(self, request: Request, key: KeyView | None) -> Ask:
        assert key is not None
        if key.is_sub_account:
            raise Rejected(errors.SUB_ACCOUNT_MAY_NOT_WITHDRAW)
        if not is_plain_json(request):
            raise Rejected(errors.WRONG_MEDIA)
        request_id = auth.request_id(auth.read_claims(request))
        return Ask(self._apply.read(request.body, key, request_id), self._write_accepted)

    def _write_accepted(self, answer: Accepted) -> Reply:
        return self._envelopes.accepted(answer.withdrawal_id)

    def limit_headers(self, usage: Usage, _now_ms: UnixMs) -> Headers:
        """X-BM-RateLimit-Remaining counts what is *used*; -Reset is the window's length in seconds."""
        limit = usage.limit
        return (
            (b"x-bm-ratelimit-remaining", b"%d" % usage.used),
            (b"x-bm-ratelimit-limit", b"%d" % limit.count),
            (b"x-bm-ratelimit-reset", b"%d" % limit.window_s),
            (b"x-bm-ratelimit-mode", b"IP" if limit.scope is Scope.IP else b"KEY"),
        )

    def refuse(self, refused: Refused, _route: Route) -> Reply:
        return self._envelopes.error(*errors.wire_error(refused))

    def in_doubt(self, _route: Route) -> Reply:
        return self._envelopes.error(errors.IN_DOUBT)

    def unavailable(self, _route: Route) -> Reply:
        return self._envelopes.error(errors.UNAVAILABLE)

    def not_found(self, _request: Request, _look_up: LookUpKey) -> Reply:
        return self._envelopes.error(errors.NOT_FOUND)

    def wrong_method(self, _request: Request) -> Reply:
        return self._envelopes.error(errors.WRONG_METHOD)

    def malformed(self) -> Reply:
        return self._envelopes.error(errors.INVALID_REQUEST)

    def too_large(self) -> Reply:
        return self._envelopes.error(errors.TOO_LARGE)

    def rate_limited(self, _route: Route, _usage: Usage, *, abusive: bool) -> Reply:
        return self._envelopes.error(errors.BANNED if abusive else errors.TOO_MANY)
