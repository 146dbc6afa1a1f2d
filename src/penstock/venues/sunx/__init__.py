"""SunX, wallet calls: the two-step withdrawal and what looks at it. Choices stand in docs/venues/sunx.md."""

from penstock.venues.sunx.dialect import Sunx

__all__ = ["Sunx"]
