"""API keys for authentication: read from the store, kept for a short while."""

from __future__ import annotations

from penstock.core.time import Clock
from penstock.core.views import KeyView
from penstock.store.store import Store

KEPT_MS = 10_000
KEPT_MAX = 50_000


class KeyDirectory:
    """Look-ups of known keys without asking the database for each request.

    A change made through this store empties it at once; one made by another process shows after KEPT_MS. That is safe
    because the engine reads key and account again in the commit that moves money. Unknown keys are never kept, so a
    new key works at once and guesses take no room. For one thread.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[str, KeyView] = {}
        self._generation = -1
        self._empty_at_ms = 0

    def look_up(self, key_id: str) -> KeyView | None:
        generation = self._store.keys_generation
        now_ms = self._clock.monotonic_ms()
        if generation != self._generation or now_ms >= self._empty_at_ms or len(self._kept) >= KEPT_MAX:
            self._kept.clear()
            self._generation, self._empty_at_ms = generation, now_ms + KEPT_MS
        found = self._kept.get(key_id)
        if found is None:
            found = self._store.find_key(key_id)
            if found is not None:
                self._kept[key_id] = found
        return found
