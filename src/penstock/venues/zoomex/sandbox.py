"""Zoomex's account in the sandbox."""

from __future__ import annotations

from penstock.core.acts import AddressKind
from penstock.core.catalogue import Catalogue
from penstock.core.commands import RecipientKind
from penstock.venues.sandbox_account import (
    BookSeed,
    Destination,
    Draw,
    Recipient,
    SandboxAccount,
    in_book,
)
from penstock.venues.zoomex.chains import names_of

UID = "162119744"


def sandbox_account(
    draw: Draw, _catalogue: Catalogue, destinations: tuple[Destination, ...], recipient: Recipient
) -> SandboxAccount:
    """The address book holds the destinations on chains, and the other account by UID, e-mail and phone."""
    key_id, secret = draw("zoomex key")[:9].hex(), draw("zoomex secret")[:18].hex()
    recipients = (
        (RecipientKind.ACCOUNT_NUMBER, recipient.number),
        (RecipientKind.EMAIL, recipient.email),
        (RecipientKind.PHONE, recipient.phone),
    )
    section: dict[str, object] = {
        "api_key": key_id,
        "api_secret": secret,
        "uid": UID,
        "recipient_uid": recipient.number,
        "recipient_email": recipient.email,
        "recipient_phone": recipient.phone,
        "addresses": [
            {
                "coin": place.asset,
                "chain": names_of(place.network)[0],
                "address": place.address,
                "tag": place.memo,
            }
            for place in destinations
            if place.verified
        ],
    }
    book = tuple(
        BookSeed(AddressKind.RECIPIENT, "", "", value, kind.value, remark="friend")
        for kind, value in recipients
    )
    return SandboxAccount(UID, key_id, secret, section, book=(*in_book(destinations), *book))
