"""AlphaPo's currency codes: `BTC` for a coin on its own chain, `USDTT` for USDT on TRON, `EUR` for money on no chain.

Source: AlphaPo docs, "Currencies"; the sister platform's list of codes. One code names an asset and its network, so
what the catalogue lists elsewhere (USDT on Solana) cannot be asked for here.
"""

from __future__ import annotations

import msgspec

from penstock.core.catalogue import Catalogue, Listing

OWN_CODES: dict[tuple[str, str], str] = {
    ("USDT", "tron"): "USDTT",
    ("USDT", "ethereum"): "USDTE",
    ("USDT", "bsc"): "USDTB",
    ("BNB", "bsc"): "BNB-BSC",
}
"""(asset, network) to the venue's code, where that is not the asset's own."""
PLAIN_NETWORK = "ethereum"
"""Where a token goes by its asset's code alone."""


class Currency(msgspec.Struct, frozen=True, gc=False):
    """What one code stands for. listing: None for fiat, which is debited and credited but never paid out."""

    code: str
    asset: str
    scale: int
    listing: Listing | None

    @property
    def type(self) -> str:
        return "fiat" if self.listing is None else "crypto"


class CurrencyCodes:
    """The codes of everything that the catalogue lists and the venue can name. Text is compared exactly."""

    def __init__(self, catalogue: Catalogue) -> None:
        found: dict[str, Currency] = {}
        for listing in sorted(catalogue.listings.values(), key=lambda listing: listing.contract is not None):
            code = _code(catalogue, listing)
            if code is not None:
                # A coin on its own chain comes before a token of the same name.
                found.setdefault(code, Currency(code, listing.asset, catalogue.scale(listing.asset), listing))
        listed = {asset for asset, _ in catalogue.listings}
        for asset in catalogue.assets.values():
            if asset.code not in listed:
                assert asset.code not in found, f"{asset.code} names two currencies"
                found[asset.code] = Currency(asset.code, asset.code, asset.scale, None)
        self._by_code = found
        self._of_asset: dict[str, tuple[Currency, ...]] = {}
        for currency in found.values():
            others = self._of_asset.get(currency.asset, ())
            self._of_asset[currency.asset] = (*others, currency)
        self.all = tuple(found.values())

    def find(self, code: str) -> Currency | None:
        return self._by_code.get(code)

    def of_asset(self, asset: str) -> tuple[Currency, ...]:
        """Every code of one asset: they share its balance and its rates."""
        return self._of_asset.get(asset, ())


def _code(catalogue: Catalogue, listing: Listing) -> str | None:
    """The code of a listing, None where the venue has no word for it."""
    own = OWN_CODES.get((listing.asset, listing.network))
    if own is not None:
        return own
    if listing.contract is None:
        native = catalogue.networks[listing.network].native == listing.asset
        return listing.asset if native else None
    return listing.asset if listing.network == PLAIN_NETWORK else None
