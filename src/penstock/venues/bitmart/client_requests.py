"""BitMart from the caller's side: requests as bytes to send. No IO and no clock.

Amounts are decimal text. A signed request is built once; where its outcome is unknown, the
same object is sent again: within the timestamp's minute a Penstock answers it with the first withdrawal.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import urlencode

import msgspec

from penstock.core.commands import RecipientKind
from penstock.core.secret import Secret
from penstock.venues.bitmart import auth, routes
from penstock.venues.bitmart.messages import KINDS
from penstock.venues.client_request import OutgoingRequest, checked_amount
from penstock.venues.venue import Route

_TYPES = {kind: int(literal) for literal, kind in KINDS.items()}
_encode = msgspec.json.Encoder().encode


class Credentials(msgspec.Struct, frozen=True):
    """An API key. memo: the word chosen when the key was made; it is signed, never sent."""

    key: str
    secret: Secret
    memo: str

    def __repr__(self) -> str:
        return f"Credentials(key={self.key!r}, ***)"


class Operation(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"


def withdraw_to_address(
    credentials: Credentials,
    now_ms: int,
    *,
    currency: str,
    amount: str,
    address: str,
    memo: str = "",
    remark: str = "",
    source: str | None = None,
) -> OutgoingRequest:
    """Withdraw to a blockchain address of the address book.

    currency: the venue's name ("USDT-ERC20"). amount: gross, plain decimal text. source: "SPOT" or "FUND";
    None lets the venue take spot first. Raises ValueError for an amount that is not plain text.
    """
    body: dict[str, str | int] = {"currency": currency, "amount": checked_amount(amount), "address": address}
    optional = {"address_memo": memo, "destination": remark, "sourceAccount": source}
    return _signed(credentials, now_ms, routes.APPLY, body | {k: v for k, v in optional.items() if v})


def withdraw_to_account(
    credentials: Credentials,
    now_ms: int,
    *,
    currency: str,
    amount: str,
    kind: RecipientKind,
    value: str,
    area_code: str = "",
    source: str | None = None,
) -> OutgoingRequest:
    """Send to another BitMart account. value: its number, e-mail or phone (then area_code such as "61")."""
    body: dict[str, str | int] = {
        "currency": currency,
        "amount": checked_amount(amount),
        "type": _TYPES[kind],
        "value": value,
    }
    optional = {"areaCode": area_code, "sourceAccount": source}
    return _signed(credentials, now_ms, routes.APPLY, body | {k: v for k, v in optional.items() if v})


def charge(credentials: Credentials, currency: str) -> OutgoingRequest:
    """Fee, minimum, precision and the day's quota."""
    return _keyed(credentials, routes.CHARGE, {"currency": currency})


def account_wallet(
    credentials: Credentials, currency: str | None = None, *, usd: bool = False
) -> OutgoingRequest:
    """The funding wallet. usd: with valuations."""
    asked = {"currency": currency, "needUsdValuation": "true" if usd else None}
    return _keyed(credentials, routes.ACCOUNT_WALLET, asked)


def spot_wallet(credentials: Credentials) -> OutgoingRequest:
    return _keyed(credentials, routes.SPOT_WALLET, {})


def deposit_address(credentials: Credentials, currency: str) -> OutgoingRequest:
    return _keyed(credentials, routes.DEPOSIT_ADDRESS, {"currency": currency})


def address_list(credentials: Credentials) -> OutgoingRequest:
    """The address book."""
    return _keyed(credentials, routes.ADDRESS_LIST, {})


def history(
    credentials: Credentials,
    operation: Operation,
    *,
    limit: int = 1000,
    currency: str | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> OutgoingRequest:
    """The newest `limit` (1 to 1000) records; by default of the last 90 days."""
    asked = {
        "operation_type": operation.value,
        "N": str(limit),
        "currency": currency,
        "startTime": None if from_ms is None else str(from_ms),
        "endTime": None if to_ms is None else str(to_ms),
    }
    return _keyed(credentials, routes.HISTORY, asked)


def detail(credentials: Credentials, record_id: str) -> OutgoingRequest:
    """One record by its withdraw_id or deposit_id."""
    return _keyed(credentials, routes.DETAIL, {"id": record_id})


def currencies(names: Sequence[str] = ()) -> OutgoingRequest:
    """Everything listed, or up to 20 names."""
    return _request(routes.CURRENCIES, {"currencies": ",".join(names)}, ())


def server_time() -> OutgoingRequest:
    return _request(routes.SERVER_TIME, {}, ())


def _request(
    route: Route, asked: dict[str, str | None], headers: tuple[tuple[str, str], ...]
) -> OutgoingRequest:
    query = urlencode({name: value for name, value in asked.items() if value})
    return OutgoingRequest(route.method, route.path, query, headers)


def _keyed(credentials: Credentials, route: Route, asked: dict[str, str | None]) -> OutgoingRequest:
    return _request(route, asked, (("X-BM-KEY", credentials.key),))


def _signed(
    credentials: Credentials, now_ms: int, route: Route, members: dict[str, str | int]
) -> OutgoingRequest:
    body = _encode(members)
    timestamp = str(now_ms)
    sign = auth.signature(credentials.secret.reveal(), credentials.memo, timestamp.encode(), body)
    headers = (
        ("X-BM-KEY", credentials.key),
        ("X-BM-SIGN", sign.decode()),
        ("X-BM-TIMESTAMP", timestamp),
        ("Content-Type", "application/json"),
    )
    # What is signed is "<timestamp>#<memo>#<body>"; the memo is one of the key's three secrets.
    signed_text = f"{timestamp}#***#{body.decode()}"
    return OutgoingRequest(route.method, route.path, "", headers, body, signed_text)
