"""When a callback that was not taken note of is tried again."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.core.time import UnixMs

MINUTE_MS = 60_000


def next_attempt_ms(retry_minutes: Sequence[int], tries: int, now_ms: UnixMs) -> UnixMs | None:
    """The time of the next attempt, counted from the end of the one that just failed; None: give up.

    tries: attempts that had failed before this one, so 0 after the first.
    """
    assert tries >= 0, tries
    if tries >= len(retry_minutes):
        return None
    return UnixMs(now_ms + retry_minutes[tries] * MINUTE_MS)
