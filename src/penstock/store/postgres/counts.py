"""Rate limits in the database, for services on several machines. The database's clock is the one that counts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

import psycopg
import structlog
from psycopg import errors

from penstock.core.refusals import Unavailable
from penstock.store.link.counting import Take, Taken
from penstock.store.postgres.arrays import BIGINT, TEXT, literal
from penstock.store.postgres.connection import PRIMARY, connect
from penstock.store.postgres.counting_alone import RENEW_MS, CountingAlone
from penstock.store.postgres.session import Session, Statement
from penstock.store.unusable import StoreUnusable

MS_PER_S = 1_000
TURN_S_MAX, TURN_PAUSE_S = 5.0, 0.02
STATEMENT_MS_MAX = 5_000
FORGET_EVERY = 10_000
"""Requests between two clean-ups of windows that are over."""

_SESSION = {
    # Counts are not worth a flush, and the table is not logged anyway.
    "synchronous_commit": "off",
    "statement_timeout": str(STATEMENT_MS_MAX),
    "idle_in_transaction_session_timeout": str(STATEMENT_MS_MAX),
    # Whatever the server's default is: two processes that count one key at once must wait for each other, not fail.
    "default_transaction_isolation": "read committed",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}

# One row a key, so that no key is met twice: requests of one key in a batch are added together before. They come in
# one fixed order, so that two processes with many keys wait for each other and never both.
_TAKE = """
WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms)
INSERT INTO request_counts AS c (bucket, who, ends_ms, used, allowed, ban_ms)
SELECT bucket, who,
    now_ms + CASE WHEN count > allowed AND ban_ms > 0 THEN ban_ms ELSE window_ms END, count, allowed, ban_ms
FROM clock CROSS JOIN unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS w (bucket, who, count, allowed, window_ms, ban_ms)
ON CONFLICT (bucket, who) DO UPDATE SET
    used = CASE WHEN c.ends_ms <= (SELECT now_ms FROM clock) THEN excluded.used ELSE c.used + excluded.used END,
    ends_ms = CASE
        WHEN c.ends_ms <= (SELECT now_ms FROM clock) THEN excluded.ends_ms
        WHEN excluded.ban_ms > 0 AND c.used <= excluded.allowed AND c.used + excluded.used > excluded.allowed
        THEN (SELECT now_ms FROM clock) + excluded.ban_ms
        ELSE c.ends_ms
    END
RETURNING bucket, who, used, ends_ms - (SELECT now_ms FROM clock)
"""

# Rows that somebody counts in at this moment are passed over: waiting for them, in whatever order, could be a deadlock.
_FORGET: Statement = (
    """
DELETE FROM request_counts WHERE (bucket, who) IN (
    SELECT bucket, who FROM request_counts
    WHERE ends_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint FOR UPDATE SKIP LOCKED
)
""",
    (),
)

_log = structlog.get_logger(__name__)

Totals = dict[tuple[str, str], tuple[Take, int]]


class PostgresCounts:
    """A Counts (store/link/counting.py). For one thread, where not said otherwise.

    Counts in the table, until `tend` is called; from then on in memory while no other process counts.
    Requests of one key that are counted together are told the same resets_in_ms: as it stands after the last of them.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: Session | None = None
        self._since_forgetting = 0
        self._alone: CountingAlone | None = None

    def tend(self) -> float:
        """Take part in who counts alone (store/postgres/counting_alone.py), from the first call on.

        Returns in how many seconds to call again. Raises Unavailable.
        """
        self._alone = self._alone or CountingAlone()
        try:
            self._renew(self._alone)
        except psycopg.Error as error:
            self.close_connection()
            raise Unavailable("the database does not answer") from error
        return RENEW_MS / MS_PER_S

    def take_at_once(self, takes: Sequence[Take]) -> list[Taken] | None:
        """As `take`, where nobody has to be asked; else None. For any thread."""
        return None if self._alone is None else self._alone.take(takes)

    def take(self, takes: Sequence[Take]) -> list[Taken]:
        """Raises Unavailable when the database does not answer; nothing may have been counted then."""
        if self._alone is not None:
            taken = self._await_turn(self._alone, takes)
            if taken is not None:
                return taken
        totals: Totals = {}
        for take in takes:
            key = (take.bucket, take.who)
            totals[key] = (take, totals[key][1] + 1 if key in totals else 1)
        try:
            rows = self._run_again_when_lost(totals)
        except psycopg.Error as error:
            self.close_connection()
            raise Unavailable("requests cannot be counted: the database does not answer") from error
        # The last of a key's requests in this batch has the row's count, the one before it one less.
        left = {key: count for key, (_, count) in totals.items()}
        answers: list[Taken] = []
        for take in takes:
            key = (take.bucket, take.who)
            used, resets_in_ms = rows[key]
            left[key] -= 1
            place = used - left[key]
            over_by = max(place - take.limit, 0)
            answers.append(Taken(min(place, take.limit), over_by, max(resets_in_ms, 0)))
        return answers

    def close(self) -> None:
        """Put what was counted here into the table, and end the connection."""
        if self._alone is not None:
            try:
                self._alone.leave(self._connected())
            except (psycopg.Error, StoreUnusable) as error:
                _log.warning("what was counted here is lost", reason=str(error))
            self._alone = None
        self.close_connection()

    def close_connection(self) -> None:
        """The next call opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _await_turn(self, alone: CountingAlone, takes: Sequence[Take]) -> list[Taken] | None:
        """Counts them where we are alone; returns None once they may be counted in the table. Raises Unavailable."""
        until = time.monotonic() + TURN_S_MAX
        while True:
            taken = alone.take(takes)
            if taken is not None or alone.may_share:
                return taken
            self.tend()
            if not alone.may_share and alone.take(()) is None:
                # Whoever counts alone has to see us first.
                if time.monotonic() > until:
                    raise Unavailable("another process does not let go of counting")
                time.sleep(TURN_PAUSE_S)

    def _renew(self, alone: CountingAlone) -> None:
        known = self._session
        try:
            alone.renew(self._connected())
        except psycopg.OperationalError:
            # A connection that a restart of the database has cut is only noticed when it is used.
            if known is None or not known.is_lost:
                raise
            self.close_connection()
            alone.renew(self._connected())

    def _connected(self) -> Session:
        if self._session is None:
            # Of several hosts, the one that is written to: a standby counts nothing.
            self._session = Session(connect(self._url, PRIMARY, _SESSION))
        return self._session

    def _run_again_when_lost(self, totals: Totals) -> dict[tuple[str, str], tuple[int, int]]:
        """A connection that a restart of the database has cut is only noticed when it is used."""
        known = self._session
        try:
            return self._run(totals)
        except psycopg.OperationalError:
            if known is None or not known.is_lost:
                raise
        self.close_connection()
        # Where the cut came between counting and answering, these requests count double: nobody gets more than is his.
        return self._run(totals)

    def _run(self, totals: Totals) -> dict[tuple[str, str], tuple[int, int]]:
        session = self._connected()
        statement = _counting(totals)
        try:
            (answer,) = session.ask([statement])
        except (errors.SerializationFailure, errors.DeadlockDetected):
            # Only where the server knows no other isolation. Nothing was counted.
            (answer,) = session.ask([statement])
        self._since_forgetting += len(totals)
        if self._since_forgetting >= FORGET_EVERY:
            self._since_forgetting = 0
            session.ask([_FORGET])
        told = cast("list[tuple[str, str, int, int]]", answer.rows)
        return {(bucket, who): (used, resets_in_ms) for bucket, who, used, resets_in_ms in told}


def _counting(totals: Totals) -> Statement:
    ordered = [(bucket, who, count, take) for (bucket, who), (take, count) in sorted(totals.items())]
    return _TAKE, (
        literal(TEXT, [bucket for bucket, _, _, _ in ordered]),
        literal(TEXT, [who for _, who, _, _ in ordered]),
        literal(BIGINT, [count for _, _, count, _ in ordered]),
        literal(BIGINT, [take.limit for _, _, _, take in ordered]),
        literal(BIGINT, [take.window_ms for _, _, _, take in ordered]),
        literal(BIGINT, [take.ban_ms for _, _, _, take in ordered]),
    )
