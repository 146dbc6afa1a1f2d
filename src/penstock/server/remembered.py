"""A bounded memory: what is put in stays for a while, however much else is put in it stays small."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Two generations of entries: the older one is forgotten when the recent one is `kept_ms` old or full.

    An entry stays for at least kept_ms and at most twice that, unless more than `generation_max` others come
    after it. For one thread.
    """

    __slots__ = ("_generation_max", "_kept_ms", "_older", "_recent", "_rotate_at_ms")

    def __init__(self, kept_ms: int, generation_max: int) -> None:
        self._kept_ms = kept_ms
        self._generation_max = generation_max
        self._recent: dict[K, V] = {}
        self._older: dict[K, V] = {}
        self._rotate_at_ms = 0

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def get(self, key: K) -> V | None:
        found = self._recent.get(key)
        return self._older.get(key) if found is None else found

    def put(self, key: K, value: V, now_ms: int) -> None:
        """now_ms: of one monotonic clock."""
        if now_ms >= self._rotate_at_ms or len(self._recent) >= self._generation_max:
            self._older, self._recent = self._recent, {}
            self._rotate_at_ms = now_ms + self._kept_ms
        self._recent[key] = value

    def clear(self) -> None:
        self._recent.clear()
        self._older.clear()
