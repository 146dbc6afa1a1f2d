"""Rates from a table of prices: the operator's, or those of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from penstock.core.amounts import SCALE_MAX, parse_amount
from penstock.core.catalogue import Catalogue
from penstock.core.rates import Rate
from penstock.core.refusals import Refused
from penstock.core.time import UnixMs

ORIGIN = "table"


class TableRates:
    """Every pair of priced assets, by way of their prices in US dollars, as exact fractions.

    prices: dollars for one whole coin, plain decimal text with at most SCALE_MAX decimals; an asset left out has the
    catalogue's usd_price, or no rate where it has none. A table is as new as the moment it is asked.
    Raises ValueError for an asset that the catalogue does not have, and for a price that is no amount above zero.
    """

    def __init__(self, catalogue: Catalogue, prices: Mapping[str, str]) -> None:
        unknown = sorted(prices.keys() - catalogue.assets.keys())
        if unknown:
            raise ValueError(f"a price for what is no asset: {', '.join(unknown)}")
        texts = {code: prices.get(code, asset.usd_price) for code, asset in catalogue.assets.items()}
        priced = {code: _units(code, text) for code, text in texts.items() if text is not None}
        self._ratios = {
            (source, target): Fraction(priced[source], priced[target])
            for source in priced
            for target in priced
            if source != target
        }
        self._pairs = tuple(self._ratios)

    def rate(self, source: str, target: str, now_ms: UnixMs) -> Rate | None:
        ratio = self._ratios.get((source, target))
        if ratio is None:
            return None
        return Rate(source, target, ratio.numerator, ratio.denominator, ORIGIN, now_ms)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return self._pairs


def _units(code: str, text: str) -> int:
    try:
        units = parse_amount(text, SCALE_MAX)
    except Refused:
        units = 0
    if not units:
        raise ValueError(f"the price of {code} is no amount above zero: {text[:64]!r}")
    return units
