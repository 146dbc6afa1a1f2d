"""Rates from a table of prices: the operator's, or those of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from penstock.core.amounts import parse_amount
from penstock.core.catalogue import PRICE_SCALE, Catalogue
from penstock.core.rates import Rate
from penstock.core.time import UnixMs

ORIGIN = "table"


class TableRates:
    """Every pair of priced assets, by way of their prices in US dollars, as exact fractions.

    prices: dollars for one whole coin, plain decimal text with at most PRICE_SCALE decimals; an asset left out has the
    catalogue's usd_price. A table is as new as the moment it is asked. Raises Refused for a price that is no amount.
    """

    def __init__(self, catalogue: Catalogue, prices: Mapping[str, str]) -> None:
        texts = {code: asset.usd_price for code, asset in catalogue.assets.items()} | dict(prices)
        units = {code: parse_amount(text, PRICE_SCALE) for code, text in texts.items() if text is not None}
        self._prices = {code: price for code, price in units.items() if price and code in catalogue.assets}

    def rate(self, source: str, target: str, now_ms: UnixMs) -> Rate | None:
        if source == target or source not in self._prices or target not in self._prices:
            return None
        price = Fraction(self._prices[source], self._prices[target])
        return Rate(source, target, price.numerator, price.denominator, ORIGIN, now_ms)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (source, target) for source in self._prices for target in self._prices if source != target
        )
