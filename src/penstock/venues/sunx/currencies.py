"""SunX's names: a currency ("usdt") and the chain it moves on ("trc20usdt").

Source: SunX docs, "Create a Withdraw Request" for USDT on TRON, the only pair they name; HTX, "APIv2 - currencys",
for the others that a deposit may bear.
"""

from __future__ import annotations

from penstock.core.catalogue import Catalogue
from penstock.core.refusals import RefusalCode, Refused

CHAINS: dict[tuple[str, str], tuple[str, str]] = {("usdt", "trc20usdt"): ("USDT", "tron")}
"""What can be withdrawn: (currency, chain) to our (asset, network)."""

_WRITTEN: dict[tuple[str, str], str] = {
    ("USDT", "tron"): "trc20usdt",
    ("USDT", "ethereum"): "usdterc20",
    ("TRX", "tron"): "trx1",
}


class CurrencyNames:
    """Names of what the catalogue lists."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._pairs = {names: pair for names, pair in CHAINS.items() if pair in catalogue.listings}
        self._currencies = {currency for currency, _ in self._pairs}
        self._assets = {code.lower(): code for code in catalogue.assets}

    def resolve(self, currency: str, chain: str) -> tuple[str, str]:
        """(asset, network). The currency's case does not matter, the chain's does.

        Raises Refused: CURRENCY_UNKNOWN for the currency, CURRENCY_UNSUPPORTED for the chain.
        """
        name = _folded(currency)
        if name not in self._currencies:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN)
        found = self._pairs.get((name, chain))
        if found is None:
            raise Refused(RefusalCode.CURRENCY_UNSUPPORTED)
        return found

    def resolve_asset(self, currency: str) -> str:
        """Our code of a currency on whatever chain. Raises Refused(CURRENCY_UNKNOWN)."""
        found = self._assets.get(_folded(currency))
        if found is None:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN)
        return found


def write(asset: str, network: str) -> tuple[str, str]:
    """(currency, chain) of an asset on a network; chain is our own word where the venue's is not known."""
    return asset.lower(), _WRITTEN.get((asset, network), network)


def _folded(name: str) -> str:
    """In lower case. Beyond ASCII nothing is folded: the Kelvin sign is no k."""
    return name.lower() if name.isascii() else name
