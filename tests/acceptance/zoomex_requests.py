"""Zoomex requests, built from the venue's pages alone: nothing of Penstock is imported.

Source: Zoomex docs, "Authentication", the demo on the page of each endpoint, and the demos as they were before July
2024, which send every parameter of a POST in its query.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tests.acceptance.calls import Call, next_source, now_ms
from tests.acceptance.customers import Customer, new_evm_address, open_account
from tests.acceptance.raw_http import Answer, ask
from tests.acceptance.sandbox_process import Sandbox

CREATE = "/private/v1/asset/withdraw/create"
INNER_CREATE = "/private/v1/asset/withdraw/inner-create"
RECORDS = "/private/v1/asset/withdraw/query-record"
COINS = "/private/v1/asset/coin/query-info"
DEPOSIT_ADDRESSES = "/private/v1/asset/deposit/query-address"
DEPOSITS = "/private/v1/asset/deposit/query-record"
ASSETS = "/cloud/trade/v3/asset/transfer/query-asset-info"
WALLET_BALANCE = "/cloud/trade/v3/account/wallet-balance"
MARKET_TIME = "/cloud/trade/v3/market/time"
PRIVATE = (CREATE, INNER_CREATE, RECORDS, COINS, DEPOSIT_ADDRESSES, DEPOSITS, ASSETS, WALLET_BALANCE)
POSTS = (CREATE, INNER_CREATE)

LIMIT_HEADERS = ("x-bapi-limit", "x-bapi-limit-status", "x-bapi-limit-reset-timestamp")
Members = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """An API key."""

    api_key: str
    secret: str

    def sign(self, text: str | bytes) -> str:
        octets = text.encode() if isinstance(text, str) else text
        return hmac.new(self.secret.encode(), octets, hashlib.sha256).hexdigest()


# ---- style P: the credentials are parameters, and sign the parameters ----


def signed_text(members: Members) -> str:
    """Everything but `sign`, sorted by name, nothing escaped (Zoomex docs, the demo on each page)."""
    return "&".join(f"{name}={members[name]}" for name in sorted(members) if name != "sign")


def signed(key: Key, members: Members, **claims: Any) -> dict[str, Any]:
    """The members with their credentials. claims: other credentials than the right ones; None leaves one out."""
    claimed = {"api_key": key.api_key, "timestamp": now_ms(), "recv_window": 5000} | claims
    full = {**members, **{name: value for name, value in claimed.items() if value is not None}}
    return full if "sign" in full else full | {"sign": key.sign(signed_text(full))}


def mirrored(full: Members) -> tuple[tuple[str, str], ...]:
    """The headers that today's demos send beside the parameters."""
    return (
        ("X-BAPI-API-KEY", str(full.get("api_key", ""))),
        ("X-BAPI-SIGN", str(full.get("sign", ""))),
        ("X-BAPI-TIMESTAMP", str(full.get("timestamp", ""))),
        ("X-BAPI-RECV-WINDOW", str(full.get("recv_window", ""))),
        ("Content-Type", "application/json"),
    )


def as_json(path: str, full: Members, *, mirror: bool = True) -> Call:
    """A POST of signed members."""
    headers = mirrored(full) if mirror else (("Content-Type", "application/json"),)
    return Call("POST", path, headers=headers, body=json.dumps(full).encode())


def as_query(path: str, full: Members) -> Call:
    """Signed members in the query, no header and no body."""
    return Call(method_of(path), path, urlencode(full))


def demo(path: str, key: Key, members: Members, **claims: Any) -> Call:
    """As the demos of today: a POST carries JSON, a GET a query, and the headers repeat the credentials."""
    full = signed(key, members, **claims)
    if path in POSTS:
        return as_json(path, full)
    return replace(as_query(path, full), headers=mirrored(full)[:-1])


def old_demo(path: str, key: Key, members: Members, **claims: Any) -> Call:
    """As the demos before July 2024."""
    return as_query(path, signed(key, members, **claims))


# ---- style H: the credentials are headers, and sign the bytes of query or body ----


def by_headers(
    path: str,
    key: Key,
    members: Members | str | bytes,
    *,
    timestamp: str | None = None,
    recv_window: str | None = "5000",
) -> Call:
    """members: of the query or body; or its text or bytes as they go out."""
    stamp = str(now_ms()) if timestamp is None else timestamp
    if isinstance(members, str | bytes):
        payload = members.encode() if isinstance(members, str) else members
    else:
        payload = (json.dumps(members) if path in POSTS else urlencode(members)).encode()
    headers = [
        ("X-BAPI-API-KEY", key.api_key),
        ("X-BAPI-TIMESTAMP", stamp),
        ("X-BAPI-SIGN", key.sign((stamp + key.api_key + (recv_window or "")).encode() + payload)),
        ("X-BAPI-SIGN-TYPE", "2"),
    ]
    if recv_window is not None:
        headers.append(("X-BAPI-RECV-WINDOW", recv_window))
    if path in POSTS:
        content_type = ("Content-Type", "application/json")
        return Call("POST", path, headers=(*headers, content_type), body=payload)
    return Call("GET", path, payload.decode(), tuple(headers))


STYLES = {"today's demos": demo, "the old demos": old_demo, "headers": by_headers}


def method_of(path: str) -> str:
    return "POST" if path in POSTS else "GET"


# ---- answers ----


@dataclass(frozen=True)
class Told:
    """An answer whose envelope was whole. code, message, result: of either family of envelopes."""

    status: int
    code: int
    message: str
    result: dict[str, Any]
    envelope: dict[str, Any]
    headers: dict[str, str]
    seconds: float

    @property
    def verdict(self) -> tuple[int, int]:
        """(HTTP status, code)."""
        return self.status, self.code

    @property
    def withdraw_id(self) -> str:
        assert (self.status, self.code, self.message) == (200, 0, "success"), self
        assert list(self.result) == ["withdraw_id"]
        return str(self.result["withdraw_id"])


def told(answer: Answer) -> Told:
    envelope: dict[str, Any] = json.loads(answer.body)
    if "ret_code" in envelope:
        names = ["ret_code", "ret_msg", "ext_code", "result", "ext_info", "time_now"]
        code, message = envelope["ret_code"], envelope["ret_msg"]
    else:
        names = ["retCode", "retMsg", "result", "retExtInfo", "time"]
        code, message = envelope["retCode"], envelope["retMsg"]
    assert [name for name in envelope if name != "rate_limit_reset_ms"] == names
    assert abs(envelope[names[-1]] - now_ms()) < 60_000
    assert answer.headers["content-type"] == "application/json"
    return Told(answer.status, code, message, envelope["result"], envelope, answer.headers, answer.seconds)


def send(sandbox: Sandbox, call: Call | bytes, source: str | None = None) -> Told:
    """One exchange on a connection of its own, which must be sane afterwards."""
    raw = call if isinstance(call, bytes) else call.raw
    return told(ask(sandbox, raw, next_source() if source is None else source))


def send_refused(sandbox: Sandbox, call: Call, seconds: list[float]) -> tuple[int, int]:
    """Send what must be refused, and not by a 500; returns the verdict, and notes how long it took."""
    answer = send(sandbox, call)
    seconds.append(answer.seconds)
    assert answer.status != 500
    assert (answer.result, answer.code != 0) == ({}, True), answer
    return answer.verdict


def send_when_allowed(sandbox: Sandbox, call: Call) -> Told:
    """As `send`; where it is one too many, once more when its limit is said to end."""
    answer = send(sandbox, call)
    if answer.code == 10006:
        wait_ms = int(answer.headers["x-bapi-limit-reset-timestamp"]) - now_ms()
        time.sleep(max(wait_ms, 0) / 1000)
        answer = send(sandbox, call)
    return answer


# ---- who asks, and for what ----


@dataclass(frozen=True)
class Payer:
    """A customer with a key, money in the wallet that pays, and one address in the book for USDT on chain ETH."""

    customer: Customer
    key: Key
    address: str

    def create(self, **changes: Any) -> dict[str, Any]:
        """Members of withdraw/create that would be accepted; a change to None leaves one out."""
        members = {
            "coin": "USDT",
            "chain": "ETH",
            "address": self.address,
            "amount": "25.5",
            "requestId": secrets.token_hex(16),
        }
        return {name: value for name, value in (members | changes).items() if value is not None}

    def inner_create(self, uid: str, **changes: Any) -> dict[str, Any]:
        """As `create`, for another account by its UID."""
        members = {
            "requestId": secrets.token_hex(16),
            "coin": "USDT",
            "addressType": 3,
            "address": uid,
            "amount": "1",
        }
        return {name: value for name, value in (members | changes).items() if value is not None}


def new_payer(sandbox: Sandbox, *, number: str | None = None, money: str = "1000", **key: object) -> Payer:
    """key: fields of the key other than the usual ones."""
    customer = open_account(sandbox, number)
    if money:
        customer.credit("USDT", money, wallet="fund")
    address = new_evm_address()
    customer.list_address(address)
    return Payer(customer, Key(*customer.key("zoomex", **key)), address)
