"""Where the SQL of the readers differs between databases. Marks are "?" everywhere; each reader puts in its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

Binding = int | str | bytes | list[int] | list[str] | None
Where = tuple[str, tuple[Binding, ...]]
"""The rest of a SELECT behind the table's name, and what its marks stand for."""


class Dialect(Protocol):
    """false: the literal that a partial index on a truth value names."""

    false: str

    def one_of(self, column: str, values: Collection[int | str]) -> tuple[str, Binding]:
        """A condition with one mark that holds for any of `values`, and what to bind to it."""
        ...

    def unindexed(self, column: str) -> str:
        """A text column's value in a form for which no index is taken."""
        ...
