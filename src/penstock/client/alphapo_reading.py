"""What AlphaPo can be asked for that changes nothing, as steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from penstock.client.alphapo_values import (
    NAME,
    exchange_sides,
    to_balances,
    to_currencies,
    to_deposit_address,
    to_withdrawal,
)
from penstock.client.amounts import Amount
from penstock.client.asking import Read, as_it_is, ask, check_is_number, seconds_in
from penstock.client.errors import NotOffered, VenueRefused
from penstock.client.steps import Steps
from penstock.client.values import (
    Balance,
    BookAddress,
    Currency,
    DepositAddress,
    Fee,
    Withdrawal,
)
from penstock.venues.alphapo import client_replies as replies
from penstock.venues.alphapo import client_requests as requests
from penstock.venues.client_request import OutgoingRequest

T = TypeVar("T")
Wire = TypeVar("Wire")

DEPOSITS_ID = "penstock"
"""The foreign_id under which deposit addresses are asked for; the venue lets it repeat."""
# Only a Penstock says how long to wait.
_RATE_LIMIT_PAUSE_MS = seconds_in("retry-after")


class AlphapoReader:
    """One merchant's key at AlphaPo, or at a Penstock that answers as AlphaPo; reading only."""

    def __init__(self, credentials: requests.Credentials) -> None:
        self._credentials = credentials

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]:
        check_is_number(NAME, withdrawal_id)
        request = requests.transaction(self._credentials, number=int(withdrawal_id))
        return self._read(request, replies.read_transaction, to_withdrawal)

    def withdrawals(
        self, currency: str | None, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[Withdrawal, ...]]:
        del currency, limit, from_ms, to_ms  # for none of them
        raise NotOffered(NAME, "list of withdrawals")

    def balances(self) -> Steps[tuple[Balance, ...]]:
        return self._read(requests.accounts(self._credentials), replies.read_accounts, to_balances)

    def fee(self, currency: str) -> Steps[Fee]:
        """The venue tells a fee only of what was sent."""
        del currency  # for none of them
        raise NotOffered(NAME, "fees ahead of a withdrawal")

    def currencies(self) -> Steps[tuple[Currency, ...]]:
        return self._read(requests.currencies(self._credentials), replies.read_currencies, to_currencies)

    def addresses(self) -> Steps[tuple[BookAddress, ...]]:
        raise NotOffered(NAME, "address book")

    def deposit_address(self, currency: str) -> Steps[DepositAddress]:
        request = requests.take_address(self._credentials, currency=currency, foreign_id=DEPOSITS_ID)
        return self._read(request, replies.read_address, to_deposit_address)

    def find(self, foreign_id: str) -> Steps[Withdrawal | None]:
        """The withdrawal that has this foreign_id, if any."""
        request = requests.transaction(self._credentials, foreign_id=foreign_id)
        try:
            return (yield from self._read(request, replies.read_transaction, to_withdrawal))
        except VenueRefused as refused:
            if refused.code != "not_found":
                raise
            return None

    # ---- what this venue alone has -----------------------------------------------------------------------------------

    def transactions_info(
        self, *, number: int | None = None, foreign_id: str = "", txid: str = "", by_query: bool = False
    ) -> Steps[replies.Transaction]:
        """A withdrawal or exchange by one of its three names, with its rows and fees.

        by_query: for where a body on GET does not get through.
        """
        request = requests.transaction(
            self._credentials, number=number, foreign_id=foreign_id, txid=txid, by_query=by_query
        )
        return self._read(request, replies.read_transaction, as_it_is)

    def pairs(self, *, currency_from: str = "", currency_to: str = "") -> Steps[tuple[replies.Pair, ...]]:
        """What can be exchanged for what, with the least amount and the rate."""
        request = requests.pairs(self._credentials, currency_from, currency_to)
        return self._read(request, replies.read_pairs, as_it_is)

    def rates(self, *, currency_from: str = "", currency_to: str = "") -> Steps[tuple[replies.Pair, ...]]:
        """As pairs."""
        request = requests.rates(self._credentials, currency_from, currency_to)
        return self._read(request, replies.read_pairs, as_it_is)

    def exchange_calculate(
        self,
        *,
        sender_currency: str,
        receiver_currency: str,
        sender_amount: Amount | None = None,
        receiver_amount: Amount | None = None,
    ) -> Steps[replies.Calculation]:
        """What an exchange comes to, at a price that holds for a minute. One of the two amounts."""
        sides = exchange_sides(sender_currency, receiver_currency, sender_amount, receiver_amount)
        return self._read(requests.calculate(self._credentials, **sides), replies.read_calculation, as_it_is)

    def addresses_take(
        self, *, currency: str, foreign_id: str, convert_to: str = "", end_user_reference: str = ""
    ) -> Steps[replies.TakenAddress]:
        """An address for deposits, for the customer that foreign_id names."""
        request = requests.take_address(
            self._credentials,
            currency=currency,
            foreign_id=foreign_id,
            convert_to=convert_to,
            end_user_reference=end_user_reference,
        )
        return self._read(request, replies.read_address, as_it_is)

    def ping(self) -> Steps[str]:
        """Whether the venue answers: "OK"."""
        return self._read(requests.ping(), replies.read_ping, as_it_is)

    def _read(self, request: OutgoingRequest, read: Read[Wire], convert: Callable[[Wire], T]) -> Steps[T]:
        return ask(NAME, lambda: request, read, convert, _RATE_LIMIT_PAUSE_MS)
