"""No rule changes a column that its row type calls FIXED: a store would keep the old value without a word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.engine.row import Row
from penstock.engine.snapshot import Snapshot


@pytest.fixture(autouse=True, scope="session")
def fixed_columns_stay() -> Iterator[None]:
    """Around every test that decides commands: each row put is held against the one that was known."""
    put = Snapshot.put

    def watched(snapshot: Snapshot, row: Row) -> None:
        before = None if row.WRITE_ONLY else snapshot.known(type(row), *row.key)
        for name in row.FIXED if before is not None else ():
            assert getattr(row, name) == getattr(before, name), f"{row.TABLE}.{name} is not FIXED"
        put(snapshot, row)

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(Snapshot, "put", watched)
        yield
