"""The customer's wallet signature over a content: TIP-191, as TronWeb's signMessageV2 makes it.

Source: TIP-191 and TronWeb 6.5.1, utils/message. Pure computing with the public half only; what signs is in
`client_wallet`.
"""

from __future__ import annotations

import re

import msgspec
from base58_bech32.base58 import b58encode_check
from coincurve import PublicKey
from eth_utils.crypto import keccak

SIGNATURE_CHARACTERS_MAX = 132

_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{130})", re.ASCII)
_ADDRESS_VERSION = b"\x41"
_V_OFFSET = 27
# Half the order of secp256k1 (SEC 2, section 2.4.1). Above it stands the second form of the same signature.
_S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Signature(msgspec.Struct, frozen=True, gc=False):
    """A recoverable signature. octets: r (32), s (32, the low one), recovery id (0 or 1)."""

    octets: bytes

    @property
    def canonical(self) -> str:
        """One text for all the forms it may have come in: 130 lower-case digits, v 27 or 28, no 0x."""
        return self.octets[:64].hex() + f"{self.octets[64] + _V_OFFSET:02x}"


def read_signature(text: str) -> Signature | None:
    """Read hexadecimal text, with or without 0x, in any case, v 0, 1, 27 or 28. None for anything else, high s too."""
    found = _HEX.fullmatch(text)
    if found is None:
        return None
    octets = bytes.fromhex(found[1])
    recovery_id = octets[64] - _V_OFFSET if octets[64] >= _V_OFFSET else octets[64]
    if recovery_id not in (0, 1) or int.from_bytes(octets[32:64]) > _S_MAX:
        return None
    return Signature(octets[:64] + bytes([recovery_id]))


def digest(content: str) -> bytes:
    """The 32 bytes that are signed: keccak256 of 0x19, "TRON Signed Message:" and LF, length in decimal, content."""
    message = content.encode()
    return keccak(b"\x19TRON Signed Message:\n%d%b" % (len(message), message))


def signer(content: str, signature: Signature) -> str | None:
    """The TRON address whose key signed the content; None where no key can have made the signature."""
    try:
        public = PublicKey.from_signature_and_message(signature.octets, digest(content), hasher=None)
    except ValueError:
        return None
    return address_of(public.format(compressed=False))


def address_of(public_key: bytes) -> str:
    """Base58Check address. public_key: 65 bytes, uncompressed, first byte 0x04."""
    account = keccak(public_key[1:])[-20:]
    return b58encode_check(_ADDRESS_VERSION + account).decode()
