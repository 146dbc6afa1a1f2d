"""Who counts requests on one database: one process by itself in its memory, or several in the table.

A round trip for every few requests costs as much as a tenth of a withdrawal, and most installations have one process
that counts. Each process that counts says so in a row that is good for LEASE_MS and renewed every RENEW_MS; one that
finds no other may count alone, until that time is over by its own clock. Who comes second says so and waits until the
first has seen it and put its windows into the table, or the first one's time is over.

What is lost with a process that is killed, or stands still for longer than its lease, are the counts it alone had: its
windows begin anew, as all do after a failover.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence

from penstock.store.link.counting import Take, Taken
from penstock.store.postgres.session import Session, Statement
from penstock.store.postgres.windows import STORED, Windows, now_ms

LEASE_MS = 2_000
RENEW_MS = 500
SPARE_MS = 200
"""By how much sooner we hold our lease to be over than others do: clocks run at different speeds."""

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_BEGIN: Statement = ("BEGIN ISOLATION LEVEL READ COMMITTED", ())
_COMMIT: Statement = ("COMMIT", ())
# All who come and go, one after the other. Made anew each time, for the table is empty after a crash of the server.
_GATE: Statement = (
    """
INSERT INTO request_counters (counter, until_ms, alone) VALUES ('', 0, false)
ON CONFLICT (counter) DO UPDATE SET until_ms = 0
""",
    (),
)
_OTHERS = (
    "SELECT count(*), count(*) FILTER (WHERE alone) FROM request_counters "
    f"WHERE counter <> '' AND counter <> $1::text AND until_ms > {_NOW}"
)
_RENEW = (
    "INSERT INTO request_counters (counter, until_ms, alone) "
    f"VALUES ($1::text, {_NOW} + $2::bigint, $3::boolean) "
    "ON CONFLICT (counter) DO UPDATE SET until_ms = excluded.until_ms, alone = excluded.alone"
)
_FORGET: Statement = (f"DELETE FROM request_counters WHERE counter <> '' AND until_ms < {_NOW} - 60000", ())
_LEAVE = "DELETE FROM request_counters WHERE counter = $1::text"


class CountingAlone:
    """One process's part in this. `renew` and `leave` from one thread; `take` from any."""

    def __init__(self) -> None:
        self._me = uuid.uuid4().hex
        self._lock = threading.Lock()
        # Ours while we count alone.
        self._windows: Windows | None = None
        # What we had when that ended, until it is in the table.
        self._left_over: Windows | None = None
        self._until_ms = 0
        self._may_share = False

    @property
    def may_share(self) -> bool:
        """Whether to count in the table: others do as well, and nobody counts alone."""
        return self._may_share and now_ms() < self._until_ms

    def take(self, takes: Sequence[Take]) -> list[Taken] | None:
        """Count them here; None where we are not alone, as far as is known."""
        with self._lock:
            at_ms = now_ms()
            if self._windows is None or at_ms >= self._until_ms:
                return None
            return self._windows.take(takes, at_ms)

    def renew(self, session: Session) -> None:
        """Say that we count, and find out who else does. Raises psycopg's errors; then what was known goes on to hold
        until its time is over.
        """
        began_ms = now_ms()
        if began_ms >= self._until_ms:
            self._stop()
        others = session.ask([_BEGIN, _GATE, (_OTHERS, (self._me,))])[-1].rows
        ((count, alone),) = others
        if count:
            self._stop()
        statements = [] if self._left_over is None else [self._left_over.store(now_ms())]
        begins_alone = not count and self._windows is None
        statements += [STORED] if begins_alone else []
        statements += [(_RENEW, (self._me, str(LEASE_MS), "f" if count else "t")), _FORGET, _COMMIT]
        answers = session.ask(statements)
        with self._lock:
            self._left_over = None
            if begins_alone:
                self._windows = Windows(answers[-4].rows, now_ms())
            elif self._windows is not None:
                self._windows.purge(began_ms)
            self._may_share = bool(count) and not alone
            self._until_ms = began_ms + LEASE_MS - SPARE_MS

    def leave(self, session: Session) -> None:
        """Put what we have into the table, and make room for others at once. Raises psycopg's errors."""
        self._stop()
        statements = [_BEGIN, _GATE]
        if self._left_over is not None:
            statements.append(self._left_over.store(now_ms()))
        session.ask([*statements, (_LEAVE, (self._me,)), _COMMIT])
        self._left_over = None

    def _stop(self) -> None:
        """Count alone no more."""
        with self._lock:
            self._may_share = False
            if self._windows is not None:
                self._left_over, self._windows = self._windows, None
