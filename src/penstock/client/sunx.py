"""SunX's withdrawal calls as steps. The wire itself is
`penstock.venues.sunx.client_requests` and `client_replies`.

A withdrawal takes two requests and two signatures. `prepare` asks for a quote, which holds nothing, checks what it
says and lets the wallet sign it; `submit` sends that signature, and only this moves money. SunX knows no id of the
caller's: after a lost answer, its records can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from penstock.client.asking import (
    ARRIVAL_MARGIN_MS,
    Read,
    as_it_is,
    ask,
    check_is_number,
    repeat_once,
    submit_once,
    until_time_in,
)
from penstock.client.errors import NotOffered, OutcomeUnknown, VenueRefused
from penstock.client.options import Credential, Option, VenueEntry, secret_of, text_of
from penstock.client.steps import SignedRequest, Steps
from penstock.client.sunx_values import (
    NAME,
    Wallet,
    chain_of,
    check_content,
    check_payment,
    currency_of,
    matches,
    to_balances,
    to_withdrawals,
    wallet_signature,
)
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
from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.sunx import client_replies as replies
from penstock.venues.sunx import client_requests as requests
from penstock.venues.sunx.client_wallet import WalletKey

T = TypeVar("T")
Wire = TypeVar("Wire")

BASE_URL = "https://api.sunx.io"

WINDOW_MS = 300_000
"""SunX docs, "Authentication": a timestamp counts within five minutes, either way."""
RECORDS_MAX = 500
PAGES_MAX = 20

# None of these says how far the request got.
_CODES_IN_DOUBT = frozenset({"base-system-error", "gateway-internal-error", "timeout"})


class SunxVenue:
    """One API key at SunX, or at a Penstock that answers as SunX.

    wallet: signs contents; None where only reading is wanted. at_the_venue: whether the base URL is SunX's own, which
    promises nothing about repeats.
    """

    name = NAME
    default_address = ""

    def __init__(
        self, credentials: requests.Credentials, clock: Clock, wallet: Wallet | None, *, at_the_venue: bool
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._wallet = wallet
        self._at_the_venue = at_the_venue
        # HTX docs, "Rate limiting rule".
        self._rate_limit_pause_ms = until_time_in("ratelimit-reset", clock)

    @property
    def extra_calls(self) -> Mapping[str, Callable[..., Steps[object]]]:
        return {"deposits": self.deposits}

    # ---- withdrawing -------------------------------------------------------------------------------------------------

    def currency_name(self, currency: str, network: str | None) -> Steps[str]:
        yield from ()
        return chain_of(currency, network)

    def prepare(self, payment: Payment) -> Steps[Prepared]:
        """Asks for a quote, checks it, has it signed.

        Raises ValueError where the wallet is not the one to be paid, BadReply where the quote says something else than
        was asked for, and what the wallet's function raises: nothing was asked to be paid then.
        """
        check_payment(payment, self._wallet)
        assert self._wallet is not None

        def asked() -> OutgoingRequest:
            return requests.apply(
                self._credentials,
                self._clock.now_ms(),
                address=payment.address,
                currency=currency_of(payment.currency),
                chain=payment.currency,
                amount=payment.amount,
            )

        def checked(quote: replies.Quote) -> replies.Quote:
            check_content(quote.content, quote.nonce, payment)
            return quote

        quote = yield from self._read(asked, replies.read_quote, checked)
        signature = wallet_signature(self._wallet, quote.content, payment.address)
        # A wallet may take its time, so the request is signed after it.
        now_ms = self._clock.now_ms()
        request = requests.confirm(self._credentials, now_ms, nonce=quote.nonce, signature=signature)
        signed_text = f"by the wallet:\n{quote.content}\nby the API key:\n{request.signed_text}"
        window_ends_ms = min(quote.expires_ms + 1, now_ms + WINDOW_MS)
        signed = replace(SignedRequest.of(request), signed_text=signed_text)
        return Prepared(payment, signed, now_ms, window_ends_ms)

    def submit(self, prepared: Prepared) -> Steps[Submitted]:
        return submit_once(NAME, prepared, _read_order_id, _is_in_doubt)

    def repeat_identical(self, unknown: OutcomeUnknown) -> Steps[Submitted]:
        """A Penstock answers the same nonce and signature with the same order, also when the quote has run out since;
        the API signature bounds it.
        """
        if self._at_the_venue:
            raise ValueError("SunX itself promises nothing about repeats: use resolve(...)")
        prepared = unknown.prepared
        return repeat_once(
            NAME,
            prepared,
            self.submit,
            now_ms=self._clock.now_ms(),
            ends_ms=prepared.signed_at_ms + WINDOW_MS,
        )

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]:
        # The venue's clock is read before its records, so that nothing can arrive between "too late" and the look.
        venue_now_ms = yield from self._balance(lambda told: told.server_ms)
        # Clocks that differ by more than the window would not have let the request through.
        earliest_ms = unknown.sent_at_ms - 2 * WINDOW_MS
        records = yield from self._page(currency_of(unknown.payment.currency), RECORDS_MAX, None)
        whole = len(records) < RECORDS_MAX or records[-1].requested_at_ms < earliest_ms
        candidates = tuple(
            record
            for record in records
            if record.requested_at_ms >= earliest_ms and matches(record, unknown.payment)
        )
        over = venue_now_ms is not None and venue_now_ms > unknown.window_ends_ms + ARRIVAL_MARGIN_MS
        return Resolution(candidates, over and whole)

    # ---- reading -----------------------------------------------------------------------------------------------------

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]:
        check_is_number(NAME, withdrawal_id)
        number = int(withdrawal_id)

        def asked() -> OutgoingRequest:
            return requests.records(
                self._credentials,
                self._clock.now_ms(),
                requests.Operation.WITHDRAW,
                size=1,
                start=number,
                direction=requests.Direction.ASCENDING,
            )

        # The venue has no call for one record: the page that begins with it must.
        found = yield from self._read(asked, replies.read_records, to_withdrawals)
        if not found or found[0].withdrawal_id != str(number):
            raise VenueRefused(NAME, "", f"no withdrawal {withdrawal_id} in the records", HTTPStatus.OK)
        return found[0]

    def withdrawals(
        self, currency: str | None, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[Withdrawal, ...]]:
        """The venue takes no times: they are looked for in at most PAGES_MAX pages, from the newest on."""
        asked = None if currency is None else currency_of(currency)
        timed = from_ms is not None or to_ms is not None
        found: list[Withdrawal] = []
        start: int | None = None
        for _ in range(PAGES_MAX):
            page = yield from self._page(asked, RECORDS_MAX if timed else min(limit, RECORDS_MAX), start)
            found += [
                record
                for record in page
                if (from_ms is None or record.requested_at_ms >= from_ms)
                and (to_ms is None or record.requested_at_ms <= to_ms)
            ]
            if len(found) >= limit or not page or int(page[-1].withdrawal_id) <= 1:
                break
            # Ids are given at the confirmation, which comes some time after the request that the record tells.
            if from_ms is not None and page[-1].requested_at_ms < from_ms - WINDOW_MS:
                break
            start = int(page[-1].withdrawal_id) - 1
        return tuple(found[:limit])

    def _page(self, currency: str | None, size: int, start: int | None) -> Steps[tuple[Withdrawal, ...]]:
        return self._records(requests.Operation.WITHDRAW, currency, size, start, to_withdrawals)

    def deposits(
        self, *, currency: str | None = None, size: int = 100, start: int | None = None
    ) -> Steps[tuple[replies.Record, ...]]:
        """Deposits, newest first.

        currency: all of them without one. size: 1 to 500. start: the id to begin with, going down.
        """
        return self._records(requests.Operation.DEPOSIT, currency, size, start, as_it_is)

    def _records(
        self,
        operation: requests.Operation,
        currency: str | None,
        size: int,
        start: int | None,
        convert: Callable[[tuple[replies.Record, ...]], T],
    ) -> Steps[T]:
        def asked() -> OutgoingRequest:
            now_ms = self._clock.now_ms()
            return requests.records(
                self._credentials, now_ms, operation, size=size, currency=currency, start=start
            )

        return self._read(asked, replies.read_records, convert)

    def balances(self) -> Steps[tuple[Balance, ...]]:
        return self._balance(to_balances)

    def _balance(self, convert: Callable[[replies.Balance], T]) -> Steps[T]:
        return self._read(
            lambda: requests.balance(self._credentials, self._clock.now_ms()), replies.read_balance, convert
        )

    def fee(self, currency: str) -> Steps[Fee]:
        """Only the quote of a withdrawal tells it: `prepare`, and look at what is signed."""
        del currency  # for none of them
        raise NotOffered(NAME, "fees ahead of a quote")

    def currencies(self) -> Steps[tuple[Currency, ...]]:
        raise NotOffered(NAME, "list of currencies")

    def addresses(self) -> Steps[tuple[BookAddress, ...]]:
        raise NotOffered(NAME, "address book")

    def deposit_address(self, currency: str) -> Steps[DepositAddress]:
        del currency  # for none of them
        raise NotOffered(NAME, "deposit address")

    def _read(
        self, request: Callable[[], OutgoingRequest], read: Read[Wire], convert: Callable[[Wire], T]
    ) -> Steps[T]:
        """Ask for what changes nothing; a quote is of that kind, since it holds nothing."""
        return ask(NAME, request, read, convert, self._rate_limit_pause_ms)


def _read_order_id(http_status: int, body: bytes) -> str:
    return str(replies.read_order(http_status, body).order_id)


def _is_in_doubt(error: VenueError) -> bool:
    return error.code in _CODES_IN_DOUBT


def _make(credentials: Mapping[str, Credential], base_url: str, clock: Clock) -> SunxVenue:
    sign = credentials.get("sign_content")
    if sign is not None and not callable(sign):
        raise ValueError("sign_content must be a function")
    if sign is not None and "wallet_private_key" in credentials:
        raise ValueError("give wallet_private_key or sign_content, not both")
    wallet: Wallet | None = sign
    if "wallet_private_key" in credentials:
        wallet = WalletKey(secret_of(credentials, "wallet_private_key"))
    host = urlsplit(base_url).hostname or ""
    key = requests.Credentials(text_of(credentials, "access_key"), secret_of(credentials, "secret_key"), host)
    return SunxVenue(key, clock, wallet, at_the_venue=ENTRY.answers_at(base_url))


_CHECK_KEY = "check the key, its secret and its permissions, and this machine's clock and address"

ENTRY = VenueEntry(
    name=NAME,
    base_url=BASE_URL,
    hosts=(".sunx.io",),
    options=(
        Option("access_key", "the API key's AccessKeyId"),
        Option("secret_key", "its secret, or the PEM text of its Ed25519 private key", secret=True),
        Option(
            "wallet_private_key",
            "private key of the TRON wallet that the account logs in with, 64 hexadecimal digits; only for withdrawing",
            secret=True,
            required=False,
        ),
        Option(
            "sign_content",
            "a function that has that wallet sign a text (TIP-191) and returns the signature as hexadecimal digits",
            required=False,
            in_code_only=True,
        ),
    ),
    make=_make,
    advice={
        "api-signature-not-valid": _CHECK_KEY,
        "login-required": _CHECK_KEY,
        "api-not-support-temp-addr": "withdraw to the wallet that the account logs in with: SunX pays nowhere else",
        "dw-insufficient-balance": "ask for less: the fee is debited beside the amount",
        "dw-withdraw-min-limit": "ask for more",
        "dw-withdraw-nonce-expired": "ask again: a quote is good for 120 seconds",
        "base-request-exceed-frequency-limit": "wait some seconds, then try again",
    },
    afterwards=(
        "the venue's quote is checked against this, signed by the wallet and sent back within 120 seconds; only that "
        "moves money"
    ),
    when_lost=(
        "look at the records; a Penstock answers the identical confirmation with the same order for five minutes"
    ),
)
