"""BitMart's replies as the client's values, and what counts as the same withdrawal. ValueError where a
reply makes no sense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TypeVar

from penstock.client.amounts import EXACT, read_amount
from penstock.client.values import (
    Balance,
    BookAddress,
    Currency,
    DepositAddress,
    Fee,
    Payment,
    Status,
    Withdrawal,
)
from penstock.venues.bitmart import client_replies as replies
from penstock.venues.bitmart.currencies import NETWORK_NAMES

T = TypeVar("T")
Wire = TypeVar("Wire")

NAME = "bitmart"

_NETWORK = {name: ours for ours, names in NETWORK_NAMES.items() for name in (ours.upper(), *names)}

_STATUS = {
    replies.Status.CREATED: Status.ACCEPTED,
    replies.Status.SUBMITTED: Status.ACCEPTED,
    replies.Status.PROCESSING: Status.PROCESSING,
    replies.Status.DONE: Status.DONE,
    replies.Status.CANCELLED: Status.CANCELLED,
    replies.Status.FAILED: Status.FAILED,
}
assert _STATUS.keys() == set(replies.Status)


def network_code(name: str) -> str:
    """Our code for BitMart's several names of one network; ours and unknown ones stay, in capitals."""
    return _NETWORK.get(name.upper(), name.upper())


def _same_currency(one: str, other: str) -> bool:
    """A name without a network may mean any: BitMart writes ETH for what may be sent as ETH-ERC20."""
    (coin, _, network), (other_coin, _, other_network) = one.partition("-"), other.partition("-")
    return coin == other_coin and (
        not network or not other_network or network_code(network) == network_code(other_network)
    )


def matches(record: Withdrawal, payment: Payment) -> bool:
    """Whether the record may be this payment. Rather one candidate too many: a person or an id decides."""
    same_amount = Decimal(payment.amount) in {record.amount, record.net}
    if not same_amount or not _same_currency(record.currency, payment.currency):
        return False
    if payment.recipient:
        # The history shows an account or phone in the address field, a phone perhaps with its country.
        return record.address.replace(" ", "").endswith(payment.recipient)
    return record.went_to(payment)


def each(convert: Callable[[Wire], T]) -> Callable[[Iterable[Wire]], tuple[T, ...]]:
    return lambda lines: tuple(convert(line) for line in lines)


def _optional(text: str | None) -> Decimal | None:
    return None if text is None else read_amount(text)


def to_withdrawal(record: replies.Record) -> Withdrawal:
    net, fee = read_amount(record.arrival), read_amount(record.fee)
    return Withdrawal(
        venue=NAME,
        withdrawal_id=record.record_id,
        currency=record.currency,
        amount=EXACT.add(net, fee),
        fee=fee,
        net=net,
        address=record.address,
        memo=record.memo,
        tx_id=record.tx_id,
        status=_STATUS[replies.Status(record.status)],
        venue_status=str(record.status),
        requested_at_ms=record.applied_ms,
    )


def to_balance(wallet: str, line: replies.Balance) -> Balance:
    return Balance(wallet, line.currency, read_amount(line.available), read_amount(line.held))


def to_fee(currency: str, charge: replies.Charge) -> Fee:
    multiple = None if charge.multiple is None else Decimal(charge.multiple)
    return Fee(currency, read_amount(charge.fee), read_amount(charge.minimum), charge.precision, multiple)


def to_currency(line: replies.Currency) -> Currency:
    return Currency(
        currency=line.currency,
        coin=line.currency.partition("-")[0],
        network=line.network or "",
        name=line.name,
        contract=line.contract,
        withdraw_enabled=line.withdraw_enabled,
        deposit_enabled=line.deposit_enabled,
        fee=_optional(line.fee),
        minimum=_optional(line.minimum),
    )


def to_book_address(entry: replies.BookAddress) -> BookAddress:
    return BookAddress(
        currency=entry.currency,
        network=entry.network,
        address=entry.address,
        memo=entry.memo,
        remark=entry.remark,
        verified=entry.verified,
        venue_kind=entry.kind.name.lower(),
    )


def to_deposit_address(found: replies.DepositAddress) -> DepositAddress:
    return DepositAddress(found.currency, found.address, found.memo)
