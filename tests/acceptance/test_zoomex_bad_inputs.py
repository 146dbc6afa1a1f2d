"""Requests that Zoomex's API must refuse, sent to a real server: the code each gets, and nothing stored for it.

Nothing is sent to any chain here, so that nothing is written but what requests cause.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.acceptance.bad_inputs import ENCODINGS, assert_alike_in_time
from tests.acceptance.calls import Call, next_source, now_ms
from tests.acceptance.customers import nothing_taken_in, open_account
from tests.acceptance.raw_http import Answer, Connection, ask
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.zoomex_codes import (
    AMOUNT,
    DENIED,
    FORBIDDEN_BODY,
    KEY,
    MALFORMED,
    NOT_FOUND,
    PARAMETER,
    SIGN,
    TIME,
)
from tests.acceptance.zoomex_requests import (
    COINS,
    CREATE,
    INNER_CREATE,
    POSTS,
    PRIVATE,
    RECORDS,
    STYLES,
    Key,
    Payer,
    as_json,
    as_query,
    by_headers,
    demo,
    method_of,
    new_payer,
    old_demo,
    send,
    send_refused,
    signed,
    signed_text,
    told,
)

pytestmark = pytest.mark.xdist_group("strict")

Refused = Callable[[Call], tuple[int, int]]
ENOUGH = 1_000_000_000


@pytest.fixture(scope="module")
def standing(strict: Sandbox) -> Payer:
    """For what fails before it is counted against the account's limits."""
    return new_payer(strict)


@pytest.fixture
def payer(strict: Sandbox) -> Payer:
    """With a limit of its own."""
    return new_payer(strict)


@pytest.fixture
def refused(strict: Sandbox, seconds: list[float]) -> Iterator[Refused]:
    """Send a bad request. Nothing may be stored for it, it is no 500, and the connection stays sane."""
    with nothing_taken_in(strict):
        yield lambda call: send_refused(strict, call, seconds)


# ---- who asks ----


@pytest.mark.parametrize("path", PRIVATE)
def test_nothing_private_is_told_without_credentials(refused: Refused, standing: Payer, path: str) -> None:
    assert refused(Call(method_of(path), path)) == (401, 10003)
    nameless = replace(Call(method_of(path), path), headers=(("X-BAPI-SIGN", "0" * 64),))
    assert refused(nameless) == (401, 10003)
    assert refused(replace(nameless, headers=(("X-BAPI-API-KEY", standing.key.api_key),))) == (401, 10003)


@pytest.mark.parametrize("style", STYLES)
def test_one_changed_byte_is_a_wrong_signature(refused: Refused, standing: Payer, style: str) -> None:
    call = STYLES[style](CREATE, standing.key, standing.create(amount="25.5"))
    changed = replace(
        call, body=call.body.replace(b'"25.5"', b'"35.5"'), query=call.query.replace("=25.5", "=35.5")
    )
    assert changed != call
    assert refused(changed) == SIGN


@pytest.mark.parametrize(
    "header, value, expected",
    [
        ("X-BAPI-API-KEY", "another-key-0001", KEY),
        ("X-BAPI-SIGN", "0" * 64, SIGN),
        ("X-BAPI-TIMESTAMP", "1795219200000", SIGN),
        ("X-BAPI-RECV-WINDOW", "1000000", SIGN),
    ],
)
def test_headers_that_contradict_the_parameters_are_refused(
    refused: Refused, standing: Payer, header: str, value: str, expected: tuple[int, int]
) -> None:
    call = demo(CREATE, standing.key, standing.create())
    assert refused(call.with_header(header, value)) == expected


def test_a_failed_parameter_signature_is_not_tried_as_the_other_style(
    refused: Refused, standing: Payer
) -> None:
    body = json.dumps(standing.create(sign="0" * 64, api_key=standing.key.api_key))
    assert refused(by_headers(CREATE, standing.key, body)) == SIGN


def test_parameters_in_query_and_body_at_once_are_refused(refused: Refused, standing: Payer) -> None:
    members = standing.create()
    assert refused(replace(demo(CREATE, standing.key, members), query="amount=1")) == PARAMETER
    assert refused(replace(by_headers(CREATE, standing.key, members), query="amount=1")) == PARAMETER


@pytest.mark.usefixtures("nothing_taken")
@pytest.mark.parametrize("body", [b"{}", b" ", b"null"])
def test_a_get_with_a_body_is_forbidden(strict: Sandbox, standing: Payer, body: bytes) -> None:
    raw = by_headers(COINS, standing.key, {}).raw
    raw = raw.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
    assert send(strict, raw).verdict == FORBIDDEN_BODY


@pytest.mark.parametrize(
    "sign",
    [
        lambda sign: sign[:-1],
        lambda sign: sign + "0",
        lambda sign: "rtEJKsUNqtzOSmSSHOZMd4s6nL6WY6FhwF8hYvH7xTM=",
        lambda sign: sign[:-1] + "é",
        lambda sign: "0" * 64,
        lambda sign: "",
    ],
    ids=["63 characters", "65 characters", "base64", "é", "zeros", "empty"],
)
def test_a_signature_in_another_form_is_wrong_in_every_style(
    refused: Refused, standing: Payer, sign: Callable[[str], str]
) -> None:
    full = signed(standing.key, standing.create())
    wrong = full | {"sign": sign(full["sign"])}
    assert refused(as_json(CREATE, wrong, mirror=False)) == SIGN
    assert refused(as_query(CREATE, wrong)) == SIGN
    call = by_headers(CREATE, standing.key, standing.create())
    right = dict(call.headers)["X-BAPI-SIGN"]
    assert refused(call.with_header("X-BAPI-SIGN", sign(right))) == SIGN


def stamps(now: int) -> dict[str, object]:
    return {
        "seconds": now // 1000,
        "too old": now - 6_000,
        "too new": now + 3_000,
        "exponent": "1e12",
        "blank": f" {now}",
        "plus": f"+{now}",
        "fraction": f"{now}.0",
        "leading zero": f"0{now}",
        "full-width": str(now).translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}),
        "30 digits": "9" * 30,
        "empty": "",
    }


@pytest.mark.parametrize("name", stamps(0))
def test_a_timestamp_in_another_form_or_out_of_range_is_refused_though_signed(
    refused: Refused, standing: Payer, name: str
) -> None:
    stamp = stamps(now_ms())[name]
    full = signed(standing.key, standing.create(), timestamp=stamp)
    assert refused(as_json(CREATE, full, mirror=False)) == TIME
    assert refused(as_query(CREATE, full)) == TIME
    if str(stamp).isascii() and not str(stamp).startswith(" "):
        assert refused(by_headers(CREATE, standing.key, standing.create(), timestamp=str(stamp))) == TIME


@pytest.mark.parametrize("window", [0, -1, 10**12, 1_000_001, "1e9", "05000", "5000.0", ""])
def test_a_window_out_of_its_range_is_refused_though_signed(
    refused: Refused, standing: Payer, window: object
) -> None:
    assert refused(old_demo(CREATE, standing.key, standing.create(), recv_window=window)) == TIME
    full = signed(standing.key, standing.create(), recv_window=window)
    assert refused(as_json(CREATE, full, mirror=False)) == TIME
    if window != "":
        assert refused(by_headers(CREATE, standing.key, standing.create(), recv_window=str(window))) == TIME


def test_the_documented_window_of_1_000_000_passes_and_no_older_request(
    refused: Refused, payer: Payer, standing: Payer
) -> None:
    # Refused for its amount, so authentication let it through. The exact edges are tested with a clock of ours.
    late, too_late = now_ms() - 990_000, now_ms() - 1_000_001
    members = payer.create(amount="0")
    assert refused(demo(CREATE, payer.key, members, recv_window=1_000_000, timestamp=late)) == AMOUNT
    members = standing.create(amount="0")
    assert refused(demo(CREATE, standing.key, members, recv_window=1_000_000, timestamp=too_late)) == TIME


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"frozen": True}, KEY),
        ({"expires_ms": 1}, KEY),
        ({"allowed_ips": ["10.0.0.0/8"]}, (200, 10010)),
        ({"permissions": ["read"]}, DENIED),
    ],
    ids=["frozen", "expired", "bound to other addresses", "may only read"],
)
def test_a_key_that_may_not_withdraw_is_told_why(
    strict: Sandbox, refused: Refused, fields: dict[str, Any], expected: tuple[int, int]
) -> None:
    holder = new_payer(strict, **fields)
    for style in STYLES.values():
        assert refused(style(CREATE, holder.key, holder.create())) == expected
    assert holder.customer.units("USDT", "fund") == (ENOUGH, 0)


def test_another_venues_key_and_an_unknown_one_are_no_keys(refused: Refused, standing: Payer) -> None:
    foreign = Key(*standing.customer.key("bitmart"))
    for key in (foreign, Key("nobody-has-this", standing.key.secret)):
        assert refused(demo(CREATE, key, standing.create())) == KEY


def test_a_sub_accounts_key_may_look_at_coins_and_not_at_withdrawals(
    strict: Sandbox, refused: Refused, standing: Payer
) -> None:
    sub = open_account(strict, master_account_id=str(standing.customer.account_id))
    key = Key(*sub.key("zoomex"))
    for path in (CREATE, INNER_CREATE, RECORDS):
        assert refused(demo(path, key, {})) == DENIED
    assert send(strict, demo(COINS, key, {})).verdict == (200, 0)


@pytest.mark.usefixtures("nothing_taken")
def test_unknown_frozen_and_wrongly_signed_take_alike_and_cost_the_owner_nothing(strict: Sandbox) -> None:
    victim, members = new_payer(strict), {"coin": "USDT"}
    frozen = Key(*victim.customer.key("zoomex", frozen=True))
    kinds = {
        "unknown": Key("nobody-has-this", victim.key.secret),
        "frozen": frozen,
        "wrong": Key(victim.key.api_key, "guess"),
    }
    expected = {"unknown": KEY, "frozen": KEY, "wrong": SIGN}
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(200):
        # As many as one address may send in five seconds are not sent from one.
        with closing(Connection(strict.port, f"127.0.10.{turn // 10 + 1}")) as connection:
            for name, key in kinds.items():
                answer = told(connection.exchange(demo(COINS, key, members).raw))
                assert answer.verdict == expected[name]
                taken[name].append(answer.seconds)
    assert_alike_in_time(taken.values())
    mine = send(strict, demo(COINS, victim.key, members))
    assert (mine.code, mine.headers["x-bapi-limit-status"]) == (0, "4")


# ---- what is signed ----


@pytest.mark.usefixtures("nothing_taken")
def test_no_sampled_bit_of_a_signed_request_can_be_changed(strict: Sandbox, standing: Payer) -> None:
    """Every bit is tried in memory, in tests/venues/zoomex; here a sample goes over the wire."""
    chosen = random.Random(31)
    members = standing.create(sub_user_id="x")
    tried = 0
    for call, part in (
        (as_json(CREATE, signed(standing.key, members), mirror=False), "body"),
        (by_headers(CREATE, standing.key, members), "body"),
        (old_demo(CREATE, standing.key, members), "query"),
        (by_headers(RECORDS, standing.key, {"coin": "USDT", "txid": "ab12"}), "query"),
    ):
        text = call.body if part == "body" else call.query.encode()
        for place in chosen.sample(range(len(text)), min(40, len(text))):
            flipped = bytearray(text)
            flipped[place] ^= 1 << chosen.randrange(8)
            if part == "query" and not 0x21 <= flipped[place] <= 0x7E:
                continue  # no request line can hold it
            changed = bytes(flipped)
            if meaning(changed, part) == meaning(text, part):
                continue  # white space between members, or a hexadecimal digit in the other case
            other = replace(call, body=changed) if part == "body" else replace(call, query=changed.decode())
            answer = ask(strict, other.raw, next_source())
            # A request line that is none is not answered in any venue's words.
            assert answer.status in {400, 401} or told(answer).code != 0, changed
            tried += 1
    assert tried > 100


def meaning(text: bytes, part: str) -> object:
    """What a signed request says, its signature in lower case; where it says nothing, its bytes."""
    try:
        said: dict[str, Any] = json.loads(text) if part == "body" else dict(parse_qsl(text.decode()))
    except ValueError:
        return text
    return said | {"sign": str(said["sign"]).lower()} if "sign" in said else said


@pytest.mark.usefixtures("nothing_taken")
def test_no_sampled_bit_of_the_headers_can_be_changed(strict: Sandbox, standing: Payer) -> None:
    chosen = random.Random(32)
    call = by_headers(CREATE, standing.key, standing.create())
    for name, value in call.headers[:3]:
        for place in chosen.sample(range(len(value)), 10):
            changed = value[:place] + chr(ord(value[place]) ^ 1 << chosen.randrange(7)) + value[place + 1 :]
            if changed.lower() != value.lower() and changed.isprintable():
                assert send(strict, call.with_header(name, changed)).code != 0, (name, changed)


@pytest.mark.parametrize("write", [as_query, partial(as_json, mirror=False)], ids=["query", "JSON"])
@pytest.mark.parametrize("path", POSTS)
def test_one_parameter_sets_signature_carries_no_other_set(
    strict: Sandbox, path: str, write: Callable[[str, dict[str, Any]], Call]
) -> None:
    """The signed text has no marks that a value could not hold, so that other sets sign alike: all are sent."""
    friend = open_account(strict)

    def signed_set() -> dict[str, Any]:
        """Of a new customer each time, so that no limit stands in the way of what must not be accepted."""
        payer = new_payer(strict)
        payer.customer.list_recipient("account_number", friend.number)
        inner = payer.inner_create(friend.number, remark="x&remark2=y")
        return signed(payer.key, payer.create(sub_user_id="1") if path == CREATE else inner)

    full = signed_set()
    with nothing_taken_in(strict):
        for place in range(len(cut_otherwise(full))):
            full = signed_set()
            other = cut_otherwise(full)[place]
            assert signed_text(other) == signed_text(full)
            answer = send(strict, write(path, other | {"sign": full["sign"]}))
            assert answer.verdict in {PARAMETER, TIME, KEY, (401, 10003)}, other
        for elsewhere in {*PRIVATE} - {path}:
            # The same set at another endpoint: neither method nor path is signed.
            assert send(strict, as_query(elsewhere, signed_set())).verdict == PARAMETER
        stranger = signed_set()
        assert send(strict, write(path, full | {"sign": stranger["sign"]})).verdict == SIGN
    assert send(strict, write(path, signed_set())).code == 0


def cut_otherwise(full: dict[str, Any]) -> list[dict[str, str]]:
    """Other sets that sign as this one: two neighbours made one value, or a value that holds a name cut at it."""
    pieces = signed_text(full).split("&")
    merged = [
        [*pieces[:place], "&".join(pieces[place : place + 2]), *pieces[place + 2 :]]
        for place in range(len(pieces) - 1)
    ]
    found = [dict(piece.split("=", 1) for piece in cut) for cut in [*merged, pieces]]
    return [other for other in found if other != {k: str(v) for k, v in full.items() if k != "sign"}]


@pytest.mark.usefixtures("nothing_taken")
@pytest.mark.parametrize(
    "path",
    [
        "/private/v1/asset//withdraw/create",
        "/private/v1/asset/./withdraw/create",
        "/private/v1/asset%2Fwithdraw/create",
        "/x/%2e%2e/private/v1/asset/withdraw/create",
        "/private/v1/asset/withdraw/create/",
        "/PRIVATE/v1/asset/withdraw/create",
        "/private/v1/asset/withdraw/cancel",
        "/cloud/trade/v3/asset/withdraw/create",
    ],
)
def test_a_path_that_only_normalises_to_ours_is_not_found(
    strict: Sandbox, standing: Payer, path: str
) -> None:
    call = replace(demo(CREATE, standing.key, standing.create()), path=path)
    with closing(Connection(strict.port)) as connection:
        answer = connection.exchange(call.raw)
    assert answer.status == 404
    if path.startswith(("/private", "/cloud")):
        assert told(answer).verdict == NOT_FOUND


# ---- JSON ----


@pytest.mark.parametrize(
    "body",
    [
        '{"amount":"20","amount":"1000",%M}',
        r'{"amount":"20","\u0061mount":"1000",%M}',
        '{"amount":"20","x":{"y":1,"y":2},%M}',
        '{ { "amount":"20",%M }',
        '{"amount":NaN,%M}',
        '{"amount":Infinity,%M}',
        '{"amount":-Infinity,%M}',
        '{"amount":1e400,%M}',
        '{"amount":"20","x":NaN,%M}',
        r'{"amount":"20","tag":"\ud800",%M}',
        r'{"amount":"20","tag":"\u0000",%M}',
        '{"amount":"20",%M} {}',
        '{"amount":"20",%M,}',
        "null",
        "[]",
        '"x"',
        "17",
        "[" * 60_000,
        '{"x":' * 900 + "1" + "}" * 900,
        '{"amount":"20","x":[[[[[[[[1]]]]]]]],%M}',
        "coin=USDT&amount=20",
    ],
    ids=range(21),
)
def test_json_with_two_meanings_or_none_is_a_bad_parameter(
    refused: Refused, standing: Payer, body: str
) -> None:
    members = json.dumps(standing.create(amount=None))[1:-1]
    # Signed over its bytes, so that the signature is not what stands in the way.
    assert refused(by_headers(CREATE, standing.key, body.replace("%M", members))) == PARAMETER


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_in_another_encoding_is_a_bad_parameter(
    refused: Refused, standing: Payer, encoding: str
) -> None:
    body = ENCODINGS[encoding](json.dumps(standing.create()).encode(), b"USDT")
    assert refused(by_headers(CREATE, standing.key, body)) == PARAMETER


@pytest.mark.parametrize("bomb", [False, True])
def test_a_compressed_body_is_a_bad_parameter(refused: Refused, standing: Payer, *, bomb: bool) -> None:
    body = gzip.compress(b" " * 30_000_000 if bomb else json.dumps(standing.create()).encode())
    assert refused(by_headers(CREATE, standing.key, body)) == PARAMETER


@pytest.mark.parametrize(
    "query", ["coin=USDT&coin=BTC", "coin=%ff", "c%6fin=USDT&coin=BTC", "&".join(["a=1"] * 65)]
)
def test_a_query_with_two_meanings_or_none_is_a_bad_parameter(
    refused: Refused, standing: Payer, query: str
) -> None:
    assert refused(by_headers(COINS, standing.key, query)) == PARAMETER


@pytest.mark.parametrize(
    "extra",
    [
        {"status": "SUCCESS"},
        {"approved": True},
        {"fee": "-5"},
        {"__proto__": {"admin": True}},
        {"Coin": "BTC"},
    ],
    ids=str,
)
def test_what_a_client_adds_is_refused_where_it_is_signed_as_a_parameter_and_else_ignored(
    strict: Sandbox, payer: Payer, extra: dict[str, Any]
) -> None:
    with nothing_taken_in(strict):
        full = signed(payer.key, payer.create(**extra))
        assert send(strict, as_json(CREATE, full, mirror=False)).verdict in {PARAMETER, SIGN}
    other = new_payer(strict)
    made = send(strict, by_headers(CREATE, other.key, other.create(**extra))).withdraw_id
    row = strict.rows("SELECT asset, amount, fee, state FROM withdrawals WHERE withdrawal_id = ?", int(made))
    assert row == [("USDT", "28500000", "3000000", "held")]


# ---- HTTP ----


@pytest.mark.usefixtures("nothing_taken")
@pytest.mark.parametrize(
    "lines, without",
    [
        ((b"X-BAPI-SIGN: 00\r\n",), b""),
        ((b"x-bapi-api-key: other\r\n",), b""),
        ((b"X-Folded: one\r\n two\r\n",), b""),
        ((b"Host: other\r\n",), b""),
        ((), b"host"),
        ((b"Transfer-Encoding: chunked\r\n",), b""),
        ((b"Content-Length: 3\r\n",), b""),
        ((b"X-Bare: line feed\n",), b""),
    ],
    ids=[
        "signature twice",
        "key twice",
        "folded",
        "two hosts",
        "no host",
        "length and chunked",
        "two lengths",
        "bare LF",
    ],
)
def test_a_message_with_two_readings_is_refused_in_the_venues_words_and_the_connection_closed(
    strict: Sandbox, standing: Payer, lines: tuple[bytes, ...], without: bytes
) -> None:
    raw = demo(CREATE, standing.key, standing.create()).framed(*lines, without=without)
    assert told(closed_with(strict, raw)).verdict == MALFORMED


@pytest.mark.usefixtures("nothing_taken")
def test_an_absolute_target_is_refused(strict: Sandbox, standing: Payer) -> None:
    raw = demo(CREATE, standing.key, standing.create()).raw
    assert closed_with(strict, raw.replace(b"POST ", b"POST http://127.0.0.1", 1)).status == 400


@pytest.mark.usefixtures("nothing_taken")
def test_65_kib_are_too_much_and_a_signature_in_a_trailer_is_none(strict: Sandbox, standing: Payer) -> None:
    call = demo(CREATE, standing.key, standing.create())
    announced = replace(call, body=b"").framed(b"Content-Length: 65537\r\n", without=b"content-length")
    assert told(closed_with(strict, announced)).verdict == (413, 10001)
    bare = replace(call, body=b"").with_header("X-BAPI-SIGN", None)
    trailer = bare.framed(b"Transfer-Encoding: chunked\r\n", without=b"content-length")
    trailer += b"2\r\n{}\r\n0\r\nX-BAPI-SIGN: 00\r\n\r\n"
    assert told(closed_with(strict, trailer)).verdict == MALFORMED


@pytest.mark.parametrize(
    "method, path", [("GET", CREATE), ("post", CREATE), ("POST", COINS), ("DELETE", RECORDS)]
)
def test_another_method_is_refused(strict: Sandbox, standing: Payer, method: str, path: str) -> None:
    call = by_headers(path, standing.key, standing.create() if path == CREATE else {})
    with closing(Connection(strict.port)) as connection:
        answer = connection.exchange(replace(call, method=method).raw)
    assert told(answer).code == MALFORMED[1]
    # In lower case it is no method of HTTP, and never comes as far as the venue's routes.
    assert answer.status == (405 if method == "post" else MALFORMED[0])


def closed_with(strict: Sandbox, raw: bytes) -> Answer:
    """Send it; the answer must be the last thing on the connection."""
    with closing(Connection(strict.port)) as connection:
        connection.send(raw)
        answer = connection.answer()
        assert connection.socket.recv(1) == b""
    assert answer.closed
    return answer
