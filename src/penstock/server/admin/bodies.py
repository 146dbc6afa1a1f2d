"""Reading what was sent to the admin API: strict JSON into a struct, query strings, ids. Raises NotDone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from penstock.core.refusals import RefusalCode
from penstock.server.admin.errors import NotDone, unacceptable
from penstock.server.admin.schema import INTEGER_MAX, Body
from penstock.venues.strict_json import Json, JsonFaultError, Number, read_object

B = TypeVar("B", bound=Body)
Plain = str | int | bool | None | list["Plain"] | dict[str, "Plain"]

BODY_BYTES_MAX = 16_384
# What an integer of ours can be; a longer or a fractional literal is no integer.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_ID = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_QUERY_INTEGERS = frozenset({"limit"})
_FIELD = re.compile(r"at `\$\.?([^`]*)`|unknown field `([^`]*)`|required field `([^`]*)`")
_SHOWN_MAX = 64


def read_body(raw: bytes, body: type[B]) -> B:
    """Read JSON as `body`; an empty body is {}.

    Every number must be an integer: amounts are text. Every text must be printable: what is stored here is
    shown to operators and written to logs.
    """
    if not raw:
        return _convert({}, body)
    try:
        members = read_object(raw)
    except JsonFaultError as error:
        message = f"The body is not one sound JSON object ({error.fault.value})."
        raise NotDone(400, "body_malformed", message) from None
    return _convert({_shown(name, name): _plain(name, value) for name, value in members.items()}, body)


def read_query(pairs: Sequence[tuple[str, str]], query: type[B]) -> B:
    """Read a query string as `query`; a parameter that comes twice has no meaning and is refused."""
    members: dict[str, Plain] = {}
    for name, value in pairs:
        if name in members:
            raise unacceptable(_shown(name, "query"), "This parameter came twice; send it once.")
        whole = name in _QUERY_INTEGERS and _INTEGER.fullmatch(value)
        members[name] = int(value) if whole else _shown(value, name)
    return _convert(members, query)


def read_id(text: str, field: str) -> int:
    """An id of ours. Raises NotDone where it cannot be one."""
    number = int(text) if _ID.fullmatch(text) else INTEGER_MAX + 1
    if number > INTEGER_MAX:
        raise unacceptable(field, "This is no id; copy it as it was given.")
    return number


def _convert(members: dict[str, Plain], body: type[B]) -> B:
    try:
        return msgspec.convert(members, body, strict=True)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        field = next((part for part in found.groups() if part), None) if found else None
        # The error names the rule and the field, never the value: it may have been a secret.
        raise NotDone(422, RefusalCode.PARAMETER_INVALID.value, f"{error}.", field) from None


def _plain(field: str, value: Json) -> Plain:
    match value:
        case Number():
            if _INTEGER.fullmatch(value.literal) is None:
                raise unacceptable(field, "A number must be a whole one; write amounts as decimal text.")
            return int(value.literal)
        case str():
            return _shown(value, field)
        case list():
            return [_plain(field, member) for member in value]
        case dict():
            return {_shown(name, field): _plain(field, member) for name, member in value.items()}
        case _:
            return value


def _shown(text: str, field: str) -> str:
    if not text.isprintable():
        named = "".join(sign for sign in field if sign.isprintable())[:_SHOWN_MAX]
        raise unacceptable(named, "The text holds a character that cannot be shown; leave it out.")
    return text
