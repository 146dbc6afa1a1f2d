"""An empty store of each kind, and the same with accounts in it. A second database is one more name here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.core.ids import TimeOrderedIds
from penstock.core.time import ManualClock
from penstock.store.sqlite.store import SqliteStore
from penstock.store.store import Store
from tests.store.samples import RULES, START_MS, PausingIds, Seeded


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
def ids() -> PausingIds:
    return PausingIds()


@pytest.fixture(params=["sqlite"])
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock, ids: PausingIds
) -> Iterator[Callable[[], Store]]:
    """Opens the same database again at every call; the one opened before is closed first."""
    assert request.param == "sqlite"
    opened: list[Store] = []

    def make() -> Store:
        for store in opened:
            store.close()
        opened[:] = [SqliteStore(tmp_path / "penstock.db", RULES, clock, ids)]
        return opened[0]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def seeded(open_store: Callable[[], Store], clock: ManualClock, ids: PausingIds) -> Seeded:
    return Seeded(open_store(), clock, ids)


@pytest.fixture(params=["sqlite"])
def open_second(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Callable[[], Store]]:
    """Opens the database of `open_store` once more, as another process would."""
    assert request.param == "sqlite"
    opened: list[Store] = []

    def make() -> Store:
        opened.append(SqliteStore(tmp_path / "penstock.db", RULES, clock, TimeOrderedIds(node=2)))
        return opened[-1]

    yield make
    for store in opened:
        store.close()
