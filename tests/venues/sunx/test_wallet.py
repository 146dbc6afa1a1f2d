"""The wallet's signature over a content: published vectors, other libraries' signatures, every changed bit."""

from __future__ import annotations

import pytest
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.secret import Secret
from penstock.venues.sunx.client_wallet import WalletKey
from penstock.venues.sunx.wallet import digest, read_signature, signer
from tests.venues.sunx.world import OTHER_WALLET, WALLET, WALLET_KEY, tron_signature

W1 = f"address:{WALLET},currency:usdt,chain:trc20usdt,amount:8.799999,fee:0,nonce:85A6B8F36D591055"
W2 = f"address:{OTHER_WALLET},currency:usdt,chain:trc20usdt,amount:8.799999,fee:1.2,nonce:85A6B8F36D591055"
# content, its published digest, its published signature
PUBLISHED = {
    "W1": (
        W1,
        "da922e56a2b6d69f978724bbdbed2a8441f1f6ae887812f8fba0f5a0232fedb1",
        (
            "0xf2483adea72ce03e73bbb01f44271248112f1bd5edd2792bcdfb24ee69a569e1"
            "2e75a9ae34e63b1549efb3b9e891f968113db066714bba51e034d92b33305e411b"
        ),
    ),
    "W2": (
        W2,
        "53974c20b448e623a47539601d69233a7d4e97c4d48aa198cb386c7cfc14cf20",
        (
            "0xbb1ac7ae81d10d9b24a9014aabfd53cedec7161263ce09c05edd40cea91f9515"
            "4d644eca618aacc78dc7413c111183ebd6fd35a4e6338ba0b9b798decfb9d18a1c"
        ),
    ),
}
EIP_191 = (
    "0xcd8c7212c586b25a76407df73315f0f1f046c612d2d6ccc12014e0965fd9b00f"
    "6c21bbb9f3d6c5cbb82c978093133a077e8ba696ccfaae24bf5b34f5199745151c"
)
LEGACY_V1 = (
    "0x047163107ace8584d99ee75ff231bc5d396a1b468510c144d0084ac9838c7f93"
    "2feadeb51d8dba55f7ffc29c33553b496cccb4297f7dca7305106bf0b2a8f4751c"
)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_KEYS = st.binary(min_size=32, max_size=32).filter(lambda key: 0 < int.from_bytes(key) < ORDER)


def signed_by(content: str, text: str) -> str | None:
    signature = read_signature(text)
    return None if signature is None else signer(content, signature)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_signatures_are_their_wallets(name: str) -> None:
    content, hashed, signature = PUBLISHED[name]
    assert digest(content).hex() == hashed
    assert signed_by(content, signature) == WALLET


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_wallet_key_makes_the_published_signatures_to_the_letter(name: str) -> None:
    content, _, signature = PUBLISHED[name]
    key = WalletKey(Secret.of(WALLET_KEY))
    assert key.address == WALLET
    assert key.sign(content) == signature


@pytest.mark.parametrize("signature", [EIP_191, LEGACY_V1], ids=["EIP-191", "TronWeb legacy v1"])
def test_the_other_schemes_signatures_are_somebody_elses(signature: str) -> None:
    assert read_signature(signature) is not None
    assert signed_by(W1, signature) != WALLET


@given(_KEYS, st.text(st.characters(codec="utf-8"), max_size=200))
def test_two_other_libraries_agree_on_every_signature(key: bytes, content: str) -> None:
    ours = WalletKey(Secret.of(key.hex()))
    assert ours.sign(content) == tron_signature(content, "0x" + key.hex())
    raw = PrivateKey(key).sign_msg_hash(digest(content)).to_bytes().hex()
    assert signed_by(content, raw) == ours.address


def test_every_accepted_form_is_one_signature() -> None:
    digits = PUBLISHED["W1"][2].removeprefix("0x")
    low_v = digits[:-2] + "00"
    forms = [digits, "0x" + digits, digits.upper(), "0x" + digits.upper(), low_v, "0x" + low_v]
    read = [read_signature(form) for form in forms]
    assert {signature.canonical for signature in read if signature} == {digits}
    assert all(signature is not None for signature in read)


HIGH_S = (
    PUBLISHED["W1"][2][:66]
    + f"{ORDER - int(PUBLISHED['W1'][2][66:130], 16):064x}"
    + ("1c" if PUBLISHED["W1"][2].endswith("1b") else "1b")
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        PUBLISHED["W1"][2][:-1],
        PUBLISHED["W1"][2] + "0",
        PUBLISHED["W1"][2] + "\n",
        " " + PUBLISHED["W1"][2],
        "0X" + PUBLISHED["W1"][2][2:],
        PUBLISHED["W1"][2].replace("f", "g"),
        PUBLISHED["W1"][2][:-2] + "02",
        PUBLISHED["W1"][2][:-2] + "1d",
        PUBLISHED["W1"][2][:-2] + "1a",
        PUBLISHED["W1"][2][:-2] + "ff",
        HIGH_S,
        "１" * 130,  # noqa: RUF001 - full-width on purpose
        "8kj" * 29,
    ],
)
def test_what_is_no_canonical_signature_is_not_read(text: str) -> None:
    assert read_signature(text) is None


def test_the_second_form_of_a_signature_would_be_the_wallets_too() -> None:
    """Which is why it is not read: one withdrawal would have two valid answers."""
    other = PrivateKey(bytes.fromhex(WALLET_KEY)).public_key
    r, s = int(HIGH_S[2:66], 16), int(HIGH_S[66:130], 16)
    assert s > ORDER // 2
    assert other.verify_msg_hash(digest(W1), other_signature(r, s))


def other_signature(r: int, s: int):  # noqa: ANN201 - of a library without types
    from eth_keys.datatypes import Signature  # noqa: PLC0415 - its name is ours as well

    return Signature(vrs=(int(HIGH_S.endswith("1c")), r, s))


@pytest.mark.parametrize(
    "octets", [bytes(64), b"\xff" * 32 + bytes(31) + b"\x01", bytes(31) + b"\x05" + bytes(32)]
)
def test_numbers_that_sign_nothing_are_nobodys(octets: bytes) -> None:
    for v in ("1b", "1c"):
        assert signed_by(W1, octets.hex() + v) is None


def test_every_single_bit_of_a_signature_counts() -> None:
    octets = bytes.fromhex(PUBLISHED["W1"][2][2:])
    for place in range(len(octets)):
        for bit in range(8):
            changed = bytearray(octets)
            changed[place] ^= 1 << bit
            assert signed_by(W1, changed.hex()) != WALLET


def test_every_single_bit_of_a_content_counts() -> None:
    signature = PUBLISHED["W1"][2]
    for place in range(len(W1)):
        for bit in range(7):
            changed = W1[:place] + chr(ord(W1[place]) ^ 1 << bit) + W1[place + 1 :]
            assert signed_by(changed, signature) != WALLET


@pytest.mark.parametrize(
    "secret",
    ["", "0x", WALLET_KEY[:-1], WALLET_KEY + "00", "0" * 64, "f" * 64, "g" * 64, WALLET_KEY + "\n", "é" * 32],
)
def test_what_is_no_key_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="wallet key") as caught:
        WalletKey(Secret.of(secret))
    assert not secret or secret not in str(caught.value)


def test_a_key_shows_its_address_only() -> None:
    assert repr(WalletKey(Secret.of("0x" + WALLET_KEY))) == f"WalletKey({WALLET}, ***)"
