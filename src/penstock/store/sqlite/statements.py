"""SQL derived from the row types, and rows to what SQLite stores: amounts as canonical decimal text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar, cast

import msgspec

from penstock.core.amounts import Units
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.store.dialect import Binding, Head, Page
from penstock.store.tables import Table, Value

R = TypeVar("R", bound=Row)


class SqliteDialect:
    """A Dialect (store/dialect.py)."""

    false = "0"

    def one_of(self, column: str, values: Collection[int | str]) -> tuple[str, Binding]:
        return f"{column} IN (SELECT value FROM json_each(?))", json_text(list(values))

    def one_each(
        self, account_id: int, table: str, column: str, values: Collection[int | str], also: str = ""
    ) -> tuple[str, tuple[Binding, ...]]:
        wanted, given = self.one_of(column, values)
        conditions = " AND ".join(filter(None, (wanted, "account_id = ?", also)))
        select = f"SELECT withdrawal_id FROM {table} WHERE {conditions}"
        return f"withdrawal_id IN ({select})", (given, account_id)

    def unindexed(self, column: str) -> str:
        return f"+{column}"

    def walk(self, head: Head, column: str, page: Page) -> tuple[str, tuple[Binding, ...], str]:
        conditions, bindings = [f"{head[0]} = ?"], [head[1]]
        for sign, bound in ((">", page.after), ("<", page.before)):
            if bound is not None:
                conditions.append(f"{column} {sign} ?")
                bindings.append(bound)
        return " AND ".join(conditions), tuple(bindings), f"{column} {'ASC' if page.ascending else 'DESC'}"


class SqliteTable(Table[R]):
    """The statements of one row type.

    insert: for append-only rows a plain INSERT, for others an upsert by primary key, which leaves FIXED columns alone.
    select_by_keys: takes one JSON array of keys (of arrays, for compound keys), so that any number is one
    query.
    """

    def __init__(self, row_type: type[R]) -> None:
        super().__init__(row_type)
        self.insert = _insert(row_type, self.names)
        self.select_by_keys = _select_by_keys(row_type, self.names)
        self.compound = len(row_type.KEY) > 1
        self._text_positions = tuple(at for at, name in enumerate(self.names) if self.hints[name] is Units)

    def encode(self, row: R) -> Sequence[Value]:
        """The row's values as SQLite stores them, in column order."""
        values = msgspec.structs.astuple(row)
        if not self._text_positions:
            return values
        stored = list(values)
        for at in self._text_positions:
            stored[at] = str(stored[at])
        return stored

    def keys_json(self, keys: Iterable[tuple[int | str, ...]]) -> str:
        return json_text(list(keys) if self.compound else [key[0] for key in keys])


def json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _insert(row_type: type[Row], names: list[str]) -> str:
    marks = ", ".join("?" * len(names))
    sql = f"INSERT INTO {row_type.TABLE} ({', '.join(names)}) VALUES ({marks})"
    if row_type.APPEND_ONLY:
        return sql
    # SQLite writes every index anew that has a column among those set, whether it changed or not.
    kept = {*row_type.KEY, *row_type.FIXED}
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in kept)
    return f"{sql} ON CONFLICT ({', '.join(row_type.KEY)}) DO UPDATE SET {changed}"


def _select_by_keys(row_type: type[Row], names: list[str]) -> str:
    columns = ", ".join(f"t.{name}" for name in names)
    if len(row_type.KEY) == 1:
        wanted = f"t.{row_type.KEY[0]} IN (SELECT value FROM json_each(?))"
        return f"SELECT {columns} FROM {row_type.TABLE} t WHERE {wanted}"
    on = " AND ".join(f"t.{name} = want.value ->> {at}" for at, name in enumerate(row_type.KEY))
    # CROSS JOIN keeps the planner on: keys first, then the primary key of the table.
    return f"SELECT {columns} FROM json_each(?) AS want CROSS JOIN {row_type.TABLE} t ON {on}"


TABLES: dict[type[Row], SqliteTable[Row]] = {row_type: SqliteTable(row_type) for row_type in ROW_TYPES}


def table(row_type: type[R]) -> SqliteTable[R]:
    return cast("SqliteTable[R]", TABLES[row_type])
