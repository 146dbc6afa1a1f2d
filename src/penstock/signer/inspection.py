"""Reading signed bytes back, before anybody else sees them, with other code than what wrote them.

RLP is read by a reader of its own (it knows only what a transaction needs and takes only the shortest
spelling), the signature is checked by OpenSSL against the key's public half, and its sender recovered by
libsecp256k1.
"""

from __future__ import annotations

from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from eth_utils.crypto import keccak

from penstock.chains.simulated import transaction as simulated
from penstock.core.intents import EvmIntent, Intent, SimulatedIntent

_TYPE = 0x02
_ADDRESS_BYTES = 20
_SIGNED_FIELDS = 12
# SEC 2, section 2.4.1: half the order of secp256k1; EIP-2 forbids a larger s.
_S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

Item = bytes | list["Item"]


class Mismatch(Exception):
    """The signed bytes do not say what the intent says. They must not leave the process."""


def inspect(raw: bytes, intent: Intent, public_key: bytes) -> str:
    """Compare signed bytes with the intent, field by field, sender included; returns the transaction hash.

    public_key: SEC1, 65 bytes uncompressed, of the key that should have signed.
    Raises Mismatch, naming the field; never with any of the bytes in its text.
    """
    match intent:
        case EvmIntent():
            return _inspect_evm(raw, intent, public_key)
        case SimulatedIntent():
            return _inspect_simulated(raw, intent, public_key)


def _inspect_evm(raw: bytes, intent: EvmIntent, public_key: bytes) -> str:
    # EIP-1559: 0x02 || rlp([chain_id, nonce, max_priority_fee_per_gas, max_fee_per_gas, gas_limit,
    # destination, amount, data, access_list, signature_y_parity, signature_r, signature_s])
    if not raw or raw[0] != _TYPE:
        raise Mismatch("not an EIP-1559 transaction")
    fields = read_rlp(raw[1:])
    if not isinstance(fields, list) or len(fields) != _SIGNED_FIELDS:
        raise Mismatch("not twelve fields")
    expected: tuple[tuple[str, Item], ...] = (
        ("chain_id", _quantity(intent.chain_id)),
        ("nonce", _quantity(intent.nonce)),
        ("max_priority_fee_per_gas", _quantity(intent.max_priority_fee_per_gas)),
        ("max_fee_per_gas", _quantity(intent.max_fee_per_gas)),
        ("gas", _quantity(intent.gas)),
        ("to", bytes.fromhex(intent.to.removeprefix("0x"))),
        ("value", _quantity(int(intent.value))),
        ("data", bytes.fromhex(intent.data.removeprefix("0x"))),
        ("access_list", []),
    )
    for (name, wanted), found in zip(expected, fields, strict=False):
        if found != wanted:
            raise Mismatch(f"{name} differs")
    y_parity, r, s = (_integer(field) for field in fields[len(expected) :])
    # The digest is over the same fields without the signature; their bytes are the front of what was read.
    payload = b"".join(_spell(field) for field in fields[: len(expected)])
    digest = keccak(raw[:1] + _head(len(payload), 0xC0) + payload)
    _check_signature(digest, y_parity, r, s, public_key)
    if "0x" + keccak(public_key[1:])[-_ADDRESS_BYTES:].hex() != intent.sender.lower():
        raise Mismatch("sender differs")
    return "0x" + keccak(raw).hex()


def _inspect_simulated(raw: bytes, intent: SimulatedIntent, public_key: bytes) -> str:
    try:
        found, sender = simulated.decode(raw)
    except simulated.InvalidTransaction as error:
        raise Mismatch(f"not a simulated transaction: {error}") from None
    for name in intent.__struct_fields__:
        if getattr(found, name) != getattr(intent, name):
            raise Mismatch(f"{name} differs")
    if sender != intent.sender or sender != simulated.address_of(public_key):
        raise Mismatch("sender differs")
    return simulated.transaction_hash(raw)


def _check_signature(digest: bytes, y_parity: int, r: int, s: int, public_key: bytes) -> None:
    if y_parity not in {0, 1} or not 0 < s <= _S_MAX or not 0 < r < 2**256:
        raise Mismatch("signature is out of range")
    curve = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public_key)
    try:
        curve.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        signature = r.to_bytes(32) + s.to_bytes(32) + bytes([y_parity])
        recovered = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except (InvalidSignature, ValueError):
        raise Mismatch("the signature is not by this key") from None
    if recovered.format(compressed=False) != public_key:
        raise Mismatch("the signature recovers another key")


def read_rlp(text: bytes) -> Item:
    """Read one RLP item that fills `text` exactly (Ethereum yellow paper, appendix B).

    Raises Mismatch on a cut or overlong item and on any spelling but the shortest.
    """
    item, rest = _read_item(text)
    if rest:
        raise Mismatch("bytes after the transaction")
    return item


_SHORT_MAX = 55
_DEPTH_MAX = 2


def _read_item(text: bytes, depth: int = 0) -> tuple[Item, bytes]:
    if depth > _DEPTH_MAX:
        raise Mismatch("lists within lists")
    if not text:
        raise Mismatch("RLP is cut")
    first = text[0]
    if first < 0x80:  # noqa: PLR2004 - RLP: a byte below 0x80 is itself
        return text[:1], text[1:]
    base = 0xC0 if first >= 0xC0 else 0x80  # noqa: PLR2004 - RLP: lists begin at 0xC0, strings at 0x80
    length, start = _read_length(text, first - base)
    body, rest = text[start : start + length], text[start + length :]
    if len(body) != length:
        raise Mismatch("RLP is cut")
    if base == 0x80:  # noqa: PLR2004 - a string
        if length == 1 and body[0] < 0x80:  # noqa: PLR2004 - should have stood for itself
            raise Mismatch("RLP is not in its shortest form")
        return body, rest
    items: list[Item] = []
    while body:
        item, body = _read_item(body, depth + 1)
        items.append(item)
    return items, rest


def _read_length(text: bytes, size: int) -> tuple[int, int]:
    """How long the body is, and where it begins."""
    if size <= _SHORT_MAX:
        return size, 1
    start = 1 + size - _SHORT_MAX
    spelled = text[1:start]
    length = int.from_bytes(spelled)
    if len(spelled) != start - 1 or spelled[0] == 0 or length <= _SHORT_MAX:
        raise Mismatch("RLP is not in its shortest form")
    return length, start


def _head(length: int, base: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes([base + length])
    spelled = _quantity(length)
    return bytes([base + _SHORT_MAX + len(spelled)]) + spelled


def _spell(item: Item) -> bytes:
    if isinstance(item, list):
        payload = b"".join(_spell(part) for part in item)
        return _head(len(payload), 0xC0) + payload
    return item if len(item) == 1 and item[0] < 0x80 else _head(len(item), 0x80) + item  # noqa: PLR2004 - RLP


def _quantity(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _integer(item: Item) -> int:
    if isinstance(item, list) or item[:1] == b"\x00":
        raise Mismatch("a number is not in its shortest form")
    return int.from_bytes(item)
