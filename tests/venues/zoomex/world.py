"""The small world of the Zoomex tests: a catalogue, one customer's key, requests signed by hand in both styles."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from penstock.chains.addresses import check_address
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing, Network
from penstock.core.ids import AccountId
from penstock.core.time import UnixMs
from penstock.core.views import AccountView, KeyView
from penstock.venues.venue import Ask, Reply, Request, Route, World
from penstock.venues.zoomex import Zoomex
from tests.venues import driving

NOW_MS = UnixMs(1_795_219_200_000)
"""2026-11-21T00:00:00Z."""
ACCOUNT = AccountId(7)
UID = "162119745"
KEY, SECRET = "zx-demo-key-0001", "zx-demo-secret-0001"

EVM_ADDRESS = "0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf"
TRON_ADDRESS = "TA4Y62o6YC2Zsck9rZVGTvqW1AQ7X9zTnj"
RIPPLE_ADDRESS = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"
USDT_ON_ETHEREUM = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
USDT_ON_TRON = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
HOT_WALLET = "0xA82898C70BEB5e1b1621FDA62Fd17bA27227BBC5"
FORBIDDEN = frozenset({USDT_ON_ETHEREUM, USDT_ON_TRON, HOT_WALLET})

CREATE = "/private/v1/asset/withdraw/create"
INNER = "/private/v1/asset/withdraw/inner-create"
RECORDS = "/private/v1/asset/withdraw/query-record"
COINS = "/private/v1/asset/coin/query-info"
DEPOSIT_ADDRESS = "/private/v1/asset/deposit/query-address"
DEPOSITS = "/private/v1/asset/deposit/query-record"
ASSETS = "/cloud/trade/v3/asset/transfer/query-asset-info"
WALLET_BALANCE = "/cloud/trade/v3/account/wallet-balance"
MARKET_TIME = "/cloud/trade/v3/market/time"

ME = AccountView(
    account_id=ACCOUNT,
    account_number=UID,
    email="",
    phone="",
    is_sub_account=False,
    may_withdraw=True,
    frozen=False,
    created_ms=UnixMs(0),
)

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
        Listing("USDT", "tron", 6, USDT_ON_TRON, Units(1_000_000), Units(5_000_000), 3),
        Listing(
            "USDT",
            "bsc",
            18,
            "0x55d398326f99059fF775485246999027B3197955",
            Units(300_000),
            Units(10_000_000),
            6,
            deposit_enabled=False,
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


def make_venue() -> Zoomex:
    return Zoomex(
        World(
            catalogue=CATALOGUE,
            check_address=lambda network, address, memo: check_address(network, address, memo, FORBIDDEN),
            new_trace=lambda: "",
            now_ms=lambda: NOW_MS,
            rates=driving.NoRates(),
        )
    )


VENUE = make_venue()


def make_key(**changes: object) -> KeyView:
    own = {
        "key_id": KEY,
        "venue": "zoomex",
        "account_id": ACCOUNT,
        "secret": SECRET.encode(),
    }
    return driving.key_view(**(own | changes))


def route_of(path: str) -> Route:
    return next(route for route in VENUE.routes if route.path == path)


def hmac_of(text: str, secret: str = SECRET) -> str:
    """Written out here a second time, so that the code under test is not its own judge."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def demo_sign(members: Mapping[str, object], secret: str = SECRET) -> str:
    """As the venue's own demo signs, text for text."""
    return hmac_of("&".join(f"{name}={members[name]}" for name in sorted(members)), secret)


def demo_members(members: Mapping[str, object], **credentials: object) -> dict[str, object]:
    """The members as the demo sends them: credentials and signature added. A credential of None is left out."""
    added: dict[str, object] = {"api_key": KEY, "timestamp": int(NOW_MS), "recv_window": 5000} | credentials
    full = {**members, **{name: value for name, value in added.items() if value is not None}}
    return {**full, "sign": demo_sign(full)}


def raw(
    path: str,
    *,
    query: bytes = b"",
    body: bytes = b"",
    headers: Mapping[str, str | bytes] | None = None,
    now_ms: int = NOW_MS,
    client_ip: str = "127.0.0.1",
) -> Request:
    pairs = [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in (headers or {}).items()
    ]
    return Request(route_of(path).method, path, query, pairs, body, client_ip, UnixMs(now_ms))


def mirrored(members: Mapping[str, object]) -> dict[str, str]:
    """The headers that today's demos send beside the parameters."""
    return {
        "X-BAPI-API-KEY": str(members["api_key"]),
        "X-BAPI-SIGN": str(members["sign"]),
        "X-BAPI-TIMESTAMP": str(members["timestamp"]),
        "X-BAPI-RECV-WINDOW": str(members["recv_window"]),
        "Content-Type": "application/json",
    }


def by_parameters(path: str, members: Mapping[str, object], **credentials: object) -> Request:
    """A style P request: JSON for a POST, a query for a GET, with mirrored headers."""
    full = demo_members(members, **credentials)
    if route_of(path).method == "GET":
        return raw(path, query=urlencode(full).encode(), headers=mirrored(full))
    return raw(path, body=json.dumps(full).encode(), headers=mirrored(full))


def by_old_query(path: str, members: Mapping[str, object], **credentials: object) -> Request:
    """Style P as before July 2024: everything in the query, no header, no body."""
    return raw(path, query=urlencode(demo_members(members, **credentials)).encode())


def by_headers(
    path: str,
    *,
    query: str = "",
    body: str = "",
    timestamp: str = str(NOW_MS),
    recv_window: str | None = "5000",
    **changes: str | bytes,
) -> Request:
    """A style H request; a change such as x_bapi_sign="" replaces a header."""
    headers: dict[str, str | bytes] = {
        "x-bapi-api-key": KEY,
        "x-bapi-timestamp": timestamp,
        "x-bapi-sign": hmac_of(f"{timestamp}{KEY}{recv_window or ''}{body or query}"),
    }
    if recv_window is not None:
        headers["x-bapi-recv-window"] = recv_window
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return raw(path, query=query.encode(), body=body.encode(), headers=headers)


def both(path: str, members: Mapping[str, object]) -> list[Request]:
    """The same request in both styles, and in the old form."""
    if route_of(path).method == "GET":
        return [by_parameters(path, members), by_headers(path, query=urlencode(members))]
    return [
        by_parameters(path, members),
        by_headers(path, body=json.dumps(members)),
        by_old_query(path, members),
    ]


def outcome(request: Request, key: KeyView | None = None, venue: Zoomex = VENUE) -> Ask | Reply:
    """As driving.outcome."""
    return driving.outcome(venue, request, key or make_key())


def answer(request: Request, *values: object, key: KeyView | None = None) -> Reply:
    """As driving.reply_to."""
    return driving.reply_to(VENUE, request, key or make_key(), *values)


def refusal(asked: Ask | Reply) -> tuple[int, int]:
    """(HTTP status, code) of a refusal; its envelope must be whole, of either family."""
    assert isinstance(asked, Reply), asked
    envelope: dict[str, Any] = json.loads(asked.body)
    if "ret_code" in envelope:
        assert envelope.keys() - {"rate_limit_reset_ms"} == {
            "ret_code",
            "ret_msg",
            "ext_code",
            "result",
            "ext_info",
            "time_now",
        }
        code, message, time_ms = envelope["ret_code"], envelope["ret_msg"], envelope["time_now"]
    else:
        assert envelope.keys() == {"retCode", "retMsg", "result", "retExtInfo", "time"}
        code, message, time_ms = envelope["retCode"], envelope["retMsg"], envelope["time"]
    assert (envelope["result"], time_ms) == ({}, NOW_MS)
    assert message
    assert code != 0
    return asked.status, code


def asked_of(request: Request, key: KeyView | None = None) -> Any:
    """The question that a request comes to."""
    asked = outcome(request, key)
    assert isinstance(asked, Ask), asked
    return asked.question


def create_members(**changes: object) -> dict[str, object]:
    """withdraw/create; a change to None leaves the member out."""
    members: dict[str, object] = {
        "coin": "USDT",
        "chain": "TRX",
        "address": TRON_ADDRESS,
        "amount": "25.5",
        "requestId": "req0001",
    }
    return {name: value for name, value in (members | changes).items() if value is not None}


def inner_members(**changes: object) -> dict[str, object]:
    """withdraw/inner-create, as the venue's demo has it."""
    members: dict[str, object] = {
        "requestId": "9f23143dc62f4f718afbbe5fb8d4641b",
        "coin": "USDT",
        "addressType": 3,
        "address": UID,
        "amount": "1",
    }
    return {name: value for name, value in (members | changes).items() if value is not None}
