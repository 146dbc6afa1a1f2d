"""Views: what readers get back. Values only, in our own words; venues turn them into theirs."""

from __future__ import annotations

import msgspec

from penstock.core.amounts import Units
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.rates import Rate
from penstock.core.states import State
from penstock.core.time import UnixMs


class Accepted(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """The answer to a customer's command. repeated: it was accepted before; nothing new was done. accepted_ms: when the
    request was first taken in, in every answer about it the same; that of a challenged withdrawal is its quote's.

    The rest tells what was decided, and is only there where `repeated` is False or a challenge was answered: number (0
    where none was asked for), state, amount (debited with the fee, in the debited asset), fee, net (what the receiver
    gets, in the paid asset).
    """

    withdrawal_id: WithdrawalId
    accepted_ms: UnixMs
    repeated: bool
    number: int = 0
    state: State = State.HELD
    amount: Units = Units(0)
    fee: Units = Units(0)
    net: Units = Units(0)


class AnswerRejected(msgspec.Struct, frozen=True, tag=True):
    """The answer to an invalid AnswerChallenge: how many more may be tried."""

    remaining: int


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


class Move(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One state change: which state was entered, and when."""

    state: State
    at_ms: UnixMs


class WithdrawalView(msgspec.Struct, frozen=True):
    """A withdrawal, a transfer to another account, or an exchange. Amounts in the asset's ledger units.

    `amount`: debited, fee included; `fee`; both in `debit_asset`. `net`: what the receiver gets, in `asset`. Without a
    conversion both assets are one and amount = fee + net; rate: of the conversion, else None.
    recipient is set for a transfer to another account, address for a payment on a chain, neither for an exchange.
    number: its own within the account, 0 where none was asked for. request_id: the caller's own id ("" where the venue
    has none). extra: the venue's own text. tx_hash "" until signed. moves: oldest first, where the query asks for them.
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
    number: int = 0
    request_id: str = ""
    extra: str = ""
    remark: str = ""
    debit_asset: str = ""
    rate: Rate | None = None
    moves: tuple[Move, ...] = ()


class ChallengeView(msgspec.Struct, frozen=True):
    """A challenged withdrawal and how its answering stands. answer: the one accepted, "" while there is none."""

    withdrawal: WithdrawalView
    nonce: str
    expires_ms: UnixMs
    failures: int
    answer: str


class AccountView(msgspec.Struct, frozen=True):
    """An account's own facts. account_number: its public id."""

    account_id: AccountId
    account_number: str
    email: str
    phone: str
    is_sub_account: bool
    may_withdraw: bool
    frozen: bool
    created_ms: UnixMs


class DepositView(msgspec.Struct, frozen=True):
    """A credited deposit, or the receiving side of a transfer between accounts (then `internal`)."""

    deposit_id: int
    account_id: AccountId
    asset: str
    network: str
    wallet: str
    amount: Units
    address: str
    tx_id: str
    created_ms: UnixMs
    internal: bool = False


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
