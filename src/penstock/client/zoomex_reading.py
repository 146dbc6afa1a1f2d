"""Zoomex's calls that only look, as steps. Withdrawing is in `zoomex.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

from penstock.client.asking import Read, as_it_is, ask, check_is_number, until_time_in
from penstock.client.errors import NotOffered, VenueRefused
from penstock.client.steps import Steps
from penstock.client.values import Balance, BookAddress, Currency, DepositAddress, Fee, Withdrawal
from penstock.client.zoomex_values import (
    NAME,
    coin_and_chain,
    to_balances,
    to_currencies,
    to_deposit_address,
    to_fee,
    to_withdrawal,
)
from penstock.core.time import DAY_MS, Clock
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.zoomex import client_replies as replies
from penstock.venues.zoomex import client_requests as requests

T = TypeVar("T")
Wire = TypeVar("Wire")

TOO_MANY_VISITS = 10006

SECOND_MS = 1_000
PIECE_MS = 29 * DAY_MS
"""What is asked for at once. The venue allows 30 days; the last one is for a clock of its own."""
PIECES_MAX = 26
PAGES_MAX = 40


class ZoomexReader:
    """What can be seen with one API key."""

    def __init__(self, credentials: requests.Credentials, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock
        # Zoomex docs, "Rate Limit".
        self._rate_limit_pause_ms = until_time_in("x-bapi-limit-reset-timestamp", clock)

    @property
    def extra_calls(self) -> Mapping[str, Callable[..., Steps[object]]]:
        return {
            "wallet_balance": self.wallet_balance,
            "market_time": self.market_time,
            "query_asset_info": self.query_asset_info,
            "query_info": self.query_info,
            "deposit_query_address": self.deposit_query_address,
            "deposit_query_record": self.deposit_query_record,
        }

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]:
        check_is_number(NAME, withdrawal_id)
        page = yield from self._read(
            lambda now_ms: requests.query_record(self._credentials, now_ms, withdraw_id=withdrawal_id),
            replies.read_records,
            lambda page: [to_withdrawal(row) for row in page.rows if row.withdraw_id == withdrawal_id],
        )
        if not page:
            raise VenueRefused(NAME, "", f"no withdrawal {withdrawal_id} in the records", HTTPStatus.OK)
        return page[0]

    def withdrawals(
        self, currency: str | None, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[Withdrawal, ...]]:
        """Without times the last 30 days; a longer time is asked for in pieces, PIECES_MAX of them at the most."""
        coin, chain = coin_and_chain(currency or "")
        if from_ms is None and to_ms is None:
            newest, _ = yield from self.records(coin, chain, requests.ANY_TYPE, limit, None, None)
            return newest
        last_ms = self._clock.now_ms() if to_ms is None else to_ms
        first_ms = last_ms - PIECE_MS if from_ms is None else from_ms
        if last_ms - first_ms > PIECES_MAX * PIECE_MS:
            days = PIECES_MAX * PIECE_MS // DAY_MS
            raise ValueError(f"{NAME} tells of 30 days at a time: ask for {days} days at the most")
        found: list[Withdrawal] = []
        end_ms = to_ms
        while True:
            start_ms = max(first_ms, last_ms - PIECE_MS)
            rest = limit - len(found)
            piece, _ = yield from self.records(coin, chain, requests.ANY_TYPE, rest, start_ms, end_ms)
            found += piece
            if len(found) >= limit or start_ms <= first_ms:
                return tuple(found)
            end_ms = last_ms = start_ms - SECOND_MS

    def records(
        self, coin: str, chain: str, withdraw_type: int, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[tuple[Withdrawal, ...], bool]]:
        """The newest `limit`, page by page; and whether these are all. chain: "" for any; the venue has no such filter.

        from_ms, to_ms: rounded down to seconds, both included.
        """
        found: list[Withdrawal] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            rows, cursor = yield from self._page(coin, withdraw_type, from_ms, to_ms, cursor)
            found += [row for row in rows if chain in {"", coin_and_chain(row.currency)[1]}]
            if not cursor or not rows or len(found) >= limit:
                break
        return tuple(found[:limit]), not cursor and len(found) <= limit

    def _page(
        self, coin: str, withdraw_type: int, from_ms: int | None, to_ms: int | None, cursor: str
    ) -> Steps[tuple[list[Withdrawal], str]]:
        return self._read(
            lambda now_ms: requests.query_record(
                self._credentials,
                now_ms,
                withdraw_type=withdraw_type,
                coin=coin,
                from_s=None if from_ms is None else from_ms // SECOND_MS,
                to_s=None if to_ms is None else to_ms // SECOND_MS,
                cursor=cursor,
            ),
            replies.read_records,
            lambda page: ([to_withdrawal(row) for row in page.rows], page.cursor),
        )

    def balances(self) -> Steps[tuple[Balance, ...]]:
        fund = yield from self.query_asset_info(account_type="FUND")
        spot = yield from self.query_asset_info(account_type="SPOT")
        return (*to_balances("fund", fund), *to_balances("spot", spot))

    def fee(self, currency: str) -> Steps[Fee]:
        coins = yield from self.query_info(coin=coin_and_chain(currency)[0])
        try:
            return to_fee(currency, coins)
        except LookupError as error:
            raise ValueError(str(error)) from None

    def currencies(self) -> Steps[tuple[Currency, ...]]:
        return self._read(
            lambda now_ms: requests.query_info(self._credentials, now_ms), replies.read_coins, to_currencies
        )

    def addresses(self) -> Steps[tuple[BookAddress, ...]]:
        raise NotOffered(NAME, "address book")

    def deposit_address(self, currency: str) -> Steps[DepositAddress]:
        coin, chain = coin_and_chain(currency)
        targets = yield from self.deposit_query_address(coin=coin, chain=chain)
        if not targets:
            raise VenueRefused(NAME, "", f"no deposit address for {currency[:64]}", HTTPStatus.OK)
        first, *more = targets
        if more:
            chains = ", ".join(target.chain for target in targets)
            raise ValueError(f"name a network for {coin[:64]}; {NAME} has: {chains}")
        return to_deposit_address(first)

    # ---- under the venue's own names ---------------------------------------------------------------------------

    def wallet_balance(
        self, *, account_type: str = "UNIFIED", coin: str = ""
    ) -> Steps[tuple[replies.AccountBalance, ...]]:
        """The trading account UNIFIED or CONTRACT. coin: several with commas, "" for all that hold something."""
        return self._read(
            lambda now_ms: requests.wallet_balance(
                self._credentials, now_ms, account_type=account_type, coin=coin
            ),
            replies.read_wallet_balance,
            as_it_is,
        )

    def market_time(self) -> Steps[int]:
        """The venue's clock, in Unix milliseconds."""
        return self._read(lambda _now_ms: requests.market_time(), replies.read_market_time, as_it_is)

    def query_asset_info(self, *, account_type: str = "FUND", coin: str = "") -> Steps[replies.Wallet]:
        """The wallet FUND or SPOT, and whether the account is banned."""
        return self._read(
            lambda now_ms: requests.query_asset_info(
                self._credentials, now_ms, account_type=account_type, coin=coin
            ),
            replies.read_asset_info,
            as_it_is,
        )

    def query_info(self, *, coin: str = "") -> Steps[tuple[replies.Coin, ...]]:
        """Coins with their chains, minimums and fees. coin: "" for all of them."""
        return self._read(
            lambda now_ms: requests.query_info(self._credentials, now_ms, coin=coin),
            replies.read_coins,
            as_it_is,
        )

    def deposit_query_address(
        self, *, coin: str, chain: str = ""
    ) -> Steps[tuple[replies.DepositTarget, ...]]:
        """Where deposits go. chain: "" for every one; the venue makes addresses where there are none."""
        return self._read(
            lambda now_ms: requests.deposit_query_address(self._credentials, now_ms, coin=coin, chain=chain),
            replies.read_deposit_addresses,
            as_it_is,
        )

    def deposit_query_record(
        self,
        *,
        deposit_type: int = requests.ANY_TYPE,
        coin: str = "",
        chain: str = "",
        tx_id: str = "",
        from_s: int | None = None,
        to_s: int | None = None,
        cursor: str = "",
    ) -> Steps[replies.DepositRecords]:
        """A page of deposits, newest first. deposit_type: 0 on a chain, 1 from other accounts, 2 all. Times in s."""
        return self._read(
            lambda now_ms: requests.deposit_query_record(
                self._credentials,
                now_ms,
                deposit_type=deposit_type,
                coin=coin,
                chain=chain,
                tx_id=tx_id,
                from_s=from_s,
                to_s=to_s,
                cursor=cursor,
            ),
            replies.read_deposit_records,
            as_it_is,
        )

    def _read(
        self, make: Callable[[int], OutgoingRequest], read: Read[Wire], convert: Callable[[Wire], T]
    ) -> Steps[T]:
        """make: from the time, with which each try is signed anew."""
        return ask(
            NAME,
            lambda: make(self._clock.now_ms()),
            read,
            convert,
            self._rate_limit_pause_ms,
            rate_limit_code=TOO_MANY_VISITS,
        )
