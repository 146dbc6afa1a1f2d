"""Views: what readers get back. Values only, in our own words; venues turn them into theirs."""

from __future__ import annotations

import msgspec

from penstock.core.amounts import Units
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.states import State
from penstock.core.time import UnixMs


class Accepted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The answer to Withdraw and Transfer. repeated: the same request was accepted before; nothing new was done."""

    withdrawal_id: WithdrawalId
    accepted_ms: UnixMs
    repeated: bool


class KeyView(msgspec.Struct, frozen=True):
    """An API key as authentication needs it, joined with what it must know of its account."""

    key_id: str
    venue: str
    account_id: AccountId
    secret: bytes
    passphrase: str
    permissions: frozenset[str]
    allowed_ips: tuple[str, ...]
    expires_ms: UnixMs | None
    frozen: bool
    is_sub_account: bool

    def __repr__(self) -> str:
        return f"KeyView(key_id={self.key_id!r}, secret=***)"


class WithdrawalView(msgspec.Struct, frozen=True):
    """A withdrawal. Amounts in the asset's ledger units; `amount` gross, `net` what the receiver gets (amount - fee).

    recipient is set for a transfer to another account, address for a payment on a chain. tx_hash "" until signed.
    """

    withdrawal_id: WithdrawalId
    account_id: AccountId
    venue: str
    asset: str
    network: str
    wallet: str
    amount: Units
    fee: Units
    net: Units
    address: str
    memo: str
    recipient: str
    state: State
    reason: str
    tx_hash: str
    confirmations: int
    created_ms: UnixMs
    updated_ms: UnixMs


class DepositView(msgspec.Struct, frozen=True):
    """A credited deposit, or the receiving side of a transfer between accounts."""

    deposit_id: int
    account_id: AccountId
    asset: str
    network: str
    wallet: str
    amount: Units
    address: str
    tx_id: str
    created_ms: UnixMs


class BalanceView(msgspec.Struct, frozen=True):
    """available and held, in the asset's ledger units."""

    wallet: str
    asset: str
    available: Units
    held: Units


class BookEntryView(msgspec.Struct, frozen=True):
    """An address-book entry; kind as in commands.AddressKind."""

    entry_id: int
    kind: str
    asset: str
    network: str
    address: str
    memo: str
    remark: str
    verified: bool
    usable_from_ms: UnixMs


class DepositAddressView(msgspec.Struct, frozen=True):
    """Where an account may send deposits of an asset on a network."""

    asset: str
    network: str
    address: str
    memo: str


class HistoryView(msgspec.Struct, frozen=True):
    """One state change of a withdrawal; state_before "" for the first."""

    sequence: int
    state_before: str
    state_after: str
    detail: str
    at_ms: UnixMs


class AttemptView(msgspec.Struct, frozen=True):
    """One transaction made for a withdrawal."""

    attempt_id: int
    network: str
    sender: str
    nonce: int
    state: str
    tx_hash: str
    created_ms: UnixMs
