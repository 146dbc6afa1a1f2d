from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
import rlp
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_keys import keys
from hexbytes import HexBytes
from hypothesis import given
from hypothesis import strategies as st

from penstock.chains.evm.addresses import checksummed
from penstock.chains.simulated import transaction as simulated
from penstock.core.intents import EvmIntent, Intent
from penstock.signer.inspection import Mismatch, inspect, read_rlp
from penstock.signer.messages import Reason, RefusedAnswer, SignRequest
from penstock.signer.process import Signer
from penstock.signer.signatures import SigningKey
from tests.signer.samples import (
    BASE,
    OTHER_PAYEE,
    PAYEE,
    SECRET,
    SENDER,
    SIGNING_KEY,
    SIM_BASE,
    SIM_SENDER,
    transfer,
)

replace = msgspec.structs.replace

evm_intents = st.builds(
    lambda nonce, to, value, call, gas, fee, tip, chain_id: EvmIntent(
        network="ethereum",
        chain_id=chain_id,
        sender=SENDER,
        nonce=nonce,
        to=checksummed(to),
        value=str(value),
        data="0x" + call.hex(),
        gas=gas,
        max_fee_per_gas=max(fee, tip),
        max_priority_fee_per_gas=min(fee, tip),
    ),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=20, max_size=20),
    st.integers(0, 2**256 - 1) | st.integers(0, 300),
    st.binary(max_size=100),
    st.integers(21_000, 2**40),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1) | st.integers(0, 300),
    st.integers(1, 2**40),
)


def as_account_takes_it(intent: EvmIntent) -> dict[str, int | str]:
    """Written out here: what eth_account calls the fields is no business of the code under test."""
    return {
        "type": 2,
        "chainId": intent.chain_id,
        "nonce": intent.nonce,
        "to": intent.to,
        "value": int(intent.value),
        "data": intent.data,
        "gas": intent.gas,
        "maxFeePerGas": intent.max_fee_per_gas,
        "maxPriorityFeePerGas": intent.max_priority_fee_per_gas,
    }


@given(evm_intents)
def test_the_bytes_are_those_of_another_library(intent: EvmIntent) -> None:
    other = Account.sign_transaction(as_account_takes_it(intent), SECRET)
    raw = SIGNING_KEY.sign(intent)
    assert raw == other.raw_transaction
    assert inspect(raw, intent, SIGNING_KEY.public_key) == "0x" + other.hash.hex().removeprefix("0x")


@given(evm_intents)
def test_other_libraries_recover_the_sender(intent: EvmIntent) -> None:
    raw = SIGNING_KEY.sign(intent)
    assert Account.recover_transaction(raw) == SENDER
    y_parity, r, s = (int.from_bytes(part) for part in rlp.decode(raw[1:])[9:])
    digest = TypedTransaction.from_bytes(HexBytes(raw)).hash()
    recovered = keys.Signature(vrs=(y_parity, r, s)).recover_public_key_from_msg_hash(digest)
    assert recovered.to_checksum_address() == SENDER


def test_every_flipped_bit_of_signed_bytes_is_noticed() -> None:
    for intent in (BASE, replace(BASE, to=PAYEE, data="0x", value="1", nonce=1)):
        raw = SIGNING_KEY.sign(intent)
        for bit in range(len(raw) * 8):
            changed = bytearray(raw)
            changed[bit // 8] ^= 1 << (bit % 8)
            with pytest.raises(Mismatch):
                inspect(bytes(changed), intent, SIGNING_KEY.public_key)


def test_bytes_cut_or_lengthened_are_noticed() -> None:
    raw = SIGNING_KEY.sign(BASE)
    for end in range(len(raw)):
        with pytest.raises(Mismatch):
            inspect(raw[:end], BASE, SIGNING_KEY.public_key)
    with pytest.raises(Mismatch):
        inspect(raw + b"\x00", BASE, SIGNING_KEY.public_key)


def test_every_field_that_differs_is_noticed() -> None:
    others: dict[str, object] = {
        "chain_id": 1,
        "sender": PAYEE,
        "nonce": 1,
        "to": PAYEE,
        "value": "1",
        "data": transfer(OTHER_PAYEE, 5_000_000),
        "gas": 65_001,
        "max_fee_per_gas": BASE.max_fee_per_gas + 1,
        "max_priority_fee_per_gas": BASE.max_priority_fee_per_gas + 1,
    }
    # The network's name is the one field that no bytes hold; the chain id stands for it.
    assert others.keys() == set(BASE.__struct_fields__) - {"network"}
    raw = SIGNING_KEY.sign(BASE)
    for name, other in others.items():
        with pytest.raises(Mismatch, match=f"{name} differs"):
            inspect(raw, replace(BASE, **{name: other}), SIGNING_KEY.public_key)


def test_every_field_of_a_simulated_payment_that_differs_is_noticed() -> None:
    raw = SIGNING_KEY.sign(SIM_BASE)
    assert inspect(raw, SIM_BASE, SIGNING_KEY.public_key) == simulated.transaction_hash(raw)
    for name in SIM_BASE.__struct_fields__:
        was = getattr(SIM_BASE, name)
        with pytest.raises(Mismatch, match=f"{name} differs"):
            inspect(
                raw,
                replace(SIM_BASE, **{name: was + 1 if isinstance(was, int) else was + "1"}),
                SIGNING_KEY.public_key,
            )
    with pytest.raises(Mismatch):
        inspect(raw.replace(b"USDT", b"USDC"), SIM_BASE, SIGNING_KEY.public_key)


@pytest.mark.parametrize("intent", [BASE, SIM_BASE], ids=["evm", "simulated"])
def test_a_signature_of_another_key_is_noticed(intent: Intent) -> None:
    other = SigningKey(b"\x11" * 32)
    with pytest.raises(Mismatch):
        inspect(other.sign(intent), intent, SIGNING_KEY.public_key)
    with pytest.raises(Mismatch):
        inspect(SIGNING_KEY.sign(intent), intent, other.public_key)


def test_the_high_form_of_a_signature_is_noticed() -> None:
    raw = SIGNING_KEY.sign(BASE)
    fields = rlp.decode(raw[1:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    y_parity, high = 1 - int.from_bytes(fields[9]), order - int.from_bytes(fields[11])
    fields[9], fields[11] = bytes([y_parity]).lstrip(b"\x00"), high.to_bytes(32)
    with pytest.raises(Mismatch, match="out of range"):
        inspect(b"\x02" + rlp.encode(fields), BASE, SIGNING_KEY.public_key)


@given(st.recursive(st.binary(max_size=70), lambda items: st.lists(items, max_size=3), max_leaves=4))
def test_rlp_reads_as_another_library_reads_it(item: object) -> None:
    try:
        assert read_rlp(rlp.encode(item)) == item
    except Mismatch as error:
        assert str(error) == "lists within lists"  # noqa: PT017 - deeper than any transaction


@given(st.binary(max_size=40))
def test_what_the_rlp_reader_takes_has_no_second_spelling(text: bytes) -> None:
    try:
        item = read_rlp(text)
    except Mismatch:
        return
    assert rlp.encode(item) == text


class Wrong:
    """A key whose bytes say something else than they were asked to."""

    evm_address, simulated_address, public_key = SENDER, SIM_SENDER, SIGNING_KEY.public_key

    def __init__(self, changed: Intent) -> None:
        self.changed = changed

    def sign(self, intent: Intent) -> bytes:
        return SIGNING_KEY.sign(self.changed)


@pytest.mark.parametrize(
    "changed",
    [replace(BASE, nonce=1), replace(BASE, data=transfer(OTHER_PAYEE, 5_000_000)), SIM_BASE],
    ids=["nonce", "receiver", "kind"],
)
def test_bytes_that_say_something_else_are_neither_logged_nor_given_out(
    inside: Callable[[], Signer], changed: Intent
) -> None:
    signer = inside()
    signer._keys = {name: Wrong(changed) for name in signer._keys}
    answer = signer.answer(SignRequest(BASE))
    assert isinstance(answer, RefusedAnswer)
    assert answer.reason is Reason.SELF_CHECK_FAILED
    assert signer._log.entries == []
    assert SIGNING_KEY.sign(changed).hex() not in json.dumps(answer.detail)
