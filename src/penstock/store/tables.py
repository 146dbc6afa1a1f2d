"""What every database's statements are made of: a row type's columns, and rows to and from stored values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Generic, TypeVar, cast, get_type_hints

import msgspec

from penstock.core.amounts import Units
from penstock.engine.row import Row

R = TypeVar("R", bound=Row)
Value = int | str | bytes | None


class Table(Generic[R]):
    """One row type. columns: comma-joined. hints: each column's Python type. select: all rows, without an order."""

    def __init__(self, row_type: type[R]) -> None:
        self.row_type = row_type
        self.name = row_type.TABLE
        self.names = [field.name for field in msgspec.structs.fields(row_type)]
        hints = get_type_hints(row_type)
        self.hints: dict[str, object] = {name: hints[name] for name in self.names}
        self.columns = ", ".join(self.names)
        self.select = f"SELECT {self.columns} FROM {self.name}"
        self._converters = tuple(
            (at, convert)
            for at, name in enumerate(self.names)
            if (convert := _from_stored(hints[name])) is not None
        )

    def decode(self, stored: Sequence[Value]) -> R:
        values = list(stored)
        for at, convert in self._converters:
            values[at] = cast("Value", convert(values[at]))
        return self.row_type(*values)


def _from_stored(hint: object) -> Callable[[Value], object] | None:
    if hint is Units:
        return int  # type: ignore[return-value]
    if hint is bool:
        return bool
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return None
