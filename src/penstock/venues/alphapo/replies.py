"""What AlphaPo's clients read: the data of each endpoint, byte for byte.

Source: AlphaPo docs, "Endpoints"; the sister platform's docs and published clients where those are silent. The order of
members is part of it, because callbacks are signed over their bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from penstock.venues.alphapo.errors import WireError
from penstock.venues.venue import Headers, Reply

JSON_HEADERS: Headers = ((b"content-type", b"application/json"),)
TEXT_HEADERS: Headers = ((b"content-type", b"text/plain; charset=utf-8"),)

OK = 200
CREATED = 201
BAD_REQUEST = 400

encode = msgspec.json.Encoder().encode


class Created(msgspec.Struct, frozen=True):
    """The answer to withdrawal/crypto."""

    id: int
    foreign_id: str
    end_user_reference: str | None
    type: str
    status: str
    amount: str
    sender_amount: str
    sender_currency: str
    receiver_currency: str
    receiver_amount: str


class CryptoAddress(msgspec.Struct, frozen=True):
    id: int
    currency: str
    address: str
    tag: str | None


class Money(msgspec.Struct, frozen=True):
    currency: str
    amount: str


class ChainRow(msgspec.Struct, frozen=True):
    """One payment on a chain."""

    id: int
    currency: str
    transaction_type: str
    type: str
    address: str
    tag: str | None
    amount: str
    txid: str | None
    confirmations: str


class ExchangeRow(msgspec.Struct, frozen=True):
    """One change of one currency into another."""

    id: int
    currency: str
    currency_to: str
    transaction_type: str
    type: str
    amount: str
    amount_to: str


class Fee(msgspec.Struct, frozen=True):
    type: str
    currency: str
    amount: str


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """What transactions/info answers, without an envelope, and what a callback carries."""

    id: int
    foreign_id: str
    end_user_reference: str | msgspec.UnsetType = msgspec.UNSET
    type: str
    crypto_address: CryptoAddress | msgspec.UnsetType = msgspec.UNSET
    currency_sent: Money | msgspec.UnsetType = msgspec.UNSET
    currency_received: Money | msgspec.UnsetType = msgspec.UNSET
    transactions: tuple[ChainRow | ExchangeRow, ...]
    fees: tuple[Fee, ...]
    error: str
    status: str


class Account(msgspec.Struct, frozen=True):
    currency: str
    type: str
    balance: str


class CurrencyLine(msgspec.Struct, frozen=True):
    id: int
    type: str
    currency: str
    minimum_amount: str
    deposit_fee_percent: str
    withdrawal_fee_percent: str
    precision: int


class PairSource(msgspec.Struct, frozen=True):
    currency: str
    type: str
    min_amount: str
    min_amount_deposit_with_exchange: str | msgspec.UnsetType = msgspec.UNSET


class PairTarget(msgspec.Struct, frozen=True):
    currency: str
    type: str


class Pair(msgspec.Struct, frozen=True):
    """rate_to: units of currency_to for rate_from units of currency_from."""

    currency_from: PairSource
    currency_to: PairTarget
    rate_from: str
    rate_to: str


class TakenAddress(msgspec.Struct, frozen=True):
    """tag: an integer where it is one, because a published client reads nothing else."""

    id: int
    currency: str
    convert_to: str | msgspec.UnsetType
    address: str
    tag: int | str | None
    foreign_id: str
    end_user_reference: str | None


class Calculation(msgspec.Struct, frozen=True):
    """ts_fixed, ts_release: Unix seconds between which the price holds."""

    sender_currency: str
    sender_amount: str
    receiver_currency: str
    receiver_amount: str
    fee_currency: str
    fee_amount: str
    price: str
    ts_fixed: int
    ts_release: int
    fix_period: int


class Exchanged(msgspec.Struct, frozen=True):
    id: int
    foreign_id: str
    type: str
    sender_amount: str
    sender_currency: str
    receiver_amount: str
    receiver_currency: str
    fee_amount: str
    fee_currency: str
    price: str
    status: str


def enveloped(data: object, status: int = OK) -> Reply:
    return Reply(status, JSON_HEADERS, b'{"data":%b}' % encode(data))


def bare(transaction: Transaction) -> Reply:
    return Reply(OK, JSON_HEADERS, encode(transaction))


def error(told: WireError, headers: Headers = ()) -> Reply:
    body = encode({"error": told.error, "code": told.code})
    return Reply(told.status, (*JSON_HEADERS, *headers), body)


def invalid(fields: Mapping[str, str], status: int = BAD_REQUEST) -> Reply:
    return Reply(status, JSON_HEADERS, encode({"errors": fields}))
