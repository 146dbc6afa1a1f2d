"""What the admin API takes and gives, as structs; the OpenAPI document is generated from them.

Ids are text, because they pass 2**53 and many JSON readers would round them. Amounts are plain decimal text
in the asset's own unit, never a JSON number. Times are Unix milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from penstock.core.commands import AddressKind

LIST_LIMIT_MAX = 1_000
TIME_MS_MAX = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""
INTEGER_MAX = 2**63 - 1

Id = Annotated[str, Meta(pattern="^(0|[1-9][0-9]{0,18})$", description="An id, as text: it passes 2**53.")]
Amount = Annotated[
    str, Meta(max_length=101, description="Plain decimal text in the asset's own unit.", examples=["12.5"])
]
AssetCode = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,32}$", examples=["USDT"])]
NetworkCode = Annotated[str, Meta(pattern="^[a-z0-9_-]{1,32}$", examples=["ethereum"])]
Wallet = Annotated[str, Meta(pattern="^[a-z0-9_-]{1,32}$", examples=["spot"])]
Address = Annotated[str, Meta(min_length=1, max_length=112)]
Memo = Annotated[str, Meta(max_length=120)]
Note = Annotated[str, Meta(max_length=200)]
TimeMs = Annotated[int, Meta(ge=0, le=TIME_MS_MAX, description="Unix milliseconds.")]
Credential = Annotated[str, Meta(pattern="^[!-~]{8,256}$")]
KeyId = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{4,64}$")]
# No slash: references of transfers between accounts have one, so that the two never meet.
Reference = Annotated[
    str, Meta(pattern="^[A-Za-z0-9._:-]{1,128}$", description="The credit's own id; credited once for ever.")
]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what is sent: a field we do not know is refused, not dropped."""


class NoFields(Body, frozen=True):
    """Nothing is asked: an empty body or {}."""


class Why(Body, frozen=True):
    """reason: for the audit, and shown to the other operators."""

    reason: Note = ""


class NewAccount(Body, frozen=True):
    """An account to open. account_number: what others address it by. phone: "+<area code> <digits>"."""

    account_number: Annotated[str, Meta(pattern="^[0-9]{1,19}$")]
    email: Annotated[str, Meta(pattern="^[^@ ]{1,64}@[^@ ]{1,189}$")] | None = None
    phone: Annotated[str, Meta(pattern=r"^\+[0-9]{1,4} [0-9]{3,15}$")] | None = None
    master_account_id: Id | None = None
    may_withdraw: bool = True


class NewKey(Body, frozen=True):
    """A key to give. key_id, secret and passphrase are made at random where they are left out;
    permissions are ["read"] then.

    passphrase: what BitMart calls memo. allowed_ips: addresses or networks; none means from anywhere.
    """

    venue: Annotated[str, Meta(pattern="^[a-z][a-z0-9]{0,31}$", examples=["bitmart"])]
    key_id: KeyId | UnsetType = UNSET
    secret: Credential | UnsetType = UNSET
    passphrase: Annotated[str, Meta(pattern="^[!-~]{0,256}$")] | UnsetType = UNSET
    permissions: Annotated[list[Literal["read", "withdraw"]], Meta(min_length=1, max_length=2)] = (
        msgspec.field(default_factory=lambda: ["read"])
    )
    allowed_ips: Annotated[list[Annotated[str, Meta(max_length=49)]], Meta(max_length=64)] = []
    expires_ms: TimeMs | None = None


class NewAddress(Body, frozen=True):
    """A destination for the book. standard: asset and network; universal: network only; evm: neither."""

    kind: AddressKind
    address: Address
    asset: AssetCode | UnsetType = UNSET
    network: NetworkCode | UnsetType = UNSET
    memo: Memo = ""
    remark: Note = ""
    verified: bool = False
    usable_from_ms: TimeMs = 0


class NewDeposit(Body, frozen=True):
    """Money that arrived. wallet: the policy's deposit wallet where it is left out."""

    asset: AssetCode
    network: NetworkCode
    amount: Amount
    reference: Reference
    wallet: Wallet | UnsetType = UNSET
    address: Annotated[str, Meta(max_length=112)] = ""
    tx_id: Annotated[str, Meta(max_length=128)] = ""


class NewDepositAddress(Body, frozen=True):
    """Where the account's deposits on the network arrive."""

    address: Address
    memo: Memo = ""


class NewOpening(Body, frozen=True):
    """How much more of its native coin the network's hot wallet holds, for network fees."""

    amount: Amount
    reference: Reference


class QuarantineEnd(Body, frozen=True):
    """next_nonce: what the chain and the signer's log agree on; never below ours."""

    sender: Address
    next_nonce: Annotated[int, Meta(ge=0, le=INTEGER_MAX)]


# --- query strings ---------------------------------------------------------------------------------------


class NoQuery(Body, frozen=True):
    """No parameters."""


class WithdrawalList(Body, frozen=True):
    account_id: Id | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=LIST_LIMIT_MAX)] = 100


class AuditList(Body, frozen=True):
    """before: only rows older than the one with this id, to read on."""

    limit: Annotated[int, Meta(ge=1, le=LIST_LIMIT_MAX)] = 100
    before: Id | UnsetType = UNSET


# --- answers ---------------------------------------------------------------------------------------------


class Account(msgspec.Struct, frozen=True):
    account_id: Id
    account_number: str
    email: str | None
    phone: str | None
    master_account_id: Id | None
    may_withdraw: bool
    frozen: bool
    created_ms: int


class Key(msgspec.Struct, frozen=True):
    """A key without its secret."""

    key_id: str
    account_id: Id
    venue: str
    permissions: list[str]
    allowed_ips: list[str]
    expires_ms: int | None
    frozen: bool
    created_ms: int


class KeyWithSecret(msgspec.Struct, frozen=True):
    """A key just made. The secret and the passphrase are shown here and never again."""

    key: Key
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return f"KeyWithSecret(key_id={self.key.key_id!r}, secret=***)"


class BookEntry(msgspec.Struct, frozen=True):
    """asset and network are "" where the kind spans several. address is the canonical text."""

    entry_id: Id
    kind: str
    asset: str
    network: str
    address: str
    memo: str
    remark: str
    verified: bool
    usable_from_ms: int


class AddressBook(msgspec.Struct, frozen=True):
    addresses: list[BookEntry]


class Deposit(msgspec.Struct, frozen=True):
    """A credit as it stands in the ledger; the same again for the same reference."""

    reference: str
    deposit_id: Id
    account_id: Id
    asset: str
    network: str
    wallet: str
    amount: Amount
    address: str
    tx_id: str
    created_ms: int


class DepositAddress(msgspec.Struct, frozen=True):
    account_id: Id
    network: str
    address: str
    memo: str


class Balance(msgspec.Struct, frozen=True):
    wallet: str
    asset: str
    available: Amount
    held: Amount


class BalanceSheet(msgspec.Struct, frozen=True):
    balances: list[Balance]


class Control(msgspec.Struct, frozen=True):
    """name: "sending" (every network) or "network/<code>". at_ms 0: never touched."""

    name: str
    stopped: bool
    reason: str
    at_ms: int


class ControlBoard(msgspec.Struct, frozen=True):
    controls: list[Control]


class Lane(msgspec.Struct, frozen=True):
    """A sender of a network. quarantine: "" or why nothing is sent. owner: the worker with the lease."""

    network: str
    sender: str
    next_nonce: int
    owner: str
    lease_until_ms: int
    epoch: int
    quarantine: str


class LaneBoard(msgspec.Struct, frozen=True):
    lanes: list[Lane]


class Withdrawal(msgspec.Struct, frozen=True):
    """amount = fee + net. recipient: of a transfer between accounts; confirmations_needed is 0 then."""

    withdrawal_id: Id
    account_id: Id
    venue: str
    asset: str
    network: str
    wallet: str
    amount: Amount
    fee: Amount
    net: Amount
    address: str
    memo: str
    recipient: str
    state: str
    reason: str
    tx_hash: str
    confirmations: int
    confirmations_needed: int
    created_ms: int
    updated_ms: int


class Withdrawals(msgspec.Struct, frozen=True):
    """Newest first."""

    withdrawals: list[Withdrawal]


class Change(msgspec.Struct, frozen=True):
    """One change of state; state_before is "" for the first."""

    sequence: int
    state_before: str
    state_after: str
    detail: str
    at_ms: int


class Attempt(msgspec.Struct, frozen=True):
    """One transaction made for the withdrawal."""

    attempt_id: Id
    network: str
    sender: str
    nonce: int
    state: str
    tx_hash: str
    created_ms: int


class WithdrawalStory(msgspec.Struct, frozen=True):
    """A withdrawal with everything that happened to it, oldest first."""

    withdrawal: Withdrawal
    history: list[Change]
    attempts: list[Attempt]


class Act(msgspec.Struct, frozen=True):
    """One act of an operator. detail: JSON text as recorded: no secrets, amounts in the smallest unit."""

    audit_id: Id
    actor: str
    act: str
    subject: str
    detail: str
    at_ms: int


class AuditLog(msgspec.Struct, frozen=True):
    """Newest first."""

    acts: list[Act]
