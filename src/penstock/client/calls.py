"""From a method's arguments to a venue's steps: what is the same for every venue, and for both clients."""

from __future__ import annotations

from decimal import Decimal

from penstock.client.errors import OutcomeUnknown
from penstock.client.steps import Steps
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
    amount_text,
)
from penstock.client.venue import Venue
from penstock.core.commands import RecipientKind

HISTORY_LIMIT_MAX = 1000


class Calls:
    """The calls of `client.Client` as steps. Arguments are checked before the first step."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def prepare(
        self,
        currency: str,
        amount: str | Decimal | int,
        address: str,
        network: str | None,
        memo: str,
        wallet: str,
        remark: str,
    ) -> Steps[Prepared]:
        text = amount_text(amount)
        _text_given(currency=currency, address=address)
        name = yield from self._venue.currency_name(currency, network)
        payment = Payment(name, text, address=address, memo=memo, wallet=wallet, remark=remark)
        return (yield from self._venue.prepare(payment))

    def withdraw(
        self,
        currency: str,
        amount: str | Decimal | int,
        address: str,
        network: str | None,
        memo: str,
        wallet: str,
        remark: str,
    ) -> Steps[Submitted]:
        prepared = yield from self.prepare(currency, amount, address, network, memo, wallet, remark)
        return (yield from self._venue.submit(prepared))

    def prepare_to_account(
        self,
        currency: str,
        amount: str | Decimal | int,
        recipient: str,
        kind: RecipientKind,
        area_code: str,
        network: str | None,
        wallet: str,
    ) -> Steps[Prepared]:
        text = amount_text(amount)
        _text_given(currency=currency, recipient=recipient)
        name = yield from self._venue.currency_name(currency, network)
        payment = Payment(
            name, text, recipient=recipient, recipient_kind=kind, area_code=area_code, wallet=wallet
        )
        return (yield from self._venue.prepare(payment))

    def withdraw_to_account(
        self,
        currency: str,
        amount: str | Decimal | int,
        recipient: str,
        kind: RecipientKind,
        area_code: str,
        network: str | None,
        wallet: str,
    ) -> Steps[Submitted]:
        prepared = yield from self.prepare_to_account(
            currency, amount, recipient, kind, area_code, network, wallet
        )
        return (yield from self._venue.submit(prepared))

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]:
        return self._venue.resolve(unknown)

    def repeat_identical(self, unknown: OutcomeUnknown, *, against_penstock: bool) -> Steps[Submitted]:
        if against_penstock is not True:
            raise ValueError(
                "only a Penstock answers the same bytes with the same withdrawal: use resolve(...)"
            )
        return self._venue.repeat_identical(unknown)

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]:
        _text_given(withdrawal_id=withdrawal_id)
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


def _text_given(**fields: str) -> None:
    for name, text in fields.items():
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{name} must be text, not {type(text).__name__}")
        if not text:
            raise ValueError(f"{name} is empty")
