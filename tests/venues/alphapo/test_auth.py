from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.views import KeyView
from penstock.venues.alphapo import auth
from penstock.venues.alphapo.routes import ROUTES
from penstock.venues.venue import Ask, Reply, Request
from tests.venues.alphapo.world import (
    JSON_MEDIA,
    KEY,
    NOW_MS,
    SECRET,
    VENUE,
    ask_for,
    create_body,
    make_key,
    outcome,
    post,
    refusal,
    sign,
)

ADDRESS = "tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc"
COMPACT = (
    f'{{"currency":"BTC","amount":"0.00020000","address":"{ADDRESS}","foreign_id":"wd-0001",'
    '"end_user_reference":"user-42"}'
)
VECTORS = {
    "empty": (
        "",
        0,
        (
            "3749149ce577d1aeda91020992b85e61753af40a9b836d301a351a0ea8a4ada53826d778277baaf4317337224439e0d32acea2"
            "5119d9949f9ad3c9e743116489"
        ),
    ),
    "object": (
        "{}",
        2,
        (
            "b8f4d37978f4e5ba76f7ead66847b44163c31acabc4ec4838bfdad08ae910cea3f40ae3ccdad3bbb67998cd29b5b5c75db63b4"
            "1924393b0f0165d452666a900a"
        ),
    ),
    "list": (
        "[]",
        2,
        (
            "8e3062f27d08361a957e37569e5fc520d530b952ebd75eb25ba054fd2ed5f1763cf3c0f6d9cbcd186f81d2d8011823a75007a2"
            "794dd8be2578bfdc773aba61d6"
        ),
    ),
    "null": (
        "null",
        4,
        (
            "7769cfdd6a27522cc01fcc6b584fc17ad5cb3efd8f23fe2e8ac787f8c5ba89d9d41eda7b4eab1806d0bcd3dc165823995ae722"
            "641257d2587b4038a977ac437e"
        ),
    ),
    "compact": (
        COMPACT,
        149,
        (
            "d957796b6fb518ec3f4b264893f00e293e1181636c360b3f796314ab9502bbbcddbd1ed962c57de1bf4f16dc8a7afebb1754d0"
            "572f4605cbbe5cc8649f103c99"
        ),
    ),
    "spaced": (
        COMPACT.replace(",", ", ").replace(":", ": "),
        158,
        (
            "915569ccdb89cb7000e4a53b09fb3153aac3c850acd3ee7099775171f710812a572fc869a44915322e015dda4b17eca49b6ec1"
            "cf59a952ba4b49177a606b8645"
        ),
    ),
    "converted, amount as a number": (
        (
            f'{{"currency":"EUR","convert_to":"BTC","amount":25,"address":"{ADDRESS}","foreign_id":"wd-0002",'
            '"end_user_reference":"user-42","tag":null}'
        ),
        169,
        (
            "7a8279c290531a7e3542f48cb61914f92877ea88312360d1a0c61c447e7192e7e2956ebf12ba27fe36b62c11c4fdd0ddace840"
            "127d08b12134882aa2e6a7e812"
        ),
    ),
    "look-up": (
        '{"foreign_id":"wd-0001"}',
        24,
        (
            "2eb74e74f2448c6f6885be0cebc07a2311ea893a09db20f4818151ae0915d086b1f36744a14663f3e70f4094bff85d7ad5f329"
            "0823ecfdccda00e31984f24162"
        ),
    ),
    "as PHP escapes": (
        r'{"currency":"BTC","foreign_id":"a\/b","note":"\u00e9"}',
        54,
        (
            "8202f7da51f45e27285a1368fe8c8281ba72e6ffe26862c13789b86821de9ebc821344085efa66183e72402bfdce88ad4c359f"
            "70c03e16458a872bdc6f13a709"
        ),
    ),
    "UTF-8": (
        '{"currency":"BTC","foreign_id":"café"}',
        39,
        (
            "d613123864dbaeaeb1a51d0561a1190382e530ab6c486dfaa5496204ecd3f754392d308324680d6ca717c28ab98cf7d91cdeb2"
            "10dafdb1ef4253fc597f7faa4f"
        ),
    ),
}


@pytest.mark.parametrize("body, length, expected", VECTORS.values(), ids=VECTORS)
def test_a_vector_gives_its_signature(body: str, length: int, expected: str) -> None:
    assert len(body.encode()) == length
    assert auth.signature(SECRET.encode(), body.encode()) == expected.encode()


def test_the_venues_published_sample_gives_its_signature() -> None:
    found = auth.signature(b"AbCdEfG123456", b'{"currency":"BTC","foreign_id":"123456"}')
    assert found == (
        b"03c25fcf7cd35e7d995e402cd5d51edd72d48e1471e865907967809a0c189ba55b90815f20e2bb10f82c7a9e9d865546fda58989"
        b"c2ae9e8e2ff7bc29195fa1ec"
    )


@given(st.binary(max_size=300), st.text(min_size=1))
def test_signatures_agree_with_the_standard_librarys_other_way(body: bytes, secret: str) -> None:
    assert auth.signature(secret.encode(), body).decode() == sign(body, secret)


BODY = json.dumps(create_body()).encode()
ACCOUNTS = "/accounts/list"


def authenticated(request: Request) -> bool:
    """Whether the signature was accepted, whatever became of the body."""
    route = next(route for route in ROUTES if (route.method, route.path) == (request.method, request.path))
    return isinstance(VENUE.authenticate(request, route, {KEY: make_key()}.get), KeyView)


def test_every_single_bit_flip_of_body_and_signature_is_refused() -> None:
    good = sign(BODY).encode()
    assert authenticated(ask_for("POST", "/withdrawal/crypto", BODY, signed=good))
    for body in _flips(BODY):
        assert refusal(outcome(ask_for("POST", "/withdrawal/crypto", body, signed=good))) == (
            403,
            "bad_header_signature",
        )
    for at, signed in enumerate(_flips(good)):
        # Bit 5 of a letter is its case, in which a signature may be written.
        if signed.lower() == good:
            assert at % 8 == 5
            continue
        assert refusal(outcome(ask_for("POST", "/withdrawal/crypto", BODY, signed=signed))) == (
            403,
            "bad_header_signature",
        )


def _flips(text: bytes) -> list[bytes]:
    return [
        text[:at] + bytes([text[at] ^ (1 << bit)]) + text[at + 1 :]
        for at in range(len(text))
        for bit in range(8)
    ]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"[] ", b"\n{} ", b" null\r\n"])
def test_a_body_without_parameters_is_signed_as_it_is(body: bytes) -> None:
    assert isinstance(outcome(ask_for("POST", ACCOUNTS, body)), Ask)


GOOD = sign(b"{}")


@pytest.mark.parametrize("signed", [GOOD, GOOD.upper(), GOOD[:64] + GOOD[64:].upper()])
def test_hex_in_any_case_is_a_signature(signed: str) -> None:
    assert isinstance(outcome(ask_for("POST", ACCOUNTS, b"{}", signed=signed)), Ask)


@pytest.mark.parametrize(
    "wrong",
    [
        GOOD[:-1],
        GOOD + "0",
        " " + GOOD,
        GOOD + "\n",
        "0x" + GOOD,
        "é" * 64,
        GOOD[:-1] + "é",
        b"\xff" * 128,
        "A" * 88,
        sign(b""),
        sign(b"{}", "another"),
    ],
)
def test_a_signature_in_another_form_is_refused(wrong: str | bytes) -> None:
    assert refusal(outcome(ask_for("POST", ACCOUNTS, b"{}", signed=wrong))) == (403, "bad_header_signature")


def test_header_names_are_read_in_any_case_by_the_server_and_so_in_lower_case_here() -> None:
    claims = auth.read_claims(ask_for("POST", ACCOUNTS, key="k", signed="s"))
    assert claims == auth.Claims(b"k", b"s", doubled=False)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"key": None, "signed": ""}, (403, "required_header_key")),
        ({"key": "", "signed": "0"}, (403, "required_header_key")),
        ({"key": "nobody", "signed": ""}, (403, "bad_header_key")),
        ({"key": "nobody"}, (403, "bad_header_key")),
        ({"key": "caf\xe9"}, (403, "bad_header_key")),
        ({"signed": ""}, (403, "required_header_signature")),
        ({"signed": "0", "body": b"no json"}, (403, "bad_header_signature")),
        ({"body": b"no json"}, (400, "bad_content_format")),
        ({"extra": ()}, (400, "bad_content_format")),
        ({"extra": ((b"content-type", b"text/plain"),)}, (400, "bad_content_format")),
        ({"extra": ((b"content-type", b"application/x-www-form-urlencoded"),)}, (400, "bad_content_format")),
        ({"extra": (*JSON_MEDIA, (b"content-encoding", b"gzip"))}, (400, "bad_content_format")),
    ],
)
def test_checks_come_in_the_order_key_signature_form(
    changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    body = changes.pop("body", b"{}")
    assert refusal(outcome(ask_for("POST", ACCOUNTS, body, **changes))) == expected


@pytest.mark.parametrize(
    "media", [b"application/json; charset=utf-8", b"Application/JSON", b"application/json;"]
)
def test_json_is_json_with_a_character_set(media: bytes) -> None:
    assert isinstance(outcome(post(ACCOUNTS, b"[]", extra=((b"content-type", media),))), Ask)


def test_who_sends_no_body_need_not_say_what_it_is() -> None:
    request = ask_for("GET", "/transactions/info", query=b"id=5", extra=())
    assert isinstance(outcome(request), Ask)


@pytest.mark.parametrize(
    "error, text",
    [
        ("required_header_key", "No key header"),
        ("bad_header_key", "Bad key header"),
        ("required_header_signature", "No signature header"),
        ("bad_header_signature", "Bad signature header"),
        ("bad_content_format", "Bad content format"),
    ],
)
def test_the_five_documented_errors_have_the_documented_words(error: str, text: str) -> None:
    requests = [
        ask_for("POST", ACCOUNTS, key=None),
        ask_for("POST", ACCOUNTS, key="nobody"),
        ask_for("POST", ACCOUNTS, signed=""),
        ask_for("POST", ACCOUNTS, signed="0"),
        ask_for("POST", ACCOUNTS, b"x"),
    ]
    replies = [outcome(request) for request in requests]
    told = {json.loads(reply.body)["code"]: reply.body for reply in replies if isinstance(reply, Reply)}
    assert told[error] == b'{"error":"%b","code":"%b"}' % (text.encode(), error.encode())


@pytest.mark.parametrize("name", [b"x-processing-key", b"x-processing-signature"])
@pytest.mark.parametrize("same", [True, False])
def test_a_doubled_authentication_header_is_refused(name: bytes, same: bool) -> None:
    request = post(ACCOUNTS, b"{}")
    request.headers.append((name, dict(request.headers)[name] if same else b"1"))
    assert refusal(outcome(request)) == (400, "bad_content_format")


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"key_id": "another"}, "bad_header_key"),
        ({"venue": "bitmart"}, "bad_header_key"),
        ({"frozen": True}, "bad_header_key"),
        ({"expires_ms": NOW_MS}, "bad_header_key"),
        ({"allowed_ips": ("10.0.0.1", "192.168.0.0/16")}, "ip_not_allowed"),
        ({"permissions": frozenset({"read"})}, "not_permitted"),
        ({"frozen": True, "allowed_ips": ("10.0.0.1",)}, "bad_header_key"),
        ({"allowed_ips": ("10.0.0.1",), "permissions": frozenset()}, "ip_not_allowed"),
    ],
)
def test_a_key_that_may_not_is_refused(changes: dict[str, object], expected: str) -> None:
    request = ask_for("POST", "/withdrawal/crypto", BODY)
    assert refusal(outcome(request, make_key(**changes))) == (403, expected)


@pytest.mark.parametrize(
    "changes",
    [{"frozen": True}, {"expires_ms": 0}, {"allowed_ips": ("10.0.0.1",)}, {"permissions": frozenset()}],
)
def test_who_cannot_sign_learns_nothing_of_the_key(changes: dict[str, object]) -> None:
    request = ask_for("POST", "/withdrawal/crypto", BODY, signed="0" * 128)
    assert refusal(outcome(request, make_key(**changes))) == (403, "bad_header_signature")


@pytest.mark.parametrize("allowed", [("127.0.0.1",), ("127.0.0.0/8",), ("10.0.0.1", "127.0.0.1")])
def test_a_listed_source_may_use_the_key(allowed: tuple[str, ...]) -> None:
    assert isinstance(outcome(post(ACCOUNTS), make_key(allowed_ips=allowed)), Ask)


def test_an_unknown_a_frozen_and_a_wrongly_signed_key_cost_one_hmac_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[bytes] = []
    real = auth.hmac.digest

    def digest(key: bytes, message: bytes, name: str) -> bytes:
        counted.append(message)
        return real(key, message, name)

    request = post(ACCOUNTS, b"{}")
    monkeypatch.setattr(auth.hmac, "digest", digest)
    for key in (make_key(key_id="another"), make_key(frozen=True), make_key(secret=b"another")):
        counted.clear()
        assert isinstance(outcome(request, key), Reply)
        assert len(counted) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[1", b"\xff"])
def test_ping_asks_for_nothing(body: bytes) -> None:
    bare = Request("GET", "/api/v2/ping", b"", [], body, "127.0.0.1", NOW_MS)
    reply = outcome(bare)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, b"OK")
    assert dict(reply.headers)[b"content-type"].startswith(b"text/plain")


def test_the_signature_of_one_route_is_good_on_another_and_only_the_body_decides() -> None:
    """Nothing but the body is signed: what protects is that each route reads its own fields."""
    request = ask_for("POST", "/exchange/now", BODY, signed=sign(BODY))
    reply = outcome(request)
    assert isinstance(reply, Reply)
    assert json.loads(reply.body)["errors"].keys() == {
        "sender_currency",
        "receiver_currency",
        "sender_amount",
    }


@pytest.mark.parametrize(
    "path",
    ["/invoices/create", "/futures/rates", "/crypto/withdrawal_instant", "/withdrawal/crypto/", "//ping"],
)
def test_an_unknown_path_is_not_found_by_who_is_authenticated(path: str) -> None:
    look_up = {KEY: make_key()}.get

    def asked(**named: Any) -> tuple[int, str]:
        return refusal(VENUE.not_found(ask_for("POST", path, b"{}", **named), look_up))

    assert asked(key=None) == (403, "required_header_key")
    assert asked(key="nobody") == (403, "bad_header_key")
    assert asked(signed="") == (403, "required_header_signature")
    assert asked(signed="0") == (403, "bad_header_signature")
    assert asked() == (404, "not_found")


def test_another_method_on_a_known_path_is_told_so() -> None:
    reply = VENUE.wrong_method(ask_for("GET", "/withdrawal/crypto"))
    assert (reply.status, reply.body) == (405, b'{"error":"Method not allowed","code":"method_not_allowed"}')


def test_the_claimed_key_is_what_the_header_says() -> None:
    assert VENUE.claimed_key(ask_for("POST", ACCOUNTS, key="nobody")) == "nobody"
    assert VENUE.claimed_key(ask_for("POST", ACCOUNTS, key=None)) is None
