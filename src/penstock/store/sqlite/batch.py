"""One batch on SQLite: load everything the commands need, decide each in order, write, commit once.

A fixed number of queries whatever the batch size, and one flush to disk. A refused command writes nothing and
does not disturb its neighbours.
"""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

import time
from collections.abc import Sequence

import apsw

from penstock.core.commands import Command, RecipientKind
from penstock.core.ids import Ids
from penstock.core.points import point
from penstock.core.refusals import Unavailable
from penstock.core.time import Clock, UnixMs
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rows import AccountRow, ApiKeyRow, BookRow
from penstock.engine.rules import Rules
from penstock.engine.sending_rows import AttemptRow, ControlRow
from penstock.engine.snapshot import Needs, Snapshot
from penstock.store.deciding import CommitInDoubt, Deciding
from penstock.store.delivery import Outcome
from penstock.store.sqlite.statements import TABLES, json_text, table

_RECIPIENT_COLUMNS = {
    RecipientKind.ACCOUNT_NUMBER: "account_number",
    RecipientKind.EMAIL: "email",
    RecipientKind.PHONE: "phone",
}
_columns = ", ".join
_BOOK_COLUMNS = _columns(f"t.{name}" for name in table(BookRow).names)
_ATTEMPT_COLUMNS = _columns(f"t.{name}" for name in table(AttemptRow).names)
_SELECT_BOOK = (
    f"SELECT {_BOOK_COLUMNS} FROM json_each(?) AS want CROSS JOIN book t "
    "ON t.account_id = want.value ->> 0 AND t.address = want.value ->> 1"
)
_SELECT_ATTEMPTS = (
    f"SELECT {_ATTEMPT_COLUMNS} FROM json_each(?) AS want CROSS JOIN attempts t "
    "ON t.network = want.value ->> 0 AND t.sender = want.value ->> 1 AND t.nonce = want.value ->> 2"
)


class BatchRunner:
    """Runs batches on the writer's connection; not thread-safe, one owner."""

    def __init__(self, connection: apsw.Connection, rules: Rules, clock: Clock, ids: Ids) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._deciding = Deciding(rules, ids, self._load_rows)
        self._clock = clock
        self._snapshot = Snapshot()
        self._data_version: object = None
        self.keys_generation = 0
        self.commit_s = 0.0

    def run(self, commands: Sequence[Command]) -> list[Outcome]:
        """Returns one outcome per command, in order, all durable.

        Raises CommitInDoubt when the commit failed; Unavailable when the database was busy or refused the
        writes (nothing was written then).
        """
        point("store.batch_taken")
        now_ms = self._clock.now_ms()
        try:
            self._cursor.execute("BEGIN IMMEDIATE")
        except apsw.BusyError as error:
            raise Unavailable("the database is locked by another writer") from error
        point("store.batch_begun")
        try:
            snapshot = self._load(commands, now_ms)
            point("store.batch_loaded")
            outcomes = self._deciding.decide(snapshot, commands, now_ms)
            point("store.batch_decided")
            self._write(snapshot)
            point("store.batch_written")
        except BaseException:
            self._snapshot.forget()
            # SQLite has rolled back by itself after some errors of the disk.
            if self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")
            raise
        point("store.before_commit")
        began = time.monotonic()
        try:
            self._cursor.execute("COMMIT")
        except apsw.Error as error:
            self._snapshot.forget()
            raise CommitInDoubt(str(error)) from error
        self.commit_s = time.monotonic() - began
        point("store.committed")
        if AccountRow in snapshot.changed or ApiKeyRow in snapshot.changed:
            self.keys_generation += 1
        return outcomes

    def _load(self, commands: Sequence[Command], now_ms: UnixMs) -> Snapshot:
        snapshot = self._snapshot
        version = self._connection.pragma("data_version")
        if version != self._data_version:
            # Somebody else has written this database: nothing that was kept is certain.
            self._data_version = version
            snapshot.forget()
        snapshot.begin()
        if not snapshot.knows_controls:
            controls = table(ControlRow)
            snapshot.loaded_controls(map(controls.decode, self._cursor.execute(controls.select)))
        self._deciding.load(snapshot, commands, now_ms)
        return snapshot

    def _load_rows(self, snapshot: Snapshot, needs: Needs) -> None:
        for row_type, keys in needs.rows.items():
            if keys:
                known = TABLES[row_type]
                found = self._cursor.execute(known.select_by_keys, (known.keys_json(keys),))
                snapshot.loaded(row_type, keys, map(known.decode, found))
        if needs.book:
            found = self._cursor.execute(_SELECT_BOOK, (json_text(needs.book),))
            snapshot.loaded_book(needs.book, map(table(BookRow).decode, found))
        if needs.attempts_at:
            found = self._cursor.execute(_SELECT_ATTEMPTS, (json_text(needs.attempts_at),))
            snapshot.loaded_attempts(needs.attempts_at, map(table(AttemptRow).decode, found))
        for kind, column in _RECIPIENT_COLUMNS.items():
            values = [value for wanted, value in needs.recipients if wanted is kind]
            if values:
                accounts = table(AccountRow)
                sql = f"{accounts.select} WHERE {column} IN (SELECT value FROM json_each(?))"
                found = self._cursor.execute(sql, (json_text(values),))
                snapshot.loaded_recipients([(kind, value) for value in values], map(accounts.decode, found))

    def _write(self, snapshot: Snapshot) -> None:
        for row_type in ROW_TYPES:
            rows = snapshot.writes(row_type)
            if rows:
                known = TABLES[row_type]
                self._cursor.executemany(known.insert, map(known.encode, rows))
