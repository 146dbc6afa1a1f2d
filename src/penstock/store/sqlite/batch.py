"""One batch on SQLite: load everything the commands need, decide each in order, write, commit once.

A fixed number of queries whatever the batch size, and one flush to disk. A refused command writes nothing and
does not disturb its neighbours.
"""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import apsw
import msgspec
import structlog

from penstock.core.commands import Command, RecipientKind
from penstock.core.ids import Ids
from penstock.core.points import point
from penstock.core.refusals import Refused, Unavailable
from penstock.core.time import Clock
from penstock.engine.decide import ROUNDS_MAX, collect_needs, decide, is_complete_after_one_round
from penstock.engine.rows import ROW_TYPES, AccountRow, ApiKeyRow, AttemptRow, BookRow, ControlRow
from penstock.engine.rules import Decision, Moment, Rules
from penstock.engine.snapshot import Needs, Snapshot
from penstock.store.sqlite.statements import TABLES, table

if TYPE_CHECKING:
    from penstock.core.time import UnixMs

_log = structlog.get_logger(__name__)

Outcome = object
"""An answer, or the exception to raise for the command."""

_RECIPIENT_COLUMNS = {
    RecipientKind.ACCOUNT_NUMBER: "account_number",
    RecipientKind.EMAIL: "email",
    RecipientKind.PHONE: "phone",
}
_columns = ", ".join
_BOOK_COLUMNS = _columns(f"t.{name}" for name in table(BookRow).columns.split(", "))
_ATTEMPT_COLUMNS = _columns(f"t.{name}" for name in table(AttemptRow).columns.split(", "))
_SELECT_BOOK = (
    f"SELECT {_BOOK_COLUMNS} FROM json_each(?) AS want CROSS JOIN book t "
    "ON t.account_id = want.value ->> 0 AND t.address = want.value ->> 1"
)
_SELECT_ATTEMPTS = (
    f"SELECT {_ATTEMPT_COLUMNS} FROM json_each(?) AS want CROSS JOIN attempts t "
    "ON t.network = want.value ->> 0 AND t.sender = want.value ->> 1 AND t.nonce = want.value ->> 2"
)


class CommitInDoubt(Exception):
    """COMMIT did not come back clean: what was written may or may not be there."""


class BatchRunner:
    """Runs batches on the writer's connection; not thread-safe, one owner."""

    def __init__(self, connection: apsw.Connection, rules: Rules, clock: Clock, ids: Ids) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._rules = rules
        self._clock = clock
        self._ids = ids
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
            outcomes = self._decide(snapshot, commands, now_ms)
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
        self._load_into(snapshot, commands, now_ms)
        return snapshot

    def _load_into(self, snapshot: Snapshot, commands: Sequence[Command], now_ms: UnixMs) -> None:
        for _ in range(ROUNDS_MAX):
            needs = Needs()
            for command in commands:
                collect_needs(command, snapshot, needs, self._rules, now_ms)
            if not snapshot.missing(needs):
                return
            self._load_rows(snapshot, needs)
            commands = [command for command in commands if not is_complete_after_one_round(command)]
        assert not commands, "a command needs more rounds than ROUNDS_MAX"

    def _load_rows(self, snapshot: Snapshot, needs: Needs) -> None:
        for row_type, keys in needs.rows.items():
            if keys:
                known = TABLES[row_type]
                found = self._cursor.execute(known.select_by_keys, (known.keys_json(keys),))
                snapshot.loaded(row_type, keys, map(known.decode, found))
        if needs.book:
            found = self._cursor.execute(_SELECT_BOOK, (_json(needs.book),))
            snapshot.loaded_book(needs.book, map(table(BookRow).decode, found))
        if needs.attempts_at:
            found = self._cursor.execute(_SELECT_ATTEMPTS, (_json(needs.attempts_at),))
            snapshot.loaded_attempts(needs.attempts_at, map(table(AttemptRow).decode, found))
        for kind, column in _RECIPIENT_COLUMNS.items():
            values = [value for wanted, value in needs.recipients if wanted is kind]
            if values:
                accounts = table(AccountRow)
                sql = f"{accounts.select} WHERE {column} IN (SELECT value FROM json_each(?))"
                found = self._cursor.execute(sql, (_json(values),))
                snapshot.loaded_recipients([(kind, value) for value in values], map(accounts.decode, found))

    def _decide(self, snapshot: Snapshot, commands: Sequence[Command], now_ms: UnixMs) -> list[Outcome]:
        moment = Moment(now_ms, self._ids)
        outcomes: list[Outcome] = []
        for command in commands:
            try:
                decision = self._decide_one(snapshot, command, moment)
            except Refused as refused:
                outcomes.append(refused)
                continue
            except Exception as bug:  # noqa: BLE001 - the boundary of one command
                # One command's bug must neither take its neighbours down nor be answered as if nothing were
                # wrong.
                _log.exception("decision failed", command=type(command).__name__)
                outcomes.append(bug)
                continue
            for row in decision.writes:
                snapshot.put(row)
            outcomes.append(decision.answer)
        return outcomes

    def _decide_one(self, snapshot: Snapshot, command: Command, moment: Moment) -> Decision:
        try:
            return decide(snapshot, command, moment, self._rules)
        except KeyError:
            # An earlier command of this batch made a row that leads on to others (to the balance of an
            # account opened just now, say), and nobody could ask for those before.
            self._load_into(snapshot, [command], moment.now_ms)
            return decide(snapshot, command, moment, self._rules)

    def _write(self, snapshot: Snapshot) -> None:
        for row_type in ROW_TYPES:
            rows = snapshot.writes(row_type)
            if rows:
                known = TABLES[row_type]
                self._cursor.executemany(known.insert, map(known.encode, rows))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
