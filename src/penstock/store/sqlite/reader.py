"""Reading SQLite beside the writer: one read-only connection per thread."""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

import threading
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw
import msgspec

from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.queries import Query
from penstock.core.states import State
from penstock.core.time import Clock, UnixMs
from penstock.core.views import AttemptView, HistoryView, KeyView, WithdrawalView
from penstock.engine.lanes import SENDING
from penstock.engine.rows import (
    AccountRow,
    ApiKeyRow,
    AttemptRow,
    AuditRow,
    CallbackRow,
    ChallengeRow,
    ControlRow,
    LaneRow,
    NonceRow,
    OutboxRow,
    Row,
    WithdrawalRow,
)
from penstock.engine.rules import Rules
from penstock.store.sqlite.answers import Answers, withdrawal_view
from penstock.store.sqlite.connection import open_reader
from penstock.store.sqlite.statements import Value, table

R = TypeVar("R", bound=Row)


class SqliteReader:
    """A Reader (store/reader.py). Connections open on first use in each thread and close with `close`."""

    def __init__(self, path: Path, rules: Rules, clock: Clock) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._answers = Answers(self._select, rules, clock)

    def close(self) -> None:
        with self._lock:
            for connection in self._opened:
                connection.close(force=True)
            self._opened.clear()

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

    def withdrawals(self, account_id: AccountId | None, limit: int) -> list[WithdrawalView]:
        where = "ORDER BY withdrawal_id DESC LIMIT ?1"
        bindings: tuple[Value, ...] = (limit,)
        if account_id is not None:
            where, bindings = f"WHERE account_id = ?2 {where}", (limit, account_id)
        return [withdrawal_view(row) for row in self._select(WithdrawalRow, where, bindings)]

    def withdrawals_in(self, state: State, limit: int) -> list[WithdrawalView]:
        # Written out, not bound: SQLite takes a partial index only for the very value that the index names.
        where = f"WHERE state = '{state.value}' ORDER BY withdrawal_id DESC LIMIT ?"
        return [withdrawal_view(row) for row in self._select(WithdrawalRow, where, (limit,))]

    def history(self, withdrawal_id: WithdrawalId) -> list[HistoryView]:
        sql = (
            "SELECT sequence, state_before, state_after, detail, at_ms FROM history "
            "WHERE withdrawal_id = ? ORDER BY sequence"
        )
        return [HistoryView(*values) for values in self._connection().execute(sql, (withdrawal_id,))]

    def events(self, withdrawal_id: WithdrawalId) -> list[OutboxRow]:
        return self._select(OutboxRow, "WHERE withdrawal_id = ? ORDER BY sequence", (withdrawal_id,))

    def attempts(self, withdrawal_id: WithdrawalId) -> list[AttemptView]:
        rows = self._select(AttemptRow, "WHERE withdrawal_id = ? ORDER BY attempt_id", (withdrawal_id,))
        return [
            AttemptView(
                row.attempt_id, row.network, row.sender, row.nonce, row.state, row.tx_hash, row.created_ms
            )
            for row in rows
        ]

    def audit(self, limit: int, before: int | None = None) -> list[AuditRow]:
        where = "ORDER BY audit_id DESC LIMIT ?1"
        bindings: tuple[Value, ...] = (limit,)
        if before is not None:
            where, bindings = f"WHERE audit_id < ?2 {where}", (limit, before)
        return self._select(AuditRow, where, bindings)

    def stopped(self, network: str) -> bool:
        controls = (self.row(ControlRow, name) for name in (SENDING, f"network/{network}"))
        return any(control is not None and control.stopped for control in controls)

    def lane(self, network: str, sender: str) -> LaneRow | None:
        return self.row(LaneRow, network, sender)

    def to_plan(self, network: str, limit: int) -> list[WithdrawalRow]:
        where = "WHERE network = ? AND state IN ('held', 'approved') ORDER BY withdrawal_id LIMIT ?"
        return self._select(WithdrawalRow, where, (network, limit))

    def open_attempts(self, network: str, sender: str) -> list[AttemptRow]:
        live = "state IN ('planned', 'signed', 'sent')"
        where = f"WHERE network = ? AND sender = ? AND {live} ORDER BY nonce, attempt_id"
        return self._select(AttemptRow, where, (network, sender))

    def open_nonces(self, network: str, sender: str) -> list[NonceRow]:
        where = "WHERE network = ? AND sender = ? AND final = 0 ORDER BY nonce"
        return self._select(NonceRow, where, (network, sender))

    def due_events(self, now_ms: UnixMs, limit: int, without: Collection[AccountId] = ()) -> list[OutboxRow]:
        left_out = msgspec.json.encode(list(without)).decode()
        where = (
            "WHERE due_ms <= ? AND account_id NOT IN (SELECT value FROM json_each(?)) AND NOT EXISTS "
            "(SELECT 1 FROM outbox earlier WHERE earlier.withdrawal_id = outbox.withdrawal_id "
            "AND earlier.sequence < outbox.sequence AND earlier.due_ms IS NOT NULL) "
            "ORDER BY due_ms, withdrawal_id, sequence LIMIT ?"
        )
        return self._select(OutboxRow, where, (now_ms, left_out, limit))

    def callback(self, account_id: AccountId, venue: str) -> CallbackRow | None:
        return self.row(CallbackRow, account_id, venue)

    def expired_challenges(self, now_ms: UnixMs, limit: int) -> list[ChallengeRow]:
        where = (
            "WHERE expires_ms < ? AND withdrawal_id IN "
            "(SELECT withdrawal_id FROM withdrawals WHERE state = 'challenged') ORDER BY withdrawal_id LIMIT ?"
        )
        return self._select(ChallengeRow, where, (now_ms, limit))

    def row(self, row_type: type[R], *key: int | str) -> R | None:
        where = " AND ".join(f"{name} = ?" for name in row_type.KEY)
        found = self._select(row_type, f"WHERE {where}", key)
        return found[0] if found else None

    @contextmanager
    def snapshot(self) -> Generator[None]:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")

    def rows(self, row_type: type[R]) -> Iterator[R]:
        known = table(row_type)
        sql = f"{known.select} ORDER BY {', '.join(row_type.KEY)}"
        for values in self._connection().execute(sql):
            yield known.decode(values)

    def _select(self, row_type: type[R], where: str, bindings: tuple[Value, ...]) -> list[R]:
        known = table(row_type)
        return [
            known.decode(values) for values in self._connection().execute(f"{known.select} {where}", bindings)
        ]

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = open_reader(self._path)
            self._local.connection = connection
            with self._lock:
                self._opened.append(connection)
        return connection
