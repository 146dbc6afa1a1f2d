"""The endpoints that only look: each reads its query into a core query and writes the answer."""

from __future__ import annotations

from functools import partial

import msgspec

from penstock.core.catalogue import Catalogue
from penstock.core.queries import HISTORY_LIMIT_MAX, Account, Balances, FindWithdrawals
from penstock.core.time import UnixMs
from penstock.core.views import AccountView, BalanceView, KeyView, WithdrawalView
from penstock.venues.edgex import errors, replies
from penstock.venues.edgex.auth import VENUE
from penstock.venues.edgex.coins import ServedCoin, ServedCoins
from penstock.venues.edgex.cursors import Cursors
from penstock.venues.edgex.errors import Rejected
from penstock.venues.edgex.messages import LIST_MAX, LONG_MAX, Parameters, is_client_id, read_long
from penstock.venues.edgex.metadata import metadata
from penstock.venues.edgex.records import STATUSES, RecordWriter, states_of, status_of
from penstock.venues.venue import Ask, Reply, Request


class Filters(msgspec.Struct, frozen=True):
    """What a page is asked for with; () and None where nothing is asked."""

    coins: tuple[str, ...]
    statuses: frozenset[str]
    from_ms: int | None
    before_ms: int | None

    def matches(self, view: WithdrawalView, coin_id: str) -> bool:
        """The last word on what the states and assets of a query can only say approximately."""
        return (not self.statuses or status_of(view) in self.statuses) and (
            not self.coins or coin_id in self.coins
        )

    def text(self) -> str:
        """One text for one set of filters."""
        times = f"{self.from_ms or 0}/{self.before_ms or 0}"
        return f"{','.join(sorted(self.coins))}/{','.join(sorted(self.statuses))}/{times}"


class LookUps:
    """Endpoints by method. Public ones take the request, the others its parameters and a verified key as well."""

    def __init__(
        self, catalogue: Catalogue, coins: ServedCoins, envelopes: replies.Envelopes, cursor_key: bytes
    ) -> None:
        self._coins = coins
        self._envelopes = envelopes
        self._cursors = Cursors(cursor_key)
        self._records = RecordWriter(catalogue, coins)
        self._metadata = msgspec.Raw(msgspec.json.encode(metadata(catalogue, coins)))

    # --- public --------------------------------------------------------------------------------------------

    def server_time(self, request: Request) -> Reply:
        return self._envelopes.ok(replies.ServerTime(str(request.now_ms)), request.now_ms)

    def metadata(self, request: Request) -> Reply:
        return self._envelopes.ok(self._metadata, request.now_ms)

    # --- withdrawals ---------------------------------------------------------------------------------------

    def by_id(self, request: Request, parameters: Parameters, key: KeyView) -> Ask:
        """In the order asked; ids that are unknown or another account's are missing."""
        parameters.required_list("withdrawIdList")
        ids = parameters.longs("withdrawIdList")
        return Ask(_find(key, ids=ids), partial(self._write_by_id, request.now_ms, key, ids))

    def _write_by_id(
        self, requested_ms: int, key: KeyView, ids: tuple[int, ...], views: list[WithdrawalView]
    ) -> Reply:
        found = {int(view.withdrawal_id): view for view in views}
        rows = [self._records.withdraw(found[one], key) for one in ids if one in found]
        return self._envelopes.ok(rows, requested_ms)

    def by_client_id(self, request: Request, parameters: Parameters, key: KeyView) -> Ask:
        """As `by_id`; a text that can be nobody's client id is as good as unknown."""
        asked = parameters.required_list("clientWithdrawIdList")
        ids = tuple(one for one in asked if is_client_id(one))
        return Ask(_find(key, request_ids=ids), partial(self._write_by_client_id, request.now_ms, key, ids))

    def _write_by_client_id(
        self, requested_ms: int, key: KeyView, ids: tuple[str, ...], views: list[WithdrawalView]
    ) -> Reply:
        found = {view.request_id: view for view in views}
        rows = [self._records.withdraw(found[one], key) for one in ids if one in found]
        return self._envelopes.ok(rows, requested_ms)

    def page(self, request: Request, parameters: Parameters, key: KeyView) -> Ask | Reply:
        """Newest first. A page may hold fewer than `size` and still not be the last one: only its token says so."""
        size = parameters.page_size()
        filters = _filters(parameters)
        listed = f"{key.account_id}/{key.key_id}/{filters.text()}"
        token = parameters.optional("offsetData")
        before = self._cursors.read(token, listed) if token else None
        if token and before is None:
            raise Rejected(errors.param_invalid("offsetData"), token)
        states = states_of(filters.statuses) if filters.statuses else None
        assets = self._assets(filters.coins) if filters.coins else None
        if states == () or assets == ():
            return self._envelopes.ok(replies.WithdrawPage([], ""), request.now_ms)
        query = msgspec.structs.replace(
            _find(key, size + 1),
            assets=assets,
            states=states,
            from_ms=None if filters.from_ms is None else UnixMs(filters.from_ms),
            before_ms=None if filters.before_ms is None else UnixMs(filters.before_ms),
            before=before,
        )
        return Ask(query, partial(self._write_page, request.now_ms, key, size, filters, listed))

    def _write_page(
        self,
        requested_ms: int,
        key: KeyView,
        size: int,
        filters: Filters,
        listed: str,
        views: list[WithdrawalView],
    ) -> Reply:
        token = self._cursors.write(views[size - 1].withdrawal_id, listed) if len(views) > size else ""
        rows = [
            record
            for view in views[:size]
            for record in (self._records.withdraw(view, key),)
            if filters.matches(view, record.coin_id)
        ]
        return self._envelopes.ok(replies.WithdrawPage(rows, token), requested_ms)

    def _assets(self, coin_ids: tuple[str, ...]) -> tuple[str, ...]:
        """The assets behind some coins; unknown ones add nothing."""
        found = (self._coins.find(coin_id) for coin_id in coin_ids)
        return tuple(dict.fromkeys(coin.coin.asset for coin in found if coin is not None))

    def normal_by_id(self, request: Request, parameters: Parameters, key: KeyView) -> Ask:
        """Without ids all of them, newest first, at most HISTORY_LIMIT_MAX: so the official SDK asks."""
        ids = parameters.longs("normalWithdrawIdList")
        query = _find(key, ids=ids) if ids else _find(key, HISTORY_LIMIT_MAX)
        return Ask(query, partial(self._write_normal, request.now_ms, key, ids))

    def _write_normal(
        self, requested_ms: int, key: KeyView, ids: tuple[int, ...], views: list[WithdrawalView]
    ) -> Reply:
        found = {int(view.withdrawal_id): view for view in views}
        shown = [found[one] for one in ids if one in found] if ids else views
        return self._envelopes.ok([self._records.normal_withdraw(view, key) for view in shown], requested_ms)

    # --- account -------------------------------------------------------------------------------------------

    def available(self, request: Request, parameters: Parameters, key: KeyView) -> Ask:
        coin = self._coins.resolve(parameters.required("coinId"))
        return Ask(Balances(key.account_id), partial(self._write_available, request.now_ms, coin))

    def _write_available(self, requested_ms: int, coin: ServedCoin, rows: list[BalanceView]) -> Reply:
        return self._envelopes.ok(replies.available_amount(coin, rows), requested_ms)

    def account(self, request: Request, _parameters: Parameters, key: KeyView) -> Ask:
        return Ask(Account(key.account_id), partial(self._write_account, request.now_ms, key))

    def _write_account(self, requested_ms: int, key: KeyView, view: AccountView) -> Reply:
        return self._envelopes.ok(replies.account(view, key), requested_ms)

    def account_asset(self, request: Request, _parameters: Parameters, key: KeyView) -> Ask:
        return Ask(Account(key.account_id), partial(self._ask_balances, request.now_ms, key))

    def _ask_balances(self, requested_ms: int, key: KeyView, view: AccountView) -> Ask:
        owner = replies.account(view, key)
        return Ask(Balances(key.account_id), partial(self._write_account_asset, requested_ms, owner))

    def _write_account_asset(
        self, requested_ms: int, owner: replies.Account, rows: list[BalanceView]
    ) -> Reply:
        return self._envelopes.ok(replies.account_asset(self._coins.all(), owner, rows), requested_ms)


def _find(
    key: KeyView,
    limit: int = LIST_MAX,
    *,
    ids: tuple[int, ...] | None = None,
    request_ids: tuple[str, ...] | None = None,
) -> FindWithdrawals:
    return FindWithdrawals(
        key.account_id, limit, venue=VENUE, ids=ids, request_ids=request_ids, with_moves=True
    )


def _filters(parameters: Parameters) -> Filters:
    """Raises Rejected."""
    coins = parameters.listed("filterCoinIdList")
    for coin in coins:
        number = read_long(coin)
        if number is None or number > LONG_MAX:
            raise Rejected(errors.param_invalid("filterCoinIdList"), coin)
    statuses = parameters.listed("filterStatusList")
    for status in statuses:
        if status not in STATUSES:
            raise Rejected(errors.param_invalid("filterStatusList"), status)
    from_ms = parameters.time("filterStartCreatedTimeInclusive")
    before_ms = parameters.time("filterEndCreatedTimeExclusive")
    if from_ms is not None and before_ms is not None and before_ms < from_ms:
        raise Rejected(errors.param_invalid("filterEndCreatedTimeExclusive"), str(before_ms))
    return Filters(coins, frozenset(statuses), from_ms, before_ms)
