"""BitMart's authentication: HMAC-SHA256 over timestamp, memo and the body's bytes. Nothing else is signed.

Source: BitMart spot docs, "Signature" and "Error Code"; order of the checks as in `docs/venues/bitmart.md`.
"""

from __future__ import annotations

import hmac
import re

import msgspec

from penstock.core.views import KeyView
from penstock.venues.allowed_ips import may_come_from
from penstock.venues.bitmart import errors
from penstock.venues.bitmart.errors import WireError
from penstock.venues.venue import Level, LookUpKey, Request, Route

VENUE = "bitmart"
WINDOW_MS = 60_000
_TIMESTAMP = re.compile(rb"0|[1-9][0-9]{0,18}")
_LONG_MAX = 2**63 - 1
_NO_SECRET = b"penstock: the secret of a key that does not exist"


class Claims(msgspec.Struct, frozen=True, gc=False):
    """What the three headers say, None where one is missing. doubled: one of them came twice."""

    key: bytes | None
    sign: bytes | None
    timestamp: bytes | None
    doubled: bool


def read_claims(request: Request) -> Claims:
    known = request.by_name()
    # The usual request repeats no header at all, and then none of ours.
    doubled = len(known) != len(request.headers) and _is_doubled(request.headers)
    return Claims(known.get(b"x-bm-key"), known.get(b"x-bm-sign"), known.get(b"x-bm-timestamp"), doubled)


def _is_doubled(headers: list[tuple[bytes, bytes]]) -> bool:
    ours = [name for name, _ in headers if name in (b"x-bm-key", b"x-bm-sign", b"x-bm-timestamp")]
    return len(ours) != len(set(ours))


def signature(secret: bytes, memo: str, timestamp: bytes, body: bytes) -> bytes:
    """64 lower-case hex digits: HMAC-SHA256(secret, timestamp + "#" + memo + "#" + body).

    body: the bytes as they are on the wire; b"" for GET. Encoding parsed JSON anew would break clients that
    space or order it their own way.
    """
    prehash = b"%b#%b#%b" % (timestamp, memo.encode(), body)
    return hmac.digest(secret, prehash, "sha256").hex().encode()


def request_id(claims: Claims) -> str:
    """What makes a signed request the same request for ever. Only for claims that `authenticate` passed."""
    assert claims.timestamp is not None
    assert claims.sign is not None
    return f"{claims.timestamp.decode()}:{claims.sign.decode()}"


def authenticate(request: Request, route: Route, look_up: LookUpKey) -> KeyView | WireError | None:
    """The key behind a request; None on public routes; or why not.

    The HMAC is computed before any check of the key, and with some secret when there is none, so that an
    unknown, a frozen and a wrongly signed key take the same time.
    """
    if route.level is Level.NONE:
        return None
    claims = read_claims(request)
    if claims.doubled:
        return errors.INVALID_REQUEST
    if not claims.key:
        return errors.KEY_EMPTY
    # Header bytes are Latin-1 by HTTP; a key id never holds anything beyond ASCII.
    key = look_up(claims.key.decode("latin-1"))
    if key is not None and key.venue != VENUE:
        key = None
    signed = route.level is Level.SIGNED and _matches(claims, key, request.body)
    if key is None:
        return errors.KEY_UNKNOWN
    refusal = _key_refusal(key, request, route)
    if refusal is None and route.level is Level.SIGNED:
        refusal = _signature_refusal(claims, request.now_ms, matches=signed)
    return key if refusal is None else refusal


def _matches(claims: Claims, key: KeyView | None, body: bytes) -> bool:
    secret, memo = (_NO_SECRET, "") if key is None else (key.secret, key.passphrase)
    expected = signature(secret, memo, claims.timestamp or b"", body)
    return hmac.compare_digest(expected, claims.sign or b"")


def _key_refusal(key: KeyView, request: Request, route: Route) -> WireError | None:
    if key.frozen:
        return errors.KEY_FROZEN
    if key.expires_ms is not None and request.now_ms >= key.expires_ms:
        return errors.KEY_EXPIRED
    if key.allowed_ips and not may_come_from(key.allowed_ips, request.client_ip):
        return errors.IP_FORBIDDEN
    if route.permission is not None and route.permission not in key.permissions:
        return errors.KEY_NOT_PERMITTED
    return None


def _signature_refusal(claims: Claims, now_ms: int, *, matches: bool) -> WireError | None:
    if not claims.sign:
        return errors.SIGN_EMPTY
    if not claims.timestamp:
        return errors.TIMESTAMP_EMPTY
    if _TIMESTAMP.fullmatch(claims.timestamp) is None or int(claims.timestamp) > _LONG_MAX:
        return errors.TIMESTAMP_NOT_LONG
    if abs(now_ms - int(claims.timestamp)) > WINDOW_MS:
        return errors.TIMESTAMP_RANGE
    return None if matches else errors.SIGN_WRONG
