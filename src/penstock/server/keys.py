"""API keys for authentication: read from the store, kept for a short while."""

from __future__ import annotations

from itertools import islice

from penstock.core.time import Clock
from penstock.core.views import KeyView
from penstock.store.reader import FindsTogether
from penstock.store.store import AsyncStore

KEPT_MS = 10_000
KEPT_MAX = 50_000
TOGETHER_MAX = 256
UNKNOWN_MAX = 10_000
UNKNOWN_CHARACTERS_MAX = 128
"""A longer guess is looked up each time: its sender would choose how much memory it takes."""


class KeyDirectory:
    """Look-ups of keys without asking the database for each request.

    A change made through this store empties it at once; one made by another process shows after kept_ms (None: no
    other makes any). That is safe because the engine reads key and account again in the commit that moves money.
    Unknown keys are remembered apart from known ones: a repeated guess costs no look-up and pushes no real key out.
    Emptied, it remembers whose keys were asked for, and where a look-up is a round trip the first of them to come again
    brings some of the others along. For one thread.
    """

    def __init__(self, store: AsyncStore, clock: Clock, kept_ms: int | None = KEPT_MS) -> None:
        self._store = store
        self._clock = clock
        self._kept_ms = kept_ms
        self._kept: dict[str, KeyView] = {}
        self._asked: set[str] = set()
        # Those asked for before the last emptying, and not read again since.
        self._due: dict[str, None] = {}
        self._unknown: set[str] = set()
        self._generation = -1
        self._empty_at_ms = 0

    def look_up(self, key_id: str) -> KeyView | None:
        if self._is_stale() or len(self._kept) >= KEPT_MAX:
            self._due = {key_id: None for key_id in self._kept if key_id in self._asked}
            self._asked.clear()
            self._kept.clear()
            self._unknown.clear()
            self._generation = self._store.keys_generation
            self._empty_at_ms = self._clock.monotonic_ms() + (self._kept_ms or 0)
        found = self._kept.get(key_id)
        if found is None and key_id not in self._unknown:
            found = self._find(key_id)
            if found is not None:
                self._kept[key_id] = found
            elif len(key_id) <= UNKNOWN_CHARACTERS_MAX:
                self._remember_unknown(key_id)
        if found is not None:
            self._asked.add(key_id)
        return found

    def _find(self, key_id: str) -> KeyView | None:
        reader = self._store.reader() if key_id in self._due else None
        if not isinstance(reader, FindsTogether):
            return self._store.find_key(key_id)
        del self._due[key_id]
        together = [key_id, *islice(self._due, TOGETHER_MAX - 1)]
        self._kept.update(reader.find_keys(together))
        for each in together[1:]:
            del self._due[each]
        return self._kept.get(key_id)

    def _is_stale(self) -> bool:
        if self._store.keys_generation != self._generation:
            return True
        return self._kept_ms is not None and self._clock.monotonic_ms() >= self._empty_at_ms

    def _remember_unknown(self, key_id: str) -> None:
        if len(self._unknown) >= UNKNOWN_MAX:
            self._unknown.clear()
        self._unknown.add(key_id)
