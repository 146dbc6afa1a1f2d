"""SunX's replies as the caller's values.

Reading is lenient about further fields and about the two envelopes, and strict where money is: the envelope, nonces,
ids, amounts and states must be what they are said to be. Amounts are read from their digits, never by way of a float.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec

from penstock.venues.client_reply import VenueError
from penstock.venues.sunx.client_requests import Operation
from penstock.venues.sunx.content import is_nonce

_ACCOUNT_SUCCESS = 200
_EXPONENT_MAX = 100


class State(StrEnum):
    """Of a withdrawal (HTX, "Search for Existed Withdraws and Deposits", whose text SunX uses)."""

    VERIFYING = "verifying"
    FAILED = "failed"
    SUBMITTED = "submitted"
    REEXAMINE = "reexamine"
    CANCELED = "canceled"
    PASS = "pass"  # noqa: S105 - a state, no password
    REJECT = "reject"
    PRE_TRANSFER = "pre-transfer"
    WALLET_TRANSFER = "wallet-transfer"
    WALLET_REJECT = "wallet-reject"
    CONFIRMED = "confirmed"
    CONFIRM_ERROR = "confirm-error"
    REPEALED = "repealed"


class OrderStatus(StrEnum):
    """What confirm says of the order it made."""

    VERIFYING = "Verifying"
    PROCESSING = "Processing"
    FAILED = "Failed"


class Quote(msgspec.Struct, frozen=True):
    """What is to be signed, to the letter, until when."""

    nonce: str
    content: str
    expires_ms: int


class Order(msgspec.Struct, frozen=True):
    order_id: int
    status: OrderStatus


class Record(msgspec.Struct, frozen=True, rename="kebab"):
    """A withdrawal or a deposit. amount: what arrives. fee: of a withdrawal, debited beside it.

    state: of a withdrawal one of State, of a deposit HTX's words for it.
    """

    id: int
    type: Operation
    currency: str
    chain: str
    amount: Decimal
    fee: Decimal
    address: str
    state: str
    created_at: int
    tx_hash: str = ""
    sub_type: str = "NORMAL"
    address_tag: str = ""
    error_code: str = ""
    error_msg: str = ""

    def __post_init__(self) -> None:
        _check_amounts(self.amount, self.fee)
        if self.type is Operation.WITHDRAW:
            State(self.state)


class BalanceDetail(msgspec.Struct, frozen=True):
    """One currency. equity: with what is held."""

    currency: str
    equity: Decimal
    available: Decimal

    def __post_init__(self) -> None:
        _check_amounts(self.equity, self.available)


class Balance(msgspec.Struct, frozen=True):
    """server_ms: the venue's clock, None where the reply does not tell it."""

    details: tuple[BalanceDetail, ...]
    server_ms: int | None


def read_quote(http_status: int, body: bytes) -> Quote:
    data = _read(http_status, body, _QuoteData)
    if not is_nonce(data.nonce):
        raise VenueError("", "the quote's nonce is malformed", http_status)
    return Quote(data.nonce, data.content, data.expired_at)


def read_order(http_status: int, body: bytes) -> Order:
    data = _read(http_status, body, _OrderData)
    if data.order_id <= 0:
        raise VenueError("", "it says yes and names no withdrawal", http_status)
    return Order(data.order_id, data.status)


def read_records(http_status: int, body: bytes) -> tuple[Record, ...]:
    return tuple(_read(http_status, body, list[Record]))


def read_balance(http_status: int, body: bytes) -> Balance:
    """Of either envelope: `code` 200 of the account group, or `status` ok of the wallet group."""
    data = _read(http_status, body, _BalanceData)
    return Balance(tuple(data.details), msgspec.json.decode(body, type=_Clock).ts)


# --- as they stand on the wire ---------------------------------------------------------------------------------------

T = TypeVar("T")


class _Head(msgspec.Struct, frozen=True, rename="kebab"):
    status: str | int | None = None
    code: int | None = None
    message: str = ""
    error_code: str | None = None
    error_msg: str = ""
    err_code: str | int | None = None
    err_msg: str = ""

    def refusal(self) -> tuple[str, str] | None:
        """Code and text of an error; None where this is a success."""
        if self.status == "ok" or (self.status is None and self.code == _ACCOUNT_SUCCESS):
            return None
        if self.status == "maintain":
            return "maintain", "the venue is under maintenance"
        code = next((code for code in (self.error_code, self.err_code, self.code) if code), "")
        return str(code), self.error_msg or self.err_msg or self.message


class _Envelope(msgspec.Struct, Generic[T], frozen=True):
    data: T


class _Clock(msgspec.Struct, frozen=True):
    ts: int | None = None


class _QuoteData(msgspec.Struct, frozen=True, rename="kebab"):
    nonce: str
    content: str
    expired_at: int


class _OrderData(msgspec.Struct, frozen=True, rename="kebab"):
    order_id: int
    status: OrderStatus


class _BalanceData(msgspec.Struct, frozen=True):
    details: list[BalanceDetail]


def _check_amounts(*amounts: Decimal) -> None:
    for amount in amounts:
        if not amount.is_finite() or abs(amount.adjusted()) > _EXPONENT_MAX:
            raise ValueError(f"not an amount: {str(amount)[:64]}")


def _read(http_status: int, body: bytes, data: type[T]) -> T:
    """The envelope's data. Raises VenueError for an error, and for a reply that is not the venue's."""
    try:
        head = msgspec.json.decode(body, type=_Head)
        refusal = head.refusal()
        if refusal is not None:
            raise VenueError(*refusal, http_status)
        if http_status != HTTPStatus.OK:
            raise VenueError("", "the envelope says yes and the HTTP status does not", http_status)
        return msgspec.json.decode(body, type=_Envelope[data]).data
    except msgspec.DecodeError as error:
        raise VenueError("", f"the reply is no SunX envelope: {error}", http_status) from None
