"""Recognise a request that is on its way, or was accepted a moment ago, when its very bytes come again.

Only a short-cut: which requests were accepted is the store's to say, for ever, and it says so without this
too. What it adds is that a repeat is not charged to the caller's quota, and that of identical requests sent
at once none is refused for being too many while another is accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from penstock.core.refusals import InDoubt, Refused, Unavailable
from penstock.server.remembered import Remembered
from penstock.venues.venue import Reply

RequestKey = tuple[int, str, str]
"""(account, venue, what the venue's `repeat_key` gave)."""

Outcome = Callable[[], Reply] | Refused | Unavailable | InDoubt
"""How the first of them ended: what writes its reply once more, or why there is none."""

REMEMBERED_MS = 120_000
"""A signature is good for a minute before and after its timestamp; later ones fail authentication."""
REMEMBERED_MAX = 32_768


class Repeats:
    """For one event loop: look and `begin` in one turn of it, then `finish` whatever happens."""

    def __init__(self) -> None:
        # The value is made only when somebody joins: nearly every request is alone.
        self._running: dict[RequestKey, asyncio.Future[Outcome] | None] = {}
        self._accepted: Remembered[RequestKey, Callable[[], Reply]] = Remembered(
            REMEMBERED_MS, REMEMBERED_MAX
        )

    def __len__(self) -> int:
        return len(self._running) + len(self._accepted)

    def accepted(self, key: RequestKey) -> Callable[[], Reply] | None:
        """What writes the reply of an accepted one once more."""
        return self._accepted.get(key)

    async def join(self, key: RequestKey) -> Outcome | None:
        """Wait for a running one and give its outcome; None, without waiting, where none runs."""
        if key not in self._running:
            return None
        joined = self._running[key]
        if joined is None:
            joined = self._running[key] = asyncio.get_running_loop().create_future()
        # Shielded: cancelling one who waits would otherwise cancel what the others wait for.
        return await asyncio.shield(joined)

    def begin(self, key: RequestKey) -> None:
        assert key not in self._running, "join() tells of a running one"
        self._running[key] = None

    def finish(self, key: RequestKey, outcome: Outcome, now_ms: int) -> None:
        """Tell those who joined. An accepted request is remembered; a failed one is the next one's to try."""
        joined = self._running.pop(key)
        if joined is not None:
            joined.set_result(outcome)
        if not isinstance(outcome, Exception):
            self._accepted.put(key, outcome, now_ms)
