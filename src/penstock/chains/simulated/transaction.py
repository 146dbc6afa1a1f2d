"""A simulated chain's transaction: what is signed, how the bytes are laid out, whose signature it is.

Pure functions, shared by the signer (which signs), the client side (which hashes) and the node (which
checks). The bytes are one canonical JSON text: an intent and a recoverable secp256k1 signature over it.
Another text that means the same is refused, so that one signature has exactly one hash.
"""

from __future__ import annotations

import hashlib
import re

import msgspec
from coincurve import PublicKey

from penstock.core.intents import SimulatedIntent

RAW_BYTES_MAX = 16_384
ADDRESS_PREFIX = "sim1"
SIGNATURE_BYTES = 65

_DOMAIN = b"penstock simulated transaction\x00"
_UNITS = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_INTEGER_MAX = 2**63 - 1
# Half the order of secp256k1 (SEC 2, section 2.4.1). Above it, the same signature has a second form and
# with it a second hash; Ethereum refuses that form for the same reason (EIP-2).
_S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class InvalidTransaction(ValueError):
    """The bytes are no transaction that a node could ever take: form, canonical order or signature."""


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    intent: SimulatedIntent
    signature: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Signed)


def double_sha256(octets: bytes) -> bytes:
    """SHA-256 of SHA-256, 32 bytes."""
    return hashlib.sha256(hashlib.sha256(octets).digest()).digest()


def address_of(public_key: bytes) -> str:
    """The sender address of a key: "sim1" and 40 hex digits, the same on every simulated network.

    public_key: SEC1, 33 bytes compressed or 65 uncompressed. Raises ValueError for other bytes.
    """
    compressed = PublicKey(public_key).format(compressed=True)
    return ADDRESS_PREFIX + double_sha256(compressed)[:20].hex()


def signing_payload(intent: SimulatedIntent) -> bytes:
    """The 32-byte digest to sign as it is (not hashed again). It covers every field, also the network."""
    return double_sha256(_DOMAIN + _encoder.encode(intent))


def assemble(intent: SimulatedIntent, signature: bytes) -> bytes:
    """The bytes to store and send.

    signature: 65 bytes, r || s || recovery id 0..3, low s: what coincurve's
    `PrivateKey.sign_recoverable(signing_payload(intent), hasher=None)` returns.
    Does not check whose signature it is; `decode` does.
    """
    assert len(signature) == SIGNATURE_BYTES, len(signature)
    return _encoder.encode(_Signed(intent=intent, signature=signature.hex()))


def decode(raw: bytes) -> tuple[SimulatedIntent, str]:
    """Read signed bytes back; returns the intent and the address that signed it.

    Raises InvalidTransaction when the bytes are not exactly what `assemble` writes, when a field is out of
    range, or when the signature is not by `intent.sender`.
    """
    if len(raw) > RAW_BYTES_MAX:
        raise InvalidTransaction(f"{len(raw)} bytes, at most {RAW_BYTES_MAX}")
    try:
        signed = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidTransaction(f"not a transaction: {error}") from error
    if _encoder.encode(signed) != raw:
        raise InvalidTransaction("not in canonical form")
    intent = signed.intent
    in_range = 0 <= intent.nonce < _INTEGER_MAX and 0 <= intent.fee <= _INTEGER_MAX
    if not in_range or not _UNITS.fullmatch(intent.units):
        raise InvalidTransaction("nonce, fee or units out of range")
    signer = _signed_by(intent, signed.signature)
    if signer != intent.sender:
        raise InvalidTransaction("signed by another key than the sender's")
    return intent, signer


def intent_of(raw: bytes) -> SimulatedIntent:
    """The intent in bytes that `decode` has taken before; the signature is not looked at again."""
    return _decoder.decode(raw).intent


def transaction_hash(raw: bytes) -> str:
    """64 lower-case hex digits: the double SHA-256 of the signed bytes, on every simulated network."""
    return double_sha256(raw).hex()


def _signed_by(intent: SimulatedIntent, signature_hex: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{130}", signature_hex, re.ASCII):
        raise InvalidTransaction("the signature is not 65 bytes of lower-case hex")
    signature = bytes.fromhex(signature_hex)
    if int.from_bytes(signature[32:64], "big") > _S_MAX:
        raise InvalidTransaction("the signature's s is high")
    try:
        key = PublicKey.from_signature_and_message(signature, signing_payload(intent), hasher=None)
    except ValueError as error:
        raise InvalidTransaction("the signature belongs to no key") from error
    return address_of(key.format(compressed=True))
