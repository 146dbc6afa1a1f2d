"""A secret value that does not show itself."""

from __future__ import annotations

import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Secret:
    """Bytes that never appear in a repr, log or traceback, and compare only in constant time."""

    _value: bytes

    @classmethod
    def of(cls, text: str) -> Secret:
        return cls(text.encode())

    def reveal(self) -> bytes:
        """The bytes themselves, for the one call that needs them; do not keep the result."""
        return self._value

    def matches(self, other: bytes) -> bool:
        return hmac.compare_digest(self._value, other)

    def __repr__(self) -> str:
        return "Secret(***)"
