from __future__ import annotations

import ccxt
import pytest
from bitmart.lib import cloud_utils
from hypothesis import given
from hypothesis import strategies as st

from penstock.venues.bitmart import auth
from penstock.venues.bitmart.routes import ROUTES
from penstock.venues.venue import Ask, Level, Reply, Request, Route
from tests.venues.bitmart.world import (
    APPLY,
    KEY,
    MEMO,
    NOW_MS,
    SECRET,
    TIMESTAMP,
    VENUE,
    apply_body,
    get,
    make_key,
    outcome,
    post,
    refusal,
    sign,
)

TO = '"destination":"To Digital Address","address":"TXyzDemoAddress000000000000000001"'
VECTORS = {
    "compact body": (
        f'{{"currency":"USDT-TRC20","amount":"100.000",{TO},"address_memo":""}}',
        "ddb9efac30c15732d0b832b222545d6df588439518eed8c0184f045611e3a6c4",
    ),
    "spaced body, as the Python SDK sends it": (
        (
            '{"currency": "USDT-TRC20", "amount": "100.000", "address": "TXyzDemoAddress000000000000000001", '
            '"destination": "To Digital Address", "sourceAccount": "FUND"}'
        ),
        "f73ddb0aebde4eefe5d902b3be19662aa1dc242971465b6297e8f45e74b48cb4",
    ),
    "numeric amount, as ccxt sends it": (
        f'{{"currency":"USDT-TRC20","amount":100.5,{TO}}}',
        "27fe05c648c0c32b57d84a0e47e29e32cbb7f059d780d69bb55533f6f3f647e7",
    ),
    "to a BitMart account": (
        '{"currency":"USDT-TRC20","amount":"100.000","type":1,"value":"876940329","areaCode":""}',
        "12fd411bb695ed9246f9e09905d6d6191608e1f17e70bb24072974734859cc34",
    ),
    "recvWindow first, as bitmart-api sends it": (
        f'{{"recvWindow":5000,"currency":"USDT-TRC20","amount":"100.000",{TO}}}',
        "1217797c6be1fda0a5a62e68beb11987f236b409d696da96fbc5331b0ae192ca",
    ),
    "GET": ("", "7ec6e4d3f045b89661dfe200dcc97aba85477e6b1857e9393ecce41e3e14d621"),
    "GET, as ccxt signs it": (
        "operation_type=withdraw&N=5&currency=USDT",
        "5f690c24209dd8535db66356d39c2e0f4c28f7154edd8f538358c5b62e75698c",
    ),
    "GET, as bitmart-api signs it": (
        "?N=10&operation_type=withdraw&recvWindow=5000",
        "c569c908b040d8bf27bf575ae2a994200436b30b76a276c174f21d4ffdd5117b",
    ),
    "beyond ASCII": (
        '{"currency":"BTC","amount":"0.01","address":"bc1qdemo","destination":"備註"}',
        "26a3f80a1e1d97de4193eb00a72dcbdfdd04cafe9946824a48bc0ceaf89c25ed",
    ),
}


@pytest.mark.parametrize("body, expected", VECTORS.values(), ids=VECTORS)
def test_a_vector_gives_its_signature(body: str, expected: str) -> None:
    found = auth.signature(SECRET.encode(), MEMO, TIMESTAMP.encode(), body.encode())
    assert found == expected.encode()


def test_the_venues_published_sample_gives_its_signature() -> None:
    secret = b"6c6c98544461bbe71db2bca4c6d7fd0021e0ba9efc215f9c6ad41852df9d9df9"
    body = b'{"symbol":"BTC_USDT","price":"8600","count":"100"}'
    found = auth.signature(secret, "test001", b"1589793796145", body)
    assert found == b"c31dc326bf87f38bfb49a3f8494961abfa291bd549d0d98d9578e87516cee46d"


@given(st.text(min_size=1), st.text(), st.integers(min_value=0, max_value=2**63), st.text())
def test_signatures_agree_with_the_venues_own_sdk(secret: str, memo: str, timestamp: int, body: str) -> None:
    theirs = cloud_utils.sign(cloud_utils.pre_substring(timestamp, memo, body), secret)
    ours = auth.signature(secret.encode(), memo, str(timestamp).encode(), body.encode())
    assert ours == theirs.encode()


def test_what_ccxt_signs_is_accepted() -> None:
    exchange = ccxt.bitmart({"apiKey": KEY, "secret": SECRET, "uid": MEMO})
    exchange.nonce = lambda: NOW_MS
    parameters = {
        "currency": "USDT-ERC20",
        "amount": 100.5,
        "address": "0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf",
    }
    made = exchange.sign("account/v1/withdraw/apply", "private", "POST", parameters)
    headers = [(name.lower().encode(), str(value).encode()) for name, value in made["headers"].items()]
    request = Request("POST", APPLY.path, b"", headers, made["body"].encode(), "127.0.0.1", NOW_MS)
    assert isinstance(outcome(request), Ask)


def test_every_single_bit_flip_of_what_is_signed_is_refused() -> None:
    body = apply_body()
    good = sign(body).encode()
    for name, flipped in (
        ("body", _flips(body)),
        ("sign", _flips(good)),
        ("timestamp", _flips(TIMESTAMP.encode())),
    ):
        for piece in flipped:
            parts = {"body": body, "sign": good, "timestamp": TIMESTAMP.encode(), name: piece}
            headers = [
                (b"x-bm-key", KEY.encode()),
                (b"x-bm-sign", parts["sign"]),
                (b"x-bm-timestamp", parts["timestamp"]),
            ]
            request = Request("POST", APPLY.path, b"", headers, parts["body"], "127.0.0.1", NOW_MS)
            status, code = refusal(outcome(request))
            assert (status, code) in {(401, 30005), (401, 30006), (401, 30007)}, (name, piece)


def _flips(text: bytes) -> list[bytes]:
    return [
        text[:at] + bytes([text[at] ^ (1 << bit)]) + text[at + 1 :]
        for at in range(len(text))
        for bit in range(8)
    ]


@pytest.mark.parametrize("memo", ["Demo-memo", "demo-memo ", ""])
def test_the_memo_is_signed_byte_for_byte(memo: str) -> None:
    body = apply_body()
    assert refusal(outcome(post(body, signed=sign(body, memo=memo)))) == (401, 30005)


GOOD = sign(apply_body())


@pytest.mark.parametrize(
    "wrong, code",
    [
        (GOOD.upper(), 30005),
        (GOOD[:-1], 30005),
        (GOOD + "0", 30005),
        (" " + GOOD, 30005),
        ("é" * 32, 30005),
        (GOOD[:-1] + "é", 30005),
        (b"\xff" * 64, 30005),
        ("3bnvrDDBVzLQuDKyIlRdbfWIQ5UY7tjAGE8EVhHjpsQ=", 30005),
        ("", 30004),
    ],
)
def test_a_signature_in_another_form_is_refused(wrong: str | bytes, code: int) -> None:
    assert refusal(outcome(post(apply_body(), signed=wrong))) == (401, code)


@pytest.mark.parametrize(
    "timestamp, code",
    [
        (str(NOW_MS // 1000), 30007),
        (str(NOW_MS - 60_001), 30007),
        (str(NOW_MS + 60_001), 30007),
        ("1000000000000", 30007),
        ("0", 30007),
        ("1e12", 30006),
        (f" {NOW_MS}", 30006),
        (f"+{NOW_MS}", 30006),
        (f"-{NOW_MS}", 30006),
        (f"0{NOW_MS}", 30006),
        (f"{NOW_MS}.0", 30006),
        ("".join(chr(ord(digit) + 0xFEE0) for digit in str(NOW_MS)), 30006),
        ("1" * 30, 30006),
        ("9223372036854775808", 30006),
        ("", 30006),
        (None, 30006),
    ],
)
def test_a_timestamp_that_is_malformed_or_out_of_range_is_refused(timestamp: str | None, code: int) -> None:
    assert refusal(outcome(post(apply_body(), timestamp=timestamp))) == (401, code)


@pytest.mark.parametrize("offset_ms", [-60_000, -1, 0, 1, 60_000])
def test_a_timestamp_within_a_minute_is_accepted(offset_ms: int) -> None:
    assert isinstance(outcome(post(apply_body(), timestamp=str(NOW_MS + offset_ms))), Ask)


@pytest.mark.parametrize("name", [b"x-bm-key", b"x-bm-sign", b"x-bm-timestamp"])
@pytest.mark.parametrize("same", [True, False])
def test_a_doubled_authentication_header_is_refused(name: bytes, same: bool) -> None:
    request = post(apply_body())
    value = dict(request.headers)[name] if same else b"1"
    request.headers.append((name, value))
    assert refusal(outcome(request)) == (400, 60000)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"key_id": "another"}, (401, 30002)),
        ({"venue": "zoomex"}, (401, 30002)),
        ({"frozen": True}, (401, 30003)),
        ({"expires_ms": NOW_MS}, (403, 30011)),
        ({"allowed_ips": ("10.0.0.1", "192.168.0.0/16")}, (403, 30010)),
        ({"permissions": frozenset({"read"})}, (403, 30012)),
        ({"frozen": True, "expires_ms": 0, "allowed_ips": ("10.0.0.1",)}, (401, 30003)),
        ({"expires_ms": NOW_MS, "allowed_ips": ("10.0.0.1",)}, (403, 30011)),
        ({"allowed_ips": ("10.0.0.1",), "permissions": frozenset()}, (403, 30010)),
    ],
)
def test_a_key_that_may_not_is_refused_in_the_documented_order(
    changes: dict[str, object], expected: tuple[int, int]
) -> None:
    assert refusal(outcome(post(apply_body(), signed="0" * 64), make_key(**changes))) == expected


@pytest.mark.parametrize("allowed", [("127.0.0.1",), ("127.0.0.0/8",), ("10.0.0.1", "127.0.0.1")])
def test_a_listed_source_may_use_the_key(allowed: tuple[str, ...]) -> None:
    assert isinstance(outcome(post(apply_body()), make_key(allowed_ips=allowed)), Ask)


def test_a_missing_key_is_refused() -> None:
    assert refusal(outcome(post(apply_body(), key=None))) == (401, 30001)
    assert refusal(outcome(post(apply_body(), key=""))) == (401, 30001)


def test_a_key_of_odd_bytes_is_unknown() -> None:
    assert refusal(outcome(post(apply_body(), key="dem\xe9"))) == (401, 30002)


def test_an_unknown_a_frozen_and_a_wrongly_signed_key_cost_one_hmac_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[bytes] = []
    real = auth.hmac.digest

    def digest(key: bytes, message: bytes, name: str) -> bytes:
        counted.append(message)
        return real(key, message, name)

    monkeypatch.setattr(auth.hmac, "digest", digest)
    for key in (make_key(key_id="another"), make_key(frozen=True), make_key(secret=b"another")):
        counted.clear()
        assert isinstance(outcome(post(apply_body()), key), Reply)
        assert len(counted) == 1


@pytest.mark.parametrize("route", [route for route in ROUTES if route.level is Level.KEYED])
def test_a_keyed_route_ignores_signature_and_timestamp(route: Route) -> None:
    request = get(route.path)
    request.headers.extend([(b"x-bm-sign", b"nonsense"), (b"x-bm-timestamp", b"1")])
    found = VENUE.authenticate(request, route, {KEY: make_key()}.get)
    assert found == make_key()


def test_the_request_id_is_the_timestamp_and_the_signature() -> None:
    body = apply_body()
    asked = outcome(post(body))
    assert isinstance(asked, Ask)
    assert asked.question.request_id == f"{TIMESTAMP}:{sign(body)}"  # type: ignore[union-attr]
