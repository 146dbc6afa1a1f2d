"""What every row is. `KEY` names the primary key; statements are derived from these.

Fields annotated `Units` are stored as canonical decimal text, because 18-decimal amounts overflow 64 bits.
Rows with `APPEND_ONLY` are inserted once and never change; the database's triggers refuse anything else. No rule
ever asks for rows with `WRITE_ONLY`, so a batch need not keep them findable.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Base of all rows."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]]
    APPEND_ONLY: ClassVar[bool] = False
    WRITE_ONLY: ClassVar[bool] = False

    @property
    def key(self) -> tuple[int | str, ...]:
        """The primary key's values, in `KEY`'s order."""
        raise NotImplementedError
