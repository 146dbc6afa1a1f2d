"""The curve: our module, its fallback, the compiled library and the official SDK's own code agree."""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any

import fast_stark_crypto
import pytest
from edgex_sdk.crypto.pedersen_hash import pedersen_hash as sdk_pedersen_hash
from edgex_sdk.internal.starkex_signing_adapter import StarkExSigningAdapter
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.secret import Secret
from penstock.venues.edgex import stark, stark_fallback
from penstock.venues.edgex.stark import PublicKey, Signature
from tests.venues.edgex.world import PRIVATE, PUBLIC_X, PUBLIC_Y, N, P

BOUND = 2**251
KEY = PublicKey(PUBLIC_X, PUBLIC_Y)
MESSAGE = 0x01D21FA4F9D5802EEBD948A961F75DCFC37D5879FF1A91CC336B13C707B4DF01
R, S = fast_stark_crypto.sign(PRIVATE, MESSAGE)
SDK = StarkExSigningAdapter()

elements = st.integers(min_value=0, max_value=P - 1)
messages = st.integers(min_value=0, max_value=BOUND - 1)
private_keys = st.integers(min_value=1, max_value=N - 1)


@pytest.fixture(params=["compiled", "fallback"])
def curve(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`stark` over either implementation."""
    source: Any = fast_stark_crypto if request.param == "compiled" else stark_fallback
    for name in ("pedersen_hash", "sign", "verify"):
        monkeypatch.setattr(stark, f"_{name}", getattr(source, name))
    return stark


def test_this_machine_has_the_compiled_library() -> None:
    assert stark._verify is fast_stark_crypto.verify


def test_the_published_hash_of_one_and_two(curve: Any) -> None:
    assert curve.pedersen_hash(1, 2) == 0x05BB9440E27889A364BCB678B1F679ECD1347ACDEDCBF36E83494F857CC58026


@settings(max_examples=60, deadline=None)
@given(elements, elements)
def test_the_hashes_agree(first: int, second: int) -> None:
    assert stark_fallback.pedersen_hash(first, second) == fast_stark_crypto.pedersen_hash(first, second)


@pytest.mark.parametrize(
    "first, second", [(0, 0), (0, 1), (P - 1, P - 1), (2**248 - 1, 2**248), (7, 1 << 251)]
)
def test_the_hashes_agree_at_the_edges_and_with_the_sdk(first: int, second: int) -> None:
    found = stark_fallback.pedersen_hash(first, second)
    assert found == fast_stark_crypto.pedersen_hash(first, second) == sdk_pedersen_hash(first, second)


@settings(max_examples=40, deadline=None)
@given(private_keys, messages)
def test_keys_and_signatures_agree_to_the_bit(private: int, message: int) -> None:
    x, y = stark_fallback.public_point(private)
    signature = stark_fallback.sign(private, message)
    assert x == fast_stark_crypto.get_public_key(private)
    assert signature == fast_stark_crypto.sign(private, message)
    assert stark_fallback.verify(x, message, *signature)
    assert fast_stark_crypto.verify(x, message, *signature)
    assert stark_fallback.y_of(x) in {y, P - y}


@settings(max_examples=40, deadline=None)
@given(private_keys, messages, st.integers(min_value=0, max_value=250))
def test_both_refuse_another_message(private: int, message: int, bit: int) -> None:
    x = fast_stark_crypto.get_public_key(private)
    signature = fast_stark_crypto.sign(private, message)
    other = message ^ (1 << bit)
    assert not stark_fallback.verify(x, other, *signature)
    assert not fast_stark_crypto.verify(x, other, *signature)


def test_the_official_sdk_takes_our_signatures_and_we_take_its() -> None:
    secret, message = Secret.of(f"{PRIVATE:064x}"), MESSAGE.to_bytes(32, "big")
    ours = stark.sign(secret, MESSAGE)
    assert SDK.verify(message, (f"{ours.r:x}", f"{ours.s:x}"), f"{PUBLIC_X:064x}")
    r, s = SDK.sign(message, f"{PRIVATE:064x}")
    found = stark.read_signature(r + s)
    assert found is not None
    assert stark.verifies(KEY, MESSAGE, found)
    # The SDK draws k, so that the same request has another signature each time.
    assert found != ours


def test_a_right_signature_verifies_with_either_y(curve: Any) -> None:
    for y in (PUBLIC_Y, P - PUBLIC_Y, None):
        assert curve.verifies(PublicKey(PUBLIC_X, y), MESSAGE, Signature(R, S))


def test_the_mirrored_signature_verifies_too_so_that_none_is_an_identity(curve: Any) -> None:
    assert curve.verifies(KEY, MESSAGE, Signature(R, N - S))


OUT_OF_RANGE = [
    (PUBLIC_X, MESSAGE, 0, S),
    (PUBLIC_X, MESSAGE, R, 0),
    (PUBLIC_X, MESSAGE, R, N),
    (PUBLIC_X, MESSAGE, R, S + N),
    (PUBLIC_X, MESSAGE, R, S + P),
    (PUBLIC_X, MESSAGE, R + P, S),
    (PUBLIC_X, MESSAGE, R + N, S),
    (PUBLIC_X, MESSAGE, BOUND, S),
    (PUBLIC_X, MESSAGE, P - 1, S),
    (PUBLIC_X, MESSAGE, 2**256 - 1, S),
    (PUBLIC_X, MESSAGE, 2**300, S),
    (PUBLIC_X, MESSAGE, R, 2**300),
    (PUBLIC_X, MESSAGE + P, R, S),
    (PUBLIC_X, MESSAGE + N, R, S),
    (PUBLIC_X, BOUND, R, S),
    (PUBLIC_X, -1, R, S),
    (PUBLIC_X, MESSAGE, -R, S),
    (PUBLIC_X, MESSAGE, R, -S),
    (PUBLIC_X + P, MESSAGE, R, S),
    (-1, MESSAGE, R, S),
]


@pytest.mark.parametrize("x, message, r, s", OUT_OF_RANGE)
def test_a_number_out_of_range_is_refused_and_never_reaches_the_library(
    x: int, message: int, r: int, s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: int) -> bool:
        raise AssertionError("the library was called")

    monkeypatch.setattr(stark, "_verify", unreachable)
    assert not stark.verifies(PublicKey(x, None), message, Signature(r, s))


def test_the_library_alone_would_take_a_number_beyond_the_prime() -> None:
    # Why the ranges are checked here: if this ever fails, the guard may go.
    assert fast_stark_crypto.verify(PUBLIC_X, MESSAGE, R + P, S)


def test_a_panic_of_the_library_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    panic = type("PanicException", (BaseException,), {})

    def panics(*_: int) -> bool:
        raise panic("called `Result::unwrap()` on an `Err` value")

    monkeypatch.setattr(stark, "_verify", panics)
    assert not stark.verifies(KEY, MESSAGE, Signature(R, S))


def test_an_interrupt_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: int) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(stark, "_verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stark.verifies(KEY, MESSAGE, Signature(R, S))


@pytest.mark.parametrize(
    "text, expected",
    [
        (f"{PUBLIC_X:064x}:{PUBLIC_Y:064x}", KEY),
        (f"0x{PUBLIC_X:x}:0x{PUBLIC_Y:X}", KEY),
        (f"{PUBLIC_X:x}:", PublicKey(PUBLIC_X, None)),
        (f"{PUBLIC_X:x}", PublicKey(PUBLIC_X, None)),
        (f"{PUBLIC_X:x}:{P - PUBLIC_Y:x}", PublicKey(PUBLIC_X, P - PUBLIC_Y)),
        (f"{PUBLIC_X:x}:{PUBLIC_Y + 1:x}", None),
        (f"{PUBLIC_X + P:x}:{PUBLIC_Y:x}", None),
        (f"{PUBLIC_X:x}:{PUBLIC_Y + P:x}", None),
        (f"{PUBLIC_X + P:x}:", None),
        # No point of the curve has this x.
        ("5:", None),
        ("", None),
        (":", None),
        ("zz:11", None),
        (f"{PUBLIC_X:x}:zz", None),
        ("f" * 65, None),
        ("\xb2:\xb2", None),
    ],
)
def test_a_key_is_checked_when_it_is_read(text: str, expected: PublicKey | None) -> None:
    assert stark.read_public_key(text.encode("latin-1")) == expected


@pytest.mark.parametrize("text", ["", "0", "zz", "0x", f"{N:x}", "1" * 65, "-1", "1_0", " 1"])
def test_what_is_no_private_key_is_refused_without_being_shown(text: str) -> None:
    secret = Secret.of(text)
    for use in (stark.public_key_text, lambda secret: stark.sign(secret, 1)):
        with pytest.raises(ValueError, match="at most 64 hexadecimal digits") as caught:
            use(secret)
        assert caught.value.__cause__ is None


def test_a_key_beyond_the_order_is_the_one_that_the_official_sdk_makes_of_it() -> None:
    text = f"{N + 5:064x}"
    assert stark.read_private_key(Secret.of(text)) == 5
    public = SDK.get_public_key(text)
    assert stark.public_key_text(Secret.of(text)).startswith(f"{public}:")


@settings(max_examples=15, deadline=None)
@given(private_keys)
def test_the_public_half_of_a_key_is_on_the_curve(private: int) -> None:
    text = stark.public_key_text(Secret.of(hex(private)))
    found = stark.read_public_key(text.encode())
    assert found is not None
    assert found.x == fast_stark_crypto.get_public_key(private)
    assert found.y is not None


GOOD = f"{R:064x}{S:064x}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "0",
        GOOD + "0" * 63,
        GOOD + "0" * 65,
        "g" + GOOD[1:],
        "0x0x" + GOOD,
        " " + GOOD,
        GOOD + "\n",
        GOOD[:-1] + "é",
        "\uff11" * 128,
        "+" + GOOD[1:],
        GOOD[:64] + "_" + GOOD[65:],
    ],
)
def test_a_signature_in_another_form_is_none(text: str) -> None:
    assert stark.read_signature(text, with_y=True) is None


@pytest.mark.parametrize("text", [GOOD, GOOD.upper(), "0x" + GOOD, "0X" + GOOD])
def test_either_case_and_a_prefix_are_read(text: str) -> None:
    assert stark.read_signature(text) == Signature(R, S)


def test_a_third_word_is_read_only_where_it_may_stand() -> None:
    text = GOOD + f"{PUBLIC_Y:064x}"
    assert stark.read_signature(text, with_y=True) == Signature(R, S)
    assert stark.read_signature(text) is None


def test_a_thousand_keys_of_chance_never_upset_the_reader() -> None:
    rng = random.Random(7)
    for _ in range(300):
        text = bytes(rng.randrange(256) for _ in range(rng.randrange(140)))
        found = stark.read_public_key(text)
        assert found is None or 0 <= found.x < P
