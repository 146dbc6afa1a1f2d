from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.core.refusals import RefusalCode, Refused
from penstock.venues.venue import Limit, Route, Scope, Usage
from penstock.venues.zoomex import errors
from penstock.venues.zoomex.routes import FAMILIES, IP_LIMIT, ROUTES
from tests.venues.zoomex.world import (
    ASSETS,
    COINS,
    CREATE,
    DEPOSIT_ADDRESS,
    DEPOSITS,
    INNER,
    MARKET_TIME,
    NOW_MS,
    RECORDS,
    VENUE,
    WALLET_BALANCE,
    by_headers,
    by_parameters,
    create_members,
    outcome,
    raw,
    refusal,
    route_of,
)

GOLDEN = Path(__file__).parent / "golden"
OLD = {RECORDS, COINS, DEPOSIT_ADDRESS, DEPOSITS}
BARE = {CREATE, INNER}
NEW = {ASSETS, WALLET_BALANCE, MARKET_TIME}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")


def name_of(path: str) -> str:
    return path.removeprefix("/").replace("/", "_").replace("-", "_")


@pytest.mark.parametrize("path", sorted(OLD | BARE | NEW))
def test_an_error_comes_in_its_endpoints_own_envelope_byte_for_byte(path: str) -> None:
    refused = Refused(RefusalCode.BALANCE_TOO_LOW, asset="USDT", available="1")
    reply = VENUE.refuse(refused, route_of(path))
    assert (reply.status, reply.body) == (200, golden(f"error_{name_of(path)}"))


def test_every_route_has_one_of_the_two_families() -> None:
    assert {path for path, family in FAMILIES.items() if family == "old"} == OLD
    assert {path for path, family in FAMILIES.items() if family == "new_bare"} == BARE
    assert {path for path, family in FAMILIES.items() if family == "new"} == NEW


@pytest.mark.parametrize("path", sorted(OLD | BARE))
def test_authentication_errors_come_in_the_endpoints_own_envelope(path: str) -> None:
    reply = outcome(raw(path))
    assert refusal(reply) == (401, 10003)
    envelope = json.loads(reply.body)  # type: ignore[union-attr]
    assert ("ret_code" in envelope) == (path in OLD)


EXPECTED = {
    RefusalCode.PARAMETER_INVALID: 10001,
    RefusalCode.AMOUNT_MALFORMED: 131215,
    RefusalCode.AMOUNT_NOT_POSITIVE: 131215,
    RefusalCode.AMOUNT_PRECISION: 131210,
    RefusalCode.AMOUNT_TOO_SMALL: 131096,
    RefusalCode.AMOUNT_TOO_LARGE: 131096,
    RefusalCode.QUOTA_EXCEEDED: 131095,
    RefusalCode.CURRENCY_UNKNOWN: 131002,
    RefusalCode.WITHDRAWALS_CLOSED: 131097,
    RefusalCode.ADDRESS_INVALID: 131002,
    RefusalCode.ADDRESS_NOT_IN_BOOK: 131093,
    RefusalCode.ADDRESS_NOT_VERIFIED: 131093,
    RefusalCode.ADDRESS_COOLING_DOWN: 131098,
    RefusalCode.MEMO_INVALID: 131002,
    RefusalCode.RECIPIENT_UNKNOWN: 131077,
    RefusalCode.RECIPIENT_BLOCKED: 131078,
    RefusalCode.RECIPIENT_IS_SENDER: 131075,
    RefusalCode.RECIPIENT_NOT_IN_BOOK: 131093,
    RefusalCode.BALANCE_TOO_LOW: 131212,
    RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW: 131090,
    RefusalCode.ACCOUNT_IN_SECURITY_HOLD: 131089,
    RefusalCode.ACCOUNT_FROZEN: 131092,
    RefusalCode.ACCOUNT_IS_SUB_ACCOUNT: 10005,
    RefusalCode.KEY_FROZEN: 10003,
    RefusalCode.REQUEST_ID_CONFLICT: 10014,
}
"""From the venue's tables, written out a second time."""


@pytest.mark.parametrize("code", EXPECTED)
def test_a_refusal_has_the_venues_code(code: RefusalCode) -> None:
    reply = VENUE.refuse(Refused(code), route_of(CREATE))
    assert refusal(reply) == (200, EXPECTED[code])


@pytest.mark.parametrize("code", RefusalCode)
def test_every_refusal_makes_a_whole_envelope_with_and_without_its_detail(code: RefusalCode) -> None:
    detail = {
        "minimum": '1"{}',
        "maximum": "2",
        "precision": 6,
        "multiple": "3",
        "field": "amount",
        "text": "%s{x}",
    }
    for refused in (Refused(code), Refused(code, **detail)):
        for path in (CREATE, RECORDS):
            refusal(VENUE.refuse(refused, route_of(path)))


def test_a_conflict_names_the_id_and_what_differs() -> None:
    refused = Refused(RefusalCode.REQUEST_ID_CONFLICT, request_id="req0001", field="amount")
    message = json.loads(VENUE.refuse(refused, route_of(CREATE)).body)["retMsg"]
    assert "req0001" in message
    assert "amount" in message


def test_a_bad_parameter_is_named() -> None:
    reply = outcome(by_parameters(CREATE, create_members(requestId="a_b")))
    assert json.loads(reply.body)["retMsg"].endswith("requestId")  # type: ignore[union-attr]


def test_a_name_from_outside_is_not_echoed_at_length() -> None:
    reply = outcome(by_parameters(CREATE, create_members() | {"x" * 5000: "1"}))
    assert len(reply.body) < 200  # type: ignore[union-attr]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_an_unknown_outcome_is_no_definite_no(route: Route) -> None:
    """Bybit's clients take any HTTP 200 with a code for a no, and anything else for a failure to be looked into."""
    assert refusal(VENUE.in_doubt(route)) == (504, 10000)
    assert b"requestId" in VENUE.in_doubt(route).body
    assert refusal(VENUE.unavailable(route)) == (503, 10016)


def test_what_no_route_serves_is_told_in_the_newer_envelope() -> None:
    unknown = raw(CREATE)
    unknown = type(unknown)("POST", "/private/v1/asset/withdraw/cancel", b"", [], b"", "127.0.0.1", NOW_MS)
    assert refusal(VENUE.not_found(unknown, {}.get)) == (404, 10017)
    assert refusal(VENUE.wrong_method(raw(RECORDS))) == (400, 10001)
    assert b"ret_code" in VENUE.wrong_method(raw(RECORDS)).body
    assert refusal(VENUE.malformed()) == (400, 10001)
    assert refusal(VENUE.too_large()) == (413, 10001)


# --- rate limits -------------------------------------------------------------------------------------------


def test_the_documented_limits_hold_per_account_and_for_the_whole_address() -> None:
    limits = {route.path: (route.limit.count, route.limit.window_s) for route in ROUTES}
    assert limits == {
        CREATE: (1, 1),
        INNER: (1, 1),
        RECORDS: (300, 60),
        DEPOSITS: (300, 60),
        COINS: (5, 1),
        DEPOSIT_ADDRESS: (30, 60),
        ASSETS: (60, 60),
        WALLET_BALANCE: (10, 1),
        MARKET_TIME: (600, 5),
    }
    for route in ROUTES:
        assert route.limit.scope is (Scope.IP if route.path == MARKET_TIME else Scope.ACCOUNT)
        assert route.shared == (Limit(600, 5, Scope.IP, bucket="zoomex-ip", ban_s=600),)


def test_a_caller_over_its_limit_is_told_when_to_come_back() -> None:
    for path, resets_in_ms, resets_ms in ((CREATE, 400, 1_000), (RECORDS, 45_000, 45_000)):
        route = route_of(path)
        usage = Usage(route.limit.count + 1, route.limit, resets_in_ms, refused=True)
        reply = VENUE.rate_limited(route, usage, abusive=False)
        assert refusal(reply) == (200, 10006)
        assert b'"Too many visits!"' in reply.body
        headers = dict(VENUE.limit_headers(usage, NOW_MS))
        assert headers == {
            b"x-bapi-limit": b"%d" % route.limit.count,
            b"x-bapi-limit-status": b"0",
            b"x-bapi-limit-reset-timestamp": b"%d" % (NOW_MS + resets_ms),
        }
        # pybit 2 reads it from the body of the older family.
        envelope = json.loads(reply.body)
        assert envelope.get("rate_limit_reset_ms") == (NOW_MS + resets_ms if path == RECORDS else None)


def test_a_caller_within_its_limit_sees_what_is_left_and_the_time() -> None:
    usage = Usage(3, route_of(RECORDS).limit, 59_000)
    assert VENUE.limit_headers(usage, NOW_MS) == (
        (b"x-bapi-limit", b"300"),
        (b"x-bapi-limit-status", b"297"),
        (b"x-bapi-limit-reset-timestamp", b"%d" % NOW_MS),
    )


def test_an_address_over_its_limit_or_a_caller_who_keeps_on_is_forbidden() -> None:
    whole = Usage(601, IP_LIMIT, 600_000, refused=True)
    assert refusal(VENUE.rate_limited(route_of(CREATE), whole, abusive=False)) == (403, 10018)
    own = Usage(20, route_of(CREATE).limit, 1_000, refused=True)
    assert refusal(VENUE.rate_limited(route_of(CREATE), own, abusive=True)) == (403, 10018)


def test_the_codes_that_are_gateway_matters_have_their_http_status() -> None:
    assert (errors.NOT_AUTHENTICATED.status, errors.NOT_FOUND.status, errors.IP_LIMIT.status) == (
        401,
        404,
        403,
    )


def test_the_key_of_a_signed_request_is_checked_before_its_form() -> None:
    assert refusal(outcome(by_headers(CREATE, body="{}", x_bapi_api_key="nobody"))) == (200, 10003)
