"""What SunX's clients read: the two envelopes, and the data of each endpoint made from core views.

Source: SunX docs, the pages of the four calls; HTX, "Search for Existed Withdraws and Deposits", for the fields of a
record; the Go client Hongssd/mysunxapi for the types of the balance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from penstock.core.amounts import format_units
from penstock.core.catalogue import Catalogue
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import AccountView, BalanceView, DepositView, WithdrawalView
from penstock.venues.sunx.currencies import write
from penstock.venues.sunx.errors import WireError
from penstock.venues.venue import Reply

JSON_HEADERS = ((b"content-type", b"application/json"),)
WALLET = "spot"
"""Which of an account's wallets this venue knows: it has one."""
BALANCE_ASSET = "USDT"

Word = Literal["Verifying", "Processing", "Failed"]

STATES: dict[State, tuple[str, Word]] = {
    State.CHALLENGED: ("verifying", "Verifying"),
    State.AWAITING_APPROVAL: ("reexamine", "Verifying"),
    State.HELD: ("pass", "Processing"),
    State.APPROVED: ("pass", "Processing"),
    State.PLANNED: ("pre-transfer", "Processing"),
    State.SIGNED: ("pre-transfer", "Processing"),
    State.SENT: ("wallet-transfer", "Processing"),
    State.MINED: ("wallet-transfer", "Processing"),
    # Both may still be paid, so a client must go on waiting.
    State.IN_DOUBT: ("wallet-transfer", "Processing"),
    State.QUARANTINED: ("wallet-transfer", "Processing"),
    # A confirmation repeated after the payment: the venue has no word of its own for it.
    State.CONFIRMED: ("confirmed", "Processing"),
    State.REJECTED: ("reject", "Failed"),
    State.CANCELLED: ("canceled", "Failed"),
    State.EXPIRED: ("repealed", "Failed"),
    State.FAILED: ("wallet-reject", "Failed"),
}
"""The record's `state`, and the word with which confirm is answered."""
assert STATES.keys() == set(State)

_BEFORE_BROADCAST = frozenset({"verifying", "reexamine", "pass", "pre-transfer"})
_WITH_REASON = frozenset({"reject", "wallet-reject"})


class Quote(msgspec.Struct, frozen=True, rename="kebab"):
    nonce: str
    content: str
    expired_at: int


class Order(msgspec.Struct, frozen=True, rename="kebab"):
    order_id: int
    status: Word


class Record(msgspec.Struct, frozen=True, rename="kebab"):
    """A deposit or a withdrawal. amount, fee: numbers, written as plain decimals."""

    id: int
    type: Literal["deposit", "withdraw"]
    sub_type: Literal["NORMAL", "FAST"]
    currency: str
    chain: str
    tx_hash: str
    amount: msgspec.Raw
    fee: msgspec.Raw
    from_addr_tag: str
    address: str
    address_id: int
    address_tag: str
    state: str
    created_at: int
    updated_at: int
    error_code: str | msgspec.UnsetType = msgspec.UNSET
    error_msg: str | msgspec.UnsetType = msgspec.UNSET
    wallet_confirm: int | msgspec.UnsetType = msgspec.UNSET


class BalanceDetail(msgspec.Struct, frozen=True):
    """One currency. There are no positions here, so margins are 0 and all that is available can be withdrawn."""

    currency: str
    equity: str
    available: str
    available_margin: str
    withdraw_available: str
    created_time: int
    updated_time: int
    profit_unreal: str = "0"
    initial_margin: str = "0"
    maintenance_margin: str = "0"
    maintenance_margin_rate: str = "0"
    initial_margin_rate: str = "0"
    voucher: str = "0"
    voucher_value: str = "0"


class Balance(msgspec.Struct, frozen=True):
    equity: str
    available_margin: str
    created_time: int
    updated_time: int
    details: tuple[BalanceDetail, ...]
    state: str = "normal"
    initial_margin: str = "0"
    maintenance_margin: str = "0"
    maintenance_margin_rate: str = "0"
    profit_unreal: str = "0"
    voucher_value: str = "0"


class Envelopes:
    """Wraps data and errors. now_ms: for the time that errors and balances carry."""

    def __init__(self, now_ms: Callable[[], UnixMs]) -> None:
        self._now_ms = now_ms
        self._encode = msgspec.json.Encoder().encode

    def ok(self, data: msgspec.Struct | list[Record]) -> Reply:
        """The wallet group's. Its clients take any `error-code` at the top for a failure, so there is none."""
        return Reply(200, JSON_HEADERS, b'{"status":"ok","data":%b}' % self._encode(data))

    def success(self, data: msgspec.Struct) -> Reply:
        """The account group's."""
        body = b'{"code":200,"message":"Success","data":%b,"ts":%d}'
        return Reply(200, JSON_HEADERS, body % (self._encode(data), self._now_ms()))

    def error(self, error: WireError) -> Reply:
        """Code and text stand twice: SunX says error-code and error-msg, clients made for HTX look for err-*."""
        code, message = self._encode(error.code), self._encode(error.message)
        body = b'{"status":"error","error-code":%b,"error-msg":%b,"err-code":%b,"err-msg":%b,"data":null,"ts":%d}'
        return Reply(error.status, JSON_HEADERS, body % (code, message, code, message, self._now_ms()))

    def maintenance(self) -> Reply:
        """Nothing was done; later it may be."""
        return Reply(503, JSON_HEADERS, b'{"status":"maintain"}')


class RecordWriter:
    """Core views as the venue's records."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def withdrawal(self, view: WithdrawalView) -> Record:
        """tx-hash is "" until the bytes were offered to a node, and never begins with 0x."""
        currency, chain = write(view.asset, view.network)
        state, _ = STATES[view.state]
        explained = state in _WITH_REASON
        return Record(
            id=view.number,
            type="withdraw",
            sub_type="NORMAL",
            currency=currency,
            chain=chain,
            tx_hash="" if state in _BEFORE_BROADCAST else view.tx_hash.removeprefix("0x"),
            amount=self._number(view.asset, view.net),
            fee=self._number(view.asset, view.fee),
            from_addr_tag="",
            address=view.address,
            address_id=0,
            address_tag=view.memo,
            state=state,
            created_at=view.created_ms,
            updated_at=view.updated_ms,
            error_code=state if explained else msgspec.UNSET,
            error_msg=view.reason if explained else msgspec.UNSET,
        )

    def deposit(self, view: DepositView) -> Record:
        """A deposit is told once it is credited, which is after its network's confirmations."""
        currency, chain = write(view.asset, view.network)
        network = self._catalogue.networks.get(view.network)
        return Record(
            id=view.deposit_id,
            type="deposit",
            sub_type="FAST" if view.internal else "NORMAL",
            currency=currency,
            chain=chain,
            tx_hash="" if view.internal else view.tx_id.removeprefix("0x"),
            amount=self._number(view.asset, view.amount),
            fee=self._number(view.asset, 0),
            from_addr_tag="",
            address=view.address,
            address_id=0,
            address_tag="",
            state="safe",
            created_at=view.created_ms,
            updated_at=view.created_ms,
            wallet_confirm=0 if network is None or view.internal else network.confirmations,
        )

    def balance(self, account: AccountView, rows: list[BalanceView], now_ms: UnixMs) -> Balance:
        """Of the one currency this venue has. equity counts what is held for withdrawals under way."""
        scale = self._catalogue.scale(BALANCE_ASSET)
        row = next((row for row in rows if row.wallet == WALLET and row.asset == BALANCE_ASSET), None)
        free = format_units(row.available if row else 0, scale)
        equity = format_units(row.available + row.held if row else 0, scale)
        detail = BalanceDetail(BALANCE_ASSET, equity, free, free, free, account.created_ms, now_ms)
        return Balance(equity, free, account.created_ms, now_ms, (detail,))

    def _number(self, asset: str, units: int) -> msgspec.Raw:
        return msgspec.Raw(format_units(units, self._catalogue.scale(asset)).encode())
