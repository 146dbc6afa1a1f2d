"""What is said while something is away: one line when it goes, one when it is back."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict
from structlog.testing import capture_logs
from structlog.typing import EventDict

from penstock.core.ids import TimeOrderedIds
from penstock.core.refusals import Unavailable
from penstock.core.time import ManualClock
from penstock.engine.rows import AccountRow
from penstock.store.outage import Outage
from penstock.store.postgres.store import PostgresStore
from tests.postgres import database, server
from tests.store.samples import RULES, START_MS, Seeded


@pytest.fixture
def lines() -> Iterator[list[EventDict]]:
    with capture_logs() as captured:
        yield captured


def _events(lines: list[EventDict]) -> list[str]:
    return [line["event"] for line in lines]


def test_failures_in_a_row_for_one_reason_are_one_line(lines: list[EventDict]) -> None:
    outage = Outage("gone", "back", network="ethereum")
    outage.worked()
    for _ in range(3):
        outage.failed("no route")
    outage.worked()
    outage.worked()
    assert _events(lines) == ["gone", "back"]
    assert (lines[0]["reason"], lines[0]["network"]) == ("no route", "ethereum")
    assert (lines[1]["failures"], lines[1]["network"]) == (3, "ethereum")


def test_another_reason_and_another_outage_are_told(lines: list[EventDict]) -> None:
    outage = Outage("gone", "back")
    for reason in ("no route", "no room", "no room"):
        outage.failed(reason)
    outage.worked()
    outage.failed("no room")
    outage.worked()
    assert _events(lines) == ["gone", "gone", "back", "gone", "back"]
    assert [line["failures"] for line in lines if line["event"] == "back"] == [3, 1]


def test_many_threads_say_it_once(lines: list[EventDict]) -> None:
    outage = Outage("gone", "back")
    for act in (lambda: outage.failed("no route"), outage.worked):
        threads = [threading.Thread(target=act) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert _events(lines) == ["gone", "back"]
    assert lines[1]["failures"] == 16


def test_while_the_database_is_away_each_way_to_it_says_so_once(lines: list[EventDict]) -> None:
    with database() as url:
        name = conninfo_to_dict(url)["dbname"]
        clock, ids = ManualClock(START_MS), TimeOrderedIds(node=1)
        seeded = Seeded(PostgresStore(url, RULES, clock, ids), clock, ids)
        store = seeded.store
        assert store.find_key("nobody") is None
        assert _events(lines) == []
        server().run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server().run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        for at in range(5):
            with pytest.raises(Unavailable):
                store.reader().row(AccountRow, seeded.account_id)
            with pytest.raises(Unavailable):
                store.find_key("nobody")
            with pytest.raises(Unavailable):
                store.submit(seeded.order(f"w{at}", 5)).result(60)
        assert sorted(_events(lines)) == [
            "keys cannot be read from the database",
            "the database cannot be read",
            "the database cannot be used",
        ]
        server().run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        lines.clear()
        for at in range(5):
            assert store.reader().row(AccountRow, seeded.account_id) is not None
            assert store.find_key("nobody") is None
            store.submit(seeded.order(f"w{at}", 5)).result(60)
        assert sorted(_events(lines)) == [
            "keys can be read again",
            "the database can be read again",
            "the database can be used again",
        ]
        assert {line["failures"] for line in lines} == {5}
        store.close()
