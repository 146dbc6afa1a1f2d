"""SunX from the caller's side: requests as bytes to send. No IO and no clock.

A withdrawal is two of them: `apply` asks for a quote and holds nothing; `confirm` sends the wallet's signature over the
quote's content, and is the only request that moves money.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from penstock.core.secret import Secret
from penstock.venues.client_request import OutgoingRequest, checked_amount
from penstock.venues.sunx import auth, routes
from penstock.venues.sunx.query import SIGNATURE, canonical_query
from penstock.venues.venue import Route

NO_FEE = "0"
"""What is sent as the fee: the venue puts its own into the content (SunX docs, `fee` of apply)."""

_PEM = b"-----BEGIN PRIVATE KEY-----"
_encode = msgspec.json.Encoder().encode


class Credentials(msgspec.Struct, frozen=True):
    """An API key. secret: the HMAC secret, or the PKCS#8 PEM text of an Ed25519 private key.

    host: what is signed as the host: that of the URL the requests go to, without port.
    """

    access_key: str
    secret: Secret
    host: str = auth.CANONICAL_HOST

    def __post_init__(self) -> None:
        """Raises ValueError for a PEM text that is no Ed25519 key; it never shows it."""
        if self.is_pem:
            _ed25519_key(self.secret)

    @property
    def is_pem(self) -> bool:
        return self.secret.reveal().strip().startswith(_PEM)

    def sign(self, text: bytes) -> str:
        """Base64, not yet percent-encoded."""
        if self.is_pem:
            return base64.b64encode(_ed25519_key(self.secret).sign(text)).decode()
        return auth.hmac_signature(self.secret.reveal(), text).decode()


class Operation(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"


class Direction(StrEnum):
    """How records are read: up from the oldest, or down from the newest (HTX's words)."""

    ASCENDING = "prev"
    DESCENDING = "next"


def apply(
    credentials: Credentials, now_ms: int, *, address: str, currency: str, chain: str, amount: str
) -> OutgoingRequest:
    """Ask for a quote to be signed. amount: what is to arrive, plain decimal text, else ValueError."""
    body = {
        "address": address,
        "currency": currency,
        "chain": chain,
        "amount": checked_amount(amount),
        "fee": NO_FEE,
    }
    return _request(credentials, now_ms, routes.APPLY, {}, _encode(body))


def confirm(credentials: Credentials, now_ms: int, *, nonce: str, signature: str) -> OutgoingRequest:
    """Answer a quote with the wallet's signature: this asks for the payment."""
    body = _encode({"nonce": nonce, "signature": signature})
    return _request(credentials, now_ms, routes.CONFIRM, {}, body)


def records(
    credentials: Credentials,
    now_ms: int,
    operation: Operation,
    *,
    size: int,
    currency: str | None = None,
    start: int | None = None,
    direction: Direction = Direction.DESCENDING,
) -> OutgoingRequest:
    """At most `size` (1 to 500) records from the id `start` on, that one included."""
    asked = {"type": operation.value, "size": str(size), "direct": direction.value}
    if currency is not None:
        asked["currency"] = currency
    if start is not None:
        asked["from"] = str(start)
    return _request(credentials, now_ms, routes.RECORDS, asked, b"")


def balance(credentials: Credentials, now_ms: int) -> OutgoingRequest:
    return _request(credentials, now_ms, routes.BALANCE, {}, b"")


def _request(
    credentials: Credentials, now_ms: int, route: Route, asked: dict[str, str], body: bytes
) -> OutgoingRequest:
    at = datetime.fromtimestamp(now_ms // 1000, UTC)
    parameters = asked | {
        "AccessKeyId": credentials.access_key,
        "SignatureMethod": "Ed25519" if credentials.is_pem else "HmacSHA256",
        "SignatureVersion": auth.VERSION,
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    query = canonical_query(parameters)
    text = auth.prehash(route.method, credentials.host, routes.signed_path(route.path), query)
    signature = quote(credentials.sign(text), safe="")
    headers: list[tuple[str, str]] = []
    if routes.is_wallet_call(route.path):
        headers.append(("CLOUD-EXCHANGE", routes.CLOUD_EXCHANGE))
    if body:
        headers.append(("Content-Type", "application/json"))
    sent = f"{query.decode()}&{SIGNATURE}={signature}"
    return OutgoingRequest(route.method, route.path, sent, tuple(headers), body, text.decode())


def _ed25519_key(secret: Secret) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(secret.reveal().strip(), None)
    except (ValueError, TypeError):
        raise ValueError("the secret key begins like a PEM private key and is none") from None
    if not isinstance(key, Ed25519PrivateKey):
        # A customer's own mistake in a configuration, told like every other one.
        raise ValueError("the secret key is a PEM private key of another kind than Ed25519")  # noqa: TRY004
    return key
