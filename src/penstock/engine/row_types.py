"""Every kind of row, in the order in which a batch writes them."""

from __future__ import annotations

from penstock.engine import rows, sending_rows
from penstock.engine.row import Row

ROW_TYPES: tuple[type[Row], ...] = tuple(
    row_type
    for row_type in Row.__subclasses__()
    if row_type.__module__ in (rows.__name__, sending_rows.__name__)
)
