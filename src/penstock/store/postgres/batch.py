"""Batches on PostgreSQL: lock and load, decide each command in order, write, commit once.

Two round trips for a batch of withdrawals, whatever its size: one locks and reads, one writes and commits. Whatever the
database refuses for the sake of order is done again from the start, by a new reading.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence

import psycopg
import structlog
from psycopg import errors

from penstock.core.commands import Command
from penstock.core.ids import Ids
from penstock.core.points import point
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.time import Clock, UnixMs
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rows import AccountRow, ApiKeyRow
from penstock.engine.rules import Rules
from penstock.engine.snapshot import Needs, Snapshot
from penstock.store.deciding import CommitInDoubt, Deciding
from penstock.store.delivery import Outcome
from penstock.store.outage import Outage
from penstock.store.postgres.loading import Discovering, Loading
from penstock.store.postgres.locks import must_be_seen_first, rewritten
from penstock.store.postgres.resolving import resolve
from penstock.store.postgres.session import Session, Statement
from penstock.store.postgres.statements import TABLES, Key
from penstock.store.unusable import StoreUnusable

CONFLICTS_MAX = 20
"""How often a batch is done again: at SERIALIZABLE every writer that waited for an account has to."""
REPEATS_MAX = 4
"""How often, where a row was there already that nobody had seen. One that stays so is a command's own doing."""
PAUSE_MS_MAX = 64

_log = structlog.get_logger(__name__)


class PostgresBatches:
    """Batches (store/writer.py) on one connection, which is opened when it is needed and opened again when it is lost.

    isolation: "READ COMMITTED" or "SERIALIZABLE"; both are right, the first needs fewer repeats.
    """

    def __init__(
        self, open_session: Callable[[], Session], rules: Rules, clock: Clock, ids: Ids, isolation: str
    ) -> None:
        self._open_session = open_session
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._begin: Statement = (f"BEGIN ISOLATION LEVEL {isolation}", ())
        self._session: Session | None = None
        self._outage = Outage("the database cannot be used", "the database can be used again")
        self.keys_generation = 0
        self.commit_s = 0.0

    def run(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        point("store.batch_taken")
        conflicts = repeats = 0
        while True:
            session = self._connected()
            try:
                return self._run_once(session, commands)
            except (errors.SerializationFailure, errors.DeadlockDetected) as error:
                conflicts += 1
                if conflicts == CONFLICTS_MAX:
                    raise Unavailable("other writers kept coming first") from error
            except errors.UniqueViolation:
                # Somebody was faster with the very same row; the next reading finds it there.
                repeats += 1
                if repeats == REPEATS_MAX:
                    raise
            except errors.ReadOnlySqlTransaction as error:
                # Another server is the primary now.
                self._drop()
                raise Unavailable("the database takes no writes here") from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if not session.is_lost:
                    # Locks that did not come in time, no room left on the disk: refused, and rolled back.
                    _log.warning("batch failed and was rolled back", reason=str(error))
                    raise Unavailable("the batch was rolled back") from error
                # Nothing was committed: COMMIT was not sent, or the server had ended the transaction before it came.
                conflicts += 1
                if conflicts == CONFLICTS_MAX:
                    raise Unavailable("the database's connection keeps breaking") from error
            _pause(conflicts + repeats)

    def resolve(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """On a connection of its own: the one that failed may still be at its commit."""
        self._drop()
        self.keys_generation += 1
        try:
            return resolve(commands, self._open_session, self._begin)
        except Exception:  # noqa: BLE001 - whatever it is, nothing is known of these commands
            _log.exception("what became of a batch could not be found out")
            return [InDoubt("the database was lost while committing")] * len(commands)

    def close(self) -> None:
        self._drop()

    def _connected(self) -> Session:
        if self._session is None or self._session.is_lost:
            self._session = None
            try:
                self._session = self._open_session()
            except (psycopg.OperationalError, StoreUnusable) as error:
                self._outage.failed(str(error))
                raise Unavailable("the database cannot be used") from error
            self._outage.worked()
        return self._session

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _run_once(self, session: Session, commands: Sequence[Command]) -> Sequence[Outcome]:
        began, now_ms = time.monotonic(), self._clock.now_ms()
        snapshot = Snapshot()
        try:
            loading, deciding = self._load(session, snapshot, commands, now_ms)
            outcomes = deciding.decide(snapshot, commands, now_ms)
            point("store.batch_decided")
            # All text is made before any goes out: between the two the server would not count the time that a process
            # stands still with its locks.
            writes = _writes(snapshot, loading.stored)
            point("store.batch_written")
            point("store.before_commit")
            sent = time.monotonic()
            session.commit(writes)
        except CommitInDoubt:
            raise
        except BaseException:
            self._roll_back(session)
            raise
        # Writing is taken to last as long as reading and deciding did; the rest is waiting for the disk.
        self.commit_s = max(0.0, (time.monotonic() - sent) - (sent - began))
        point("store.committed")
        if AccountRow in snapshot.changed or ApiKeyRow in snapshot.changed:
            self.keys_generation += 1
        return outcomes

    def _load(
        self, session: Session, snapshot: Snapshot, commands: Sequence[Command], now_ms: UnixMs
    ) -> tuple[Loading, Deciding]:
        seen = Discovering(session)
        first = [command for command in commands if must_be_seen_first(command)]
        if first:
            Deciding(self._rules, self._ids, seen.load).load(Snapshot(), first, now_ms)
        loading = Loading(session, self._begin, commands, seen)
        deciding = Deciding(self._rules, self._ids, loading.load)
        deciding.load(snapshot, commands, now_ms)
        if not loading.has_begun:
            loading.load(snapshot, Needs())
        point("store.batch_loaded")
        return loading, deciding

    def _roll_back(self, session: Session) -> None:
        try:
            session.roll_back()
        except psycopg.Error:
            self._drop()


def _writes(snapshot: Snapshot, stored: Mapping[type[Row], Collection[Key]]) -> list[Statement]:
    """Everything that was decided. Each statement writes all of its rows or fails."""
    statements: list[Statement] = []
    again = rewritten(snapshot, stored)
    for row_type in ROW_TYPES:
        there = stored.get(row_type, ())
        rows = [*snapshot.writes(row_type), *again.get(row_type, ())]
        new = [row for row in rows if row.key not in there] if there else rows
        if new:
            statements.append(TABLES[row_type].insert(new))
        if len(new) < len(rows):
            statements.append(TABLES[row_type].update([row for row in rows if row.key in there]))
    return statements


def _pause(tries: int) -> None:
    """Let others finish, each time longer, and not all for the same time."""
    time.sleep(secrets.randbelow(min(2**tries, PAUSE_MS_MAX)) / 1_000)
