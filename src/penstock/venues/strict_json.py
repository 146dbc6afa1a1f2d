"""Reading JSON that money depends on: one meaning or none.

Python's reader keeps the last of two equal keys, takes NaN, turns numbers into floats and lets half a
surrogate pair through. Here a number stays the literal that was sent, and everything ambiguous is a fault.
The scanner is the standard library's (in C), under hooks; what it does not look at is checked around it.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import NoReturn, cast

import msgspec

DEPTH_MAX = 8
NUMBER_CHARACTERS_MAX = 128
EXPONENT_DIGITS_MAX = 2


class JsonFault(StrEnum):
    """What is wrong with the text."""

    NOT_UTF8 = "not_utf8"
    SYNTAX = "syntax"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEY = "duplicate_key"
    TOO_DEEP = "too_deep"
    NUMBER = "number"
    """NaN or Infinity, too long a literal, or too big an exponent."""
    TEXT = "text"
    """A string holds NUL or half a surrogate pair."""


class JsonFaultError(Exception):
    """The bytes are not one unambiguous JSON object. `fault` says why; no part of the text is kept."""

    def __init__(self, fault: JsonFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Number(msgspec.Struct, frozen=True, gc=False):
    """A JSON number as it stood on the wire, at most NUMBER_CHARACTERS_MAX characters of RFC 8259 grammar."""

    literal: str


Json = str | Number | bool | None | list["Json"] | dict[str, "Json"]


def read_object(body: bytes) -> dict[str, Json]:
    """Read `body` as one JSON object (RFC 8259, UTF-8 without a byte order mark).

    Returns its members; keys are unique in every object, nesting is at most DEPTH_MAX (the object itself is
    level 1), strings are valid Unicode without U+0000. Work grows with the length of `body` only; the caller
    bounds that. Raises JsonFaultError.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise JsonFaultError(JsonFault.NOT_UTF8) from None
    if text.count("{") + text.count("[") > DEPTH_MAX and _depth(text) > DEPTH_MAX:
        raise JsonFaultError(JsonFault.TOO_DEEP)
    try:
        # The library promises Any; the hooks make it Json.
        value = cast("Json", _decode(text))
    except (json.JSONDecodeError, RecursionError):
        raise JsonFaultError(JsonFault.SYNTAX) from None
    if not isinstance(value, dict):
        raise JsonFaultError(JsonFault.NOT_AN_OBJECT)
    if "\\u" in text:
        # Only an escape can bring these in: raw ones are refused by UTF-8 and by the scanner.
        _check_text(value)
    return value


_STRUCTURE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside strings; an unclosed string reaches to the end."""
    depth = deepest = 0
    for found in _STRUCTURE.finditer(text):
        mark = text[found.start()]
        if mark in "[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > DEPTH_MAX:
                    break
        elif mark != '"':
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonFaultError(JsonFault.DUPLICATE_KEY)
    return members


def _number(literal: str) -> Number:
    if len(literal) > NUMBER_CHARACTERS_MAX:
        raise JsonFaultError(JsonFault.NUMBER)
    return Number(literal)


def _number_with_point_or_exponent(literal: str) -> Number:
    exponent = literal.lower().partition("e")[2].lstrip("+-")
    if len(exponent) > EXPONENT_DIGITS_MAX:
        raise JsonFaultError(JsonFault.NUMBER)
    return _number(literal)


def _constant(_name: str) -> NoReturn:
    raise JsonFaultError(JsonFault.NUMBER)


_decode = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_number,
    parse_float=_number_with_point_or_exponent,
    parse_constant=_constant,
    strict=True,
).decode


def _check_text(value: Json) -> None:
    if isinstance(value, str):
        if "\0" in value or not _is_unicode(value):
            raise JsonFaultError(JsonFault.TEXT)
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_text(name)
            _check_text(member)
    elif isinstance(value, list):
        for member in value:
            _check_text(member)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
