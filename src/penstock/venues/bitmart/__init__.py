"""BitMart, funding account area. Facts and choices stand in docs/venues/bitmart.md."""

from penstock.venues.bitmart.dialect import Bitmart

__all__ = ["Bitmart"]
