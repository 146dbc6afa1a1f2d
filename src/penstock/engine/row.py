"""What every row is. `KEY` names the primary key; statements are derived from these.

Fields annotated `Units` are stored as canonical decimal text, because 18-decimal amounts overflow 64 bits.
Rows with `APPEND_ONLY` are inserted once and never change; the database's triggers refuse anything else. Of other rows
the columns in `FIXED` never change: a store leaves them as they are, and with them every index that has none but such.
No rule ever asks for rows with `WRITE_ONLY`, so a batch need not keep them findable.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Base of all rows."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]]
    FIXED: ClassVar[frozenset[str]] = frozenset()
    APPEND_ONLY: ClassVar[bool] = False
    WRITE_ONLY: ClassVar[bool] = False

    @property
    def key(self) -> tuple[int | str, ...]:
        """The primary key's values, in `KEY`'s order."""
        raise NotImplementedError
