"""API keys for authentication: read from the store, kept for a short while."""

from __future__ import annotations

from penstock.core.time import Clock
from penstock.core.views import KeyView
from penstock.store.store import AsyncStore

KEPT_MS = 10_000
KEPT_MAX = 50_000
UNKNOWN_MAX = 10_000
UNKNOWN_CHARACTERS_MAX = 128
"""A longer guess is looked up each time: its sender would choose how much memory it takes."""


class KeyDirectory:
    """Look-ups of keys without asking the database for each request.

    A change made through this store empties it at once; one made by another process shows after KEPT_MS.
    That is safe because the engine reads key and account again in the commit that moves money. Unknown keys
    are remembered apart from known ones: a repeated guess costs no look-up and pushes no real key out.
    For one thread.
    """

    def __init__(self, store: AsyncStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[str, KeyView] = {}
        self._unknown: set[str] = set()
        self._generation = -1
        self._empty_at_ms = 0

    def look_up(self, key_id: str) -> KeyView | None:
        generation = self._store.keys_generation
        now_ms = self._clock.monotonic_ms()
        if generation != self._generation or now_ms >= self._empty_at_ms or len(self._kept) >= KEPT_MAX:
            self._kept.clear()
            self._unknown.clear()
            self._generation, self._empty_at_ms = generation, now_ms + KEPT_MS
        found = self._kept.get(key_id)
        if found is None and key_id not in self._unknown:
            found = self._store.find_key(key_id)
            if found is not None:
                self._kept[key_id] = found
            elif len(key_id) <= UNKNOWN_CHARACTERS_MAX:
                self._remember_unknown(key_id)
        return found

    def _remember_unknown(self, key_id: str) -> None:
        if len(self._unknown) >= UNKNOWN_MAX:
            self._unknown.clear()
        self._unknown.add(key_id)
