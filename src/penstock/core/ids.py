"""Identifiers, and the one source that makes new ones."""

from __future__ import annotations

import secrets
from typing import NewType, Protocol

AccountId = NewType("AccountId", int)
WithdrawalId = NewType("WithdrawalId", int)
AttemptId = NewType("AttemptId", int)
PostingId = NewType("PostingId", int)

NODES = 1 << 10
COUNTS = 1 << 12
EPOCH_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z: ids count milliseconds from here, so 41 bits last until 2093."""


class Ids(Protocol):
    """Makes ids: positive, below 2**63, unique across processes, rising with time."""

    def next(self, now_ms: int) -> int:
        """A new id for an object made at `now_ms`."""
        ...


class TimeOrderedIds:
    """41 bits of time, 10 bits of node, 12 bits of counter: no shared counter, so many processes can make ids.

    node: 0..1023; a random one when None. Two processes with one node may collide within a millisecond: the
    primary keys then refuse the second insert and the batch fails as a whole, nothing is merged.
    """

    def __init__(self, node: int | None = None) -> None:
        self._node = secrets.randbelow(NODES) if node is None else node
        assert 0 <= self._node < NODES, self._node
        self._last_ms = 0
        self._counter = 0

    def next(self, now_ms: int) -> int:
        # A wall clock that steps back must not bring an id back: time only rises here.
        if now_ms > self._last_ms:
            self._last_ms, self._counter = now_ms, 0
        else:
            self._counter += 1
            if self._counter == COUNTS:
                self._last_ms, self._counter = self._last_ms + 1, 0
        return ((self._last_ms - EPOCH_MS) << 22) | (self._node << 12) | self._counter
