"""edgeX's account in the sandbox: its L2 key, and the address it is paid to."""

from __future__ import annotations

from penstock.core.catalogue import Catalogue
from penstock.core.secret import Secret
from penstock.venues.edgex.coins import COINS, ServedCoins
from penstock.venues.edgex.stark import public_key_text
from penstock.venues.sandbox_account import Destination, Draw, Recipient, SandboxAccount

NUMBER = "543429922991899150"
CHAIN = "ethereum"
PRIVATE_BITS_DROPPED = 6
"""Of the 256 drawn: what is left is below the curve's order."""


def sandbox_account(
    draw: Draw, catalogue: Catalogue, destinations: tuple[Destination, ...], _recipient: Recipient
) -> SandboxAccount:
    """No address book: the L2 signature covers the address. The key's public half stands where others keep a secret."""
    number = int.from_bytes(draw("edgex stark key"), "big") >> PRIVATE_BITS_DROPPED
    private_key = f"{number:064x}"
    public = public_key_text(Secret.of(private_key))
    eth_address = next(place.address for place in destinations if place.network == CHAIN and place.verified)
    section: dict[str, object] = {
        "account_id": NUMBER,
        "stark_private_key": private_key,
        "stark_public_key": public.partition(":")[0],
        "eth_address": eth_address,
        "coins": [
            {
                "coin_id": served.coin.coin_id,
                "erc20_address": served.contract,
                "stark_ex_asset_id": hex(served.coin.stark_asset_id),
                "stark_ex_resolution": hex(served.coin.resolution),
            }
            for served in ServedCoins(catalogue, COINS).all()
        ],
    }
    return SandboxAccount(NUMBER, NUMBER, public, section, passphrase=eth_address)
