"""Zoomex's authentication: two ways to sign, both accepted on every private path.

The older one ("P") carries its credentials among the parameters and signs them; the newer one ("H") carries them in
headers and signs the bytes of the query or body. Neither signs method, path or host. A request with a parameter `sign`
is of the older one, whatever its headers say, and a failed one is never tried as the other.

Source: Zoomex docs, "Authentication" and the demo on each page; what is assumed stands in docs/venues/zoomex.md.
"""

from __future__ import annotations

import hmac
import re

import msgspec

from penstock.core.views import KeyView
from penstock.venues.allowed_ips import may_come_from
from penstock.venues.venue import LookUpKey, Request, Route
from penstock.venues.zoomex import errors
from penstock.venues.zoomex.errors import Rejected, WireError
from penstock.venues.zoomex.messages import CREDENTIALS, SIGNED_BY_PARAMETERS, Parameters

VENUE = "zoomex"
RECV_WINDOW_MS = 5_000
RECV_WINDOW_MS_MAX = 1_000_000
"""The venue has no cap; its own demos send this much, and more would keep a captured request good for longer."""
AHEAD_MS = 1_000

HEADERS: dict[bytes, str] = {
    b"x-bapi-api-key": "api_key",
    b"x-bapi-timestamp": "timestamp",
    b"x-bapi-recv-window": "recv_window",
    b"x-bapi-sign": "sign",
}

_TIMESTAMP = re.compile(r"[1-9][0-9]{0,18}")
_RECV_WINDOW = re.compile(r"[1-9][0-9]{0,6}")
_NO_SECRET = b"penstock: the secret of a key that does not exist"


class Claims(msgspec.Struct, frozen=True, gc=False):
    """Who the caller claims to be, and what the signature covers. None where something is missing."""

    key: str | None
    sign: str | None
    timestamp: str
    recv_window: str | None
    message: bytes


def signature(secret: bytes, message: bytes) -> bytes:
    """64 lower-case hex digits: HMAC-SHA256(secret, message)."""
    return hmac.digest(secret, message, "sha256").hex().encode()


def header_message(timestamp: str, key: str, recv_window: str, payload: bytes) -> bytes:
    """What the newer style signs. recv_window: "" when it is not sent. payload: the query or body as on the wire."""
    return f"{timestamp}{key}{recv_window}".encode() + payload


def claimed_key(request: Request, parameters: Parameters | None) -> str | None:
    """The key id that a request names, verified or not. parameters: None where they could not be read."""
    if parameters is not None and SIGNED_BY_PARAMETERS in parameters:
        return parameters.literal("api_key")
    found = [value for name, value in request.headers if name == b"x-bapi-api-key"]
    return found[0].decode("latin-1") if found else None


def authenticate(
    request: Request, route: Route, look_up: LookUpKey, parameters: Parameters
) -> KeyView | WireError:
    """The key behind a request to a private route, or why not. Raises Rejected for what cannot be signed text.

    The HMAC is computed before any check of the key, and with some secret when there is none, so that an unknown, a
    frozen and a wrongly signed key take the same time. Until it has matched nothing is said about the key but that
    there is no such key, or that it is frozen or expired.
    """
    headers = _read_headers(request)
    claims = _claims(request, headers, parameters)
    if not claims.key or claims.sign is None:
        return errors.NOT_AUTHENTICATED
    key = look_up(claims.key)
    if key is not None and key.venue != VENUE:
        key = None
    expected = signature(_NO_SECRET if key is None else key.secret, claims.message)
    # Hex in any case (assumed); on bytes, because the comparison refuses text beyond ASCII.
    matches = hmac.compare_digest(expected, claims.sign.encode().lower())
    contradiction = _contradiction(headers, parameters)
    if contradiction is not None:
        return contradiction
    if key is None or key.frozen or (key.expires_ms is not None and request.now_ms >= key.expires_ms):
        return errors.KEY_INVALID
    if not _in_time(claims, request.now_ms):
        return errors.TIMESTAMP_WRONG
    if not matches:
        return errors.SIGNATURE_WRONG
    return _permission_refusal(key, request, route) or key


def _read_headers(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    known = request.by_name()
    if len(known) == len(request.headers):
        # The usual request repeats no header at all.
        for name, ours in HEADERS.items():
            value = known.get(name)
            if value is not None:
                found[ours] = value.decode("latin-1")
        return found
    for name, value in request.headers:
        ours = HEADERS.get(name)
        if ours is None:
            continue
        if ours in found:
            raise Rejected(errors.MALFORMED)
        # Header bytes are Latin-1 by HTTP; nothing that is valid here lies beyond ASCII.
        found[ours] = value.decode("latin-1")
    return found


def _claims(request: Request, headers: dict[str, str], parameters: Parameters) -> Claims:
    if SIGNED_BY_PARAMETERS in parameters:
        return Claims(
            parameters.literal("api_key"),
            parameters.literal("sign"),
            parameters.literal("timestamp") or "",
            parameters.literal("recv_window"),
            parameters.canonical(),
        )
    payload = request.body or request.query
    if payload[:1].isdigit():
        # Nothing stands between recv_window and what follows: its digits must end where they seem to.
        raise Rejected(errors.BAD_PARAMETER)
    key, timestamp = headers.get("api_key"), headers.get("timestamp", "")
    recv_window = headers.get("recv_window") or None
    message = header_message(timestamp, key or "", recv_window or "", payload)
    return Claims(key, headers.get("sign"), timestamp, recv_window, message)


def _contradiction(headers: dict[str, str], parameters: Parameters) -> WireError | None:
    """Headers and parameters that say different things: whichever is meant, somebody else may mean the other."""
    if not headers and SIGNED_BY_PARAMETERS in parameters:
        return None  # and the parameters' own form was seen when they were read as claims
    if parameters.names_none_of(CREDENTIALS):
        return None
    for name in CREDENTIALS:
        value = parameters.literal(name)
        if value is not None and name in headers and headers[name] != value:
            return errors.KEY_INVALID if name == "api_key" else errors.SIGNATURE_WRONG
    return None


def _in_time(claims: Claims, now_ms: int) -> bool:
    """server_time - recv_window <= timestamp < server_time + 1000, in milliseconds."""
    recv_window_ms = RECV_WINDOW_MS
    if claims.recv_window is not None:
        if _RECV_WINDOW.fullmatch(claims.recv_window) is None:
            return False
        recv_window_ms = int(claims.recv_window)
    if recv_window_ms > RECV_WINDOW_MS_MAX or _TIMESTAMP.fullmatch(claims.timestamp) is None:
        return False
    return now_ms - recv_window_ms <= int(claims.timestamp) < now_ms + AHEAD_MS


def _permission_refusal(key: KeyView, request: Request, route: Route) -> WireError | None:
    if key.allowed_ips and not may_come_from(key.allowed_ips, request.client_ip):
        return errors.IP_UNBOUND
    if key.is_sub_account and not route.sub_accounts:
        return errors.MASTER_ONLY
    if route.permission is not None and route.permission not in key.permissions:
        return errors.NOT_PERMITTED
    return None
