"""Zoomex, the asset endpoints around withdrawal. Facts and choices stand in docs/venues/zoomex.md."""

from penstock.venues.zoomex.dialect import Zoomex

__all__ = ["Zoomex"]
