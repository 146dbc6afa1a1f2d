"""Base58Check: the reading of version and payload that TRON, Bitcoin and the XRP Ledger share."""

from __future__ import annotations

from base58_bech32.base58 import BITCOIN_ALPHABET, b58decode_check, b58encode_check
from base58_bech32.exceptions import Base58Bech32ValueError

from penstock.chains.address_rules.refusing import invalid

ACCOUNT_BYTES = 21
"""A version byte and a 20-byte hash: what an account or script address of these three holds."""


def decode_checked(text: str, alphabet: bytes = BITCOIN_ALPHABET) -> bytes:
    """Version and payload bytes of `text`, its checksum verified.

    text: at most 112 characters, taken as it is: no trimming, no case folding, no Unicode normalisation.
    Raises Refused(ADDRESS_INVALID) otherwise.
    """
    try:
        payload = b58decode_check(text, alphabet=alphabet)
    except Base58Bech32ValueError as error:
        raise invalid(f"not Base58Check: {error}") from None
    assert b58encode_check(payload, alphabet=alphabet) == text.encode(), "base58 reads each text one way"
    return payload
