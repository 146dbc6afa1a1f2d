"""The small world of the SunX tests: a catalogue, one customer's keys and wallet, requests made by hand.

What signs here is written from the venue's page alone and shares nothing with the code under test.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote

from eth_account import Account as EthAccount
from eth_account.messages import SignableMessage

from penstock.chains.addresses import check_address
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing, Network
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import ChallengeView, KeyView, WithdrawalView
from penstock.venues.sunx import Sunx
from penstock.venues.sunx.routes import ROUTES
from penstock.venues.venue import Ask, Reply, Request, Route, World
from tests.venues import driving

NOW_MS = UnixMs(1_795_240_800_000)
"""2026-11-21T06:00:00Z, the time of the published vectors."""
TIMESTAMP = "2026-11-21T06:00:00"
TRACE = "886fb6ae-456b-4654-b4e0-d681ac05cea1"
NONCE = "01A1FCB0AF004654B4E0D681AC05CEA1"
ACCOUNT = AccountId(7)
KEY, SECRET = "sunx-test-access-key-01", "sunx-test-secret-key-01"
ED_SEED = "afd6890a687c757a9a1b47489b9d4ec0f063779ad9eb6c4480f48c5214c4724e"
ED_PUBLIC = "70ac4c00e803e6a2b7356d24d0537b8f7cf4ddf011bd909ce564db2acaf0009e"
WALLET_KEY = "760d9efc563cf12ab3a6bf847dc8688ce546ee3d03e90d3562345239290cbbaf"
WALLET = "TJkMU8oTHPTxQnM3Vd5UFP4FnLnRvruZjf"
OTHER_WALLET = "TN1F755kgPevmwJZLUqbSaLfMmnVEz1EbV"
USDT_CONTRACT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
HOST = "api.sunx.io"
CLOUD = (b"cloud-exchange", b"6X2K9L4V1C")
JSON = (b"content-type", b"application/json")

APPLY = "/sapi/v1/sunperp/dw/withdraw/apply"
CONFIRM = "/sapi/v1/sunperp/dw/withdraw/confirm"
RECORDS = "/sapi/v1/sunperp/dw/query/deposit-withdraw"
BALANCE = "/sapi/v1/account/balance"

CATALOGUE = Catalogue(
    assets=[Asset("USDT", "Tether USD", 6, "1"), Asset("TRX", "TRON", 6), Asset("ETH", "Ethereum", 18)],
    networks=[Network("tron", "tron", "TRX", 19), Network("ethereum", "evm", "ETH", 12)],
    listings=[
        Listing("USDT", "tron", 6, USDT_CONTRACT, Units(1_200_000), Units(5_000_000), 6),
        Listing("TRX", "tron", 6, None, Units(1_000_000), Units(1_000_000), 6),
        Listing("ETH", "ethereum", 18, None, Units(10**15), Units(10**16), 8),
    ],
)


def make_world() -> World:
    return World(
        catalogue=CATALOGUE,
        check_address=lambda network, address, memo: check_address(
            network, address, memo, frozenset({USDT_CONTRACT})
        ),
        new_trace=lambda: TRACE,
        now_ms=lambda: NOW_MS,
        rates=driving.NoRates(),
    )


VENUE = Sunx(make_world())


def make_key(**changes: object) -> KeyView:
    own = {
        "key_id": KEY,
        "venue": "sunx",
        "account_id": ACCOUNT,
        "secret": SECRET.encode(),
    }
    return driving.key_view(**(own | changes))


def route_of(method: str, path: str) -> Route:
    return driving.route_of(VENUE, method, path)


# --- signing, a second time ------------------------------------------------------------------------------------------


def auth_values(**changes: str) -> dict[str, str]:
    return {
        "AccessKeyId": KEY,
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": TIMESTAMP,
    } | changes


def query_text(values: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(values[name], safe='')}" for name in sorted(values))


def signed_path(path: str) -> str:
    return path.replace("/sapi/v1", "", 1) if "/dw/" in path else path


def hmac_of(text: str, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def tron_signature(content: str, key: str = WALLET_KEY) -> str:
    """By eth-account, which knows TIP-191 only as a form of EIP-191 with another header."""
    body = content.encode()
    message = SignableMessage(b"T", b"RON Signed Message:\n" + str(len(body)).encode(), body)
    return "0x" + EthAccount.sign_message(message, key).signature.hex()


# --- requests --------------------------------------------------------------------------------------------------------


def request_of(
    method: str,
    path: str,
    query: str | bytes,
    body: bytes = b"",
    *,
    headers: tuple[tuple[bytes, bytes], ...] = (CLOUD, JSON),
    host: bytes | None = HOST.encode(),
    client_ip: str = "127.0.0.1",
    now_ms: int = NOW_MS,
) -> Request:
    raw = query if isinstance(query, bytes) else query.encode()
    hosted = [] if host is None else [(b"host", host)]
    return Request(method, path, raw, [*hosted, *headers], body, client_ip, UnixMs(now_ms))


def signed(
    method: str,
    path: str,
    body: bytes = b"",
    *,
    extra: dict[str, str] | None = None,
    sign_host: str = HOST,
    **others: Any,
) -> Request:
    """A rightly signed request; `others` as in `request_of`."""
    values = auth_values(**(extra or {}))
    canonical = query_text(values)
    signature = hmac_of(f"{method}\n{sign_host}\n{signed_path(path)}\n{canonical}")
    return request_of(method, path, f"{canonical}&Signature={quote(signature, safe='')}", body, **others)


def post(path: str, members: object, **others: Any) -> Request:
    return signed("POST", path, json.dumps(members).encode(), **others)


def get(path: str, **parameters: str) -> Request:
    return signed("GET", path, extra=parameters, headers=(CLOUD,))


def apply_members(**changes: object) -> dict[str, object]:
    """A body for apply; a change to None leaves the member out."""
    members: dict[str, object] = {
        "address": WALLET,
        "currency": "usdt",
        "chain": "trc20usdt",
        "amount": "8.799999",
        "fee": "0",
    }
    return {name: value for name, value in (members | changes).items() if value is not None}


# --- what the venue makes of it --------------------------------------------------------------------------------------


def outcome(request: Request, key: KeyView | None = None, venue: Sunx = VENUE) -> Ask | Reply:
    """As driving.outcome."""
    return driving.outcome(venue, request, key or make_key())


def answered(asked: Ask | Reply, *answers: object) -> Ask | Reply:
    """As driving.answered."""
    return driving.answered(VENUE, ROUTES[0], asked, *answers)


def error(reply: Ask | Reply) -> tuple[int, str]:
    """(HTTP status, code) of a refusal; its envelope must be whole."""
    assert isinstance(reply, Reply), reply
    assert reply.headers == ((b"content-type", b"application/json"),)
    envelope = json.loads(reply.body)
    assert envelope.keys() == {"status", "error-code", "error-msg", "err-code", "err-msg", "data", "ts"}
    assert (envelope["status"], envelope["data"], envelope["ts"]) == ("error", None, NOW_MS)
    assert (envelope["err-code"], envelope["err-msg"]) == (envelope["error-code"], envelope["error-msg"])
    assert envelope["error-msg"]
    return reply.status, envelope["error-code"]


def told(reply: Ask | Reply) -> str:
    """The text of a refusal."""
    assert isinstance(reply, Reply), reply
    return str(json.loads(reply.body)["error-msg"])


def a_withdrawal(**changes: Any) -> WithdrawalView:
    fields: dict[str, Any] = {
        "withdrawal_id": WithdrawalId(380_000_000_000_000_001),
        "account_id": ACCOUNT,
        "venue": "sunx",
        "asset": "USDT",
        "network": "tron",
        "wallet": "spot",
        "amount": Units(9_999_999),
        "fee": Units(1_200_000),
        "net": Units(8_799_999),
        "address": WALLET,
        "memo": "",
        "recipient": "",
        "state": State.CONFIRMED,
        "reason": "",
        "tx_hash": "ab" * 32,
        "confirmations": 20,
        "created_ms": NOW_MS,
        "updated_ms": UnixMs(NOW_MS + 5),
        "number": 41,
        "extra": json.dumps(apply_members(fee="1.2")),
        "debit_asset": "USDT",
    }
    return WithdrawalView(**(fields | changes))


def a_challenge(**changes: Any) -> ChallengeView:
    """Of the quote that apply makes from `apply_members`."""
    withdrawal = a_withdrawal(state=State.CHALLENGED, number=0, tx_hash="", **changes)
    return ChallengeView(withdrawal, NONCE, UnixMs(NOW_MS + 120_000), 0, "")


CONTENT = f"address:{WALLET},currency:usdt,chain:trc20usdt,amount:8.799999,fee:1.2,nonce:{NONCE}"
"""What `a_challenge` asks to be signed."""
