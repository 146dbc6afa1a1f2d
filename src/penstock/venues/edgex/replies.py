"""What edgeX's clients read: the envelope, and the data of the calls around a withdrawal.

Source: edgeX docs, "Withdraw API", "Account API" and their data models. The kind of every member is kept even where it
is empty, because the venue's Go client fails on [] where an object is due.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from penstock.core.amounts import format_units_fixed
from penstock.core.time import UnixMs
from penstock.core.views import AccountView, BalanceView, KeyView
from penstock.venues.edgex import stark
from penstock.venues.edgex.coins import ServedCoin
from penstock.venues.edgex.create import WALLETS
from penstock.venues.edgex.errors import WireError
from penstock.venues.edgex.records import NormalWithdraw, Withdraw
from penstock.venues.venue import Headers, Reply

JSON_HEADERS: Headers = ((b"content-type", b"application/json"),)
_ZERO = "0"


class ServerTime(msgspec.Struct, frozen=True, rename="camel"):
    time_millis: str


class WithdrawId(msgspec.Struct, frozen=True, rename="camel"):
    withdraw_id: str


class AvailableAmount(msgspec.Struct, frozen=True, rename="camel"):
    available_amount: str


class WithdrawPage(msgspec.Struct, frozen=True, rename="camel"):
    """next_page_offset_data: "" on the last page."""

    data_list: list[Withdraw]
    next_page_offset_data: str


class TradeSetting(msgspec.Struct, frozen=True, rename="camel"):
    """Of trading, which is not served: nothing is set."""

    is_set_fee_rate: bool = False
    taker_fee_rate: str = _ZERO
    maker_fee_rate: str = _ZERO
    is_set_fee_discount: bool = False
    taker_fee_discount: str = _ZERO
    maker_fee_discount: str = _ZERO
    is_set_max_leverage: bool = False
    max_leverage: str = _ZERO


class Account(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """l2_key and its y: 0x and hex digits, not padded; y "" where it was never told."""

    id: str
    user_id: str
    eth_address: str
    l2_key: str
    l2_key_y_coordinate: str
    client_account_id: str = "main"
    is_system_account: bool = False
    default_trade_setting: TradeSetting = TradeSetting()
    contract_id_to_trade_setting: dict[str, TradeSetting] = {}
    max_leverage_limit: str = _ZERO
    create_order_per_minute_limit: int = 0
    create_order_delay_millis: int = 0
    extra_type: str = ""
    extra_data_json: str = ""
    status: str
    is_liquidating: bool = False
    created_time: str
    updated_time: str


class Collateral(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """amount: what the account owns, pending withdrawals included. The sums over its history are not kept here."""

    user_id: str
    account_id: str
    coin_id: str
    amount: str
    legacy_amount: str
    cum_deposit_amount: str = _ZERO
    cum_withdraw_amount: str = _ZERO
    cum_transfer_in_amount: str = _ZERO
    cum_transfer_out_amount: str = _ZERO
    cum_position_buy_amount: str = _ZERO
    cum_position_sell_amount: str = _ZERO
    cum_fill_fee_amount: str = _ZERO
    cum_funding_fee_amount: str = _ZERO
    cum_fill_fee_income_amount: str = _ZERO
    created_time: str
    updated_time: str


class CollateralAsset(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    user_id: str
    account_id: str
    coin_id: str
    total_equity: str
    total_position_value_abs: str = _ZERO
    initial_margin_requirement: str = _ZERO
    stark_ex_risk_value: str = _ZERO
    pending_withdraw_amount: str
    pending_transfer_out_amount: str = _ZERO
    order_frozen_amount: str = _ZERO
    available_amount: str


class AccountAsset(msgspec.Struct, frozen=True, rename="camel"):
    """Positions and oracle prices belong to trading: always empty."""

    account: Account
    collateral_list: list[Collateral]
    position_list: tuple[str, ...]
    version: str
    position_asset_list: tuple[str, ...]
    collateral_asset_model_list: list[CollateralAsset]
    oracle_price_list: tuple[str, ...]


Data = msgspec.Struct | list[Withdraw] | list[NormalWithdraw] | msgspec.Raw


class Envelopes:
    """Wraps data and errors.

    new_trace: a random UUID as text for each reply. now_ms: for the time of the reply, and of the request where an
    error is written that belongs to none.
    """

    def __init__(self, new_trace: Callable[[], str], now_ms: Callable[[], UnixMs]) -> None:
        self._new_trace = new_trace
        self._now_ms = now_ms
        self._encode = msgspec.json.Encoder().encode

    def ok(self, data: Data, requested_ms: int) -> Reply:
        body = b'{"code":"SUCCESS","data":%b,"msg":null,"errorParam":null,%b}'
        return Reply(200, JSON_HEADERS, body % (self._encode(data), self._end(requested_ms)))

    def error(
        self,
        error: WireError,
        value: str | None = None,
        requested_ms: int | None = None,
        headers: Headers = (),
    ) -> Reply:
        """value: what was wrong, as it came; None where the text says it all."""
        text = error.text if value is None else f"{error.text} : {value}"
        if "%s" in error.text:
            text = error.text % value
        named = {error.field: value} if error.field and value is not None else None
        body = b'{"code":%b,"data":null,"msg":%b,"errorParam":%b,%b}'
        parts = (self._encode(error.code), self._encode(text), self._encode(named), self._end(requested_ms))
        return Reply(error.status, JSON_HEADERS + headers, body % parts)

    def _end(self, requested_ms: int | None) -> bytes:
        now_ms = self._now_ms()
        trace = self._new_trace().replace("-", "").encode()
        end = b'"requestTime":"%d","responseTime":"%d","traceId":"%b"'
        return end % (now_ms if requested_ms is None else requested_ms, now_ms, trace)


# --- an account and what it has ------------------------------------------------------------------------------


def account(view: AccountView, key: KeyView) -> Account:
    """key: the account's own, which holds its address and its layer 2 key."""
    public_key = stark.read_public_key(key.secret)
    assert public_key is not None, "it has just verified a signature"
    return Account(
        id=key.key_id,
        user_id=str(view.account_id),
        eth_address=key.passphrase,
        l2_key=hex(public_key.x),
        l2_key_y_coordinate="" if public_key.y is None else hex(public_key.y),
        status="DISABLED" if view.frozen or not view.may_withdraw else "NORMAL",
        created_time=str(view.created_ms),
        updated_time=str(view.created_ms),
    )


def available_amount(coin: ServedCoin, rows: list[BalanceView]) -> AvailableAmount:
    return AvailableAmount(_text(coin, _balance(coin, rows)[0]))


def account_asset(coins: tuple[ServedCoin, ...], owner: Account, rows: list[BalanceView]) -> AccountAsset:
    """Every coin served, owned or not."""
    owned: list[Collateral] = []
    models: list[CollateralAsset] = []
    for coin in coins:
        available, held = _balance(coin, rows)
        total = _text(coin, available + held)
        ids = {"user_id": owner.user_id, "account_id": owner.id, "coin_id": coin.coin.coin_id}
        owned.append(
            Collateral(
                **ids,
                amount=total,
                legacy_amount=total,
                created_time=owner.created_time,
                updated_time=owner.updated_time,
            )
        )
        models.append(
            CollateralAsset(
                **ids,
                total_equity=total,
                pending_withdraw_amount=_text(coin, held),
                available_amount=_text(coin, available),
            )
        )
    return AccountAsset(owner, owned, (), _ZERO, (), models, ())


def _balance(coin: ServedCoin, rows: list[BalanceView]) -> tuple[int, int]:
    """What can be spent and what is held, in the ledger's units, in the wallets that withdrawals are paid from."""
    mine = [row for row in rows if row.asset == coin.coin.asset and row.wallet in WALLETS]
    return max((row.available for row in mine), default=0), sum(row.held for row in mine)


def _text(coin: ServedCoin, units: int) -> str:
    return format_units_fixed(coin.quanta(units), coin.coin.decimals)
