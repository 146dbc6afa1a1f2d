"""The customer's wallet signature over a content: TIP-191, as TronWeb's signMessageV2 makes it.

Source: TIP-191 and TronWeb 6.5.1, utils/message. Pure computing with the public half only; what signs is in
`client_wallet`.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from base58_bech32.base58 import b58decode_check, b58encode_check
from coincurve import PublicKey
from eth_hash.auto import keccak

SIGNATURE_CHARACTERS_MAX = 132
ADDRESSES_KEPT = 8_192

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
    octets = _signer(digest(content), signature)
    return None if octets is None else b58encode_check(octets).decode()


def is_signed_by(address: str, digest: bytes, signature: Signature) -> bool:
    """Whether the key behind a TRON address signed the 32 bytes."""
    return _signer(digest, signature) == _octets(address)


def address_of(public_key: bytes) -> str:
    """Base58Check address. public_key: 65 bytes, uncompressed, first byte 0x04."""
    return b58encode_check(_octets_of(public_key)).decode()


def _signer(digest: bytes, signature: Signature) -> bytes | None:
    try:
        public = PublicKey.from_signature_and_message(signature.octets, digest, hasher=None)
    except ValueError:
        return None
    return _octets_of(public.format(compressed=False))


def _octets_of(public_key: bytes) -> bytes:
    return _ADDRESS_VERSION + keccak(public_key[1:])[-20:]


@lru_cache(maxsize=ADDRESSES_KEPT)
def _octets(address: str) -> bytes:
    """The 21 octets of an address. Raises ValueError for what is no Base58Check text."""
    return b58decode_check(address)
