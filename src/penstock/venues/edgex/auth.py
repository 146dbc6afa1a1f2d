"""edgeX's authentication: each request is signed with the account's Stark key, whose public half is registered here.

Source: edgeX docs, "Authentication"; order of the checks as in `docs/venues/edgex.md`. Verifying involves no secret, so
nothing here needs to be constant in time; an unknown, a disabled and a wrongly signed account still cost the same.
"""

from __future__ import annotations

import re

import msgspec

from penstock.core.views import KeyView
from penstock.venues.allowed_ips import may_come_from
from penstock.venues.edgex import errors, signed_text, stark
from penstock.venues.edgex.errors import Rejected
from penstock.venues.edgex.messages import (
    Parameters,
    account_id_of,
    read_long,
    read_members,
    read_pairs,
)
from penstock.venues.edgex.stark_fallback import G
from penstock.venues.venue import Level, LookUpKey, Request, Route

VENUE = "edgex"
WINDOW_MS = 60_000
_TIMESTAMP = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MEDIA = b"application/json"

_SIGNATURE = b"x-edgex-api-signature"
_TIME = b"x-edgex-api-timestamp"
# The web front end's scheme, which is not served: its headers, in the order in which the venue misses them.
_WEB = {
    b"x-edgex-api-key": "X-edgeX-Api-Key",
    b"x-edgex-passphrase": "X-edgeX-Passphrase",
    b"x-edgex-signature": "X-edgeX-Signature",
    b"x-edgex-timestamp": "X-edgeX-Timestamp",
}
_NOBODY = stark.PublicKey(*G)
"""A point for checking the signature of an account that does not exist."""


class Claims(msgspec.Struct, frozen=True):
    """What the two headers say, as text."""

    signature: str
    timestamp: str


def authenticate(request: Request, route: Route, look_up: LookUpKey, window_ms: int) -> KeyView | None:
    """The key behind a request; None on public routes. Raises Rejected."""
    if route.level is Level.NONE:
        return None
    claims = _read_claims(request.headers)
    texts, account_id = _signed(request)
    key = look_up(account_id) if _is_account_id(account_id) else None
    if key is not None and key.venue != VENUE:
        key = None
    timely = _is_timely(claims.timestamp, request.now_ms, window_ms)
    # Outside the window the answer does not depend on the signature, whoever the account is.
    signed = timely and _is_signed(request, claims, texts, key)
    if key is None:
        raise Rejected(errors.ACCOUNT_UNKNOWN, account_id)
    if not _is_enabled(key, request):
        raise Rejected(errors.NOT_ENABLED, account_id)
    if not timely:
        raise Rejected(errors.TIMESTAMP_INVALID, claims.timestamp)
    if not signed:
        raise Rejected(errors.SIGNATURE_WRONG)
    if route.permission is not None and route.permission not in key.permissions:
        raise Rejected(errors.NOT_PERMITTED)
    return key


def claimed_account(request: Request) -> str | None:
    """The account that a request names, verified or not; None where it names none that could exist."""
    try:
        if request.method == "GET":
            account_id = Parameters(read_pairs(request.query)).optional("accountId")
        else:
            account_id = account_id_of(read_members(request.body))
    except Rejected:
        return None
    return account_id if _is_account_id(account_id) else None


def check_media(request: Request) -> None:
    """JSON, uncompressed. A missing content-type passes: the body must be JSON anyway. Raises Rejected."""
    for name, value in request.headers:
        if name == b"content-type":
            accepted = value.partition(b";")[0].strip().lower() == _MEDIA
        elif name == b"content-encoding":
            accepted = value.lower() in {b"", b"identity"}
        else:
            continue
        if not accepted:
            raise Rejected(errors.WRONG_MEDIA)


def _read_claims(headers: list[tuple[bytes, bytes]]) -> Claims:
    ours = [name for name, _ in headers if name in _WEB or name in (_SIGNATURE, _TIME)]
    if len(ours) != len(set(ours)):
        raise Rejected(errors.HEADER_DOUBLED)
    known = dict(headers)
    signature, timestamp = known.get(_SIGNATURE), known.get(_TIME)
    if signature is not None and timestamp is not None and b"x-edgex-signature" not in known:
        # Header bytes are Latin-1 by HTTP; neither text holds anything beyond ASCII when it is right.
        return Claims(signature.decode("latin-1"), timestamp.decode("latin-1"))
    for name, shown in _WEB.items():
        if not known.get(name):
            raise Rejected(errors.header_required(shown))
    raise Rejected(errors.API_KEY_UNKNOWN, known[b"x-edgex-api-key"].decode("latin-1"))


def _signed(request: Request) -> tuple[tuple[str, ...], str]:
    """The texts of the parameters that the signature may cover, and the account they name. Raises Rejected."""
    if request.method == "GET":
        pairs = read_pairs(request.query)
        account_id = Parameters(pairs).required("accountId")
        return signed_text.query_texts(signed_text.split_query(request.query) or []), account_id
    check_media(request)
    members = read_members(request.body)
    return (signed_text.body_text(members),), account_id_of(members)


def _is_account_id(text: str) -> bool:
    number = read_long(text)
    return number is not None and number > 0


def _is_timely(timestamp: str, now_ms: int, window_ms: int) -> bool:
    return _TIMESTAMP.fullmatch(timestamp) is not None and abs(now_ms - int(timestamp)) <= window_ms


def _is_signed(request: Request, claims: Claims, texts: tuple[str, ...], key: KeyView | None) -> bool:
    signature = stark.read_signature(claims.signature, with_y=True)
    public_key = _NOBODY if key is None else stark.read_public_key(key.secret)
    if signature is None or public_key is None:
        return False
    path = signed_text.wire_path(request.path)
    return any(
        stark.verifies(
            public_key,
            signed_text.digest(signed_text.content(claims.timestamp, request.method, path, text)),
            signature,
        )
        for text in texts
    )


def _is_enabled(key: KeyView, request: Request) -> bool:
    """A frozen key, one that has expired, and one that is bound to other addresses are all not enabled."""
    if key.frozen or (key.expires_ms is not None and request.now_ms >= key.expires_ms):
        return False
    return not key.allowed_ips or may_come_from(key.allowed_ips, request.client_ip)
