"""AlphaPo's authentication: HMAC-SHA512 over the body's bytes. Method, path, query and time are not signed.

Source: AlphaPo docs, "Authentication" and "Errors"; order of the checks as in docs/venues/alphapo.md. What makes a
captured request worthless is that its foreign_id is taken.
"""

from __future__ import annotations

import hmac

import msgspec

from penstock.core.views import KeyView
from penstock.venues.allowed_ips import may_come_from
from penstock.venues.alphapo import errors
from penstock.venues.alphapo.errors import WireError
from penstock.venues.venue import Level, LookUpKey, Request, Route

VENUE = "alphapo"
KEY_HEADER = "X-Processing-Key"
SIGNATURE_HEADER = "X-Processing-Signature"

_KEY = KEY_HEADER.lower().encode()
_SIGNATURE = SIGNATURE_HEADER.lower().encode()
_NO_SECRET = b"penstock: the secret of a key that does not exist"


class Claims(msgspec.Struct, frozen=True, gc=False):
    """What the two headers say, None where one is missing. doubled: one of them came twice."""

    key: bytes | None
    sign: bytes | None
    doubled: bool


def read_claims(request: Request) -> Claims:
    known = request.by_name()
    # The usual request repeats no header at all, and then none of ours.
    doubled = len(known) != len(request.headers) and _is_doubled(request.headers)
    return Claims(known.get(_KEY), known.get(_SIGNATURE), doubled)


def _is_doubled(headers: list[tuple[bytes, bytes]]) -> bool:
    ours = [name for name, _ in headers if name in (_KEY, _SIGNATURE)]
    return len(ours) != len(set(ours))


def signature(secret: bytes, body: bytes) -> bytes:
    """128 lower-case hex digits: HMAC-SHA512(secret, body).

    body: the bytes as they are on the wire, b"" where there are none. Encoding parsed JSON anew would break clients
    that escape or space it their own way.
    """
    return hmac.digest(secret, body, "sha512").hex().encode()


def authenticate(request: Request, route: Route, look_up: LookUpKey) -> KeyView | WireError | None:
    """The key behind a request; None on public routes; or why not.

    The HMAC is computed before any check of the key, and with some secret when there is none, so that an unknown, a
    frozen and a wrongly signed key take the same time.
    """
    if route.level is Level.NONE:
        return None
    claims = read_claims(request)
    if claims.doubled:
        return errors.BAD_CONTENT
    if not claims.key:
        return errors.NO_KEY
    # Header bytes are Latin-1 by HTTP; a key id never holds anything beyond ASCII.
    key = look_up(claims.key.decode("latin-1"))
    if key is not None and key.venue != VENUE:
        key = None
    expected = signature(_NO_SECRET if key is None else key.secret, request.body)
    # Hex in any case (assumed); on bytes, because the comparison refuses text beyond ASCII.
    matches = hmac.compare_digest(expected, (claims.sign or b"").lower())
    refusal = errors.BAD_KEY if key is None else None
    if refusal is None and not matches:
        refusal = errors.BAD_SIGNATURE if claims.sign else errors.NO_SIGNATURE
    if key is None or refusal is not None:
        return refusal
    return _key_refusal(key, request, route) or key


def _key_refusal(key: KeyView, request: Request, route: Route) -> WireError | None:
    """Why a key whose signature is right may not call; the venue has one word for a key that is no longer good."""
    if key.frozen or (key.expires_ms is not None and request.now_ms >= key.expires_ms):
        return errors.BAD_KEY
    if key.allowed_ips and not may_come_from(key.allowed_ips, request.client_ip):
        return errors.IP_NOT_ALLOWED
    if route.permission is not None and route.permission not in key.permissions:
        return errors.NOT_PERMITTED
    return None
