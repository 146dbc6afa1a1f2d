"""edgeX's replies as the caller's values. Amounts are decimal text.

Reading is lenient about members that nothing depends on, and strict where money is: the envelope, ids, amounts and
statuses must be what they are said to be.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec

from penstock.venues.client_reply import VenueError

SUCCESS = "SUCCESS"
_HEX_BASE = 16


class Status(StrEnum):
    """Of a withdrawal (edgeX docs, "Withdraw API")."""

    UNKNOWN = "UNKNOWN_WITHDRAW_STATUS"
    PENDING = "PENDING_CENSORING"
    CENSORED = "SUCCESS_CENSOR_SUCCESS"
    APPROVED = "SUCCESS_L2_APPROVED"
    CENSOR_FAILED = "FAILED_CENSOR_FAILURE"
    REJECTED = "FAILED_L2_REJECT"
    REJECTION_APPROVED = "FAILED_L2_REJECT_APPROVED"
    UNRECOGNIZED = "UNRECOGNIZED"


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """A withdrawal. created_time: Unix milliseconds as text. Reasons are "" unless it failed."""

    id: str
    coin_id: str
    amount: str
    eth_address: str
    client_withdraw_id: str
    l2_nonce: str
    status: Status
    created_time: str
    censor_fail_reason: str = ""
    l2_reject_reason: str = ""


class Layer1Transaction(msgspec.Struct, frozen=True, rename="camel"):
    hash: str = ""


class NormalRecord(msgspec.Struct, frozen=True, rename="camel"):
    """The asset service's view of a withdrawal: the transaction that paid it, once that is final."""

    id: str
    l1_confirmed_tx: Layer1Transaction | None = None

    @property
    def tx_hash(self) -> str:
        return "" if self.l1_confirmed_tx is None else self.l1_confirmed_tx.hash


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """next_page_offset_data: what the next page is asked for with, "" on the last one."""

    data_list: tuple[Record, ...]
    next_page_offset_data: str = ""


class Collateral(msgspec.Struct, frozen=True, rename="camel"):
    """What an account has of a coin."""

    coin_id: str
    total_equity: str
    available_amount: str


class CoinFacts(msgspec.Struct, frozen=True):
    """What must be known of a coin to withdraw it.

    decimals: of an amount. contract: of the token that is paid out, on the chain that layer 2 settles on. minimum: as
    the venue says it, None where it is another coin's.
    """

    coin_id: str
    name: str
    stark_asset_id: int
    decimals: int
    contract: str
    chain: str
    chain_id: str
    minimum: str | None
    withdraw_enabled: bool


def read_withdraw_id(http_status: int, body: bytes) -> str:
    """The id of the withdrawal that was accepted. Accepted only: progress is in its record."""
    return _read(http_status, body, _WithdrawId).withdraw_id


def read_records(http_status: int, body: bytes) -> tuple[Record, ...]:
    return _read(http_status, body, tuple[Record, ...])


def read_normal_records(http_status: int, body: bytes) -> tuple[NormalRecord, ...]:
    return _read(http_status, body, tuple[NormalRecord, ...])


def read_page(http_status: int, body: bytes) -> Page:
    return _read(http_status, body, Page)


def read_collateral(http_status: int, body: bytes) -> tuple[Collateral, ...]:
    return _read(http_status, body, _AccountAsset).collateral_asset_model_list


def read_server_time(http_status: int, body: bytes) -> int:
    """Unix milliseconds."""
    return int(_read(http_status, body, _ServerTime).time_millis)


def read_anything(http_status: int, body: bytes) -> object:
    """The data as plain objects, lists and text, for a call that is passed through."""
    return msgspec.json.decode(_read(http_status, body, msgspec.Raw))


def read_coins(http_status: int, body: bytes) -> tuple[CoinFacts, ...]:
    """Every coin that layer 2 keeps and that has a token on the chain where it settles."""
    found = _read(http_status, body, _MetaData)
    settled_on = found.global_data.stark_ex_chain_id
    chain_id = str(int(settled_on, _HEX_BASE)) if settled_on else ""
    chain = next((one for one in found.multi_chain.chain_list if one.chain_id == chain_id), None)
    if chain is None:
        return ()
    facts = (_facts(coin, chain, found.multi_chain) for coin in found.coin_list)
    return tuple(one for one in facts if one is not None)


# --- as they stand on the wire -----------------------------------------------------------------------------

T = TypeVar("T")


class _Head(msgspec.Struct, frozen=True, rename="camel"):
    code: str
    msg: str | None = None
    trace_id: str | None = None


class _Envelope(msgspec.Struct, Generic[T], frozen=True):
    data: T


class _WithdrawId(msgspec.Struct, frozen=True, rename="camel"):
    withdraw_id: str


class _ServerTime(msgspec.Struct, frozen=True, rename="camel"):
    time_millis: str


class _AccountAsset(msgspec.Struct, frozen=True, rename="camel"):
    collateral_asset_model_list: tuple[Collateral, ...]


class _Coin(msgspec.Struct, frozen=True, rename="camel"):
    coin_id: str
    coin_name: str
    stark_ex_asset_id: str | None = None
    stark_ex_resolution: str | None = None


class _Token(msgspec.Struct, frozen=True, rename="camel"):
    token: str
    token_address: str
    withdraw_enable: bool = True


class _Chain(msgspec.Struct, frozen=True, rename="camel"):
    chain: str
    chain_id: str
    token_list: tuple[_Token, ...] = ()


class _MultiChain(msgspec.Struct, frozen=True, rename="camel"):
    coin_id: str = ""
    min_withdraw: str = ""
    chain_list: tuple[_Chain, ...] = ()


class _Global(msgspec.Struct, frozen=True, rename="camel"):
    stark_ex_chain_id: str = ""


class _MetaData(msgspec.Struct, frozen=True, rename={"global_data": "global"}):
    global_data: _Global
    coin_list: tuple[_Coin, ...] = msgspec.field(name="coinList")
    multi_chain: _MultiChain = msgspec.field(name="multiChain")


def _facts(coin: _Coin, chain: _Chain, multi_chain: _MultiChain) -> CoinFacts | None:
    if not coin.stark_ex_asset_id or not coin.stark_ex_resolution:
        return None
    # The main net's collateral is called USD and is paid out in the only token there is.
    named = [token for token in chain.token_list if token.token == coin.coin_name] or chain.token_list
    if len(named) != 1:
        return None
    resolution = int(coin.stark_ex_resolution, _HEX_BASE)
    decimals = len(str(resolution)) - 1
    if resolution != 10**decimals:
        raise ValueError(f"the resolution of {coin.coin_name[:32]} is no power of ten")
    is_its_minimum = multi_chain.coin_id == coin.coin_id and multi_chain.min_withdraw
    return CoinFacts(
        coin_id=coin.coin_id,
        name=coin.coin_name,
        stark_asset_id=int(coin.stark_ex_asset_id, _HEX_BASE),
        decimals=decimals,
        contract=named[0].token_address,
        chain=chain.chain,
        chain_id=chain.chain_id,
        minimum=multi_chain.min_withdraw if is_its_minimum else None,
        withdraw_enabled=named[0].withdraw_enable,
    )


def _read(http_status: int, body: bytes, data: type[T]) -> T:
    """The envelope's data. Raises VenueError for an error, and for a reply that is not the venue's."""
    try:
        head = msgspec.json.decode(body, type=_Head)
        if head.code == SUCCESS and http_status != HTTPStatus.OK:
            raise VenueError("", "the envelope says yes and the HTTP status does not", http_status)
        if head.code != SUCCESS:
            raise VenueError(head.code, head.msg or "", http_status, head.trace_id or "")
        return msgspec.json.decode(body, type=_Envelope[data]).data
    except msgspec.DecodeError as error:
        raise VenueError("", f"the reply is no edgeX envelope: {error}", http_status) from None
