"""BitMart's withdrawal calls as steps, and its entry for `connect`. The wire itself is
`penstock.venues.bitmart.client_requests` and `client_replies`.

BitMart has no client id: two equal requests are two withdrawals, and after a lost answer only its history
can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from penstock.client.asking import ARRIVAL_MARGIN_MS, Read, ask, repeat_once, seconds_in, submit_once
from penstock.client.bitmart_values import (
    NAME,
    each,
    matches,
    network_code,
    to_balance,
    to_book_address,
    to_currency,
    to_deposit_address,
    to_fee,
    to_withdrawal,
)
from penstock.client.errors import NotOffered, OutcomeUnknown
from penstock.client.options import Credential, Option, VenueEntry, secret_of, text_of
from penstock.client.steps import SignedRequest, Steps
from penstock.client.values import (
    Balance,
    BookAddress,
    Currency,
    DepositAddress,
    Fee,
    Payment,
    Prepared,
    Resolution,
    Submitted,
    Withdrawal,
)
from penstock.core.time import Clock
from penstock.venues.bitmart import client_replies as replies
from penstock.venues.bitmart import client_requests as requests
from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest

T = TypeVar("T")
Wire = TypeVar("Wire")

BASE_URL = "https://api-cloud.bitmart.com"

WINDOW_MS = 60_000
"""BitMart error table, 30007: a timestamp counts within a minute, either way."""
HISTORY_RECORDS_MAX = 1000

# "Exception" and "Internal Server Error" (BitMart error table) do not say how far the request got.
_CODES_IN_DOUBT = frozenset({60050, 60051, 60052})
# The window's length (spot docs, "Rate Limit").
_RATE_LIMIT_PAUSE_MS = seconds_in("x-bm-ratelimit-reset")


class BitmartVenue:
    """One API key at BitMart, or at a Penstock that answers as BitMart.

    at_the_venue: whether the base URL is BitMart's own, where a repeat of the same bytes may be a second
    withdrawal.
    """

    name = NAME
    default_address = ""

    def __init__(self, credentials: requests.Credentials, clock: Clock, *, at_the_venue: bool) -> None:
        self._credentials = credentials
        self._clock = clock
        self._at_the_venue = at_the_venue
        self._listed: tuple[Currency, ...] | None = None

    @property
    def extra_calls(self) -> Mapping[str, Callable[..., Steps[object]]]:
        return {}

    # ---- withdrawing ---------------------------------------------------------------------------------------

    def currency_name(self, currency: str, network: str | None) -> Steps[str]:
        """Looks the name up in the venue's list, which is read once. Raises ValueError when it has no such
        pair.
        """
        if network is None:
            return currency
        if self._listed is None:
            self._listed = yield from self.currencies()
        found = [
            listed.currency
            for listed in self._listed
            if currency in {listed.coin, listed.currency}
            and network_code(listed.network) == network_code(network)
        ]
        if len(found) != 1:
            has = ", ".join(listed.network for listed in self._listed if listed.coin == currency) or "none"
            raise ValueError(f"{NAME} lists no single {currency} on {network}; it has {currency} on: {has}")
        return found[0]

    def prepare(self, payment: Payment) -> Steps[Prepared]:
        yield from ()
        _refuse_unknown(payment)
        now_ms = self._clock.now_ms()
        if payment.recipient:
            request = requests.withdraw_to_account(
                self._credentials,
                now_ms,
                currency=payment.currency,
                amount=payment.amount,
                kind=payment.recipient_kind,
                value=payment.recipient,
                area_code=payment.area_code,
                source=payment.wallet or None,
            )
        else:
            request = requests.withdraw_to_address(
                self._credentials,
                now_ms,
                currency=payment.currency,
                amount=payment.amount,
                address=payment.address,
                memo=payment.memo,
                remark=payment.remark,
                source=payment.wallet or None,
            )
        return Prepared(payment, SignedRequest.of(request), now_ms, now_ms + WINDOW_MS)

    def submit(self, prepared: Prepared) -> Steps[Submitted]:
        return submit_once(NAME, prepared, replies.read_withdraw_id, _is_in_doubt)

    def repeat_identical(self, unknown: OutcomeUnknown) -> Steps[Submitted]:
        if self._at_the_venue:
            raise ValueError("BitMart itself promises nothing about repeats: use resolve(...)")
        prepared = unknown.prepared
        return repeat_once(
            NAME, prepared, self.submit, now_ms=self._clock.now_ms(), ends_ms=prepared.window_ends_ms
        )

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]:
        # The venue's clock is read before its history, so that nothing can arrive between "too late" and
        # the look.
        venue_now_ms = yield from self._read(requests.server_time(), replies.read_server_time, int)
        coin = unknown.payment.currency.partition("-")[0]
        latest_ms = unknown.window_ends_ms + ARRIVAL_MARGIN_MS
        request = requests.history(
            self._credentials,
            requests.Operation.WITHDRAW,
            limit=HISTORY_RECORDS_MAX,
            currency=coin,
            from_ms=unknown.sent_at_ms - WINDOW_MS,
            to_ms=latest_ms + WINDOW_MS,
        )
        records = yield from self._read(request, replies.read_history, each(to_withdrawal))
        candidates = tuple(record for record in records if matches(record, unknown.payment))
        return Resolution(candidates, venue_now_ms > latest_ms and len(records) < HISTORY_RECORDS_MAX)

    # ---- reading -------------------------------------------------------------------------------------------

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]:
        return self._read(
            requests.detail(self._credentials, withdrawal_id), replies.read_detail, to_withdrawal
        )

    def withdrawals(
        self, currency: str | None, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[Withdrawal, ...]]:
        request = requests.history(
            self._credentials,
            requests.Operation.WITHDRAW,
            limit=limit,
            currency=currency,
            from_ms=from_ms,
            to_ms=to_ms,
        )
        return self._read(request, replies.read_history, each(to_withdrawal))

    def balances(self) -> Steps[tuple[Balance, ...]]:
        account = requests.account_wallet(self._credentials)
        spot = requests.spot_wallet(self._credentials)
        return (
            *(yield from self._read(account, replies.read_account_wallet, each(partial(to_balance, "fund")))),
            *(yield from self._read(spot, replies.read_spot_wallet, each(partial(to_balance, "spot")))),
        )

    def fee(self, currency: str) -> Steps[Fee]:
        return self._read(
            requests.charge(self._credentials, currency), replies.read_charge, partial(to_fee, currency)
        )

    def currencies(self) -> Steps[tuple[Currency, ...]]:
        return self._read(requests.currencies(), replies.read_currencies, each(to_currency))

    def addresses(self) -> Steps[tuple[BookAddress, ...]]:
        return self._read(
            requests.address_list(self._credentials), replies.read_address_list, each(to_book_address)
        )

    def deposit_address(self, currency: str) -> Steps[DepositAddress]:
        request = requests.deposit_address(self._credentials, currency)
        return self._read(request, replies.read_deposit_address, to_deposit_address)

    def _read(self, request: OutgoingRequest, read: Read[Wire], convert: Callable[[Wire], T]) -> Steps[T]:
        return ask(NAME, lambda: request, read, convert, _RATE_LIMIT_PAUSE_MS)


def _refuse_unknown(payment: Payment) -> None:
    """Raises NotOffered for what BitMart has no field for: left out, the payment would be another one."""
    if payment.request_id:
        raise NotOffered(NAME, "request id of the caller's own")
    if payment.debit_currency:
        raise NotOffered(NAME, "payment from another currency")
    if payment.recipient and payment.remark:
        raise NotOffered(NAME, "remark on a transfer to another account")


def _is_in_doubt(error: VenueError) -> bool:
    return error.code in _CODES_IN_DOUBT


def _make(credentials: Mapping[str, Credential], base_url: str, clock: Clock) -> BitmartVenue:
    key = requests.Credentials(
        text_of(credentials, "api_key"),
        secret_of(credentials, "api_secret"),
        secret_of(credentials, "memo").reveal().decode(errors="replace"),
    )
    return BitmartVenue(key, clock, at_the_venue=ENTRY.answers_at(base_url))


_CHECK_KEY = "check the key, its secret and its memo"

ENTRY = VenueEntry(
    name=NAME,
    base_url=BASE_URL,
    hosts=(".bitmart.com",),
    options=(
        Option("api_key", "the key's public part"),
        Option("api_secret", "the key's secret", secret=True),
        Option("memo", "the key's memo, which its signature covers too", secret=True, required=False),
    ),
    make=_make,
    # BitMart error table: the ones with an obvious next step.
    advice={
        "30002": _CHECK_KEY,
        "30005": _CHECK_KEY,
        "30007": "set this machine's clock",
        "30010": "add this machine's address to the key's allow-list",
        "30012": "use a key that may withdraw",
        "30013": "wait some seconds, then try again",
        "60002": "`penstock addresses` shows the names of currencies; or give --network",
        "60007": "add the address to the account's address book; `penstock addresses` shows it",
        "60008": "`penstock balance` shows what there is",
        "60014": "give the memo that stands in the address book; `penstock addresses` shows it",
        "60015": "verify the address in the account's address book first",
    },
)
