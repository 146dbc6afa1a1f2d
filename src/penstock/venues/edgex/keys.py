"""What an edgeX key has to be for its owner's requests ever to be let in: three texts that only the owner can give."""

from __future__ import annotations

import re

from penstock.venues.edgex.messages import read_long
from penstock.venues.edgex.stark import read_public_key
from penstock.venues.venue import KeyFault

_ETHEREUM = re.compile(r"0[xX][0-9a-fA-F]{40}", re.ASCII)


def check_key(key_id: str, secret: str, passphrase: str) -> KeyFault | None:
    """A venue.CheckKey. The address' own capitals (EIP-55) are not checked here: they are where money is paid."""
    if not read_long(key_id):
        return KeyFault(
            "key_id", "An edgeX key's id is the accountId: 1 to 19 digits, the first of them no zero."
        )
    if read_public_key(secret.encode()) is None:
        text = (
            "An edgeX key's secret is the account's public Stark key: <x>:<y> in hex, a point on the curve."
        )
        return KeyFault("secret", text)
    if _ETHEREUM.fullmatch(passphrase) is None:
        text = "An edgeX key's passphrase is the account's own Ethereum address: 0x and 40 hex digits."
        return KeyFault("passphrase", text)
    return None
