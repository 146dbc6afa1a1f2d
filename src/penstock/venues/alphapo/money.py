"""Amounts and prices as AlphaPo writes them: decimal text with eight decimals, or more where eight are too few."""

from __future__ import annotations

from zlib import crc32

from penstock.core.amounts import SCALE_MAX, format_units, format_units_fixed
from penstock.core.rates import Rate

DECIMALS = 8
PRICE_DIGITS = 8
"""Significant digits that a price shows at least, however small it is."""
ID_MAX = 2**31 - 1
"""A published client reads ids as 32 bits with a sign."""


def money(units: int, scale: int) -> str:
    """(20_000, 8) to "0.00020000"; what needs more than eight decimals shows all of them."""
    if scale <= DECIMALS:
        return format_units_fixed(units * 10 ** (DECIMALS - scale), DECIMALS)
    whole, _, fraction = format_units(units, scale).partition(".")
    return f"{whole}.{fraction.ljust(DECIMALS, '0')}"


def price(rate: Rate) -> str:
    """What one coin of the source buys, rounded down: eight decimals, or as many as show PRICE_DIGITS digits."""
    decimals = DECIMALS
    while decimals < SCALE_MAX and rate.price(decimals) < 10 ** (PRICE_DIGITS - 1):
        decimals += 1
    return format_units_fixed(rate.price(decimals), decimals)


def small_id(*names: str) -> int:
    """An id between 1 and ID_MAX for what has none of its own, always the same for the same names."""
    return (crc32("\0".join(names).encode()) & ID_MAX) or 1
