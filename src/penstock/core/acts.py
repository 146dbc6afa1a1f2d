"""Acts: what the operator asks of the engine. Each leaves an audit row that names the actor."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from penstock.core.amounts import Units
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.time import UnixMs


class AddressKind(StrEnum):
    """How far a book entry reaches (BitMart spot docs, Withdraw, "Address Types")."""

    STANDARD = "standard"
    """One asset on one network."""
    UNIVERSAL = "universal"
    """Every asset on one network."""
    EVM = "evm"
    """Every asset on every network of the EVM family."""
    RECIPIENT = "recipient"
    """Another account of this Penstock: its address is the recipient's text, its memo the RecipientKind."""


class CreateAccount(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Open an account. account_number: digits, unique; also the public user id (BitMart's CID)."""

    actor: str
    account_number: str
    email: str | None = None
    phone: str | None = None
    master_account_id: AccountId | None = None
    may_withdraw: bool = True


class CreateKey(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Give an account an API key.

    secret: what verifies the caller: an HMAC secret, or a public key in the venue's own text. passphrase: the venue's
    further credential ("" where it has none). permissions: among "read", "withdraw".
    """

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
    """Credit `amount` that arrived on `network`, "" for money that no chain carries.

    reference: the deposit's own id, credited once for ever.
    """

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


class ReleaseQuarantine(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The operator has reconciled the lane; next_nonce (never below ours) is what chain and signer's log agree on."""

    actor: str
    network: str
    sender: str
    next_nonce: int


class SetCallback(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Say where a venue's callbacks about an account's withdrawals go, signed with the key named. url "" stops them."""

    actor: str
    account_id: AccountId
    venue: str
    url: str
    key_id: str


class Approve(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Let a withdrawal that waits for approval go on to be paid."""

    actor: str
    withdrawal_id: WithdrawalId


class Decline(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Refuse a withdrawal that waits for approval, or that nothing was planned for yet; the hold is released."""

    actor: str
    withdrawal_id: WithdrawalId
    reason: str


class Cancel(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Take a withdrawal back at the customer's wish, before anything was planned for it; the hold is released."""

    actor: str
    withdrawal_id: WithdrawalId


class ResendCallback(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Deliver the callback about one state change of a withdrawal once more, as if it were new."""

    actor: str
    withdrawal_id: WithdrawalId
    sequence: int


Operation = (
    CreateAccount
    | CreateKey
    | AddBookEntry
    | RemoveBookEntry
    | CreditDeposit
    | SetDepositAddress
    | FreezeAccount
    | FreezeKey
    | SetControl
    | RecordOpening
    | ReleaseQuarantine
    | SetCallback
)
"""What the operator sets up and switches."""
Act = Operation | Approve | Decline | Cancel | ResendCallback
"""And what is decided about one withdrawal."""
