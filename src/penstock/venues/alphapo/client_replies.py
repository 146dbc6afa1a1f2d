"""AlphaPo's replies and callbacks as the caller's values. Amounts are decimal text.

Reading is lenient where the venue's own samples differ from its words (numbers for text in a row, absent parts of a
callback), and strict where money is: ids, amounts and statuses must be what they are said to be.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from penstock.core.secret import Secret
from penstock.venues import client_reply
from penstock.venues.alphapo.auth import SIGNATURE_HEADER, signature
from penstock.venues.alphapo.records import Status

_OK = frozenset({200, 201})


class VenueError(client_reply.VenueError):
    """code: for what is wrong with fields their names, joined by ",". fields: what was said of each."""

    def __init__(
        self, code: str, message: str, http_status: int, fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, message, http_status)
        self.fields = dict(fields or {})

    @property
    def is_taken(self) -> bool:
        """Whether the foreign_id was used before, be it by this very request on another way."""
        return "already been taken" in self.fields.get("foreign_id", "")


class CallbackRefused(Exception):
    """The callback is not the venue's, or cannot be read. Nothing in it may be believed."""


class Created(msgspec.Struct, frozen=True):
    """A withdrawal that was taken. status: "processing" or "pending". sender_amount: debited, without fees."""

    id: int
    foreign_id: str
    type: str
    status: str
    sender_amount: str
    sender_currency: str
    receiver_amount: str
    receiver_currency: str
    end_user_reference: str | None = None


class Money(msgspec.Struct, frozen=True):
    currency: str
    amount: str


class CryptoAddress(msgspec.Struct, frozen=True):
    currency: str
    address: str
    id: int = 0
    tag: str | int | None = None


class Row(msgspec.Struct, frozen=True):
    """A payment on a chain (transaction_type "blockchain" or "internal"), or an exchange.

    Older samples write amounts as numbers: they are read by their digits.
    """

    transaction_type: str
    currency: str
    amount: Decimal
    id: int = 0
    type: str = ""
    currency_to: str = ""
    amount_to: Decimal | None = None
    address: str = ""
    tag: str | int | None = None
    txid: str | None = None
    confirmations: str | int = "0"


class Fee(msgspec.Struct, frozen=True):
    type: str
    currency: str
    amount: str


class Transaction(msgspec.Struct, frozen=True):
    """What transactions/info and callbacks say. sent, received: None where the venue leaves them out."""

    id: int
    type: str
    status: Status
    foreign_id: str = ""
    end_user_reference: str | None = None
    crypto_address: CryptoAddress | None = None
    currency_sent: Money | None = None
    currency_received: Money | None = None
    transactions: tuple[Row, ...] = ()
    fees: tuple[Fee, ...] = ()
    error: str | None = ""


class Account(msgspec.Struct, frozen=True):
    currency: str
    type: str
    balance: str


class CurrencyLine(msgspec.Struct, frozen=True):
    currency: str
    type: str
    minimum_amount: str
    precision: int | None = None


class PairSide(msgspec.Struct, frozen=True):
    currency: str
    type: str = ""
    min_amount: str | None = None


class Pair(msgspec.Struct, frozen=True):
    """rate_to: units of currency_to for rate_from units of currency_from."""

    currency_from: PairSide
    currency_to: PairSide
    rate_from: str
    rate_to: str


class TakenAddress(msgspec.Struct, frozen=True):
    id: int
    currency: str
    address: str
    foreign_id: str = ""
    tag: str | int | None = None
    convert_to: str | None = None


class Calculation(msgspec.Struct, frozen=True):
    """What an exchange comes to at `price`, which holds from ts_fixed to ts_release, in Unix seconds."""

    sender_currency: str
    sender_amount: str
    receiver_currency: str
    receiver_amount: str
    price: str
    ts_fixed: int
    ts_release: int
    fee_currency: str = ""
    fee_amount: str = "0"


class Exchanged(msgspec.Struct, frozen=True):
    id: int
    foreign_id: str
    sender_currency: str
    sender_amount: str
    receiver_currency: str
    receiver_amount: str
    price: str
    status: str
    fee_currency: str = ""
    fee_amount: str = "0"


def read_created(http_status: int, body: bytes) -> Created:
    """Taken only: what becomes of it is told by `read_transaction`."""
    return _read(http_status, body, Created)


def read_transaction(http_status: int, body: bytes) -> Transaction:
    _refuse_errors(http_status, body)
    return _decoded(http_status, body, Transaction)


def read_accounts(http_status: int, body: bytes) -> tuple[Account, ...]:
    return _read(http_status, body, tuple[Account, ...])


def read_currencies(http_status: int, body: bytes) -> tuple[CurrencyLine, ...]:
    return _read(http_status, body, tuple[CurrencyLine, ...])


def read_pairs(http_status: int, body: bytes) -> tuple[Pair, ...]:
    return _read(http_status, body, tuple[Pair, ...])


def read_address(http_status: int, body: bytes) -> TakenAddress:
    return _read(http_status, body, TakenAddress)


def read_calculation(http_status: int, body: bytes) -> Calculation:
    return _read(http_status, body, Calculation)


def read_exchanged(http_status: int, body: bytes) -> Exchanged:
    return _read(http_status, body, Exchanged)


def read_ping(http_status: int, body: bytes) -> str:
    if http_status not in _OK:
        raise VenueError("", "no OK", http_status)
    return body.decode(errors="replace").strip()


def read_callback(headers: Mapping[str, str], body: bytes, secret: Secret) -> Transaction:
    """A callback as it reached the merchant's own server.

    headers: of the request, names in any case. body: its bytes as they came. secret: the merchant's.
    Raises CallbackRefused unless the signature is right and the body can be read.
    """
    signed = [value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER.lower()]
    if len(signed) != 1 or not _is_signature(signed[0], body, secret):
        raise CallbackRefused("its signature is not the venue's")
    try:
        return _decode(body, Transaction)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CallbackRefused(f"its body is no transaction: {error}") from None


def _is_signature(claimed: str, body: bytes, secret: Secret) -> bool:
    # Apart from what raises: a traceback that shows local variables must not show the right signature.
    return hmac.compare_digest(signature(secret.reveal(), body), claimed.strip().lower().encode())


# --- as they stand on the wire -----------------------------------------------------------------------------

T = TypeVar("T")


class _Envelope(msgspec.Struct, Generic[T], frozen=True):
    data: T


class _Refusal(msgspec.Struct, frozen=True):
    """Either form of error."""

    error: str | None = None
    code: str = ""
    errors: dict[str, str] | None = None


def _read(http_status: int, body: bytes, data: type[T]) -> T:
    """The envelope's data. Raises VenueError for an error, and for a reply that is not the venue's."""
    _refuse_errors(http_status, body)
    return _decoded(http_status, body, _Envelope[data]).data


def _refuse_errors(http_status: int, body: bytes) -> None:
    if http_status in _OK:
        return
    try:
        told = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.DecodeError, RecursionError):
        told = _Refusal()
    if told.errors:
        message = "; ".join(f"{field}: {text}" for field, text in told.errors.items())
        raise VenueError(",".join(told.errors), message, http_status, told.errors)
    if told.error is not None and told.code:
        raise VenueError(told.code, told.error, http_status)
    raise VenueError("", "the reply is no error of AlphaPo's", http_status)


def _decoded(http_status: int, body: bytes, kind: type[T]) -> T:
    try:
        return _decode(body, kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise VenueError("", f"the reply is none of AlphaPo's: {error}", http_status) from None


def _decode(body: bytes, kind: type[T]) -> T:
    return msgspec.json.decode(body, type=kind)
