"""The rows of customers and their money; those of sending are in sending_rows.py, what a row is in row.py."""

from __future__ import annotations

from penstock.core.amounts import Units
from penstock.core.ids import AccountId, AttemptId, PostingId, WithdrawalId
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.engine.row import Row


class AccountRow(Row, frozen=True, gc=False):
    """A customer's account. email and phone are unique where given; others address it by account_number."""

    TABLE = "accounts"
    KEY = ("account_id",)
    account_id: AccountId
    account_number: str
    email: str | None
    phone: str | None
    master_account_id: AccountId | None
    may_withdraw: bool
    frozen: bool
    created_ms: UnixMs

    @property
    def key(self) -> tuple[int]:
        return (self.account_id,)


class ApiKeyRow(Row, frozen=True, gc=False):
    """An API key. permissions and allowed_ips are comma-joined text."""

    TABLE = "api_keys"
    KEY = ("key_id",)
    key_id: str
    account_id: AccountId
    venue: str
    secret: str
    passphrase: str
    permissions: str
    allowed_ips: str
    expires_ms: UnixMs | None
    frozen: bool
    created_ms: UnixMs

    @property
    def key(self) -> tuple[str]:
        return (self.key_id,)

    def __repr__(self) -> str:
        return f"ApiKeyRow(key_id={self.key_id!r}, secret=***)"


class BookRow(Row, frozen=True, gc=False):
    """An address-book entry. asset and network are "" where the kind spans several; removed ones stay."""

    TABLE = "book"
    KEY = ("entry_id",)
    entry_id: int
    account_id: AccountId
    kind: str
    asset: str
    network: str
    address: str
    memo: str
    remark: str
    verified: bool
    usable_from_ms: UnixMs
    removed_ms: UnixMs | None
    created_ms: UnixMs

    @property
    def key(self) -> tuple[int]:
        return (self.entry_id,)


class BalanceRow(Row, frozen=True, gc=False):
    """What one wallet of an account has of an asset; neither part is ever below zero (by constraint too)."""

    TABLE = "balances"
    KEY = ("account_id", "asset", "wallet")
    account_id: AccountId
    asset: str
    wallet: str
    available: Units
    held: Units

    @property
    def key(self) -> tuple[int, str, str]:
        return (self.account_id, self.asset, self.wallet)


class QuotaRow(Row, frozen=True, gc=False):
    """How much of its daily quota an account has used on a UTC day (days since 1970), in satoshi."""

    TABLE = "quotas"
    KEY = ("account_id", "day")
    account_id: AccountId
    day: int
    used_sat: int

    @property
    def key(self) -> tuple[int, int]:
        return (self.account_id, self.day)


class PostingRow(Row, frozen=True, gc=False):
    """One balanced journal entry.

    kind: "hold", "settle", "release", "exchange", "deposit", "opening", "gas_hold", "gas_release" or "network_fee".
    """

    TABLE = "postings"
    KEY = ("posting_id",)
    APPEND_ONLY = True
    WRITE_ONLY = True
    posting_id: PostingId
    kind: str
    withdrawal_id: WithdrawalId | None
    reference: str
    at_ms: UnixMs

    @property
    def key(self) -> tuple[int]:
        return (self.posting_id,)


class EntryRow(Row, frozen=True, gc=False):
    """One leg of a posting: signed `units` to a ledger account. Per posting and asset legs sum to zero."""

    TABLE = "entries"
    KEY = ("posting_id", "line")
    APPEND_ONLY = True
    WRITE_ONLY = True
    posting_id: PostingId
    line: int
    ledger_account: str
    asset: str
    units: Units

    @property
    def key(self) -> tuple[int, int]:
        return (self.posting_id, self.line)


class RequestRow(Row, frozen=True, gc=False):
    """The memory of an accepted request, for ever: the same id gets the same withdrawal."""

    TABLE = "requests"
    KEY = ("account_id", "venue", "request_id")
    APPEND_ONLY = True
    account_id: AccountId
    venue: str
    request_id: str
    business: str
    withdrawal_id: WithdrawalId
    at_ms: UnixMs

    @property
    def key(self) -> tuple[int, str, str]:
        return (self.account_id, self.venue, self.request_id)


class WithdrawalRow(Row, frozen=True, gc=False):
    """A withdrawal. recipient_id is set for a transfer to another account, and to its own account for an exchange.

    amount: debited, fee included, and fee, both in debit_asset; net: what is paid, in asset. Where these are one
    asset, amount = fee + net; else rate says how they were converted (encoded core.rates.Rate, "" for none).

    steps counts the state changes, so that history and outbox rows are numbered without asking. attempt_id:
    the newest attempt. tx_hash, confirmations: of the attempt that is mined, else the newest.
    number: its own within the account, 0 for none. request_id: the caller's own, "" where the venue has none.
    extra: the venue's text. notify: whether its events are for the account's callback.
    """

    TABLE = "withdrawals"
    KEY = ("withdrawal_id",)
    FIXED = frozenset(
        (
            *("account_id", "venue", "request_id", "created_ms", "notify"),
            *("asset", "network", "debit_asset", "amount", "fee", "net", "rate"),
            *("address", "memo", "recipient", "recipient_id", "book_entry_id", "remark", "extra"),
        )
    )
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
    recipient_id: AccountId | None
    book_entry_id: int | None
    remark: str
    state: State
    reason: str
    steps: int
    attempt_id: AttemptId | None
    tx_hash: str
    confirmations: int
    created_ms: UnixMs
    updated_ms: UnixMs
    debit_asset: str
    rate: str
    number: int
    request_id: str
    extra: str
    notify: bool

    @property
    def key(self) -> tuple[int]:
        return (self.withdrawal_id,)


class ChallengeRow(Row, frozen=True, gc=False):
    """What a challenged withdrawal waits for. answer: the valid one, "" while there is none. closed: whether it waits
    no more, answered or out of time.
    """

    TABLE = "challenges"
    KEY = ("account_id", "venue", "nonce")
    FIXED = frozenset(("withdrawal_id", "expires_ms"))
    account_id: AccountId
    venue: str
    nonce: str
    withdrawal_id: WithdrawalId
    expires_ms: UnixMs
    failures: int
    answer: str
    closed: bool

    @property
    def key(self) -> tuple[int, str, str]:
        return (self.account_id, self.venue, self.nonce)


class CounterRow(Row, frozen=True, gc=False):
    """How many withdrawals of an account were given a number of their own."""

    TABLE = "counters"
    KEY = ("account_id",)
    account_id: AccountId
    used: int

    @property
    def key(self) -> tuple[int]:
        return (self.account_id,)


class HistoryRow(Row, frozen=True, gc=False):
    """One state change. state_before "" for the first."""

    TABLE = "history"
    KEY = ("withdrawal_id", "sequence")
    APPEND_ONLY = True
    WRITE_ONLY = True
    withdrawal_id: WithdrawalId
    sequence: int
    state_before: str
    state_after: str
    detail: str
    at_ms: UnixMs

    @property
    def key(self) -> tuple[int, int]:
        return (self.withdrawal_id, self.sequence)


class OutboxRow(Row, frozen=True, gc=False):
    """One event for the outside per state change, numbered per withdrawal.

    due_ms: when it is to be told next; None: told, given up, or for nobody. tries: attempts that failed.
    delivered_ms: when the outside took note of it.
    """

    TABLE = "outbox"
    KEY = ("withdrawal_id", "sequence")
    FIXED = frozenset(("account_id", "state", "at_ms"))
    withdrawal_id: WithdrawalId
    sequence: int
    account_id: AccountId
    state: State
    at_ms: UnixMs
    due_ms: UnixMs | None
    tries: int
    delivered_ms: UnixMs | None

    @property
    def key(self) -> tuple[int, int]:
        return (self.withdrawal_id, self.sequence)


class CallbackRow(Row, frozen=True, gc=False):
    """Where a venue's callbacks about an account's withdrawals go. url "": nowhere. key_id: the key that signs them."""

    TABLE = "callbacks"
    KEY = ("account_id", "venue")
    account_id: AccountId
    venue: str
    url: str
    key_id: str

    @property
    def key(self) -> tuple[int, str]:
        return (self.account_id, self.venue)


class DepositRow(Row, frozen=True, gc=False):
    """A credit to a customer: a deposit, or what a transfer brings. reference is unique for ever."""

    TABLE = "deposits"
    KEY = ("reference",)
    APPEND_ONLY = True
    reference: str
    deposit_id: int
    account_id: AccountId
    asset: str
    network: str
    wallet: str
    amount: Units
    address: str
    tx_id: str
    created_ms: UnixMs

    @property
    def key(self) -> tuple[str]:
        return (self.reference,)


class DepositAddressRow(Row, frozen=True, gc=False):
    """Where an account may send deposits on a network."""

    TABLE = "deposit_addresses"
    KEY = ("account_id", "network")
    account_id: AccountId
    network: str
    address: str
    memo: str

    @property
    def key(self) -> tuple[int, str]:
        return (self.account_id, self.network)
