"""Withdrawals as edgeX shows them: the trade service's Withdraw and the asset service's NormalWithdraw.

Source: edgeX docs, "Withdraw API", data models and statuses. Here one withdrawal is both, under one id.
"""

from __future__ import annotations

import hashlib

import msgspec

from penstock.core.amounts import format_units_fixed
from penstock.core.catalogue import Catalogue
from penstock.core.states import FINAL_STATES, State
from penstock.core.views import KeyView, WithdrawalView
from penstock.venues.edgex.coins import ServedCoins
from penstock.venues.edgex.create import Echo
from penstock.venues.edgex.l2 import nonce_of

PENDING = "PENDING_CENSORING"
CENSORED = "SUCCESS_CENSOR_SUCCESS"
APPROVED = "SUCCESS_L2_APPROVED"
CENSOR_FAILED = "FAILED_CENSOR_FAILURE"
REJECTED = "FAILED_L2_REJECT"
REJECTION_APPROVED = "FAILED_L2_REJECT_APPROVED"

WRITTEN: dict[State, str] = {
    State.CHALLENGED: PENDING,
    State.HELD: PENDING,
    State.AWAITING_APPROVAL: PENDING,
    State.APPROVED: PENDING,
    State.PLANNED: PENDING,
    # Set aside before anything was signed; afterwards it is CENSORED (see `status_of`).
    State.QUARANTINED: PENDING,
    State.SIGNED: CENSORED,
    State.SENT: CENSORED,
    State.MINED: CENSORED,
    State.IN_DOUBT: CENSORED,
    State.CONFIRMED: APPROVED,
    State.REJECTED: CENSOR_FAILED,
    State.CANCELLED: CENSOR_FAILED,
    State.EXPIRED: CENSOR_FAILED,
    # The failure is booked when its block is final, which is when the venue calls a rejection approved.
    State.FAILED: REJECTION_APPROVED,
}
assert WRITTEN.keys() == set(State)

NORMAL: dict[State, str] = {
    State.CHALLENGED: "NORMAL_WITHDRAW_PENDING_RISK_CHECKING",
    State.HELD: "NORMAL_WITHDRAW_PENDING_RISK_CHECKING",
    State.AWAITING_APPROVAL: "NORMAL_WITHDRAW_PENDING_RISK_CHECKING",
    State.APPROVED: "NORMAL_WITHDRAW_PENDING_TRADE_PROCESSING",
    State.PLANNED: "NORMAL_WITHDRAW_PENDING_TRADE_PROCESSING",
    State.SIGNED: "NORMAL_WITHDRAW_PENDING_L2_APPROVING",
    State.SENT: "NORMAL_WITHDRAW_PENDING_L1_CONFIRMING",
    State.MINED: "NORMAL_WITHDRAW_PENDING_L1_CONFIRMING",
    State.IN_DOUBT: "NORMAL_WITHDRAW_PENDING_L1_CONFIRMING",
    State.QUARANTINED: "NORMAL_WITHDRAW_PENDING_RISK_CHECKING",
    State.CONFIRMED: "NORMAL_WITHDRAW_SUCCESS_L1_COMPLETED",
    State.REJECTED: "NORMAL_WITHDRAW_FAILED_CENSOR_FAILURE",
    State.CANCELLED: "NORMAL_WITHDRAW_FAILED_CENSOR_FAILURE",
    State.EXPIRED: "NORMAL_WITHDRAW_FAILED_CENSOR_FAILURE",
    State.FAILED: "NORMAL_WITHDRAW_FAILED_L2_REJECTED",
}
assert NORMAL.keys() == set(State)

STATUSES = frozenset(
    {
        *WRITTEN.values(),
        # Passed in the same moment as the status after it, and so never shown.
        REJECTED,
        # The venue's schema holds these two, which it never writes.
        "UNKNOWN_WITHDRAW_STATUS",
        "UNRECOGNIZED",
    }
)
"""Every status that a filter may name."""

_SIGNED_OR_LATER = frozenset(
    {State.SIGNED, State.SENT, State.MINED, State.IN_DOUBT, State.CONFIRMED, State.FAILED}
)
_REASON_CODES = {State.CANCELLED: "CANCELLED", State.EXPIRED: "EXPIRED"}
_NONE = "0"


def status_of(view: WithdrawalView) -> str:
    if view.state is State.QUARANTINED and view.tx_hash:
        return CENSORED
    return WRITTEN[view.state]


def states_of(statuses: frozenset[str]) -> tuple[State, ...]:
    """The states whose withdrawals may have one of these statuses; `status_of` has the last word."""
    return tuple(
        state
        for state in State
        if WRITTEN[state] in statuses or (state is State.QUARANTINED and CENSORED in statuses)
    )


class SignatureParts(msgspec.Struct, frozen=True):
    """As the venue shows a signature that was sent as 128 digits; v is always empty."""

    r: str
    s: str
    v: str = ""


class Withdraw(msgspec.Struct, frozen=True, rename="camel"):
    """Fields in the documented order. Every scalar is text; an absent id or time is "0", an absent text ""."""

    id: str
    user_id: str
    account_id: str
    coin_id: str
    amount: str
    eth_address: str
    erc20_address: str
    client_withdraw_id: str
    risk_signature: SignatureParts
    l2_nonce: str
    l2_expire_time: str
    l2_signature: SignatureParts
    extra_type: str
    extra_data_json: str
    status: str
    collateral_transaction_id: str
    censor_tx_id: str
    censor_time: str
    censor_fail_code: str
    censor_fail_reason: str
    l2_tx_id: str
    l2_reject_time: str
    l2_reject_code: str
    l2_reject_reason: str
    l2_approved_time: str
    created_time: str
    updated_time: str


class Layer1Transaction(msgspec.Struct, frozen=True, rename="camel"):
    """The payment on the EVM chain. Its place in a block is not told here."""

    hash: str
    index: str
    time: str
    block_height: str


class NormalWithdraw(msgspec.Struct, frozen=True, rename="camel"):
    """Fields in the documented order."""

    id: str
    user_id: str
    account_id: str
    coin_id: str
    amount: str
    eth_address: str
    client_withdraw_id: str
    l2_nonce: str
    l2_expire_time: str
    l2_signature: SignatureParts
    status: str
    trade_withdraw_id: str
    risk_signature: SignatureParts
    l1_confirmed_tx: Layer1Transaction
    l1_confirmed_time: str
    l1_completed_time: str
    created_time: str
    updated_time: str


class RecordWriter:
    """Core views, with their moves, as the venue's records."""

    def __init__(self, catalogue: Catalogue, coins: ServedCoins) -> None:
        self._catalogue = catalogue
        self._coins = coins

    def withdraw(self, view: WithdrawalView, key: KeyView) -> Withdraw:
        echo = _echo(view)
        status = status_of(view)
        censored = status not in {PENDING, CENSOR_FAILED}
        refused = status == CENSOR_FAILED
        failed = status == REJECTION_APPROVED
        ended = _time(view, FINAL_STATES)
        code = _REASON_CODES.get(view.state, "REJECTED")
        return Withdraw(
            id=str(view.withdrawal_id),
            user_id=str(view.account_id),
            account_id=key.key_id,
            coin_id=echo.coin_id,
            amount=self._amount(view, echo),
            eth_address=echo.eth_address,
            erc20_address=echo.erc20_address,
            client_withdraw_id=view.request_id,
            risk_signature=_parts(echo.risk_signature),
            l2_nonce=str(nonce_of(view.request_id)),
            l2_expire_time=str(echo.expire_ms),
            l2_signature=_parts(echo.l2_signature),
            extra_type=echo.extra_type,
            extra_data_json=echo.extra_data,
            status=status,
            collateral_transaction_id=_stable_id(view, "collateral") if censored else _NONE,
            censor_tx_id=_stable_id(view, "censor") if censored or refused else _NONE,
            censor_time=_time(view, _SIGNED_OR_LATER) if censored else ended if refused else _NONE,
            censor_fail_code=code if refused else "",
            censor_fail_reason=view.reason if refused else "",
            l2_tx_id=_stable_id(view, "l2") if censored else _NONE,
            l2_reject_time=ended if failed else _NONE,
            l2_reject_code=code if failed else "",
            l2_reject_reason=view.reason if failed else "",
            l2_approved_time=ended if failed or status == APPROVED else _NONE,
            created_time=str(view.created_ms),
            updated_time=str(view.updated_ms),
        )

    def normal_withdraw(self, view: WithdrawalView, key: KeyView) -> NormalWithdraw:
        echo = _echo(view)
        paid = view.state is State.CONFIRMED
        completed = _time(view, FINAL_STATES) if paid else _NONE
        status = NORMAL[view.state]
        if view.state is State.QUARANTINED and view.tx_hash:
            status = NORMAL[State.SENT]
        return NormalWithdraw(
            id=str(view.withdrawal_id),
            user_id=str(view.account_id),
            account_id=key.key_id,
            coin_id=echo.coin_id,
            amount=self._amount(view, echo),
            eth_address=echo.eth_address,
            client_withdraw_id=view.request_id,
            l2_nonce=str(nonce_of(view.request_id)),
            l2_expire_time=str(echo.expire_ms),
            l2_signature=_parts(echo.l2_signature),
            status=status,
            trade_withdraw_id=str(view.withdrawal_id),
            risk_signature=_parts(echo.risk_signature),
            l1_confirmed_tx=Layer1Transaction(view.tx_hash if paid else "", _NONE, completed, _NONE),
            l1_confirmed_time=completed,
            l1_completed_time=completed,
            created_time=str(view.created_ms),
            updated_time=str(view.updated_ms),
        )

    def _amount(self, view: WithdrawalView, echo: Echo) -> str:
        """With all the decimals of the coin's step, as in the venue's samples."""
        coin = self._coins.find(echo.coin_id)
        if coin is None:  # no longer served
            return format_units_fixed(view.amount, self._catalogue.scale(view.asset))
        return format_units_fixed(coin.quanta(view.amount), coin.coin.decimals)


def _echo(view: WithdrawalView) -> Echo:
    return msgspec.json.decode(view.extra, type=Echo)


def _time(view: WithdrawalView, states: frozenset[State]) -> str:
    """When the first of these states was entered."""
    entered = next((move.at_ms for move in view.moves if move.state in states), view.updated_ms)
    return str(entered)


def _parts(text: str) -> SignatureParts:
    half = len(text) // 2
    return SignatureParts("0x" + text[:half], "0x" + text[half:]) if text else SignatureParts("", "")


def _stable_id(view: WithdrawalView, kind: str) -> str:
    """An id of the venue's inside, of which there is none here: always the same for a withdrawal, 18 digits."""
    name = f"{kind}/{view.withdrawal_id}".encode()
    return str(10**17 + int.from_bytes(hashlib.sha256(name).digest()[:8], "big") % (9 * 10**17))
