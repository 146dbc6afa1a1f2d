from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.amounts import Units
from penstock.core.commands import Exchange
from penstock.core.rates import Given
from penstock.core.states import State
from penstock.venues.alphapo import Alphapo, exchanges
from penstock.venues.alphapo.exchanges import ShownPrices
from penstock.venues.venue import Ask, Reply
from tests.venues.alphapo.world import (
    ACCOUNT,
    EUR_IN_BTC,
    KEY,
    NOW_MS,
    FakeRates,
    accepted,
    answer,
    faults,
    make_key,
    make_rates,
    make_venue,
    outcome,
    post,
)

CALCULATE, NOW, FIXED = "/exchange/calculate", "/exchange/now", "/exchange/fixed"
SELL = {"sender_currency": "BTC", "receiver_currency": "EUR", "sender_amount": "0.003"}
BUY = {"sender_currency": "EUR", "receiver_currency": "BTC", "receiver_amount": 0.003}
UNAVAILABLE = "Exchange is unavailable for given currencies"


def calculated(body: dict[str, Any], venue: Alphapo, **named: Any) -> dict[str, Any]:
    reply = outcome(post(CALCULATE, body, **named), venue=venue)
    assert isinstance(reply, Reply)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)["data"]


def command(path: str, body: dict[str, Any], venue: Alphapo, **named: Any) -> Exchange:
    asked = outcome(post(path, body, **named), venue=venue)
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, Exchange)
    return asked.question


# --- calculate ---------------------------------------------------------------------------------------------


def test_a_calculation_is_written_byte_for_byte() -> None:
    reply = outcome(post(CALCULATE, BUY))
    assert isinstance(reply, Reply)
    assert reply.body == (
        b'{"data":{"sender_currency":"EUR","sender_amount":"166.67000000","receiver_currency":"BTC",'
        b'"receiver_amount":"0.00300000","fee_currency":"EUR","fee_amount":"0.00000000","price":"0.000018000000",'
        b'"ts_fixed":1795219200,"ts_release":1795219260,"fix_period":60}}'
    )


CENTS = st.integers(min_value=1, max_value=10**12)
RATIOS = st.fractions(min_value=Fraction(1, 10**7), max_value=10**7)


@given(CENTS, RATIOS)
def test_what_is_bought_is_never_more_than_its_worth_nor_a_unit_less(cents: int, ratio: Fraction) -> None:
    venue = make_venue(FakeRates({("EUR", "BTC"): ratio}))
    worth = Fraction(cents, 100) * ratio
    body = {
        "sender_currency": "EUR",
        "receiver_currency": "BTC",
        "sender_amount": f"{cents // 100}.{cents % 100:02d}",
    }
    if worth < Fraction(1, 10**8):
        assert "sender_amount" in faults(outcome(post(CALCULATE, body), venue=venue))
        return
    received = Fraction(calculated(body, venue)["receiver_amount"])
    assert 0 <= worth - received < Fraction(1, 10**8)


@given(st.integers(min_value=1, max_value=10**14), RATIOS)
def test_what_is_paid_is_never_less_than_the_worth_nor_a_unit_more(satoshi: int, ratio: Fraction) -> None:
    venue = make_venue(FakeRates({("EUR", "BTC"): ratio}))
    body = {
        "sender_currency": "EUR",
        "receiver_currency": "BTC",
        "receiver_amount": f"{satoshi // 10**8}.{satoshi % 10**8:08d}",
    }
    paid = Fraction(calculated(body, venue)["sender_amount"])
    assert 0 <= paid - Fraction(satoshi, 10**8) / ratio < Fraction(1, 100)


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"sender_currency": None}, {"sender_currency": "The sender currency field is required."}),
        ({"sender_currency": "USDT"}, {"sender_currency": "The selected sender currency is invalid."}),
        ({"receiver_currency": 5}, {"receiver_currency": "The receiver currency must be a string."}),
        ({"receiver_currency": "ETH"}, {"receiver_currency": UNAVAILABLE}),
        ({"receiver_currency": "BTC"}, {"receiver_currency": UNAVAILABLE}),
        (
            {"sender_amount": None},
            {"sender_amount": "The sender amount field is required when receiver amount is not present."},
        ),
        (
            {"receiver_amount": 1},
            {"sender_amount": "Only one of sender amount and receiver amount is allowed."},
        ),
        ({"sender_amount": "x"}, {"sender_amount": "The sender amount must be a number."}),
        (
            {"sender_amount": "0.123456789"},
            {"sender_amount": "The sender amount may not have more than 8 decimal places."},
        ),
        ({"sender_amount": 0}, {"sender_amount": "The sender amount must be at least 0.00000018."}),
        (
            {"sender_amount": "0.00000017"},
            {"sender_amount": "The sender amount must be at least 0.00000018."},
        ),
        (
            {"sender_amount": None, "receiver_amount": "-1"},
            {"receiver_amount": "The receiver amount must be at least 0.01."},
        ),
        (
            {"sender_amount": None, "receiver_amount": "0.001"},
            {"receiver_amount": "The receiver amount may not have more than 2 decimal places."},
        ),
    ],
)
def test_what_is_wrong_with_an_exchange_is_said_of_its_field(
    change: dict[str, object], expected: dict[str, str]
) -> None:
    assert faults(outcome(post(CALCULATE, SELL | change))) == expected


def test_two_codes_of_one_asset_have_nothing_to_exchange() -> None:
    body = {"sender_currency": "USDTT", "receiver_currency": "USDTE", "sender_amount": 5}
    assert faults(outcome(post(CALCULATE, body))) == {"receiver_currency": UNAVAILABLE}


def test_a_rate_older_than_a_price_may_become_is_not_shown() -> None:
    rates = make_rates()
    venue = make_venue(rates)
    rates.age_ms = 60_000
    assert calculated(SELL, venue)["price"] == "55555.55555555"
    rates.age_ms = 60_001
    assert faults(outcome(post(CALCULATE, SELL), venue=venue)) == {"receiver_currency": UNAVAILABLE}


@pytest.mark.parametrize(
    "ratio, price",
    [
        (Fraction(1, 3), "0.33333333"),
        (Fraction(60_000), "60000.00000000"),
        (Fraction(1, 3_000_000), "0.00000033333333"),
        (EUR_IN_BTC, "0.000018000000"),
        (Fraction(1, 10**40), "0.000000000000000000000000000000"),
        (Fraction(2, 3), "0.66666666"),
    ],
)
def test_a_price_shows_eight_digits_at_least_and_is_rounded_down(ratio: Fraction, price: str) -> None:
    venue = make_venue(FakeRates({("BTC", "EUR"): ratio}))
    body = SELL | {"sender_amount": None, "receiver_amount": "0.01"}
    assert calculated(body, venue)["price"] == price


# --- now and fixed -----------------------------------------------------------------------------------------


def test_an_exchange_becomes_a_command() -> None:
    asked = command(NOW, SELL | {"foreign_id": 77}, make_venue())
    assert (asked.account_id, asked.key_id, asked.venue, asked.request_id) == (ACCOUNT, KEY, "alphapo", "77")
    assert (asked.wallets, asked.amount) == (("spot",), 300_000)
    assert (asked.conversion.rate.source, asked.conversion.rate.target) == ("BTC", "EUR")
    assert asked.conversion.given is Given.DEBITED
    assert (asked.repeatable, asked.numbered, asked.notify) == (False, True, False)
    assert asked.business
    other = command(NOW, BUY | {"foreign_id": "77"}, make_venue())
    assert (other.amount, other.conversion.given) == (300_000, Given.RECEIVED)
    assert other.business != asked.business


def test_an_exchange_is_answered_byte_for_byte() -> None:
    done = accepted(number=5, state=State.CONFIRMED, amount=Units(300_000), fee=Units(0), net=Units(16_666))
    reply = answer(post(NOW, SELL | {"foreign_id": "x-1"}), done)
    assert reply.status == 201
    assert reply.body == (
        b'{"data":{"id":5,"foreign_id":"x-1","type":"exchange","sender_amount":"0.00300000","sender_currency":"BTC",'
        b'"receiver_amount":"166.66000000","receiver_currency":"EUR","fee_amount":"0.00000000","fee_currency":"BTC",'
        b'"price":"55555.55555555","status":"processing"}}'
    )


@pytest.mark.parametrize("path", [NOW, FIXED])
def test_an_exchange_needs_its_id_and_a_fixed_one_its_price(path: str) -> None:
    told = faults(outcome(post(path, SELL)))
    assert told["foreign_id"] == "The foreign id field is required."
    assert told.get("price") == ("The price field is required." if path == FIXED else None)


def fixed(price: object) -> dict[str, Any]:
    return SELL | {"foreign_id": "x-1", "price": price}


@pytest.mark.parametrize("price", ["55555.55555555", "55555.555555550"])
def test_the_price_of_the_moment_is_good_without_having_been_shown(price: str) -> None:
    asked = command(FIXED, fixed(price), make_venue())
    assert asked.conversion.rate == make_rates().rate("BTC", "EUR", NOW_MS)


def test_a_price_may_come_as_a_number() -> None:
    body = json.dumps(fixed(0)).replace('"price": 0', '"price": 55555.55555555').encode()
    assert isinstance(outcome(post(FIXED, body)), Ask)


@pytest.mark.parametrize("later_ms", [0, 59_999, 60_000])
def test_a_shown_price_holds_for_a_minute_whatever_the_market_does(later_ms: int) -> None:
    rates = make_rates()
    venue = make_venue(rates)
    shown = calculated(SELL, venue)["price"]
    for worse in (Fraction(50_000), Fraction(40_000)):
        rates.ratios["BTC", "EUR"] = worse
        calculated(SELL, venue)
    asked = command(FIXED, fixed(shown), venue, now_ms=NOW_MS + later_ms)
    assert asked.conversion.rate == make_rates().rate("BTC", "EUR", NOW_MS)


def test_a_shown_price_holds_even_while_there_is_no_newer_rate() -> None:
    rates = make_rates()
    venue = make_venue(rates)
    shown = calculated(SELL, venue)["price"]
    rates.ratios.clear()
    assert command(FIXED, fixed(shown), venue).conversion.rate.at_ms == NOW_MS


INVALID = {"price": "The selected price is invalid."}


def test_a_price_that_was_shown_longer_ago_is_not_good_any_more() -> None:
    rates = make_rates()
    venue = make_venue(rates)
    shown = calculated(SELL, venue)["price"]
    rates.ratios["BTC", "EUR"] = Fraction(50_000)
    late = outcome(post(FIXED, fixed(shown), now_ms=NOW_MS + 60_001), venue=venue)
    assert faults(late) == INVALID


@pytest.mark.parametrize("price", ["55555.55555556", "55555", 0, "1e5", True, "0." + "1" * 31])
def test_a_price_that_nobody_was_shown_is_refused(price: object) -> None:
    told = faults(outcome(post(FIXED, fixed(price)), venue=make_venue()))
    assert told.keys() == {"price"}


def test_a_price_is_good_for_its_own_pair_and_account_only() -> None:
    rates = make_rates()
    venue = make_venue(rates)
    shown = calculated(SELL, venue)["price"]
    rates.ratios["BTC", "EUR"] = Fraction(50_000)
    other_pair = fixed(shown) | {"receiver_currency": "USDTT"}
    assert faults(outcome(post(FIXED, other_pair), venue=venue)) == INVALID
    other_account = make_key(account_id=8)
    assert faults(outcome(post(FIXED, fixed(shown)), other_account, venue)) == INVALID
    assert isinstance(outcome(post(FIXED, fixed(shown)), venue=venue), Ask)


def test_only_so_many_shown_prices_are_kept_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "PRICES_KEPT", 3)
    rates = FakeRates({("BTC", "EUR"): Fraction(1)})
    prices = ShownPrices()
    for number in range(1, 6):
        rates.ratios["BTC", "EUR"] = Fraction(number)
        shown = rates.rate("BTC", "EUR", NOW_MS)
        assert shown is not None
        prices.keep(ACCOUNT, shown, NOW_MS)
    kept = [
        number
        for number in range(1, 6)
        if prices.find(ACCOUNT, "BTC", "EUR", Units(number * 10**30), NOW_MS) is not None
    ]
    assert kept == [3, 4, 5]
