"""The text that a request's signature covers: timestamp, method, path and parameters, without anything between them.

Source: edgeX docs, "Authentication"; the venue's Go and Python SDKs.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from eth_utils.crypto import keccak

from penstock.venues.edgex.stark import N
from penstock.venues.strict_json import Json, Number

QUERY_PARAMETERS_MAX = 64
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

Pairs = list[tuple[str, str]]


def digest(content: str) -> int:
    """The number that is signed: Keccak-256 (as in Ethereum, not SHA3-256) of the text, modulo the curve's order."""
    return int.from_bytes(keccak(content.encode()), "big") % N


def content(timestamp: str, method: str, path: str, parameters: str) -> str:
    return f"{timestamp}{method}{path}{parameters}"


def wire_path(path: str) -> str:
    """The path as clients sign it: a base URL that ends in a slash doubles the first one on the way only."""
    return "/" + path.lstrip("/")


# --- queries -----------------------------------------------------------------------------------------------


def split_query(query: bytes) -> list[tuple[bytes, bytes]] | None:
    """Names and values as they came, in their order; None for a query with broken escapes or too many parameters."""
    pieces = query.split(b"&", QUERY_PARAMETERS_MAX) if query else []
    if len(pieces) > QUERY_PARAMETERS_MAX or _BROKEN_ESCAPE.search(query):
        return None
    return [(name, value) for name, _, value in (piece.partition(b"=") for piece in pieces if piece)]


def decoded(pairs: list[tuple[bytes, bytes]]) -> Pairs | None:
    """The same, form encoding undone; None where that is no UTF-8."""
    try:
        return [(_form_text(name), _form_text(value)) for name, value in pairs]
    except UnicodeDecodeError:
        return None


def query_texts(pairs: list[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """The one or two texts that a GET's signature may cover: sorted by name, decoded and as sent.

    Go signs what it sends, `A%2CB`; scripts with Python's `requests` send that and sign `A,B`. Nobody knows which of
    the two the venue checks, so both are good.
    """
    plain = decoded(pairs)
    as_sent = _joined([(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs])
    return (as_sent,) if plain is None else tuple(dict.fromkeys((_joined(plain), as_sent)))


def _joined(pairs: Pairs) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(pairs, key=lambda pair: pair[0]))


def _form_text(piece: bytes) -> str:
    return unquote_to_bytes(piece.replace(b"+", b" ")).decode()


# --- bodies ------------------------------------------------------------------------------------------------


def body_text(value: Json) -> str:
    """A JSON value as it is signed: members `name=value` sorted by name, joined by "&", all levels alike.

    Different bodies may have one text, by the venue's design; the members that matter have grammars that leave no room.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case Number():
            return value.literal
        case list():
            return "&".join([body_text(item) for item in value])
        case dict():
            return "&".join([f"{name}={body_text(value[name])}" for name in sorted(value)])
