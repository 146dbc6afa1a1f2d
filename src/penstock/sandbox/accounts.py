"""The sandbox's customers: one account per venue, each made by its venue. A new venue is registered here too."""

from __future__ import annotations

from penstock.core.catalogue import Catalogue
from penstock.sandbox.destinations import DESTINATIONS
from penstock.sandbox.seed import RECIPIENT, SandboxSecrets
from penstock.venues.alphapo.sandbox import sandbox_account as alphapo
from penstock.venues.bitmart.sandbox import sandbox_account as bitmart
from penstock.venues.edgex.sandbox import sandbox_account as edgex
from penstock.venues.sandbox_account import MakeSandboxAccount, SandboxAccount
from penstock.venues.sunx.sandbox import sandbox_account as sunx
from penstock.venues.zoomex.sandbox import sandbox_account as zoomex

MAKERS: dict[str, MakeSandboxAccount] = {
    "bitmart": bitmart,
    "sunx": sunx,
    "zoomex": zoomex,
    "alphapo": alphapo,
    "edgex": edgex,
}


def sandbox_accounts(drawn: SandboxSecrets, catalogue: Catalogue) -> dict[str, SandboxAccount]:
    """The accounts by venue, always the same from the same secrets."""
    return {venue: make(drawn.draw, catalogue, DESTINATIONS, RECIPIENT) for venue, make in MAKERS.items()}
