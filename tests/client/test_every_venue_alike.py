"""What the two clients do alike whichever venue stands behind them, seen on one that nobody has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from penstock.client import AsyncClient, Client, NotOffered, OutcomeUnknown, Payment, RecipientKind
from penstock.core.time import ManualClock
from tests.client.fake_venue import MADE_ID, NAME, FakeVenue

URL = "http://127.0.0.1:9"

Call = Callable[..., Any]


def _answer(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, content=b"1.25" if request.url.path.startswith("/rate/") else b"")


def _lose(_: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadTimeout("slow")


def calls(kind: str, venue: FakeVenue, answer: Callable[[httpx2.Request], httpx2.Response] = _answer) -> Call:
    transport = httpx2.MockTransport(answer)
    clock = ManualClock(0)

    def blocking(method: str, *arguments: Any, **named: Any) -> Any:
        with Client(venue, URL, clock, transport=transport) as client:
            return getattr(client, method)(*arguments, **named)

    async def awaiting(method: str, *arguments: Any, **named: Any) -> Any:
        async with AsyncClient(venue, URL, clock, transport=transport) as client:
            return await getattr(client, method)(*arguments, **named)

    return (
        blocking
        if kind == "sync"
        else lambda method, *given, **named: asyncio.run(awaiting(method, *given, **named))
    )


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("method", ["withdraw", "prepare"])
def test_everything_that_is_asked_for_reaches_the_venue(kind: str, method: str) -> None:
    venue = FakeVenue()
    made = calls(kind, venue)(
        method,
        "BTC",
        Decimal("1E-3"),
        "an-address",
        network="bitcoin",
        memo="m",
        wallet="w",
        remark="r",
        request_id="mine",
        debit_currency="EUR",
        debited=True,
    )
    (payment,) = venue.prepared
    assert made.payment == payment
    assert venue.names_asked == [("BTC", "bitcoin")]
    assert (payment.currency, payment.network, payment.amount) == ("BTC.bitcoin", "bitcoin", "0.001")
    assert (payment.address, payment.memo, payment.wallet, payment.remark) == ("an-address", "m", "w", "r")
    assert (payment.request_id, payment.debit_currency, payment.debited) == ("mine", "EUR", True)


@pytest.mark.parametrize("method", ["withdraw_to_account", "prepare_to_account"])
def test_everything_of_a_transfer_reaches_the_venue(kind: str, method: str) -> None:
    venue = FakeVenue()
    calls(kind, venue)(
        method,
        "BTC",
        "1",
        "412345678",
        kind=RecipientKind.PHONE,
        area_code="61",
        network="bitcoin",
        wallet="w",
        remark="r",
        request_id="mine",
    )
    (payment,) = venue.prepared
    assert (payment.recipient, payment.recipient_kind, payment.area_code) == (
        "412345678",
        RecipientKind.PHONE,
        "61",
    )
    assert (payment.address, payment.wallet, payment.remark, payment.request_id) == ("", "w", "r", "mine")


def test_the_id_that_the_client_made_is_told(kind: str) -> None:
    assert calls(kind, FakeVenue())("withdraw", "BTC", "1", "a").request_id == MADE_ID


@pytest.mark.parametrize(
    "details, told",
    [
        ({}, "1 BTC to a was sent"),
        ({"debit_currency": "EUR"}, "1 BTC from EUR to a was sent"),
        ({"debit_currency": "EUR", "debited": True}, "1 EUR as BTC to a was sent"),
    ],
)
def test_a_lost_answer_tells_the_amount_in_its_own_currency(
    kind: str, details: dict[str, Any], told: str
) -> None:
    with pytest.raises(OutcomeUnknown, match=told):
        calls(kind, FakeVenue(), _lose)("withdraw", "BTC", "1", "a", **details)


@pytest.mark.parametrize(
    "asked_by_id, told", [(True, "can be asked by this id"), (False, "cannot be asked by an id")]
)
def test_a_lost_answer_names_the_id_and_says_whether_the_venue_can_be_asked_by_it(
    kind: str, asked_by_id: bool, told: str
) -> None:
    with pytest.raises(OutcomeUnknown, match=told) as caught:
        calls(kind, FakeVenue(asked_by_id), _lose)("withdraw", "BTC", "1", "a", request_id="mine-7")
    assert "with the request id mine-7" in str(caught.value)
    assert caught.value.payment.request_id == "mine-7"


def test_debited_without_a_debit_currency_is_refused_before_anything(kind: str) -> None:
    venue = FakeVenue()
    with pytest.raises(ValueError, match="debit_currency"):
        calls(kind, venue)("withdraw", "BTC", "1", "a", debited=True)
    assert not venue.names_asked


@pytest.mark.parametrize("method", ["withdraw", "prepare"])
def test_a_payment_without_address_goes_to_the_venues_default(kind: str, method: str) -> None:
    venue = FakeVenue(default_address="own")
    assert calls(kind, venue)(method, "BTC", "1").payment.address == "own"
    with pytest.raises(ValueError, match="no address is named"):
        calls(kind, FakeVenue())(method, "BTC", "1")


def test_a_payment_that_is_made_by_hand_must_name_where_it_goes(kind: str) -> None:
    venue = FakeVenue(default_address="own")
    with pytest.raises(ValueError, match="to an address or to a recipient"):
        calls(kind, venue)("withdraw_payment", Payment("BTC", "1"))
    assert not venue.names_asked


def test_a_transfer_goes_to_its_recipient_whatever_the_default(kind: str) -> None:
    payment = calls(kind, FakeVenue(default_address="own"))("withdraw_to_account", "BTC", "1", "17").payment
    assert (payment.recipient, payment.address) == ("17", "")


@pytest.mark.parametrize("method", ["withdraw", "withdraw_to_account", "prepare", "prepare_to_account"])
def test_a_misspelt_detail_is_refused_before_anything(kind: str, method: str) -> None:
    venue = FakeVenue()
    with pytest.raises(TypeError, match="netwrok"):
        calls(kind, venue)(method, "BTC", "1", "a", netwrok="bitcoin")
    assert not venue.names_asked


@pytest.mark.parametrize("empty", [("", "1", "a"), ("BTC", "1", "")])
def test_an_empty_field_is_refused_before_anything(kind: str, empty: tuple[str, str, str]) -> None:
    venue = FakeVenue()
    for method in ("withdraw", "withdraw_to_account", "prepare", "prepare_to_account"):
        with pytest.raises(ValueError, match="is empty"):
            calls(kind, venue)(method, *empty)
    assert not venue.names_asked


@pytest.mark.parametrize(
    "method, arguments",
    [
        ("balances", ()),
        ("fee", ("BTC",)),
        ("currencies", ()),
        ("addresses", ()),
        ("deposit_address", ("BTC",)),
        ("withdrawals", ()),
        ("withdrawal", ("1",)),
    ],
)
def test_what_a_venue_lacks_is_said_in_one_line(kind: str, method: str, arguments: tuple[str, ...]) -> None:
    with pytest.raises(NotOffered, match=r"^elsewhere offers no [a-z ]+$") as caught:
        calls(kind, FakeVenue(), _lose)(method, *arguments)
    assert caught.value.venue == NAME


def test_a_venues_own_call_is_made_under_its_own_name(kind: str) -> None:
    found = calls(kind, FakeVenue())("call", "getRate", coin="BTC", places=3)
    assert found == {"coin": "BTC", "rate": Decimal("1.25"), "places": 3}


def test_another_name_is_not_offered(kind: str) -> None:
    with pytest.raises(NotOffered, match="getRates"):
        calls(kind, FakeVenue(), _lose)("call", "getRates")


@pytest.mark.parametrize("wrong", [{}, {"coin": "BTC", "place": 1}])
def test_wrong_arguments_send_nothing(kind: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"coin|place"):
        calls(kind, FakeVenue(), _lose)("call", "getRate", **wrong)


def test_a_venues_own_calls_are_listed_with_what_they_do() -> None:
    told = {"getRate": "The rate of a coin.\n\nplaces: digits after the point."}
    with Client(FakeVenue(), URL, ManualClock(0)) as client:
        assert client.extra_calls == told
    assert AsyncClient(FakeVenue(), URL, ManualClock(0)).extra_calls == told
