from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.venues.venue import Ask, Level, Reply, Request
from penstock.venues.zoomex import auth
from penstock.venues.zoomex.routes import ROUTES
from tests.venues.zoomex.world import (
    COINS,
    CREATE,
    INNER,
    KEY,
    MARKET_TIME,
    NOW_MS,
    RECORDS,
    SECRET,
    UID,
    VENUE,
    by_headers,
    by_old_query,
    by_parameters,
    create_members,
    demo_members,
    hmac_of,
    inner_members,
    make_key,
    mirrored,
    outcome,
    raw,
    refusal,
    route_of,
)

INNER_BODY = (
    '{"requestId": "9f23143dc62f4f718afbbe5fb8d4641b", "coin": "USDT", "addressType": 3, '
    '"address": "162119745", "amount": "1"}'
)
Z1_SIGN = "19ff2519bcbcf10cf74d9d91dd677214431000c44d145e994a00b078fc4fddc2"
Z2_SIGN = "cb5d8b35912fa6226706bed8e6b65d15b188b8de8726e78deb9441e6ee171c19"
Z3_SIGN = "df01f84d7409535d85aac7077f6e3ac20279053bb34832cab0ccc29028166381"
Z4_SIGN = "52feba391df0d11baa96e1b72d998c73fb0530bfcb061d60a2aa9b6633dfb271"
Z5_SIGN = "bfffbd9474b233f43f33391d622d522a5372c1f7fe6dc97a8cc1ac08babf7cab"
Z6_SIGN = "690276924276443e52419704759b9877497fb1fa31117501af6e14b887e60416"
Z7_SIGN = "a2fbc00f41e9e2ac7caac3e720d0621d68eb1105724f9e0c67eb4a2d205c15f9"

CREDENTIALS = f'"api_key": "{KEY}", "timestamp": 1795219200000'
AUTHENTICATION = {
    "Z1, inner-create by parameters": raw(
        INNER,
        body=(
            f'{INNER_BODY[:-1]}, "remark": "your remark", {CREDENTIALS}, "recv_window": 1000000, '
            f'"sign": "{Z1_SIGN}"}}'
        ).encode(),
    ),
    "Z2, create by parameters, its members in another order": raw(
        CREATE,
        body=(
            f'{{"sign":"{Z2_SIGN}","recv_window":5000,{CREDENTIALS},"requestId":"req0001","amount":"25.5",'
            '"address":"TXyzDemoAddress000000000000000001","chain":"TRX","coin":"USDT"}'
        ).encode(),
    ),
    "Z3, query-record by parameters": raw(
        RECORDS,
        query=(
            f"coin=USDT&withdrawType=2&pageSize=50&api_key={KEY}&timestamp=1795219200000&recv_window=5000"
            f"&sign={Z3_SIGN}"
        ).encode(),
    ),
    "Z4, characters that a query encodes": raw(
        RECORDS,
        query=(
            f"address=a+b%2Bc%40example.com&coin=USDT&api_key={KEY}&timestamp=1795219200000&recv_window=5000"
            f"&sign={Z4_SIGN}"
        ).encode(),
    ),
    "Z5, inner-create by headers": by_headers(INNER, body=INNER_BODY, x_bapi_sign=Z5_SIGN),
    "Z6, query-record by headers": by_headers(
        RECORDS, query="coin=USDT&withdrawType=2", x_bapi_sign=Z6_SIGN, x_bapi_sign_type="2"
    ),
    "Z7, by headers without a window": by_headers(
        INNER, body=INNER_BODY, recv_window=None, x_bapi_sign=Z7_SIGN
    ),
}


@pytest.mark.parametrize("request_", AUTHENTICATION.values(), ids=AUTHENTICATION)
def test_a_vector_is_authentic_as_it_stands_on_the_wire(request_: Request) -> None:
    key = make_key()
    assert VENUE.authenticate(request_, route_of(request_.path), {KEY: key}.get) is key


@pytest.mark.parametrize("name", ["Z1", "Z3", "Z5", "Z6", "Z7"])
def test_a_vector_that_is_a_whole_request_reaches_the_engine(name: str) -> None:
    (request,) = [made for text, made in AUTHENTICATION.items() if text.startswith(name)]
    assert isinstance(outcome(request), Ask)


def test_a_demo_address_that_no_chain_knows_is_refused_only_after_its_signature() -> None:
    (z2,) = [made for text, made in AUTHENTICATION.items() if text.startswith("Z2")]
    assert refusal(outcome(z2)) == (200, 131002)


@pytest.mark.parametrize(
    "text, sign",
    [
        (
            (
                f"address=162119745&addressType=3&amount=1&api_key={KEY}&coin=USDT&recv_window=1000000"
                "&remark=your remark&requestId=9f23143dc62f4f718afbbe5fb8d4641b&timestamp=1795219200000"
            ),
            Z1_SIGN,
        ),
        (
            f"address=a b+c@example.com&api_key={KEY}&coin=USDT&recv_window=5000&timestamp=1795219200000",
            Z4_SIGN,
        ),
        (f"1795219200000{KEY}5000{INNER_BODY}", Z5_SIGN),
        (f"1795219200000{KEY}5000coin=USDT&withdrawType=2", Z6_SIGN),
        (f"1795219200000{KEY}{INNER_BODY}", Z7_SIGN),
    ],
)
def test_a_vectors_text_gives_its_signature(text: str, sign: str) -> None:
    assert auth.signature(SECRET.encode(), text.encode()) == sign.encode()


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
def test_signatures_agree_with_the_standard_library(secret: str, text: str) -> None:
    assert auth.signature(secret.encode(), text.encode()).decode() == hmac_of(text, secret)


@pytest.mark.parametrize("path", [route.path for route in ROUTES if route.level is Level.SIGNED])
def test_every_private_path_takes_both_styles_and_nothing_unsigned(path: str) -> None:
    key = make_key()
    get = route_of(path).method == "GET"
    signed = [by_parameters(path, {}), by_headers(path, body="" if get else "{}")]
    if not get:
        signed.append(by_old_query(path, {}))
    for request in signed:
        assert VENUE.authenticate(request, route_of(path), {KEY: key}.get) is key
    assert refusal(outcome(raw(path))) == (401, 10003)
    assert refusal(outcome(raw(path, headers={"x-bapi-api-key": KEY}))) == (401, 10003)
    assert refusal(outcome(raw(path, headers={"x-bapi-sign": "0" * 64}))) == (401, 10003)


def test_the_time_is_told_to_anybody() -> None:
    assert VENUE.authenticate(raw(MARKET_TIME), route_of(MARKET_TIME), {}.get) is None


# --- every bit that is signed ------------------------------------------------------------------------------


def _flips(text: bytes) -> list[bytes]:
    return [
        text[:at] + bytes([text[at] ^ (1 << bit)]) + text[at + 1 :]
        for at in range(len(text))
        for bit in range(8)
    ]


def test_no_single_bit_flip_of_a_parameter_signed_body_means_something_else() -> None:
    members = demo_members(inner_members(remark="x & y = z"))
    body = json.dumps(members).encode()
    for flipped in _flips(body):
        asked = outcome(raw(INNER, body=flipped))
        if isinstance(asked, Ask):
            # Hex in the other case is the same signature; white space between members is not signed.
            same = json.loads(flipped)
            assert same | {"sign": same["sign"].lower()} == members, flipped
        else:
            refusal(asked)


def test_no_single_bit_flip_of_a_parameter_signed_query_means_something_else() -> None:
    members = {name: str(value) for name, value in demo_members(create_members()).items()}
    signed = urlencode(members).encode()
    assert isinstance(outcome(raw(CREATE, query=signed)), Ask)
    for flipped in _flips(signed):
        asked = outcome(raw(CREATE, query=flipped))
        if isinstance(asked, Ask):
            same = dict(pair.split("=") for pair in flipped.decode().split("&"))
            assert same | {"sign": same["sign"].lower()} == members, flipped
        else:
            refusal(asked)


def test_no_single_bit_flip_of_what_headers_sign_is_accepted() -> None:
    good = by_headers(INNER, body=INNER_BODY)
    for flipped in _flips(good.body):
        refused = refusal(outcome(raw(INNER, body=flipped, headers=_texts(good))))
        assert refused in {(200, 10004), (200, 10001)}, flipped
    for name, value in good.headers:
        for flipped in _flips(value):
            if name == b"x-bapi-sign" and flipped.lower() == value:
                continue
            refused = refusal(
                outcome(raw(INNER, body=good.body, headers=_texts(good) | {name.decode(): flipped}))
            )
            assert refused in {(200, 10002), (200, 10003), (200, 10004)}, (name, flipped)


def test_no_single_bit_flip_of_a_header_signed_query_is_accepted() -> None:
    good = by_headers(RECORDS, query="coin=USDT&withdrawType=2&txid=ab12")
    for flipped in _flips(good.query):
        refused = refusal(outcome(raw(RECORDS, query=flipped, headers=_texts(good))))
        assert refused in {(200, 10004), (200, 10001)}, flipped


def _texts(request: Request) -> dict[str, str | bytes]:
    return {name.decode(): value for name, value in request.headers}


# --- two styles, one meaning -------------------------------------------------------------------------------


def test_a_failed_parameter_signature_is_never_tried_as_the_other_style() -> None:
    """The headers alone would be right; the body's own `sign` is not."""
    body = json.dumps(inner_members() | {"sign": "0" * 64, "api_key": KEY})
    assert refusal(outcome(by_headers(INNER, body=body))) == (200, 10004)


@pytest.mark.parametrize(
    "header, value, code",
    [
        ("X-BAPI-API-KEY", "zx-demo-key-0002", 10003),
        ("X-BAPI-SIGN", "0" * 64, 10004),
        ("X-BAPI-TIMESTAMP", str(NOW_MS - 1), 10004),
        ("X-BAPI-RECV-WINDOW", "1000000", 10004),
    ],
)
def test_headers_that_contradict_the_parameters_are_refused(header: str, value: str, code: int) -> None:
    members = demo_members(inner_members())
    body = json.dumps(members).encode()
    headers = mirrored(members)
    assert isinstance(outcome(raw(INNER, body=body, headers=headers)), Ask)
    assert refusal(outcome(raw(INNER, body=body, headers=headers | {header: value}))) == (200, code)


def test_parameters_that_contradict_signed_headers_are_refused() -> None:
    stray = json.dumps(inner_members(timestamp=int(NOW_MS) - 1))
    assert refusal(outcome(by_headers(INNER, body=stray))) == (200, 10004)
    other = json.dumps(inner_members(api_key="zx-demo-key-0002"))
    assert refusal(outcome(by_headers(INNER, body=other))) == (200, 10003)


def test_parameters_in_query_and_body_at_once_are_refused() -> None:
    members = demo_members(inner_members())
    request = raw(INNER, query=b"coin=USDT", body=json.dumps(members).encode())
    assert refusal(outcome(request)) == (200, 10001)
    signed = by_headers(INNER, query="coin=BTC", body=INNER_BODY)
    assert refusal(outcome(signed)) == (200, 10001)


def test_digits_cannot_wander_from_the_window_into_what_follows() -> None:
    """Nothing stands between the two in what style H signs."""
    good = by_headers(RECORDS, query="coin=USDT", recv_window="5000")
    headers = _texts(good)
    for window, query in (("500", b"0coin=USDT"), ("5", b"000coin=USDT"), ("", b"5000coin=USDT")):
        moved = raw(RECORDS, query=query, headers=headers | {"x-bapi-recv-window": window})
        assert refusal(outcome(moved)) == (200, 10001), window


@pytest.mark.parametrize("name", ["x-bapi-api-key", "x-bapi-timestamp", "x-bapi-sign", "x-bapi-recv-window"])
def test_a_doubled_header_is_malformed(name: str) -> None:
    good = by_headers(INNER, body=INNER_BODY)
    twice = [*good.headers, next(pair for pair in good.headers if pair[0] == name.encode())]
    request = Request("POST", INNER, b"", twice, good.body, "127.0.0.1", NOW_MS)
    assert refusal(outcome(request)) == (400, 10001)


@pytest.mark.parametrize("body", [b"{}", b"null", b" "])
def test_a_get_with_a_body_is_forbidden(body: bytes) -> None:
    good = by_headers(COINS)
    assert refusal(outcome(raw(COINS, body=body, headers=_texts(good)))) == (403, 10001)


# --- signatures --------------------------------------------------------------------------------------------

SIGN = str(demo_members(inner_members())["sign"])
WRONG_SIGNS = [
    SIGN[:-1],
    SIGN + "0",
    " " + SIGN,
    "",
    "é" * 32,
    SIGN[:-1] + "é",
    "\u212a" * 64,
    "rtEJKsUNqtzOSmSSHOZMd4s6nL6WY6FhwF8hYvH7xTM=",
    "0" * 64,
    SIGN[::-1],
]


@pytest.mark.parametrize("wrong", WRONG_SIGNS)
def test_a_signature_in_any_other_form_is_wrong_in_both_styles(wrong: str) -> None:
    members = demo_members(inner_members()) | {"sign": wrong}
    assert refusal(outcome(raw(INNER, body=json.dumps(members).encode()))) == (200, 10004)
    header = by_headers(INNER, body=INNER_BODY, x_bapi_sign=wrong.encode())
    assert refusal(outcome(header)) == (200, 10004)


@pytest.mark.parametrize("wrong", [5, True, ["a"], {"a": "b"}])
def test_a_signature_that_is_no_text_is_refused(wrong: object) -> None:
    members = demo_members(inner_members()) | {"sign": wrong}
    assert refusal(outcome(raw(INNER, body=json.dumps(members).encode())))[1] in {10001, 10004}


def test_hex_in_capitals_is_the_same_signature() -> None:
    members = demo_members(inner_members())
    upper = json.dumps(members | {"sign": SIGN.upper()}).encode()
    assert isinstance(outcome(raw(INNER, body=upper)), Ask)
    header = by_headers(INNER, body=INNER_BODY, x_bapi_sign=Z5_SIGN.upper())
    assert isinstance(outcome(header), Ask)


# --- time --------------------------------------------------------------------------------------------------

IN_TIME = [
    (NOW_MS, 5000),
    (NOW_MS - 5000, 5000),
    (NOW_MS - 5000, None),
    (NOW_MS + 999, 5000),
    (NOW_MS - 1_000_000, 1_000_000),
    (NOW_MS - 1, 1),
]
OUT_OF_TIME: list[tuple[object, object]] = [
    (NOW_MS - 5001, 5000),
    (NOW_MS - 5001, None),
    (NOW_MS + 1000, 5000),
    (NOW_MS + 1000, 1_000_000),
    (NOW_MS - 1_000_001, 1_000_000),
    (NOW_MS // 1000, 5000),
    (10**12, 5000),
    ("9" * 30, 5000),
    (f" {NOW_MS}", 5000),
    (f"+{NOW_MS}", 5000),
    (f"{NOW_MS}.0", 5000),
    ("", 5000),
    ("\uff11\uff17\uff19\uff15219200000", 5000),
    (NOW_MS, 0),
    (NOW_MS, -1),
    (NOW_MS, 10**12),
    (NOW_MS, 1_000_001),
    (NOW_MS, "1e9"),
    (NOW_MS, "05000"),
    (NOW_MS, "5000.0"),
]


@pytest.mark.parametrize("timestamp, recv_window", IN_TIME)
def test_a_request_inside_its_window_passes(timestamp: int, recv_window: int | None) -> None:
    by_body = by_parameters_plain({"timestamp": timestamp, "recv_window": recv_window})
    window = None if recv_window is None else str(recv_window)
    headers = by_headers(INNER, body=INNER_BODY, timestamp=str(timestamp), recv_window=window)
    assert isinstance(outcome(by_body), Ask)
    assert isinstance(outcome(headers), Ask)


@pytest.mark.parametrize("timestamp, recv_window", OUT_OF_TIME)
def test_a_request_outside_its_window_or_without_a_readable_time_is_refused(
    timestamp: object, recv_window: object
) -> None:
    by_body = by_parameters_plain({"timestamp": timestamp, "recv_window": recv_window})
    assert refusal(outcome(by_body)) == (200, 10002)
    if str(timestamp).isascii():
        window = None if recv_window is None else str(recv_window)
        headers = by_headers(INNER, body=INNER_BODY, timestamp=str(timestamp), recv_window=window)
        assert refusal(outcome(headers)) == (200, 10002)


@pytest.mark.parametrize("name", ["timestamp", "recv_window"])
@pytest.mark.parametrize("value", [True, [NOW_MS], {"at": 1}])
def test_a_time_that_is_neither_number_nor_text_is_refused(name: str, value: object) -> None:
    members = demo_members(inner_members()) | {name: value}
    assert refusal(outcome(raw(INNER, body=json.dumps(members).encode())))[1] in {10001, 10002}


def test_a_missing_timestamp_is_refused() -> None:
    assert refusal(outcome(by_parameters_plain({"timestamp": None}))) == (200, 10002)


def test_time_and_window_may_be_texts() -> None:
    texts = {"timestamp": str(NOW_MS), "recv_window": "1000000"}
    assert isinstance(outcome(by_parameters_plain(texts)), Ask)


def by_parameters_plain(credentials: dict[str, object]) -> Request:
    """Style P without mirrored headers."""
    return raw(INNER, body=json.dumps(demo_members(inner_members(), **credentials)).encode())


# --- keys --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"key_id": "zx-demo-key-0009"}, 10003),
        ({"venue": "bitmart"}, 10003),
        ({"frozen": True}, 10003),
        ({"expires_ms": NOW_MS}, 10003),
        ({"secret": b"another"}, 10004),
        ({"allowed_ips": ("10.0.0.0/8",)}, 10010),
        ({"permissions": frozenset({"read"})}, 10005),
        ({"is_sub_account": True}, 10005),
    ],
)
def test_a_key_that_may_not_withdraw_is_told_why(changes: dict[str, object], code: int) -> None:
    key = make_key(**changes)
    for request in (by_parameters(INNER, inner_members()), by_headers(INNER, body=INNER_BODY)):
        assert refusal(outcome(request, key)) == (200, code)


def test_a_key_works_from_its_own_addresses_and_until_it_expires() -> None:
    key = make_key(allowed_ips=("127.0.0.1",), expires_ms=NOW_MS + 1)
    assert isinstance(outcome(by_parameters(INNER, inner_members()), key), Ask)


def test_what_a_key_may_do_is_told_only_to_who_can_sign_for_it() -> None:
    key = make_key(permissions=frozenset(), allowed_ips=("10.0.0.1",), is_sub_account=True)
    members = demo_members(inner_members()) | {"sign": "0" * 64}
    assert refusal(outcome(raw(INNER, body=json.dumps(members).encode()), key)) == (200, 10004)


@pytest.mark.parametrize("path", [CREATE, INNER, RECORDS])
def test_only_the_master_accounts_key_may_call_the_withdraw_pages(path: str) -> None:
    assert refusal(outcome(by_parameters(path, {}), make_key(is_sub_account=True))) == (200, 10005)


def test_a_sub_accounts_key_may_look_at_coins() -> None:
    asked = outcome(by_parameters(COINS, {}), make_key(is_sub_account=True))
    assert isinstance(asked, Reply)
    assert json.loads(asked.body)["ret_code"] == 0


@pytest.mark.parametrize(
    "request_, key_id",
    [
        (by_parameters(INNER, inner_members()), KEY),
        (by_old_query(INNER, inner_members()), KEY),
        (by_headers(INNER, body=INNER_BODY), KEY),
        (by_headers(INNER, body="not json"), KEY),
        (raw(INNER), None),
        (raw(INNER, body=b'{"sign":"0"}'), None),
        (raw(INNER, body=b'{"sign":"0","api_key":["a"]}'), None),
    ],
)
def test_the_key_that_a_request_names_is_known_for_counting(request_: Request, key_id: str | None) -> None:
    assert VENUE.claimed_key(request_) == key_id


def test_the_uid_is_no_key() -> None:
    body = json.dumps(demo_members(inner_members(), api_key=UID)).encode()
    assert refusal(outcome(raw(INNER, body=body))) == (200, 10003)
