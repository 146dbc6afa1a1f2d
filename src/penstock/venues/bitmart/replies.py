"""What BitMart's clients read: the envelope, and the data of each endpoint made from core views.

Source: BitMart spot docs, "Funding Account"; field names are the venue's, capitals included.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from penstock.core.acts import AddressKind
from penstock.core.amounts import format_units
from penstock.core.catalogue import Catalogue
from penstock.core.states import State
from penstock.core.views import BalanceView, BookEntryView, DepositView, WithdrawalView
from penstock.venues.bitmart.currencies import CurrencyNames, write_network
from penstock.venues.bitmart.errors import WireError
from penstock.venues.venue import Reply

JSON_HEADERS = ((b"content-type", b"application/json"),)

STATUSES: dict[State, int] = {
    State.CHALLENGED: 0,
    State.HELD: 0,
    State.AWAITING_APPROVAL: 0,
    State.APPROVED: 1,
    State.PLANNED: 1,
    State.SIGNED: 1,
    State.SENT: 2,
    State.MINED: 2,
    # Both may still be paid, so a client must go on waiting.
    State.IN_DOUBT: 2,
    State.QUARANTINED: 2,
    State.CONFIRMED: 3,
    State.CANCELLED: 4,
    State.EXPIRED: 4,
    State.REJECTED: 5,
    State.FAILED: 5,
}
"""0 created, 1 submitted, 2 processing, 3 done, 4 cancelled, 5 failed."""
assert STATUSES.keys() == set(State)

ADDRESS_TYPES: dict[AddressKind, int] = {
    AddressKind.STANDARD: 0,
    AddressKind.UNIVERSAL: 1,
    AddressKind.EVM: 2,
}
# Entries that name another account are not addresses; the venue has no list of those.
assert ADDRESS_TYPES.keys() == set(AddressKind) - {AddressKind.RECIPIENT}

_BEFORE_BROADCAST = frozenset({0, 1})


class Empty(msgspec.Struct, frozen=True):
    """`{}`."""


class ServerTime(msgspec.Struct, frozen=True):
    server_time: int


class Services(msgspec.Struct, frozen=True):
    """Announced maintenance; always empty here."""

    service: tuple[Empty, ...] = ()


class Symbols(msgspec.Struct, frozen=True):
    """Trading pairs; there are none, and ccxt's load_markets is content with that."""

    symbols: tuple[Empty, ...] = ()


class Charge(msgspec.Struct, frozen=True):
    today_available_withdraw_BTC: str  # noqa: N815 - the venue's name
    min_withdraw: str
    withdraw_precision: int
    withdraw_fee: str
    withdraw_Precision_GeTen: int | None  # noqa: N815 - the venue's name


class Currency(msgspec.Struct, frozen=True):
    currency: str
    name: str
    contract_address: str | None
    network: str
    withdraw_enabled: bool
    deposit_enabled: bool
    withdraw_minsize: str | None
    withdraw_minfee: str | None
    withdraw_fee: str | None
    withdraw_fee_estimate: str | None


class Currencies(msgspec.Struct, frozen=True):
    currencies: list[Currency]


class AccountBalance(msgspec.Struct, frozen=True):
    currency: str
    name: str
    available: str
    available_usd_valuation: str | None
    frozen: str
    unAvailable: str  # noqa: N815 - the venue's name


class AccountWallet(msgspec.Struct, frozen=True):
    wallet: list[AccountBalance]


class SpotBalance(msgspec.Struct, frozen=True):
    id: str
    name: str
    available: str
    frozen: str


class SpotWallet(msgspec.Struct, frozen=True):
    wallet: list[SpotBalance]


class DepositAddressData(msgspec.Struct, frozen=True):
    currency: str
    chain: str
    address: str
    address_memo: str


class Record(msgspec.Struct, frozen=True):
    """A deposit or a withdrawal; the other's id is ""."""

    withdraw_id: str
    deposit_id: str
    operation_type: str
    currency: str
    apply_time: int
    arrival_amount: str
    fee: str
    status: int
    address: str
    address_memo: str
    tx_id: str


class Records(msgspec.Struct, frozen=True):
    records: list[Record]


class OneRecord(msgspec.Struct, frozen=True):
    record: Record


class BookAddress(msgspec.Struct, frozen=True):
    currency: str
    network: str
    address: str
    memo: str
    remark: str
    addressType: int  # noqa: N815 - the venue's name
    verifyStatus: int  # noqa: N815 - the venue's name


class BookAddresses(msgspec.Struct, frozen=True):
    entries: list[BookAddress] = msgspec.field(name="list")


class Envelopes:
    """Wraps data and errors. new_trace: gives the id of each reply, text that needs no escaping in JSON."""

    def __init__(self, new_trace: Callable[[], str]) -> None:
        self._new_trace = new_trace
        self._encode = msgspec.json.Encoder().encode

    def ok(self, data: msgspec.Struct) -> Reply:
        body = b'{"code":1000,"trace":"%b","message":"OK","data":%b}'
        return Reply(200, JSON_HEADERS, body % (self._new_trace().encode(), self._encode(data)))

    def accepted(self, withdrawal_id: int) -> Reply:
        """The answer to withdraw/apply, without an encoder because it is the most frequent one."""
        body = b'{"code":1000,"trace":"%b","message":"OK","data":{"withdraw_id":"%d"}}'
        return Reply(200, JSON_HEADERS, body % (self._new_trace().encode(), withdrawal_id))

    def error(self, error: WireError, text: str | None = None) -> Reply:
        """text: the message filled in; None where there is nothing to fill."""
        message = self._encode(error.message if text is None else text)
        body = b'{"code":%d,"trace":"%b","message":%b,"data":{}}'
        return Reply(error.status, JSON_HEADERS, body % (error.code, self._new_trace().encode(), message))


class RecordWriter:
    """Core views as the venue's records."""

    def __init__(self, catalogue: Catalogue, names: CurrencyNames) -> None:
        self._catalogue = catalogue
        self._names = names

    def withdrawal(self, view: WithdrawalView) -> Record:
        """A transfer's recipient stands in address; tx_id is "" until the bytes were offered to a node."""
        scale = self._catalogue.scale(view.asset)
        status = STATUSES[view.state]
        return Record(
            withdraw_id=str(view.withdrawal_id),
            deposit_id="",
            operation_type="withdraw",
            currency=self._names.write(view.asset, view.network),
            apply_time=view.created_ms,
            arrival_amount=format_units(view.net, scale),
            fee=format_units(view.fee, scale),
            status=status,
            address=view.recipient or view.address,
            address_memo=view.memo,
            tx_id="" if status in _BEFORE_BROADCAST else view.tx_hash,
        )

    def deposit(self, view: DepositView) -> Record:
        return Record(
            withdraw_id="",
            deposit_id=str(view.deposit_id),
            operation_type="deposit",
            currency=self._names.write(view.asset, view.network),
            apply_time=view.created_ms,
            arrival_amount=format_units(view.amount, self._catalogue.scale(view.asset)),
            fee="0",
            status=STATUSES[State.CONFIRMED],
            address=view.address,
            address_memo="",
            tx_id=view.tx_id,
        )

    def spot_balance(self, view: BalanceView) -> SpotBalance:
        asset = self._catalogue.assets[view.asset]
        available, held = format_units(view.available, asset.scale), format_units(view.held, asset.scale)
        return SpotBalance(asset.code, asset.name, available, held)

    def account_balance(self, view: BalanceView, valuation: str | None) -> AccountBalance:
        """Holds of withdrawals show under unAvailable; frozen counts orders, and there are none."""
        asset = self._catalogue.assets[view.asset]
        available, held = format_units(view.available, asset.scale), format_units(view.held, asset.scale)
        return AccountBalance(asset.code, asset.name, available, valuation, "0", held)

    def book_address(self, view: BookEntryView) -> BookAddress:
        """Only standard entries have a currency; only standard and universal ones a network; else ""."""
        return BookAddress(
            currency=self._names.write(view.asset, view.network) if view.asset else "",
            network=write_network(view.network),
            address=view.address,
            memo=view.memo,
            remark=view.remark,
            addressType=ADDRESS_TYPES[AddressKind(view.kind)],
            verifyStatus=int(view.verified),
        )
