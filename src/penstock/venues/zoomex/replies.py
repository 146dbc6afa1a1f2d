"""What Zoomex's clients read: the envelopes, and the data of each endpoint made from core views.

Source: Zoomex docs, the page of each endpoint and "Enums Definitions"; field names are the venue's.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from penstock.core.amounts import format_units
from penstock.core.catalogue import PRICE_SCALE, Catalogue
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import BalanceView, DepositView, WithdrawalView
from penstock.venues.venue import Reply
from penstock.venues.zoomex.chains import names_of
from penstock.venues.zoomex.errors import WireError
from penstock.venues.zoomex.routes import FAMILIES, Family

JSON_HEADERS = ((b"content-type", b"application/json"),)

PENDING_REVIEW = "Pending Review"
PENDING_TRANSFER = "Pending Transfer"
TRANSFERRED = "Transferred successfully"
REJECTED = "Rejected"
CANCELLED = "Cancelled"
FAIL = "Fail"

STATUSES: dict[State, str] = {
    State.CHALLENGED: PENDING_REVIEW,
    State.HELD: PENDING_REVIEW,
    State.AWAITING_APPROVAL: PENDING_REVIEW,
    State.APPROVED: PENDING_TRANSFER,
    State.PLANNED: PENDING_TRANSFER,
    State.SIGNED: PENDING_TRANSFER,
    State.SENT: PENDING_TRANSFER,
    State.MINED: PENDING_TRANSFER,
    # Both may still be paid, so a client must go on waiting.
    State.IN_DOUBT: PENDING_TRANSFER,
    State.QUARANTINED: PENDING_TRANSFER,
    State.CONFIRMED: TRANSFERRED,
    State.REJECTED: REJECTED,
    State.CANCELLED: CANCELLED,
    State.EXPIRED: FAIL,
    State.FAILED: FAIL,
}
"""Spaces and capitals as on the wire (Zoomex docs, "withdrawStatus")."""
assert STATUSES.keys() == set(State)

SHOWS_TX_ID: frozenset[State] = frozenset(
    {State.SENT, State.MINED, State.CONFIRMED, State.IN_DOUBT, State.QUARANTINED}
)
"""Where the bytes were offered to a node and the payment was not given up (assumed)."""

DEPOSIT_DONE = "1"
ACCOUNT_NORMAL = "ACCOUNT_STATUS_NORMAL"
ACCOUNT_BANNED = "ACCOUNT_STATUS_UNSPECIFIED"


class WithdrawRecord(msgspec.Struct, frozen=True):
    withdraw_id: str
    tx_id: str
    withdraw_type: int
    coin: str
    chain: str
    amount: str
    withdraw_fee: str
    status: str
    to_address: str
    user_id: str
    tag: str
    create_time: str
    update_time: str


class DepositRecord(msgspec.Struct, frozen=True):
    """type: an integer as in the venue's sample, though its table says string."""

    type: int
    chain: str
    coin: str
    amount: str
    address: str
    status: str
    time: str
    transaction_id: str
    tx_id: str
    create_time: int


class Page(msgspec.Struct, frozen=True):
    rows: list[WithdrawRecord] | list[DepositRecord]
    cursor: str


class DepositChain(msgspec.Struct, frozen=True):
    """deposit_confirmation: an integer as in the venue's sample, though its table says string."""

    chain: str
    chain_name: str
    can_deposit: int
    deposit_min: str
    deposit_confirmation: int


class WithdrawChain(msgspec.Struct, frozen=True):
    chain: str
    chain_name: str
    can_withdraw: int
    withdraw_min: str
    withdraw_fee: str


class Coin(msgspec.Struct, frozen=True):
    coin: str
    coin_name: str
    accuracy: int
    deposit_chains: list[DepositChain]
    withdraw_chains: list[WithdrawChain]


class Coins(msgspec.Struct, frozen=True):
    rows: list[Coin]


class Asset(msgspec.Struct, frozen=True):
    coin: str
    free: str
    total_balance: str


class Wallet(msgspec.Struct, frozen=True):
    status: str
    assets: list[Asset]


class CoinBalance(msgspec.Struct, frozen=True, rename="camel"):
    """Members about trading, of which there is none, are empty."""

    coin: str
    equity: str
    usd_value: str
    wallet_balance: str
    available_to_withdraw: str
    total_order_im: str = msgspec.field(name="totalOrderIM", default="")
    total_position_im: str = msgspec.field(name="totalPositionIM", default="")
    total_position_mm: str = msgspec.field(name="totalPositionMM", default="")
    unrealised_pnl: str = ""
    cum_realised_pnl: str = ""
    bonus: str = ""


class AccountBalance(msgspec.Struct, frozen=True, rename="camel"):
    """As CoinBalance; totals in US dollars, for UNIFIED only."""

    account_type: str
    total_equity: str
    total_wallet_balance: str
    total_available_balance: str
    coin: list[CoinBalance]
    account_im_rate: str = msgspec.field(name="accountIMRate", default="")
    account_mm_rate: str = msgspec.field(name="accountMMRate", default="")
    total_margin_balance: str = ""
    total_perp_upl: str = msgspec.field(name="totalPerpUPL", default="")
    total_initial_margin: str = ""
    total_maintenance_margin: str = ""


class AccountBalances(msgspec.Struct, frozen=True):
    accounts: list[AccountBalance] = msgspec.field(name="list")


class DepositTarget(msgspec.Struct, frozen=True):
    coin: str
    chain: str
    address: str
    tag: str
    contract_address: str = msgspec.field(name="contractAddress")


class DepositTargets(msgspec.Struct, frozen=True):
    addresses: list[DepositTarget]


class MarketTime(msgspec.Struct, frozen=True):
    time_second: str = msgspec.field(name="timeSecond")
    time_nano: str = msgspec.field(name="timeNano")


class Envelopes:
    """Wraps results and errors. now_ms: wall clock, for the time that every reply carries."""

    def __init__(self, now_ms: Callable[[], UnixMs]) -> None:
        self._now_ms = now_ms
        self._encode = msgspec.json.Encoder().encode

    def ok(self, path: str, result: msgspec.Struct | dict[str, Wallet]) -> Reply:
        family = FAMILIES[path]
        text = b'"success"' if family is Family.NEW_BARE else b'"OK"'
        return Reply(200, JSON_HEADERS, _wrapped(family, 0, text, self._encode(result), self._now_ms()))

    def accepted(self, path: str, withdrawal_id: int) -> Reply:
        """The answer to the two withdraw calls, without an encoder because it is the most frequent one."""
        result = b'{"withdraw_id":"%d"}' % withdrawal_id
        body = _wrapped(FAMILIES[path], 0, b'"success"', result, self._now_ms())
        return Reply(200, JSON_HEADERS, body)

    def error(
        self, path: str, error: WireError, text: str | None = None, resets_at_ms: int | None = None
    ) -> Reply:
        """path: of the endpoint; any other is answered in the newer form. text: the message filled in.

        resets_at_ms: when a rate limit ends; the older form tells it in the body as well.
        """
        family = FAMILIES.get(path, Family.NEW)
        message = self._encode(error.message if text is None else text)
        body = _wrapped(family, error.code, message, b"{}", self._now_ms())
        if resets_at_ms is not None and family is Family.OLD:
            body = b'%b,"rate_limit_reset_ms":%d}' % (body[:-1], resets_at_ms)
        return Reply(error.status, JSON_HEADERS, body)


def _wrapped(family: Family, code: int, message: bytes, result: bytes, now_ms: int) -> bytes:
    if family is Family.OLD:
        body = b'{"ret_code":%d,"ret_msg":%b,"ext_code":"","result":%b,"ext_info":null,"time_now":%d}'
        return body % (code, message, result, now_ms)
    extra = b"null" if family is Family.NEW_BARE else b"{}"
    body = b'{"retCode":%d,"retMsg":%b,"result":%b,"retExtInfo":%b,"time":%d}'
    return body % (code, message, result, extra, now_ms)


class RecordWriter:
    """Core views as the venue's records."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def withdrawal(self, view: WithdrawalView, user_id: str) -> WithdrawRecord:
        """amount: what the receiver gets; the fee was debited beside it. create_time in seconds, update_time in ms."""
        scale = self._catalogue.scale(view.asset)
        return WithdrawRecord(
            withdraw_id=str(view.withdrawal_id),
            tx_id=view.tx_hash if view.state in SHOWS_TX_ID else "",
            withdraw_type=1 if view.recipient else 0,
            coin=view.asset,
            chain=names_of(view.network)[0],
            amount=format_units(view.net, scale),
            withdraw_fee=format_units(view.fee, scale),
            status=STATUSES[view.state],
            # A phone is "+<area code> <digits>" in our records; its caller gave the digits as the address.
            to_address=view.recipient.rpartition(" ")[2] or view.address,
            user_id=user_id,
            tag=view.memo,
            create_time=str(view.created_ms // 1000),
            update_time=str(view.updated_ms),
        )

    def deposit(self, view: DepositView) -> DepositRecord:
        """Only credited deposits are known here, so each is a success."""
        created_s = view.created_ms // 1000
        return DepositRecord(
            type=int(view.internal),
            chain=names_of(view.network)[0],
            coin=view.asset,
            amount=format_units(view.amount, self._catalogue.scale(view.asset)),
            address=view.address,
            status=DEPOSIT_DONE,
            time=str(created_s),
            transaction_id=str(view.deposit_id),
            tx_id="" if view.internal else view.tx_id,
            create_time=created_s,
        )

    def asset(self, view: BalanceView) -> Asset:
        scale = self._catalogue.scale(view.asset)
        return Asset(
            view.asset, format_units(view.available, scale), format_units(view.available + view.held, scale)
        )

    def coin_balance(self, account_type: str, view: BalanceView) -> CoinBalance:
        """One line. `availableToWithdraw` is deprecated for UNIFIED and empty there."""
        scale = self._catalogue.scale(view.asset)
        total = view.available + view.held
        usd = self._catalogue.usd_value(view.asset, total)
        amount = format_units(total, scale)
        return CoinBalance(
            coin=view.asset,
            equity=amount,
            usd_value="" if usd is None else format_units(usd, PRICE_SCALE),
            wallet_balance=amount,
            available_to_withdraw="" if account_type == "UNIFIED" else format_units(view.available, scale),
        )

    def account_balance(
        self, account_type: str, views: list[BalanceView], coins: list[CoinBalance]
    ) -> AccountBalance:
        if account_type != "UNIFIED":
            return AccountBalance(account_type, "", "", "", coins)
        total = sum(self._catalogue.usd_value(view.asset, view.available + view.held) or 0 for view in views)
        free = sum(self._catalogue.usd_value(view.asset, view.available) or 0 for view in views)
        written = format_units(total, PRICE_SCALE)
        return AccountBalance(account_type, written, written, format_units(free, PRICE_SCALE), coins)
