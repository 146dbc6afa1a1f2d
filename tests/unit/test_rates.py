"""The table and the live source. The exchange is a fake one: it knows what it was told, and asks nobody."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from penstock.core.catalogue import Asset, Catalogue
from penstock.core.rates import Rate
from penstock.core.time import ManualClock, UnixMs
from penstock.rates.live import (
    LiveRates,
    RatesNotInstalledError,
    find_routes,
    open_exchange,
)
from penstock.rates.table import TableRates

NOW = UnixMs(1_795_219_200_000)


def catalogue(**prices: str | None) -> Catalogue:
    return Catalogue([Asset(code, code, 8, price) for code, price in prices.items()], [], [])


PRICED = catalogue(BTC="60000", EUR="1.08", USDT="1", ODD=None)


def ratio(rate: Rate | None) -> Fraction:
    assert rate is not None
    return Fraction(rate.numerator, rate.denominator)


# --- the table ---------------------------------------------------------------------------------------------


def test_a_pair_goes_by_way_of_both_prices_exactly() -> None:
    rates = TableRates(PRICED, {})
    assert rates.rate("EUR", "BTC", NOW) == Rate("EUR", "BTC", 9, 500_000, "table", NOW)
    assert ratio(rates.rate("BTC", "EUR", NOW)) == Fraction(60_000) / Fraction("1.08")


def test_the_operators_price_comes_before_the_catalogues() -> None:
    rates = TableRates(PRICED, {"EUR": "1.2", "ODD": "0.000000000000000000000000000001"})
    assert ratio(rates.rate("EUR", "USDT", NOW)) == Fraction(6, 5)
    assert ratio(rates.rate("ODD", "USDT", NOW)) == Fraction(1, 10**30)


def test_a_pair_without_a_price_or_of_one_asset_has_no_rate() -> None:
    rates = TableRates(PRICED, {})
    for source, target in [("ODD", "BTC"), ("BTC", "ODD"), ("BTC", "BTC"), ("BTC", "GBP"), ("GBP", "BTC")]:
        assert rates.rate(source, target, NOW) is None


def test_the_table_lists_the_pairs_for_which_it_has_a_rate() -> None:
    rates = TableRates(PRICED, {})
    assert set(rates.pairs()) == set(permutations(["BTC", "EUR", "USDT"], 2))
    assert all(rates.rate(source, target, NOW) for source, target in rates.pairs())


@pytest.mark.parametrize("price", ["", "0", "0.00", "-1", "1e3", "NaN", "1,08", " 1"])
def test_a_price_that_is_no_amount_is_refused_by_name(price: str) -> None:
    with pytest.raises(ValueError, match="EUR"):
        TableRates(PRICED, {"EUR": price})


def test_a_price_for_no_asset_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="GBP"):
        TableRates(PRICED, {"GBP": "1.3"})


@given(*[st.decimals(min_value="0.00000001", max_value="99999999", places=8)] * 3)
def test_rates_of_a_table_agree_with_one_another(one: Decimal, two: Decimal, three: Decimal) -> None:
    rates = TableRates(catalogue(A=f"{one:f}", B=f"{two:f}", C=f"{three:f}"), {})
    direct = ratio(rates.rate("A", "C", NOW))
    assert direct == ratio(rates.rate("A", "B", NOW)) * ratio(rates.rate("B", "C", NOW))
    assert direct * ratio(rates.rate("C", "A", NOW)) == 1


# --- the live source ---------------------------------------------------------------------------------------


@dataclass
class FakeExchange:
    """A fake of what ccxt gives. failing: what the next look meets instead of an answer."""

    tickers: dict[str, dict[str, object]]
    id: str = "fake"
    failing: Exception | None = None
    looks: int = 0
    markets_loaded: int = 0
    asked: list[str] = field(default_factory=list)
    looked: threading.Event = field(default_factory=threading.Event)

    def load_markets(self) -> dict[str, object]:
        self.markets_loaded += 1
        return {symbol: {} for symbol in self.tickers}

    def fetch_tickers(self, symbols: list[str]) -> dict[str, dict[str, object]]:
        self.looks += 1
        self.asked = symbols
        self.looked.set()
        if self.failing is not None:
            raise self.failing
        return self.tickers


def ticker(bid: object, ask: object, at_ms: object = None) -> dict[str, object]:
    return {"bid": bid, "ask": ask, "timestamp": at_ms}


def live(exchange: FakeExchange, clock: ManualClock | None = None, *codes: str) -> LiveRates:
    assets = dict.fromkeys(codes or ("BTC", "EUR", "USDT", "XRP"))
    return LiveRates(catalogue(**assets), exchange, clock or ManualClock(NOW), 1)


def test_nothing_is_known_before_the_first_look() -> None:
    rates = live(FakeExchange({"BTC/EUR": ticker(1, 2)}))
    assert rates.rate("BTC", "EUR", NOW) is None
    assert rates.pairs() == ()


def test_what_is_sold_goes_at_the_bid_and_what_is_bought_at_the_ask() -> None:
    rates = live(FakeExchange({"BTC/EUR": ticker(50_000.5, 50_001.25)}))
    assert rates.refresh()
    assert rates.rate("BTC", "EUR", NOW) == Rate("BTC", "EUR", 100_001, 2, "ccxt:fake", NOW)
    assert ratio(rates.rate("EUR", "BTC", NOW)) == 1 / Fraction("50001.25")


def test_a_pair_without_a_market_goes_by_way_of_a_hub_at_the_worse_side_of_both() -> None:
    exchange = FakeExchange({"XRP/USDT": ticker("2.0", "2.2"), "BTC/USDT": ticker("50000", "60000")})
    rates = live(exchange)
    rates.refresh()
    assert ratio(rates.rate("XRP", "BTC", NOW)) == Fraction(2) / 60_000
    assert ratio(rates.rate("BTC", "XRP", NOW)) == 50_000 / Fraction("2.2")
    assert rates.rate("EUR", "BTC", NOW) is None
    assert exchange.asked == ["BTC/USDT", "XRP/USDT"]


PRICES = st.fractions(min_value=Fraction(1, 10**8), max_value=10**8)


@given(st.tuples(PRICES, PRICES), st.tuples(PRICES, PRICES))
def test_there_and_back_never_gains(one: tuple[Fraction, Fraction], two: tuple[Fraction, Fraction]) -> None:
    exchange = FakeExchange(
        {
            "XRP/USDT": ticker(
                *(f"{Decimal(side.numerator) / side.denominator:.20f}" for side in sorted(one))
            ),
            "BTC/USDT": ticker(
                *(f"{Decimal(side.numerator) / side.denominator:.20f}" for side in sorted(two))
            ),
        }
    )
    rates = live(exchange)
    assert rates.refresh()
    for source, target in rates.pairs():
        assert ratio(rates.rate(source, target, NOW)) * ratio(rates.rate(target, source, NOW)) <= 1


@pytest.mark.parametrize(
    "price, exact",
    [
        (0.1, Fraction(1, 10)),
        (1e-05, Fraction(1, 100_000)),
        (7, Fraction(7)),
        ("0.30000000000000004", Fraction("0.30000000000000004")),
        (Decimal("1.5"), Fraction(3, 2)),
    ],
)
def test_a_price_is_taken_by_its_digits(price: object, exact: Fraction) -> None:
    rates = live(FakeExchange({"BTC/EUR": ticker(price, price)}))
    rates.refresh()
    assert ratio(rates.rate("BTC", "EUR", NOW)) == exact


@pytest.mark.parametrize(
    "bad",
    [
        ticker(None, 2),
        ticker(1, None),
        ticker(0, 1),
        ticker(-1, 1),
        ticker(3, 2),
        ticker(float("nan"), 1),
        ticker(1, float("inf")),
        ticker(True, 2),
        ticker("one", 2),
        ticker("1e99", "1e99"),
        ticker("1" * 65, "2" * 65),
        ticker([1], 2),
        {},
    ],
)
def test_a_market_without_a_sane_price_leaves_the_last_rate_and_its_time(bad: dict[str, object]) -> None:
    clock = ManualClock(NOW)
    exchange = FakeExchange({"BTC/EUR": ticker(1, 2), "XRP/EUR": ticker(3, 4)})
    rates = live(exchange, clock)
    rates.refresh()
    clock.advance(5_000)
    exchange.tickers = {"BTC/EUR": bad, "XRP/EUR": ticker(5, 6)}
    with capture_logs() as logs:
        assert rates.refresh()
    before, after = rates.rate("BTC", "EUR", NOW), rates.rate("XRP", "EUR", NOW)
    assert before is not None
    assert after is not None
    assert (ratio(before), before.at_ms) == (1, NOW)
    assert (ratio(after), after.at_ms) == (5, NOW + 5_000)
    assert [(log["log_level"], log["symbols"]) for log in logs] == [("warning", ["BTC/EUR"])]


@pytest.mark.parametrize("error", [ccxt.NetworkError("down"), RuntimeError("bug"), KeyError("x")])
def test_a_failed_look_is_logged_and_leaves_the_rates_to_grow_old(error: Exception) -> None:
    clock = ManualClock(NOW)
    exchange = FakeExchange({"BTC/EUR": ticker(1, 2)})
    rates = live(exchange, clock)
    rates.refresh()
    known = rates.rate("BTC", "EUR", NOW)
    exchange.failing = error
    clock.advance(60_000)
    with capture_logs() as logs:
        assert not rates.refresh()
    assert rates.rate("BTC", "EUR", clock.now_ms()) == known
    assert known is not None
    assert known.at_ms == NOW
    assert [(log["event"], log["exchange"]) for log in logs] == [("rates not renewed", "fake")]


@pytest.mark.parametrize(
    "said, at_ms",
    [
        (NOW - 30_000, NOW - 30_000),
        (NOW + 30_000, NOW),
        (None, NOW),
        (0, NOW),
        ("then", NOW),
    ],
)
def test_a_price_is_as_old_as_the_exchange_says_and_never_newer_than_the_look(
    said: object, at_ms: int
) -> None:
    rates = live(FakeExchange({"BTC/EUR": ticker(1, 2, said)}))
    rates.refresh()
    found = rates.rate("BTC", "EUR", NOW)
    assert found is not None
    assert found.at_ms == at_ms


def test_a_rate_over_two_markets_is_as_old_as_the_older_of_them() -> None:
    tickers = {"XRP/USDT": ticker(2, 2, NOW - 9_000), "BTC/USDT": ticker(5, 5, NOW - 1_000)}
    rates = live(FakeExchange(tickers))
    rates.refresh()
    found = rates.rate("XRP", "BTC", NOW)
    assert found is not None
    assert found.at_ms == NOW - 9_000


def test_markets_are_listed_once_and_pairs_keep_their_order() -> None:
    exchange = FakeExchange({"BTC/EUR": ticker(1, 2), "XRP/BTC": ticker(1, 2)})
    rates = live(exchange)
    rates.refresh()
    pairs = rates.pairs()
    rates.refresh()
    assert (exchange.markets_loaded, exchange.looks) == (1, 2)
    assert rates.pairs() == pairs
    assert set(pairs) == set(permutations(["BTC", "EUR", "XRP"], 2))


def test_the_thread_looks_until_it_is_stopped() -> None:
    exchange = FakeExchange({"BTC/EUR": ticker(1, 2)})
    rates = live(exchange)
    rates.start()
    assert exchange.looked.wait(10)
    assert "rates" in {thread.name for thread in threading.enumerate()}
    rates.stop()
    assert "rates" not in {thread.name for thread in threading.enumerate()}
    assert ratio(rates.rate("BTC", "EUR", NOW)) == 1


def test_a_market_of_either_direction_is_found() -> None:
    routes = find_routes(["BTC", "EUR"], {"EUR/BTC": {}})
    assert [(leg.symbol, leg.sells) for leg in routes["EUR", "BTC"]] == [("EUR/BTC", True)]
    assert [(leg.symbol, leg.sells) for leg in routes["BTC", "EUR"]] == [("EUR/BTC", False)]
    assert find_routes(["BTC", "EUR"], {}) == {}


def test_an_exchange_is_opened_by_its_name_with_a_time_limit() -> None:
    opened = open_exchange("kraken")
    assert isinstance(opened, ccxt.kraken)
    assert opened.timeout == 10_000


def test_an_exchange_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        open_exchange("nowhere")


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(RatesNotInstalledError, match="penstock\\[rates\\]"):
        open_exchange("kraken")


def test_what_ccxt_makes_of_a_tickers_digits_is_what_was_sent() -> None:
    made = ccxt.kraken()
    raw = {"a": ["0.00001630", "1", "1"], "b": ["0.00001629", "1", "1"], "v": ["1", "1"], "p": ["1", "1"]}
    raw |= {"c": ["1", "1"], "t": [1, 1], "l": ["1", "1"], "h": ["1", "1"], "o": "1"}
    market = {"symbol": "EUR/BTC", "id": "EURBTC", "base": "EUR", "quote": "BTC"}
    rates = live(FakeExchange({"EUR/BTC": made.parse_ticker(raw, market)}))
    rates.refresh()
    assert ratio(rates.rate("EUR", "BTC", NOW)) == Fraction("0.00001629")
    assert ratio(rates.rate("BTC", "EUR", NOW)) == 1 / Fraction("0.0000163")
