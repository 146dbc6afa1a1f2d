"""Windows of rate limits in memory, and their way into the table and out of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from penstock.store.link.counting import Take, Taken
from penstock.store.postgres.arrays import BIGINT, TEXT, literal
from penstock.store.postgres.session import Row, Statement

PURGE_MIN = 10_000

STORED: Statement = (
    """
WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms)
SELECT bucket, who, ends_ms - now_ms, used FROM request_counts CROSS JOIN clock WHERE ends_ms > now_ms
""",
    (),
)
"""Every window that is not over: bucket, who, milliseconds until its end, requests in it."""

# What another one has counted meanwhile, which it should not have, stands where it is more.
_STORE = """
WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms)
INSERT INTO request_counts AS c (bucket, who, ends_ms, used)
SELECT bucket, who, now_ms + left_ms, used
FROM clock CROSS JOIN unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS w (bucket, who, left_ms, used)
ON CONFLICT (bucket, who) DO UPDATE SET
    used = CASE
        WHEN c.ends_ms <= (SELECT now_ms FROM clock) THEN excluded.used ELSE greatest(c.used, excluded.used)
    END,
    ends_ms = greatest(c.ends_ms, excluded.ends_ms)
"""


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Windows:
    """Counts as the table does (store/postgres/counts.py), by this process's own clock. For one thread at a time."""

    def __init__(self, stored: Iterable[Row], at_ms: int) -> None:
        """stored: rows as STORED gives them; at_ms: the time, by `now_ms`, when they were asked for."""
        # (bucket, who) -> [end of the window, requests in it]
        self._windows: dict[tuple[str, str], list[int]] = {}
        self._purge_at = PURGE_MIN
        for bucket, who, left_ms, used in stored:
            self._windows[(str(bucket), str(who))] = [at_ms + int(left_ms or 0), int(used or 0)]

    def take(self, takes: Sequence[Take], at_ms: int) -> list[Taken]:
        """Count them in this order."""
        answers: list[Taken] = []
        for take in takes:
            key = (take.bucket, take.who)
            window = self._windows.get(key)
            if window is None or at_ms >= window[0]:
                window = self._windows[key] = [at_ms + take.window_ms, 0]
            window[1] = count = window[1] + 1
            if count == take.limit + 1 and take.ban_ms:
                window[0] = at_ms + take.ban_ms
            answers.append(Taken(min(count, take.limit), max(count - take.limit, 0), window[0] - at_ms))
        return answers

    def purge(self, at_ms: int) -> None:
        """Forget what is over, where there is much."""
        if len(self._windows) >= self._purge_at:
            self._windows = {key: window for key, window in self._windows.items() if window[0] > at_ms}
            self._purge_at = max(2 * len(self._windows), PURGE_MIN)

    def store(self, at_ms: int) -> Statement:
        """Writes every window that is not over."""
        # In one fixed order, as all who count do: then two wait for each other and never both.
        kept = sorted((key, window) for key, window in self._windows.items() if window[0] > at_ms)
        return _STORE, (
            literal(TEXT, [bucket for (bucket, _), _ in kept]),
            literal(TEXT, [who for (_, who), _ in kept]),
            literal(BIGINT, [ends_ms - at_ms for _, (ends_ms, _) in kept]),
            literal(BIGINT, [used for _, (_, used) in kept]),
        )
