"""BitMart's replies as the caller's values. Amounts are decimal text.

Reading is lenient where the venue's own samples differ from its words (an absent memo, a null remark), and
strict where money is: the envelope, ids, amounts and statuses must be what they are said to be.
"""

from __future__ import annotations

from enum import IntEnum
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec

from penstock.core.acts import AddressKind
from penstock.venues.bitmart.client_requests import Operation
from penstock.venues.bitmart.replies import ADDRESS_TYPES
from penstock.venues.client_reply import VenueError

SUCCESS = 1000
_KINDS = {wire: kind for kind, wire in ADDRESS_TYPES.items()}


class Status(IntEnum):
    """Of a withdrawal or deposit (BitMart spot docs, "Get Deposit And Withdraw History")."""

    CREATED = 0
    SUBMITTED = 1
    PROCESSING = 2
    DONE = 3
    CANCELLED = 4
    FAILED = 5


class Charge(msgspec.Struct, frozen=True):
    """Amounts in the coin. quota_bitcoin: the rest of today's quota, in BTC. precision: decimals allowed."""

    quota_bitcoin: str = msgspec.field(name="today_available_withdraw_BTC")
    minimum: str = msgspec.field(name="min_withdraw")
    precision: int = msgspec.field(name="withdraw_precision")
    fee: str = msgspec.field(name="withdraw_fee")
    multiple: int | None = msgspec.field(name="withdraw_Precision_GeTen", default=None)


class Balance(msgspec.Struct, frozen=True):
    """held: neither available nor gone, pending withdrawals among it. usd: a valuation, if asked for."""

    currency: str
    name: str
    available: str
    held: str
    usd: str | None = None


class DepositAddress(msgspec.Struct, frozen=True):
    currency: str
    chain: str
    address: str
    memo: str = msgspec.field(name="address_memo", default="")


class Record(msgspec.Struct, frozen=True):
    """A withdrawal or a deposit. arrival: what the receiver gets; the gross amount is arrival + fee."""

    record_id: str
    operation: Operation
    currency: str
    applied_ms: int
    arrival: str
    fee: str
    status: Status
    address: str
    memo: str
    tx_id: str


class BookAddress(msgspec.Struct, frozen=True):
    currency: str
    network: str
    address: str
    memo: str
    remark: str
    kind: AddressKind
    verified: bool


class Currency(msgspec.Struct, frozen=True):
    """minimum and fee in the coin, None where the venue does not say."""

    currency: str
    name: str
    contract: str | None = msgspec.field(name="contract_address", default=None)
    network: str | None = None
    withdraw_enabled: bool = False
    deposit_enabled: bool = False
    minimum: str | None = msgspec.field(name="withdraw_minsize", default=None)
    fee: str | None = msgspec.field(name="withdraw_fee", default=None)


def read_withdraw_id(http_status: int, body: bytes) -> str:
    """The id of the withdrawal that was accepted. Accepted only: progress is in its record."""
    return _read(http_status, body, _WithdrawId).withdraw_id


def read_charge(http_status: int, body: bytes) -> Charge:
    return _read(http_status, body, Charge)


def read_account_wallet(http_status: int, body: bytes) -> tuple[Balance, ...]:
    rows = _read(http_status, body, _AccountWallet).wallet
    return tuple(
        Balance(row.currency, row.name, row.available, row.unavailable, row.available_usd_valuation)
        for row in rows
    )


def read_spot_wallet(http_status: int, body: bytes) -> tuple[Balance, ...]:
    rows = _read(http_status, body, _SpotWallet).wallet
    return tuple(Balance(row.id, row.name, row.available, row.frozen) for row in rows)


def read_deposit_address(http_status: int, body: bytes) -> DepositAddress:
    return _read(http_status, body, DepositAddress)


def read_history(http_status: int, body: bytes) -> tuple[Record, ...]:
    return tuple(_record(row) for row in _read(http_status, body, _Records).records)


def read_detail(http_status: int, body: bytes) -> Record:
    return _record(_read(http_status, body, _OneRecord).record)


def read_address_list(http_status: int, body: bytes) -> tuple[BookAddress, ...]:
    rows = _read(http_status, body, _BookAddresses).entries
    if any(row.addressType not in _KINDS for row in rows):
        raise VenueError(0, "an address of an unknown type", http_status)
    return tuple(
        BookAddress(
            row.currency or "",
            row.network or "",
            row.address,
            row.memo or "",
            row.remark or "",
            _KINDS[row.addressType],
            row.verifyStatus == 1,
        )
        for row in rows
    )


def read_currencies(http_status: int, body: bytes) -> tuple[Currency, ...]:
    return tuple(_read(http_status, body, _Currencies).currencies)


def read_server_time(http_status: int, body: bytes) -> int:
    """Unix milliseconds."""
    return _read(http_status, body, _ServerTime).server_time


# --- as they stand on the wire -----------------------------------------------------------------------------

T = TypeVar("T", bound=msgspec.Struct)


class _Head(msgspec.Struct, frozen=True):
    code: int
    message: str = ""
    trace: str = ""


class _Envelope(msgspec.Struct, Generic[T], frozen=True):
    data: T


class _WithdrawId(msgspec.Struct, frozen=True):
    withdraw_id: str


class _AccountRow(msgspec.Struct, frozen=True):
    currency: str
    name: str
    available: str
    unavailable: str = msgspec.field(name="unAvailable")
    available_usd_valuation: str | None = None


class _AccountWallet(msgspec.Struct, frozen=True):
    wallet: list[_AccountRow]


class _SpotRow(msgspec.Struct, frozen=True):
    id: str
    name: str
    available: str
    frozen: str


class _SpotWallet(msgspec.Struct, frozen=True):
    wallet: list[_SpotRow]


class _RecordRow(msgspec.Struct, frozen=True):
    operation_type: Operation
    currency: str
    apply_time: int
    arrival_amount: str
    fee: str
    status: Status
    address: str
    withdraw_id: str = ""
    deposit_id: str = ""
    address_memo: str | None = None
    tx_id: str | None = None


class _Records(msgspec.Struct, frozen=True):
    records: list[_RecordRow]


class _OneRecord(msgspec.Struct, frozen=True):
    record: _RecordRow


class _BookRow(msgspec.Struct, frozen=True):
    address: str
    addressType: int  # noqa: N815 - the venue's name
    verifyStatus: int  # noqa: N815 - the venue's name
    currency: str | None = None
    network: str | None = None
    memo: str | None = None
    remark: str | None = None


class _BookAddresses(msgspec.Struct, frozen=True):
    entries: list[_BookRow] = msgspec.field(name="list")


class _Currencies(msgspec.Struct, frozen=True):
    currencies: list[Currency]


class _ServerTime(msgspec.Struct, frozen=True):
    server_time: int


def _record(row: _RecordRow) -> Record:
    return Record(
        record_id=row.withdraw_id or row.deposit_id,
        operation=row.operation_type,
        currency=row.currency,
        applied_ms=row.apply_time,
        arrival=row.arrival_amount,
        fee=row.fee,
        status=row.status,
        address=row.address,
        memo=row.address_memo or "",
        tx_id=row.tx_id or "",
    )


def _read(http_status: int, body: bytes, data: type[T]) -> T:
    """The envelope's data. Raises VenueError for an error, and for a reply that is not the venue's."""
    try:
        head = msgspec.json.decode(body, type=_Head)
        if head.code == SUCCESS and http_status != HTTPStatus.OK:
            raise VenueError(0, "the envelope says yes and the HTTP status does not", http_status, head.trace)
        if head.code != SUCCESS:
            raise VenueError(head.code, head.message, http_status, head.trace)
        return msgspec.json.decode(body, type=_Envelope[data]).data
    except msgspec.DecodeError as error:
        text = f"the reply is no BitMart envelope: {error}"
        raise VenueError(0, text, http_status) from None
