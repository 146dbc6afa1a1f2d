"""Play money for the hot wallets of simulated chains."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.chains.simulated.node import SimulatedNode
from penstock.core.catalogue import Catalogue

WALLET_WHOLE_COINS = 10**9
"""What a simulated hot wallet starts with, of every asset of its network."""


def fund_wallets(
    nodes: Mapping[str, SimulatedNode], senders: Mapping[str, str], catalogue: Catalogue
) -> None:
    """Give the hot wallets their coins and tokens, once; safe at every start."""
    for code, node in nodes.items():
        for asset, network in catalogue.listings:
            if network == code:
                decimals = catalogue.listing(asset, network).decimals
                node.fund_once(senders[code], asset, WALLET_WHOLE_COINS * 10**decimals)
