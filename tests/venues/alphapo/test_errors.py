from __future__ import annotations

import json
import re

import pytest

from penstock.core.refusals import RefusalCode, Refused
from penstock.venues.alphapo.errors import REFUSALS, FieldError
from penstock.venues.alphapo.routes import CALCULATE, EXCHANGE_NOW, PING, ROUTES, WITHDRAWAL
from penstock.venues.venue import Limit, Scope, Usage
from tests.venues.alphapo.world import VENUE, faults, refusal

LIMIT = WITHDRAWAL.limit


def test_every_refusal_becomes_an_error_of_one_of_the_two_forms() -> None:
    for code in RefusalCode:
        reply = VENUE.refuse(Refused(code), WITHDRAWAL)
        told = json.loads(reply.body)
        assert told.keys() in ({"errors"}, {"error", "code"}), code
        assert 400 <= reply.status < 500 or code is RefusalCode.NOT_NOW
        assert "{" not in json.dumps(told.get("errors", {}))[1:-1], code


@pytest.mark.parametrize(
    "refused, expected",
    [
        (Refused(RefusalCode.REQUEST_ID_TAKEN), {"foreign_id": "The foreign id has already been taken."}),
        (Refused(RefusalCode.BALANCE_TOO_LOW, available="1"), {"amount": "Not enough money on balance"}),
        (
            Refused(RefusalCode.AMOUNT_TOO_SMALL, minimum="0.001"),
            {"amount": "The amount must be at least 0.001."},
        ),
        (Refused(RefusalCode.AMOUNT_TOO_SMALL), {"amount": "The amount is too small."}),
        (Refused(RefusalCode.RATE_STALE), {"convert_to": "Exchange is unavailable for given currencies"}),
        (
            Refused(RefusalCode.RATE_UNAVAILABLE),
            {"convert_to": "Exchange is unavailable for given currencies"},
        ),
        (Refused(RefusalCode.ADDRESS_INVALID), {"address": "The address is invalid."}),
        (Refused(RefusalCode.CURRENCY_UNKNOWN), {"currency": "The selected currency is invalid."}),
    ],
)
def test_what_the_engine_refuses_is_said_about_a_field(refused: Refused, expected: dict[str, str]) -> None:
    assert faults(VENUE.refuse(refused, WITHDRAWAL)) == expected


def test_an_exchange_has_other_names_for_the_same_fields() -> None:
    said = [
        faults(VENUE.refuse(Refused(code), EXCHANGE_NOW))
        for code in (RefusalCode.BALANCE_TOO_LOW, RefusalCode.RATE_STALE, RefusalCode.REQUEST_ID_TAKEN)
    ]
    assert said == [
        {"sender_amount": "Not enough money on balance"},
        {"receiver_currency": "Exchange is unavailable for given currencies"},
        {"foreign_id": "The foreign id has already been taken."},
    ]


def test_a_sentence_names_its_field_in_words() -> None:
    for error in REFUSALS.values():
        if isinstance(error, FieldError):
            assert re.search(r"\{field\}", error.text) or error.text[0].isupper()


def test_what_is_not_known_is_never_a_refusal() -> None:
    in_doubt, unavailable = VENUE.in_doubt(WITHDRAWAL), VENUE.unavailable(WITHDRAWAL)
    assert refusal(in_doubt) == (500, "outcome_unknown")
    assert b"transactions/info by foreign_id" in in_doubt.body
    assert refusal(unavailable) == (503, "service_unavailable")


def test_what_cannot_be_read_is_told_in_the_venues_form() -> None:
    assert refusal(VENUE.malformed()) == (400, "bad_content_format")
    assert refusal(VENUE.too_large()) == (413, "bad_content_format")


def test_prices_are_asked_for_thirty_times_a_minute_by_one_address() -> None:
    assert CALCULATE.limit == Limit(30, 60, Scope.IP, ban_s=60)
    reply = VENUE.rate_limited(CALCULATE, Usage(30, CALCULATE.limit, refused=True), abusive=False)
    assert (reply.status, reply.body) == (429, b'{"errors":{"error":"error code: 1015"}}')


def test_all_else_is_counted_generously_by_key() -> None:
    assert {route.limit for route in ROUTES if route not in (CALCULATE, PING)} == {Limit(100, 1, Scope.KEY)}
    for abusive in (False, True):
        reply = VENUE.rate_limited(WITHDRAWAL, Usage(100, LIMIT, refused=True), abusive=abusive)
        assert refusal(reply) == (429, "too_many_requests")


@pytest.mark.parametrize(
    "usage, headers",
    [
        (Usage(5, LIMIT, 900), ()),
        (Usage(100, LIMIT, 900, refused=True), ((b"retry-after", b"1"),)),
        (Usage(30, CALCULATE.limit, 59_001, refused=True), ((b"retry-after", b"60"),)),
        (Usage(100, LIMIT, 0, refused=True), ((b"retry-after", b"1"),)),
    ],
)
def test_only_who_is_refused_is_told_of_a_limit(usage: Usage, headers: object) -> None:
    assert VENUE.limit_headers(usage, 0) == headers  # type: ignore[arg-type]
