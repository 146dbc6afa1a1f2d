"""edgeX, private withdraw API of its V1 exchange. Facts and choices stand in docs/venues/edgex.md."""

from penstock.venues.edgex.dialect import Edgex

__all__ = ["Edgex"]
