"""A checksum of a table's rows that is the same on every database, in whatever order they are read."""

from __future__ import annotations

import hashlib

import msgspec

from penstock.core.amounts import Units
from penstock.engine.row import Row
from penstock.store.tables import Table

BITS = 128
_BYTES = BITS // 8
_OVER = 1 << BITS


class Checksum:
    """Of the rows of one table: how many, and the sum of the SHA-256 of each row's text, cut to BITS, modulo 2**BITS.

    A row's text is the JSON array of its columns in the row type's order: amounts as decimal text, bytes as base64. A
    sum needs no order, so either database may hand out its rows as it likes best; a changed, missing or
    doubled row changes it. It is there to find mistakes and damage, not a forger.
    """

    def __init__(self, row_type: type[Row]) -> None:
        known = Table(row_type)
        self.table = known.name
        self.rows = 0
        self._sum = 0
        # As numbers they would not fit into what JSON is written with: 18-decimal assets overflow 64 bits.
        self._amounts = tuple(at for at, name in enumerate(known.names) if known.hints[name] is Units)

    def add(self, row: Row) -> None:
        values = list(msgspec.structs.astuple(row))
        for at in self._amounts:
            values[at] = str(values[at])
        digest = hashlib.sha256(msgspec.json.encode(values)).digest()
        self._sum = (self._sum + int.from_bytes(digest[:_BYTES])) % _OVER
        self.rows += 1

    @property
    def text(self) -> str:
        """The sum in hexadecimal digits."""
        return f"{self._sum:0{_BYTES * 2}x}"

    def agrees(self, other: Checksum) -> bool:
        return (self.table, self.rows, self._sum) == (other.table, other.rows, other._sum)
