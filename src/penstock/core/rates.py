"""Exchange rates: exact fractions, and the only roundings between one asset and another.

Rounding always goes against the customer who converts, never against the ledger: what is received is rounded
down, what is debited is rounded up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from penstock.core.amounts import Units
from penstock.core.time import UnixMs


class Rate(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One whole coin of `source` buys numerator / denominator whole coins of `target`.

    origin: who says so ("table", "ccxt:kraken"). at_ms: when it was true.
    """

    source: str
    target: str
    numerator: int
    denominator: int
    origin: str
    at_ms: UnixMs

    def received(self, debited: int, source_scale: int, target_scale: int) -> Units:
        """What `debited` smallest units of source buy, in target's smallest units, rounded down."""
        return Units(debited * self.numerator * 10**target_scale // (self.denominator * 10**source_scale))

    def debited(self, received: int, source_scale: int, target_scale: int) -> Units:
        """The least that buys at least `received` smallest units of target, in source's smallest units."""
        return Units(
            -(-received * self.denominator * 10**source_scale // (self.numerator * 10**target_scale))
        )

    def encoded(self) -> str:
        """As text, to be stored with what it was used for; `decode_rate` reads it."""
        return msgspec.json.encode(self).decode()

    def price(self, decimals: int) -> Units:
        """Numerator / denominator as an integer at `decimals` places, rounded down: for people to read."""
        return Units(self.numerator * 10**decimals // self.denominator)


def decode_rate(encoded: str) -> Rate | None:
    """What `Rate.encoded` wrote; None for ""."""
    return msgspec.json.decode(encoded, type=Rate) if encoded else None


class Given(StrEnum):
    """Which side of a conversion its amount states."""

    DEBITED = "debited"
    """In the source asset, without our fee, which is debited beside it."""
    RECEIVED = "received"
    """In the target asset, exactly what the receiver gets."""


class Conversion(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Debit rate.source, pay rate.target. The engine refuses a rate that has grown too old."""

    rate: Rate
    given: Given


class Rates(Protocol):
    """Where rates come from. Calls answer at once from memory and are safe from several threads."""

    def rate(self, source: str, target: str, now_ms: UnixMs) -> Rate | None:
        """The newest known rate, None where the pair is not exchanged. Its age is for the engine to judge."""
        ...

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (source, target) for which there may be a rate, in a fixed order."""
        ...
