"""What the admin API gives, as structs; values as in `schema`."""

from __future__ import annotations

import msgspec

from penstock.server.admin.schema import Amount, Id


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
    """asset and network are "" where the kind spans several. address is the canonical text.

    Of kind "recipient": address is another account's number, e-mail address or phone, and memo says which.
    """

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
    """A credit as it stands in the ledger; the same again for the same reference. network "": over none."""

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


class Callback(msgspec.Struct, frozen=True):
    """Where a venue's callbacks about the account's withdrawals go. url "": nowhere any more."""

    account_id: Id
    venue: str
    url: str
    key_id: str


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
    """amount (what is debited, fee included) and fee are in debit_asset, net (what is paid) in asset. Where these are
    one asset, amount = fee + net.

    recipient: of a transfer between accounts; confirmations_needed is 0 then. rate: how much of asset one whole coin of
    debit_asset buys, as decimal text, rounded down at 30 decimals; "" without a conversion. rate_origin: who said so.
    number: the withdrawal's own within its account, 0 where its venue has none. request_id: the customer's own, or "".
    """

    withdrawal_id: Id
    account_id: Id
    venue: str
    number: int
    request_id: str
    asset: str
    debit_asset: str
    network: str
    wallet: str
    amount: Amount
    fee: Amount
    net: Amount
    rate: str
    rate_origin: str
    rate_at_ms: int | None
    address: str
    memo: str
    recipient: str
    remark: str
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


class Event(msgspec.Struct, frozen=True):
    """One change of state, as told to the account's callback; sequence is that of the history.

    due_ms: when it is to be told next; null: told, given up, or for nobody. tries: attempts that failed. delivered_ms:
    when the outside took note of it, or when it was found that there is nobody to tell.
    """

    sequence: int
    state: str
    at_ms: int
    due_ms: int | None
    tries: int
    delivered_ms: int | None


class Events(msgspec.Struct, frozen=True):
    """Oldest first."""

    events: list[Event]


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
