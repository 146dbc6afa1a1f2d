"""The typed objects that callers hold: `Client` blocks, `AsyncClient` awaits. Every method names a call and
runs it.

What a call does stands in the venue's module; a test holds the two classes to the same methods and
parameters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from types import TracebackType
from typing import Self

import httpx2

from penstock.client.calls import Calls
from penstock.client.errors import OutcomeUnknown
from penstock.client.transport import AsyncDriver, SyncDriver
from penstock.client.values import (
    Balance,
    BookAddress,
    Currency,
    DepositAddress,
    Fee,
    Prepared,
    Resolution,
    Submitted,
    Withdrawal,
)
from penstock.client.venue import Venue
from penstock.core.commands import RecipientKind
from penstock.core.time import Clock

Amount = str | Decimal | int
"""Text or Decimal, or a whole number; a float is a TypeError."""


class Client:
    """A venue account, blocking. Safe to use from several threads. Close it, or use it in a `with`.

    Every method may raise the errors of `client.errors`; only `withdraw`, `withdraw_to_account` and
    `repeat_identical` may raise OutcomeUnknown, and then the withdrawal may have been made. currency: the
    venue's name ("USDT-ERC20"), or the coin ("USDT") with network ("ethereum", or the venue's word).
    """

    def __init__(
        self,
        venue: Venue,
        base_url: str,
        clock: Clock,
        *,
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[int], None] | None = None,
    ) -> None:
        self._calls = Calls(venue)
        self._driver = SyncDriver(base_url, clock, transport=transport, pause=pause)
        self.venue = venue.name
        self.base_url = base_url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.venue!r}, base_url={self.base_url!r})"

    def withdraw(
        self,
        currency: str,
        amount: Amount,
        address: str,
        *,
        network: str | None = None,
        memo: str = "",
        wallet: str = "",
        remark: str = "",
    ) -> Submitted:
        """Ask for a payment to an address, once. Returns when the venue has taken it, long before it is paid.

        amount: gross; the venue takes its fee from it. memo: the tag some networks need. wallet: the
        venue's word for which of the own wallets pays, "" leaves it to the venue. Each call is a new
        withdrawal: BitMart knows no id of yours under which a second call would be the same one.
        """
        return self._driver.run(
            self._calls.withdraw(currency, amount, address, network, memo, wallet, remark)
        )

    def withdraw_to_account(
        self,
        currency: str,
        amount: Amount,
        recipient: str,
        *,
        kind: RecipientKind = RecipientKind.ACCOUNT_NUMBER,
        area_code: str = "",
        network: str | None = None,
        wallet: str = "",
    ) -> Submitted:
        """Ask for a payment to another account of the venue, once; no chain is involved. As `withdraw`
        otherwise.

        area_code: the country's digits, for a phone.
        """
        return self._driver.run(
            self._calls.withdraw_to_account(currency, amount, recipient, kind, area_code, network, wallet)
        )

    def prepare(
        self,
        currency: str,
        amount: Amount,
        address: str,
        *,
        network: str | None = None,
        memo: str = "",
        wallet: str = "",
        remark: str = "",
    ) -> Prepared:
        """What `withdraw` would send now, signed and not sent."""
        return self._driver.run(self._calls.prepare(currency, amount, address, network, memo, wallet, remark))

    def prepare_to_account(
        self,
        currency: str,
        amount: Amount,
        recipient: str,
        *,
        kind: RecipientKind = RecipientKind.ACCOUNT_NUMBER,
        area_code: str = "",
        network: str | None = None,
        wallet: str = "",
    ) -> Prepared:
        """What `withdraw_to_account` would send now, signed and not sent."""
        return self._driver.run(
            self._calls.prepare_to_account(currency, amount, recipient, kind, area_code, network, wallet)
        )

    def resolve(self, unknown: OutcomeUnknown) -> Resolution:
        """Look in the venue's history for a withdrawal whose answer was lost. Sends nothing but reads."""
        return self._driver.run(self._calls.resolve(unknown))

    def repeat_identical(self, unknown: OutcomeUnknown, *, against_penstock: bool) -> Submitted:
        """Send the very same signed bytes once more. For a Penstock only, which answers them with the first
        withdrawal.

        against_penstock: must be True: the caller knows that the base URL is a Penstock's; a venue may pay
        twice. Raises ValueError against the venue itself, OutcomeUnknown again when the repeat settles
        nothing or the request's window is over.
        """
        return self._driver.run(self._calls.repeat_identical(unknown, against_penstock=against_penstock))

    def withdrawal(self, withdrawal_id: str) -> Withdrawal:
        """One withdrawal, as it stands now."""
        return self._driver.run(self._calls.withdrawal(withdrawal_id))

    def withdrawals(
        self,
        currency: str | None = None,
        *,
        limit: int = 100,
        from_ms: int | None = None,
        to_ms: int | None = None,
    ) -> tuple[Withdrawal, ...]:
        """The newest withdrawals, newest first. BitMart: limit to 1000; without times, the last 90 days."""
        return self._driver.run(self._calls.withdrawals(currency, limit, from_ms, to_ms))

    def balances(self) -> tuple[Balance, ...]:
        """Per wallet and currency. BitMart's account wallet is "fund" here, its spot wallet "spot"."""
        return self._driver.run(self._calls.balances())

    def fee(self, currency: str, *, network: str | None = None) -> Fee:
        """What a withdrawal costs."""
        return self._driver.run(self._calls.fee(currency, network))

    def currencies(self) -> tuple[Currency, ...]:
        """What the venue lists."""
        return self._driver.run(self._calls.currencies())

    def addresses(self) -> tuple[BookAddress, ...]:
        """The account's address book."""
        return self._driver.run(self._calls.addresses())

    def deposit_address(self, currency: str, *, network: str | None = None) -> DepositAddress:
        """Where to send deposits."""
        return self._driver.run(self._calls.deposit_address(currency, network))

    def close(self) -> None:
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient:
    """As `Client`, on asyncio; the contracts stand there. A cancelled `withdraw` leaves its outcome unknown
    too.
    """

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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.venue!r}, base_url={self.base_url!r})"

    async def withdraw(
        self,
        currency: str,
        amount: Amount,
        address: str,
        *,
        network: str | None = None,
        memo: str = "",
        wallet: str = "",
        remark: str = "",
    ) -> Submitted:
        return await self._driver.run(
            self._calls.withdraw(currency, amount, address, network, memo, wallet, remark)
        )

    async def withdraw_to_account(
        self,
        currency: str,
        amount: Amount,
        recipient: str,
        *,
        kind: RecipientKind = RecipientKind.ACCOUNT_NUMBER,
        area_code: str = "",
        network: str | None = None,
        wallet: str = "",
    ) -> Submitted:
        return await self._driver.run(
            self._calls.withdraw_to_account(currency, amount, recipient, kind, area_code, network, wallet)
        )

    async def prepare(
        self,
        currency: str,
        amount: Amount,
        address: str,
        *,
        network: str | None = None,
        memo: str = "",
        wallet: str = "",
        remark: str = "",
    ) -> Prepared:
        return await self._driver.run(
            self._calls.prepare(currency, amount, address, network, memo, wallet, remark)
        )

    async def prepare_to_account(
        self,
        currency: str,
        amount: Amount,
        recipient: str,
        *,
        kind: RecipientKind = RecipientKind.ACCOUNT_NUMBER,
        area_code: str = "",
        network: str | None = None,
        wallet: str = "",
    ) -> Prepared:
        return await self._driver.run(
            self._calls.prepare_to_account(currency, amount, recipient, kind, area_code, network, wallet)
        )

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

    async def close(self) -> None:
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
