from __future__ import annotations

import json

import ccxt
import pytest

from penstock.core.refusals import RefusalCode, Refused
from penstock.venues.bitmart import errors
from penstock.venues.bitmart.errors import REFUSALS, WireError
from penstock.venues.bitmart.routes import ROUTES
from penstock.venues.venue import Limit, Reply, Scope, Usage, Venue
from tests.venues.bitmart.world import APPLY, NOW_MS, TRACE, VENUE, post, refusal

USAGE = Usage(9, APPLY.limit, 500, refused=True)

ALL = [value for value in vars(errors).values() if isinstance(value, WireError)]
DETAIL = {"minimum": "1.5", "precision": 6, "multiple": "10", "maximum": "1"}


def test_the_dialect_is_a_venue() -> None:
    venue: Venue = VENUE
    assert venue.name == "bitmart"
    assert len({route.path for route in venue.routes}) == len(venue.routes) == len(ROUTES)


@pytest.mark.parametrize("code", RefusalCode)
def test_a_refusal_is_a_definite_answer_in_the_venues_words(code: RefusalCode) -> None:
    reply = VENUE.refuse(Refused(code, **DETAIL), APPLY)
    status, wire_code = refusal(reply)
    assert (status, wire_code) == (REFUSALS[code].status, REFUSALS[code].code)
    # HTTP 500 would tell a client that the outcome is unknown; a refusal never is.
    assert status != 500
    assert json.loads(reply.body)["data"] == {}
    assert "%" not in json.loads(reply.body)["message"]


@pytest.mark.parametrize(
    "code, message",
    [
        (RefusalCode.AMOUNT_TOO_SMALL, "Minimum amount is 1.5"),
        (RefusalCode.AMOUNT_PRECISION, "Maximum withdraw precision is 6"),
        (RefusalCode.AMOUNT_MULTIPLE, "The withdrawal amount must be an integral multiple of 10"),
    ],
)
def test_a_figure_stands_in_the_message(code: RefusalCode, message: str) -> None:
    assert json.loads(VENUE.refuse(Refused(code, **DETAIL), APPLY).body)["message"] == message


def test_a_refusal_without_its_figure_still_has_a_message() -> None:
    assert (
        json.loads(VENUE.refuse(Refused(RefusalCode.AMOUNT_TOO_SMALL), APPLY).body)["message"]
        == "Minimum amount is "
    )


@pytest.mark.parametrize(
    "reply, expected",
    [
        (VENUE.in_doubt(APPLY), (500, 60051)),
        (VENUE.unavailable(APPLY), (503, 30014)),
        (VENUE.not_found(post(b""), lambda _: None), (404, 30000)),
        (VENUE.wrong_method(post(b"")), (405, 60030)),
        (VENUE.malformed(), (400, 60000)),
        (VENUE.too_large(), (413, 60000)),
        (VENUE.rate_limited(APPLY, USAGE, abusive=False), (429, 30013)),
        (VENUE.rate_limited(APPLY, USAGE, abusive=True), (418, 30017)),
    ],
)
def test_the_gates_own_refusals_have_their_codes(reply: Reply, expected: tuple[int, int]) -> None:
    assert refusal(reply) == expected
    assert reply.headers == ((b"content-type", b"application/json"),)


def test_doubt_tells_the_caller_to_ask() -> None:
    message = json.loads(VENUE.in_doubt(APPLY).body)["message"]
    assert "unknown" in message
    assert "before you create another" in message


@pytest.mark.parametrize("error", ALL, ids=lambda error: f"{error.code}-{error.status}")
def test_ccxt_knows_the_code(error: WireError) -> None:
    unmapped = {60013, 60014, 60015, 60053, 60054, 60056, 60057, 60063, 60064, 60065, 60066, 60067, 61000}
    exact = ccxt.bitmart().exceptions["exact"]
    assert (str(error.code) in exact) is (error.code not in unmapped)


def test_ccxt_raises_by_the_envelope() -> None:
    exchange = ccxt.bitmart()
    for reply, expected in (
        (VENUE.refuse(Refused(RefusalCode.BALANCE_TOO_LOW), APPLY), ccxt.InsufficientFunds),
        (VENUE.refuse(Refused(RefusalCode.ADDRESS_NOT_IN_BOOK), APPLY), ccxt.InvalidAddress),
        (VENUE.rate_limited(APPLY, USAGE, abusive=False), ccxt.RateLimitExceeded),
        (VENUE.unavailable(APPLY), ccxt.ExchangeNotAvailable),
    ):
        text = reply.body.decode()
        with pytest.raises(expected):
            exchange.handle_errors(reply.status, "", "", "POST", {}, text, json.loads(text), {}, "")


@pytest.mark.parametrize("scope, mode", [(Scope.IP, b"IP"), (Scope.KEY, b"KEY")])
def test_limit_headers_count_up_and_give_the_windows_length(scope: Scope, mode: bytes) -> None:
    assert VENUE.limit_headers(Usage(3, Limit(8, 2, scope)), NOW_MS) == (
        (b"x-bm-ratelimit-remaining", b"3"),
        (b"x-bm-ratelimit-limit", b"8"),
        (b"x-bm-ratelimit-reset", b"2"),
        (b"x-bm-ratelimit-mode", mode),
    )


def test_every_reply_carries_the_trace_it_was_given() -> None:
    assert json.loads(VENUE.not_found(post(b""), lambda _: None).body)["trace"] == TRACE
