"""A withdrawal is sent once, whatever becomes of its answer."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from penstock.client import OutcomeUnknown, RecipientKind, Status, VenueRefused
from penstock.venues.bitmart.auth import signature
from tests.client.caller import Caller
from tests.client.fake_bitmart import (
    ADDRESS,
    APPLY,
    HISTORY,
    KEY,
    MEMO,
    NOW_MS,
    SECRET,
    TIME,
    envelope,
    record,
)

WITHDRAWAL = ("USDT-ERC20", "100", ADDRESS)

DOUBTFUL_ANSWERS = [
    (500, envelope({}, 60051, "Internal Server Error")),
    (503, envelope({}, 30014, "Service unavailable")),
    (400, envelope({}, 60052, "Exception")),
    (502, b"<html>Bad Gateway</html>"),
    (403, b"<html>Attention required</html>"),
    (200, b""),
    (200, b'{"code": 1000, "mess'),
    (200, b'"\xff"'),
    (200, b"[" * 100_000),
    (200, b"null"),
    (200, envelope({})),
    (200, envelope({"withdraw_id": ""})),
    (200, envelope({"withdraw_id": 5})),
    (500, envelope({"withdraw_id": "700001"})),
    (302, b""),
]


def unknown_of(caller: Caller) -> OutcomeUnknown:
    caller.fake.then_raise(APPLY, httpx2.ReadTimeout("no answer"))
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    return caught.value


def test_a_withdrawal_is_one_signed_request(caller: Caller) -> None:
    sent = caller.call("withdraw", "USDT-ERC20", "100.50", ADDRESS, memo="7", wallet="FUND", remark="rent")
    (seen,) = caller.fake.seen
    assert sent.withdrawal_id == "700001"
    assert (seen.method, seen.path) == ("POST", APPLY)
    assert json.loads(seen.body) == {
        "currency": "USDT-ERC20",
        "amount": "100.50",
        "address": ADDRESS,
        "address_memo": "7",
        "destination": "rent",
        "sourceAccount": "FUND",
    }
    expected = signature(SECRET.encode(), MEMO, str(NOW_MS).encode(), seen.body).decode()
    assert (seen.headers["x-bm-key"], seen.headers["x-bm-sign"]) == (KEY, expected)
    assert seen.headers["x-bm-timestamp"] == str(NOW_MS)


def test_a_transfer_names_the_other_account(caller: Caller) -> None:
    sent = caller.call("withdraw_to_account", "BTC", Decimal("0.1"), "876940329")
    assert json.loads(caller.fake.seen[0].body) == {
        "currency": "BTC",
        "amount": "0.1",
        "type": 1,
        "value": "876940329",
    }
    assert sent.payment.recipient_kind is RecipientKind.ACCOUNT_NUMBER


def test_a_transfer_to_a_phone_names_its_country(caller: Caller) -> None:
    caller.call(
        "withdraw_to_account",
        "BTC",
        "1",
        "412345678",
        kind=RecipientKind.PHONE,
        area_code="61",
        wallet="SPOT",
    )
    assert json.loads(caller.fake.seen[0].body) == {
        "currency": "BTC",
        "amount": "1",
        "type": 3,
        "value": "412345678",
        "areaCode": "61",
        "sourceAccount": "SPOT",
    }


@pytest.mark.parametrize(
    "currency, network, name",
    [
        ("USDT", "ethereum", "USDT-ERC20"),
        ("USDT", "ETH", "USDT-ERC20"),
        ("USDT", "tron", "USDT-TRX"),
        ("USDT", "trc20", "USDT-TRX"),
        ("BTC", "bitcoin", "BTC"),
    ],
)
def test_a_coin_and_a_network_become_the_name_the_venue_lists(
    caller: Caller, currency: str, network: str, name: str
) -> None:
    assert caller.call("withdraw", currency, "1", ADDRESS, network=network).payment.currency == name


def test_a_network_the_venue_does_not_list_sends_nothing(caller: Caller) -> None:
    with pytest.raises(ValueError, match="on: ERC20, TRX"):
        caller.call("withdraw", "USDT", "1", ADDRESS, network="solana")
    assert caller.fake.count(APPLY) == 0


@pytest.mark.parametrize(
    "amount, text",
    [
        ("100.000", "100.000"),
        (Decimal("1E-5"), "0.00001"),
        (Decimal("1E+3"), "1000"),
        (7, "7"),
        (12345678901234567890123, "12345678901234567890123"),
        (Decimal("12345678901234567890.123456789012345678"), "12345678901234567890.123456789012345678"),
    ],
)
def test_an_amount_goes_out_as_its_exact_digits(caller: Caller, amount: Any, text: str) -> None:
    caller.call("withdraw", "USDT-ERC20", amount, ADDRESS)
    assert json.loads(caller.fake.seen[0].body)["amount"] == text


@pytest.mark.parametrize("amount", [1.5, 100.0, True, None, b"1", float("nan")])
def test_a_float_is_never_an_amount(caller: Caller, amount: Any) -> None:
    with pytest.raises(TypeError):
        caller.call("withdraw", "USDT-ERC20", amount, ADDRESS)
    assert not caller.fake.seen


NOT_AMOUNTS: list[Any] = [
    *[
        "",
        "-1",
        "+1",
        "1e3",
        "1,5",
        " 1",
        "1 ",
        ".5",
        "5.",
        "NaN",
        "\uff11",
        "0",
        "0.000",
        "1_000",
        "9" * 200,
        "00012",
    ],
    *[0, -3],
    *[Decimal("NaN"), Decimal(-1), Decimal("Infinity"), Decimal("1E+999")],
]


@pytest.mark.parametrize("amount", NOT_AMOUNTS)
def test_what_is_not_a_positive_plain_number_sends_nothing(caller: Caller, amount: Any) -> None:
    with pytest.raises(ValueError, match="amount"):
        caller.call("withdraw", "USDT-ERC20", amount, ADDRESS)
    assert not caller.fake.seen


@pytest.mark.parametrize("status, body", DOUBTFUL_ANSWERS)
def test_an_answer_that_says_neither_yes_nor_no_is_in_doubt(caller: Caller, status: int, body: bytes) -> None:
    caller.fake.then(APPLY, status, body, location="https://elsewhere.example/")
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    assert (caller.fake.count(APPLY), len(caller.fake.seen)) == (1, 1)
    assert caught.value.http_status == status


@pytest.mark.parametrize(
    "status, code, message",
    [
        (400, 60008, "Balance not enough"),
        (401, 30005, "Header X-BM-SIGN is wrong"),
        (429, 30013, "Request too many requests"),
        (200, 30016, "Service maintenance, the function is temporarily unavailable"),
    ],
)
def test_a_refusal_keeps_the_venues_code_and_words(
    caller: Caller, status: int, code: int, message: str
) -> None:
    caller.fake.then(APPLY, status, envelope({}, code, message))
    with pytest.raises(VenueRefused) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    refused = caught.value
    assert (refused.code, refused.message, refused.http_status) == (str(code), message, status)
    assert refused.trace == "fake-trace"
    assert caller.fake.count(APPLY) == 1


def test_the_history_shows_what_a_lost_answer_may_have_made(caller: Caller) -> None:
    unknown = unknown_of(caller)
    alike = [
        record(withdraw_id="1"),
        record(withdraw_id="2", currency="USDT-ETH", address=ADDRESS.lower()),
        record(withdraw_id="3", currency="USDT"),
    ]
    others = [
        record(withdraw_id="4", currency="USDT-TRX"),
        record(withdraw_id="5", arrival_amount="98"),
        record(withdraw_id="6", address="0x" + "1" * 40),
        record(withdraw_id="7", address_memo="9"),
        record(withdraw_id="8", currency="USDC-ERC20"),
    ]
    caller.fake.then(HISTORY, 200, envelope({"records": [*others, *alike]}))
    resolution = caller.call("resolve", unknown)
    assert [found.withdrawal_id for found in resolution.candidates] == ["1", "2", "3"]
    assert not resolution.conclusive
    asked = caller.fake.seen[-1].query
    assert (asked["operation_type"], asked["currency"]) == ("withdraw", "USDT")
    assert int(asked["startTime"]) <= NOW_MS - 60_000
    assert caller.fake.count(APPLY) == 1


def test_an_empty_history_is_proof_only_after_the_window(caller: Caller) -> None:
    unknown = unknown_of(caller)
    for server_time in (NOW_MS + 60_000, NOW_MS + 90_001):
        caller.fake.then(TIME, 200, envelope({"server_time": server_time}))
        caller.fake.then(HISTORY, 200, envelope({"records": []}))
    early, late = caller.call("resolve", unknown), caller.call("resolve", unknown)
    assert (early.candidates, early.conclusive) == ((), False)
    assert (late.candidates, late.conclusive) == ((), True)


def test_a_cut_history_is_no_proof(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.fake.then(TIME, 200, envelope({"server_time": NOW_MS + 10**7}))
    caller.fake.then(HISTORY, 200, envelope({"records": [record(arrival_amount="1")] * 1000}))
    assert not caller.call("resolve", unknown).conclusive


def test_a_lost_transfer_is_found_by_its_recipient(caller: Caller) -> None:
    caller.fake.then_raise(APPLY, httpx2.ReadError("reset"))
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw_to_account", "BTC", "1", "876940329")
    mine = record(currency="BTC", arrival_amount="1", fee="0", address="876940329", status=3)
    caller.fake.then(HISTORY, 200, envelope({"records": [mine, mine | {"address": "5"}]}))
    (found,) = caller.call("resolve", caught.value).candidates
    assert found.status is Status.DONE


def test_a_repeat_sends_the_very_same_bytes(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.clock.advance(59_999)
    sent = caller.call("repeat_identical", unknown, against_penstock=True)
    first, again = (seen for seen in caller.fake.seen if seen.path == APPLY)
    assert sent.withdrawal_id == "700001"
    assert (first.body, first.headers) == (again.body, again.headers)


def test_a_repeat_needs_the_callers_word_that_it_is_a_penstock(caller: Caller) -> None:
    unknown = unknown_of(caller)
    with pytest.raises(ValueError, match="resolve"):
        caller.call("repeat_identical", unknown, against_penstock=False)
    assert caller.fake.count(APPLY) == 1


def test_the_venue_itself_is_never_sent_a_repeat(caller: Caller) -> None:
    caller.base_url = "https://api-cloud.bitmart.com"
    unknown = unknown_of(caller)
    with pytest.raises(ValueError, match="resolve"):
        caller.call("repeat_identical", unknown, against_penstock=True)
    assert caller.fake.count(APPLY) == 1


def test_a_repeat_after_the_window_sends_nothing(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.clock.advance(60_000)
    with pytest.raises(OutcomeUnknown):
        caller.call("repeat_identical", unknown, against_penstock=True)
    assert caller.fake.count(APPLY) == 1


def test_a_refused_repeat_leaves_the_first_request_in_doubt(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.fake.then(APPLY, 400, envelope({}, 60008, "Balance not enough"))
    with pytest.raises(OutcomeUnknown, match="60008"):
        caller.call("repeat_identical", unknown, against_penstock=True)


def test_prepare_sends_nothing_and_shows_no_secret(caller: Caller) -> None:
    prepared = caller.call("prepare", *WITHDRAWAL)
    assert not caller.fake.seen
    assert prepared.request.signed_text == f"{NOW_MS}#***#{prepared.request.body.decode()}"
