"""The typed object that callers hold, blocking. `async_client` has the awaiting one; a test holds the two to
the same methods and parameters. Every method names a call and runs it; what a call does stands in the
venue's module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, Unpack

import httpx2

from penstock.client.amounts import Amount
from penstock.client.calls import Calls
from penstock.client.errors import OutcomeUnknown
from penstock.client.payments import AccountDetails, AddressDetails, to_account, to_address
from penstock.client.transport import SyncDriver
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


class Client:
    """A venue account, blocking. Safe to use from several threads. Close it, or use it in a `with`.

    Every method may raise the errors of `client.errors`; NotOffered where the venue has no such call. Only
    the `withdraw` methods, `repeat_identical` and a venue's own calls may raise OutcomeUnknown, and then the
    withdrawal may have been made. currency: the venue's name ("USDT-ERC20"), or the coin ("USDT")
    with network ("ethereum", or the venue's word). default_address: the account's own, "" where it has none.
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
        self.default_address = venue.default_address

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.venue!r}, base_url={self.base_url!r})"

    def withdraw(
        self,
        currency: str,
        amount: Amount,
        address: str | None = None,
        **details: Unpack[AddressDetails],
    ) -> Submitted:
        """Ask for a payment to an address, once. Returns when the venue has taken it, long before it is paid.

        amount: whether the venue takes its fee from it or beside it, `fee` tells. address: None is the
        default_address (edgeX's `eth_address`), a ValueError where there is none.

        details: network, memo, wallet, remark, request_id, debit_currency, debited. memo: the tag some networks
        need. wallet: the venue's word for which of the own wallets pays, "" leaves it to the venue.
        request_id: your own id, where the venue takes one; "" lets the client make it, and the answer shows it.
        debit_currency: pays from another currency at the venue's rate; debited: `amount` is then what leaves
        the balance, and not what is paid out. What the venue has no field for is NotOffered or ValueError,
        never left out. Each call without a request_id is a new withdrawal.
        """
        return self.withdraw_payment(
            to_address(currency, amount, self._calls.destination(address), **details)
        )

    def withdraw_to_account(
        self, currency: str, amount: Amount, recipient: str, **details: Unpack[AccountDetails]
    ) -> Submitted:
        """Ask for a payment to another account of the venue, once; no chain is involved. As `withdraw`
        otherwise.

        details: kind, area_code, network, wallet, remark, request_id. kind: what `recipient` is, by default an
        account number. area_code: the country's digits, for a phone.
        """
        return self.withdraw_payment(to_account(currency, amount, recipient, **details))

    def prepare(
        self,
        currency: str,
        amount: Amount,
        address: str | None = None,
        **details: Unpack[AddressDetails],
    ) -> Prepared:
        """What `withdraw` would send in the end, signed and not sent. A venue that quotes first is asked for
        the quote, which holds nothing.
        """
        return self.prepare_payment(to_address(currency, amount, self._calls.destination(address), **details))

    def prepare_to_account(
        self, currency: str, amount: Amount, recipient: str, **details: Unpack[AccountDetails]
    ) -> Prepared:
        """What `withdraw_to_account` would send in the end, as `prepare`."""
        return self.prepare_payment(to_account(currency, amount, recipient, **details))

    def withdraw_payment(self, payment: Payment) -> Submitted:
        """As `withdraw` or `withdraw_to_account`: payment says it all, in the caller's names."""
        return self._driver.run(self._calls.withdraw(payment))

    def prepare_payment(self, payment: Payment) -> Prepared:
        """What `withdraw_payment` would send in the end, as `prepare`."""
        return self._driver.run(self._calls.prepare(payment))

    def first_request(self, payment: Payment) -> FirstRequest:
        """What a withdrawal would begin with now, signed and not sent, and nothing else sent but reads."""
        return self._driver.run(self._calls.first_request(payment))

    def resolve(self, unknown: OutcomeUnknown) -> Resolution:
        """What became of a withdrawal whose answer was lost: asked by its id where the venue can be asked by one,
        else looked for in its history. Sends nothing but reads.
        """
        return self._driver.run(self._calls.resolve(unknown))

    def repeat_identical(self, unknown: OutcomeUnknown, *, against_penstock: bool) -> Submitted:
        """Send the very same signed bytes once more. For a Penstock only, which answers them with the first
        withdrawal.

        against_penstock: must be True: the caller knows that the base URL is a Penstock's; a venue may pay
        twice. Raises ValueError at a venue itself that promises nothing about repeats, OutcomeUnknown again
        when the repeat settles nothing or the request's window is over.
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
        """The newest withdrawals, newest first. limit: up to 1000, or fewer where the venue keeps to fewer.
        from_ms, to_ms: None leaves the time to the venue.
        """
        return self._driver.run(self._calls.withdrawals(currency, limit, from_ms, to_ms))

    def balances(self) -> tuple[Balance, ...]:
        """Per wallet, under the venue's name for it, and currency."""
        return self._driver.run(self._calls.balances())

    def fee(self, currency: str, *, network: str | None = None) -> Fee:
        """What a withdrawal costs, and whether from the amount or on top."""
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

    @property
    def extra_calls(self) -> Mapping[str, str]:
        """What this venue alone offers: names for `call`, each with what it does and takes."""
        return self._calls.extra_calls()

    def call(self, name: str, **arguments: object) -> object:
        """Run one of `extra_calls`, under the venue's own name and with its own arguments and answer.

        Raises NotOffered for another name, TypeError for arguments that the call does not take.
        """
        return self._driver.run(self._calls.call(name, arguments))

    def close(self) -> None:
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
