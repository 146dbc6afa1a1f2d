"""SunX as a venue: the one object that the gate holds."""

from __future__ import annotations

from collections.abc import Callable

from penstock.core.amounts import format_units, parse_amount
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.core.views import KeyView
from penstock.venues.sunx import auth, errors
from penstock.venues.sunx import routes as wire
from penstock.venues.sunx.apply import ApplyReader
from penstock.venues.sunx.auth import Hosts
from penstock.venues.sunx.confirm import ConfirmReader
from penstock.venues.sunx.currencies import CHAINS, CurrencyNames
from penstock.venues.sunx.errors import Rejected, WireError
from penstock.venues.sunx.lookups import LookUps
from penstock.venues.sunx.messages import Parameters, check_media
from penstock.venues.sunx.query import read_query
from penstock.venues.sunx.quotes import Quotes
from penstock.venues.sunx.replies import Envelopes
from penstock.venues.venue import Ask, Headers, LookUpKey, Reply, Request, Route, Usage, World


class Sunx:
    """The SunX dialect; see venues.venue.Venue for the contract."""

    name = auth.VENUE
    routes = wire.ROUTES

    def __init__(self, world: World, hosts: Hosts | None = None) -> None:
        """hosts: what a caller may have signed as its host; None for the venue's own and the request's."""
        self._catalogue = world.catalogue
        self._hosts = hosts or Hosts()
        self._envelopes = Envelopes(world.now_ms)
        names = CurrencyNames(world.catalogue)
        looks = LookUps(world.catalogue, names, self._envelopes, world.now_ms)
        quotes = Quotes()
        self._creates: dict[str, Callable[[bytes, KeyView], Ask]] = {
            wire.APPLY.path: ApplyReader(
                world.catalogue,
                names,
                world.check_address,
                world.new_trace,
                world.now_ms,
                self._envelopes,
                quotes,
            ).read,
            wire.CONFIRM.path: ConfirmReader(world.catalogue, self._envelopes, quotes).read,
        }
        self._looks: dict[str, Callable[[Parameters, KeyView], Ask]] = {
            wire.RECORDS.path: looks.records,
            wire.BALANCE.path: looks.balance,
        }
        assert {*self._creates, *self._looks} == {route.path for route in self.routes}

    def authenticate(self, request: Request, route: Route, look_up: LookUpKey) -> KeyView | Reply | None:
        found = auth.authenticate(request, route, look_up, self._hosts)
        return self._envelopes.error(found) if isinstance(found, WireError) else found

    def claimed_key(self, request: Request) -> str | None:
        return auth.claimed_key(request.query)

    def read(self, request: Request, route: Route, key: KeyView | None) -> Ask | Reply:
        assert key is not None
        if key.is_sub_account and not route.sub_accounts:
            return self._envelopes.error(errors.KEY_NOT_PERMITTED)
        try:
            if wire.is_wallet_call(route.path):
                _check_tenant(request)
            create = self._creates.get(route.path)
            if create is None:
                return self._looks[route.path](Parameters(read_query(request.query).values), key)
            check_media(request)
            return create(request.body, key)
        except Rejected as rejected:
            return self._envelopes.error(rejected.error)

    def limit_headers(self, usage: Usage, now_ms: UnixMs) -> Headers:
        """HTX's names and, for the records, those of its older contract as well."""
        limit = usage.limit
        remaining = b"%d" % max(limit.count - usage.used, 0)
        headers = (
            (b"ratelimit-limit", b"%d" % limit.count),
            (b"ratelimit-interval", b"%d" % (limit.window_s * 1_000)),
            (b"ratelimit-remaining", remaining),
            (b"ratelimit-reset", b"%d" % (now_ms + usage.resets_in_ms)),
        )
        if limit != wire.RECORDS_OWN:
            return headers
        expire = b"%d" % usage.resets_in_ms
        return (
            *headers,
            (b"x-hb-ratelimit-requests-remain", remaining),
            (b"x-hb-ratelimit-requests-expire", expire),
        )

    def refuse(self, refused: Refused, _route: Route) -> Reply:
        if refused.code is RefusalCode.BALANCE_TOO_LOW:
            refused = self._less_the_fee(refused)
        return self._envelopes.error(errors.wire_error(refused))

    def _less_the_fee(self, refused: Refused) -> Refused:
        """The refusal with what could be transferred: the fee is debited beside it.

        detail: asset, and available as plain decimal text; without them there is nothing to tell.
        """
        asset, available = refused.detail.get("asset"), refused.detail.get("available")
        listing = next(
            (self._catalogue.listings.get(pair) for pair in CHAINS.values() if pair[0] == asset), None
        )
        if listing is None or not isinstance(available, str):
            return Refused(refused.code, available="0")
        scale = self._catalogue.scale(listing.asset)
        most = max(parse_amount(available, scale) - listing.fee, 0)
        return Refused(refused.code, available=format_units(most, scale))

    def in_doubt(self, route: Route) -> Reply:
        """Only a confirmation can have done anything."""
        in_doubt = route.path == wire.CONFIRM.path
        return self._envelopes.error(errors.IN_DOUBT if in_doubt else errors.SYSTEM)

    def unavailable(self, _route: Route) -> Reply:
        return self._envelopes.maintenance()

    def not_found(self, _request: Request, _look_up: LookUpKey) -> Reply:
        return self._envelopes.error(errors.NOT_FOUND)

    def wrong_method(self, _request: Request) -> Reply:
        return self._envelopes.error(errors.WRONG_METHOD)

    def malformed(self) -> Reply:
        return self._envelopes.error(errors.MALFORMED)

    def too_large(self) -> Reply:
        return self._envelopes.error(errors.TOO_LARGE)

    def rate_limited(self, _route: Route, _usage: Usage, *, abusive: bool) -> Reply:
        del abusive  # the venue has one word for both
        return self._envelopes.error(errors.TOO_MANY)


def _check_tenant(request: Request) -> None:
    if auth.only(request, b"cloud-exchange") != wire.CLOUD_EXCHANGE.encode():
        raise Rejected(errors.TENANT_WRONG)
