from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.core.amounts import Units
from penstock.core.queries import Balances, DepositAddress, FindWithdrawals
from penstock.core.states import State
from penstock.core.views import BalanceView, DepositAddressView
from penstock.venues.alphapo.money import ID_MAX
from penstock.venues.alphapo.records import STATUSES, Status, status_of
from penstock.venues.alphapo.routes import ROUTES
from penstock.venues.venue import Ask, Level, Reply, Request
from tests.venues.alphapo.world import (
    ACCOUNT,
    BTC_ADDRESS,
    CONVERTED,
    EXCHANGED,
    TX_HASH,
    XRP_ADDRESS,
    FakeRates,
    a_withdrawal,
    answer,
    ask_for,
    converted,
    faults,
    make_rates,
    make_venue,
    outcome,
    post,
    refusal,
)

GOLDEN = Path(__file__).parent / "golden"
INFO = "/transactions/info"


def info(**selector: object) -> Request:
    return ask_for("GET", INFO, json.dumps(selector).encode())


XRP_PENDING = a_withdrawal(
    asset="XRP",
    network="ripple",
    state=State.AWAITING_APPROVAL,
    address=XRP_ADDRESS,
    memo="12345",
    tx_hash="",
    confirmations=0,
    amount=Units(20_250_000),
    fee=Units(250_000),
    net=Units(20_000_000),
    extra='{"sender":"XRP","receiver":"XRP","scales":[6,6]}',
)
DECLINED = a_withdrawal(state=State.REJECTED, reason="declined: not today", tx_hash="", confirmations=0)
CANCELLED = converted(state=State.REJECTED, reason="Not enough money on balance", tx_hash="", confirmations=0)
REVERTED = a_withdrawal(state=State.FAILED, reason="the transaction was reverted")
EXCHANGE = a_withdrawal(
    asset="EUR",
    network="",
    address="",
    amount=Units(300_000),
    fee=Units(0),
    net=Units(16_666),
    tx_hash="",
    confirmations=0,
    extra=EXCHANGED,
    request_id="x-1",
    number=5,
)
BALANCES = [
    BalanceView("spot", "BTC", Units(123_456_789), Units(1)),
    BalanceView("spot", "ETH", Units(1_000_000_000_000_000_001), Units(0)),
    BalanceView("spot", "USDT", Units(900_000_000), Units(100_000_000)),
    BalanceView("spot", "EUR", Units(10_050), Units(0)),
    BalanceView("fund", "XRP", Units(5), Units(0)),
]
TAKE = {"currency": "BTC", "foreign_id": "user-1", "end_user_reference": "ref", "convert_to": "EUR"}

ANSWERED: dict[str, tuple[Request, object]] = {
    "info_confirmed": (info(id=678388), [a_withdrawal()]),
    "info_on_its_way": (info(foreign_id="wd-0001"), [a_withdrawal(state=State.MINED, confirmations=2)]),
    "info_not_sent": (
        info(foreign_id="wd-0001"),
        [a_withdrawal(state=State.HELD, tx_hash="", confirmations=0)],
    ),
    "info_pending": (info(id="678388"), [XRP_PENDING]),
    "info_declined": (info(id=678388), [DECLINED]),
    "info_cancelled": (info(id=678388), [CANCELLED]),
    "info_reverted": (info(id=678388), [REVERTED]),
    "info_converted": (info(txid=TX_HASH), [converted()]),
    "info_exchange": (info(id=5), [EXCHANGE]),
    "accounts": (post("/accounts/list"), BALANCES),
    "address": (post("/addresses/take", TAKE), DepositAddressView("BTC", "bitcoin", BTC_ADDRESS, "")),
    "address_with_tag": (
        post("/addresses/take", {"currency": "XRP", "foreign_id": 5}),
        DepositAddressView("XRP", "ripple", XRP_ADDRESS, "4294967295"),
    ),
}
AT_ONCE: dict[str, Request] = {
    "currencies": post("/currencies/list", {"visible": True}),
    "pairs": post("/currencies/pairs", b"null"),
    "rates": post("/currencies/rates", {"currency_from": "BTC", "currency_to": "USDTT"}),
}
CREATED = {"address", "address_with_tag"}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_written_byte_for_byte(name: str) -> None:
    request, value = ANSWERED[name]
    reply = answer(request, value)
    assert (reply.status, reply.body) == (201 if name in CREATED else 200, golden(name))


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_needs_nobody_is_answered_at_once_byte_for_byte(name: str) -> None:
    reply = outcome(AT_ONCE[name])
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, golden(name))


def test_every_golden_file_belongs_to_a_test() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ANSWERED) | set(AT_ONCE)


# --- transactions ------------------------------------------------------------------------------------------


def found(**named: Any) -> FindWithdrawals:
    return FindWithdrawals(ACCOUNT, 1, venue="alphapo", **named)


@pytest.mark.parametrize(
    "body, query, question",
    [
        (b'{"id":5}', b"", found(numbers=(5,))),
        (b'{"id":"5"}', b"", found(numbers=(5,))),
        (b'{"foreign_id":"a b"}', b"", found(request_ids=("a b",), on_chain=True)),
        (b'{"foreign_id":123}', b"", found(request_ids=("123",), on_chain=True)),
        (b'{"txid":"0xAB"}', b"", found(tx_hash="0xAB", on_chain=True)),
        (b'{"id":null,"foreign_id":"","txid":"ab"}', b"", found(tx_hash="ab", on_chain=True)),
        (b"", b"id=5", found(numbers=(5,))),
        (b"", b"foreign_id=caf%C3%A9+1&x=2", found(request_ids=("café 1",), on_chain=True)),
        (b"", b"txid=ab&id=", found(tx_hash="ab", on_chain=True)),
        (b"{}", b"id=5", found(numbers=(5,))),
        (b"null", b"id=5", found(numbers=(5,))),
        (b'{"id":5}', b"id=6&foreign_id=7", found(numbers=(5,))),
    ],
)
def test_a_selector_becomes_a_question(body: bytes, query: bytes, question: FindWithdrawals) -> None:
    asked = outcome(ask_for("GET", INFO, body, query=query))
    assert isinstance(asked, Ask), asked
    assert asked.question == question


@pytest.mark.parametrize(
    "body, query",
    [
        (b"", b""),
        (b"{}", b"name=1"),
        (b'{"id":5,"txid":"ab"}', b""),
        (b"", b"id=5&foreign_id=5"),
        (b"[]", b"id="),
    ],
)
def test_exactly_one_selector_is_wanted(body: bytes, query: bytes) -> None:
    told = faults(outcome(ask_for("GET", INFO, body, query=query)))
    assert told == {"id": "Exactly one of id, foreign id and txid is required."}


@pytest.mark.parametrize(
    "body",
    [b'{"id":1.0}', b'{"id":1e3}', b'{"id":-1}', b'{"id":0}', b'{"id":"abc"}', b'{"id":true}', b'{"id":[1]}'],
)
def test_an_id_is_a_whole_number(body: bytes) -> None:
    assert faults(outcome(ask_for("GET", INFO, body))) == {"id": "The id must be an integer."}


@pytest.mark.parametrize("name", ["foreign_id", "txid"])
@pytest.mark.parametrize("value", [True, 1.5, {"a": 1}, "x" * 256])
def test_the_other_selectors_are_texts(name: str, value: object) -> None:
    assert faults(outcome(info(**{name: value}))).keys() == {name}


@pytest.mark.parametrize(
    "query", [b"id=5&id=5", b"id=5&%69d=6", b"id=%", b"id=%ff", b"txid=%00", b"&".join([b"a%d=1"] * 65)]
)
def test_a_query_that_can_be_read_in_two_ways_is_bad_content(query: bytes) -> None:
    assert refusal(outcome(ask_for("GET", INFO, query=query))) == (400, "bad_content_format")


def test_what_is_not_there_is_not_found() -> None:
    assert refusal(answer(info(id=5), [])) == (404, "not_found")
    assert refusal(outcome(info(id=ID_MAX + 1))) == (404, "not_found")
    assert refusal(outcome(info(id="9" * 19))) == (404, "not_found")


def test_every_state_has_its_status() -> None:
    by_status = {status: {state for state, other in STATUSES.items() if other is status} for status in Status}
    assert by_status[Status.PENDING] == {State.AWAITING_APPROVAL}
    assert by_status[Status.CONFIRMED] == {State.CONFIRMED}
    assert by_status[Status.DECLINED] == {State.CANCELLED}
    assert by_status[Status.CANCELLED] == {State.REJECTED, State.EXPIRED, State.FAILED}
    assert status_of(State.REJECTED, "declined: no") is Status.DECLINED
    assert status_of(State.REJECTED, "the limit") is Status.CANCELLED


@pytest.mark.parametrize("state", State)
def test_money_and_fees_are_shown_only_while_they_are_true(state: State) -> None:
    told = json.loads(answer(info(id=1), [converted(state=state)]).body)
    shown = told["status"] in {"not_confirmed", "confirmed"}
    assert ("currency_sent" in told, "currency_received" in told) == (shown, shown)
    assert shown or told["fees"] == []
    assert (told["error"] == "") or told["status"] in {"declined", "cancelled"}
    assert [row["transaction_type"] for row in told["transactions"]] == ["blockchain", "exchange"]


@pytest.mark.parametrize("state", [State.HELD, State.APPROVED, State.PLANNED, State.SIGNED])
def test_a_hash_is_told_when_the_bytes_were_offered_and_not_before(state: State) -> None:
    told = json.loads(answer(info(id=1), [a_withdrawal(state=state)]).body)
    assert told["transactions"][0]["txid"] is None
    assert told["transactions"][0]["confirmations"] == "0"
    assert told["fees"] == []


def test_an_id_never_leaves_32_bits_and_no_two_rows_share_one() -> None:
    rows = [
        row
        for number in (1, 2, 3, 2**30 - 1)
        for row in json.loads(answer(info(id=1), [converted(number=number)]).body)["transactions"]
    ]
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert 0 < min(ids) <= max(ids) <= ID_MAX
    told = json.loads(answer(info(id=1), [a_withdrawal(extra=CONVERTED)]).body)
    assert 0 < told["crypto_address"]["id"] <= ID_MAX


# --- the rest ----------------------------------------------------------------------------------------------


def test_balances_and_addresses_are_asked_of_the_account() -> None:
    balances, address = outcome(post("/accounts/list")), outcome(post("/addresses/take", TAKE))
    assert isinstance(balances, Ask)
    assert isinstance(address, Ask)
    assert balances.question == Balances(ACCOUNT)
    assert address.question == DepositAddress(ACCOUNT, "BTC", "bitcoin")


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"currency": None}, {"currency": "The currency field is required."}),
        ({"currency": "EUR"}, {"currency": "The selected currency is invalid."}),
        ({"currency": "USDT"}, {"currency": "The selected currency is invalid."}),
        ({"currency": "SHUT"}, {"currency": "The currency is not available at the moment."}),
        ({"convert_to": "DOGE"}, {"convert_to": "The selected convert to is invalid."}),
        ({"foreign_id": None}, {"foreign_id": "The foreign id field is required."}),
        ({"foreign_id": 1.5}, {"foreign_id": "The foreign id must be a string."}),
        ({"end_user_reference": 5}, {"end_user_reference": "The end user reference must be a string."}),
    ],
)
def test_what_is_wrong_with_an_address_request_is_said(
    change: dict[str, object], expected: dict[str, str]
) -> None:
    assert faults(outcome(post("/addresses/take", TAKE | change))) == expected


def test_a_currency_without_an_address_is_said_to_have_none() -> None:
    told = faults(answer(post("/addresses/take", TAKE), None))
    assert told == {"currency": "There is no deposit address for the currency."}


@pytest.mark.parametrize("memo, tag", [("", None), ("7", 7), ("007", "007"), ("note", "note"), ("٣", "٣")])
def test_a_tag_is_a_number_where_it_can_be(memo: str, tag: object) -> None:
    reply = answer(post("/addresses/take", TAKE), DepositAddressView("XRP", "ripple", XRP_ADDRESS, memo))
    assert json.loads(reply.body)["data"]["tag"] == tag


@pytest.mark.parametrize(
    "visible, listed", [(True, True), (1, True), ("1", True), (False, False), (0, False)]
)
def test_currencies_that_are_not_offered_are_none(visible: object, listed: bool) -> None:
    reply = outcome(post("/currencies/list", {"visible": visible}))
    assert isinstance(reply, Reply)
    assert bool(json.loads(reply.body)["data"]) == listed


@pytest.mark.parametrize("visible", ["yes", 2, [], {}])
def test_visible_is_true_or_false(visible: object) -> None:
    told = faults(outcome(post("/currencies/list", {"visible": visible})))
    assert told == {"visible": "The visible field must be true or false."}


@pytest.mark.parametrize("path", ["/currencies/pairs", "/currencies/rates"])
def test_a_filter_names_a_currency(path: str) -> None:
    assert faults(outcome(post(path, {"currency_from": "USDT", "currency_to": 5}))) == {
        "currency_from": "The selected currency from is invalid.",
        "currency_to": "The currency to must be a string.",
    }


def test_pairs_without_a_fresh_rate_are_left_out() -> None:
    rates = make_rates()
    rates.age_ms = 60_001
    for some in (rates, FakeRates({})):
        reply = outcome(post("/currencies/pairs"), venue=make_venue(some))
        assert isinstance(reply, Reply)
        assert reply.body == b'{"data":[]}'


@pytest.mark.parametrize("route", [route for route in ROUTES if route.level is Level.SIGNED])
@pytest.mark.parametrize("body", [b"[1]", b'"x"', b"{", b"\xff", b'{"a":1,"a":2}'])
def test_no_route_takes_what_is_no_object(route: Any, body: bytes) -> None:
    request = ask_for(route.method, route.path.removeprefix("/api/v2"), body)
    assert refusal(outcome(request)) == (400, "bad_content_format")
