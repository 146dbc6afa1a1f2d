"""What SunX's clients send: the bodies of apply and confirm, and the queries, read into values.

Text is compared as it came: nothing is trimmed or normalised. Unknown members are ignored; members that are known have
their documented type or the request is refused.
"""

from __future__ import annotations

import re

import msgspec

from penstock.venues.media import is_plain_json
from penstock.venues.strict_json import Json, JsonFaultError, Number, read_object
from penstock.venues.sunx.content import is_nonce
from penstock.venues.sunx.errors import FORMAT, MISSING, NOT_READABLE, Rejected
from penstock.venues.venue import Request

TEXT_CHARACTERS_MAX = 128
SIGNATURE_CHARACTERS_READ = 1_024

# A minus sign is let through to be told apart: "-1" is an amount, only not one that can be paid.
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,59})(?:\.[0-9]{1,40})?", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)


class Apply(msgspec.Struct, frozen=True, gc=False):
    """The body of withdraw/apply, as texts. amount and fee: plain decimals, perhaps with a minus sign."""

    address: str
    currency: str
    chain: str
    amount: str
    fee: str


class Confirm(msgspec.Struct, frozen=True, gc=False):
    """The body of withdraw/confirm. signature: as it came, of any form."""

    nonce: str
    signature: str


def check_media(request: Request) -> None:
    """JSON, uncompressed; a missing content-type passes. Raises Rejected."""
    if not is_plain_json(request):
        raise Rejected(NOT_READABLE)


def read_apply(body: bytes) -> Apply:
    """Raises Rejected: no clean JSON object, a field missing, a field malformed, in this order."""
    members = _read_body(body)
    names = Apply.__struct_fields__
    texts = {name: _literal(members.get(name)) for name in names}
    _require(texts)
    for name, text in texts.items():
        decimal = name in {"amount", "fee"}
        if text is None or len(text) > TEXT_CHARACTERS_MAX or (decimal and not _DECIMAL.fullmatch(text)):
            raise Rejected(FORMAT.filled(name))
    return msgspec.convert(texts, Apply)


def read_confirm(body: bytes) -> Confirm:
    """Raises Rejected as `read_apply`. That a signature is none is for its check to say."""
    members = _read_body(body)
    nonce, signature = _text(members.get("nonce")), _text(members.get("signature"))
    if not nonce or not signature:
        _require({"nonce": nonce, "signature": signature})
    if nonce is None or not is_nonce(nonce):
        raise Rejected(FORMAT.filled("nonce"))
    if signature is None:
        raise Rejected(FORMAT.filled("signature"))
    return Confirm(nonce, signature[:SIGNATURE_CHARACTERS_READ])


def _read_body(body: bytes) -> dict[str, Json]:
    try:
        return read_object(body)
    except JsonFaultError:
        raise Rejected(NOT_READABLE) from None


def _text(value: Json) -> str | None:
    """Text; "" for what is not there; None for what is something else."""
    if value is None:
        return ""
    return value if isinstance(value, str) else None


def _literal(value: Json) -> str | None:
    """As `_text`; a number is the text that it stood as."""
    return value.literal if isinstance(value, Number) else _text(value)


def _require(texts: dict[str, str | None]) -> None:
    for name, text in texts.items():
        if text == "":
            raise Rejected(MISSING.filled(name))


class Parameters:
    """A query's parameters. An empty one counts as absent; asking for what is not as asked raises Rejected."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def optional(self, name: str) -> str | None:
        return self._values.get(name) or None

    def choice(self, name: str, among: tuple[str, ...], default: str | None = None) -> str:
        """One of the words `among`; `default` when it is absent, None where it must not be."""
        value = self.optional(name) or default
        if value is None:
            raise Rejected(MISSING.filled(name))
        if value not in among:
            raise Rejected(FORMAT.filled(name))
        return value

    def integer(self, name: str, least: int, most: int) -> int | None:
        """None when absent; plain ASCII digits otherwise, within both bounds."""
        text = self.optional(name)
        if text is None:
            return None
        if _DIGITS.fullmatch(text) is None or not least <= int(text) <= most:
            raise Rejected(FORMAT.filled(name))
        return int(text)
