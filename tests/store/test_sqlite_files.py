"""What holds of the SQLite file itself: settings read back, migrations, triggers, versions."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from penstock.core.time import ManualClock
from penstock.engine.row_types import ROW_TYPES
from penstock.store.migrations import migrations
from penstock.store.sqlite.connection import check_version, migrate, open_reader, open_writer
from penstock.store.sqlite.store import SqliteStore
from penstock.store.unusable import StoreUnusable
from tests.store.samples import RULES, START_MS, PausingIds, Seeded


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one withdrawal in it, closed."""
    where, clock, ids = tmp_path / "penstock.db", ManualClock(START_MS), PausingIds()
    store = SqliteStore(where, RULES, clock, ids)
    Seeded(store, clock, ids).withdraw("a")
    store.close()
    return where


def _schema(connection: apsw.Connection) -> list[object]:
    return list(connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name"))


def test_every_setting_our_promises_rest_on_is_in_force(path: Path) -> None:
    connection = open_writer(path)
    seen = {name: connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert seen == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert (connection.pragma("trusted_schema"), connection.pragma("cell_size_check")) == (0, 1)
    assert not connection.pragma("mmap_size")
    connection.close()


def test_a_database_in_which_a_setting_does_not_take_hold_is_refused() -> None:
    with pytest.raises(StoreUnusable, match="journal_mode"):
        open_writer(Path(":memory:"))


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.9.99", "2.99.99"])
def test_an_older_sqlite_is_refused_with_what_to_do(version: str) -> None:
    with pytest.raises(StoreUnusable, match=r"too old: 3\.51\.3 or newer"):
        check_version(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.52.0", "3.100.0", "4.0.0"])
def test_the_fixed_sqlite_and_newer_ones_are_taken(version: str) -> None:
    check_version(version)


def test_migrations_run_once(path: Path) -> None:
    connection = open_writer(path)
    before = _schema(connection)
    assert migrate(connection, START_MS) == 0
    assert _schema(connection) == before
    connection.close()


def test_a_migration_that_changed_since_it_ran_is_refused(path: Path) -> None:
    connection = open_writer(path)
    connection.execute("UPDATE migrations SET checksum = 'other'")
    with pytest.raises(StoreUnusable, match="0001_initial differs"):
        migrate(connection, START_MS)
    connection.close()


def test_a_database_of_a_newer_program_is_refused(path: Path) -> None:
    connection = open_writer(path)
    connection.execute("INSERT INTO migrations VALUES (9999, 'later', '', 0)")
    connection.close()
    with pytest.raises(StoreUnusable, match="newer Penstock"):
        SqliteStore(path, RULES, ManualClock(START_MS), PausingIds())


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "penstock.db")
    with pytest.raises(apsw.SQLError):
        migrate(
            connection, START_MS, [*migrations("sqlite"), (2, "bad", "CREATE TABLE t (a); SELECT broken")]
        )
    assert list(connection.execute("SELECT number FROM migrations")) == [(1,)]
    assert "t" not in [name for _, name, _ in _schema(connection)]  # type: ignore[misc]
    connection.close()


def test_every_table_is_strict_and_has_the_columns_of_its_rows(path: Path) -> None:
    connection = open_reader(path)
    for row_type in ROW_TYPES:
        names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({row_type.TABLE})")]
        assert names == list(row_type.__struct_fields__), row_type.TABLE
    tables = {
        name: strict
        for _, name, kind, _, _, strict in connection.execute("PRAGMA table_list")
        if kind == "table"
    }
    assert {row_type.TABLE for row_type in ROW_TYPES} <= tables.keys()
    assert all(strict for name, strict in tables.items() if not name.startswith("sqlite_"))
    connection.close()


@pytest.mark.parametrize("table", [each.TABLE for each in ROW_TYPES if each.APPEND_ONLY])
@pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
def test_what_is_written_once_is_never_changed(path: Path, table: str, change: str) -> None:
    row_type = next(each for each in ROW_TYPES if table == each.TABLE)
    connection = open_writer(path)
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        connection.execute(change.format(table, row_type.KEY[0]))
    connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM withdrawals",
        "DELETE FROM attempts",
        "UPDATE attempts SET raw = x'00'",
        "UPDATE attempts SET tx_hash = 'other'",
        "UPDATE attempts SET intent = '{}'",
        "UPDATE attempts SET nonce = nonce + 1",
        "UPDATE attempts SET withdrawal_id = 1",
        "UPDATE balances SET available = '-1'",
        "UPDATE balances SET held = '-1'",
        "UPDATE balances SET available = 'x'",
    ],
)
def test_the_database_itself_refuses_what_must_never_happen(path: Path, change: str) -> None:
    connection = open_writer(path)
    connection.execute(
        "INSERT INTO attempts VALUES (1, 2, 'tron', 's', 0, 'i', NULL, 'signed', x'01', 'h', 0, 0, NULL)"
    )
    with pytest.raises(apsw.ConstraintError):
        connection.execute(change)
    connection.close()


@pytest.mark.parametrize("state", ["confirmed", "rejected", "cancelled", "expired", "failed"])
def test_a_final_state_never_changes(path: Path, state: str) -> None:
    connection = open_writer(path)
    connection.execute("UPDATE withdrawals SET state = ?", (state,))
    with pytest.raises(apsw.ConstraintError, match="a final state never changes"):
        connection.execute("UPDATE withdrawals SET state = 'held'")
    connection.close()


def test_readers_cannot_write(path: Path) -> None:
    connection = open_reader(path)
    with pytest.raises(apsw.ReadOnlyError):
        connection.execute("UPDATE balances SET held = '0'")
    connection.close()


def test_reading_where_there_is_no_database_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="no database there"):
        open_reader(tmp_path / "none.db")
