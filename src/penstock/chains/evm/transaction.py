"""EIP-1559 transactions: an intent to the bytes that are signed, and signed bytes back to an intent. Pure.

The way back is what the signer and the worker compare with what they meant to sign. Transactions we would
never make (access lists, contract creation, other types, odd spellings of numbers) do not decode.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import msgspec
import rlp
from coincurve import PublicKey
from eth_utils.crypto import keccak
from rlp.exceptions import DecodingError

from penstock.chains.evm.addresses import checksummed, is_checksummed
from penstock.core.intents import EvmIntent

TYPE = b"\x02"
RAW_BYTES_MAX = 4_096
"""A payment has about 180 bytes; anything near this bound is not one of ours."""
GAS_LIMIT_MAX = 2**64 - 1
UINT256_MAX = 2**256 - 1
# Order of secp256k1. Signatures with s above half of it are not valid transactions (EIP-2).
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_HEX_BYTES = re.compile(r"0x(?:[0-9a-f]{2})*", re.ASCII)
_VALUE = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_FIELDS_SIGNED = 12
_NOBODY = "0x" + "0" * 40


class NotOurTransaction(ValueError):
    """Bytes or values that are no transaction this service would make."""


def check_intent(intent: EvmIntent) -> None:
    """Raises NotOurTransaction unless every field is in its one canonical form and in the chain's bounds."""
    sizes = (
        ("chain_id", intent.chain_id, UINT256_MAX),
        ("nonce", intent.nonce, 2**64 - 2),
        ("gas", intent.gas, GAS_LIMIT_MAX),
        ("max_fee_per_gas", intent.max_fee_per_gas, UINT256_MAX),
        ("max_priority_fee_per_gas", intent.max_priority_fee_per_gas, intent.max_fee_per_gas),
    )
    for name, number, most in sizes:
        if not 0 <= number <= most:
            raise NotOurTransaction(f"{name} out of range")
    if not is_checksummed(intent.to) or not is_checksummed(intent.sender):
        raise NotOurTransaction("an address is not in its EIP-55 spelling")
    if _VALUE.fullmatch(intent.value) is None or int(intent.value) > UINT256_MAX:
        raise NotOurTransaction("value is no canonical decimal number of wei")
    if _HEX_BYTES.fullmatch(intent.data) is None:
        raise NotOurTransaction("data is no lower-case 0x-hex")


def encode_for_signing(intent: EvmIntent) -> bytes:
    """What is signed (its keccak-256): 0x02 || rlp([chain id, nonce, tip, fee, gas, to, value, data, []]).

    The sender is not among them: it follows from the signature. Raises NotOurTransaction as `check_intent`.
    Source: EIP-1559, "Specification"; EIP-2718.
    """
    return TYPE + _encode(_unsigned_fields(intent))


def signing_hash(intent: EvmIntent) -> bytes:
    """The 32 bytes to sign."""
    return keccak(encode_for_signing(intent))


def assemble(intent: EvmIntent, y_parity: int, r: int, s: int) -> bytes:
    """The signed transaction as it goes to a node. Whose signature it is, only `decode_signed` asks."""
    return TYPE + _encode([*_unsigned_fields(intent), *(_quantity(part) for part in (y_parity, r, s))])


def tx_hash(raw: bytes) -> str:
    """keccak-256 of the signed bytes as 0x-hex: the transaction's name on the chain."""
    return "0x" + keccak(raw).hex()


def decode_signed(raw: bytes, network: str) -> EvmIntent:
    """Read signed bytes as the intent they carry out; `sender` is whoever really signed.

    network: our code of the chain, which the bytes do not hold (they hold its chain id).
    Comparing the answer with the intent one meant compares every byte: exactly one encoding decodes to it.
    Raises NotOurTransaction for everything that `assemble` would not write.
    """
    if raw[:1] != TYPE or len(raw) > RAW_BYTES_MAX:
        raise NotOurTransaction("no EIP-1559 transaction, or too long")
    numbers, to, data, signature = _read_fields(raw)
    chain_id, nonce, tip, fee, gas, value = numbers
    intent = EvmIntent(
        network=network,
        chain_id=chain_id,
        sender=_NOBODY,
        nonce=nonce,
        to=checksummed(to),
        value=str(value),
        data="0x" + data.hex(),
        gas=gas,
        max_fee_per_gas=fee,
        max_priority_fee_per_gas=tip,
    )
    y_parity, r, s = signature
    if y_parity > 1 or not 0 < r < CURVE_ORDER or not 0 < s <= CURVE_ORDER // 2:
        raise NotOurTransaction("the signature is out of range")
    # RLP allows several spellings of one value; only the one we would write ourselves is let through.
    if assemble(intent, y_parity, r, s) != raw:
        raise NotOurTransaction("not in its canonical encoding")
    return msgspec.structs.replace(intent, sender=_signer(signing_hash(intent), y_parity, r, s))


def _unsigned_fields(intent: EvmIntent) -> list[bytes | list[bytes]]:
    check_intent(intent)
    return [
        _quantity(intent.chain_id),
        _quantity(intent.nonce),
        _quantity(intent.max_priority_fee_per_gas),
        _quantity(intent.max_fee_per_gas),
        _quantity(intent.gas),
        bytes.fromhex(intent.to[2:]),
        _quantity(int(intent.value)),
        bytes.fromhex(intent.data[2:]),
        [],
    ]


def _read_fields(raw: bytes) -> tuple[list[int], bytes, bytes, tuple[int, int, int]]:
    """(chain id, nonce, tip, fee, gas, value), to, data, (y parity, r, s)."""
    try:
        fields = _decode(raw[1:])
    except (DecodingError, RecursionError) as error:
        raise NotOurTransaction("no RLP") from error
    if len(fields) != _FIELDS_SIGNED or fields[8] not in ([], ()):
        raise NotOurTransaction("other fields than an EIP-1559 transaction without an access list")
    flat = [field for place, field in enumerate(fields) if place != 8]  # noqa: PLR2004 - the access list's place
    if not all(isinstance(field, bytes) for field in flat):
        raise NotOurTransaction("a list where bytes belong")
    chain_id, nonce, tip, fee, gas, to, value, data, *signature = cast("list[bytes]", flat)
    if len(to) != 20:  # noqa: PLR2004 - an address
        raise NotOurTransaction("no receiver")
    y_parity, r, s = (int.from_bytes(part) for part in signature)
    numbers = [int.from_bytes(part) for part in (chain_id, nonce, tip, fee, gas, value)]
    return numbers, to, data, (y_parity, r, s)


def _signer(digest: bytes, y_parity: int, r: int, s: int) -> str:
    signature = r.to_bytes(32) + s.to_bytes(32) + bytes([y_parity])
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError as error:
        raise NotOurTransaction("nobody's signature") from error
    return checksummed(keccak(key.format(compressed=False)[1:])[-20:])


def _quantity(number: int) -> bytes:
    """Big endian without leading zeros; zero is empty (Ethereum yellow paper, appendix B)."""
    return number.to_bytes((number.bit_length() + 7) // 8)


# The rlp package has no type hints: these two functions are its only use.
def _encode(fields: Sequence[bytes | list[bytes]]) -> bytes:
    return cast("bytes", rlp.encode(fields))  # pyright: ignore[reportUnknownMemberType]


def _decode(text: bytes) -> Sequence[object]:
    fields = cast("object", rlp.decode(text, strict=True))  # pyright: ignore[reportUnknownMemberType]
    return cast("Sequence[object]", fields) if isinstance(fields, list | tuple) else ()
