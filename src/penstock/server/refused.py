"""Remember refusals of requests that carry no id of their own, for as long as they could be replayed.

A venue without a client id (BitMart) knows a request by its signature. An accepted one is remembered for
ever by the store. A refused one stores nothing; but it must not be paid when somebody sends the very same
bytes again a little later: the client was told that it failed.
"""

from __future__ import annotations

from typing import TypeGuard

from penstock.core.commands import CustomerCommand, Transfer, Withdraw
from penstock.core.refusals import Refused
from penstock.server.remembered import Remembered

REMEMBERED_MS = 120_000
"""Twice the widest signature window: the clocks of the two sides may differ by one window."""
REMEMBERED_MAX = 65_536


class RefusedRequests:
    """For one thread. A restart forgets it, which the venue's page says."""

    def __init__(self) -> None:
        self._refused: Remembered[tuple[int, str, str], Refused] = Remembered(REMEMBERED_MS, REMEMBERED_MAX)

    def remember(self, command: CustomerCommand, refused: Refused, now_ms: int) -> None:
        if not _knows_no_id(command):
            return
        self._refused.put((command.account_id, command.venue, command.request_id), refused, now_ms)

    def recall(self, command: CustomerCommand) -> Refused | None:
        """The refusal this very request got before, if any."""
        if not self._refused or not _knows_no_id(command):
            return None
        return self._refused.get((command.account_id, command.venue, command.request_id))


def _knows_no_id(command: CustomerCommand) -> TypeGuard[Withdraw | Transfer]:
    """Whether the request is known by its signature alone.

    One with an id is the client's own to correct and send again; a challenge's id is new each time.
    """
    if isinstance(command, Withdraw):
        return not command.business and not command.challenge_ms
    return isinstance(command, Transfer) and not command.business
