from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.core.ids import WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import Accepted
from penstock.venues.edgex.errors import REFUSALS
from penstock.venues.edgex.routes import CREATE_WITHDRAW, CREATIONS, READS, ROUTES
from penstock.venues.venue import Reply, Usage, Venue
from tests.venues.edgex.world import (
    NOW_MS,
    TRACE,
    VENUE,
    WITHDRAW,
    answer,
    create_members,
    get,
    outcome,
    post,
    public,
    refusal,
)

GOLDEN = Path(__file__).parent / "golden"
DETAIL: dict[str, Any] = {
    "minimum": "5",
    "maximum": "100000",
    "available": "1.5",
    "currency": "7",
    "request_id": "client_withdraw_123",
    "mark": "1825797848",
    "address": "0x1",
    "field": "amount",
}


def refused(code: RefusalCode) -> Reply:
    return VENUE.refuse(Refused(code, **DETAIL), CREATE_WITHDRAW)


def test_the_dialect_is_a_venue() -> None:
    venue: Venue = VENUE
    assert venue.name == "edgex"
    assert len({(route.method, route.path) for route in venue.routes}) == len(ROUTES) == 24


@pytest.mark.parametrize("code", RefusalCode)
def test_a_refusal_is_a_definite_answer(code: RefusalCode) -> None:
    status, wire_code = refusal(refused(code))
    assert (status, wire_code) == (REFUSALS[code].status, REFUSALS[code].code)
    # HTTP 500 would tell a client that the outcome is unknown; a refusal never is.
    assert status != 500


@pytest.mark.parametrize(
    "code, wire_code, message, named",
    [
        (
            RefusalCode.EXCLUSIVE_TAKEN,
            "L2_NONCE_COLLISION",
            (
                "another withdrawal with another clientWithdrawId has this l2Nonce, nothing was done. Use another "
                "clientWithdrawId : 1825797848"
            ),
            {"l2Nonce": "1825797848"},
        ),
        (
            RefusalCode.REQUEST_ID_CONFLICT,
            "DUPLICATE_CLIENT_WITHDRAW_ID",
            "clientWithdrawId was used with other content : client_withdraw_123",
            {"clientWithdrawId": "client_withdraw_123"},
        ),
        (
            RefusalCode.BALANCE_TOO_LOW,
            "INSUFFICIENT_BALANCE",
            "insufficient balance, available : 1.5",
            None,
        ),
        (RefusalCode.AMOUNT_TOO_SMALL, "INVALID_AMOUNT", "amount below the minimum : 5", None),
        (RefusalCode.AMOUNT_TOO_LARGE, "INVALID_AMOUNT", "amount above the maximum : 100000", None),
        (RefusalCode.CURRENCY_UNKNOWN, "INVALID_COIN_ID", "invalid coinId : 7", {"coinId": "7"}),
        (RefusalCode.ACCOUNT_FROZEN, "ACCOUNT_STATUS_ABNORMAL", "account status abnormal", None),
    ],
)
def test_a_refusal_of_the_engine_in_the_venues_words(
    code: RefusalCode, wire_code: str, message: str, named: object
) -> None:
    envelope = json.loads(refused(code).body)
    assert (envelope["code"], envelope["msg"], envelope["errorParam"]) == (wire_code, message, named)


def test_a_refusal_without_its_figure_still_has_a_message() -> None:
    reply = VENUE.refuse(Refused(RefusalCode.BALANCE_TOO_LOW), CREATE_WITHDRAW)
    assert json.loads(reply.body)["msg"] == "insufficient balance, available"


@pytest.mark.parametrize(
    "reply, expected",
    [
        (VENUE.in_doubt(CREATE_WITHDRAW), (500, "GATEWAY_INTERNAL_ERROR")),
        (VENUE.unavailable(CREATE_WITHDRAW), (503, "SERVICE_UNAVAILABLE")),
        (VENUE.not_found(public("/api/v1/x"), {}.get), (404, "GATEWAY_NOT_FOUND")),
        (VENUE.wrong_method(public("/api/v1/x")), (405, "GATEWAY_METHOD_NOT_ALLOWED")),
        (VENUE.malformed(), (400, "GATEWAY_PARAM_INVALID")),
        (VENUE.too_large(), (413, "GATEWAY_PARAM_INVALID")),
    ],
)
def test_the_gates_own_refusals_have_their_codes(reply: Reply, expected: tuple[int, str]) -> None:
    assert refusal(reply) == expected


def test_doubt_tells_the_caller_to_ask() -> None:
    message = json.loads(VENUE.in_doubt(CREATE_WITHDRAW).body)["msg"]
    assert "unknown" in message
    assert "getWithdrawByClientWithdrawId" in message


@pytest.mark.parametrize("abusive", [False, True])
@pytest.mark.parametrize("resets_in_ms, seconds", [(0, b"1"), (1, b"1"), (1_000, b"1"), (1_001, b"2")])
def test_one_too_many_is_told_when_to_come_back(abusive: bool, resets_in_ms: int, seconds: bytes) -> None:
    usage = Usage(10, CREATIONS, resets_in_ms, refused=True)
    reply = VENUE.rate_limited(CREATE_WITHDRAW, usage, abusive=abusive)
    assert refusal(reply) == (429, "RATE_LIMIT_EXCEEDED")
    assert dict(reply.headers)[b"retry-after"] == seconds


def test_no_limit_is_told_of_otherwise() -> None:
    assert VENUE.limit_headers(Usage(1, READS), NOW_MS) == ()


def test_reads_and_creations_have_a_count_each() -> None:
    assert (READS.count, READS.window_s, CREATIONS.count, CREATIONS.window_s) == (50, 1, 10, 1)
    assert READS.bucket != CREATIONS.bucket


def test_a_success_and_a_refusal_are_written_byte_for_byte() -> None:
    accepted = Accepted(WithdrawalId(563_516_408_235_819_790), NOW_MS, repeated=False)
    made = answer(post(create_members()), accepted)
    assert made.body == (GOLDEN / "create_withdraw.json").read_bytes().rstrip(b"\n")
    reply = outcome(get(f"{WITHDRAW}/getWithdrawAvailableAmount", {"coinId": "7"}))
    assert isinstance(reply, Reply)
    assert reply.body == (GOLDEN / "refused.json").read_bytes().rstrip(b"\n")


def test_the_trace_has_32_digits() -> None:
    assert json.loads(VENUE.malformed().body)["traceId"] == TRACE
    assert len(TRACE) == 32


def test_a_text_that_a_caller_chose_is_cut() -> None:
    reply = outcome(get(f"{WITHDRAW}/getWithdrawAvailableAmount", {"coinId": "x" * 200}))
    assert isinstance(reply, Reply)
    assert json.loads(reply.body)["errorParam"] == {"coinId": "x" * 64}
