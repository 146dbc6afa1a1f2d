"""Rates from a live market through ccxt, which is an optional extra ("rates").

A thread asks for the best bids and asks and puts all rates in place at once; whoever asks for a rate gets the last
known one without waiting. What cannot be renewed keeps the time at which it was true, so that it grows too old to be
used. What a customer sells goes at the bid, what they buy at the ask.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from importlib import import_module
from typing import Protocol, cast

import msgspec
import structlog

from penstock.core.catalogue import Catalogue
from penstock.core.rates import Rate
from penstock.core.time import Clock, UnixMs

TIMEOUT_MS = 10_000
HUBS = ("USDT", "USD", "USDC", "EUR", "BTC")
"""By way of these, in this order, go pairs that have no market of their own."""
DIGITS_MAX = 64
"""Of a price, whatever an exchange sends."""
EXPONENT_MAX = 40

Pair = tuple[str, str]
Ticker = Mapping[str, object]

_log = structlog.get_logger(__name__)


class Exchange(Protocol):
    """The part of a ccxt exchange that is used here; any call may take seconds and may raise anything."""

    id: str

    def load_markets(self) -> Mapping[str, object]:
        """Markets by symbol ("BTC/EUR")."""
        ...

    def fetch_tickers(self, symbols: list[str]) -> Mapping[str, Ticker]:
        """By symbol: bid, ask (numbers, or text), timestamp (Unix milliseconds, or None)."""
        ...


class Leg(msgspec.Struct, frozen=True):
    """One trade on the way from asset to asset. sells: the symbol's base is sold (at the bid), else bought."""

    symbol: str
    sells: bool


class Quote(msgspec.Struct, frozen=True):
    """The best bid and ask of a market, above zero, and when they were true."""

    bid: Fraction
    ask: Fraction
    at_ms: UnixMs


class RatesNotInstalledError(Exception):
    """The optional extra "rates" is not installed."""


def open_exchange(name: str) -> Exchange:
    """An exchange by the name that ccxt has for it; asks nothing of it yet.

    Raises RatesNotInstalledError without ccxt, ValueError for a name that it does not know.
    """
    try:
        library = import_module("ccxt")
    except ImportError as error:
        raise RatesNotInstalledError('live rates need the extra: pip install "penstock[rates]"') from error
    if name not in cast("Sequence[str]", library.exchanges):
        raise ValueError(f"no exchange that is known: {name[:64]!r}")
    return cast("Exchange", getattr(library, name)({"timeout": TIMEOUT_MS, "enableRateLimit": True}))


class LiveRates:
    """The rates of every two assets of the catalogue for which the exchange has a market, or two by way of a hub.

    refresh_s: how long to rest between two looks. Nothing is known until the first look has ended.
    """

    def __init__(self, catalogue: Catalogue, exchange: Exchange, clock: Clock, refresh_s: int) -> None:
        assert refresh_s >= 1, refresh_s
        self._assets = tuple(catalogue.assets)
        self._exchange = exchange
        self._clock = clock
        self._refresh_s = refresh_s
        self._routes: dict[Pair, tuple[Leg, ...]] = {}
        self._rates: dict[Pair, Rate] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="rates", daemon=True)

    def rate(self, source: str, target: str, now_ms: UnixMs) -> Rate | None:
        del now_ms  # The engine judges how old it is.
        return self._rates.get((source, target))

    def pairs(self) -> tuple[Pair, ...]:
        return tuple(self._routes)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a look that is under way may take up to its timeouts, and is not waited for longer."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT_MS / 1_000)

    def _work(self) -> None:
        while not self._stopping.is_set():
            self.refresh()
            self._stopping.wait(self._refresh_s)

    def refresh(self) -> bool:
        """Look once. Never raises: a failure is logged, and leaves the rates as they were."""
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - the boundary: an exchange's library may raise anything
            _log.warning("rates not renewed", exchange=self._exchange.id, reason=f"{error!r}"[:200])
            return False
        return True

    def _look(self) -> None:
        if not self._routes:
            self._routes = find_routes(self._assets, self._exchange.load_markets())
        symbols = sorted({leg.symbol for route in self._routes.values() for leg in route})
        # Before the exchange is asked: what it says is at least as new as this.
        asked_ms = self._clock.now_ms()
        tickers = self._exchange.fetch_tickers(symbols)
        quotes = {symbol: _quote(tickers.get(symbol), asked_ms) for symbol in symbols}
        missing = [symbol for symbol, quote in quotes.items() if quote is None]
        if missing:
            _log.warning("markets without a price", exchange=self._exchange.id, symbols=missing[:20])
        found = {pair: self._rate_of(pair, route, quotes) for pair, route in self._routes.items()}
        renewed = {pair: rate for pair, rate in found.items() if rate is not None}
        # One assignment, so that no reader sees half of it.
        self._rates = self._rates | renewed

    def _rate_of(self, pair: Pair, route: Sequence[Leg], quotes: Mapping[str, Quote | None]) -> Rate | None:
        ratio, at_ms = Fraction(1), None
        for leg in route:
            quote = quotes[leg.symbol]
            if quote is None:
                return None
            ratio *= quote.bid if leg.sells else 1 / quote.ask
            at_ms = quote.at_ms if at_ms is None else min(at_ms, quote.at_ms)
        assert at_ms is not None
        origin = f"ccxt:{self._exchange.id}"
        return Rate(pair[0], pair[1], ratio.numerator, ratio.denominator, origin, at_ms)


def find_routes(assets: Sequence[str], markets: Mapping[str, object]) -> dict[Pair, tuple[Leg, ...]]:
    """How to get from each asset to each other: by one market, or by two with a hub between; others are left out."""

    def leg(source: str, target: str) -> Leg | None:
        if f"{source}/{target}" in markets:
            return Leg(f"{source}/{target}", sells=True)
        if f"{target}/{source}" in markets:
            return Leg(f"{target}/{source}", sells=False)
        return None

    def route(source: str, target: str) -> tuple[Leg, ...]:
        direct = leg(source, target)
        if direct is not None:
            return (direct,)
        for hub in HUBS:
            first, second = leg(source, hub), leg(hub, target)
            if first is not None and second is not None:
                return (first, second)
        return ()

    found = {
        (source, target): route(source, target) for source in assets for target in assets if source != target
    }
    return {pair: legs for pair, legs in found.items() if legs}


def _quote(ticker: Ticker | None, asked_ms: UnixMs) -> Quote | None:
    """None where a side is missing, makes no sense, or the two are crossed."""
    if ticker is None:
        return None
    bid, ask = _price(ticker.get("bid")), _price(ticker.get("ask"))
    if bid is None or ask is None or bid > ask:
        return None
    said = ticker.get("timestamp")
    # The exchange's clock may be ahead of ours; a price is never newer than the look at it.
    at_ms = min(said, asked_ms) if isinstance(said, int) and said > 0 else asked_ms
    return Quote(bid, ask, UnixMs(at_ms))


def _price(value: object) -> Fraction | None:
    """A price by its digits: of a float, as ccxt gives it, those that Python shows, which are the ones sent."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    text = str(value)
    try:
        number = Decimal(text if len(text) <= DIGITS_MAX else "NaN")
    except InvalidOperation:
        return None
    if not number.is_finite() or number <= 0 or abs(number.adjusted()) > EXPONENT_MAX:
        return None
    return Fraction(number)
