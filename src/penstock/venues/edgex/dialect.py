"""edgeX as a venue: the one object that the gate holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from penstock.core.queries import FindWithdrawals
from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView, WithdrawalView
from penstock.venues.edgex import auth, errors
from penstock.venues.edgex import routes as wire
from penstock.venues.edgex.coins import COINS, Coin, ServedCoins
from penstock.venues.edgex.create import CreateReader, Creation
from penstock.venues.edgex.errors import Rejected
from penstock.venues.edgex.lookups import LookUps
from penstock.venues.edgex.messages import (
    Parameters,
    read_create_normal_withdraw,
    read_create_withdraw,
    read_members,
    read_pairs,
)
from penstock.venues.edgex.replies import Envelopes, WithdrawId
from penstock.venues.edgex.signed_text import wire_path
from penstock.venues.venue import Ask, Headers, LookUpKey, Reply, Request, Route, Usage, World

_MS_PER_S = 1_000


class Edgex:
    """The edgeX dialect; see venues.venue.Venue for the contract.

    A key's id is the account's id at edgeX, decimal text below 2^63; its secret the account's public key on layer 2
    (stark.read_public_key); its passphrase the account's own Ethereum address.
    cursor_key: a secret that all processes serving one public share: pages go on with what it authenticates.
    coins: what can be withdrawn; those that the catalogue does not list are left out.
    """

    name = auth.VENUE
    routes = wire.ROUTES

    def __init__(
        self,
        world: World,
        *,
        cursor_key: bytes,
        coins: tuple[Coin, ...] = COINS,
        window_ms: int = auth.WINDOW_MS,
    ) -> None:
        self._window_ms = window_ms
        served = ServedCoins(world.catalogue, coins)
        self._envelopes = Envelopes(world.new_trace, world.now_ms)
        self._create = CreateReader(world.catalogue, served, world.check_address)
        looks = LookUps(world.catalogue, served, self._envelopes, cursor_key)
        self._forms = {
            wire.CREATE_WITHDRAW.path: read_create_withdraw,
            wire.CREATE_NORMAL_WITHDRAW.path: read_create_normal_withdraw,
        }
        self._public: dict[str, Callable[[Request], Reply]] = {
            wire.SERVER_TIME.path: looks.server_time,
            wire.META_DATA.path: looks.metadata,
        }
        self._private: dict[str, Callable[[Request, Parameters, KeyView], Ask | Reply]] = {
            wire.WITHDRAW_BY_ID.path: looks.by_id,
            wire.WITHDRAW_BY_CLIENT_ID.path: looks.by_client_id,
            wire.ACTIVE_WITHDRAW.path: looks.page,
            wire.WITHDRAW_AVAILABLE.path: looks.available,
            wire.TRANSFER_AVAILABLE.path: looks.available,
            wire.ACCOUNT_ASSET.path: looks.account_asset,
            wire.ACCOUNT_BY_ID.path: looks.account,
            wire.NORMAL_WITHDRAW_BY_ID.path: looks.normal_by_id,
        }
        assert {*self._forms, *self._public, *self._private} == {route.path for route in wire.CALLS}

    def authenticate(self, request: Request, route: Route, look_up: LookUpKey) -> KeyView | Reply | None:
        try:
            return auth.authenticate(request, route, look_up, self._window_ms)
        except Rejected as rejected:
            return self._rejected(rejected, request.now_ms)

    def claimed_key(self, request: Request) -> str | None:
        return auth.claimed_account(request)

    def read(self, request: Request, route: Route, key: KeyView | None) -> Ask | Reply:
        path = wire_path(route.path)
        try:
            if key is None:
                return self._public[path](request)
            if path in self._forms:
                return self._read_creation(request, path, key)
            return self._private[path](request, Parameters(read_pairs(request.query)), key)
        except Rejected as rejected:
            return self._rejected(rejected, request.now_ms)

    def _read_creation(self, request: Request, path: str, key: KeyView) -> Ask:
        form = self._forms[path](read_members(request.body))
        creation = self._create.read(form, key, request.now_ms)
        if creation.expired is None:
            return self._ask_engine(creation, request.now_ms)
        known = FindWithdrawals(key.account_id, 1, venue=self.name, request_ids=(form.client_id,))
        return Ask(known, partial(self._repeat_only, creation, creation.expired, request.now_ms))

    def _ask_engine(self, creation: Creation, requested_ms: int) -> Ask:
        return Ask(creation.command, partial(self._write_accepted, requested_ms))

    def _repeat_only(
        self, creation: Creation, expired: Rejected, requested_ms: int, known: list[WithdrawalView]
    ) -> Ask | Reply:
        """What is known under this id is answered, or refused for what differs; nothing new can come of it."""
        return self._ask_engine(creation, requested_ms) if known else self._rejected(expired, requested_ms)

    def _write_accepted(self, requested_ms: int, answer: Accepted) -> Reply:
        return self._envelopes.ok(WithdrawId(str(answer.withdrawal_id)), requested_ms)

    def _rejected(self, rejected: Rejected, requested_ms: int) -> Reply:
        return self._envelopes.error(rejected.error, rejected.value, requested_ms)

    def limit_headers(self, _usage: Usage, _now_ms: UnixMs) -> Headers:
        """The venue documents none."""
        return ()

    def refuse(self, refused: Refused, _route: Route) -> Reply:
        return self._envelopes.error(*errors.wire_error(refused))

    def in_doubt(self, _route: Route) -> Reply:
        return self._envelopes.error(errors.IN_DOUBT)

    def unavailable(self, _route: Route) -> Reply:
        return self._envelopes.error(errors.UNAVAILABLE)

    def not_found(self, request: Request, _look_up: LookUpKey) -> Reply:
        return self._envelopes.error(errors.NOT_FOUND, requested_ms=request.now_ms)

    def wrong_method(self, request: Request) -> Reply:
        return self._envelopes.error(errors.WRONG_METHOD, requested_ms=request.now_ms)

    def malformed(self) -> Reply:
        return self._envelopes.error(errors.NOT_READABLE)

    def too_large(self) -> Reply:
        return self._envelopes.error(errors.TOO_LARGE)

    def rate_limited(self, _route: Route, usage: Usage, *, abusive: bool) -> Reply:  # noqa: ARG002 - one answer
        seconds = max(-(-usage.resets_in_ms // _MS_PER_S), 1)
        return self._envelopes.error(errors.TOO_MANY, headers=((b"retry-after", b"%d" % seconds),))
