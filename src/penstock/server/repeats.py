"""Recognise a request that is on its way, or was accepted a moment ago, when its very bytes come again.

Only a short-cut: which requests were accepted is the store's to say, for ever, and it says so without this
too. What it adds is that a repeat is not charged to the caller's quota, and that of identical requests sent
at once none is refused for being too many while another is accepted.
"""

from __future__ import annotations

import asyncio

from penstock.core.commands import Exchange, Transfer, Withdraw
from penstock.core.refusals import InDoubt, Refused, Unavailable
from penstock.core.views import Accepted
from penstock.server.remembered import Remembered

RequestKey = tuple[int, str, str, str]
"""(account, venue, request id, business): two commands that agree in these are one request, sent again."""

Outcome = Accepted | Refused | Unavailable | InDoubt
"""How the first of them ended."""

REMEMBERED_MS = 120_000
"""A signature is good for a minute before and after its timestamp; later ones fail authentication."""
REMEMBERED_MAX = 32_768


def request_key(command: Withdraw | Transfer | Exchange) -> RequestKey:
    return (command.account_id, command.venue, command.request_id, command.business)


class Repeats:
    """For one event loop: look and `begin` in one turn of it, then `finish` whatever happens."""

    def __init__(self) -> None:
        # The value is made only when somebody joins: nearly every request is alone.
        self._running: dict[RequestKey, asyncio.Future[Outcome] | None] = {}
        self._accepted: Remembered[RequestKey, Accepted] = Remembered(REMEMBERED_MS, REMEMBERED_MAX)

    def __len__(self) -> int:
        return len(self._running) + len(self._accepted)

    def __contains__(self, key: RequestKey) -> bool:
        return key in self._running or self._accepted.get(key) is not None

    async def outcome(self, key: RequestKey) -> Outcome:
        """Of a request that is in here; waits for a running one."""
        accepted = self._accepted.get(key)
        if accepted is not None:
            return accepted
        joined = self._running[key]
        if joined is None:
            joined = self._running[key] = asyncio.get_running_loop().create_future()
        # Shielded: cancelling one who waits would otherwise cancel what the others wait for.
        return await asyncio.shield(joined)

    def begin(self, key: RequestKey) -> None:
        assert key not in self._running, "the first one is still running"
        self._running[key] = None

    def finish(self, key: RequestKey, outcome: Outcome, now_ms: int) -> None:
        """Tell those who joined. An accepted request is remembered; a failed one is the next one's to try."""
        joined = self._running.pop(key)
        if joined is not None:
            joined.set_result(outcome)
        if isinstance(outcome, Accepted):
            self._accepted.put(key, outcome, now_ms)
