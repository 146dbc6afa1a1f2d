"""Queries: what a venue may ask of the readers. Values only; each docstring names the answer.

Every query is bound to one account: an answer never depends on another's objects. Ids and times as in views.
"""

from __future__ import annotations

import msgspec

from penstock.core.amounts import Units
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.states import State
from penstock.core.time import UnixMs

HISTORY_LIMIT_MAX = 1_000
QUOTA_SCALE = 8
"""Decimals of the bitcoin amounts in which quotas are stated."""


class WithdrawalById(msgspec.Struct, frozen=True, gc=False):
    """Answer: views.WithdrawalView of this account, or None."""

    account_id: AccountId
    withdrawal_id: WithdrawalId


class DepositOrWithdrawalById(msgspec.Struct, frozen=True, gc=False):
    """Answer: views.WithdrawalView or views.DepositView of this account, or None. id: of either kind."""

    account_id: AccountId
    id: int


class WithdrawalHistory(msgspec.Struct, frozen=True, gc=False):
    """Answer: list of views.WithdrawalView, newest first (created_ms, then id), at most `limit`.

    venue: only what was asked through this venue, None for all. asset, network: None matches every one.
    from_ms and to_ms bound created_ms, both inclusive. limit: 1 to HISTORY_LIMIT_MAX.
    """

    account_id: AccountId
    asset: str | None
    network: str | None
    from_ms: UnixMs
    to_ms: UnixMs
    limit: int
    venue: str | None = None


class DepositHistory(msgspec.Struct, frozen=True, gc=False):
    """Answer: list of views.DepositView (received transfers included). Fields as in WithdrawalHistory."""

    account_id: AccountId
    asset: str | None
    network: str | None
    from_ms: UnixMs
    to_ms: UnixMs
    limit: int


class FindWithdrawals(msgspec.Struct, frozen=True, gc=False):
    """Answer: list of views.WithdrawalView of this account, at most `limit` (1 to HISTORY_LIMIT_MAX).

    Every filter that is not None must hold. venue: only what was asked through it. ids, numbers, request_ids: one of
    these. tx_hash: exact. assets, networks, states: one of these. on_chain: True for payments on a chain, False for
    transfers between accounts. from_ms inclusive, before_ms exclusive, on created_ms.
    Sorted by id, newest first, or oldest first when `ascending`; by number instead where `by_number`, which leaves out
    what has none. after, before: exclusive bounds on the value sorted by, for paging.
    with_moves: fill `moves`.
    """

    account_id: AccountId
    limit: int
    venue: str | None = None
    ids: tuple[int, ...] | None = None
    numbers: tuple[int, ...] | None = None
    request_ids: tuple[str, ...] | None = None
    tx_hash: str | None = None
    assets: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    states: tuple[State, ...] | None = None
    on_chain: bool | None = None
    from_ms: UnixMs | None = None
    before_ms: UnixMs | None = None
    by_number: bool = False
    ascending: bool = False
    after: int | None = None
    before: int | None = None
    with_moves: bool = False


class FindDeposits(msgspec.Struct, frozen=True, gc=False):
    """Answer: list of views.DepositView. Fields as in FindWithdrawals; internal: True for transfers received."""

    account_id: AccountId
    limit: int
    assets: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    tx_id: str | None = None
    internal: bool | None = None
    from_ms: UnixMs | None = None
    before_ms: UnixMs | None = None
    ascending: bool = False
    after: int | None = None
    before: int | None = None


class FindChallenge(msgspec.Struct, frozen=True, gc=False):
    """Answer: views.ChallengeView, or None when the account has no such nonce at this venue."""

    account_id: AccountId
    venue: str
    nonce: str


class Account(msgspec.Struct, frozen=True, gc=False):
    """Answer: views.AccountView."""

    account_id: AccountId


class Balances(msgspec.Struct, frozen=True, gc=False):
    """Answer: list of views.BalanceView, every wallet and asset that has a row, by wallet then asset."""

    account_id: AccountId


class BookEntries(msgspec.Struct, frozen=True, gc=False):
    """Answer: list of views.BookEntryView, removed ones left out, by entry_id."""

    account_id: AccountId


class DepositAddress(msgspec.Struct, frozen=True, gc=False):
    """Answer: views.DepositAddressView, or None when the account has no address there."""

    account_id: AccountId
    asset: str
    network: str


class RemainingQuota(msgspec.Struct, frozen=True, gc=False):
    """What the account may still withdraw today. Answer: RemainingQuotaView."""

    account_id: AccountId


class RemainingQuotaView(msgspec.Struct, frozen=True, gc=False):
    """bitcoin: the rest, in units of 10**-QUOTA_SCALE; more than can exist where there is no quota."""

    bitcoin: Units


Query = (
    FindWithdrawals
    | FindDeposits
    | FindChallenge
    | Account
    | WithdrawalById
    | DepositOrWithdrawalById
    | WithdrawalHistory
    | DepositHistory
    | Balances
    | BookEntries
    | DepositAddress
    | RemainingQuota
)
