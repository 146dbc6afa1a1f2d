"""Whether a body is what it has to be: JSON, uncompressed."""

from __future__ import annotations

from penstock.venues.venue import Request

_JSON = b"application/json"
_UNCOMPRESSED = frozenset({b"", b"identity"})


def is_plain_json(request: Request) -> bool:
    """By its headers. A missing content-type passes: the body has to be JSON anyway."""
    known = request.by_name()
    if len(known) != len(request.headers):
        # What comes twice must be right both times.
        return all(_fits(name, value) for name, value in request.headers)
    kind, coding = known.get(b"content-type"), known.get(b"content-encoding")
    return (kind is None or kind == _JSON or _is_json(kind)) and (coding is None or _is_uncompressed(coding))


def _fits(name: bytes, value: bytes) -> bool:
    if name == b"content-type":
        return _is_json(value)
    return name != b"content-encoding" or _is_uncompressed(value)


def _is_json(kind: bytes) -> bool:
    return kind.partition(b";")[0].strip().lower() == _JSON


def _is_uncompressed(coding: bytes) -> bool:
    return coding.lower() in _UNCOMPRESSED
