"""A query taken apart, as authentication and reading need it, and put together again as it is signed.

Both sides of the wire use this module. Source: SunX docs, "Authentication".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote_to_bytes

import msgspec

PARAMETERS_MAX = 64
SIGNATURE = "Signature"

# The names that every signed request bears, so that they need no decoding.
_KNOWN = {
    name.encode(): name
    for name in ("AccessKeyId", "SignatureMethod", "SignatureVersion", "Timestamp", SIGNATURE)
}
# What the common clients send: sorted, the signature last, and nothing escaped but what has to be.
_USUAL = re.compile(
    rb"(AccessKeyId=([0-9A-Za-z-]+)&SignatureMethod=([0-9A-Za-z]+)&SignatureVersion=([0-9]+)"
    rb"&Timestamp=([0-9T-]+)%3A([0-9]+)%3A([0-9]+))&Signature=((?:[0-9A-Za-z]|%2B|%2F|%3D)+)"
)
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class UnreadableQuery(Exception):
    """The query is not one unambiguous set of parameters."""


class SignedQuery(msgspec.Struct, frozen=True, gc=False):
    """A query's parameters, each once.

    values: decoded, by name. as_sent: the pairs as they stood on the wire, sorted by name, without the signature.
    """

    values: dict[str, str]
    as_sent: bytes

    def signed_forms(self) -> Iterator[bytes]:
        """What the caller may have signed: the pairs as sent, for clients that leave some marks bare; the canonical
        text. Usually the two are one.
        """
        yield self.as_sent
        canonical = canonical_query(self.values)
        if canonical != self.as_sent:
            yield canonical


def read_query(query: bytes) -> SignedQuery:
    """Take `a=1&b=2` (form encoding, UTF-8) apart.

    Raises UnreadableQuery for a broken escape, for bytes that are no UTF-8, for a name that comes twice, and for more
    than PARAMETERS_MAX parameters.
    """
    usual = _USUAL.fullmatch(query)
    return taken_apart(query) if usual is None else _usual(*usual.groups())


def _usual(
    sent: bytes,
    key: bytes,
    method: bytes,
    version: bytes,
    hour: bytes,
    minute: bytes,
    second: bytes,
    signed: bytes,
) -> SignedQuery:
    values = {
        "AccessKeyId": key.decode(),
        "SignatureMethod": method.decode(),
        "SignatureVersion": version.decode(),
        "Timestamp": f"{hour.decode()}:{minute.decode()}:{second.decode()}",
        SIGNATURE: signed.replace(b"%2B", b"+").replace(b"%2F", b"/").replace(b"%3D", b"=").decode(),
    }
    return SignedQuery(values, sent)


def taken_apart(query: bytes) -> SignedQuery:
    """As `read_query`, whatever the query looks like."""
    pieces = query.split(b"&", PARAMETERS_MAX)
    if len(pieces) > PARAMETERS_MAX or _BROKEN_ESCAPE.search(query):
        raise UnreadableQuery
    values: dict[str, str] = {}
    sent: list[tuple[str, bytes]] = []
    for piece in pieces:
        if not piece:
            continue
        raw_name, _, raw_value = piece.partition(b"=")
        name = _KNOWN.get(raw_name) or _text(raw_name)
        if name in values:
            raise UnreadableQuery
        if name == SIGNATURE:
            # Base64 has no space: one that arrived as "+" was not escaped by its sender.
            values[name] = _text(raw_value).replace(" ", "+")
        else:
            values[name] = _text(raw_value)
            sent.append((name, piece))
    sent.sort()
    return SignedQuery(values, b"&".join([piece for _, piece in sent]))


def canonical_query(values: Mapping[str, str]) -> bytes:
    """Name and value percent-encoded, sorted by name in byte order, without the signature."""
    # Texts sort by code point, which is the order of their UTF-8 bytes.
    return "&".join(
        f"{_encoded(name)}={_encoded(values[name])}" for name in sorted(values) if name != SIGNATURE
    ).encode()


def _encoded(text: str) -> str:
    """UTF-8, upper-case hexadecimal; only A-Z a-z 0-9 - _ . ~ stay."""
    return quote(text, safe="")


def _text(raw: bytes) -> str:
    try:
        if b"%" not in raw and b"+" not in raw:
            return raw.decode()
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise UnreadableQuery from None
