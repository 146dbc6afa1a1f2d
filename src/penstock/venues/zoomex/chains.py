"""Zoomex's names for networks: `chain` in requests and records, `chain_name` beside it in the coin list.

Source: Zoomex docs, "Query Coin Information" (the pair TRX, TRC20). The other pairs are assumed.
"""

from __future__ import annotations

from penstock.core.catalogue import Catalogue, Listing
from penstock.core.refusals import RefusalCode, Refused

CHAIN_NAMES: dict[str, tuple[str, str]] = {
    "ethereum": ("ETH", "ERC20"),
    "tron": ("TRX", "TRC20"),
    "bsc": ("BSC", "BEP20"),
    "bitcoin": ("BTC", "BTC"),
    "solana": ("SOL", "SOL"),
    "ripple": ("XRP", "XRP"),
}
"""Our network code to (chain, chain_name); one not listed here is its code in capitals, twice."""


def names_of(network: str) -> tuple[str, str]:
    """(chain, chain_name) of a network; "" stays ""."""
    return CHAIN_NAMES.get(network, (network.upper(), network.upper()))


class Chains:
    """The chains of everything the catalogue lists. Text is compared exactly: no case folding, no normalising."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._networks = {names_of(code)[0]: code for code in catalogue.networks}
        assert len(self._networks) == len(catalogue.networks), "two networks have one chain name"
        self._by_coin: dict[str, list[Listing]] = {code: [] for code in catalogue.assets}
        for listing in catalogue.listings.values():
            self._by_coin[listing.asset].append(listing)
        self._listings = catalogue.listings

    def network(self, chain: str) -> str | None:
        """Our code for a chain, None when there is none of that name."""
        return self._networks.get(chain)

    def listing(self, coin: str, chain: str) -> Listing:
        """Raises Refused(CURRENCY_UNKNOWN) when the coin is not listed on a chain of that name."""
        found = self._listings.get((coin, self._networks.get(chain, "")))
        if found is None:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN, currency=coin)
        return found

    def listings_of(self, coin: str) -> list[Listing]:
        """Every listing of a coin, in the catalogue's order; none for an unknown one."""
        return self._by_coin.get(coin, [])
