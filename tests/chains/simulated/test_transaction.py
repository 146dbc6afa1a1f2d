"""What the signer signs is exactly what the node reads back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.chains.simulated.transaction import (
    InvalidTransaction,
    address_of,
    assemble,
    decode,
    signing_payload,
    transaction_hash,
)
from penstock.core.intents import SimulatedIntent
from tests.chains.simulated.network import address, key_of, payment, sign

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_signed_bytes_read_back_as_their_intent_and_sender() -> None:
    assert decode(sign(payment())) == (payment(), address(1))


def test_signing_the_same_intent_twice_gives_the_same_bytes() -> None:
    assert sign(payment()) == sign(payment())


def test_an_address_does_not_depend_on_how_the_key_is_written() -> None:
    key = key_of(7).public_key
    assert address_of(key.format(compressed=True)) == address_of(key.format(compressed=False))


def test_the_hash_is_64_lower_case_hex_digits() -> None:
    tx_hash = transaction_hash(sign(payment()))
    assert len(tx_hash) == 64
    assert bytes.fromhex(tx_hash).hex() == tx_hash


def test_every_field_changes_what_is_signed() -> None:
    changed = [
        payment(nonce=1),
        payment(units=6),
        payment(fee=1_001),
        payment(number=2),
        payment(to="T2"),
        payment(memo="1"),
        payment(asset="TRX"),
        payment(network="bitcoin"),
    ]
    assert len({signing_payload(intent) for intent in [payment(), *changed]}) == 9


def test_anothers_signature_is_refused() -> None:
    with pytest.raises(InvalidTransaction, match="another key"):
        decode(sign(payment(), number=2))


def test_the_same_signature_in_its_high_s_form_is_refused() -> None:
    intent = payment()
    signature = key_of(1).sign_recoverable(signing_payload(intent), hasher=None)
    high_s = (_ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    with pytest.raises(InvalidTransaction, match="s is high"):
        decode(assemble(intent, signature[:32] + high_s + bytes([signature[64] ^ 1])))


@pytest.mark.parametrize("signature", [bytes(65), b"\xff" * 65, b"\x01" * 64 + b"\x07"])
def test_a_signature_of_nobody_is_refused(signature: bytes) -> None:
    with pytest.raises(InvalidTransaction):
        decode(assemble(payment(), signature))


@pytest.mark.parametrize(
    "intent",
    [
        payment(nonce=-1),
        payment(nonce=2**63),
        payment(fee=-1),
        payment(fee=2**63),
        msgspec.structs.replace(payment(), units="-1"),
        msgspec.structs.replace(payment(), units="05"),
        msgspec.structs.replace(payment(), units="1e3"),
        msgspec.structs.replace(payment(), units=""),
        msgspec.structs.replace(payment(), units="\u0661"),
    ],
)
def test_numbers_out_of_range_are_refused_though_signed(intent: SimulatedIntent) -> None:
    with pytest.raises(InvalidTransaction, match="out of range"):
        decode(sign(intent))


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"\xff\xfe", b"0" * 20_000, b'{"intent":1,"signature":""}']
)
def test_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidTransaction):
        decode(raw)


def test_another_text_of_the_same_transaction_is_refused() -> None:
    raw = sign(payment())
    for other in (raw + b" ", raw.replace(b":", b": ", 1), raw.replace(b'"T', b'"\\u0054', 1)):
        with pytest.raises(InvalidTransaction):
            decode(other)


@given(st.data())
def test_any_single_changed_byte_is_refused(data: st.DataObject) -> None:
    raw = bytearray(sign(payment()))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] = data.draw(st.integers(0, 255).filter(lambda value: value != raw[position]))
    with pytest.raises(InvalidTransaction):
        decode(bytes(raw))
