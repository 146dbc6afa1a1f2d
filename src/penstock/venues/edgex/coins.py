"""The collateral coins that can be withdrawn: edgeX's ids for what the catalogue lists.

Source: edgeX docs, "Get Meta Data". Asset ids of layer 2 belong to a StarkEx instance: the testnet's is documented, the
main net's was observed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from penstock.core.amounts import Units, rescale
from penstock.core.catalogue import Catalogue, Listing
from penstock.core.refusals import RefusalCode, Refused


class Coin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A coin of edgeX as an asset on a network of ours.

    coin_id: decimal text. stark_asset_id: on layer 2. resolution: quanta in one coin, a power of ten; no amount is
    finer. chain_id: of the EVM chain that pays.
    """

    coin_id: str
    name: str
    asset: str
    network: str
    stark_asset_id: int
    resolution: int
    chain_id: int

    @property
    def decimals(self) -> int:
        return len(str(self.resolution)) - 1


TESTNET_USDT = Coin(
    "1000",
    "USDT",
    "USDT",
    "ethereum",
    0x33BDA5C923BAE4E84825B74762D5482889B9512465FBFFC50D1AE4B82E345C3,
    10**6,
    11_155_111,
)
MAINNET_USD = Coin(
    "1000",
    "USD",
    "USDT",
    "ethereum",
    0x2CE625E94458D39DD0BF3B45A843544DD4A14B8169045A3A3D15AA564B936C5,
    10**6,
    1,
)
COINS: tuple[Coin, ...] = (TESTNET_USDT,)
"""What is served unless the venue is made with others."""


class ServedCoin(msgspec.Struct, frozen=True):
    """A coin with its listing. scale: of the ledger's units. contract: of its token, EIP-55 text."""

    coin: Coin
    listing: Listing
    scale: int
    contract: str

    def units(self, quanta: int) -> Units:
        """Quanta of layer 2 in the ledger's units. Raises Refused(AMOUNT_PRECISION)."""
        return rescale(quanta, self.coin.decimals, self.scale)

    def quanta(self, units: int) -> int:
        """The ledger's units in quanta, rounded down."""
        difference = self.scale - self.coin.decimals
        return units // 10**difference if difference >= 0 else units * 10**-difference


class ServedCoins:
    """Those coins of a table that the catalogue lists, with look-ups. Ids are compared as they came."""

    def __init__(self, catalogue: Catalogue, coins: Iterable[Coin]) -> None:
        self._by_id: dict[str, ServedCoin] = {}
        for coin in coins:
            assert coin.resolution == 10**coin.decimals, coin
            listing = catalogue.listings.get((coin.asset, coin.network))
            if listing is None:
                continue
            assert listing.contract is not None, f"{coin.coin_id} is a token's, not a network's own coin"
            served = ServedCoin(coin, listing, catalogue.scale(coin.asset), listing.contract)
            assert self._by_id.setdefault(coin.coin_id, served) is served, f"{coin.coin_id} stands twice"

    def all(self) -> tuple[ServedCoin, ...]:
        return tuple(self._by_id.values())

    def find(self, coin_id: str) -> ServedCoin | None:
        return self._by_id.get(coin_id)

    def resolve(self, coin_id: str) -> ServedCoin:
        """Raises Refused(CURRENCY_UNKNOWN)."""
        found = self._by_id.get(coin_id)
        if found is None:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN, currency=coin_id[:64])
        return found
