"""What holds of the PostgreSQL database itself: settings read back, migrations, triggers, versions, columns."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import errors

from penstock.core.ids import TimeOrderedIds
from penstock.core.refusals import Unavailable
from penstock.core.time import ManualClock
from penstock.engine.row import Row
from penstock.engine.rows import BalanceRow, WithdrawalRow
from penstock.engine.snapshot import Snapshot
from penstock.store.ledger import open_ledger
from penstock.store.migrations import migrations
from penstock.store.postgres.arrays import kind_of
from penstock.store.postgres.connection import check_settings, connect, open_session
from penstock.store.postgres.reader import PostgresReader
from penstock.store.postgres.schema import migrate
from penstock.store.postgres.statements import TABLES
from penstock.store.postgres.store import PostgresStore
from penstock.store.unusable import StoreUnusable
from penstock.store.verify import verify
from tests.postgres import database, server
from tests.store.samples import RULES, START_MS, PausingIds, Seeded

ROW_TYPES = tuple(TABLES)
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def empty() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture
def url(empty: str) -> str:
    """A database with one withdrawal in it; nobody is connected."""
    clock, ids = ManualClock(START_MS), PausingIds()
    store = PostgresStore(empty, RULES, clock, ids)
    Seeded(store, clock, ids).withdraw("a")
    store.close()
    return empty


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with psycopg.connect(url, autocommit=True) as made:
        yield made


SAFE = {
    "fsync": "on",
    "full_page_writes": "on",
    "server_encoding": "UTF8",
    "server_version_num": "180004",
    "synchronous_commit": "on",
    "synchronous_standby_names": "",
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"synchronous_commit": "local"},
        {"synchronous_commit": "remote_apply", "synchronous_standby_names": "ANY 1 (a, b)"},
        {"server_version_num": "140000"},
        {"server_version_num": "190001"},
    ],
)
def test_settings_that_lose_nothing_are_taken(changes: dict[str, str]) -> None:
    check_settings({**SAFE, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"fsync": "off"},
        {"full_page_writes": "off"},
        {"synchronous_commit": "off"},
        {"synchronous_commit": "off", "synchronous_standby_names": "a"},
        {"synchronous_commit": "local", "synchronous_standby_names": "a"},
        {"synchronous_commit": "remote_write", "synchronous_standby_names": "a"},
        {"server_encoding": "SQL_ASCII"},
        {"server_version_num": "130022"},
    ],
)
def test_settings_that_could_lose_money_are_refused_by_name(changes: dict[str, str]) -> None:
    name = "synchronous_commit" if "synchronous_commit" in changes else next(iter(changes))
    shown = {"server_version_num": "too old", "server_encoding": "encoding"}.get(name, name)
    with pytest.raises(StoreUnusable, match=shown):
        check_settings({**SAFE, **changes})


@pytest.mark.parametrize("setting", ["synchronous_commit = off", "default_transaction_read_only = on"])
def test_a_real_server_with_such_a_setting_is_refused(url: str, setting: str) -> None:
    server().run(f"ALTER DATABASE {psycopg.conninfo.conninfo_to_dict(url)['dbname']} SET {setting}")
    with pytest.raises(StoreUnusable):
        PostgresStore(url, RULES, ManualClock(START_MS), PausingIds())


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_server_that_was_made_unsafe_is_refused(url: str, name: str) -> None:
    _altered(f"SET {name} = off", name, "off")
    try:
        with pytest.raises(StoreUnusable, match=name):
            open_session(url)
    finally:
        _altered(f"RESET {name}", name, "on")
    open_session(url).close()


def _altered(what: str, name: str, value: str) -> None:
    server().run(f"ALTER SYSTEM {what}")
    server().run("SELECT pg_reload_conf()")
    while server().run(f"SHOW {name}") != [(value,)]:
        pass


def test_settings_of_our_own_are_in_force(url: str) -> None:
    session = open_session(url)
    names = (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "enable_seqscan",
        "jit",
    )
    seen = [session.ask([(f"SHOW {name}", ())])[0].rows[0][0] for name in names]
    assert seen == ["0", "5s", "10s", "off", "off"]
    session.close()


@pytest.mark.parametrize("url", ["postgresql://[", "postgresql://127.0.0.1:1/none", "postgresql://host=1 2"])
def test_a_database_that_is_not_there_is_refused(url: str) -> None:
    with pytest.raises(StoreUnusable):
        PostgresStore(url, RULES, ManualClock(START_MS), PausingIds())
    with pytest.raises(StoreUnusable), open_ledger(url):
        pass


def test_a_ledger_is_opened_by_url_and_read_without_a_store(url: str) -> None:
    with open_ledger(url) as reader:
        report = verify(reader)
    assert report.ok
    assert report.counts["withdrawals"] == 1


def test_a_database_without_our_tables_is_no_ledger(empty: str) -> None:
    with pytest.raises(StoreUnusable, match="no tables of Penstock"), open_ledger(empty):
        pass


# --- migrations ---


def _tables(connection: Connection) -> list[tuple[Any, ...]]:
    found = connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
    )
    return found.fetchall()


def test_migrations_run_once(connection: Connection) -> None:
    before = _tables(connection)
    assert migrate(connection, START_MS) == 0
    assert _tables(connection) == before


def test_processes_that_start_at_once_migrate_once(empty: str) -> None:
    def start(_: int) -> int:
        with connect(empty, {}, {}) as connection:
            return migrate(connection, START_MS)

    with ThreadPoolExecutor(6) as pool:
        ran = list(pool.map(start, range(6)))
    assert sum(ran) == len(migrations("postgres"))


def test_a_migration_that_changed_since_it_ran_is_refused(connection: Connection) -> None:
    connection.execute("UPDATE migrations SET checksum = 'other'")
    with pytest.raises(StoreUnusable, match="0001_initial differs"):
        migrate(connection, START_MS)


def test_a_database_of_a_newer_program_is_refused(connection: Connection, url: str) -> None:
    connection.execute("INSERT INTO migrations VALUES (9999, 'later', '', 0)")
    with pytest.raises(StoreUnusable, match="newer Penstock"):
        PostgresStore(url, RULES, ManualClock(START_MS), PausingIds())


def test_a_migration_that_fails_leaves_nothing(connection: Connection) -> None:
    known = migrations("postgres")
    bad = (len(known) + 1, "bad", "CREATE TABLE t (a int); SELECT broken")
    with pytest.raises(errors.UndefinedColumn):
        migrate(connection, START_MS, [*known, bad])
    assert connection.execute("SELECT max(number) FROM migrations").fetchall() == [(len(known),)]
    assert "t" not in {name for name, _, _ in _tables(connection)}


# --- tables ---


@pytest.mark.parametrize("row_type", ROW_TYPES)
def test_every_table_has_the_columns_of_its_rows(connection: Connection, row_type: type[Row]) -> None:
    stored = {name: kind for table, name, kind in _tables(connection) if table == row_type.TABLE}
    known = TABLES[row_type]
    assert list(stored) == known.names
    assert list(stored.values()) == [kind_of(known.hints[name]) for name in known.names]


def test_text_is_compared_by_bytes_everywhere(connection: Connection) -> None:
    other = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'migrations'"
    )
    assert other.fetchall() == []


@pytest.mark.parametrize("table", [each.TABLE for each in ROW_TYPES if each.APPEND_ONLY])
@pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}"])
def test_what_is_written_once_is_never_changed(connection: Connection, table: str, change: str) -> None:
    row_type = next(each for each in ROW_TYPES if table == each.TABLE)
    with pytest.raises(errors.RestrictViolation, match="append-only"):
        connection.execute(change.format(table, row_type.KEY[0]))


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM withdrawals",
        "TRUNCATE withdrawals",
        "DELETE FROM attempts",
        "UPDATE attempts SET raw = '\\x00'",
        "UPDATE attempts SET raw = NULL",
        "UPDATE attempts SET tx_hash = 'other'",
        "UPDATE attempts SET intent = '{}'",
        "UPDATE attempts SET nonce = nonce + 1",
        "UPDATE attempts SET withdrawal_id = NULL",
        "UPDATE attempts SET replaces = 1",
        "UPDATE balances SET available = -1",
        "UPDATE balances SET held = -1",
        "UPDATE withdrawals SET net = -1",
        "UPDATE quotas SET used_sat = -1",
    ],
)
def test_the_database_itself_refuses_what_must_never_happen(connection: Connection, change: str) -> None:
    connection.execute(
        "INSERT INTO attempts VALUES (1, 2, 'tron', 's', 0, 'i', NULL, 'signed', '\\x01', 'h', 0, 0, NULL)"
    )
    connection.execute("INSERT INTO quotas VALUES (1, 2, 3)")
    with pytest.raises(errors.IntegrityError):
        connection.execute(change)


@pytest.mark.parametrize("state", ["confirmed", "rejected", "cancelled", "expired", "failed"])
def test_a_final_state_never_changes(connection: Connection, state: str) -> None:
    connection.execute("UPDATE withdrawals SET state = %s", (state,))
    connection.execute("UPDATE withdrawals SET confirmations = 7")
    with pytest.raises(errors.RestrictViolation, match="a final state never changes"):
        connection.execute("UPDATE withdrawals SET state = 'held'")


def test_amounts_of_seventy_eight_digits_are_kept_and_longer_ones_refused(connection: Connection) -> None:
    connection.execute("UPDATE balances SET held = %s WHERE wallet = 'spot'", (Decimal(10**78 - 1),))
    with pytest.raises(errors.NumericValueOutOfRange):
        connection.execute("UPDATE balances SET held = %s WHERE wallet = 'spot'", (Decimal(10**78),))


# --- readers ---


def test_readers_cannot_write(url: str) -> None:
    reader = PostgresReader(url, RULES, ManualClock(START_MS))
    with reader._borrowed() as connection, pytest.raises(errors.ReadOnlySqlTransaction):
        connection.execute("UPDATE balances SET held = 0")
    with reader.snapshot(), reader._borrowed() as connection, pytest.raises(errors.ReadOnlySqlTransaction):
        connection.execute("UPDATE balances SET held = 0")
    reader.close()


def test_a_snapshot_sees_one_state_however_long_it_lasts(url: str) -> None:
    reader = PostgresReader(url, RULES, ManualClock(START_MS))
    store = PostgresStore(url, RULES, ManualClock(START_MS), TimeOrderedIds(3))
    (row,) = reader.rows(WithdrawalRow)
    with reader.snapshot():
        before = list(reader.rows(BalanceRow))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE balances SET available = available + 1")
        assert list(reader.rows(BalanceRow)) == before
        assert reader.row(BalanceRow, *before[0].key) == before[0]
        assert reader.withdrawal(row.withdrawal_id) is not None
    assert list(reader.rows(BalanceRow)) != before
    reader.close()
    store.close()


def test_two_walks_at_once_do_not_disturb_each_other(url: str) -> None:
    reader = PostgresReader(url, RULES, ManualClock(START_MS))
    pairs = [(one, two) for one in reader.rows(BalanceRow) for two in reader.rows(BalanceRow)]
    with reader.snapshot():
        again = [(one, two) for one in reader.rows(BalanceRow) for two in reader.rows(BalanceRow)]
    assert pairs == again
    assert len(pairs) == len(set(pairs)) > 1
    reader.close()


def test_a_reader_whose_connections_were_cut_opens_new_ones(url: str) -> None:
    reader = PostgresReader(url, RULES, ManualClock(START_MS), connections=2)
    assert reader.stopped("tron") is False
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    server().run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
    assert reader.stopped("tron") is False
    with pytest.raises(Unavailable):
        _cut_within_a_snapshot(reader, name)
    assert reader.stopped("tron") is False
    reader.close()


def _cut_within_a_snapshot(reader: PostgresReader, name: str) -> None:
    with reader.snapshot():
        server().run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
        reader.stopped("tron")


def test_a_database_that_is_gone_is_unavailable_to_readers_and_writers(url: str) -> None:
    store = PostgresStore(url, RULES, ManualClock(START_MS), PausingIds())
    seeded_order = Seeded.order
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    server().run(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    server().run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
    with pytest.raises(Unavailable):
        store.reader().stopped("tron")
    fake = type("_Someone", (), {"account_id": 1})()
    assert isinstance(store.submit(seeded_order(fake, "x")).exception(20), Unavailable)
    server().run(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
    assert store.reader().stopped("tron") is False
    assert not isinstance(store.submit(seeded_order(fake, "x")).exception(20), Unavailable)
    store.close()


def test_a_server_that_takes_no_writes_any_more_is_left_for_another(url: str) -> None:
    store = PostgresStore(url, RULES, ManualClock(START_MS), TimeOrderedIds(3))
    order = Seeded.order(type("_Someone", (), {"account_id": _account_of(url)})(), "b")
    assert store.submit(order).exception(10) is None
    session = store._writers[0]._batches._session  # type: ignore[attr-defined]
    session.ask([("SET default_transaction_read_only = on", ())])
    outcome = store.submit(msgspec.structs.replace(order, request_id="c")).exception(10)
    assert isinstance(outcome, Unavailable)
    assert session.is_lost
    assert store.submit(msgspec.structs.replace(order, request_id="c")).exception(10) is None
    store.close()


def _account_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT account_id FROM api_keys WHERE key_id = 'key-0'").fetchone()
    assert found is not None
    return int(found[0])


def test_a_ledger_is_read_from_a_server_that_takes_no_writes(url: str) -> None:
    """As `penstock verify` may be pointed at a standby; a service's own readers go to the primary alone."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    server().run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with open_ledger(url) as reader:
        assert verify(reader).ok
    reader = PostgresReader(url, RULES, ManualClock(START_MS))
    with pytest.raises(Unavailable):
        reader.stopped("tron")
    reader.close()


def test_a_batch_keeps_no_rows_for_the_next(url: str) -> None:
    """Others write too, so what was read for one batch is worth nothing for the next."""
    assert Snapshot().knows_controls is False
    store = PostgresStore(url, RULES, ManualClock(START_MS), TimeOrderedIds(3))
    order = Seeded.order(type("_Someone", (), {"account_id": _account_of(url)})(), "b")
    with psycopg.connect(url, autocommit=True) as connection:
        assert store.submit(order).exception(10) is None
        connection.execute("UPDATE balances SET available = 0")
        again = msgspec.structs.replace(order, request_id="c")
        assert str(store.submit(again).exception(10)).startswith("balance_too_low")
    store.close()
