"""Remember refusals of requests that carry no id of their own, for as long as they could be replayed.

A venue without a client id (BitMart) knows a request by its signature. An accepted one is remembered for ever by the
store. A refused one stores nothing; but it must not be paid when somebody sends the very same bytes again a little
later: the client was told that it failed.
"""

from __future__ import annotations

from penstock.core.commands import Transfer, Withdraw
from penstock.core.refusals import Refused

REMEMBERED_MS = 120_000
"""Twice the widest signature window: the clocks of the two sides may differ by one window."""
REMEMBERED_MAX = 65_536

_Key = tuple[int, str, str]


class RefusedRequests:
    """Bounded memory in two generations; for one thread. A restart forgets it, which the venue's page says."""

    def __init__(self) -> None:
        self._recent: dict[_Key, Refused] = {}
        self._older: dict[_Key, Refused] = {}
        self._rotate_at_ms = 0

    def remember(self, command: Withdraw | Transfer, refused: Refused, now_ms: int) -> None:
        if command.business:
            return  # the request has an id: a later, corrected one is the client's own decision
        if now_ms >= self._rotate_at_ms or len(self._recent) >= REMEMBERED_MAX:
            self._older, self._recent = self._recent, {}
            self._rotate_at_ms = now_ms + REMEMBERED_MS
        self._recent[_key(command)] = refused

    def recall(self, command: Withdraw | Transfer) -> Refused | None:
        """The refusal this very request got before, if any."""
        if not (self._recent or self._older):
            return None
        key = _key(command)
        return self._recent.get(key) or self._older.get(key)


def _key(command: Withdraw | Transfer) -> _Key:
    return (command.account_id, command.venue, command.request_id)
