"""SQL derived from the row types. It takes rows or keys as arrays, one per column: any number is one statement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar, cast

import msgspec

from penstock.core.commands import RecipientKind
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rows import AccountRow, BookRow, CallbackRow, DepositAddressRow
from penstock.engine.sending_rows import AttemptRow
from penstock.store.dialect import INT64_MAX, INT64_MIN, Binding, Head, Page
from penstock.store.postgres.arrays import kind_of, literal
from penstock.store.postgres.session import Statement
from penstock.store.tables import Table

R = TypeVar("R", bound=Row)
Key = tuple[int | str, ...]
LAST_WORD_WINS: tuple[type[Row], ...] = (CallbackRow, DepositAddressRow)
"""Rows that are replaced without having been looked at, with their account locked."""


class PostgresDialect:
    """A Dialect (store/dialect.py)."""

    false = "false"

    def one_of(self, column: str, values: Collection[int | str]) -> tuple[str, Binding]:
        plain = [str(value) if isinstance(value, str) else value for value in values]
        return f"{column} = ANY(?)", cast("Binding", plain)

    def one_each(
        self, account_id: int, table: str, column: str, values: Collection[int | str], also: str = ""
    ) -> tuple[str, tuple[Binding, ...]]:
        if not values:
            return "false", ()
        # As a join, or as "= ANY" behind the account's column, the planner may walk all of an account's rows where it
        # believes that these are few. An array is made first, and OFFSET keeps the look-ups from becoming a join.
        numbers = all(isinstance(value, int) for value in values)
        conditions = " AND ".join(filter(None, (f"{column} = wanted", "account_id = ?", also)))
        select = (
            f"SELECT found.withdrawal_id FROM unnest(?::{'bigint' if numbers else 'text'}[]) AS w(wanted) "
            f"CROSS JOIN LATERAL (SELECT withdrawal_id FROM {table} WHERE {conditions} OFFSET 0) found"
        )
        return f"withdrawal_id = ANY(ARRAY({select}))", (self.one_of(column, values)[1], account_id)

    def unindexed(self, column: str) -> str:
        return f"({column} || '')"

    def walk(self, head: Head, column: str, page: Page) -> tuple[str, tuple[Binding, ...], str]:
        # With "account_id = ?" the planner may walk the primary key instead and pass over all other accounts' rows,
        # where it believes that this account has many. Comparing both columns at once leaves it no choice.
        first, value = head
        condition = f"({first}, {column}) > (?, ?) AND ({first}, {column}) < (?, ?)"
        if isinstance(value, int):
            # As the indexes say of their rows that end with the primary key (migrations/postgres/0001_initial.sql).
            condition += f" AND {first} <> 0"
        after = INT64_MIN if page.after is None else page.after
        before = INT64_MAX if page.before is None else page.before
        way = "ASC" if page.ascending else "DESC"
        return condition, (value, after, value, before), f"{first} {way}, {column} {way}"


class PostgresTable(Table[R]):
    """The statements of one row type."""

    def __init__(self, row_type: type[R]) -> None:
        super().__init__(row_type)
        self._kinds = [kind_of(self.hints[name]) for name in self.names]
        self._key_kinds = [kind_of(self.hints[name]) for name in row_type.KEY]
        given = _side_by_side(self._kinds, self.names)
        self._insert = f"INSERT INTO {self.name} ({self.columns}) SELECT {given}"
        if row_type in LAST_WORD_WINS:
            self._insert += (
                f" ON CONFLICT ({', '.join(row_type.KEY)}) DO UPDATE SET {self._assigned('excluded')}"
            )
        self._changing = [at for at, name in enumerate(self.names) if name not in row_type.FIXED]
        given = _side_by_side(
            [self._kinds[at] for at in self._changing], [self.names[at] for at in self._changing]
        )
        # The check is the server's, because COMMIT comes in the same round trip. A cast makes the error: PostgreSQL has
        # no function that raises one.
        self._update = (
            f"WITH changed AS (UPDATE {self.name} t SET {self._assigned('w')} "
            f"FROM (SELECT {given}) w WHERE {_wanted(row_type.KEY)} RETURNING 1) "
            f"SELECT CASE count(*) WHEN cardinality($1::{self._kinds[self._changing[0]]}[]) THEN 0 "
            f"ELSE ('not all are there, but only ' || count(*))::bigint END FROM changed"
        )

    def insert(self, rows: Collection[Row]) -> Statement:
        """Add the rows. A row that is there already raises UniqueViolation, but for LAST_WORD_WINS."""
        return self._insert, self._columns_of(rows, range(len(self.names)))

    def update(self, rows: Collection[Row]) -> Statement:
        """Replace all but key and FIXED columns. Unless every row is there it fails with InvalidTextRepresentation."""
        return self._update, self._columns_of(rows, self._changing)

    def by_keys(self, keys: Iterable[Key], *, lock: bool = False) -> Statement:
        """The rows with these primary keys; locked in the order of their keys, if so wanted."""
        return self._matching(self.row_type.KEY, self._key_kinds, keys, lock=lock)

    def by_columns(self, columns: Sequence[str], values: Iterable[Key]) -> Statement:
        """The rows that have one of the given values in these columns."""
        return self._matching(columns, [kind_of(self.hints[name]) for name in columns], values)

    def locked_whole(self) -> Statement:
        """Every row of the table, locked in the order of their keys."""
        return f"{self.select} ORDER BY {', '.join(self.row_type.KEY)} FOR NO KEY UPDATE", ()

    def _matching(
        self, names: Sequence[str], kinds: Sequence[str], values: Iterable[Key], *, lock: bool = False
    ) -> Statement:
        columns = ", ".join(f"t.{name}" for name in self.names)
        # Text compares here as in the tables: UTF-8 sorts by bytes as its characters do by their numbers.
        given = zip(*(sorted(values) if lock else values), strict=True)
        arrays = [literal(kind, column) for kind, column in zip(kinds, given, strict=True)]
        if len(names) == 1:
            (name,) = names
            end = f" ORDER BY t.{name} FOR NO KEY UPDATE OF t" if lock else ""
            return f"SELECT {columns} FROM {self.name} t WHERE t.{name} = ANY({_marks(kinds)}){end}", arrays
        source = f"unnest({_marks(kinds)}) AS w({', '.join(names)})"
        end = ""
        if lock:
            source = f"unnest({_marks(kinds)}) WITH ORDINALITY AS w({', '.join(names)}, at)"
            end = " ORDER BY w.at FOR NO KEY UPDATE OF t"
        return f"SELECT {columns} FROM {source} JOIN {self.name} t ON {_wanted(names)}{end}", arrays

    def _assigned(self, source: str) -> str:
        kept = {*self.row_type.KEY, *self.row_type.FIXED}
        return ", ".join(f"{name} = {source}.{name}" for name in self.names if name not in kept)

    def _columns_of(self, rows: Collection[Row], wanted: Iterable[int]) -> list[str]:
        columns = list(zip(*map(msgspec.structs.astuple, rows), strict=True))
        return [literal(self._kinds[at], columns[at]) for at in wanted]


def _wanted(names: Sequence[str]) -> str:
    """The condition that a row of t is the one that a row of w names, by an index that begins with names[0].

    With "=" in the first column the planner may walk all of t instead and compare each row with each of w, where it
    believes that t is empty, and would keep that plan while t grows. This form leaves it the index or nothing.
    """
    first, *others = names
    conditions = [f"t.{first} = ANY(ARRAY[w.{first}])", *(f"t.{name} = w.{name}" for name in others)]
    return " AND ".join(conditions)


def _marks(kinds: Sequence[str]) -> str:
    return ", ".join(f"${at}::{kind}[]" for at, kind in enumerate(kinds, 1))


def _side_by_side(kinds: Sequence[str], names: Sequence[str]) -> str:
    """A row of columns for each element of the arrays, which are all of one length.

    In a FROM clause each array would be kept in a store of its own before the first row comes: for a table with many
    columns and a batch of few rows, most of what the insert costs.
    """
    columns = zip(kinds, names, strict=True)
    return ", ".join(f"unnest(${at}::{kind}[]) AS {name}" for at, (kind, name) in enumerate(columns, 1))


TABLES: dict[type[Row], PostgresTable[Row]] = {row_type: PostgresTable(row_type) for row_type in ROW_TYPES}

_RECIPIENT_COLUMNS = {
    RecipientKind.ACCOUNT_NUMBER: "account_number",
    RecipientKind.EMAIL: "email",
    RecipientKind.PHONE: "phone",
}


def table(row_type: type[R]) -> PostgresTable[R]:
    return cast("PostgresTable[R]", TABLES[row_type])


def book_of(wanted: Iterable[tuple[int, str]]) -> Statement:
    """Every entry of an account for an address, by (account, address)."""
    return table(BookRow).by_columns(("account_id", "address"), wanted)


def attempts_at(wanted: Iterable[tuple[str, str, int]]) -> Statement:
    """Every attempt at a nonce, by (network, sender, nonce)."""
    return table(AttemptRow).by_columns(("network", "sender", "nonce"), wanted)


def accounts_named(kind: RecipientKind, values: Iterable[str]) -> Statement:
    """Accounts by what others address them with."""
    return table(AccountRow).by_columns((_RECIPIENT_COLUMNS[kind],), [(value,) for value in values])
