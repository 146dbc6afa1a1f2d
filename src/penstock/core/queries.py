"""Queries: what a venue may ask of the readers. Values only; each docstring names the answer.

Every query is bound to one account: an answer never depends on another's objects. Ids and times as in views.
"""

from __future__ import annotations

import msgspec

from penstock.core.amounts import Units
from penstock.core.ids import AccountId, WithdrawalId
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
    WithdrawalById
    | DepositOrWithdrawalById
    | WithdrawalHistory
    | DepositHistory
    | Balances
    | BookEntries
    | DepositAddress
    | RemainingQuota
)
