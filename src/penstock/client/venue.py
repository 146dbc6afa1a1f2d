"""What one venue is to the client: how each call goes, as steps. A further venue is one module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

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
)


class Venue(Protocol):
    """The calls of one venue with one set of credentials. Contracts as on `client.Client`.

    A call that the venue does not have raises NotOffered, before anything is sent.
    """

    @property
    def name(self) -> str: ...

    @property
    def default_address(self) -> str:
        """The account's own address, where a call goes that names none; "" where one must be named."""
        ...

    @property
    def extra_calls(self) -> Mapping[str, Callable[..., Steps[object]]]:
        """What this venue alone offers, under its own names, with keyword arguments."""
        ...

    def currency_name(self, currency: str, network: str | None) -> Steps[str]:
        """The venue's own name for a coin on a network. network None: `currency` is that name already."""
        ...

    def prepare(self, payment: Payment) -> Steps[Prepared]:
        """payment: its currency as `currency_name` gave it. What else it needs to know it reads by GET. A request
        of another kind is the first part of the withdrawal, such as a quote, and holds nothing yet.
        """
        ...

    def submit(self, prepared: Prepared) -> Steps[Submitted]:
        """Send it once, whatever happens."""
        ...

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]: ...

    def repeat_identical(self, unknown: OutcomeUnknown) -> Steps[Submitted]: ...

    def withdrawal(self, withdrawal_id: str) -> Steps[Withdrawal]: ...

    def withdrawals(
        self, currency: str | None, limit: int, from_ms: int | None, to_ms: int | None
    ) -> Steps[tuple[Withdrawal, ...]]: ...

    def balances(self) -> Steps[tuple[Balance, ...]]: ...

    def fee(self, currency: str) -> Steps[Fee]: ...

    def currencies(self) -> Steps[tuple[Currency, ...]]: ...

    def addresses(self) -> Steps[tuple[BookAddress, ...]]: ...

    def deposit_address(self, currency: str) -> Steps[DepositAddress]: ...
