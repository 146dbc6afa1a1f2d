"""What was quoted a short while ago, so that confirming it needs no look-up.

Only a short-cut. What is not in here is looked up in the store; whether a quote may still be confirmed is for the
engine to say in either case. What a quote said never changes, so what is kept here cannot become wrong.
"""

from __future__ import annotations

import msgspec

from penstock.core.ids import AccountId
from penstock.core.time import UnixMs

CHALLENGE_MS = 120_000
"""How long a quote may be confirmed."""
QUOTES_MAX = 65_536
"""Some 25 MB at the most."""


class Quoted(msgspec.Struct, frozen=True, gc=False):
    """digest: what has to be signed. address: whose wallet has to sign it."""

    account_id: AccountId
    digest: bytes
    address: str


class Quotes:
    """By nonce, in two generations: the older one is forgotten when the recent one is CHALLENGE_MS old or full."""

    def __init__(self, quotes_max: int = QUOTES_MAX) -> None:
        self._generation_max = quotes_max // 2
        self._recent: dict[str, Quoted] = {}
        self._older: dict[str, Quoted] = {}
        self._rotate_at_ms = 0

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def keep(self, nonce: str, quoted: Quoted, now_ms: UnixMs) -> None:
        if now_ms >= self._rotate_at_ms or len(self._recent) >= self._generation_max:
            self._older, self._recent = self._recent, {}
            self._rotate_at_ms = now_ms + CHALLENGE_MS
        self._recent[nonce] = quoted

    def find(self, account_id: AccountId, nonce: str) -> Quoted | None:
        """The account's own; None: nothing is known of it here."""
        found = self._recent.get(nonce) or self._older.get(nonce)
        return found if found is not None and found.account_id == account_id else None
