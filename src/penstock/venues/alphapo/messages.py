"""What AlphaPo's clients send: bodies and queries read into fields, each fault noted under its field's name.

Text is compared as it came: nothing is trimmed, folded or normalised. Unknown members are ignored and not stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import msgspec

from penstock.core.amounts import SCALE_MAX, Units, parse_amount, parse_json_number, rescale
from penstock.core.refusals import RefusalCode, Refused
from penstock.venues.alphapo import errors
from penstock.venues.alphapo.errors import BAD_CONTENT, Invalid, Rejected, sentence
from penstock.venues.media import is_plain_json
from penstock.venues.strict_json import Json, JsonFaultError, Number, read_object
from penstock.venues.venue import Request

TEXT_CHARACTERS_MAX = 255
QUERY_PARAMETERS_MAX = 64
NOTHING_BYTES_MAX = 64
"""Of a body without parameters, blanks around it included."""

_NOTHING = frozenset({b"", b"[]", b"null"})
_BLANKS = b" \t\r\n"
_INTEGER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
_NUMBER_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def check_media(request: Request) -> None:
    """Raises Rejected unless the body, if there is one, is said to be JSON and uncompressed."""
    if not is_plain_json(request) or (request.body and b"content-type" not in request.by_name()):
        raise Rejected(BAD_CONTENT)


def read_body(body: bytes) -> dict[str, Json]:
    """The members of a JSON object; none for an empty body, `[]` and `null`, as clients send without parameters.

    Raises Rejected for anything else (strict_json.py says what one clean object is).
    """
    if len(body) <= NOTHING_BYTES_MAX and body.strip(_BLANKS) in _NOTHING:
        return {}
    try:
        return read_object(body)
    except JsonFaultError:
        raise Rejected(BAD_CONTENT) from None


def read_query(query: bytes) -> dict[str, Json]:
    """Read `a=1&b=2` (form encoding, UTF-8). Raises Rejected for a doubled or broken parameter."""
    found: dict[str, Json] = {}
    pieces = query.split(b"&", QUERY_PARAMETERS_MAX)
    if len(pieces) > QUERY_PARAMETERS_MAX or _BROKEN_ESCAPE.search(query):
        raise Rejected(BAD_CONTENT)
    for piece in pieces:
        if not piece:
            continue
        name, _, value = (_form_text(part) for part in piece.partition(b"="))
        if name in found:
            raise Rejected(BAD_CONTENT)
        found[name] = value
    return found


def _form_text(piece: bytes) -> str:
    try:
        text = unquote_to_bytes(piece.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Rejected(BAD_CONTENT) from None
    if "\0" in text:
        raise Rejected(BAD_CONTENT)
    return text


class Amount(msgspec.Struct, frozen=True, gc=False):
    """An amount whose asset is not known yet: units at SCALE_MAX decimals, 0 for whatever is below zero.

    units None: it uses more decimals than any asset has.
    """

    units: Units | None

    def at(self, scale: int) -> Units | None:
        """In an asset's own units; None where the asset cannot express it."""
        if self.units is None or self.units % 10 ** (SCALE_MAX - scale):
            return None
        return rescale(self.units, SCALE_MAX, scale)


class Form:
    """The fields of one request. What is missing or wrong is noted; `check` ends the request if anything was."""

    def __init__(self, members: Mapping[str, Json]) -> None:
        self._members = members
        self.faults: dict[str, str] = {}

    def fault(self, field: str, template: str, **detail: object) -> None:
        """Note what is wrong with a field; the first thing said about it stays."""
        self.faults.setdefault(field, sentence(template, field, **detail))

    def check(self) -> None:
        """Raises Invalid with everything noted so far."""
        if self.faults:
            raise Invalid(self.faults)

    def has(self, field: str) -> bool:
        """Whether the field is there; null and "" are the same as missing."""
        value = self._members.get(field)
        return value is not None and value != ""

    def text(self, field: str, *, required: bool = False) -> str:
        """The field's text, "" where it is missing or wrong."""
        value = self._members.get(field)
        if value is None or value == "":
            if required:
                self.fault(field, errors.REQUIRED)
            return ""
        if not isinstance(value, str):
            self.fault(field, errors.NOT_TEXT)
            return ""
        return self._short(field, value)

    def text_or_integer(self, field: str, *, required: bool = False) -> str:
        """As `text`, where the number 123 is the text "123"; 123.0 and 1e2 are neither."""
        value = self._members.get(field)
        if isinstance(value, Number) and _INTEGER.fullmatch(value.literal):
            return self._short(field, value.literal)
        text = self.text(field, required=required)
        if required and text and not text.strip():
            self.fault(field, errors.REQUIRED)
        return text

    def _short(self, field: str, text: str) -> str:
        if len(text) > TEXT_CHARACTERS_MAX:
            self.fault(field, errors.TOO_LONG, most=TEXT_CHARACTERS_MAX)
            return ""
        return text

    def one_of(self, field: str, choices: tuple[str, ...]) -> str:
        """One of the texts, "" where it is missing or wrong."""
        text = self.text(field)
        if text and text not in choices:
            self.fault(field, errors.SELECTED_INVALID)
            return ""
        return text

    def texts(self, field: str, names: tuple[str, ...]) -> dict[str, str]:
        """The named texts of an object; members with other names are left out. {} where there is none."""
        value = self._members.get(field)
        # PHP writes an empty object as an empty list.
        if value is None or value == []:
            return {}
        if not isinstance(value, dict):
            self.fault(field, errors.NOT_AN_OBJECT)
            return {}
        found: dict[str, str] = {}
        for name in names:
            text = value.get(name)
            if text is None:
                continue
            if not isinstance(text, str) or len(text) > TEXT_CHARACTERS_MAX:
                self.fault(field, errors.INVALID)
                continue
            found[name] = text
        return found

    def flag(self, field: str) -> bool | None:
        """A bool, or 0 and 1; None where it is missing or wrong."""
        value = self._members.get(field)
        if value is None or isinstance(value, bool):
            return value
        literal = value.literal if isinstance(value, Number) else value
        if literal not in ("0", "1"):
            self.fault(field, errors.NOT_A_BOOLEAN)
            return None
        return literal == "1"

    def amount(self, field: str) -> Amount | None:
        """A decimal text, or a JSON number read from its literal; None where it is missing or wrong."""
        value = self._members.get(field)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            parse, text = parse_amount, value
        elif isinstance(value, Number):
            parse, text = parse_json_number, value.literal
        else:
            self.fault(field, errors.NOT_A_NUMBER)
            return None
        try:
            units = parse(text.removeprefix("-"), SCALE_MAX)
        except Refused as refused:
            if refused.code is not RefusalCode.AMOUNT_PRECISION:
                self.fault(field, errors.NOT_A_NUMBER)
                return None
            units = None
        return Amount(Units(0) if text.startswith("-") else units)

    def one_amount(self, first: str, second: str) -> tuple[str, Amount | None]:
        """Which of two fields states the amount, and the amount; exactly one of them must."""
        if self.has(first) and self.has(second):
            self.fault(first, errors.ONLY_ONE, other=second)
            return first, None
        if not self.has(first) and not self.has(second):
            self.fault(first, errors.REQUIRED_WITHOUT, other=second)
            return first, None
        given = first if self.has(first) else second
        return given, self.amount(given)

    def number_id(self, field: str) -> int | None:
        """A whole number above zero, also as text; None where it is wrong."""
        value = self._members.get(field)
        text = value.literal if isinstance(value, Number) else value
        if not isinstance(text, str) or _NUMBER_ID.fullmatch(text) is None:
            self.fault(field, errors.NOT_AN_INTEGER)
            return None
        return int(text)
