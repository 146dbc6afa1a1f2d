"""BitMart's currency names: `BTC` for a network's own coin, `USDT-TRC20` for anything else.

Source: BitMart spot docs, "Get Currencies" and "Withdraw". Two generations of network names stand in the docs
(TRC20 and TRX, ERC20 and ETH, BSC_BNB and BEP20); all are read, the first of each list below is written.
"""

from __future__ import annotations

from penstock.core.catalogue import Catalogue, Listing
from penstock.core.refusals import RefusalCode, Refused

NETWORK_NAMES: dict[str, tuple[str, ...]] = {
    "ethereum": ("ERC20", "ETH"),
    "tron": ("TRC20", "TRX"),
    "bsc": ("BSC_BNB", "BSC", "BEP20"),
    "bitcoin": ("BTC",),
    "solana": ("SOL",),
    "ripple": ("XRP",),
}
"""Our network code to the venue's names for it; one not listed here is its code in capitals."""


def _network_names(network: str) -> tuple[str, ...]:
    return NETWORK_NAMES.get(network, (network.upper(),))


class CurrencyNames:
    """Names of everything the catalogue lists. Text is compared exactly: no case folding, no normalising."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._pairs: dict[str, tuple[str, str]] = {}
        self._names: dict[tuple[str, str], str] = {}
        networks_of: dict[str, list[str]] = {}
        for listing in catalogue.listings.values():
            pair = (listing.asset, listing.network)
            networks_of.setdefault(listing.asset, []).append(listing.network)
            self._names[pair] = _own_name(catalogue, listing)
            for network_name in _network_names(listing.network):
                self._add(f"{listing.asset}-{network_name}", pair)
        for (asset, network), name in self._names.items():
            self._add(name, (asset, network))
        for asset, networks in networks_of.items():
            if len(networks) == 1:
                self._add(asset, (asset, networks[0]))
        self._assets = frozenset(networks_of)

    def _add(self, name: str, pair: tuple[str, str]) -> None:
        assert self._pairs.setdefault(name, pair) == pair, f"{name} names two listings"

    def resolve(self, name: str) -> tuple[str, str]:
        """(asset, network) of a currency name. Raises Refused(CURRENCY_UNKNOWN)."""
        found = self._pairs.get(name)
        if found is None:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN)
        return found

    def resolve_asset(self, name: str) -> tuple[str, str]:
        """(asset, network) where the network does not matter: "" for the bare coin. Raises Refused."""
        return (name, "") if name in self._assets else self.resolve(name)

    def known(self, name: str) -> tuple[str, str] | None:
        return self._pairs.get(name)

    def write(self, asset: str, network: str) -> str:
        """The listed name; for what is not listed (any more) one made in the same way."""
        found = self._names.get((asset, network))
        if found is not None:
            return found
        return f"{asset}-{write_network(network)}" if network else asset


def write_network(network: str) -> str:
    """Our network code as the venue writes it; "" stays ""."""
    return _network_names(network)[0] if network else ""


def _own_name(catalogue: Catalogue, listing: Listing) -> str:
    native = catalogue.networks[listing.network].native == listing.asset and listing.contract is None
    return listing.asset if native else f"{listing.asset}-{write_network(listing.network)}"
