"""The small world of the BitMart tests: a catalogue, one customer's key, requests made by hand."""

from __future__ import annotations

import hashlib
import hmac
import json

from penstock.chains.addresses import check_address
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing, Network
from penstock.core.ids import AccountId
from penstock.core.time import UnixMs
from penstock.core.views import KeyView
from penstock.venues.bitmart import Bitmart
from penstock.venues.venue import Ask, Reply, Request, Route, World
from tests.venues import driving

NOW_MS = UnixMs(1_795_219_200_000)
"""2026-11-21T00:00:00Z."""
TIMESTAMP = str(NOW_MS)
TRACE = "886fb6ae-456b-4654-b4e0-d681ac05cea1"
ACCOUNT = AccountId(7)
KEY, SECRET, MEMO = "demo-key-0001", "demo-secret-0001", "demo-memo"

EVM_ADDRESS = "0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf"
TRON_ADDRESS = "TA4Y62o6YC2Zsck9rZVGTvqW1AQ7X9zTnj"
USDT_ON_ETHEREUM = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
HOT_WALLET = "0xA82898C70BEB5e1b1621FDA62Fd17bA27227BBC5"
FORBIDDEN = frozenset({USDT_ON_ETHEREUM, HOT_WALLET})

CATALOGUE = Catalogue(
    assets=[
        Asset("BTC", "Bitcoin", 8, "100000"),
        Asset("ETH", "Ethereum", 18, "4000"),
        Asset("USDT", "Tether USD", 6, "1"),
        Asset("XRP", "XRP", 6),
        Asset("TRX", "TRON", 6),
        Asset("SHUT", "Shut", 6),
    ],
    networks=[
        Network("bitcoin", "bitcoin", "BTC", 6),
        Network("ethereum", "evm", "ETH", 12),
        Network("tron", "tron", "TRX", 19),
        Network("bsc", "evm", "BNB", 15),
        Network("ripple", "ripple", "XRP", 1, uses_memo=True),
    ],
    listings=[
        Listing("BTC", "bitcoin", 8, None, Units(10_000), Units(30_000), 8, maximum=Units(10 * 10**8)),
        Listing("ETH", "ethereum", 18, None, Units(10**15), Units(10**16), 8),
        Listing("USDT", "ethereum", 6, USDT_ON_ETHEREUM, Units(1_000_000), Units(10_000_000), 6),
        Listing(
            "USDT", "tron", 6, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", Units(1_000_000), Units(5_000_000), 3
        ),
        Listing(
            "USDT",
            "bsc",
            18,
            "0x55d398326f99059fF775485246999027B3197955",
            Units(300_000),
            Units(10_000_000),
            6,
            multiple=Units(10_000_000),
        ),
        Listing("XRP", "ripple", 6, None, Units(250_000), Units(20_000_000), 6),
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


def make_key(**changes: object) -> KeyView:
    own = {
        "key_id": KEY,
        "venue": "bitmart",
        "account_id": ACCOUNT,
        "secret": SECRET.encode(),
        "passphrase": MEMO,
    }
    return driving.key_view(**(own | changes))


def make_venue() -> Bitmart:
    return Bitmart(
        World(
            CATALOGUE,
            lambda network, address, memo: check_address(network, address, memo, FORBIDDEN),
            lambda: TRACE,
            lambda: NOW_MS,
            driving.NoRates(),
        )
    )


VENUE = make_venue()


def route_of(method: str, path: str) -> Route:
    return driving.route_of(VENUE, method, path)


APPLY = route_of("POST", "/account/v1/withdraw/apply")


def sign(body: bytes, timestamp: str = TIMESTAMP, secret: str = SECRET, memo: str = MEMO) -> str:
    """Written out here a second time, so that the code under test is not its own judge."""
    return hmac.new(secret.encode(), f"{timestamp}#{memo}#".encode() + body, hashlib.sha256).hexdigest()


def post(
    body: bytes,
    *,
    key: str | None = KEY,
    timestamp: str | None = TIMESTAMP,
    signed: str | bytes | None = None,
    extra: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),),
) -> Request:
    """A withdraw/apply, rightly signed unless told otherwise; "" sends an empty header, None none."""
    headers = [*extra]
    if key is not None:
        headers.append((b"x-bm-key", key.encode("latin-1")))
    if timestamp is not None:
        headers.append((b"x-bm-timestamp", timestamp.encode()))
    if signed is None:
        signed = sign(body, timestamp or "")
    headers.append((b"x-bm-sign", signed if isinstance(signed, bytes) else signed.encode()))
    return Request("POST", APPLY.path, b"", headers, body, "127.0.0.1", NOW_MS)


def get(path: str, query: bytes = b"", key: str | None = KEY) -> Request:
    headers = [] if key is None else [(b"x-bm-key", key.encode())]
    return Request("GET", path, query, headers, b"", "127.0.0.1", NOW_MS)


def outcome(request: Request, key: KeyView | None = None) -> Ask | Reply:
    """As driving.outcome."""
    return driving.outcome(VENUE, request, key or make_key())


def answer(request: Request, value: object, key: KeyView | None = None) -> Reply:
    """As driving.reply_to."""
    return driving.reply_to(VENUE, request, key or make_key(), value)


def refusal(asked: Ask | Reply) -> tuple[int, int]:
    """(HTTP status, code) of a reply; its envelope must be whole."""
    assert isinstance(asked, Reply), asked
    envelope = json.loads(asked.body)
    assert envelope.keys() == {"code", "trace", "message", "data"}
    assert envelope["trace"] == TRACE
    assert envelope["message"]
    return asked.status, envelope["code"]


def apply_body(**changes: object) -> bytes:
    """A body for the blockchain form; a change to None leaves the member out."""
    members: dict[str, object] = {
        "currency": "USDT-ERC20",
        "amount": "100.000",
        "destination": "To Digital Address",
        "address": EVM_ADDRESS,
    }
    members |= changes
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()
