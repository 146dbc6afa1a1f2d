"""SunX's authentication: a signature over method, host, path and query. The body is not covered by it.

Source: SunX docs, "Authentication" and "Create a Withdraw Request"; order of the checks as in `docs/venues/sunx.md`.
What a client signs as its host depends on how it was pointed here, so several hosts count; see `Hosts`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from penstock.core.views import KeyView
from penstock.venues.allowed_ips import may_come_from
from penstock.venues.sunx import errors, routes
from penstock.venues.sunx.errors import WireError
from penstock.venues.sunx.query import SIGNATURE, SignedQuery, UnreadableQuery, read_query
from penstock.venues.venue import LookUpKey, Request, Route

VENUE = "sunx"
CANONICAL_HOST = "api.sunx.io"
WINDOW_MS = 300_000
VERSION = "2"
PUBLIC_KEY_MARK = b"ed25519:"
"""A key whose secret begins so holds, in 64 hexadecimal digits, the public key of its owner."""
PUBLIC_KEYS_KEPT = 4_096
HOSTS_KEPT = 256
HOST_BYTES_KEPT = 255
"""A longer Host is taken apart each time: its sender would choose how much memory it takes."""
TIMES_KEPT = 1_024

_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_PORT = re.compile(r":[0-9]{1,5}\Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_SECRET = b"penstock: the secret of a key that does not exist"
# What is tried where there is no public key. Any point of the curve serves; this one is of RFC 8032, section 7.1.
_STAND_IN = Ed25519PublicKey.from_public_bytes(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
)


class Hosts(msgspec.Struct, frozen=True):
    """Which hosts a caller may have signed.

    canonical: always. Beside them the request's own Host header counts, with and without its port, and, where the
    request comes from one of trusted_proxies (addresses or networks), the first X-Forwarded-Host.
    """

    canonical: tuple[str, ...] = (CANONICAL_HOST,)
    trusted_proxies: tuple[str, ...] = ()

    def of(self, request: Request) -> tuple[str, ...]:
        """In lower case, each once, the likeliest first. A Host header that came twice counts for nothing."""
        sent = only(request, b"host")
        found = (_kept_names if len(sent) <= HOST_BYTES_KEPT else _names)(self.canonical, sent)
        if self.trusted_proxies and may_come_from(self.trusted_proxies, request.client_ip):
            forwarded = only(request, b"x-forwarded-host").decode("latin-1").partition(",")[0].strip().lower()
            if forwarded and forwarded not in found:
                return (*found, forwarded)
        return found


def only(request: Request, name: bytes) -> bytes:
    """The header's value; b"" where it is missing or came twice."""
    known = request.by_name()
    if len(known) == len(request.headers):
        return known.get(name, b"")
    values = [value for header, value in request.headers if header == name]
    return values[0] if len(values) == 1 else b""


def _names(canonical: tuple[str, ...], sent: bytes) -> tuple[str, ...]:
    host = sent.decode("latin-1")
    bare = _PORT.sub("", host)
    # What URL parsers call the host of http://[::1]:8080 has no brackets.
    found = (bare, host, bare.strip("[]"), *canonical) if host else canonical
    return tuple(dict.fromkeys(name.lower() for name in found))


_kept_names = lru_cache(maxsize=HOSTS_KEPT)(_names)


def prehash(method: str, host: str, path: str, query: bytes) -> bytes:
    """What is signed. path: `routes.signed_path` of the request's. query: one of `SignedQuery.signed_forms`."""
    return b"\n".join((method.encode(), host.encode(), path.encode(), query))


def hmac_signature(secret: bytes, text: bytes) -> bytes:
    """Base64, 44 characters."""
    return base64.b64encode(hmac.digest(secret, text, "sha256"))


def claimed_key(query: bytes) -> str | None:
    """The access key a request names, verified or not; None where it names none or cannot be read."""
    try:
        return read_query(query).values.get("AccessKeyId") or None
    except UnreadableQuery:
        return None


def authenticate(request: Request, route: Route, look_up: LookUpKey, hosts: Hosts) -> KeyView | WireError:
    """The key behind a request, or why not.

    The signature is computed before any check of the key, and with some secret when there is none, so that an
    unknown, a frozen and a wrongly signed key take the same time.
    """
    try:
        query = read_query(request.query)
    except UnreadableQuery:
        return errors.SIGNATURE_WRONG
    values = query.values
    if not values.get("AccessKeyId") or not values.get(SIGNATURE):
        return errors.NOT_SIGNED
    key = look_up(values["AccessKeyId"])
    if key is not None and key.venue != VENUE:
        key = None
    matches = _matches(request, query, key, hosts)
    if key is None or key.frozen or (key.expires_ms is not None and request.now_ms >= key.expires_ms):
        return errors.KEY_UNKNOWN
    return _refusal(request, route, key, values, matches=matches) or key


def _refusal(
    request: Request, route: Route, key: KeyView, values: dict[str, str], *, matches: bool
) -> WireError | None:
    if key.allowed_ips and not may_come_from(key.allowed_ips, request.client_ip):
        return errors.IP_FORBIDDEN.filled(request.client_ip)
    if not _is_timely(values.get("Timestamp", ""), request.now_ms):
        return errors.TIMESTAMP_WRONG
    if not matches or values.get("SignatureVersion") != VERSION:
        return errors.SIGNATURE_WRONG
    if route.permission is not None and route.permission not in key.permissions:
        return errors.KEY_NOT_PERMITTED
    return None


def _matches(request: Request, query: SignedQuery, key: KeyView | None, hosts: Hosts) -> bool:
    """Whether the key's owner signed this request, for any of the hosts and either form of the query.

    Only by the method that the key was made for: else everybody who knows a public key could use it as the secret
    of an HMAC.
    """
    signature = query.values[SIGNATURE].encode()
    path = routes.signed_path(request.path)
    named = hosts.of(request)
    texts = (prehash(request.method, host, path, form) for form in query.signed_forms() for host in named)
    secret = b"" if key is None else key.secret
    is_public = secret.startswith(PUBLIC_KEY_MARK)
    match query.values.get("SignatureMethod"):
        case "HmacSHA256":
            usable = bool(secret) and not is_public
            tried = secret if usable else _NO_SECRET
            found = any(hmac.compare_digest(hmac_signature(tried, text), signature) for text in texts)
        case "Ed25519":
            public = _public_key(secret.removeprefix(PUBLIC_KEY_MARK)) if is_public else None
            usable = public is not None
            known = public or _STAND_IN
            found = any(_is_signed_by(known, signature, text) for text in texts)
        case _:
            usable = found = False
    return usable and found


@lru_cache(maxsize=PUBLIC_KEYS_KEPT)
def _public_key(digits: bytes) -> Ed25519PublicKey | None:
    """The key in 64 hexadecimal digits; None for what is no public key."""
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(digits.decode()))
    except ValueError:
        return None


def _is_signed_by(public: Ed25519PublicKey, signature: bytes, text: bytes) -> bool:
    try:
        octets = base64.b64decode(signature, validate=True)
        # Base64 has idle bits at its end: another text for the same bytes is another signature.
        if base64.b64encode(octets) != signature:
            return False
        public.verify(octets, text)
    except (binascii.Error, InvalidSignature):
        return False
    return True


def _is_timely(timestamp: str, now_ms: int) -> bool:
    """Whether the text is a UTC time to the second, within WINDOW_MS of now, both ends included."""
    if _TIMESTAMP.fullmatch(timestamp) is None:
        return False
    at_ms = _read_time(timestamp)
    return at_ms is not None and abs(now_ms - at_ms) <= WINDOW_MS


@lru_cache(maxsize=TIMES_KEPT)
def _read_time(timestamp: str) -> int | None:
    """In milliseconds; None for a day or an hour that there is not. All requests of one second share one text."""
    try:
        at = datetime.fromisoformat(timestamp + "+00:00")
    except ValueError:
        return None
    return (at - _EPOCH) // timedelta(milliseconds=1)
