"""AlphaPo's merchant in the sandbox."""

from __future__ import annotations

from penstock.core.catalogue import Catalogue
from penstock.venues.alphapo.currencies import CurrencyCodes
from penstock.venues.sandbox_account import Destination, Draw, Recipient, SandboxAccount

NUMBER = "300417266"
FIAT = {"EUR": "100000", "USD": "100000"}


def sandbox_account(
    draw: Draw, catalogue: Catalogue, destinations: tuple[Destination, ...], _recipient: Recipient
) -> SandboxAccount:
    """No address book: AlphaPo pays to any address. The merchant holds fiat money as well, to convert."""
    codes = CurrencyCodes(catalogue)
    key_id, secret = draw("alphapo key")[:16].hex(), draw("alphapo secret").hex()
    places = {(place.asset, place.network): place for place in destinations if place.verified}
    payable = {
        currency.code: places[(currency.asset, currency.listing.network)]
        for currency in codes.all
        if currency.listing is not None and (currency.asset, currency.listing.network) in places
    }
    section: dict[str, object] = {
        "processing_key": key_id,
        "secret_key": secret,
        "account_id": NUMBER,
        "currencies": [currency.code for currency in codes.all],
        "address_by_currency": {code: place.address for code, place in payable.items()},
        "tag_by_currency": {code: place.memo for code, place in payable.items() if place.memo},
    }
    holdings = {asset: amount for asset, amount in FIAT.items() if asset in catalogue.assets}
    return SandboxAccount(NUMBER, key_id, secret, section, extra_holdings=holdings)
