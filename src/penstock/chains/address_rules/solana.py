"""Solana addresses: 32 bytes in base58.

The form has **no checksum**: a mistyped character nearly always gives another valid address. Nothing here can
catch that; only the address book can, where the address was verified once. A point off the curve is no fault
either, since program-derived addresses hold tokens. Source: Solana documentation, "Accounts", account
address.
"""

from __future__ import annotations

from base58_bech32.base58 import b58decode, b58encode
from base58_bech32.exceptions import Base58Bech32ValueError

from penstock.chains.address_rules.refusing import forbidden, invalid

_CHARACTERS_MAX = 44
_ADDRESS_BYTES = 32
# Programs and a mint that people paste for an account: the System Program (all zeros) is caught by its bytes.
_NOT_ACCOUNTS = frozenset(
    {
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
        "ComputeBudget111111111111111111111111111111",
        "So11111111111111111111111111111111111111112",
    }
)


def check_solana_address(text: str) -> str:
    """Returns the text itself: base58 is canonical.

    Raises Refused(ADDRESS_INVALID), or Refused(ADDRESS_FORBIDDEN) for programs.
    """
    try:
        account = b58decode(text, max_length=_CHARACTERS_MAX)
    except Base58Bech32ValueError as error:
        raise invalid(f"not base58: {error}") from None
    if len(account) != _ADDRESS_BYTES:
        raise invalid(f"{len(account)} bytes instead of {_ADDRESS_BYTES}")
    assert b58encode(account) == text.encode(), "base58 reads each text one way"
    if not any(account) or text in _NOT_ACCOUNTS:
        raise forbidden("a program or mint, not an account")
    return text
