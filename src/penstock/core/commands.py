"""Commands: what the outside asks of the engine. Values only; authenticated and read before they get here."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from penstock.core.amounts import Units
from penstock.core.ids import AccountId, AttemptId, WithdrawalId
from penstock.core.time import UnixMs


class AddressKind(StrEnum):
    """How far a book entry reaches (BitMart spot docs, Withdraw, "Address Types")."""

    STANDARD = "standard"
    """One asset on one network."""
    UNIVERSAL = "universal"
    """Every asset on one network."""
    EVM = "evm"
    """Every asset on every network of the EVM family."""


class Withdraw(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Pay `amount` less our fee to an address of the account's book.

    key_id: the API key that signed; read again with the account by the deciding transaction, so a freeze holds at once.
    request_id: what makes this request the same request for ever: the venue's own id, or for a venue without one the
    signature of the byte-identical request. business: canonical JSON of the fields that must not differ under one
    request_id ("" where the request_id already covers every byte).
    wallets: which of the account's wallets may pay, tried in this order; the first that can pay the whole amount does.
    amount: gross, in the asset's smallest units. address: canonical text; memo "" when there is none.
    """

    account_id: AccountId
    key_id: str
    venue: str
    request_id: str
    business: str
    asset: str
    network: str
    wallets: tuple[str, ...]
    amount: Units
    address: str
    memo: str
    remark: str = ""


class RecipientKind(StrEnum):
    ACCOUNT_NUMBER = "account_number"
    EMAIL = "email"
    PHONE = "phone"


class Transfer(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Move `amount` to another account of this Penstock, at once and without a chain. Fields as in `Withdraw`.

    recipient: account number, e-mail address, or phone as "+<area code> <digits>", as written in the accounts' table.
    network: recorded for the reply only ("" where the venue names none).
    """

    account_id: AccountId
    key_id: str
    venue: str
    request_id: str
    business: str
    asset: str
    network: str
    wallets: tuple[str, ...]
    amount: Units
    recipient_kind: RecipientKind
    recipient: str
    remark: str = ""


# --- the operator's acts; each leaves an audit row -----------------------------------------------------------------


class CreateAccount(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Open an account. account_number: digits, unique; also the public user id (BitMart's CID)."""

    actor: str
    account_number: str
    email: str | None = None
    phone: str | None = None
    master_account_id: AccountId | None = None
    may_withdraw: bool = True


class CreateKey(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Give an account an API key. secret is kept for HMAC; permissions among "read", "withdraw"."""

    actor: str
    account_id: AccountId
    venue: str
    key_id: str
    secret: str
    passphrase: str
    permissions: tuple[str, ...]
    allowed_ips: tuple[str, ...] = ()
    expires_ms: UnixMs | None = None


class AddBookEntry(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Add a destination to an account's address book. asset "" for universal and EVM entries, network "" for EVM."""

    actor: str
    account_id: AccountId
    kind: AddressKind
    asset: str
    network: str
    address: str
    memo: str
    remark: str
    verified: bool
    usable_from_ms: UnixMs = UnixMs(0)


class RemoveBookEntry(msgspec.Struct, frozen=True, tag=True, array_like=True):
    actor: str
    account_id: AccountId
    entry_id: int


class CreditDeposit(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Credit `amount` that arrived on `network`. reference: the deposit's own id, credited once for ever."""

    actor: str
    account_id: AccountId
    wallet: str
    asset: str
    network: str
    amount: Units
    reference: str
    address: str = ""
    tx_id: str = ""


class SetDepositAddress(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Say where an account's deposits on a network arrive. The address is canonical text."""

    actor: str
    account_id: AccountId
    network: str
    address: str
    memo: str = ""


class FreezeAccount(msgspec.Struct, frozen=True, tag=True, array_like=True):
    actor: str
    account_id: AccountId
    frozen: bool


class FreezeKey(msgspec.Struct, frozen=True, tag=True, array_like=True):
    actor: str
    key_id: str
    frozen: bool


class SetControl(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """name: "sending" (all chains) or "network/<code>"; stopped: nothing new is planned, signed or sent there."""

    actor: str
    name: str
    stopped: bool
    reason: str = ""


class RecordOpening(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """State what the hot wallet of a network holds that belongs to no customer (gas money). Once per reference."""

    actor: str
    asset: str
    network: str
    amount: Units
    reference: str


# --- the workers' steps ---------------------------------------------------------------------------------------------


class ClaimLane(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Take or renew the lease on a sender of a network: one worker at a time plans, signs and sends there.

    alone: the claimer has proof that no other worker lives (it holds the lock on the only place where one could run),
    so a lease that a dead one left behind need not be waited for.
    """

    network: str
    sender: str
    owner: str
    lease_ms: int
    first_nonce: int
    """The chain's next nonce, used only when the lane is new."""
    alone: bool = False


class LaneStep(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What every step of a worker names: the lane and the epoch of the lease under which it acts."""

    network: str
    sender: str
    owner: str
    epoch: int


class Plan(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Take a nonce for a withdrawal and store the intent, in one commit. The nonce given must be the one decided on.

    intent: encoded (`core/intents.py`). nonce: the lane's next one, or a freed one. replaces: the attempt whose fees
    this one bumps, if it is a replacement (then nonce is the same and the payment must be the same).
    fee_ceiling: the most the network fee may ever become for this nonce, bumps included, in the native coin's smallest
    unit; it is held from the network's gas float with the plan. Ignored for a replacement, which must stay below it.
    """

    lane: LaneStep
    withdrawal_id: WithdrawalId
    nonce: int
    intent: str
    fee_ceiling: int
    replaces: AttemptId | None = None


class PlanFiller(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Fill a freed nonce with an empty payment to ourselves, so that the ones above it can be mined."""

    lane: LaneStep
    nonce: int
    intent: str
    fee_ceiling: int
    replaces: AttemptId | None = None


class Unplan(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Take an attempt back that the signer never signed; its nonce becomes free and its withdrawal is rejected.

    The caller has asked the signer: an attempt that it may have signed must go forward instead.
    """

    lane: LaneStep
    attempt_id: AttemptId
    reason: str


class RecordSigned(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Store the signed bytes and the hash we computed ourselves. Comes before any byte is sent."""

    lane: LaneStep
    attempt_id: AttemptId
    raw: bytes
    tx_hash: str


class RecordSent(msgspec.Struct, frozen=True, tag=True, array_like=True):
    lane: LaneStep
    attempt_id: AttemptId


class RecordMined(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The transaction stands in a block, not final yet."""

    lane: LaneStep
    attempt_id: AttemptId
    block_height: int
    block_hash: str
    confirmations: int


class RecordReorged(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The block that held the transaction is gone: mined goes back to sent, nothing else changes."""

    lane: LaneStep
    attempt_id: AttemptId


class Settle(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The transaction is final. paid: the chain shows the exact payment. unmoved: if not, whether it is
    proven that nothing moved; only then is the hold given back, else the withdrawal is set aside for the operator.

    network_fee: spent by the sender, in the native coin's smallest unit on the chain.
    """

    lane: LaneStep
    attempt_id: AttemptId
    block_height: int
    block_hash: str
    confirmations: int
    paid: bool
    network_fee: int
    reason: str = ""
    unmoved: bool = False


class Quarantine(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Stop a lane: the chain shows something we cannot explain (a nonce used by an unknown transaction).

    withdrawal_id: the withdrawal whose nonce it is, if any; it becomes quarantined.
    """

    network: str
    sender: str
    reason: str
    withdrawal_id: WithdrawalId | None = None


class ReleaseQuarantine(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The operator has reconciled the lane; next_nonce (never below ours) is what chain and signer's log agree on."""

    actor: str
    network: str
    sender: str
    next_nonce: int


class Reject(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Policy or a late check says no before anything was planned: release the hold."""

    withdrawal_id: WithdrawalId
    reason: str


Command = (
    Withdraw
    | Transfer
    | CreateAccount
    | CreateKey
    | AddBookEntry
    | RemoveBookEntry
    | CreditDeposit
    | SetDepositAddress
    | FreezeAccount
    | FreezeKey
    | SetControl
    | RecordOpening
    | ClaimLane
    | Plan
    | PlanFiller
    | Unplan
    | RecordSigned
    | RecordSent
    | RecordMined
    | RecordReorged
    | Settle
    | Quarantine
    | ReleaseQuarantine
    | Reject
)
