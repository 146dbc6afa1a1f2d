"""The small world of the AlphaPo tests: a catalogue, rates, one merchant's key, requests made by hand."""

from __future__ import annotations

import hashlib
import hmac
import json
from fractions import Fraction

from penstock.chains.addresses import check_address
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing, Network
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.rates import Rate
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView, WithdrawalView
from penstock.venues.alphapo import Alphapo
from penstock.venues.venue import Ask, Reply, Request, Route, World
from tests.venues import driving

NOW_MS = UnixMs(1_795_219_200_000)
"""2026-11-21T00:00:00Z."""
ACCOUNT = AccountId(7)
KEY, SECRET = "alphapo-test-key-01", "alphapo-test-secret-01"

BTC_ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
EVM_ADDRESS = "0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf"
TRON_ADDRESS = "TA4Y62o6YC2Zsck9rZVGTvqW1AQ7X9zTnj"
XRP_ADDRESS = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"
USDT_ON_ETHEREUM = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
HOT_WALLET = "0xA82898C70BEB5e1b1621FDA62Fd17bA27227BBC5"
FORBIDDEN = frozenset({USDT_ON_ETHEREUM, HOT_WALLET})
TX_HASH = "bb040d895ef7141ea0b06b04227d8f5dd4ee12d5b890e6e5633f6439393a666b"

CATALOGUE = Catalogue(
    assets=[
        Asset("BTC", "Bitcoin", 8, "60000"),
        Asset("ETH", "Ethereum", 18, "3000"),
        Asset("USDT", "Tether USD", 6, "1"),
        Asset("USDC", "USD Coin", 6, "1"),
        Asset("BNB", "BNB", 18, "600"),
        Asset("XRP", "XRP", 6),
        Asset("TRX", "TRON", 6, "0.3"),
        Asset("SHUT", "Shut", 6),
        Asset("EUR", "Euro", 2, "1.08"),
    ],
    networks=[
        Network("bitcoin", "bitcoin", "BTC", 6),
        Network("ethereum", "evm", "ETH", 12),
        Network("tron", "tron", "TRX", 19),
        Network("bsc", "evm", "BNB", 15),
        Network("solana", "solana", "SOL", 1),
        Network("ripple", "ripple", "XRP", 1, uses_memo=True),
    ],
    listings=[
        Listing("BTC", "bitcoin", 8, None, Units(1_000), Units(10_000), 8, maximum=Units(10 * 10**8)),
        Listing("ETH", "ethereum", 18, None, Units(10**15), Units(10**16), 8),
        Listing("USDT", "ethereum", 6, USDT_ON_ETHEREUM, Units(3_000_000), Units(5_000_000), 6),
        Listing("USDT", "tron", 6, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", Units(10**6), Units(2 * 10**6), 3),
        Listing(
            "USDT",
            "bsc",
            18,
            "0x55d398326f99059fF775485246999027B3197955",
            Units(5 * 10**5),
            Units(5 * 10**6),
            6,
        ),
        Listing("USDT", "solana", 6, "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", Units(1), Units(1), 6),
        Listing(
            "USDC",
            "ethereum",
            6,
            "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            Units(3 * 10**6),
            Units(5 * 10**6),
            6,
        ),
        Listing("BNB", "bsc", 18, None, Units(10**15), Units(10**16), 8),
        Listing("XRP", "ripple", 6, None, Units(250_000), Units(10), 6),
        Listing("TRX", "tron", 6, None, Units(0), Units(10 * 10**6), 6, multiple=Units(10**6)),
        Listing(
            "SHUT",
            "ethereum",
            6,
            "0x6B175474E89094C44Da98b954EedeAC495271d0F",
            Units(0),
            Units(1),
            6,
            withdraw_enabled=False,
            deposit_enabled=False,
        ),
    ],
)


class FakeRates:
    """Rates that a test sets; a fake, which makes nothing of its own. age_ms: how old they are when asked for."""

    def __init__(self, ratios: dict[tuple[str, str], Fraction]) -> None:
        self.ratios = ratios
        self.age_ms = 0

    def rate(self, source: str, target: str, now_ms: UnixMs) -> Rate | None:
        ratio = self.ratios.get((source, target))
        if ratio is None:
            return None
        at_ms = UnixMs(now_ms - self.age_ms)
        return Rate(source, target, ratio.numerator, ratio.denominator, "fake", at_ms)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.ratios)


EUR_IN_BTC = Fraction(9, 500_000)
"""1.08 dollars in bitcoins of 60,000."""


def make_rates() -> FakeRates:
    return FakeRates(
        {
            ("EUR", "BTC"): EUR_IN_BTC,
            ("BTC", "EUR"): 1 / EUR_IN_BTC,
            ("BTC", "USDT"): Fraction(60_000),
            ("USDT", "BTC"): Fraction(1, 60_000),
            ("USDT", "ETH"): Fraction(1, 3_000),
            ("EUR", "TRX"): Fraction(36, 10),
        }
    )


def make_key(**changes: object) -> KeyView:
    own = {
        "key_id": KEY,
        "venue": "alphapo",
        "account_id": ACCOUNT,
        "secret": SECRET.encode(),
    }
    return driving.key_view(**(own | changes))


def make_venue(rates: FakeRates | None = None, **options: bool) -> Alphapo:
    world = World(
        CATALOGUE,
        lambda network, address, memo: check_address(network, address, memo, FORBIDDEN),
        lambda: "",
        lambda: NOW_MS,
        rates or make_rates(),
    )
    return Alphapo(world, **options)


VENUE = make_venue()


def route_of(method: str, path: str) -> Route:
    return driving.route_of(VENUE, method, "/api/v2" + path)


def sign(body: bytes, secret: str = SECRET) -> str:
    """Written out here a second time, so that the code under test is not its own judge."""
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()


JSON_MEDIA = ((b"content-type", b"application/json"),)


def ask_for(
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: bytes = b"",
    key: str | None = KEY,
    signed: str | bytes | None = None,
    extra: tuple[tuple[bytes, bytes], ...] = JSON_MEDIA,
    now_ms: int = NOW_MS,
) -> Request:
    """A request, rightly signed unless told otherwise; "" sends an empty header, key None none."""
    headers = [*extra]
    if key is not None:
        headers.append((b"x-processing-key", key.encode("latin-1")))
    if signed is None:
        signed = sign(body)
    headers.append((b"x-processing-signature", signed if isinstance(signed, bytes) else signed.encode()))
    return Request(method, "/api/v2" + path, query, headers, body, "127.0.0.1", UnixMs(now_ms))


def post(path: str, body: object = b"", **named: object) -> Request:
    """body: bytes as they are, anything else as JSON."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask_for("POST", path, sent, **named)  # type: ignore[arg-type]


def outcome(request: Request, key: KeyView | None = None, venue: Alphapo = VENUE) -> Ask | Reply:
    """As driving.outcome."""
    return driving.outcome(venue, request, key or make_key())


def answer(request: Request, value: object, venue: Alphapo = VENUE) -> Reply:
    """As driving.reply_to."""
    return driving.reply_to(venue, request, make_key(), value)


def refusal(asked: Ask | Reply) -> tuple[int, str]:
    """(HTTP status, code) of an error of the first form."""
    assert isinstance(asked, Reply), asked
    told = json.loads(asked.body)
    assert told.keys() == {"error", "code"}
    assert told["error"]
    return asked.status, told["code"]


def faults(asked: Ask | Reply) -> dict[str, str]:
    """The sentences of an error of the second form."""
    assert isinstance(asked, Reply), asked
    told = json.loads(asked.body)
    assert (asked.status, list(told)) == (400, ["errors"]), told
    assert told["errors"]
    return told["errors"]


def create_body(**changes: object) -> dict[str, object]:
    """A body of withdrawal/crypto; a change to None leaves the member out."""
    members: dict[str, object] = {
        "currency": "BTC",
        "amount": "0.00020000",
        "address": BTC_ADDRESS,
        "foreign_id": "wd-0001",
        "end_user_reference": "user-42",
    }
    members |= changes
    return {name: value for name, value in members.items() if value is not None}


def accepted(**changes: object) -> Accepted:
    fields: dict[str, object] = {
        "withdrawal_id": WithdrawalId(380_000_000_000_000_001),
        "accepted_ms": NOW_MS,
        "repeated": False,
        "number": 678388,
        "state": State.HELD,
        "amount": Units(21_000),
        "fee": Units(1_000),
        "net": Units(20_000),
    }
    return Accepted(**(fields | changes))  # type: ignore[arg-type]


PLAIN = '{"sender":"BTC","receiver":"BTC","scales":[8,8],"reference":"user-42"}'
CONVERTED = '{"sender":"EUR","receiver":"BTC","scales":[2,8],"converted":true,"reference":"user-42"}'
EXCHANGED = '{"sender":"BTC","receiver":"EUR","scales":[8,2]}'


def a_withdrawal(**changes: object) -> WithdrawalView:
    """A confirmed one."""
    fields: dict[str, object] = {
        "withdrawal_id": WithdrawalId(380_000_000_000_000_001),
        "account_id": ACCOUNT,
        "venue": "alphapo",
        "asset": "BTC",
        "network": "bitcoin",
        "wallet": "spot",
        "amount": Units(21_000),
        "fee": Units(1_000),
        "net": Units(20_000),
        "address": BTC_ADDRESS,
        "memo": "",
        "recipient": "",
        "state": State.CONFIRMED,
        "reason": "",
        "tx_hash": TX_HASH,
        "confirmations": 6,
        "created_ms": NOW_MS,
        "updated_ms": UnixMs(NOW_MS + 5),
        "number": 678388,
        "request_id": "wd-0001",
        "extra": PLAIN,
        "debit_asset": "BTC",
    }
    return WithdrawalView(**(fields | changes))  # type: ignore[arg-type]


def converted(**changes: object) -> WithdrawalView:
    """25 EUR and a fee of 56 cents, paid out in bitcoin."""
    fields: dict[str, object] = {
        "amount": Units(2_556),
        "fee": Units(56),
        "net": Units(45_000),
        "extra": CONVERTED,
        "debit_asset": "EUR",
    }
    return a_withdrawal(**(fields | changes))
