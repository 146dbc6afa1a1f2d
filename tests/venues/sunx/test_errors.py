from __future__ import annotations

import json

import ccxt
import pytest

from penstock.core.refusals import RefusalCode, Refused
from penstock.venues.sunx import errors
from penstock.venues.sunx.errors import REFUSALS, WireError
from penstock.venues.sunx.routes import ALL_PRIVATE, ALL_READS, RECORDS_OWN, ROUTES
from penstock.venues.venue import Level, Limit, Reply, Scope, Usage, Venue
from tests.venues.sunx.world import (
    APPLY,
    BALANCE,
    CONFIRM,
    NOW_MS,
    RECORDS,
    VENUE,
    error,
    request_of,
    route_of,
    told,
)

ALL = [value for value in vars(errors).values() if isinstance(value, WireError)]
ROUTE = route_of("POST", APPLY)
# What the venue's page marks as ours, because no list of SunX or HTX has a code for it.
OUR_OWN = {
    "base-not-found",
    "base-operation-forbidden",
    "dw-withdraw-closed",
    "dw-withdraw-forbidden",
    "dw-withdraw-max-limit",
    "dw-withdraw-nonce-expired",
    "dw-withdraw-nonce-invalid",
    "dw-withdraw-nonce-used",
    "dw-withdraw-signature-error",
}
# HTX's, and not in ccxt's table for it.
UNMAPPED = {"base-currency-error", "base-system-error", "login-required", "method-not-allowed"}


def test_the_dialect_is_a_venue_of_four_signed_routes() -> None:
    venue: Venue = VENUE
    assert venue.name == "sunx"
    assert {(route.method, route.path) for route in venue.routes} == {
        ("POST", APPLY),
        ("POST", CONFIRM),
        ("GET", RECORDS),
        ("GET", BALANCE),
    }
    assert {route.level for route in venue.routes} == {Level.SIGNED}


@pytest.mark.parametrize("code", RefusalCode)
def test_a_refusal_is_a_definite_answer_in_the_venues_words(code: RefusalCode) -> None:
    detail = {"asset": "USDT", "available": "3", "field": "amount", "minimum": "5"}
    reply = VENUE.refuse(Refused(code, **detail), ROUTE)
    # HTTP 200: a client that throws on every other status would lose the code. Never 500: nothing is in doubt.
    assert error(reply) == (200, REFUSALS[code].code)
    assert "%" not in told(reply)


@pytest.mark.parametrize("code", RefusalCode)
def test_a_refusal_without_its_figures_still_has_a_text(code: RefusalCode) -> None:
    assert "%" not in told(VENUE.refuse(Refused(code), ROUTE))


@pytest.mark.parametrize(
    "reply, expected",
    [
        (VENUE.in_doubt(route_of("POST", CONFIRM)), (500, "base-system-error")),
        (VENUE.in_doubt(ROUTE), (500, "base-system-error")),
        (VENUE.not_found(request_of("GET", "/sapi/v1/nowhere", ""), {}.get), (404, "base-not-found")),
        (VENUE.wrong_method(request_of("GET", APPLY, "")), (405, "method-not-allowed")),
        (VENUE.malformed(), (400, "gateway-internal-error")),
        (VENUE.too_large(), (413, "gateway-internal-error")),
        (
            VENUE.rate_limited(ROUTE, Usage(144, ALL_PRIVATE, refused=True), abusive=False),
            (429, "base-request-exceed-frequency-limit"),
        ),
        (
            VENUE.rate_limited(ROUTE, Usage(144, ALL_PRIVATE, refused=True), abusive=True),
            (429, "base-request-exceed-frequency-limit"),
        ),
    ],
)
def test_the_gates_own_refusals_have_their_codes(reply: Reply, expected: tuple[int, str]) -> None:
    assert error(reply) == expected


def test_only_a_confirmation_in_doubt_tells_its_caller_to_ask() -> None:
    assert "unknown" in told(VENUE.in_doubt(route_of("POST", CONFIRM)))
    assert told(VENUE.in_doubt(ROUTE)) == "System error"


def test_what_was_not_done_for_want_of_something_is_maintenance() -> None:
    reply = VENUE.unavailable(ROUTE)
    assert (reply.status, reply.body) == (503, b'{"status":"maintain"}')


@pytest.mark.parametrize("wire", ALL, ids=lambda wire: f"{wire.code} {wire.message[:30]}")
def test_ccxts_table_for_htx_knows_every_code_that_is_not_ours(wire: WireError) -> None:
    assert (wire.code in ccxt.htx().exceptions["exact"]) is (wire.code not in OUR_OWN | UNMAPPED)


@pytest.mark.parametrize(
    "reply, expected",
    [
        (VENUE.refuse(Refused(RefusalCode.BALANCE_TOO_LOW), ROUTE), ccxt.InsufficientFunds),
        (VENUE.refuse(Refused(RefusalCode.ADDRESS_NOT_IN_BOOK), ROUTE), ccxt.PermissionDenied),
        (VENUE.refuse(Refused(RefusalCode.KEY_FROZEN), ROUTE), ccxt.AuthenticationError),
        (VENUE.rate_limited(ROUTE, Usage(1, ALL_PRIVATE), abusive=False), ccxt.RateLimitExceeded),
    ],
)
def test_a_client_made_for_htx_sees_the_reason(reply: Reply, expected: type[Exception]) -> None:
    text = reply.body.decode()
    with pytest.raises(expected):
        ccxt.htx().handle_errors(reply.status, "", "", "POST", {}, text, json.loads(text), {}, "")


# --- limits ----------------------------------------------------------------------------------------------------------


def counted(path: str) -> dict[tuple[int, int], str]:
    """(count, seconds) of every limit on a route, with its bucket."""
    route = next(route for route in ROUTES if route.path == path)
    limits = (route.limit, *route.shared)
    assert {limit.scope for limit in limits} == {Scope.ACCOUNT}
    return {(limit.count, limit.window_s): limit.bucket for limit in limits}


def test_every_call_counts_against_the_accounts_total_and_reads_against_theirs() -> None:
    total, reads = {(144, 3): ALL_PRIVATE.bucket}, {(72, 3): ALL_READS.bucket}
    assert counted(APPLY) == counted(CONFIRM) == total
    assert counted(BALANCE) == total | reads
    assert counted(RECORDS) == total | reads | {(20, 2): ""}
    assert ALL_PRIVATE.bucket != ALL_READS.bucket


@pytest.mark.parametrize(
    "used, limit, resets_in_ms, expected",
    [
        (1, ALL_PRIVATE, 2_500, {"limit": "144", "interval": "3000", "remaining": "143"}),
        (72, ALL_READS, 1, {"limit": "72", "interval": "3000", "remaining": "0"}),
        (80, ALL_READS, 0, {"limit": "72", "interval": "3000", "remaining": "0"}),
    ],
)
def test_limit_headers_count_down_and_name_the_end_of_the_window(
    used: int, limit: Limit, resets_in_ms: int, expected: dict[str, str]
) -> None:
    headers = VENUE.limit_headers(Usage(used, limit, resets_in_ms), NOW_MS)
    told_headers = {name.decode().removeprefix("ratelimit-"): value.decode() for name, value in headers}
    assert told_headers == expected | {"reset": str(NOW_MS + resets_in_ms)}


def test_records_carry_the_older_headers_too() -> None:
    headers = dict(VENUE.limit_headers(Usage(3, RECORDS_OWN, 1_234), NOW_MS))
    assert headers[b"ratelimit-remaining"] == headers[b"x-hb-ratelimit-requests-remain"] == b"17"
    assert headers[b"x-hb-ratelimit-requests-expire"] == b"1234"
