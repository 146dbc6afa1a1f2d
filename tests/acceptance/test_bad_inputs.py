"""Bad authentication and bad JSON, sent to a real server as raw bytes: the answer each gets, and nothing stored.

Amounts, addresses and recipients are in test_bad_values.py, framing in test_bad_framing.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.acceptance.bad_inputs import ENCODINGS, assert_alike_in_time
from tests.acceptance.raw_http import (
    APPLY,
    Answer,
    Connection,
    apply_body,
    apply_request,
    claims,
    head,
    now_ms,
    signature,
)
from tests.acceptance.sandbox_process import Sandbox

pytestmark = pytest.mark.xdist_group("strict")

Refused = Callable[[bytes], Answer]
SIGN_WRONG, SIGN_EMPTY = (401, 30005), (401, 30004)
NOT_A_LONG, OUT_OF_RANGE = (401, 30006), (401, 30007)
INVALID = (400, 60000)


def changed(strict: Sandbox, key: dict[str, str], changes: dict[bytes, bytes | None]) -> bytes:
    """A sound request with some headers replaced, or left out where the change is None."""
    body = apply_body(strict)
    headers = claims(key, body) | changes
    return head(APPLY, tuple((name, value) for name, value in headers.items() if value is not None)) + body


# ---- authentication ----


def test_one_changed_byte_of_the_body_is_a_wrong_signature(strict: Sandbox, refused: Refused) -> None:
    request = apply_request(strict.new_key(), apply_body(strict, amount="20"))
    assert refused(request.replace(b'"20"', b'"21"')).verdict == SIGN_WRONG


@pytest.mark.parametrize(
    "target",
    [
        b"/account/v1//withdraw/apply",
        b"/account/v1/./withdraw/apply",
        b"/account%2Fv1/withdraw/apply",
        b"/x/%2e%2e/account/v1/withdraw/apply",
        b"/x/../account/v1/withdraw/apply",
        b"/account/v1/withdraw/apply/",
        b"/ACCOUNT/v1/withdraw/apply",
    ],
)
def test_a_path_that_only_normalises_to_ours_is_not_found(
    strict: Sandbox, refused: Refused, target: bytes
) -> None:
    body = apply_body(strict)
    assert refused(head(target, tuple(claims(strict.new_key(), body).items())) + body).verdict == (404, 30000)


@pytest.mark.parametrize(
    "sign, expected",
    [
        (lambda sign: sign.upper(), SIGN_WRONG),
        (lambda sign: b"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY3ODkwYWJjZGVmZw==", SIGN_WRONG),
        (lambda sign: sign[:63], SIGN_WRONG),
        (lambda sign: sign[:62] + "é".encode(), SIGN_WRONG),
        (lambda sign: sign[:63] + b"\xe9", SIGN_WRONG),
        (lambda sign: sign + b"0", SIGN_WRONG),
        (lambda sign: b"", SIGN_EMPTY),
    ],
    ids=["upper case", "base64", "63 characters", "é in UTF-8", "é in Latin-1", "65 characters", "empty"],
)
def test_a_signature_in_another_form_is_wrong(
    strict: Sandbox, refused: Refused, sign: Callable[[bytes], bytes], expected: tuple[int, int]
) -> None:
    key, body = strict.new_key(), apply_body(strict)
    headers = claims(key, body)
    headers[b"X-BM-SIGN"] = sign(headers[b"X-BM-SIGN"])
    assert refused(head(APPLY, tuple(headers.items())) + body).verdict == expected


def test_a_missing_key_signature_or_timestamp_is_named(strict: Sandbox, refused: Refused) -> None:
    key = strict.new_key()
    assert refused(changed(strict, key, {b"X-BM-KEY": None})).verdict == (401, 30001)
    assert refused(changed(strict, key, {b"X-BM-SIGN": None})).verdict == SIGN_EMPTY
    assert refused(changed(strict, key, {b"X-BM-TIMESTAMP": None})).verdict == NOT_A_LONG


@pytest.mark.parametrize(
    "timestamp, expected",
    [
        (lambda now: str(now // 1000), OUT_OF_RANGE),
        (lambda now: str(now - 61_001), OUT_OF_RANGE),
        (lambda now: str(now + 61_001), OUT_OF_RANGE),
        (lambda now: "1e12", NOT_A_LONG),
        (lambda now: f"+{now}", NOT_A_LONG),
        (lambda now: f"-{now}", NOT_A_LONG),
        (lambda now: f"0{now}", NOT_A_LONG),
        (lambda now: str(now).translate({ord(d): ord(d) + 0xFEE0 for d in "0123456789"}), NOT_A_LONG),
        (lambda now: "9" * 30, NOT_A_LONG),
        (lambda now: f"{now}.0", NOT_A_LONG),
    ],
    ids=[
        "seconds",
        "too old",
        "too new",
        "exponent",
        "plus",
        "minus",
        "leading zero",
        "full-width",
        "30 digits",
        "fraction",
    ],
)
def test_a_timestamp_in_another_form_or_out_of_range_is_refused_though_signed(
    strict: Sandbox, refused: Refused, timestamp: Callable[[int], str], expected: tuple[int, int]
) -> None:
    request = apply_request(strict.new_key(), apply_body(strict), timestamp=timestamp(now_ms()))
    assert refused(request).verdict == expected


@pytest.mark.parametrize("apart_ms", [-58_000, 58_000])
def test_a_timestamp_within_the_minute_passes(strict: Sandbox, refused: Refused, apart_ms: int) -> None:
    # Refused for its amount, so authentication let it through. The exact edges are tested with a clock of ours.
    body = apply_body(strict, amount="0.5")
    assert refused(apply_request(strict.new_key(), body, timestamp=str(now_ms() + apart_ms))).verdict == (
        400,
        60005,
    )


def test_unknown_frozen_and_wrongly_signed_take_alike_and_cost_the_owner_nothing(strict: Sandbox) -> None:
    victim, frozen = strict.new_key(), strict.new_key(frozen=True)
    body, before = apply_body(strict), strict.stored()
    unknown = {**victim, "api_key": "00" * 20}
    wrong = {**victim, "api_secret": "guess"}
    kinds = {(401, 30002): unknown, (401, 30003): frozen, SIGN_WRONG: wrong}
    taken: dict[tuple[int, int], list[float]] = {verdict: [] for verdict in kinds}
    with closing(Connection(strict.port, "127.0.0.12")) as connection:
        for _ in range(300):
            for verdict, key in kinds.items():
                answer = connection.exchange(apply_request(key, body))
                assert answer.verdict == verdict
                taken[verdict].append(answer.seconds)
        assert_alike_in_time(taken.values())
        assert strict.stored() == before
        mine = connection.exchange(apply_request(victim, apply_body(strict, amount="0.5")))
        assert (mine.verdict, mine.headers["x-bm-ratelimit-remaining"]) == ((400, 60005), "1")


# ---- JSON ----


@pytest.mark.parametrize(
    "body",
    [
        '{"currency":"USDT-ERC20","address":"%A","amount":"20","amount":"1000"}',
        r'{"currency":"USDT-ERC20","address":"%A","amount":"20","\u0061mount":"1000"}',
        '{"currency":"USDT-ERC20","address":"%A","amount":"20","x":{"y":1,"y":2}}',
        '{ { "currency":"USDT-ERC20","amount":"100.000","destination":"To Digital Address" }',
        '{"currency":"USDT-ERC20","address":"%A","amount":NaN}',
        '{"currency":"USDT-ERC20","address":"%A","amount":Infinity}',
        '{"currency":"USDT-ERC20","address":"%A","amount":-Infinity}',
        '{"currency":"USDT-ERC20","address":"%A","amount":1e400}',
        '{"currency":"USDT-ERC20","address":"%A","amount":"20","x":NaN}',
        r'{"currency":"USDT-ERC20","address":"%A","amount":"20","destination":"\ud800"}',
        r'{"currency":"USDT-ERC20","address":"%A","amount":"20","destination":"\u0000"}',
        '{"currency":"USDT-ERC20","address":"%A","amount":"20"} {}',
        '{"currency":"USDT-ERC20","address":"%A","amount":"20",}',
        "null",
        "[]",
        '"x"',
        "17",
        "",
        "[" * 60_000,
        '{"x":' * 900 + "1" + "}" * 900,
        '{"currency":"USDT-ERC20","address":"%A","amount":"20","x":[[[[[[[[1]]]]]]]]}',
    ],
    ids=range(21),
)
def test_json_with_two_meanings_or_none_is_an_invalid_request(
    strict: Sandbox, refused: Refused, body: str
) -> None:
    written = body.replace("%A", strict.entry("USDT-ERC20")["address"]).encode()
    assert refused(apply_request(strict.new_key(), written)).verdict == INVALID


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_in_another_encoding_is_an_invalid_request(
    strict: Sandbox, refused: Refused, encoding: str
) -> None:
    body = ENCODINGS[encoding](apply_body(strict), b"ERC20")
    assert refused(apply_request(strict.new_key(), body)).verdict == INVALID


def test_text_that_does_not_even_begin_like_json_is_said_to_be_none(
    strict: Sandbox, refused: Refused
) -> None:
    body = b"currency=USDT-ERC20&amount=20"
    assert refused(apply_request(strict.new_key(), body)).verdict == (503, 30018)


@pytest.mark.parametrize(
    "media",
    [
        {b"Content-Type": b"application/x-www-form-urlencoded"},
        {b"Content-Type": b"text/plain"},
        {b"Content-Type": b"application/jsonp"},
        {b"Content-Encoding": b"gzip"},
        {b"Content-Encoding": b"br"},
    ],
    ids=str,
)
def test_another_media_type_or_a_compressed_body_is_not_read(
    strict: Sandbox, refused: Refused, media: dict[bytes, bytes]
) -> None:
    key = strict.new_key()
    bomb = gzip.compress(b" " * 30_000_000)
    assert refused(changed(strict, key, media)).verdict == (415, 60031)
    headers = claims(key, bomb) | media
    assert refused(head(APPLY, tuple(headers.items())) + bomb).verdict == (415, 60031)


def test_what_a_client_adds_decides_nothing_and_is_not_stored(strict: Sandbox) -> None:
    extra = {
        "status": "SUCCESS",
        "approved": True,
        "fee": "-5",
        "__proto__": {"admin": True},
        "withdraw_id": "1",
    }
    key = strict.new_key()
    with closing(Connection(strict.port)) as connection:
        made = connection.exchange(apply_request(key, apply_body(strict, **extra)))
    assert made.status == 200
    withdraw_id = int(made.envelope["data"]["withdraw_id"])
    (row,) = strict.rows("SELECT * FROM withdrawals WHERE withdrawal_id = ?", withdraw_id)
    (told,) = strict.rows("SELECT fee, state FROM withdrawals WHERE withdrawal_id = ?", withdraw_id)
    assert (told, withdraw_id != 1) == (("3000000", "held"), True)
    assert not {"SUCCESS", "-5"} & set(row)


@pytest.mark.parametrize("amount", [True, False, ["20"], {"amount": "20"}, None, ""], ids=str)
def test_an_amount_of_another_type_is_an_invalid_request(
    strict: Sandbox, refused: Refused, amount: object
) -> None:
    members = json.loads(apply_body(strict)) | {"amount": amount}
    assert refused(apply_request(strict.new_key(), json.dumps(members).encode())).verdict == INVALID


@pytest.mark.parametrize("kind", ["1", 1.0, 0, 4, -1, True, [1], "CID"], ids=repr)
def test_a_recipient_type_of_another_type_is_an_invalid_request(
    strict: Sandbox, refused: Refused, kind: object
) -> None:
    account_form = apply_body(strict, address=None, type=kind, value=strict.bitmart["recipient_cid"])
    key = strict.new_key()
    assert refused(apply_request(key, account_form)).verdict == INVALID
    assert refused(apply_request(key, apply_body(strict, type=kind))).verdict == INVALID


def test_a_signature_over_the_memo_of_another_key_is_wrong(strict: Sandbox, refused: Refused) -> None:
    key, other, body, stamp = strict.new_key(), strict.new_key(), apply_body(strict), str(now_ms())
    forged = claims(key, body, stamp) | {b"X-BM-SIGN": signature({**key, "memo": other["memo"]}, stamp, body)}
    assert refused(head(APPLY, tuple(forged.items())) + body).verdict == SIGN_WRONG
