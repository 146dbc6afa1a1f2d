"""The venues that are served. A new one is registered here, in `sandbox/accounts.py`, and in `client/connecting.py`."""

from __future__ import annotations

from penstock.venues.alphapo import Alphapo
from penstock.venues.alphapo.callbacks import write_callback as alphapo_callback
from penstock.venues.bitmart import Bitmart
from penstock.venues.edgex import Edgex
from penstock.venues.edgex.keys import check_key as edgex_key
from penstock.venues.sunx import Sunx
from penstock.venues.sunx.keys import check_key as sunx_key
from penstock.venues.venue import CheckKey, Venue, World, WriteCallback
from penstock.venues.zoomex import Zoomex


def venues(world: World, cursor_key: bytes) -> list[Venue]:
    """Every venue served, made with what it may know of the world.

    cursor_key: what proves that a page's cursor was ours; the same in every process of a service.
    """
    served: list[Venue] = [
        Bitmart(world),
        Sunx(world),
        Zoomex(world),
        Alphapo(world),
        Edgex(world, cursor_key=cursor_key),
    ]
    assert {venue.name for venue in served} == KEY_CHECKS.keys()
    return served


CALLBACKS: dict[str, WriteCallback] = {"alphapo": alphapo_callback}
"""How the venues that call their customers back write those calls."""

KEY_CHECKS: dict[str, CheckKey | None] = {
    "alphapo": None,
    "bitmart": None,
    "edgex": edgex_key,
    "sunx": sunx_key,
    "zoomex": None,
}
"""Each venue served to what a key has to be there; None where it is just any text. No other name gets a key."""
