"""The venues that are served. A new one is registered here, in the client's list and nowhere else."""

from __future__ import annotations

from penstock.venues.bitmart import Bitmart
from penstock.venues.venue import Venue, World, WriteCallback


def venues(world: World) -> list[Venue]:
    """Every venue served, made with what it may know of the world."""
    return [Bitmart(world)]


CALLBACKS: dict[str, WriteCallback] = {}
"""How the venues that call their customers back write those calls."""
