"""`Client` for asyncio. The contracts stand there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self, Unpack

import httpx2

from penstock.client.amounts import Amount
from penstock.client.calls import Calls
from penstock.client.errors import OutcomeUnknown
from penstock.client.payments import AccountDetails, AddressDetails, to_account, to_address
from penstock.client.transport import AsyncDriver
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
from penstock.core.time import Clock


class AsyncClient:
    """As `Client`. A cancelled `withdraw` leaves its outcome unknown too."""

    def __init__(
        self,
        venue: Venue,
        base_url: str,
        clock: Clock,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        pause: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._calls = Calls(venue)
        self._driver = AsyncDriver(base_url, clock, transport=transport, pause=pause)
        self.venue = venue.name
        self.base_url = base_url
        self.default_address = venue.default_address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.venue!r}, base_url={self.base_url!r})"

    async def withdraw(
        self,
        currency: str,
        amount: Amount,
        address: str | None = None,
        **details: Unpack[AddressDetails],
    ) -> Submitted:
        return await self.withdraw_payment(
            to_address(currency, amount, self._calls.destination(address), **details)
        )

    async def withdraw_to_account(
        self, currency: str, amount: Amount, recipient: str, **details: Unpack[AccountDetails]
    ) -> Submitted:
        return await self.withdraw_payment(to_account(currency, amount, recipient, **details))

    async def prepare(
        self,
        currency: str,
        amount: Amount,
        address: str | None = None,
        **details: Unpack[AddressDetails],
    ) -> Prepared:
        return await self.prepare_payment(
            to_address(currency, amount, self._calls.destination(address), **details)
        )

    async def prepare_to_account(
        self, currency: str, amount: Amount, recipient: str, **details: Unpack[AccountDetails]
    ) -> Prepared:
        return await self.prepare_payment(to_account(currency, amount, recipient, **details))

    async def withdraw_payment(self, payment: Payment) -> Submitted:
        return await self._driver.run(self._calls.withdraw(payment))

    async def prepare_payment(self, payment: Payment) -> Prepared:
        return await self._driver.run(self._calls.prepare(payment))

    async def first_request(self, payment: Payment) -> FirstRequest:
        return await self._driver.run(self._calls.first_request(payment))

    async def resolve(self, unknown: OutcomeUnknown) -> Resolution:
        return await self._driver.run(self._calls.resolve(unknown))

    async def repeat_identical(self, unknown: OutcomeUnknown, *, against_penstock: bool) -> Submitted:
        return await self._driver.run(
            self._calls.repeat_identical(unknown, against_penstock=against_penstock)
        )

    async def withdrawal(self, withdrawal_id: str) -> Withdrawal:
        return await self._driver.run(self._calls.withdrawal(withdrawal_id))

    async def withdrawals(
        self,
        currency: str | None = None,
        *,
        limit: int = 100,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> tuple[Withdrawal, ...]:
        return await self._driver.run(self._calls.withdrawals(currency, limit, from_ms, to_ms))

    async def balances(self) -> tuple[Balance, ...]:
        return await self._driver.run(self._calls.balances())

    async def fee(self, currency: str, *, network: str | None = None) -> Fee:
        return await self._driver.run(self._calls.fee(currency, network))

    async def currencies(self) -> tuple[Currency, ...]:
        return await self._driver.run(self._calls.currencies())

    async def addresses(self) -> tuple[BookAddress, ...]:
        return await self._driver.run(self._calls.addresses())

    async def deposit_address(self, currency: str, *, network: str | None = None) -> DepositAddress:
        return await self._driver.run(self._calls.deposit_address(currency, network))

    @property
    def extra_calls(self) -> Mapping[str, str]:
        return self._calls.extra_calls()

    async def call(self, name: str, **arguments: object) -> object:
        return await self._driver.run(self._calls.call(name, arguments))

    async def close(self) -> None:
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
