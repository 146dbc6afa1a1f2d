"""Moving a ledger to PostgreSQL: everything arrives, nothing but that, and never are two databases in service."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from psycopg import errors

from penstock.core.acts import CreateAccount, SetControl
from penstock.core.commands import RecordMined, RecordSent, RecordSigned, Settle
from penstock.core.refusals import Refused
from penstock.core.time import ManualClock, UnixMs
from penstock.core.views import Accepted
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rows import ApiKeyRow, BalanceRow, EntryRow, WithdrawalRow
from penstock.engine.sending_rows import AttemptRow
from penstock.store import moving
from penstock.store.checksums import Checksum
from penstock.store.deciding import CommitInDoubt
from penstock.store.ledger import open_ledger
from penstock.store.moving import MoveInDoubt, Step, move
from penstock.store.moving_target import PostgresTarget
from penstock.store.postgres.connection import Session
from penstock.store.postgres.store import PostgresStore
from penstock.store.sqlite.store import SqliteStore
from penstock.store.store import Store
from penstock.store.unusable import StoreUnusable
from penstock.store.verify import verify
from tests.nodes import ROOT
from tests.postgres import database
from tests.store.moving_world import in_postgres, in_sqlite, make_ledger, postgres_tables, sqlite_columns
from tests.store.samples import RULES, SENDER, START_MS, PausingIds, Seeded, answer

LATER = ManualClock(START_MS + 2_000_000)
"""When leases that were held at the move have run out."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "penstock.db"
    make_ledger(path)
    return path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


@pytest.fixture
def url() -> Iterator[str]:
    with database() as made:
        yield made


def silent(_step: Step, _table: str, _rows: int) -> None:
    pass


def moved(path: Path, url: str, tell: moving.Tell = silent) -> list[Checksum]:
    return move(path, url, ManualClock(START_MS), tell)


def sqlite_store(path: Path) -> Store:
    return SqliteStore(path, RULES, LATER, PausingIds())


def postgres_store(url: str) -> Store:
    return PostgresStore(url, RULES, LATER, PausingIds())


def proven(target: Path | str) -> dict[str, int]:
    with open_ledger(target) as reader:
        report = verify(reader)
    assert report.ok, report.lines()
    return report.counts


def is_served(opened: Callable[[], Store]) -> bool:
    try:
        opened().close()
    except StoreUnusable:
        return False
    return True


# ---- what arrives ----


def test_every_row_of_every_table_arrives_as_it_was(path: Path, url: str) -> None:
    moved(path, url)
    tables = sqlite_columns(path)
    assert tables.keys() == {row_type.TABLE for row_type in ROW_TYPES}
    for table, names in tables.items():
        columns = ", ".join(names)
        there = in_postgres(url, f"SELECT {columns} FROM {table}")
        seen = {tuple(f"{v:f}" if isinstance(v, Decimal) else v for v in row) for row in there}
        assert seen == in_sqlite(path, table, columns)
        assert len(seen) == len(there) > 0


def test_both_sides_are_proven_sound_with_the_same_counts(path: Path, url: str) -> None:
    before = proven(f"sqlite:{path}")
    moved(path, url)
    assert proven(url) == proven(f"sqlite:{path}") == before
    assert before["withdrawals"] == 10


def test_the_checksums_are_those_of_the_rows_written_out_by_hand(path: Path, url: str) -> None:
    told = {summed.table: (summed.rows, summed.text) for summed in moved(path, url)}
    amounts = {"units", "available", "held", "amount", "fee", "net", "fee_held"}
    flags = {"may_withdraw", "frozen", "verified", "notify", "free", "final", "stopped", "closed"}
    for row_type in ROW_TYPES:
        names = list(row_type.__struct_fields__)
        rows = in_sqlite(path, row_type.TABLE, ", ".join(names))

        def plain(name: str, value: Any) -> Any:
            if isinstance(value, bytes):
                return base64.b64encode(value).decode()
            assert name not in amounts or isinstance(value, str)
            return bool(value) if name in flags else value

        texts = [
            json.dumps(
                [plain(name, value) for name, value in zip(names, row, strict=True)],
                separators=(",", ":"),
                ensure_ascii=False,
            )
            for row in rows
        ]
        total = sum(int(hashlib.sha256(text.encode()).hexdigest()[:32], 16) for text in texts) % 2**128
        assert told[row_type.TABLE] == (len(rows), f"{total:032x}")


def test_a_checksum_sees_every_change_of_a_column_and_a_row_that_is_missing_or_twice_there(
    path: Path,
) -> None:
    with open_ledger(f"sqlite:{path}") as reader:
        for row_type in (BalanceRow, WithdrawalRow, AttemptRow, ApiKeyRow):
            rows: list[Row] = list(reader.rows(row_type))
            whole = _summed(row_type, rows)
            assert _summed(row_type, rows[::-1]).agrees(whole)
            assert not _summed(row_type, rows[1:]).agrees(whole)
            assert not _summed(row_type, [*rows, rows[0]]).agrees(whole)
            assert not _summed(row_type, [rows[0], *rows[:-1]]).agrees(whole)
            for name in row_type.__struct_fields__:
                changed = _summed(row_type, [_changed(rows[0], name), *rows[1:]])
                assert (changed.rows, changed.agrees(whole)) == (whole.rows, False), name


def _summed(row_type: type[Row], rows: list[Row]) -> Checksum:
    summed = Checksum(row_type)
    for row in rows:
        summed.add(row)
    return summed


def _changed(row: Row, name: str) -> Row:
    value = getattr(row, name)
    match value:
        case None:
            other: object = 0
        case bool():
            other = not value
        case int():
            other = value + 1
        case bytes():
            other = value + b"x"
        case _:
            other = "failed" if name == "state" else value + "x"
    fields = {field: getattr(row, field) for field in type(row).__struct_fields__}
    return type(row)(**(fields | {name: other}))


# ---- going on there ----


def test_the_service_goes_on_where_it_was(path: Path, url: str) -> None:
    with open_ledger(f"sqlite:{path}") as reader:
        due = reader.due_events(UnixMs(START_MS + 1), 100)
        lane, nonces = reader.lane("tron", SENDER), reader.open_nonces("tron", SENDER)
        attempts, waiting = reader.open_attempts("tron", SENDER), reader.to_plan("tron", 10)
    assert (len(nonces), len(attempts), len(waiting)) == (3, 3, 2)
    moved(path, url)
    with closing(postgres_store(url)) as store:
        reader = store.reader()
        assert reader.due_events(UnixMs(START_MS + 1), 100) == due != []
        assert (reader.lane("tron", SENDER), reader.open_nonces("tron", SENDER)) == (lane, nonces)
        assert (reader.open_attempts("tron", SENDER), reader.to_plan("tron", 10)) == (attempts, waiting)
        seeded = _known(store)
        again = answer(store, seeded.order("held"), Accepted)
        assert again.withdrawal_id == waiting[0].withdrawal_id
        with pytest.raises(Refused):
            seeded.run(seeded.order("held", business='{"a": "other"}'))
        with pytest.raises(Refused, match="stopped"):
            seeded.run(seeded.plan(again.withdrawal_id, 4))
        seeded.run(SetControl("test", "network/tron", stopped=False))
        step = seeded.lane()
        _, signed, planned = sorted(attempts, key=lambda attempt: attempt.nonce)
        seeded.run(RecordSigned(step, planned.attempt_id, b"raw", "hash-3"))
        for height, attempt in ((9, signed), (10, planned)):
            seeded.run(RecordSent(step, attempt.attempt_id))
            seeded.run(RecordMined(step, attempt.attempt_id, height, f"block {height}", 1))
            seeded.run(
                Settle(step, attempt.attempt_id, height, f"block {height}", 3, paid=True, network_fee=9)
            )
        assert answer(store, seeded.plan(again.withdrawal_id, 4), AttemptRow).nonce == 4
        assert seeded.withdraw("new") > again.withdrawal_id
    proven(url)


def _known(store: Store) -> Seeded:
    """The sample's account on a store that holds it already."""
    seeded = object.__new__(Seeded)
    seeded.store, seeded.clock, seeded.ids = store, LATER, PausingIds()
    key = store.find_key("key-0")
    assert key is not None
    seeded.account_id = key.account_id
    return seeded


def test_a_snapshot_of_the_file_moves_as_well(path: Path, url: str) -> None:
    snapshot = path.with_name("penstock-1.db")
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("VACUUM INTO ?", (str(snapshot),))
    moved(snapshot, url)
    assert proven(url) == proven(f"sqlite:{path}")
    assert is_served(partial(sqlite_store, path))


def test_a_database_that_a_service_prepared_and_left_empty_is_taken(path: Path, url: str) -> None:
    postgres_store(url).close()
    moved(path, url)
    assert proven(url) == proven(f"sqlite:{path}")


# ---- never two in service ----


def test_the_old_file_is_never_served_again_and_says_where_its_rows_are(path: Path, url: str) -> None:
    moved(path, url)
    with pytest.raises(
        StoreUnusable, match=r"retired: it was, or is being, moved to postgresql 'test_\w+' on /"
    ):
        sqlite_store(path)


def test_the_mark_holds_no_password(path: Path, url: str) -> None:
    moved(path, url.replace("postgres@", "postgres:canary-51@"))
    assert b"canary-51" not in path.read_bytes()


def test_a_move_is_repeated_without_harm_and_changes_nothing(path: Path, url: str) -> None:
    first = moved(path, url)
    heard: list[tuple[Step, str, int]] = []
    again = moved(path, url, lambda *news: heard.append(news))
    assert [summed.text for summed in again] == [summed.text for summed in first]
    assert {step for step, _, _ in heard} == {Step.READ, Step.COMPARED}


def test_a_target_that_went_on_since_is_left_alone(path: Path, url: str) -> None:
    moved(path, url)
    with closing(postgres_store(url)) as store:
        store.submit(CreateAccount("test", "2001")).result(10)
    with pytest.raises(StoreUnusable, match="has changed since: accounts has 3 rows"):
        moved(path, url)
    assert in_postgres(url, "SELECT count(*) FROM accounts") == [(4,)]


def test_a_file_that_was_moved_goes_nowhere_else(path: Path, url: str) -> None:
    moved(path, url)
    with database() as other, pytest.raises(StoreUnusable, match="was, to postgresql 'test_"):
        moved(path, other)


# ---- what is refused, with nothing done ----


def test_it_does_not_run_beside_a_writer_or_anybody_who_has_the_file_open(path: Path, url: str) -> None:
    with closing(sqlite_store(path)), pytest.raises(StoreUnusable, match="is open elsewhere"):
        moved(path, url)
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as idle:
        list(idle.execute("SELECT count(*) FROM accounts"))
        with pytest.raises(StoreUnusable, match="is open elsewhere"):
            moved(path, url)
    assert postgres_tables(url) == []
    assert is_served(partial(sqlite_store, path))


def test_nobody_opens_the_file_while_it_is_moved(path: Path, url: str) -> None:
    tried: list[bool] = []

    def look(step: Step, table: str, _rows: int) -> None:
        if (step, table) in {(Step.COPIED, "accounts"), (Step.COMPARED, "audit")}:
            with closing(apsw.Connection(str(path))) as connection, pytest.raises(apsw.BusyError):
                connection.execute("SELECT count(*) FROM accounts")
            tried.append(True)

    moved(path, url, look)
    assert len(tried) == 2


def test_a_target_on_which_a_service_runs_is_refused(path: Path, url: str) -> None:
    with closing(postgres_store(url)) as store:
        assert store.find_key("nobody") is None
        with pytest.raises(StoreUnusable, match="connections of a Penstock to"):
            moved(path, url)
    assert is_served(partial(sqlite_store, path))


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE theirs (a int)", "CREATE TABLE migrations (id int)", "CREATE VIEW seen AS SELECT 1"]
)
def test_a_target_with_anything_else_in_it_is_refused_and_left_as_it_is(
    path: Path, url: str, sql: str
) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(sql)  # type: ignore[call-overload]
    before = postgres_tables(url)
    with pytest.raises(StoreUnusable, match="holds other tables"):
        moved(path, url)
    assert postgres_tables(url) == before
    assert is_served(partial(sqlite_store, path))


def test_a_target_with_a_ledger_is_refused(path: Path, url: str) -> None:
    with closing(postgres_store(url)) as store:
        store.submit(CreateAccount("test", "2001")).result(10)
    with pytest.raises(StoreUnusable, match="holds a ledger already"):
        moved(path, url)
    assert in_postgres(url, "SELECT count(*) FROM accounts") == [(1,)]
    assert is_served(partial(sqlite_store, path))


def test_a_source_of_another_version_is_refused(path: Path, url: str) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("DELETE FROM migrations")
    with pytest.raises(StoreUnusable, match="older version"):
        moved(path, url)


def test_what_is_no_ledger_is_refused(tmp_path: Path, url: str) -> None:
    text = tmp_path / "text"
    text.write_text("no database" * 1_000)
    for place, said in ((tmp_path / "nothing", "no database there"), (text, "not a database of Penstock")):
        with pytest.raises(StoreUnusable, match=said):
            moved(place, url)


def test_a_row_that_postgresql_cannot_keep_stops_it_and_is_named(path: Path, url: str) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE book SET remark = 'a' || char(0)")
    with pytest.raises(StoreUnusable, match=r"book: PostgreSQL cannot keep a row: .*NUL"):
        moved(path, url)
    assert postgres_tables(url) == []
    assert is_served(partial(sqlite_store, path))


def test_a_copy_that_differs_is_given_up(path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = PostgresTarget.fill

    def losing(self: PostgresTarget, row_type: type[Row], rows: Iterator[Row]) -> None:
        fill(self, row_type, rows)
        if row_type is EntryRow:
            self._run("ALTER TABLE entries DISABLE TRIGGER ALL")
            self._run(
                "UPDATE entries SET units = units + 1 "
                "WHERE line = 0 AND posting_id = (SELECT min(posting_id) FROM entries)"
            )

    monkeypatch.setattr(PostgresTarget, "fill", losing)
    with pytest.raises(StoreUnusable, match=r"entries has .* after the copy; nothing was moved"):
        moved(path, url)
    assert postgres_tables(url) == []
    assert is_served(partial(sqlite_store, path))


# ---- ends in the middle ----

_KILLED = """
import os, signal, sys
from pathlib import Path
from penstock.core.time import SystemClock
from penstock.store.moving import move
def tell(step, table, rows):
    if f"{step.value} {table}".strip() == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
move(Path(sys.argv[1]), sys.argv[2], SystemClock(), tell)
"""


@pytest.mark.parametrize(
    "end, old_is_served",
    [
        ("copied accounts", True),
        ("copied withdrawals", True),
        ("copied audit", True),
        ("compared entries", True),
        ("marked", False),
        ("committed", False),
    ],
)
def test_killed_at_any_step_it_completes_when_repeated(
    made: Path, path: Path, url: str, end: str, old_is_served: bool
) -> None:
    command = [sys.executable, "-c", _KILLED, str(path), url, end]
    assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == -signal.SIGKILL
    _until_nobody_is_connected(url)
    arrived = end == "committed"
    assert (postgres_tables(url) != []) == arrived, "all of it or nothing"
    assert is_served(partial(sqlite_store, path)) == old_is_served
    moved(path, url)
    assert not is_served(partial(sqlite_store, path))
    assert is_served(partial(postgres_store, url))
    assert proven(url) == proven(f"sqlite:{made}")


def _until_nobody_is_connected(url: str) -> None:
    """The server may take a moment to see that the process is gone."""
    name = url.partition("@/")[2].partition("?")[0]
    other = url.replace(f"/{name}?", "/postgres?")
    for _ in range(1_000):
        if not in_postgres(other, f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'"):
            return
    pytest.fail("the killed process is still connected")


def _committed_unheard(self: Session) -> None:
    self._connection.execute("COMMIT")
    raise CommitInDoubt("made up")


def _lost_unheard(self: Session) -> None:
    self._connection.execute("ROLLBACK")
    raise CommitInDoubt("made up")


@pytest.mark.parametrize("commit", [_committed_unheard, _lost_unheard])
def test_after_a_commit_in_doubt_neither_is_served_twice_and_repeating_settles_it(
    path: Path, url: str, commit: Callable[[Session], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", commit)
        with pytest.raises(MoveInDoubt):
            moved(path, url)
    assert not is_served(partial(sqlite_store, path))
    moved(path, url)
    assert proven(url) == proven(f"sqlite:{path}")
    assert is_served(partial(postgres_store, url))


def test_a_commit_that_certainly_failed_leaves_the_old_file_in_service(
    path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_self: Session) -> None:
        raise errors.SerializationFailure("made up")

    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", refused)
        with pytest.raises(StoreUnusable, match="the target failed: made up"):
            moved(path, url)
    assert is_served(partial(sqlite_store, path))
    assert postgres_tables(url) == []
    moved(path, url)
    assert proven(url) == proven(f"sqlite:{path}")
