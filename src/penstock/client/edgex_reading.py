"""edgeX's calls that only look, as steps. Withdrawing is in `edgex.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import TypeVar

from penstock.client.asking import Read, as_it_is, ask, seconds_in
from penstock.client.edgex_values import (
    NAME,
    check_network,
    coin_named,
    to_balances,
    to_currency,
    to_fee,
    to_withdrawal,
)
from penstock.client.errors import NotOffered, VenueRefused
from penstock.client.steps import Steps
from penstock.client.values import Balance, BookAddress, Currency, DepositAddress, Fee, Status, Withdrawal
from penstock.core.time import Clock
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.edgex import client_replies as replies
from penstock.venues.edgex import client_requests as requests

T = TypeVar("T")
Wire = TypeVar("Wire")

PAGE_SIZE = 100
# A Penstock's; the venue documents no such header.
_RATE_LIMIT_PAUSE_MS = seconds_in("retry-after")

Ids = str | Sequence[str]


class EdgexReader:
    """What can be seen with one account's key. at_the_venue: whether the base URL is edgeX's own."""

    def __init__(self, credentials: requests.Credentials, clock: Clock, *, at_the_venue: bool) -> None:
        self._credentials = credentials
        self._clock = clock
        self._at_the_venue = at_the_venue
        self._coins: tuple[replies.CoinFacts, ...] | None = None

    @property
    def extra_calls(self) -> Mapping[str, Callable[..., Steps[object]]]:
        return {
            "getWithdrawById": self.withdraws_by_id,
            "getWithdrawByClientWithdrawId": self.withdraws_by_client_id,
            "getActiveWithdraw": self.active_withdraws,
            "getWithdrawAvailableAmount": self.withdraw_available,
            "getTransferOutAvailableAmount": self.transfer_available,
            "getNormalWithdrawById": self.normal_withdraws,
            "getAccountAsset": self.account_asset,
            "getAccountById": self.account_by_id,
            "getMetaData": self.meta_data,
            "getServerTime": self.server_time,
        }

    # ---- what every venue has ------------------------------------------------------------------------------

    def currency_name(self, currency: str, network: str | None) -> Steps[str]:
        """Coins go by name or id; without a network nothing is looked up. Raises ValueError for what is not paid."""
        if network is None:
            return currency
        coin = coin_named(currency, (yield from self.coins()))
        check_network(network, coin)
        return coin.name

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]:
        coins = yield from self.coins()
        records = yield from self._read(
            lambda now_ms: requests.withdraw_by_id(self._credentials, now_ms, [withdrawal_id]),
            replies.read_records,
            lambda rows: [to_withdrawal(row, coins) for row in rows if row.id == withdrawal_id],
        )
        if not records:
            raise VenueRefused(NAME, "", f"no withdrawal {withdrawal_id[:64]}", HTTPStatus.OK)
        found = records[0]
        if found.status is not Status.DONE or self._at_the_venue:
            return found
        return replace(found, tx_id=(yield from self._transaction(withdrawal_id)))

    def _transaction(self, withdrawal_id: str) -> Steps[str]:
        """The hash of what paid it. A Penstock tells it under the same id, in the asset service's record; the venue's
        services have an id each.
        """
        return self._read(
            lambda now_ms: requests.normal_withdraw_by_id(self._credentials, now_ms, [withdrawal_id]),
            replies.read_normal_records,
            lambda rows: next((row.tx_hash for row in rows if row.id == withdrawal_id), ""),
        )

    def withdrawals(
        self, currency: str | None, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[Withdrawal, ...]]:
        """The newest `limit`, page by page. Both times are included."""
        coins = yield from self.coins()
        asked = () if currency is None else (coin_named(currency, coins).coin_id,)
        found: list[Withdrawal] = []
        offset = ""
        while True:
            token, size = offset, min(PAGE_SIZE, limit - len(found))
            page = yield from self.page(token, size, coin_ids=asked, from_ms=from_ms, to_ms=to_ms)
            found += [to_withdrawal(row, coins) for row in page.data_list]
            offset = page.next_page_offset_data
            if not offset or offset == token or len(found) >= limit:
                return tuple(found[:limit])

    def page(
        self,
        offset: str,
        size: int = PAGE_SIZE,
        *,
        coin_ids: Sequence[str] = (),
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> Steps[replies.Page]:
        """One page of all withdrawals, newest first."""
        return self._read(
            lambda now_ms: requests.active_withdraw(
                self._credentials,
                now_ms,
                size=size,
                offset=offset,
                coin_ids=coin_ids,
                from_ms=from_ms,
                before_ms=None if to_ms is None else to_ms + 1,
            ),
            replies.read_page,
            as_it_is,
        )

    def by_client_id(self, client_id: str) -> Steps[Withdrawal | None]:
        """The withdrawal that was made under the caller's own id, if any."""
        coins = yield from self.coins()
        records = yield from self._read(
            lambda now_ms: requests.withdraw_by_client_id(self._credentials, now_ms, [client_id]),
            replies.read_records,
            lambda rows: [to_withdrawal(row, coins) for row in rows if row.client_withdraw_id == client_id],
        )
        return records[0] if records else None

    def balances(self) -> Steps[tuple[Balance, ...]]:
        coins = yield from self.coins()
        return (
            yield from self._read(
                lambda now_ms: requests.account_asset(self._credentials, now_ms),
                replies.read_collateral,
                lambda rows: to_balances(rows, coins),
            )
        )

    def fee(self, currency: str) -> Steps[Fee]:
        return to_fee(coin_named(currency, (yield from self.coins())))

    def currencies(self) -> Steps[tuple[Currency, ...]]:
        return tuple(to_currency(coin) for coin in (yield from self.coins()))

    def addresses(self) -> Steps[tuple[BookAddress, ...]]:
        raise NotOffered(NAME, "address book")

    def deposit_address(self, currency: str) -> Steps[DepositAddress]:
        del currency  # for none of them
        raise NotOffered(NAME, "deposit address")

    def coins(self) -> Steps[tuple[replies.CoinFacts, ...]]:
        """What can be withdrawn; read once, since layer 2's asset ids never change."""
        if self._coins is None:
            self._coins = yield from self._read(lambda _: requests.meta_data(), replies.read_coins, as_it_is)
        return self._coins

    def venue_time(self) -> Steps[int]:
        """The venue's clock, Unix milliseconds."""
        return self._read(lambda _: requests.server_time(), replies.read_server_time, as_it_is)

    # ---- what this venue alone has, its answers as they came -------------------------------------------------

    def withdraws_by_id(self, *, withdraw_ids: Ids) -> Steps[object]:
        """The venue's records of some withdrawals.

        withdraw_ids: a list, or text with commas.
        """
        ids = _ids(withdraw_ids)
        return self._pass(lambda now_ms: requests.withdraw_by_id(self._credentials, now_ms, ids))

    def withdraws_by_client_id(self, *, client_withdraw_ids: Ids) -> Steps[object]:
        """The venue's records of some withdrawals, by the caller's own ids.

        client_withdraw_ids: a list, or text with commas.
        """
        ids = _ids(client_withdraw_ids)
        return self._pass(lambda now_ms: requests.withdraw_by_client_id(self._credentials, now_ms, ids))

    def active_withdraws(
        self,
        *,
        size: int = PAGE_SIZE,
        offset_data: str = "",
        coin_ids: Ids = (),
        statuses: Ids = (),
        from_ms: int | None = None,
        before_ms: int | None = None,
    ) -> Steps[object]:
        """One page of the venue's records, newest first; nextPageOffsetData is the offset_data of the next.

        size: 1 to 100. statuses: such as SUCCESS_L2_APPROVED. from_ms is included, before_ms is not.
        """
        coins, names = _ids(coin_ids), _ids(statuses)
        return self._pass(
            lambda now_ms: requests.active_withdraw(
                self._credentials,
                now_ms,
                size=size,
                offset=offset_data,
                coin_ids=coins,
                statuses=names,
                from_ms=from_ms,
                before_ms=before_ms,
            )
        )

    def withdraw_available(self, *, coin_id: str = "1000") -> Steps[object]:
        """How much of a coin can be withdrawn."""
        return self._pass(lambda now_ms: requests.withdraw_available(self._credentials, now_ms, coin_id))

    def transfer_available(self, *, coin_id: str = "1000") -> Steps[object]:
        """How much of a coin can be transferred out."""
        return self._pass(lambda now_ms: requests.transfer_available(self._credentials, now_ms, coin_id))

    def normal_withdraws(self, *, normal_withdraw_ids: Ids = ()) -> Steps[object]:
        """Withdrawals as the asset service sees them, with their transaction on the chain once it is final.

        normal_withdraw_ids: a list, or text with commas; none for all.
        """
        ids = _ids(normal_withdraw_ids)
        return self._pass(lambda now_ms: requests.normal_withdraw_by_id(self._credentials, now_ms, ids))

    def account_asset(self) -> Steps[object]:
        """The account, and what it has of each coin."""
        return self._pass(lambda now_ms: requests.account_asset(self._credentials, now_ms))

    def account_by_id(self) -> Steps[object]:
        """The account."""
        return self._pass(lambda now_ms: requests.account_by_id(self._credentials, now_ms))

    def meta_data(self) -> Steps[object]:
        """Coins, chains and the ids that layer 2 knows them by."""
        return self._pass(lambda _: requests.meta_data())

    def server_time(self) -> Steps[object]:
        """The venue's clock."""
        return self._pass(lambda _: requests.server_time())

    def _pass(self, make: Callable[[int], OutgoingRequest]) -> Steps[object]:
        return self._read(make, replies.read_anything, as_it_is)

    def _read(
        self, make: Callable[[int], OutgoingRequest], read: Read[Wire], convert: Callable[[Wire], T]
    ) -> Steps[T]:
        """make: from the time, with which each try is signed anew."""
        return ask(NAME, lambda: make(self._clock.now_ms()), read, convert, _RATE_LIMIT_PAUSE_MS)


def _ids(given: Ids) -> tuple[str, ...]:
    return tuple(given.split(",")) if isinstance(given, str) and given else tuple(given)
