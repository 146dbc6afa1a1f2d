"""SQL derived from the row types, and rows to and from what SQLite stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Generic, TypeVar, cast, get_type_hints

import msgspec

from penstock.core.amounts import Units
from penstock.engine.rows import ROW_TYPES, Row

R = TypeVar("R", bound=Row)
Value = int | str | bytes | None


class Table(Generic[R]):
    """The statements of one row type.

    columns: comma-joined. insert: for append-only rows a plain INSERT, for others an upsert by primary key.
    select_by_keys: takes one JSON array of keys (of arrays, for compound keys), so that any number is one
    query.
    """

    def __init__(self, row_type: type[R]) -> None:
        self.row_type = row_type
        names = [field.name for field in msgspec.structs.fields(row_type)]
        hints = get_type_hints(row_type)
        self.columns = ", ".join(names)
        self.name = row_type.TABLE
        self.insert = _insert(row_type, names)
        self.select = f"SELECT {self.columns} FROM {self.name}"
        self.select_by_keys = _select_by_keys(row_type, names)
        self.compound = len(row_type.KEY) > 1
        self._text_positions = tuple(at for at, name in enumerate(names) if hints[name] is Units)
        self._converters = tuple(
            (at, convert)
            for at, name in enumerate(names)
            if (convert := _from_stored(hints[name])) is not None
        )

    def encode(self, row: R) -> Sequence[Value]:
        """The row's values as SQLite stores them, in column order."""
        values = msgspec.structs.astuple(row)
        if not self._text_positions:
            return values
        stored = list(values)
        for at in self._text_positions:
            stored[at] = str(stored[at])
        return stored

    def decode(self, stored: Sequence[Value]) -> R:
        values = list(stored)
        for at, convert in self._converters:
            values[at] = cast("Value", convert(values[at]))
        return self.row_type(*values)

    def keys_json(self, keys: Iterable[tuple[int | str, ...]]) -> str:
        wanted = list(keys) if self.compound else [key[0] for key in keys]
        return msgspec.json.encode(wanted).decode()


def _from_stored(hint: object) -> Callable[[Value], object] | None:
    if hint is Units:
        return int  # type: ignore[return-value]
    if hint is bool:
        return bool
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return None


def _insert(row_type: type[Row], names: list[str]) -> str:
    marks = ", ".join("?" * len(names))
    sql = f"INSERT INTO {row_type.TABLE} ({', '.join(names)}) VALUES ({marks})"
    if row_type.APPEND_ONLY:
        return sql
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in row_type.KEY)
    return f"{sql} ON CONFLICT ({', '.join(row_type.KEY)}) DO UPDATE SET {changed}"


def _select_by_keys(row_type: type[Row], names: list[str]) -> str:
    columns = ", ".join(f"t.{name}" for name in names)
    if len(row_type.KEY) == 1:
        wanted = f"t.{row_type.KEY[0]} IN (SELECT value FROM json_each(?))"
        return f"SELECT {columns} FROM {row_type.TABLE} t WHERE {wanted}"
    on = " AND ".join(f"t.{name} = want.value ->> {at}" for at, name in enumerate(row_type.KEY))
    # CROSS JOIN keeps the planner on: keys first, then the primary key of the table.
    return f"SELECT {columns} FROM json_each(?) AS want CROSS JOIN {row_type.TABLE} t ON {on}"


TABLES: dict[type[Row], Table[Row]] = {row_type: Table(row_type) for row_type in ROW_TYPES}


def table(row_type: type[R]) -> Table[R]:
    return cast("Table[R]", TABLES[row_type])
