"""Answers to the venues' queries (core/queries.py). Every one is bound to a single account."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from penstock.core.amounts import Units
from penstock.core.queries import (
    Account,
    Balances,
    BookEntries,
    DepositAddress,
    DepositHistory,
    DepositOrWithdrawalById,
    FindChallenge,
    FindDeposits,
    FindWithdrawals,
    Query,
    RemainingQuota,
    RemainingQuotaView,
    WithdrawalById,
    WithdrawalHistory,
)
from penstock.core.rates import decode_rate
from penstock.core.states import State
from penstock.core.time import DAY_MS, Clock, UnixMs
from penstock.core.views import (
    AccountView,
    BalanceView,
    BookEntryView,
    ChallengeView,
    DepositAddressView,
    DepositView,
    Move,
    WithdrawalView,
)
from penstock.engine.row import Row
from penstock.engine.rows import (
    AccountRow,
    BalanceRow,
    BookRow,
    ChallengeRow,
    DepositAddressRow,
    DepositRow,
    HistoryRow,
    QuotaRow,
    WithdrawalRow,
)
from penstock.engine.rules import TRANSFER_REFERENCE, Rules
from penstock.store.dialect import Binding, Dialect
from penstock.store.finding import where_deposits, where_withdrawals

R = TypeVar("R", bound=Row)
UNLIMITED_QUOTA_SAT = 21_000_000 * 10**8
"""Shown where the operator sets no daily quota: more than there can be."""


class Select(Protocol):
    """Runs "SELECT <columns> FROM <table> <where>" on the caller's connection."""

    def __call__(self, row_type: type[R], where: str, bindings: tuple[Binding, ...], /) -> list[R]: ...


class Answers:
    """One method per query; stateless beside what it was made with."""

    def __init__(self, select: Select, dialect: Dialect, rules: Rules, clock: Clock) -> None:
        self._select = select
        self._dialect = dialect
        self._rules = rules
        self._clock = clock

    def answer(self, query: Query) -> object:  # noqa: C901, PLR0911 - a table
        """What the query's docstring names. Raises nothing of its own; a database error surfaces."""
        match query:
            case FindWithdrawals():
                return self._find_withdrawals(query)
            case FindDeposits():
                return self._find_deposits(query)
            case FindChallenge():
                return self._challenge(query)
            case Account():
                return self._account(query)
            case WithdrawalById():
                return self._withdrawal(query.account_id, query.withdrawal_id)
            case DepositOrWithdrawalById():
                return self._withdrawal(query.account_id, query.id) or self._deposit(query)
            case WithdrawalHistory():
                return self._withdrawals(query)
            case DepositHistory():
                return self._deposits(query)
            case Balances():
                return self._balances(query)
            case BookEntries():
                return self._book(query)
            case DepositAddress():
                return self._deposit_address(query)
            case RemainingQuota():
                return self._remaining_quota(query)

    def _find_withdrawals(self, query: FindWithdrawals) -> list[WithdrawalView]:
        rows = self._select(WithdrawalRow, *where_withdrawals(query, self._dialect))
        if not query.with_moves:
            return [withdrawal_view(row) for row in rows]
        steps: dict[int, list[Move]] = {row.withdrawal_id: [] for row in rows}
        theirs, wanted = self._dialect.one_of("withdrawal_id", steps)
        where = f"WHERE {theirs} ORDER BY withdrawal_id, sequence"
        for step in self._select(HistoryRow, where, (wanted,)):
            steps[step.withdrawal_id].append(Move(State(step.state_after), step.at_ms))
        return [
            msgspec.structs.replace(withdrawal_view(row), moves=tuple(steps[row.withdrawal_id]))
            for row in rows
        ]

    def _find_deposits(self, query: FindDeposits) -> list[DepositView]:
        return [deposit_view(row) for row in self._select(DepositRow, *where_deposits(query, self._dialect))]

    def _challenge(self, query: FindChallenge) -> ChallengeView | None:
        where = "WHERE account_id = ? AND venue = ? AND nonce = ?"
        found = self._select(ChallengeRow, where, (query.account_id, query.venue, query.nonce))
        if not found:
            return None
        challenge = found[0]
        withdrawal = self._withdrawal(query.account_id, challenge.withdrawal_id)
        assert withdrawal is not None, challenge
        return ChallengeView(
            withdrawal, challenge.nonce, challenge.expires_ms, challenge.failures, challenge.answer
        )

    def _account(self, query: Account) -> AccountView:
        (row,) = self._select(AccountRow, "WHERE account_id = ?", (query.account_id,))
        return AccountView(
            account_id=row.account_id,
            account_number=row.account_number,
            email=row.email or "",
            phone=row.phone or "",
            is_sub_account=row.master_account_id is not None,
            may_withdraw=row.may_withdraw,
            frozen=row.frozen,
            created_ms=row.created_ms,
        )

    def _withdrawal(self, account_id: int, withdrawal_id: int) -> WithdrawalView | None:
        found = self._select(
            WithdrawalRow, "WHERE withdrawal_id = ? AND account_id = ?", (withdrawal_id, account_id)
        )
        return withdrawal_view(found[0]) if found else None

    def _deposit(self, query: DepositOrWithdrawalById) -> DepositView | None:
        found = self._select(
            DepositRow, "WHERE deposit_id = ? AND account_id = ?", (query.id, query.account_id)
        )
        return deposit_view(found[0]) if found else None

    def _withdrawals(self, query: WithdrawalHistory) -> list[WithdrawalView]:
        return self._find_withdrawals(
            FindWithdrawals(
                query.account_id,
                query.limit,
                venue=query.venue,
                assets=_only(query.asset),
                networks=_only(query.network),
                from_ms=query.from_ms,
                before_ms=UnixMs(query.to_ms + 1),
            )
        )

    def _deposits(self, query: DepositHistory) -> list[DepositView]:
        return self._find_deposits(
            FindDeposits(
                query.account_id,
                query.limit,
                assets=_only(query.asset),
                networks=_only(query.network),
                from_ms=query.from_ms,
                before_ms=UnixMs(query.to_ms + 1),
            )
        )

    def _balances(self, query: Balances) -> list[BalanceView]:
        rows = self._select(BalanceRow, "WHERE account_id = ? ORDER BY wallet, asset", (query.account_id,))
        return [BalanceView(row.wallet, row.asset, row.available, row.held) for row in rows]

    def _book(self, query: BookEntries) -> list[BookEntryView]:
        where = "WHERE account_id = ? AND removed_ms IS NULL ORDER BY entry_id"
        return [
            BookEntryView(
                row.entry_id,
                row.kind,
                row.asset,
                row.network,
                row.address,
                row.memo,
                row.remark,
                row.verified,
                row.usable_from_ms,
            )
            for row in self._select(BookRow, where, (query.account_id,))
        ]

    def _deposit_address(self, query: DepositAddress) -> DepositAddressView | None:
        where = "WHERE account_id = ? AND network = ?"
        found = self._select(DepositAddressRow, where, (query.account_id, query.network))
        return (
            DepositAddressView(query.asset, query.network, found[0].address, found[0].memo) if found else None
        )

    def _remaining_quota(self, query: RemainingQuota) -> RemainingQuotaView:
        allowed = self._rules.policy.daily_quota_sat
        if allowed is None:
            return RemainingQuotaView(Units(UNLIMITED_QUOTA_SAT))
        day = self._clock.now_ms() // DAY_MS
        found = self._select(QuotaRow, "WHERE account_id = ? AND day = ?", (query.account_id, day))
        used = found[0].used_sat if found else 0
        return RemainingQuotaView(Units(max(allowed - used, 0)))


def _only(value: str | None) -> tuple[str, ...] | None:
    return None if value is None else (value,)


def withdrawal_view(row: WithdrawalRow) -> WithdrawalView:
    """What readers may know of a withdrawal."""
    return WithdrawalView(
        withdrawal_id=row.withdrawal_id,
        account_id=row.account_id,
        venue=row.venue,
        asset=row.asset,
        network=row.network,
        wallet=row.wallet,
        amount=row.amount,
        fee=row.fee,
        net=row.net,
        address=row.address,
        memo=row.memo,
        recipient=row.recipient,
        state=row.state,
        reason=row.reason,
        tx_hash=row.tx_hash,
        confirmations=row.confirmations,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        number=row.number,
        request_id=row.request_id,
        extra=row.extra,
        remark=row.remark,
        debit_asset=row.debit_asset,
        rate=decode_rate(row.rate),
    )


def deposit_view(row: DepositRow) -> DepositView:
    return DepositView(
        deposit_id=row.deposit_id,
        account_id=row.account_id,
        asset=row.asset,
        network=row.network,
        wallet=row.wallet,
        amount=row.amount,
        address=row.address,
        tx_id=row.tx_id,
        created_ms=row.created_ms,
        internal=row.reference.startswith(TRANSFER_REFERENCE),
    )
