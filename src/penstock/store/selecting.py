"""The reads that are one SELECT each, the same on every database; how a SELECT is run is each database's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TypeVar

from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.queries import Query
from penstock.core.states import State
from penstock.core.time import Clock, UnixMs
from penstock.core.views import AttemptView, HistoryView, KeyView, WithdrawalView
from penstock.engine.lanes import SENDING
from penstock.engine.row import Row
from penstock.engine.rows import (
    AccountRow,
    ApiKeyRow,
    CallbackRow,
    ChallengeRow,
    HistoryRow,
    OutboxRow,
    WithdrawalRow,
)
from penstock.engine.rules import Rules
from penstock.engine.sending_rows import AttemptRow, AuditRow, ControlRow, LaneRow, NonceRow
from penstock.store.answers import Answers, withdrawal_view
from penstock.store.dialect import INT64_MAX, Binding, Dialect, Page

R = TypeVar("R", bound=Row)


class SelectingReader(ABC):
    """All of a Reader (store/reader.py) but `snapshot` and `rows`."""

    def __init__(self, dialect: Dialect, rules: Rules, clock: Clock) -> None:
        self._dialect = dialect
        self._answers = Answers(self._select, dialect, rules, clock)

    @abstractmethod
    def _select(self, row_type: type[R], where: str, bindings: tuple[Binding, ...]) -> list[R]:
        """Run "SELECT <columns> FROM <table> <where>"; its marks are "?"."""

    @property
    def reads_at_once(self) -> bool:
        return False

    def ask(self, query: Query) -> object:
        return self._answers.answer(query)

    def find_key(self, key_id: str) -> KeyView | None:
        key = self.row(ApiKeyRow, key_id)
        account = None if key is None else self.row(AccountRow, key.account_id)
        if key is None or account is None:
            return None
        return KeyView(
            key_id=key.key_id,
            venue=key.venue,
            account_id=key.account_id,
            secret=key.secret.encode(),
            passphrase=key.passphrase,
            permissions=frozenset(part for part in key.permissions.split(",") if part),
            allowed_ips=tuple(part for part in key.allowed_ips.split(",") if part),
            expires_ms=key.expires_ms,
            frozen=key.frozen,
            is_sub_account=account.master_account_id is not None,
        )

    def withdrawal(self, withdrawal_id: WithdrawalId) -> WithdrawalView | None:
        row = self.row(WithdrawalRow, withdrawal_id)
        return None if row is None else withdrawal_view(row)

    def withdrawals(
        self, account_id: AccountId | None, limit: int, before: int | None = None
    ) -> list[WithdrawalView]:
        if account_id is None:
            where = "WHERE withdrawal_id < ? ORDER BY withdrawal_id DESC LIMIT ?"
            rows = self._select(WithdrawalRow, where, (_bound(before), limit))
        else:
            walk = self._dialect.walk(("account_id", account_id), "withdrawal_id", Page(before=before))
            condition, bindings, order = walk
            where = f"WHERE {condition} ORDER BY {order} LIMIT ?"
            rows = self._select(WithdrawalRow, where, (*bindings, limit))
        return [withdrawal_view(row) for row in rows]

    def withdrawals_in(self, state: State, limit: int, before: int | None = None) -> list[WithdrawalView]:
        # Written out, not bound: an index on a part of the rows is found by the very value that it names.
        where = f"WHERE state = '{state.value}' AND withdrawal_id < ? ORDER BY withdrawal_id DESC LIMIT ?"
        rows = self._select(WithdrawalRow, where, (_bound(before), limit))
        return [withdrawal_view(row) for row in rows]

    def history(self, withdrawal_id: WithdrawalId) -> list[HistoryView]:
        rows = self._select(HistoryRow, "WHERE withdrawal_id = ? ORDER BY sequence", (withdrawal_id,))
        return [
            HistoryView(row.sequence, row.state_before, row.state_after, row.detail, row.at_ms)
            for row in rows
        ]

    def events(self, withdrawal_id: WithdrawalId) -> list[OutboxRow]:
        return self._select(OutboxRow, "WHERE withdrawal_id = ? ORDER BY sequence", (withdrawal_id,))

    def attempts(self, withdrawal_id: WithdrawalId) -> list[AttemptView]:
        walk = self._dialect.walk(("withdrawal_id", withdrawal_id), "attempt_id", Page(ascending=True))
        condition, bindings, order = walk
        rows = self._select(AttemptRow, f"WHERE {condition} ORDER BY {order}", bindings)
        return [
            AttemptView(
                row.attempt_id, row.network, row.sender, row.nonce, row.state, row.tx_hash, row.created_ms
            )
            for row in rows
        ]

    def audit(self, limit: int, before: int | None = None) -> list[AuditRow]:
        where = "WHERE audit_id < ? ORDER BY audit_id DESC LIMIT ?"
        return self._select(AuditRow, where, (_bound(before), limit))

    def stopped(self, network: str) -> bool:
        controls = (self.row(ControlRow, name) for name in (SENDING, f"network/{network}"))
        return any(control is not None and control.stopped for control in controls)

    def lane(self, network: str, sender: str) -> LaneRow | None:
        return self.row(LaneRow, network, sender)

    def to_plan(self, network: str, limit: int) -> list[WithdrawalRow]:
        walk = self._dialect.walk(("network", network), "withdrawal_id", Page(ascending=True))
        condition, bindings, order = walk
        where = f"WHERE {condition} AND state IN ('held', 'approved') ORDER BY {order} LIMIT ?"
        return self._select(WithdrawalRow, where, (*bindings, limit))

    def open_attempts(self, network: str, sender: str) -> list[AttemptRow]:
        live = "state IN ('planned', 'signed', 'sent')"
        where = f"WHERE network = ? AND sender = ? AND {live} ORDER BY nonce, attempt_id"
        return self._select(AttemptRow, where, (network, sender))

    def open_nonces(self, network: str, sender: str) -> list[NonceRow]:
        where = f"WHERE network = ? AND sender = ? AND final = {self._dialect.false} ORDER BY nonce"
        return self._select(NonceRow, where, (network, sender))

    def due_events(self, now_ms: UnixMs, limit: int, without: Collection[AccountId] = ()) -> list[OutboxRow]:
        left_out, accounts = self._dialect.one_of("account_id", without)
        where = (
            f"WHERE due_ms <= ? AND NOT ({left_out}) AND NOT EXISTS "
            "(SELECT 1 FROM outbox earlier WHERE earlier.withdrawal_id = outbox.withdrawal_id "
            "AND earlier.sequence < outbox.sequence AND earlier.due_ms IS NOT NULL) "
            "ORDER BY due_ms, withdrawal_id, sequence LIMIT ?"
        )
        return self._select(OutboxRow, where, (now_ms, accounts, limit))

    def callback(self, account_id: AccountId, venue: str) -> CallbackRow | None:
        return self.row(CallbackRow, account_id, venue)

    def expired_challenges(self, now_ms: UnixMs, limit: int) -> list[ChallengeRow]:
        where = f"WHERE closed = {self._dialect.false} AND expires_ms < ? ORDER BY expires_ms, withdrawal_id LIMIT ?"
        return self._select(ChallengeRow, where, (now_ms, limit))

    def row(self, row_type: type[R], *key: int | str) -> R | None:
        where = " AND ".join(f"{name} = ?" for name in row_type.KEY)
        found = self._select(row_type, f"WHERE {where}", key)
        return found[0] if found else None


def _bound(before: int | None) -> int:
    """Always a bound, so that the first page is read along the same index as the next ones."""
    return INT64_MAX if before is None else before
