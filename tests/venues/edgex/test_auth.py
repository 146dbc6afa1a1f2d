from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.core.time import UnixMs
from penstock.venues.edgex import auth, stark
from penstock.venues.edgex.routes import CALLS, ROUTES
from penstock.venues.venue import Ask, Level, Reply, Request, Route, Scope
from tests.venues.edgex.world import (
    ACCOUNT_ID,
    CREATE,
    NOW_MS,
    OTHER_PRIVATE,
    PUBLIC_X,
    PUBLIC_Y,
    TIMESTAMP,
    VENUE,
    WITHDRAW,
    P,
    create_members,
    flat,
    get,
    headers,
    make_key,
    outcome,
    post,
    refusal,
    sign_text,
)

ACTIVE = f"{WITHDRAW}/getActiveWithdraw"
BY_CLIENT_ID = f"{WITHDRAW}/getWithdrawByClientWithdrawId"
WRONG = (401, "SIGNATURE_ERROR")
PRIVATE_ROUTES = [route for route in ROUTES if route.level is Level.SIGNED]


def resigned(timestamp: str, signature: str | None = None, path: str = ACTIVE) -> Request:
    """A GET with these two headers, signed over its own timestamp unless told otherwise."""
    made = get(path)
    text = f"{timestamp}GET{path}accountId={ACCOUNT_ID}"
    sign = sign_text(text) if signature is None else signature
    return msgspec.structs.replace(made, headers=headers(timestamp, sign))


GOOD = sign_text(f"{TIMESTAMP}GET{ACTIVE}accountId={ACCOUNT_ID}")


def test_every_private_route_is_signed_offloaded_and_counted_by_account() -> None:
    for route in ROUTES:
        private = "/private/" in route.path
        assert (route.level is Level.SIGNED) is private
        assert route.offloaded is private
        assert route.limit.scope is (Scope.ACCOUNT if private else Scope.IP)
        assert route.permission == (("withdraw" if route.method == "POST" else "read") if private else None)


@pytest.mark.parametrize("route", CALLS, ids=lambda route: route.path)
def test_a_base_url_that_ends_in_a_slash_reaches_the_same_call(route: Route) -> None:
    (double,) = [other for other in ROUTES if other.path == "/" + route.path]
    assert msgspec.structs.replace(double, path=route.path) == route


def test_a_doubled_slash_is_not_signed() -> None:
    request = msgspec.structs.replace(get(ACTIVE), path="/" + ACTIVE)
    assert isinstance(outcome(request), Ask)
    doubled = get("/" + ACTIVE)
    assert refusal(outcome(doubled)) == WRONG


# --- what may be signed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, signed",
    [
        ("clientWithdrawIdList=a%2Cb&accountId={}", "accountId={}&clientWithdrawIdList=a,b"),
        ("clientWithdrawIdList=a%2Cb&accountId={}", "accountId={}&clientWithdrawIdList=a%2Cb"),
        ("clientWithdrawIdList=a,b&accountId={}", "accountId={}&clientWithdrawIdList=a,b"),
        ("accountId={}&clientWithdrawIdList=a+b", "accountId={}&clientWithdrawIdList=a b"),
        ("accountId={}&clientWithdrawIdList=a+b", "accountId={}&clientWithdrawIdList=a+b"),
        ("accountId={}&clientWithdrawIdList=a%20b", "accountId={}&clientWithdrawIdList=a b"),
        ("accountId={}&clientWithdrawIdList=%D0%B6", "accountId={}&clientWithdrawIdList=ж"),
        ("accountId={}&clientWithdrawIdList=a&clientWithdrawIdList=b", None),
        ("accountId={}&clientWithdrawIdList=a&unknown=", "accountId={}&clientWithdrawIdList=a&unknown="),
        ("accountId={}&clientWithdrawIdList=a&unknown", "accountId={}&clientWithdrawIdList=a&unknown="),
    ],
)
def test_a_query_may_be_signed_as_it_is_sent_or_decoded(query: str, signed: str | None) -> None:
    sent = query.format(ACCOUNT_ID)
    text = sent if signed is None else signed.format(ACCOUNT_ID)
    assert isinstance(outcome(get(BY_CLIENT_ID, query=sent, signed=text)), Ask)


@pytest.mark.parametrize(
    "signed",
    [
        "clientWithdrawIdList=a,b&accountId={}",
        "accountId={}",
        "",
        "accountId={}&clientWithdrawIdList=a,b&",
        "?accountId={}&clientWithdrawIdList=a,b",
        "accountId={}&clientWithdrawIdList=a%2cb",
        "accountId={}&clientWithdrawIdList=a%252Cb",
    ],
)
def test_a_query_signed_in_another_way_is_refused(signed: str) -> None:
    request = get(
        BY_CLIENT_ID,
        query=f"clientWithdrawIdList=a%2Cb&accountId={ACCOUNT_ID}",
        signed=signed.format(ACCOUNT_ID),
    )
    assert refusal(outcome(request)) == WRONG


def test_unknown_members_are_ignored_but_signed() -> None:
    members = create_members(status="SUCCESS", approved=True, fee="-5", __proto__={"a": [1, None]})
    assert isinstance(outcome(post(members)), Ask)
    assert refusal(outcome(post(create_members(), body=json.dumps(members).encode()))) == WRONG


def test_the_order_and_spacing_of_a_body_do_not_matter() -> None:
    members = create_members()
    body = json.dumps(dict(reversed(members.items())), indent=2).encode()
    assert isinstance(outcome(post(members, body=body)), Ask)


def test_the_query_of_a_post_is_neither_signed_nor_read() -> None:
    request = msgspec.structs.replace(post(create_members()), query=b"accountId=1&amount=1")
    asked = outcome(request)
    assert isinstance(asked, Ask)
    assert asked.question.amount == 10_000_000  # type: ignore[union-attr]


# --- the signature -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "0x{}", "{}" + f"{PUBLIC_Y:064x}", "{}" + "f" * 64])
@pytest.mark.parametrize("upper", [False, True])
def test_a_signature_may_have_two_words_or_three_in_either_case(form: str, upper: bool) -> None:
    text = form.format(GOOD.upper() if upper else GOOD)
    assert isinstance(outcome(resigned(TIMESTAMP, text)), Ask)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        GOOD[:-1],
        GOOD + "0",
        GOOD[:127] + "g",
        "é" * 64,
        "\xff" * 128,
        "0" * 128,
        GOOD[64:] + GOOD[:64],
        "f" * 128,
        "3bnvrDDBVzLQuDKyIlRdbfWIQ5UY7tjAGE8EVhHjpsQ=",
        f"{int(GOOD[:64], 16) + P:064x}{GOOD[64:]}",
        f"{GOOD[:64]}{int(GOOD[64:], 16) + P:064x}",
    ],
)
def test_a_signature_in_another_form_is_refused(wrong: str) -> None:
    assert refusal(outcome(resigned(TIMESTAMP, wrong))) == WRONG


def test_another_accounts_key_does_not_sign_for_this_one() -> None:
    assert refusal(outcome(get(ACTIVE, private=OTHER_PRIVATE))) == WRONG
    assert refusal(outcome(post(create_members(), private=OTHER_PRIVATE))) == WRONG


def test_a_key_whose_y_was_never_told_verifies_the_same() -> None:
    key = make_key(secret=f"{PUBLIC_X:x}:".encode())
    assert isinstance(outcome(get(ACTIVE), key), Ask)


def test_a_registered_key_that_is_no_point_verifies_nothing() -> None:
    assert refusal(outcome(get(ACTIVE), make_key(secret=b"5:"))) == WRONG


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_single_bit_flip_of_what_is_signed_is_refused(data: Any) -> None:
    members = create_members()
    good = post(members)
    parts = {
        "timestamp": TIMESTAMP.encode(),
        "signature": dict(good.headers)[b"x-edgex-api-signature"],
        "body": good.body,
    }
    name = data.draw(st.sampled_from(sorted(parts)))
    piece = parts[name]
    at, bit = data.draw(st.integers(0, len(piece) - 1)), data.draw(st.integers(0, 7))
    flipped = piece[:at] + bytes([piece[at] ^ (1 << bit)]) + piece[at + 1 :]
    if name == "body":
        try:
            if flat(json.loads(flipped)) == flat(members):  # white space, or a digit's case in an escape
                return
        except ValueError:
            pass
    if name == "signature" and flipped.lower() == piece.lower():
        return
    sent = parts | {name: flipped}
    request = Request(
        "POST",
        CREATE,
        b"",
        headers(sent["timestamp"].decode("latin-1"), sent["signature"].decode("latin-1")),
        sent["body"],
        "127.0.0.1",
        NOW_MS,
    )
    status, code = refusal(outcome(request))
    assert (status, code) in {
        WRONG,
        (401, "INVALID_TIMESTAMP"),
        (401, "INVALID_ACCOUNT_ID"),
        (400, "GATEWAY_PARAM_INVALID"),
        (400, "GATEWAY_PARAM_REQUIRED"),
    }


# --- the time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset_ms", [-60_000, -1, 0, 1, 60_000])
def test_a_timestamp_within_a_minute_is_accepted(offset_ms: int) -> None:
    assert isinstance(outcome(resigned(str(NOW_MS + offset_ms))), Ask)


@pytest.mark.parametrize(
    "timestamp",
    [
        str(NOW_MS - 60_001),
        str(NOW_MS + 60_001),
        str(NOW_MS // 1000),
        "1000000000000",
        "0",
        "",
        "1e12",
        f" {NOW_MS}",
        f"+{NOW_MS}",
        f"-{NOW_MS}",
        f"0{NOW_MS}",
        f"{NOW_MS}.0",
        "1" * 30,
        "1" * 5_000,
        "\xb9" * 13,
    ],
)
def test_a_timestamp_that_is_malformed_or_out_of_range_is_refused(timestamp: str) -> None:
    assert refusal(outcome(resigned(timestamp))) == (401, "INVALID_TIMESTAMP")


def test_full_width_digits_are_no_timestamp() -> None:
    request = get(ACTIVE)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in TIMESTAMP).encode()
    swapped = [(name, wide if name.endswith(b"timestamp") else value) for name, value in request.headers]
    found = outcome(msgspec.structs.replace(request, headers=swapped))
    assert refusal(found) == (401, "INVALID_TIMESTAMP")


# --- headers -------------------------------------------------------------------------------------------------


def test_a_request_without_signature_is_told_of_the_first_missing_header() -> None:
    for missing in ([b"x-edgex-api-signature"], [b"x-edgex-api-timestamp"], []):
        request = get(ACTIVE)
        kept = [pair for pair in request.headers if missing and pair[0] not in missing]
        reply = outcome(msgspec.structs.replace(request, headers=kept))
        assert refusal(reply) == (400, "GATEWAY_HEADER_REQUIRED")
        assert json.loads(reply.body)["msg"] == "header required : 'X-edgeX-Api-Key'"  # type: ignore[union-attr]


def test_the_web_scheme_misses_its_headers_in_order_and_then_its_key() -> None:
    names = ["X-edgeX-Api-Key", "X-edgeX-Passphrase", "X-edgeX-Signature", "X-edgeX-Timestamp"]
    for count in range(4):
        sent = [(name.lower().encode(), b"nope") for name in names[:count]]
        reply = outcome(msgspec.structs.replace(get(ACTIVE), headers=sent))
        assert refusal(reply) == (400, "GATEWAY_HEADER_REQUIRED")
        assert json.loads(reply.body)["msg"] == f"header required : '{names[count]}'"  # type: ignore[union-attr]
    sent = [(name.lower().encode(), b"nope") for name in names]
    reply = outcome(msgspec.structs.replace(get(ACTIVE), headers=sent))
    assert refusal(reply) == (401, "INVALID_API_KEY")
    envelope = json.loads(reply.body)  # type: ignore[union-attr]
    assert (envelope["msg"], envelope["errorParam"]) == ("invalid apiKey : nope", {"apiKey": "nope"})


@pytest.mark.parametrize("name", [b"x-edgex-api-signature", b"x-edgex-api-timestamp"])
@pytest.mark.parametrize("same", [True, False])
def test_a_doubled_header_is_refused(name: bytes, same: bool) -> None:
    request = get(ACTIVE)
    request.headers.append((name, dict(request.headers)[name] if same else b"1"))
    assert refusal(outcome(request)) == (400, "GATEWAY_PARAM_INVALID")


def test_other_headers_may_come_twice() -> None:
    request = get(ACTIVE)
    request.headers.extend([(b"accept", b"a"), (b"accept", b"b")])
    assert isinstance(outcome(request), Ask)


# --- the account ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "account_id",
    [
        "1",
        "0",
        "00",
        "0" + ACCOUNT_ID,
        "-1",
        "abc",
        "9223372036854775808",
        "1" * 5_000,
        "5434299229918991\uff15\uff10",
    ],
)
def test_an_unknown_account_is_refused(account_id: str) -> None:
    reply = outcome(get(ACTIVE, {"accountId": account_id}))
    assert refusal(reply) == (401, "INVALID_ACCOUNT_ID")
    shown = account_id[:64]
    envelope = json.loads(reply.body)  # type: ignore[union-attr]
    assert (envelope["msg"], envelope["errorParam"]) == (f"invalid accountId : {shown}", {"accountId": shown})


def test_a_key_of_another_venue_is_no_account_here() -> None:
    assert refusal(outcome(get(ACTIVE), make_key(venue="bitmart"))) == (401, "INVALID_ACCOUNT_ID")


@pytest.mark.parametrize("query", ["size=1", "accountId=", f"accountId={ACCOUNT_ID}&accountId={ACCOUNT_ID}"])
def test_a_request_names_one_account(query: str) -> None:
    status, code = refusal(outcome(get(ACTIVE, query=query)))
    assert (status, code) in {(400, "GATEWAY_PARAM_REQUIRED"), (400, "GATEWAY_PARAM_INVALID")}


@pytest.mark.parametrize(
    "changes", [{"frozen": True}, {"expires_ms": NOW_MS}, {"allowed_ips": ("10.0.0.1", "192.168.0.0/16")}]
)
@pytest.mark.parametrize("private", [OTHER_PRIVATE, None])
def test_an_account_that_is_not_enabled_is_told_before_its_signature(
    changes: dict[str, object], private: int | None
) -> None:
    request = get(ACTIVE) if private is None else get(ACTIVE, private=private)
    reply = outcome(request, make_key(**changes))
    assert refusal(reply) == (403, "ACCOUNT_ID_WHITELIST_ERROR")
    expected = f"accountId '{ACCOUNT_ID}' not in whitelist. Please contact administrator for access."
    assert json.loads(reply.body)["msg"] == expected  # type: ignore[union-attr]


@pytest.mark.parametrize("route", PRIVATE_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_private_call_asks_for_its_permission(route: Route) -> None:
    for held in ("read", "withdraw"):
        key = make_key(permissions=frozenset({held}))
        path = "/" + route.path.lstrip("/")
        made = get(path) if route.method == "GET" else post(create_members(), path)
        request = msgspec.structs.replace(made, path=route.path)
        found = VENUE.authenticate(request, route, {ACCOUNT_ID: key}.get)
        forbidden = isinstance(found, Reply) and refusal(found) == (403, "PERMISSION_DENIED")
        assert forbidden is (held != route.permission)


def test_an_unknown_a_disabled_and_a_wrongly_signed_account_cost_one_verification_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[int] = []
    real = stark.verifies

    def verifies(key: Any, message: int, signature: Any) -> bool:
        counted.append(message)
        return real(key, message, signature)

    monkeypatch.setattr(auth.stark, "verifies", verifies)
    request = get(ACTIVE, private=OTHER_PRIVATE)
    for key in (make_key(key_id="1"), make_key(frozen=True), make_key()):
        counted.clear()
        assert isinstance(outcome(request, key), Reply)
        assert len(counted) == 1


# --- who is counted ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_, claimed",
    [
        (get(ACTIVE, private=OTHER_PRIVATE), ACCOUNT_ID),
        (get(ACTIVE, query=f"size=1&%61ccountId={ACCOUNT_ID}"), ACCOUNT_ID),
        (post({"accountId": "12"}), "12"),
        (post({"accountId": 12}), None),
        (post({}, body=b"[" * 100_000), None),
        (get(ACTIVE, query="size=1"), None),
        (get(ACTIVE, query="accountId=abc"), None),
        (get(ACTIVE, query="accountId=%ff"), None),
    ],
)
def test_the_claimed_account_is_the_one_the_request_names(request_: Request, claimed: str | None) -> None:
    assert VENUE.claimed_key(request_) == claimed


def test_a_window_of_its_own_is_a_setting() -> None:
    late = msgspec.structs.replace(get(ACTIVE), now_ms=UnixMs(NOW_MS + 90_000))
    route = next(route for route in CALLS if route.path == ACTIVE)
    assert isinstance(auth.authenticate(late, route, {ACCOUNT_ID: make_key()}.get, 90_000), type(make_key()))
    with pytest.raises(auth.Rejected):
        auth.authenticate(late, route, {ACCOUNT_ID: make_key()}.get, 89_999)
