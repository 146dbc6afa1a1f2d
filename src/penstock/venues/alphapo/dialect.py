"""AlphaPo as a venue: the one object that the gate holds."""

from __future__ import annotations

from collections.abc import Callable

from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.core.views import KeyView
from penstock.venues.alphapo import auth, errors, replies
from penstock.venues.alphapo import routes as wire
from penstock.venues.alphapo.currencies import CurrencyCodes
from penstock.venues.alphapo.errors import FieldError, Invalid, Rejected, WireError, said_of
from penstock.venues.alphapo.exchanges import Exchanges
from penstock.venues.alphapo.lookups import LookUps
from penstock.venues.alphapo.messages import check_media
from penstock.venues.alphapo.withdrawals import WithdrawalReader
from penstock.venues.venue import Ask, Headers, LookUpKey, Reply, Request, Route, Usage, World

PONG = Reply(replies.OK, replies.TEXT_HEADERS, b"OK")
PROXY_LIMIT = {"error": "error code: 1015"}
"""What stands before the venue says this to who asks too often for prices (AlphaPo docs, "Exchange")."""

_EXCHANGE_FIELDS = {
    "currency": "sender_currency",
    "convert_to": "receiver_currency",
    "amount": "sender_amount",
}
_FIELDS = {
    wire.CALCULATE.path: _EXCHANGE_FIELDS,
    wire.EXCHANGE_FIXED.path: _EXCHANGE_FIELDS,
    wire.EXCHANGE_NOW.path: _EXCHANGE_FIELDS,
}
"""What a route calls the fields that an error table names in withdrawal/crypto's words."""


class Alphapo:
    """The AlphaPo dialect; see venues.venue.Venue for the contract.

    reference_required: whether a withdrawal must name its end_user_reference, as the venue's older docs say.
    """

    name = auth.VENUE
    routes = wire.ROUTES

    def __init__(self, world: World, *, reference_required: bool = False) -> None:
        codes = CurrencyCodes(world.catalogue)
        withdrawals = WithdrawalReader(world, codes, reference_required=reference_required)
        exchanges = Exchanges(world.rates, codes)
        looks = LookUps(world.rates, codes)
        self._read: dict[str, Callable[[Request, KeyView], Ask | Reply]] = {
            wire.WITHDRAWAL.path: withdrawals.read,
            wire.TRANSACTION.path: looks.transaction,
            wire.ACCOUNTS.path: looks.accounts,
            wire.CURRENCIES.path: looks.currencies,
            wire.PAIRS.path: looks.pairs,
            wire.RATES.path: looks.pairs,
            wire.TAKE_ADDRESS.path: looks.take_address,
            wire.CALCULATE.path: exchanges.calculate,
            wire.EXCHANGE_FIXED.path: exchanges.fixed,
            wire.EXCHANGE_NOW.path: exchanges.now,
        }
        assert {wire.PING.path, *self._read} == {route.path for route in self.routes}

    def authenticate(self, request: Request, route: Route, look_up: LookUpKey) -> KeyView | Reply | None:
        found = auth.authenticate(request, route, look_up)
        return replies.error(found) if isinstance(found, WireError) else found

    def claimed_key(self, request: Request) -> str | None:
        key = auth.read_claims(request).key
        return key.decode("latin-1") if key else None

    def read(self, request: Request, route: Route, key: KeyView | None) -> Ask | Reply:
        if key is None:
            return PONG
        try:
            check_media(request)
            return self._read[route.path](request, key)
        except Rejected as rejected:
            return replies.error(rejected.error)
        except Invalid as invalid:
            return replies.invalid(invalid.fields)

    def limit_headers(self, usage: Usage, _now_ms: UnixMs) -> Headers:
        """The venue tells nothing of its limits; one who hit ours learns when to come again."""
        if not usage.refused:
            return ()
        return ((b"retry-after", b"%d" % max(-(-usage.resets_in_ms // 1_000), 1)),)

    def refuse(self, refused: Refused, route: Route) -> Reply:
        told = errors.REFUSALS[refused.code]
        if not isinstance(told, FieldError):
            return replies.error(told)
        field = _FIELDS.get(route.path, {}).get(told.field, told.field)
        return replies.invalid({field: said_of(told, refused, field)})

    def in_doubt(self, _route: Route) -> Reply:
        return replies.error(errors.IN_DOUBT)

    def unavailable(self, _route: Route) -> Reply:
        return replies.error(errors.UNAVAILABLE)

    def not_found(self, request: Request, look_up: LookUpKey) -> Reply:
        """The venue authenticates before it looks at the path."""
        found = self.authenticate(request, wire.UNKNOWN, look_up)
        return found if isinstance(found, Reply) else replies.error(errors.NOT_FOUND)

    def wrong_method(self, _request: Request) -> Reply:
        return replies.error(errors.WRONG_METHOD)

    def malformed(self) -> Reply:
        return replies.error(errors.BAD_CONTENT)

    def too_large(self) -> Reply:
        return replies.error(errors.TOO_LARGE)

    def rate_limited(self, route: Route, _usage: Usage, *, abusive: bool) -> Reply:
        del abusive  # There is one word for both.
        if route.path == wire.CALCULATE.path:
            return replies.invalid(PROXY_LIMIT, errors.TOO_MANY.status)
        return replies.error(errors.TOO_MANY)
