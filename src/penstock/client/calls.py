"""From a method of a client to a venue's steps: what is the same for every venue, and for both clients."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace

from penstock.client.amounts import amount_text
from penstock.client.errors import NotOffered, OutcomeUnknown
from penstock.client.payments import check_given
from penstock.client.steps import Lost, Reply, Send, Steps
from penstock.client.values import (
    Balance,
    BookAddress,
    Currency,
    DepositAddress,
    Fee,
    FirstRequest,
    Payment,
    Prepared,
    Resolution,
    Submitted,
    Withdrawal,
)
from penstock.client.venue import Venue

HISTORY_LIMIT_MAX = 1000


class Calls:
    """The calls of `client.Client` as steps. Arguments are checked before the first step."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def destination(self, address: str | None) -> str:
        """The address that is named, else the venue's default. Raises ValueError where it has none."""
        if address is not None:
            return address
        if not self._venue.default_address:
            raise ValueError("no address is named, and the account has none of its own")
        return self._venue.default_address

    def prepare(self, payment: Payment) -> Steps[Prepared]:
        return (yield from self._venue.prepare((yield from self._named(payment))))

    def withdraw(self, payment: Payment) -> Steps[Submitted]:
        prepared = yield from self.prepare(payment)
        return (yield from self._venue.submit(prepared))

    def first_request(self, payment: Payment) -> Steps[FirstRequest]:
        steps = self._venue.prepare((yield from self._named(payment)))
        answer: Reply | Lost | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as stop:
                prepared: Prepared = stop.value
                return FirstRequest(prepared.request, is_whole=True)
            if isinstance(step, Send) and step.request.method != "GET":
                steps.close()
                return FirstRequest(step.request, is_whole=False)
            answer = yield step

    def _named(self, payment: Payment) -> Steps[Payment]:
        """The payment with its currency in the venue's own name. Raises ValueError for what no venue can do."""
        check_given(currency=payment.currency)
        if bool(payment.address) == bool(payment.recipient):
            raise ValueError("a payment goes to an address or to a recipient, to one of them")
        if payment.debited and not payment.debit_currency:
            raise ValueError("debited goes with a debit_currency")
        amount = amount_text(payment.amount)
        name = yield from self._venue.currency_name(payment.currency, payment.network or None)
        return replace(payment, currency=name, amount=amount)

    def extra_calls(self) -> dict[str, str]:
        return {name: inspect.getdoc(call) or "" for name, call in self._venue.extra_calls.items()}

    def call(self, name: str, arguments: Mapping[str, object]) -> Steps[object]:
        offered = self._venue.extra_calls.get(name)
        if offered is None:
            raise NotOffered(self._venue.name, f"call {name[:64]!r}")
        return offered(**arguments)

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]:
        return self._venue.resolve(unknown)

    def repeat_identical(self, unknown: OutcomeUnknown, *, against_penstock: bool) -> Steps[Submitted]:
        if against_penstock is not True:
            raise ValueError(
                "only a Penstock answers the same bytes with the same withdrawal: use resolve(...)"
            )
        return self._venue.repeat_identical(unknown)

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]:
        check_given(withdrawal_id=withdrawal_id)
        return self._venue.withdrawal(withdrawal_id)

    def withdrawals(
        self, currency: str | None, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[Withdrawal, ...]]:
        if not 1 <= limit <= HISTORY_LIMIT_MAX:
            raise ValueError(f"limit must be 1 to {HISTORY_LIMIT_MAX}, not {limit}")
        return self._venue.withdrawals(currency, limit, from_ms, to_ms)

    def balances(self) -> Steps[tuple[Balance, ...]]:
        return self._venue.balances()

    def fee(self, currency: str, network: str | None) -> Steps[Fee]:
        name = yield from self._venue.currency_name(currency, network)
        return (yield from self._venue.fee(name))

    def currencies(self) -> Steps[tuple[Currency, ...]]:
        return self._venue.currencies()

    def addresses(self) -> Steps[tuple[BookAddress, ...]]:
        return self._venue.addresses()

    def deposit_address(self, currency: str, network: str | None) -> Steps[DepositAddress]:
        name = yield from self._venue.currency_name(currency, network)
        return (yield from self._venue.deposit_address(name))
