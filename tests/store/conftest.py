"""An empty store of each kind, and the same with accounts in it. A further database is one more name in DATABASES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from penstock.core.ids import Ids, TimeOrderedIds
from penstock.core.time import Clock, ManualClock
from penstock.engine.rules import Rules
from penstock.store.postgres.store import PostgresStore
from penstock.store.sqlite.store import SqliteStore
from penstock.store.store import Store
from tests.fixed_columns import fixed_columns_stay  # noqa: F401 - autouse
from tests.postgres import database
from tests.store.samples import RULES, START_MS, PausingIds, Seeded

DATABASES = ("sqlite", "postgres")
Open = Callable[[Rules, Clock, Ids], Store]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
def ids() -> PausingIds:
    return PausingIds()


@pytest.fixture(params=DATABASES)
def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens one and the same database at every call; who opens it closes it."""
    if request.param == "sqlite":
        yield partial(SqliteStore, tmp_path / "penstock.db")
    else:
        with database() as url:
            yield partial(PostgresStore, url)


@pytest.fixture
def open_store(open_database: Open, clock: ManualClock, ids: PausingIds) -> Iterator[Callable[..., Store]]:
    """Opens the same database again at every call, with RULES or others; the one opened before is closed first."""
    opened: list[Store] = []

    def make(rules: Rules = RULES) -> Store:
        for store in opened:
            store.close()
        opened[:] = [open_database(rules, clock, ids)]
        return opened[0]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def seeded(open_store: Callable[[], Store], clock: ManualClock, ids: PausingIds) -> Seeded:
    return Seeded(open_store(), clock, ids)


@pytest.fixture
def open_second(open_database: Open, clock: ManualClock) -> Iterator[Callable[[], Store]]:
    """Opens the database of `open_store` once more, as another process would."""
    opened: list[Store] = []

    def make() -> Store:
        opened.append(open_database(RULES, clock, TimeOrderedIds(node=2)))
        return opened[-1]

    yield make
    for store in opened:
        store.close()
