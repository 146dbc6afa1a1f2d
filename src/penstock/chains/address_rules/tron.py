"""TRON addresses: Base58Check over 0x41 and 20 bytes.

Source: TRON developer documentation, "Accounts and keys", address format. The hexadecimal form `41...` that
its node APIs also take has no checksum and is refused.
"""

from __future__ import annotations

import re

from penstock.chains.address_rules.base58check import ACCOUNT_BYTES, decode_checked
from penstock.chains.address_rules.refusing import forbidden, invalid

_PREFIX = b"\x41"
_HEX_FORM = re.compile(r"(?:0x)?[0-9a-fA-F]{40,42}", re.ASCII)


def check_tron_address(text: str) -> str:
    """Returns the text itself: TRON's form is canonical.

    Raises Refused(ADDRESS_INVALID), or Refused(ADDRESS_FORBIDDEN) for the zero address.
    """
    if _HEX_FORM.fullmatch(text):
        raise invalid("hexadecimal form: give the Base58Check form, which begins with T")
    payload = decode_checked(text)
    if len(payload) != ACCOUNT_BYTES or payload[:1] != _PREFIX:
        raise invalid("not a TRON address: version byte or length")
    if not any(payload[1:]):
        raise forbidden("the zero address")
    return text
