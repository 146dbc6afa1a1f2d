"""Zoomex from the caller's side: requests as bytes to send. No IO and no clock.

Signed as the venue's own demos sign: by parameters, repeated in headers, and by headers alone for the account's wallet
balance. Amounts are decimal text. A create is built once; a Penstock answers the same requestId with the same content
with the first withdrawal, for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from penstock.core.commands import RecipientKind
from penstock.core.secret import Secret
from penstock.venues.client_request import OutgoingRequest, checked_amount
from penstock.venues.venue import Route
from penstock.venues.zoomex import auth, routes
from penstock.venues.zoomex.create import KINDS
from penstock.venues.zoomex.messages import signed_text

WITHDRAW_WINDOW_MS = 60_000
"""How long a create may take to arrive. More than the venue's default, so that a lost answer can be asked for again."""
PAGE_SIZE_MAX = 50

ON_CHAIN, BETWEEN_ACCOUNTS, ANY_TYPE = 0, 1, 2
"""`withdrawType`, and `type` of deposits."""

_REQUEST_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_AREA_CODE = re.compile(r"[1-9][0-9]{0,3}")
_TYPES = {kind: number for number, kind in KINDS.items()}
_encode = msgspec.json.Encoder().encode

Members = Mapping[str, str | int]


class Credentials(msgspec.Struct, frozen=True):
    """An API key of the master account; only that may withdraw."""

    key: str
    secret: Secret


def create(
    credentials: Credentials,
    now_ms: int,
    *,
    request_id: str,
    coin: str,
    chain: str,
    address: str,
    amount: str,
    tag: str = "",
) -> OutgoingRequest:
    """Withdraw to a blockchain address of the address book.

    amount: what the receiver gets, plain decimal text; the fee is debited beside it. Raises ValueError for an amount
    or a request_id that is not of its form.
    """
    members = {
        "requestId": _checked_id(request_id),
        "coin": coin,
        "chain": chain,
        "address": address,
        "amount": checked_amount(amount),
        **({"tag": tag} if tag else {}),
    }
    return _by_parameters(credentials, now_ms, routes.CREATE, members, WITHDRAW_WINDOW_MS)


def inner_create(
    credentials: Credentials,
    now_ms: int,
    *,
    request_id: str,
    coin: str,
    kind: RecipientKind,
    address: str,
    amount: str,
    area_code: str = "",
    remark: str = "",
) -> OutgoingRequest:
    """Send to another account of the venue, free of charge. address: its UID, e-mail or phone.

    area_code: for a phone, digits such as "61". Raises ValueError as `create`, and for an area_code of another form.
    """
    members: dict[str, str | int] = {
        "requestId": _checked_id(request_id),
        "coin": coin,
        "addressType": _TYPES[kind],
        "address": address,
        "amount": checked_amount(amount),
    }
    if kind is RecipientKind.PHONE:
        if _AREA_CODE.fullmatch(area_code) is None:
            raise ValueError(f"a phone needs its country's digits, such as 61, not {area_code[:16]!r}")
        members["areaCode"] = int(area_code)
    if remark:
        members["remark"] = remark
    return _by_parameters(credentials, now_ms, routes.INNER_CREATE, members, WITHDRAW_WINDOW_MS)


def query_record(
    credentials: Credentials,
    now_ms: int,
    *,
    withdraw_type: int = ANY_TYPE,
    withdraw_id: str = "",
    coin: str = "",
    from_s: int | None = None,
    to_s: int | None = None,
    page_size: int = PAGE_SIZE_MAX,
    cursor: str = "",
) -> OutgoingRequest:
    """Withdrawals, newest first; by default of the last 30 days, which is also the longest time between the two."""
    asked = {
        "withdrawType": withdraw_type,
        "withdrawId": withdraw_id,
        "coin": coin,
        "startTime": from_s,
        "endTime": to_s,
        "pageSize": page_size,
        "cursor": cursor,
    }
    return _by_parameters(credentials, now_ms, routes.WITHDRAW_RECORDS, _given(asked))


def deposit_query_record(
    credentials: Credentials,
    now_ms: int,
    *,
    deposit_type: int = ANY_TYPE,
    coin: str = "",
    chain: str = "",
    tx_id: str = "",
    from_s: int | None = None,
    to_s: int | None = None,
    page_size: int = PAGE_SIZE_MAX,
    cursor: str = "",
) -> OutgoingRequest:
    """Deposits; as `query_record`."""
    asked = {
        "type": deposit_type,
        "coin": coin,
        "chain": chain,
        "txId": tx_id,
        "startTime": from_s,
        "endTime": to_s,
        "pageSize": page_size,
        "cursor": cursor,
    }
    return _by_parameters(credentials, now_ms, routes.DEPOSIT_RECORDS, _given(asked))


def deposit_query_address(
    credentials: Credentials, now_ms: int, *, coin: str, chain: str = ""
) -> OutgoingRequest:
    """Where deposits go, on one chain or on every one."""
    asked = {"coin": coin, "chain": chain}
    return _by_parameters(credentials, now_ms, routes.DEPOSIT_ADDRESSES, _given(asked))


def query_info(credentials: Credentials, now_ms: int, *, coin: str = "") -> OutgoingRequest:
    """Coins with their chains, minimums and fees."""
    return _by_parameters(credentials, now_ms, routes.COINS, _given({"coin": coin}))


def query_asset_info(
    credentials: Credentials, now_ms: int, *, account_type: str, coin: str = ""
) -> OutgoingRequest:
    """The wallet SPOT or FUND."""
    asked = {"accountType": account_type, "coin": coin}
    return _by_parameters(credentials, now_ms, routes.ASSETS, _given(asked))


def wallet_balance(
    credentials: Credentials, now_ms: int, *, account_type: str, coin: str = ""
) -> OutgoingRequest:
    """The trading account UNIFIED or CONTRACT. coin: several with commas, "" for all that hold something."""
    query = urlencode(_given({"accountType": account_type, "coin": coin}))
    timestamp, window = str(now_ms), str(auth.RECV_WINDOW_MS)
    text = auth.header_message(timestamp, credentials.key, window, query.encode())
    sign = auth.signature(credentials.secret.reveal(), text).decode()
    headers = (*_headers(credentials.key, sign, timestamp, window), ("X-BAPI-SIGN-TYPE", "2"))
    route = routes.WALLET_BALANCE
    return OutgoingRequest(route.method, route.path, query, headers, b"", text.decode())


def market_time() -> OutgoingRequest:
    return OutgoingRequest(routes.MARKET_TIME.method, routes.MARKET_TIME.path)


def _checked_id(request_id: str) -> str:
    if _REQUEST_ID.fullmatch(request_id) is None:
        raise ValueError(f"a request id is 1 to 64 letters and digits, not {request_id[:80]!r}")
    return request_id


def _given(asked: Mapping[str, str | int | None]) -> dict[str, str | int]:
    return {name: value for name, value in asked.items() if value not in (None, "")}  # pyright: ignore[reportReturnType] - None is left out


def _by_parameters(
    credentials: Credentials,
    now_ms: int,
    route: Route,
    members: Members,
    recv_window_ms: int = auth.RECV_WINDOW_MS,
) -> OutgoingRequest:
    full = {**members, "api_key": credentials.key, "timestamp": now_ms, "recv_window": recv_window_ms}
    text = signed_text({name: str(value) for name, value in full.items()})
    sign = auth.signature(credentials.secret.reveal(), text).decode()
    sent = {**full, "sign": sign}
    headers = _headers(credentials.key, sign, str(now_ms), str(recv_window_ms))
    if route.method == "GET":
        # A GET with a body is forbidden, and one that says it has JSON may be taken for one.
        return OutgoingRequest(route.method, route.path, urlencode(sent), headers, b"", text.decode())
    headers = (*headers, ("Content-Type", "application/json"))
    return OutgoingRequest(route.method, route.path, "", headers, _encode(sent), text.decode())


def _headers(key: str, sign: str, timestamp: str, recv_window: str) -> tuple[tuple[str, str], ...]:
    return (
        ("X-BAPI-API-KEY", key),
        ("X-BAPI-SIGN", sign),
        ("X-BAPI-TIMESTAMP", timestamp),
        ("X-BAPI-RECV-WINDOW", recv_window),
    )
