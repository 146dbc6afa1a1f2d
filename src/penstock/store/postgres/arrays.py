"""Columns of a batch's rows as PostgreSQL array literals, so that any number of rows is one statement.

psycopg would dump lists itself, value by value; for a batch of 256 withdrawals that costs nine times as much as all of
this (docs/decisions/0018).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from penstock.core.amounts import Units

BIGINT, NUMERIC, TEXT, BOOLEAN, BYTEA = "bigint", "numeric", "text", "boolean", "bytea"


def kind_of(hint: Any) -> str:  # noqa: ANN401 - whatever a row's field is annotated with
    """The PostgreSQL type that holds a field of this annotation."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    if hint is Units:
        return NUMERIC
    hint = getattr(hint, "__supertype__", hint)
    if issubclass(hint, Enum):
        return TEXT
    return {int: BIGINT, str: TEXT, bool: BOOLEAN, bytes: BYTEA}[hint]


def literal(kind: str, values: Sequence[Any]) -> str:
    """The array of `values` (None for NULL) as text. Raises UnicodeEncodeError for text that is no Unicode."""
    if kind == TEXT:
        return _texts(values)
    if kind == BOOLEAN:
        return "{" + ",".join(["t" if value else "f" for value in values]) + "}"
    if kind == BYTEA:
        return (
            "{" + ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]) + "}"
        )
    # str() of a tuple, "(1, None)", is all but what is wanted: one call for a column of integers of any size.
    numbers = str(tuple(values))[1:-1].removesuffix(",")
    return "{" + (numbers.replace("None", "NULL") if "None" in numbers else numbers) + "}"


def _texts(values: Sequence[str | None]) -> str:
    encoded = msgspec.json.encode(values)
    if b"\\" not in encoded:
        # Then JSON's quoting is PostgreSQL's: nothing in it needed an escape, which is where the two differ.
        return "{" + encoded[1:-1].decode() + "}"
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
