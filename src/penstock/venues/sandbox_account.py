"""What a venue's account in the sandbox is: play credentials, an address book, and its section of sandbox.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from penstock.core.acts import AddressKind
from penstock.core.catalogue import Catalogue

Draw = Callable[[str], bytes]
"""A label to 32 bytes, random but the same for ever in one sandbox."""


class Destination(msgspec.Struct, frozen=True):
    """An address that a sandbox may pay to: one asset on one network."""

    asset: str
    network: str
    address: str
    memo: str
    verified: bool
    remark: str


class BookSeed(msgspec.Struct, frozen=True):
    """An entry for the account's address book; fields as in core.acts.AddBookEntry."""

    kind: AddressKind
    asset: str
    network: str
    address: str
    memo: str = ""
    verified: bool = True
    remark: str = ""


class SandboxAccount(msgspec.Struct, frozen=True):
    """One customer of the sandbox.

    number: the public id, unique among all venues' accounts. key_id, secret, passphrase: as in core.acts.CreateKey.
    extra_holdings: whole coins beside what every account gets, by asset. section: what stands of the venue in
    sandbox.json, secrets included: they move play money only.
    """

    number: str
    key_id: str
    secret: str
    section: Mapping[str, object]
    passphrase: str = ""
    email: str | None = None
    phone: str | None = None
    book: tuple[BookSeed, ...] = ()
    extra_holdings: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"SandboxAccount(number={self.number!r}, ***)"


class Recipient(msgspec.Struct, frozen=True):
    """The other account, which internal transfers go to."""

    number: str
    email: str
    phone: str


MakeSandboxAccount = Callable[[Draw, Catalogue, tuple[Destination, ...], Recipient], SandboxAccount]
"""How a venue makes its account, always the same from the same arguments."""


def in_book(destinations: tuple[Destination, ...]) -> tuple[BookSeed, ...]:
    """The destinations as standard entries."""
    return tuple(
        BookSeed(
            AddressKind.STANDARD,
            place.asset,
            place.network,
            place.address,
            place.memo,
            place.verified,
            place.remark,
        )
        for place in destinations
    )
