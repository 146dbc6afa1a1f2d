"""AlphaPo, merchant API v2: withdrawals, exchanges, callbacks. Facts and choices stand in docs/venues/alphapo.md."""

from penstock.venues.alphapo.dialect import Alphapo

__all__ = ["Alphapo"]
