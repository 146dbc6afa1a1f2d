"""Rate limits in the database, for services on several machines. The database's clock is the one that counts."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import Connection, errors

from penstock.core.refusals import Unavailable
from penstock.store.link.counting import Take, Taken
from penstock.store.postgres.connection import connect

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
}

# One row a key, so that no key is met twice: requests of one key in a batch are added together before. In one fixed
# order, so that two processes with many keys wait for each other and never both.
_TAKE = """
WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms),
wanted AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS w (bucket, who, allowed, window_ms, ban_ms, count) ORDER BY bucket, who
)
INSERT INTO request_counts AS c (bucket, who, ends_ms, used)
SELECT bucket, who,
    now_ms + CASE WHEN count > allowed AND ban_ms > 0 THEN ban_ms ELSE window_ms END, count
FROM wanted CROSS JOIN clock
ON CONFLICT (bucket, who) DO UPDATE SET
    used = CASE WHEN c.ends_ms <= (SELECT now_ms FROM clock) THEN excluded.used ELSE c.used + excluded.used END,
    ends_ms = CASE
        WHEN c.ends_ms <= (SELECT now_ms FROM clock) THEN excluded.ends_ms
        WHEN c.used <= (SELECT w.allowed FROM wanted w WHERE w.bucket = c.bucket AND w.who = c.who)
            AND c.used + excluded.used > (SELECT w.allowed FROM wanted w WHERE w.bucket = c.bucket AND w.who = c.who)
            AND (SELECT w.ban_ms FROM wanted w WHERE w.bucket = c.bucket AND w.who = c.who) > 0
        THEN (SELECT now_ms FROM clock)
            + (SELECT w.ban_ms FROM wanted w WHERE w.bucket = c.bucket AND w.who = c.who)
        ELSE c.ends_ms
    END
RETURNING bucket, who, used, ends_ms - (SELECT now_ms FROM clock)
"""

# Rows that somebody counts in at this moment are passed over: waiting for them, in whatever order, could be a deadlock.
_FORGET = """
DELETE FROM request_counts WHERE (bucket, who) IN (
    SELECT bucket, who FROM request_counts
    WHERE ends_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint FOR UPDATE SKIP LOCKED
)
"""

Totals = dict[tuple[str, str], tuple[Take, int]]


class PostgresCounts:
    """A Counts (store/link/counting.py). For one thread.

    Requests of one key that are counted together are told the same resets_in_ms: as it stands after the last of them.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection[tuple[object, ...]] | None = None
        self._since_forgetting = 0

    def take(self, takes: Sequence[Take]) -> list[Taken]:
        """Raises Unavailable when the database does not answer; nothing may have been counted then."""
        totals: Totals = {}
        for take in takes:
            key = (take.bucket, take.who)
            totals[key] = (take, totals[key][1] + 1 if key in totals else 1)
        try:
            rows = self._run_again_when_lost(totals)
        except psycopg.Error as error:
            self.close()
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
        """End the connection; the next `take` opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run_again_when_lost(self, totals: Totals) -> dict[tuple[str, str], tuple[int, int]]:
        """A connection that a restart of the database has cut is only noticed when it is used."""
        known = self._connection
        try:
            return self._run(totals)
        except psycopg.OperationalError:
            if known is None or not known.closed:
                raise
        self.close()
        # Where the cut came between counting and answering, these requests count double: nobody gets more than is his.
        return self._run(totals)

    def _run(self, totals: Totals) -> dict[tuple[str, str], tuple[int, int]]:
        if self._connection is None:
            # Of several hosts, the one that is written to: a standby counts nothing.
            self._connection = connect(self._url, {"target_session_attrs": "read-write"}, _SESSION)
        try:
            found = self._count(self._connection, totals)
        except (errors.SerializationFailure, errors.DeadlockDetected):
            # Only where the server knows no other isolation. Nothing was counted.
            found = self._count(self._connection, totals)
        self._since_forgetting += len(totals)
        if self._since_forgetting >= FORGET_EVERY:
            self._since_forgetting = 0
            self._connection.execute(_FORGET)
        return found

    def _count(
        self, connection: Connection[tuple[object, ...]], totals: Totals
    ) -> dict[tuple[str, str], tuple[int, int]]:
        columns = (
            [bucket for bucket, _ in totals],
            [who for _, who in totals],
            [take.limit for take, _ in totals.values()],
            [take.window_ms for take, _ in totals.values()],
            [take.ban_ms for take, _ in totals.values()],
            [count for _, count in totals.values()],
        )
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for bucket, who, used, resets_in_ms in connection.execute(_TAKE, columns):
            found[(str(bucket), str(who))] = (int(str(used)), int(str(resets_in_ms)))
        return found
