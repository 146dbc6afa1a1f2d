"""A venue that nobody has: it answers from memory and notes what it is asked, for what is the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from penstock.client import (
    Balance,
    BookAddress,
    Currency,
    DepositAddress,
    Fee,
    NotOffered,
    OutcomeUnknown,
    Payment,
    Prepared,
    Resolution,
    SignedRequest,
    Submitted,
    Withdrawal,
)
from penstock.client.steps import Lost, Reply, Send, Steps

NAME = "elsewhere"
MADE_ID = "made-by-the-client"


@dataclass
class FakeVenue:
    """prepared: every payment that was signed. A payment without an id is given MADE_ID."""

    asked_by_id: bool = True
    prepared: list[Payment] = field(default_factory=list)
    names_asked: list[tuple[str, str | None]] = field(default_factory=list)
    name: str = NAME
    default_address: str = ""

    @property
    def extra_calls(self) -> Mapping[str, Callable[..., Steps[object]]]:
        return {"getRate": self._rate}

    def _rate(self, *, coin: str, places: int = 2) -> Steps[object]:
        """The rate of a coin.

        places: digits after the point.
        """
        answer = yield Send(SignedRequest("GET", f"/rate/{coin}", (), b""))
        assert isinstance(answer, Reply)
        return {"coin": coin, "rate": Decimal(answer.body.decode()), "places": places}

    def currency_name(self, currency: str, network: str | None) -> Steps[str]:
        yield from ()
        self.names_asked.append((currency, network))
        return f"{currency}.{network}" if network else currency

    def prepare(self, payment: Payment) -> Steps[Prepared]:
        yield from ()
        payment = replace(payment, request_id=payment.request_id or MADE_ID)
        self.prepared.append(payment)
        request = SignedRequest("POST", "/withdraw", (), b"{}")
        return Prepared(payment, request, 1_000, 61_000, asked_by_id=self.asked_by_id)

    def submit(self, prepared: Prepared) -> Steps[Submitted]:
        answer = yield Send(prepared.request)
        if isinstance(answer, Lost):
            raise OutcomeUnknown(self.name, prepared, reason="no answer came back")
        return Submitted(self.name, "17", prepared.payment, prepared.signed_at_ms)

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]:
        raise NotOffered(self.name, "history")

    def repeat_identical(self, unknown: OutcomeUnknown) -> Steps[Submitted]:
        raise NotOffered(self.name, "repeat")

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]:
        raise NotOffered(self.name, "single withdrawal")

    def withdrawals(
        self, currency: str | None, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[Withdrawal, ...]]:
        raise NotOffered(self.name, "list of withdrawals")

    def balances(self) -> Steps[tuple[Balance, ...]]:
        raise NotOffered(self.name, "balances")

    def fee(self, currency: str) -> Steps[Fee]:
        raise NotOffered(self.name, "fees")

    def currencies(self) -> Steps[tuple[Currency, ...]]:
        raise NotOffered(self.name, "currencies")

    def addresses(self) -> Steps[tuple[BookAddress, ...]]:
        raise NotOffered(self.name, "address book")

    def deposit_address(self, currency: str) -> Steps[DepositAddress]:
        raise NotOffered(self.name, "deposit address")
