"""Where the SQL of the readers differs between databases. Marks are "?" everywhere; each reader puts in its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

Binding = int | str | bytes | list[int] | list[str] | None
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
Where = tuple[str, tuple[Binding, ...]]
"""The rest of a SELECT behind the table's name, and what its marks stand for."""


Head = tuple[str, int | str]
"""A column, and the value in it that is wanted."""


@dataclass(frozen=True, slots=True)
class Page:
    """after, before: exclusive bounds on the column walked along; None: none."""

    ascending: bool = False
    after: int | None = None
    before: int | None = None


class Dialect(Protocol):
    """false: the literal that a partial index on a truth value names."""

    false: str

    def one_of(self, column: str, values: Collection[int | str]) -> tuple[str, Binding]:
        """A condition with one mark that holds for any of `values`, and what to bind to it."""
        ...

    def one_each(
        self, account_id: int, table: str, column: str, values: Collection[int | str], also: str = ""
    ) -> tuple[str, tuple[Binding, ...]]:
        """The withdrawals to which the table has a row of the account's with one of `values` in `column`.

        Each value is looked up by itself, by an index that begins with the account and the column, or the other way
        round. also: what that index says of its rows, if it is on a part of them.
        """
        ...

    def unindexed(self, column: str) -> str:
        """A text column's value in a form for which no index is taken."""
        ...

    def walk(self, head: Head, column: str, page: Page) -> tuple[str, tuple[Binding, ...], str]:
        """Rows that share a value, along the index on (that value's column, column) and on no other.

        Returns the condition, what to bind to it, and the ORDER BY that goes with it. It must not depend on figures
        about the table whether the index is taken.
        """
        ...
