"""What can be withdrawn where: assets, networks and the listings that join them. Fixed while a process runs."""

from __future__ import annotations

import msgspec

from penstock.core.amounts import Units, parse_amount, rescale
from penstock.core.refusals import RefusalCode, Refused

PRICE_SCALE = 8


class Asset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A currency the ledger keeps.

    code: "USDT". name: "Tether". scale: decimals of the ledger's smallest unit (0 to 30); fixed for life.
    usd_price: plain decimal text with at most 8 decimals; for valuations shown to people and for the daily quota,
    never for money moves. None: not valued.
    """

    code: str
    name: str
    scale: int
    usd_price: str | None = None


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain that pays.

    code: "ethereum", "tron", "bitcoin"; our own word, venues map it to theirs.
    family: whose address rules hold: "evm", "tron", "bitcoin", "solana", "ripple".
    native: the asset that pays network fees. confirmations: how many blocks make a transaction final when the chain
    gives no finality of its own. uses_memo: whether payments may carry a tag or memo.
    """

    code: str
    family: str
    native: str
    confirmations: int
    uses_memo: bool = False


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One asset on one network. Amounts are in the ledger's units (the asset's scale).

    decimals: of the token on the chain (USDT has 6 on TRON and 18 on BNB chain). contract: token address, None for
    a network's own coin. precision: decimals a withdrawal may use. multiple: a withdrawal must be a multiple of it.
    """

    asset: str
    network: str
    decimals: int
    contract: str | None
    fee: Units
    minimum: Units
    precision: int
    maximum: Units | None = None
    multiple: Units | None = None
    withdraw_enabled: bool = True
    deposit_enabled: bool = True


class Catalogue:
    """All assets, networks and listings, with look-ups. Immutable after construction."""

    def __init__(self, assets: list[Asset], networks: list[Network], listings: list[Listing]) -> None:
        self.assets = {asset.code: asset for asset in assets}
        self.networks = {network.code: network for network in networks}
        self.listings = {(listing.asset, listing.network): listing for listing in listings}
        self._prices = {
            asset.code: parse_amount(asset.usd_price, PRICE_SCALE)
            for asset in assets
            if asset.usd_price is not None
        }
        assert len(self.listings) == len(listings), "a listing stands twice"
        for listing in listings:
            scale = self.assets[listing.asset].scale
            assert listing.network in self.networks, listing.network
            assert listing.precision <= min(scale, listing.decimals), (listing.asset, listing.network)
            rescale(listing.fee, scale, listing.decimals)
            # Network fees are booked in the chain's own units, so a native coin has one scale in both places.
            assert listing.contract is not None or listing.decimals == scale, (listing.asset, listing.network)

    def listing(self, asset: str, network: str) -> Listing:
        """Raises Refused(CURRENCY_UNKNOWN) when the asset is not listed on that network."""
        found = self.listings.get((asset, network))
        if found is None:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN, currency=asset, network=network)
        return found

    def scale(self, asset: str) -> int:
        return self.assets[asset].scale

    def btc_value(self, asset: str, units: int) -> int:
        """What `units` of an asset are worth in satoshi, rounded down; 0 where a price is missing."""
        price, bitcoin = self._prices.get(asset), self._prices.get("BTC")
        if price is None or not bitcoin:
            return 0
        return units * price * 10**8 // (bitcoin * 10 ** self.scale(asset))

    def usd_value(self, asset: str, units: int) -> int | None:
        """What `units` are worth in US dollars, as an integer at PRICE_SCALE decimals; None where not valued."""
        price = self._prices.get(asset)
        return None if price is None else units * price // 10 ** self.scale(asset)

    def chain_units(self, listing: Listing, units: int) -> Units:
        """Ledger units as the token's own smallest unit on its chain."""
        return rescale(units, self.assets[listing.asset].scale, listing.decimals)
