"""BitMart's account in the sandbox."""

from __future__ import annotations

from penstock.core.catalogue import Catalogue
from penstock.venues.bitmart.currencies import CurrencyNames, write_network
from penstock.venues.sandbox_account import Destination, Draw, Recipient, SandboxAccount, in_book

NUMBER = "876940329"
MEMO = "sandbox"


def sandbox_account(
    draw: Draw, catalogue: Catalogue, destinations: tuple[Destination, ...], recipient: Recipient
) -> SandboxAccount:
    names = CurrencyNames(catalogue)
    key_id, secret = draw("bitmart key")[:20].hex(), draw("bitmart secret").hex()
    section: dict[str, object] = {
        "api_key": key_id,
        "api_secret": secret,
        "memo": MEMO,
        "account_id": NUMBER,
        "recipient_cid": recipient.number,
        "recipient_email": recipient.email,
        "recipient_phone": recipient.phone,
        "addresses": [
            {
                "currency": names.write(place.asset, place.network),
                "network": write_network(place.network),
                "address": place.address,
                "memo": place.memo,
                "verified": place.verified,
            }
            for place in destinations
        ],
    }
    return SandboxAccount(
        NUMBER,
        key_id,
        secret,
        section,
        passphrase=MEMO,
        email="customer@sandbox.example",
        book=in_book(destinations),
    )
