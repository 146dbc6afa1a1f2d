"""EVM addresses: 0x and 40 hex digits, with the EIP-55 checksum in the case of the letters."""

from __future__ import annotations

import re

from eth_utils.address import to_checksum_address

from penstock.core.refusals import RefusalCode, Refused

# Nobody holds a key whose address begins with 18 zero bytes. Below this bound lie the zero address, every
# precompile (0x01 to 0x11, and 0x100 since EIP-7951) and the common burn address 0x...dead.
RESERVED_BELOW = 0x10000

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


def check_evm_address(text: str, forbidden: frozenset[str] = frozenset()) -> str:
    """Read an address somebody asks us to pay to.

    text: all-lower-case digits, or the exact EIP-55 spelling; any other mixture of cases is a typing error.
    forbidden: EIP-55 texts never to be paid: the listed token contracts and our own wallets.
    Returns the EIP-55 spelling. Raises Refused: ADDRESS_INVALID when it is no address, ADDRESS_FORBIDDEN for
    a forbidden one and for those nobody can hold a key of (zero, precompiles).
    Source: EIP-55, "Mixed-case checksum address encoding".
    """
    if _ADDRESS.fullmatch(text) is None:
        raise Refused(RefusalCode.ADDRESS_INVALID, address=text[:64])
    address = checksummed(text)
    if text not in (address, text.lower()):
        raise Refused(RefusalCode.ADDRESS_INVALID, address=text)
    if int(text, 16) < RESERVED_BELOW or address in forbidden:
        raise Refused(RefusalCode.ADDRESS_FORBIDDEN, address=address)
    return address


def checksummed(address: str | bytes) -> str:
    """The EIP-55 spelling of 0x-hex text in any case, or of 20 bytes."""
    return str(to_checksum_address(address))


def is_checksummed(text: str) -> bool:
    """Whether `text` is an address in its EIP-55 spelling, the only one that intents may hold."""
    return _ADDRESS.fullmatch(text) is not None and checksummed(text) == text
