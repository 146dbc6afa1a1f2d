"""Zoomex's replies as the caller's values. Amounts are decimal text.

Both envelope families are read whichever endpoint answers. Reading is lenient where the venue's tables and samples
differ (a number as text, a member that is missing), and strict where money is: ids, amounts and statuses.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec

from penstock.venues.client_reply import VenueError

SUCCESS = 0


class Record(msgspec.Struct, frozen=True):
    """A withdrawal. amount: what the receiver gets. create_time: seconds; update_time: milliseconds.

    withdraw_type: None in the venue's own sample. chain: "" between accounts.
    """

    withdraw_id: str
    coin: str
    amount: str
    withdraw_fee: str
    status: str
    to_address: str
    create_time: str | int
    update_time: str | int = ""
    chain: str = ""
    tx_id: str = ""
    tag: str = ""
    user_id: str = ""
    withdraw_type: int | str | None = None


class Records(msgspec.Struct, frozen=True):
    """A page. cursor: "" on the last one."""

    rows: list[Record]
    cursor: str = ""


class DepositRecord(msgspec.Struct, frozen=True):
    """A deposit. status: "0" under way, "1" done, "2" failed. Both times in seconds."""

    coin: str
    amount: str
    status: str | int
    type: int | str = 0
    chain: str = ""
    address: str = ""
    tx_id: str = ""
    transaction_id: str = ""
    time: str | int = ""
    create_time: str | int = ""


class DepositRecords(msgspec.Struct, frozen=True):
    rows: list[DepositRecord]
    cursor: str = ""


class WithdrawChain(msgspec.Struct, frozen=True):
    chain: str
    withdraw_min: str
    withdraw_fee: str
    can_withdraw: int
    chain_name: str = ""


class DepositChain(msgspec.Struct, frozen=True):
    chain: str
    can_deposit: int
    chain_name: str = ""
    deposit_min: str = ""
    deposit_confirmation: int | str = ""


class Coin(msgspec.Struct, frozen=True):
    """accuracy: decimals that an amount may have."""

    coin: str
    accuracy: int
    coin_name: str = ""
    deposit_chains: list[DepositChain] = []
    withdraw_chains: list[WithdrawChain] = []


class Asset(msgspec.Struct, frozen=True):
    coin: str
    free: str
    total_balance: str


class Wallet(msgspec.Struct, frozen=True):
    status: str
    assets: list[Asset] = []


class CoinBalance(msgspec.Struct, frozen=True, rename="camel"):
    coin: str
    equity: str
    wallet_balance: str
    usd_value: str = ""
    available_to_withdraw: str = ""
    bonus: str = ""


class AccountBalance(msgspec.Struct, frozen=True, rename="camel"):
    account_type: str
    coin: list[CoinBalance]
    total_equity: str = ""
    total_wallet_balance: str = ""
    total_available_balance: str = ""


class DepositTarget(msgspec.Struct, frozen=True):
    coin: str
    chain: str
    address: str
    tag: str = ""
    contract: str = msgspec.field(name="contractAddress", default="")


def read_withdraw_id(http_status: int, body: bytes) -> str:
    """The id of the withdrawal that was accepted. Accepted only: progress is in its record."""
    return _read(http_status, body, _WithdrawId).withdraw_id


def read_records(http_status: int, body: bytes) -> Records:
    return _read(http_status, body, Records)


def read_deposit_records(http_status: int, body: bytes) -> DepositRecords:
    return _read(http_status, body, DepositRecords)


def read_coins(http_status: int, body: bytes) -> tuple[Coin, ...]:
    return tuple(_read(http_status, body, _Coins).rows)


def read_asset_info(http_status: int, body: bytes) -> Wallet:
    """Of the one wallet that was asked for."""
    found = _read(http_status, body, _Wallets)
    wallet = found.spot if found.fund is None else found.fund
    if wallet is None:
        raise VenueError(0, "the reply holds no wallet", http_status)
    return wallet


def read_wallet_balance(http_status: int, body: bytes) -> tuple[AccountBalance, ...]:
    return tuple(_read(http_status, body, _Accounts).accounts)


def read_deposit_addresses(http_status: int, body: bytes) -> tuple[DepositTarget, ...]:
    return tuple(_read(http_status, body, _DepositTargets).addresses)


def read_market_time(http_status: int, body: bytes) -> int:
    """Unix milliseconds."""
    nano = _read(http_status, body, _MarketTime).timeNano
    if not (nano.isascii() and nano.isdecimal()):
        raise VenueError(0, "the time is no number", http_status)
    return int(nano) // 1_000_000


# --- as they stand on the wire -----------------------------------------------------------------------------

T = TypeVar("T", bound=msgspec.Struct)


class _Head(msgspec.Struct, frozen=True):
    """Of either family; one of the two codes is there."""

    retCode: int | None = None  # noqa: N815 - the venue's name
    ret_code: int | None = None
    retMsg: str = ""  # noqa: N815 - as above
    ret_msg: str = ""


class _Envelope(msgspec.Struct, Generic[T], frozen=True):
    result: T


class _WithdrawId(msgspec.Struct, frozen=True):
    withdraw_id: str


class _Coins(msgspec.Struct, frozen=True):
    rows: list[Coin]


class _Wallets(msgspec.Struct, frozen=True):
    spot: Wallet | None = None
    fund: Wallet | None = None


class _Accounts(msgspec.Struct, frozen=True):
    accounts: list[AccountBalance] = msgspec.field(name="list")


class _DepositTargets(msgspec.Struct, frozen=True):
    addresses: list[DepositTarget]


class _MarketTime(msgspec.Struct, frozen=True):
    timeNano: str  # noqa: N815 - the venue's name


def _read(http_status: int, body: bytes, result: type[T]) -> T:
    """The envelope's result. Raises VenueError for an error, and for a reply that is not the venue's."""
    try:
        head = msgspec.json.decode(body, type=_Head)
        code = head.ret_code if head.retCode is None else head.retCode
        if code is None:
            raise VenueError(0, "the reply is no Zoomex envelope: it holds no code", http_status)
        if code != SUCCESS:
            raise VenueError(code, head.retMsg or head.ret_msg, http_status)
        if http_status != HTTPStatus.OK:
            raise VenueError(0, "the envelope says yes and the HTTP status does not", http_status)
        return msgspec.json.decode(body, type=_Envelope[result]).result
    except msgspec.DecodeError as error:
        raise VenueError(0, f"the reply is no Zoomex envelope: {error}", http_status) from None
