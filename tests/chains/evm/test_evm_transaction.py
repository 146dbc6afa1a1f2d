"""Our transactions against two other libraries and a decoder written here, and the way back from bytes."""

from __future__ import annotations

import msgspec
import pytest
import rlp
from coincurve import PrivateKey
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_keys.datatypes import PrivateKey as EthKey
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from hypothesis import given
from hypothesis import strategies as st

from penstock.chains.evm.addresses import checksummed
from penstock.chains.evm.transaction import (
    CURVE_ORDER,
    NotOurTransaction,
    assemble,
    decode_signed,
    encode_for_signing,
    signing_hash,
    tx_hash,
)
from penstock.core.intents import EvmIntent
from tests.chains.evm.wallet import HOT, RECEIVER, as_account_fields, signed

addresses = st.binary(min_size=20, max_size=20).map(checksummed)
fees = st.tuples(st.integers(0, 2**128), st.integers(0, 2**128)).map(sorted)
intents = st.builds(
    lambda fee, **fields: EvmIntent(
        network="ethereum",
        sender=HOT.address,
        max_priority_fee_per_gas=fee[0],
        max_fee_per_gas=fee[1],
        **fields,
    ),
    fee=fees,
    chain_id=st.integers(1, 2**64),
    nonce=st.integers(0, 2**64 - 2),
    to=addresses,
    value=st.integers(0, 2**256 - 1).map(str),
    data=st.binary(max_size=100).map(lambda data: "0x" + data.hex()),
    gas=st.integers(0, 2**64 - 1),
)
SAMPLE = EvmIntent(
    network="ethereum",
    chain_id=31337,
    sender=HOT.address,
    nonce=7,
    to=RECEIVER,
    value="0",
    data="0xa9059cbb" + "00" * 64,
    gas=65_000,
    max_fee_per_gas=3_000_000_000,
    max_priority_fee_per_gas=1_000_000_000,
)


def items(encoded: bytes) -> list[bytes | list[bytes]]:
    """A list of RLP strings and empty lists, read by the yellow paper's appendix B: no library."""

    def head(at: int) -> tuple[int, int, bool]:
        first = encoded[at]
        if first < 0x80:
            return at, 1, False
        base, is_list = (0xC0, True) if first >= 0xC0 else (0x80, False)
        if first - base <= 55:
            return at + 1, first - base, is_list
        width = first - base - 55
        return at + 1 + width, int.from_bytes(encoded[at + 1 : at + 1 + width]), is_list

    at, length, is_list = head(0)
    assert is_list
    assert at + length == len(encoded)
    found: list[bytes | list[bytes]] = []
    while at < len(encoded):
        start, size, is_list = head(at)
        assert not (is_list and size)
        found.append([] if is_list else encoded[start : start + size])
        at = start + size
    return found


@given(intents)
def test_what_is_signed_comes_back_as_the_same_intent(intent: EvmIntent) -> None:
    assert decode_signed(signed(intent), "ethereum") == intent


@given(intents, st.integers(1, CURVE_ORDER - 1))
def test_bytes_and_hash_are_those_of_three_other_ways(intent: EvmIntent, secret: int) -> None:
    key = secret.to_bytes(32)
    by_account = Account.from_key(key).sign_transaction(as_account_fields(intent))

    by_coincurve = PrivateKey(key).sign_recoverable(signing_hash(intent), hasher=None)
    r, s, parity = int.from_bytes(by_coincurve[:32]), int.from_bytes(by_coincurve[32:64]), by_coincurve[64]
    raw = assemble(intent, parity, r, s)

    by_keys = EthKey(key).sign_msg_hash(keccak(encode_for_signing(intent)))
    numbers = [
        intent.chain_id,
        intent.nonce,
        intent.max_priority_fee_per_gas,
        intent.max_fee_per_gas,
        intent.gas,
        bytes.fromhex(intent.to[2:]),
        int(intent.value),
        bytes.fromhex(intent.data[2:]),
        [],
        by_keys.v,
        by_keys.r,
        by_keys.s,
    ]
    assert bytes(by_account.raw_transaction) == raw == b"\x02" + rlp.encode(numbers)
    assert by_account.hash.to_0x_hex() == tx_hash(raw)


@given(intents)
def test_other_decoders_read_the_same_fields(intent: EvmIntent) -> None:
    raw = signed(intent)
    fields = items(raw[1:])
    assert [int.from_bytes(fields[place]) for place in (0, 1, 2, 3, 4, 6)] == [
        intent.chain_id,
        intent.nonce,
        intent.max_priority_fee_per_gas,
        intent.max_fee_per_gas,
        intent.gas,
        int(intent.value),
    ]
    assert fields[5] == bytes.fromhex(intent.to[2:])
    assert fields[7] == bytes.fromhex(intent.data[2:])
    assert fields[8] == []
    theirs = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    assert (theirs["chainId"], theirs["nonce"], theirs["value"]) == (
        intent.chain_id,
        intent.nonce,
        int(intent.value),
    )
    assert Account.recover_transaction(raw) == intent.sender


@given(intents, st.data())
def test_any_changed_byte_is_another_transaction_or_none(intent: EvmIntent, data: st.DataObject) -> None:
    raw = bytearray(signed(intent))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    assert_not_the_same(bytes(raw), intent)


def test_every_single_bit_of_one_transaction_counts() -> None:
    raw = signed(SAMPLE)
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        assert_not_the_same(bytes(changed), SAMPLE)


def assert_not_the_same(raw: bytes, intent: EvmIntent) -> None:
    try:
        found = decode_signed(raw, "ethereum")
    except NotOurTransaction:
        return
    assert found != intent


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused_in_one_way(junk: bytes) -> None:
    for raw in (junk, b"\x02" + junk, b"\x02" + rlp.encode(junk), b"\x02" + rlp.encode([junk] * 12)):
        with pytest.raises(NotOurTransaction):
            decode_signed(raw, "ethereum")


def fields_of(raw: bytes) -> list[bytes | list[bytes]]:
    return items(raw[1:])


def with_field(place: int, field: object) -> bytes:
    fields: list[object] = list(fields_of(signed(SAMPLE)))
    fields[place] = field
    return b"\x02" + rlp.encode(fields)


def mirrored() -> bytes:
    """The signature in its other form, s and parity turned round: valid mathematics, forbidden by EIP-2."""
    fields = fields_of(signed(SAMPLE))
    s = CURVE_ORDER - int.from_bytes(bytes(fields[11]))
    parity = b"" if fields[9] else b"\x01"
    return b"\x02" + rlp.encode([*fields[:9], parity, fields[10], s.to_bytes(32)])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        signed(SAMPLE) + b"\x00",
        signed(SAMPLE)[:-1],
        b"\x01" + signed(SAMPLE)[1:],
        signed(SAMPLE)[1:],
        with_field(5, b""),
        with_field(5, b"\x01" * 19),
        with_field(0, [b"\x01"]),
        with_field(1, b"\x00\x07"),
        with_field(8, [[b"\x01" * 20, []]]),
        with_field(8, b""),
        with_field(9, b"\x02"),
        with_field(10, b""),
        with_field(11, b"\xff" * 32),
        with_field(4, b"\x01" * 9),
        with_field(2, b"\x7f" + b"\xff" * 20),
        mirrored(),
        b"\x02" + b"\xc1" * 3_000,
        b"\x02" + b"\xf9\xff\xff" + b"\x00" * 3_000,
        b"\x02" + rlp.encode([b"\x01"] * 12) + b"\x00" * 10_000,
    ],
)
def test_what_we_would_never_send_does_not_decode(raw: bytes) -> None:
    with pytest.raises(NotOurTransaction):
        decode_signed(raw, "ethereum")


def test_another_signer_shows_as_another_sender() -> None:
    other = Account.from_key(b"\x02" * 32)
    found = decode_signed(signed(SAMPLE, other), "ethereum")
    assert found == msgspec.structs.replace(SAMPLE, sender=other.address)


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": RECEIVER.lower()},
        {"sender": HOT.address.lower()},
        {"to": ""},
        {"value": "-1"},
        {"value": "01"},
        {"value": "0x1"},
        {"value": str(2**256)},
        {"value": "\u0661"},
        {"data": "0xABCD"},
        {"data": "0xabc"},
        {"data": ""},
        {"nonce": -1},
        {"nonce": 2**64 - 1},
        {"gas": 2**64},
        {"chain_id": -1},
        {"max_priority_fee_per_gas": SAMPLE.max_fee_per_gas + 1},
    ],
)
def test_an_intent_in_no_canonical_form_is_not_encoded(wrong: dict[str, object]) -> None:
    with pytest.raises(NotOurTransaction):
        encode_for_signing(msgspec.structs.replace(SAMPLE, **wrong))
