"""Requests that edgeX's API must refuse, sent to a real server: the code each gets, and nothing stored for it.

Nothing is sent to any chain here, so that nothing is written but what requests cause. What a withdrawal may say is in
test_edgex_bad_values.py.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.acceptance.bad_inputs import ENCODINGS, assert_alike_in_time
from tests.acceptance.calls import Call, next_source, now_ms
from tests.acceptance.customers import nothing_taken_in
from tests.acceptance.edgex_requests import (
    ACTIVE,
    AVAILABLE,
    BY_CLIENT_ID,
    BY_ID,
    CREATE,
    LOOKS,
    NORMAL_CREATE,
    POSTS,
    SIGNATURE,
    TIMESTAMP,
    N,
    StarkKey,
    Trader,
    flat,
    get,
    headers,
    new_trader,
    post,
    send,
    send_refused,
    told,
)
from tests.acceptance.raw_http import Answer, Connection, ask
from tests.acceptance.sandbox_process import Sandbox

pytestmark = pytest.mark.xdist_group("strict")

Refused = Callable[[Call], tuple[int, str]]
REQUIRED, INVALID = (400, "GATEWAY_PARAM_REQUIRED"), (400, "GATEWAY_PARAM_INVALID")
HEADER, UNKNOWN, DISABLED = (
    (400, "GATEWAY_HEADER_REQUIRED"),
    (401, "INVALID_ACCOUNT_ID"),
    (403, "ACCOUNT_ID_WHITELIST_ERROR"),
)
TIME, WRONG, DENIED = (401, "INVALID_TIMESTAMP"), (401, "SIGNATURE_ERROR"), (403, "PERMISSION_DENIED")
P = 2**251 + 17 * 2**192 + 1


@pytest.fixture(scope="module")
def standing(strict: Sandbox) -> Trader:
    """For what fails before it is counted against the account's limits."""
    return new_trader(strict)


@pytest.fixture
def trader(strict: Sandbox) -> Trader:
    """With limits of its own."""
    return new_trader(strict)


@pytest.fixture
def refused(strict: Sandbox, seconds: list[float]) -> Iterator[Refused]:
    """Send a bad request. Nothing may be stored for it, it is no 500, and the connection stays sane."""
    with nothing_taken_in(strict):
        yield lambda call: send_refused(strict, call, seconds)


def resigned(trader: Trader, signature: str, timestamp: str | None = None) -> Call:
    """A look with these two headers."""
    made = trader.get(AVAILABLE, coinId="1000")
    stamp = dict(made.headers)[TIMESTAMP] if timestamp is None else timestamp
    return replace(made, headers=headers(stamp, signature))


# ---- who asks ----


@pytest.mark.parametrize("path", [*POSTS, *LOOKS])
def test_nothing_private_is_told_without_a_signature(strict: Sandbox, standing: Trader, path: str) -> None:
    sound = standing.post({}, path) if path in POSTS else standing.get(path)
    for missing in ({SIGNATURE}, {TIMESTAMP}, {SIGNATURE, TIMESTAMP}):
        kept = tuple((name, value) for name, value in sound.headers if name not in missing)
        answer = send(strict, replace(sound, headers=kept))
        assert (answer.verdict, answer.message) == (HEADER, "header required : 'X-edgeX-Api-Key'")


def test_the_web_front_ends_scheme_is_recognised_and_not_served(strict: Sandbox, standing: Trader) -> None:
    sent = (
        ("X-edgeX-Api-Key", "nope"),
        ("X-edgeX-Passphrase", "x"),
        ("X-edgeX-Signature", "0" * 64),
        ("X-edgeX-Timestamp", str(now_ms())),
    )
    call = standing.get(AVAILABLE, coinId="1000")
    answer = send(strict, replace(call, headers=sent))
    assert (answer.verdict, answer.message) == ((401, "INVALID_API_KEY"), "invalid apiKey : nope")
    assert answer.error_param == {"apiKey": "nope"}
    for left in range(4):
        kept = sent[:left] + sent[left + 1 :]
        answer = send(strict, replace(call, headers=kept))
        assert (answer.verdict, answer.message) == (HEADER, f"header required : '{sent[left][0]}'")


@pytest.mark.parametrize("account_id", ["543429922991899151", "0", "-1", "abc", "1e3", str(2**63), "9" * 40])
def test_an_unknown_account_is_named(strict: Sandbox, standing: Trader, account_id: str) -> None:
    for call in (
        get(AVAILABLE, standing.key, {"accountId": account_id, "coinId": "1000"}),
        post(CREATE, standing.key, standing.members() | {"accountId": account_id}),
    ):
        answer = send(strict, call)
        assert (answer.verdict, answer.message) == (UNKNOWN, f"invalid accountId : {account_id}")


def test_an_account_must_be_named_and_once(refused: Refused, standing: Trader) -> None:
    assert refused(get(AVAILABLE, standing.key, {"coinId": "1000"})) == REQUIRED
    twice = f"accountId={standing.account_id}&coinId=1000&accountId={standing.account_id}"
    assert refused(get(AVAILABLE, standing.key, {}, query=twice)) == INVALID


@pytest.mark.parametrize(
    "fields",
    [{"frozen": True}, {"expires_ms": 1}, {"allowed_ips": ["10.0.0.0/8"]}],
    ids=["frozen", "expired", "bound to other addresses"],
)
def test_an_account_that_is_not_enabled_is_told_so_whoever_signed(
    strict: Sandbox, standing: Trader, fields: dict[str, Any]
) -> None:
    disabled = new_trader(strict, **fields)
    for key in (disabled.key, standing.key):
        answer = send(strict, get(AVAILABLE, key, {"accountId": disabled.account_id, "coinId": "1000"}))
        assert answer.verdict == DISABLED
        assert answer.message == (
            f"accountId '{disabled.account_id}' not in whitelist. Please contact administrator for access."
        )


def test_a_key_that_may_only_read_cannot_withdraw(strict: Sandbox, refused: Refused) -> None:
    reader = new_trader(strict, permissions=["read"])
    assert reader.look(AVAILABLE, coinId="1000") == {"availableAmount": "1000.000000"}
    assert refused(reader.post(reader.members())) == DENIED
    assert refused(reader.post(reader.normal_members(), NORMAL_CREATE)) == DENIED


def test_one_accounts_key_does_not_sign_for_another(
    refused: Refused, standing: Trader, trader: Trader
) -> None:
    assert refused(get(AVAILABLE, trader.key, {"accountId": standing.account_id, "coinId": "1000"})) == WRONG
    assert refused(post(CREATE, trader.key, standing.members())) == WRONG


def test_an_account_frozen_or_not_allowed_to_withdraw_pays_nobody(refused: Refused, trader: Trader) -> None:
    trader.customer.freeze()
    assert refused(trader.post(trader.members())) == (200, "ACCOUNT_STATUS_ABNORMAL")
    assert trader.look("/api/v1/private/account/getAccountById")["status"] == "DISABLED"


def test_unknown_disabled_and_wrongly_signed_take_alike_and_cost_the_owner_nothing(strict: Sandbox) -> None:
    victim, disabled = new_trader(strict), new_trader(strict, frozen=True)
    stranger = StarkKey(12345)
    kinds = {UNKNOWN: "543429922991899151", DISABLED: disabled.account_id, WRONG: victim.account_id}
    taken: dict[tuple[int, str], list[float]] = {verdict: [] for verdict in kinds}
    with nothing_taken_in(strict), closing(Connection(strict.port, "127.0.10.20")) as connection:
        for _ in range(60):
            for verdict, account_id in kinds.items():
                call = get(AVAILABLE, stranger, {"accountId": account_id, "coinId": "1000"})
                answer = told(connection.exchange(call.raw))
                assert answer.verdict == verdict
                taken[verdict].append(answer.seconds)
    assert_alike_in_time(taken.values())
    # More than its limit was tried in its name, and none of it counts.
    assert send(strict, victim.get(AVAILABLE, coinId="1000")).code == "SUCCESS"


# ---- time ----


def stamps(now: int) -> dict[str, str]:
    return {
        "seconds": str(now // 1000),
        "too old": str(now - 61_500),
        "too new": str(now + 61_500),
        "exponent": "1e12",
        "plus": f"+{now}",
        "minus": f"-{now}",
        "fraction": f"{now}.0",
        "leading zero": f"0{now}",
        "30 digits": "9" * 30,
        "full-width": str(now).translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}),
        "empty": "",
    }


@pytest.mark.parametrize("name", stamps(0))
def test_a_timestamp_in_another_form_or_out_of_range_is_refused_though_signed(
    refused: Refused, standing: Trader, name: str
) -> None:
    stamp = stamps(now_ms())[name]
    asked = {"accountId": standing.account_id, "coinId": "1000"}
    assert refused(get(AVAILABLE, standing.key, asked, timestamp=stamp)) == TIME
    assert refused(post(CREATE, standing.key, standing.members(), timestamp=stamp)) == TIME


@pytest.mark.parametrize("apart_ms", [-57_000, 57_000])
def test_a_timestamp_within_the_minute_passes(trader: Trader, apart_ms: int) -> None:
    # The exact edges are tested with a clock of ours.
    asked = {"accountId": trader.account_id, "coinId": "1000"}
    call = get(AVAILABLE, trader.key, asked, timestamp=str(now_ms() + apart_ms))
    assert send(trader.sandbox, call).code == "SUCCESS"


# ---- signatures ----


@pytest.mark.parametrize(
    "form",
    [
        lambda sign: sign[:-1],
        lambda sign: sign + "0",
        lambda sign: sign[:64],
        lambda sign: sign + "0" * 63,
        lambda sign: sign + "0" * 128,
        lambda sign: sign[:-1] + "g",
        lambda sign: sign[:-1] + "é",
        lambda sign: "",
        lambda sign: "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY3ODkwYWJjZGVmZw==",
        lambda sign: "0" * 128,
        lambda sign: "f" * 128,
        lambda sign: "0" * 64 + sign[64:],
        lambda sign: sign[:64] + "0" * 64,
        lambda sign: sign[:64] + f"{N:064x}",
        lambda sign: f"{int(sign[:64], 16) + P:064x}" + sign[64:],
        lambda sign: sign[:64] + f"{int(sign[64:], 16) + N:064x}",
        lambda sign: sign[64:] + sign[:64],
    ],
    ids=[
        *(
            "127 digits",
            "129 digits",
            "r alone",
            "191 digits",
            "four words",
            "g",
            "é",
            "empty",
            "base64",
        ),
        *("zeros", "ones", "r = 0", "s = 0", "s = n", "r + p", "s + n", "s and r"),
    ],
)
def test_a_signature_in_another_form_or_out_of_range_is_wrong(
    strict: Sandbox, standing: Trader, form: Callable[[str], str], seconds: list[float]
) -> None:
    with nothing_taken_in(strict):
        for call in (standing.get(AVAILABLE, coinId="1000"), standing.post(standing.members())):
            changed = call.with_header(SIGNATURE, form(dict(call.headers)[SIGNATURE]))
            assert send_refused(strict, changed, seconds) == WRONG


@pytest.mark.parametrize("form", ["{}", "0x{}", "{}" + "f" * 64], ids=["two words", "0x", "three words"])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_a_signature_may_have_a_third_word_and_either_case(
    trader: Trader, form: str, case: Callable[[str], str]
) -> None:
    call = trader.get(AVAILABLE, coinId="1000")
    signature = form.format(case(dict(call.headers)[SIGNATURE]))
    assert send(trader.sandbox, call.with_header(SIGNATURE, signature)).code == "SUCCESS"


@pytest.mark.parametrize(
    "query, text",
    [
        ("clientWithdrawIdList=a%2Cb&accountId=@", "accountId=@&clientWithdrawIdList=a,b"),
        ("clientWithdrawIdList=a%2Cb&accountId=@", "accountId=@&clientWithdrawIdList=a%2Cb"),
        ("clientWithdrawIdList=a,b&accountId=@", "accountId=@&clientWithdrawIdList=a,b"),
        ("accountId=@&clientWithdrawIdList=a+b", "accountId=@&clientWithdrawIdList=a b"),
        ("accountId=@&clientWithdrawIdList=%D0%B6", "accountId=@&clientWithdrawIdList=ж"),
    ],
)
def test_a_query_may_be_signed_as_it_is_sent_or_decoded(trader: Trader, query: str, text: str) -> None:
    signed = dict(pair.split("=") for pair in text.replace("@", trader.account_id).split("&"))
    call = get(BY_CLIENT_ID, trader.key, signed, query=query.replace("@", trader.account_id))
    assert send(trader.sandbox, call).data == []


def test_one_changed_byte_is_a_wrong_signature(refused: Refused, standing: Trader) -> None:
    call = standing.post(standing.members(amount="25.500000"))
    assert refused(replace(call, body=call.body.replace(b'"25.500000"', b'"95.500000"'))) == WRONG
    look = standing.get(AVAILABLE, coinId="1000")
    assert refused(replace(look, query=look.query.replace("coinId=1000", "coinId=1001"))) == WRONG
    assert refused(replace(look, query=look.query + "&x=1")) == WRONG
    assert refused(replace(look, path=ACTIVE)) == WRONG
    normal = standing.post(standing.normal_members(), NORMAL_CREATE)
    assert refused(replace(normal, path=CREATE)) == WRONG


@pytest.mark.usefixtures("nothing_taken")
def test_no_sampled_bit_of_a_signed_request_can_be_changed(strict: Sandbox, standing: Trader) -> None:
    """Every kind of bit is tried in memory, in tests/venues/edgex; here a sample goes over the wire."""
    chosen, tried = random.Random(41), 0
    for call in (standing.post(standing.members()), standing.get(BY_CLIENT_ID, clientWithdrawIdList="a,b")):
        parts = {
            TIMESTAMP: 10,
            SIGNATURE: 30,
            "body": 60 if call.body else 0,
            "query": 0 if call.body else 30,
        }
        for part, count in parts.items():
            text = call.body or call.query.encode()
            text = dict(call.headers)[part].encode() if part in {TIMESTAMP, SIGNATURE} else text
            for place in chosen.sample(range(len(text)), min(count, len(text))):
                flipped = bytearray(text)
                flipped[place] ^= 1 << chosen.randrange(8)
                if said(bytes(flipped), part) == said(text, part):
                    continue  # white space between members, or a hexadecimal digit in the other case
                if part != "body" and not 0x21 <= flipped[place] <= 0x7E:
                    continue  # no request line can hold it, and no header as it stands
                changed = {"body": bytes(flipped)} if part == "body" else {"query": flipped.decode("latin-1")}
                other = (
                    call.with_header(part, flipped.decode())
                    if part in parts.keys() - {"body", "query"}
                    else None
                )
                answer = ask(strict, (other or replace(call, **changed)).raw, next_source())
                assert answer.status in {400, 401}, bytes(flipped)
                tried += 1
    assert tried > 80


def said(text: bytes, part: str) -> object:
    """What a signed part says: text where it must be as it is."""
    if part == SIGNATURE:
        return text.lower()
    try:
        return flat(json.loads(text)) if part == "body" else sorted(parse_qsl(text.decode())) or text
    except (ValueError, TypeError):
        return text


# ---- bodies and queries ----


@pytest.mark.parametrize(
    "body",
    [
        '{"amount":"20","amount":"1000",%M}',
        r'{"amount":"20","\u0061mount":"1000",%M}',
        '{"amount":"20","x":{"y":1,"y":2},%M}',
        '{"amount":NaN,%M}',
        '{"amount":Infinity,%M}',
        '{"amount":1e400,%M}',
        r'{"amount":"20","extraType":"\ud800",%M}',
        r'{"amount":"20","extraType":"\u0000",%M}',
        '{"amount":"20",%M} {}',
        '{"amount":"20",%M,}',
        "null",
        "[]",
        '"x"',
        "17",
        "",
        "[" * 60_000,
        '{"x":' * 900 + "1" + "}" * 900,
        '{"amount":"20","x":[[[[[[[[1]]]]]]]],%M}',
        "accountId=1&amount=20",
    ],
    ids=range(19),
)
def test_json_with_two_meanings_or_none_is_an_invalid_parameter(
    refused: Refused, standing: Trader, body: str
) -> None:
    members = standing.members()
    rest = json.dumps({name: value for name, value in members.items() if name != "amount"})[1:-1]
    # Signed as what its first reading would be.
    call = standing.post(members | {"amount": "20"})
    assert refused(replace(call, body=body.replace("%M", rest).encode())) == INVALID


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_in_another_encoding_is_an_invalid_parameter(
    refused: Refused, standing: Trader, encoding: str
) -> None:
    call = standing.post(standing.members())
    assert refused(replace(call, body=ENCODINGS[encoding](call.body, b"25.5"))) == INVALID


@pytest.mark.parametrize("bomb", [False, True])
def test_a_compressed_body_is_an_invalid_parameter(refused: Refused, standing: Trader, *, bomb: bool) -> None:
    call = standing.post(standing.members())
    body = gzip.compress(b" " * 30_000_000 if bomb else call.body)
    assert refused(replace(call, body=body)) == INVALID


@pytest.mark.parametrize(
    "header",
    [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "text/plain"),
        ("Content-Encoding", "gzip"),
    ],
    ids=str,
)
def test_another_media_type_or_a_compressed_body_is_not_read(
    refused: Refused, standing: Trader, header: tuple[str, str]
) -> None:
    call = standing.post(standing.members())
    kept = tuple(pair for pair in call.headers if pair[0] != header[0])
    bomb = gzip.compress(b" " * 30_000_000)
    for body in (call.body, bomb):
        assert refused(replace(call, headers=(*kept, header), body=body)) == (415, "GATEWAY_PARAM_INVALID")


@pytest.mark.parametrize("path", [BY_ID, BY_CLIENT_ID])
def test_lists_are_needed_bounded_and_made_of_ids(
    strict: Sandbox, refused: Refused, trader: Trader, path: str
) -> None:
    name = "withdrawIdList" if path == BY_ID else "clientWithdrawIdList"
    assert refused(trader.get(path)) == REQUIRED
    assert refused(trader.get(path, **{name: ""})) == REQUIRED
    assert refused(trader.get(path, **{name: ",".join(["7"] * 101)})) == INVALID
    assert send(strict, trader.get(path, **{name: ",".join(["7"] * 100)})).data == []
    many = ask(strict, trader.get(path, **{name: ",".join(str(number) for number in range(10_000))}).raw)
    assert many.status in {400, 414, 431}
    if path == BY_ID:
        for wrong in ("x", "-1", "1.0", "\uff11", "1,,2", str(2**63), "1 "):
            assert refused(trader.get(path, **{name: wrong})) == INVALID


@pytest.mark.parametrize(
    "filters, expected",
    [
        ({"size": "0"}, (400, "INVALID_GET_PAGE_SIZE")),
        ({"size": "101"}, (400, "INVALID_GET_PAGE_SIZE")),
        ({"size": "-1"}, (400, "INVALID_GET_PAGE_SIZE")),
        ({"size": "1e1"}, (400, "INVALID_GET_PAGE_SIZE")),
        ({"size": "\uff11\uff10"}, (400, "INVALID_GET_PAGE_SIZE")),
        ({"offsetData": "forged"}, INVALID),
        ({"offsetData": "A" * 32}, INVALID),
        ({"offsetData": "A" * 4_000}, INVALID),
        ({"filterStatusList": "DONE"}, INVALID),
        ({"filterStatusList": "PENDING_CENSORING,pending_censoring"}, INVALID),
        ({"filterCoinIdList": "USDT"}, INVALID),
        ({"filterStartCreatedTimeInclusive": "x"}, INVALID),
        ({"filterStartCreatedTimeInclusive": "2", "filterEndCreatedTimeExclusive": "1"}, INVALID),
    ],
    ids=str,
)
def test_a_page_asked_for_out_of_its_form_is_refused(
    refused: Refused, trader: Trader, filters: dict[str, str], expected: tuple[int, str]
) -> None:
    assert refused(trader.get(ACTIVE, **filters)) == expected


def test_a_page_token_is_its_accounts_and_its_filters_own(strict: Sandbox, trader: Trader) -> None:
    for _ in range(2):
        trader.create()
    token = trader.look(ACTIVE, size="1")["nextPageOffsetData"]
    stranger = new_trader(strict)
    assert len(trader.look(ACTIVE, size="1", offsetData=token)["dataList"]) == 1
    changed = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for call in (
        stranger.get(ACTIVE, size="1", offsetData=token),
        trader.get(ACTIVE, size="1", offsetData=token, filterCoinIdList="1000"),
        trader.get(ACTIVE, size="1", offsetData=changed),
    ):
        assert send(strict, call).verdict == INVALID


@pytest.mark.parametrize(
    "query", ["coinId=%ff", "coinId=%zz", "coinId=1000&coinId=1000", "&".join(["a=1"] * 65)]
)
def test_a_query_with_two_meanings_or_none_is_an_invalid_parameter(
    refused: Refused, standing: Trader, query: str
) -> None:
    sent = f"{query}&accountId={standing.account_id}"
    # Signed as it goes out.
    pairs = "&".join(sorted(sent.split("&")))
    name, _, value = pairs.partition("=")
    assert refused(get(AVAILABLE, standing.key, {name: value}, query=sent)) == INVALID


# ---- HTTP ----


def closed_with(strict: Sandbox, raw: bytes) -> Answer:
    """Send it; the answer must be the last thing on the connection."""
    with closing(Connection(strict.port)) as connection:
        connection.send(raw)
        answer = connection.answer()
        assert connection.socket.recv(1) == b""
    assert answer.closed
    return answer


@pytest.mark.usefixtures("nothing_taken")
@pytest.mark.parametrize(
    "lines, without",
    [
        ((b"X-edgeX-Api-Signature: 00\r\n",), b""),
        ((b"x-edgex-api-timestamp: 1\r\n",), b""),
        ((b"X-Folded: one\r\n two\r\n",), b""),
        ((b"Host: other\r\n",), b""),
        ((), b"host"),
        ((b"Transfer-Encoding: chunked\r\n",), b""),
        ((b"Content-Length: 3\r\n",), b""),
        ((b"X-Bare: line feed\n",), b""),
    ],
    ids=[
        *("signature twice", "timestamp twice", "folded", "two hosts", "no host"),
        *("length and chunked", "two lengths", "bare LF"),
    ],
)
def test_a_message_with_two_readings_is_refused_in_the_venues_words_and_the_connection_closed(
    strict: Sandbox, standing: Trader, lines: tuple[bytes, ...], without: bytes
) -> None:
    raw = standing.post(standing.members()).framed(*lines, without=without)
    assert told(closed_with(strict, raw)).verdict == INVALID


@pytest.mark.usefixtures("nothing_taken")
def test_65_kib_are_too_much_and_an_absolute_target_is_refused(strict: Sandbox, standing: Trader) -> None:
    call = standing.post(standing.members())
    announced = replace(call, body=b"").framed(b"Content-Length: 65537\r\n", without=b"content-length")
    assert told(closed_with(strict, announced)).verdict == (413, "GATEWAY_PARAM_INVALID")
    raw = call.raw.replace(b"POST ", b"POST http://127.0.0.1", 1)
    assert closed_with(strict, raw).status == 400


@pytest.mark.usefixtures("nothing_taken")
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/private//withdraw/createWithdraw",
        "/api/v1/private/./withdraw/createWithdraw",
        "/api%2Fv1/private/withdraw/createWithdraw",
        "/api/v1/private/withdraw/createWithdraw/",
        "/api/v1/private/withdraw/createwithdraw",
        "///api/v1/private/withdraw/createWithdraw",
    ],
)
def test_a_path_that_only_normalises_to_ours_is_not_found(
    strict: Sandbox, standing: Trader, path: str
) -> None:
    with closing(Connection(strict.port)) as connection:
        answer = connection.exchange(replace(standing.post(standing.members()), path=path).raw)
    assert answer.status == 404
    if path.startswith("/api/"):
        assert told(answer).verdict == (404, "GATEWAY_NOT_FOUND")


@pytest.mark.usefixtures("nothing_taken")
@pytest.mark.parametrize("method, path", [("GET", CREATE), ("POST", AVAILABLE), ("DELETE", CREATE)])
def test_another_method_is_refused(strict: Sandbox, standing: Trader, method: str, path: str) -> None:
    call = standing.post(standing.members()) if path == CREATE else standing.get(AVAILABLE, coinId="1000")
    with closing(Connection(strict.port)) as connection:
        answer = connection.exchange(replace(call, method=method).raw)
    assert told(answer).verdict == (405, "GATEWAY_METHOD_NOT_ALLOWED")
