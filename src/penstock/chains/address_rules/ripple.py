"""XRP Ledger addresses and destination tags.

Source: XRP Ledger documentation, "base58 Encodings" (its own alphabet; type prefix 0x00 and 20 bytes),
"Addresses" (special addresses, X-addresses) and "Source and Destination Tags" (unsigned 32 bits).
"""

from __future__ import annotations

import re

from base58_bech32.base58 import RIPPLE_ALPHABET

from penstock.chains.address_rules.base58check import ACCOUNT_BYTES, decode_checked
from penstock.chains.address_rules.refusing import forbidden, invalid, memo_invalid

TAG_MAX = 2**32 - 1

_TAG = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_X_ADDRESS_PREFIXES = (b"\x05\x44", b"\x04\x93")
_X_ADDRESS_BYTES = 31
# "Addresses", table of special addresses: nobody holds a key to any of them.
_BLACK_HOLES = frozenset(
    {
        "rrrrrrrrrrrrrrrrrrrrrhoLvTp",
        "rrrrrrrrrrrrrrrrrrrrBZbvji",
        "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
        "rrrrrrrrrrrrrrrrrNAMEtxvNvQ",
        "rrrrrrrrrrrrrrrrrrrn5RM1rHd",
    }
)


def check_ripple_address(text: str) -> str:
    """Returns the classic address itself.

    Raises Refused(ADDRESS_INVALID); for an X-address too, since it carries a tag of its own that could
    contradict
    the memo: the reason then says so. Raises Refused(ADDRESS_FORBIDDEN) for the ledger's black holes.
    """
    payload = decode_checked(text, RIPPLE_ALPHABET)
    if len(payload) == _X_ADDRESS_BYTES and payload.startswith(_X_ADDRESS_PREFIXES):
        raise invalid("an X-address: give the classic address, which begins with r, and the tag as memo")
    if len(payload) != ACCOUNT_BYTES or payload[0] != 0:
        raise invalid("not an XRP Ledger account: prefix or length")
    if text in _BLACK_HOLES:
        raise forbidden("a special address, which nobody owns")
    return text


def check_destination_tag(memo: str) -> None:
    """Raises Refused(MEMO_INVALID) unless `memo` is empty or a plain decimal of 0 to 2**32 - 1."""
    if memo and not (_TAG.fullmatch(memo) and int(memo) <= TAG_MAX):
        raise memo_invalid(f"a destination tag is a whole number from 0 to {TAG_MAX}, without leading zeros")
