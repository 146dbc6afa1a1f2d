"""Bad input to SunX, sent to a real server: the answer each gets, nothing stored, the connection sane.

Bad members are in `test_sunx_bad_values`, broken framing in `test_bad_framing`.
"""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.acceptance.bad_inputs import ENCODINGS, assert_alike_in_time
from tests.acceptance.raw_http import Connection
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.sunx_requests import APPLY, CONFIRM, RECORDS, TENANT, signed_path, stamp
from tests.acceptance.sunx_trader import (
    Refused,
    Trader,
    code,
    data,
    new_trader,
    refusing,
    stored,
    verdict,
)

pytestmark = pytest.mark.xdist_group("strict")

UNREADABLE, LOGIN = "gateway-internal-error", "login-required"
VERIFICATION = "Signature not valid: Verification failure [校验失败]"
UNKNOWN = "Signature not valid: Incorrect Access key [Access key错误]"
CLOUD = (b"CLOUD-EXCHANGE", TENANT)


@pytest.fixture
def trader(strict: Sandbox) -> Trader:
    return new_trader(strict)


@pytest.fixture
def refused(trader: Trader, seconds: list[float]) -> Iterator[Refused]:
    """Send what must be refused: nothing may be stored for it, and its connection stays sane."""
    with refusing(trader, seconds) as send:
        yield send


# ---- where it is sent, and by whom ----


@pytest.mark.parametrize(
    "path",
    [
        APPLY.removeprefix("/sapi/v1"),
        APPLY.replace("/v1/", "/v1//"),
        APPLY.replace("/v1/", "/v1/./"),
        APPLY.replace("/v1/", "%2Fv1/"),
        APPLY.replace("/sapi", "/x/%2e%2e/sapi"),
        APPLY.replace("/sapi", "/x/../sapi"),
        APPLY.replace("sunperp/dw", "sunperp%2Fdw"),
        APPLY.replace("sunperp", "sunx"),
        APPLY + "/",
        "/" + APPLY,
        APPLY.upper(),
        "/sapi/v1/account/withdraw",
    ],
)
def test_a_path_that_is_not_the_documented_one_is_unknown_before_anything_is_authenticated(
    trader: Trader, refused: Refused, path: str
) -> None:
    call = replace(trader.apply_call(), path=path)
    for covered in (signed_path(APPLY), path):
        assert refused(replace(call, signs_path=covered)).status == 404
    assert refused(call.written(None)).status == 404


def test_another_method_is_not_allowed(trader: Trader, refused: Refused) -> None:
    for call in (
        replace(trader.apply_call(), method="GET"),
        replace(trader.apply_call(), method="PUT"),
        replace(trader.records_call(), method="POST"),
    ):
        assert verdict(refused(call))[:2] == (405, "method-not-allowed")


@pytest.mark.parametrize(
    "host_lines",
    [b"", b"Host: api.sunx.io\r\nHost: api.sunx.io\r\n", b"Host: a\r\n b\r\n"],
    ids=["no host", "two hosts", "folded host"],
)
def test_a_request_without_one_host_is_malformed(trader: Trader, refused: Refused, host_lines: bytes) -> None:
    raw = trader.apply_call().signed(trader.key)
    altered = raw.replace(b"Host: " + trader.host.encode() + b"\r\n", host_lines, 1)
    assert altered != raw
    assert refused(altered).status == 400


def test_a_target_in_absolute_form_is_malformed(trader: Trader, refused: Refused) -> None:
    raw = trader.apply_call().signed(trader.key)
    assert refused(raw.replace(b"POST /", f"POST http://{trader.host}/".encode(), 1)).status == 400


@pytest.mark.parametrize("tenant", [None, b"6X2K9L4V1D", b"", TENANT.lower(), TENANT + b", " + TENANT])
def test_a_wallet_call_without_its_tenant_is_refused(
    trader: Trader, refused: Refused, tenant: bytes | None
) -> None:
    headers = () if tenant is None else ((b"CLOUD-EXCHANGE", tenant),)
    for call in (trader.apply_call(), trader.confirm_call("0" * 32, "0x"), trader.records_call()):
        assert verdict(refused(replace(call, headers=headers))) == (
            200,
            LOGIN,
            "CLOUD-EXCHANGE header is invalid",
        )


def test_a_tenant_named_twice_is_refused(trader: Trader, refused: Refused) -> None:
    answer = refused(replace(trader.apply_call(), headers=(CLOUD, CLOUD)))
    assert verdict(answer)[:2] == (400, UNREADABLE)


# ---- time, key, signature ----


@pytest.mark.parametrize(
    "write",
    [
        lambda: stamp(-301),
        lambda: stamp(330),
        lambda: stamp().replace("-", ""),
        lambda: stamp() + "Z",
        lambda: stamp() + "+00:00",
        lambda: stamp() + ".000",
        lambda: " " + stamp(),
        lambda: stamp() + "\n",
        lambda: stamp().replace("T", " "),
        lambda: stamp().lower(),
        lambda: stamp().translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),
        lambda: stamp()[:10] + "T24:00:00",
        lambda: "2026-02-30T06:00:00",
        lambda: str(int(time.time())),
        lambda: str(time.time_ns() // 1_000_000),
        lambda: "1e12",
        lambda: "+" + str(int(time.time())),
        lambda: "9" * 30,
        lambda: "",
    ],
    ids=range(19),
)
def test_a_time_out_of_the_window_or_of_another_form_is_refused(
    trader: Trader, refused: Refused, write: Callable[[], str]
) -> None:
    call = trader.apply_call()
    answer = refused(replace(call, query=call.query | {"Timestamp": write()}))
    assert "Invalid submission time" in verdict(answer)[2]


@pytest.mark.parametrize("shifted_s", [-280, 300])
def test_minutes_off_is_still_in_time(trader: Trader, shifted_s: int) -> None:
    call = trader.apply_call()
    data(trader.send(replace(call, query=call.query | {"Timestamp": stamp(shifted_s)})))


@pytest.mark.parametrize(
    "altered",
    [
        lambda sign: base64.b64decode(sign).hex(),
        lambda sign: base64.b64decode(sign).hex().upper(),
        lambda sign: sign.rstrip("="),
        lambda sign: sign[:-1],
        lambda sign: sign + "=",
        lambda sign: " " + sign,
        lambda sign: sign + "é",
        lambda sign: "é" * 44,
        lambda sign: sign.swapcase(),
        lambda sign: sign[::-1],
        lambda sign: "A" * 60_000,
        lambda _: "x",
    ],
    ids=range(12),
)
def test_a_signature_of_another_form_is_wrong(
    trader: Trader, refused: Refused, altered: Callable[[str], str]
) -> None:
    call = trader.apply_call()
    answer = refused(call.written(altered(call.signature(trader.key))))
    # A head of 64 KiB is too long to be read at all.
    assert answer.status == 431 or verdict(answer)[2] == VERIFICATION


def test_a_request_without_key_or_signature_is_not_logged_in(trader: Trader, refused: Refused) -> None:
    call = trader.apply_call()
    keyless = replace(
        call, query={name: value for name, value in call.query.items() if name != "AccessKeyId"}
    )
    for raw in (
        call.written(None),
        call.written(""),
        keyless.signed(trader.key),
        call.raw(APPLY.encode()),
        call.raw(APPLY.encode() + b"?"),
    ):
        assert verdict(refused(raw)) == (200, LOGIN, "Signature is missing, or user not found")


def test_a_parameter_that_comes_twice_or_cannot_be_read_is_a_verification_failure(
    trader: Trader, refused: Refused
) -> None:
    call = trader.apply_call()
    raw, sign = call.signed(trader.key), quote(call.signature(trader.key), safe="")
    for more in (
        f"&Signature={sign}",
        "&Signature=x",
        f"&AccessKeyId={trader.key.access_key}",
        "&SignatureVersion=2",
        "&x=%",
        "&x=%zz",
        "&x=%ff",
        "".join(f"&x{number}=1" for number in range(64)),
    ):
        altered = raw.replace(sign.encode(), (sign + more).encode(), 1)
        assert verdict(refused(altered))[2] == VERIFICATION, more


@pytest.mark.parametrize(
    "claimed",
    [
        {"SignatureMethod": "Ed25519"},
        {"SignatureMethod": "hmacsha256"},
        {"SignatureMethod": "none"},
        {"SignatureMethod": ""},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "02"},
        {"SignatureVersion": "\uff12"},
    ],
    ids=str,
)
def test_another_method_or_version_is_a_verification_failure(
    trader: Trader, refused: Refused, claimed: dict[str, str]
) -> None:
    call = trader.apply_call()
    assert verdict(refused(replace(call, query=call.query | claimed)))[2] == VERIFICATION


def test_a_public_key_is_no_secret_of_an_hmac(trader: Trader, refused: Refused) -> None:
    form = "ed25519:70ac4c00e803e6a2b7356d24d0537b8f7cf4ddf011bd909ce564db2acaf0009e"
    public = trader.with_key(secret=form)
    for secret in (form, form.removeprefix("ed25519:")):
        forged = replace(public.key, secret=secret)
        assert verdict(refused(public.apply_call().signed(forged)))[2] == VERIFICATION


def test_signatures_over_the_whole_path_or_for_another_call_are_wrong(
    trader: Trader, refused: Refused
) -> None:
    call = trader.apply_call()
    for covered in (APPLY, signed_path(CONFIRM), signed_path(RECORDS), "", "/"):
        assert verdict(refused(replace(call, signs_path=covered or " ")))[2] == VERIFICATION
    balance = trader.balance_call()
    cut = replace(balance, signs_path=balance.path.removeprefix("/sapi/v1"))
    assert verdict(refused(cut))[2] == VERIFICATION
    moved = trader.records_call().signed(trader.key).replace(b"type=withdraw", b"type=deposit", 1)
    assert verdict(refused(moved))[2] == VERIFICATION


def test_unknown_frozen_foreign_and_wrongly_signed_keys_are_told_alike_in_time_and_cost_the_owner_nothing(
    trader: Trader, strict: Sandbox
) -> None:
    frozen = trader.with_key(frozen=True)
    foreign = strict.new_key()
    forgeries = {
        "unknown": (replace(trader.key, access_key=secrets.token_hex(16)), UNKNOWN),
        "frozen": (frozen.key, UNKNOWN),
        "of another venue": (
            replace(trader.key, access_key=foreign["api_key"], secret=foreign["api_secret"]),
            UNKNOWN,
        ),
        "wrongly signed": (replace(trader.key, secret="wrong-secret"), VERIFICATION),
    }
    taken: dict[str, list[float]] = {kind: [] for kind in forgeries}
    before = stored(strict)
    with closing(Connection(strict.port)) as connection:
        for _ in range(60):
            for kind, (key, text) in forgeries.items():
                answer = connection.exchange(replace(trader, key=key).apply_call().signed(key))
                assert verdict(answer) == (200, "api-signature-not-valid", text)
                taken[kind].append(answer.seconds)
    assert_alike_in_time(taken.values())
    assert stored(strict) == before
    assert trader.send(trader.apply_call()).headers["ratelimit-remaining"] == "143"


# ---- the body ----


@pytest.mark.parametrize(
    "body",
    [
        '{"amount":"1000",%M}',
        r'{"\u0061mount":"1000",%M}',
        '{%M,"x":{"y":1,"y":2}}',
        "{ { %M",
        '{%M,"x":NaN}',
        '{%M,"x":Infinity}',
        '{%M,"x":-Infinity}',
        '{%M,"x":1e400}',
        '{%M,"x":1e1000000}',
        r'{%M,"x":"\ud800"}',
        r'{%M,"x":"\u0000"}',
        "{%M} {}",
        "{%M,}",
        "null",
        "[]",
        '"x"',
        "17",
        "",
        "currency=usdt&amount=20",
        "[" * 60_000,
        '{"x":' * 900 + "1" + "}" * 900,
        '{%M,"x":[[[[[[[[1]]]]]]]]}',
        '{%M,"x":' + "9" * 4_301 + "}",
    ],
    ids=range(23),
)
def test_a_body_that_is_no_clean_object_is_not_read(trader: Trader, refused: Refused, body: str) -> None:
    members = json.dumps(json.loads(trader.apply_call().body))[1:-1]
    answer = refused(trader.body_call(body.replace("%M", members).encode()))
    assert verdict(answer) == (200, UNREADABLE, "Failed to load data. Try again later.")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_in_another_encoding_is_not_read(trader: Trader, refused: Refused, encoding: str) -> None:
    body = ENCODINGS[encoding](trader.apply_call().body, b"usdt")
    assert code(refused(trader.body_call(body))) == UNREADABLE


def test_another_media_type_or_a_compressed_body_is_not_read(trader: Trader, refused: Refused) -> None:
    call = trader.apply_call()
    raw = call.signed(trader.key)
    for media in (b"application/x-www-form-urlencoded", b"text/plain", b"application/jsonp"):
        assert code(refused(raw.replace(b"application/json", media, 1))) == UNREADABLE
    bomb = replace(
        call, body=gzip.compress(b" " * 30_000_000), headers=(CLOUD, (b"Content-Encoding", b"gzip"))
    )
    assert code(refused(bomb)) == UNREADABLE
    long = replace(call, body=b" " * 65_537)
    with closing(Connection(trader.sandbox.port)) as connection:
        assert verdict(connection.exchange(long.signed(trader.key)))[:2] == (413, UNREADABLE)


def test_a_charset_beside_the_media_type_is_no_matter(trader: Trader) -> None:
    raw = trader.apply_call().signed(trader.key)
    data(trader.send(raw.replace(b"application/json", b"application/json; charset=utf-8", 1)))


def test_what_a_client_adds_decides_nothing_and_is_not_stored(trader: Trader) -> None:
    more = {
        "status": "SUCCESS",
        "approved": True,
        "order-id": 9,
        "__proto__": {"admin": True},
        "nonce": "A" * 32,
    }
    quote = trader.quote(**more)
    assert ("fee:1," in quote["content"], quote["nonce"] != "A" * 32) == (True, True)
    (row,) = trader.sandbox.rows("SELECT * FROM withdrawals WHERE account_id = ?", trader.customer.account_id)
    assert not {"SUCCESS", "A" * 32} & set(row)


def test_a_body_changed_on_its_way_shows_in_the_quote_and_holds_nothing(trader: Trader) -> None:
    call = trader.apply_call()
    changed = call.signed(trader.key).replace(b'"8.799999"', b'"98.79999"', 1)
    assert len(changed) == len(call.signed(trader.key))
    quote = data(trader.send(changed))
    assert "amount:98.79999," in quote["content"]
    meant = quote["content"].replace("98.79999", "8.799999")
    answer = trader.send(trader.confirm_call(quote["nonce"], trader.wallet.by_hand(meant)))
    assert (code(answer), trader.units()) == ("dw-withdraw-signature-error", (1_000_000_000, 0))
