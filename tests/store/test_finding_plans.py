"""That SQLite finds what is looked for by an index, and that finding costs no more where there is more."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from penstock.core.queries import FindDeposits, FindWithdrawals
from penstock.core.states import State
from penstock.core.time import ManualClock, UnixMs
from penstock.engine.row import Row
from penstock.engine.rows import ChallengeRow, OutboxRow, RequestRow
from penstock.store.sqlite.reader import SqliteReader
from tests.store.finding_world import MINE, TEXTS, all_rows, any_withdrawal, sqlite_with
from tests.store.samples import RULES

replace = msgspec.structs.replace
ANY = FindWithdrawals(MINE, 10)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("plans") / "penstock.db"
    withdrawals, deposits, others = all_rows()
    with sqlite_with(where, [*withdrawals, *deposits, *others]):
        yield where


class Explaining(SqliteReader):
    """Keeps what SQLite says it would do for each statement of the reader."""

    def plans(self, ask: Callable[[SqliteReader], object]) -> list[str]:
        explained: list[str] = []
        connection = self._connection()

        def explain(cursor: apsw.Cursor, statement: str, bindings: Any) -> bool:
            beside = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            explained.extend(
                str(line[3]) for line in beside.execute(f"EXPLAIN QUERY PLAN {statement}", bindings)
            )
            beside.close()
            return True

        connection.exec_trace = explain
        ask(self)
        connection.exec_trace = None
        return explained


def _finds(**filters: object) -> Callable[[SqliteReader], object]:
    return lambda reader: reader.ask(replace(ANY, **filters))


BY_ID = "withdrawals USING INTEGER PRIMARY KEY (rowid=?)"
PLANS: dict[str, tuple[Callable[[SqliteReader], object], str]] = {
    "newest first": (_finds(), "withdrawals_by_account (account_id=?)"),
    "oldest first": (_finds(ascending=True), "withdrawals_by_account (account_id=?)"),
    "a page": (_finds(before=1_050), "withdrawals_by_account (account_id=? AND withdrawal_id<?)"),
    "a page upwards": (
        _finds(after=1_050, ascending=True),
        "withdrawals_by_account (account_id=? AND withdrawal_id>?)",
    ),
    "a page by number": (
        _finds(by_number=True, before=40),
        "withdrawals_by_number (account_id=? AND number>?",
    ),
    "ids": (_finds(ids=(1_001, 1_002)), BY_ID),
    "request ids": (_finds(request_ids=TEXTS), "requests USING PRIMARY KEY (request_id=? AND account_id=?"),
    "request ids, then rows": (
        _finds(request_ids=TEXTS, venue="one", before=1_100),
        BY_ID,
    ),
    "numbers": (_finds(numbers=(3, 4), before=1_100), "withdrawals_by_number (account_id=? AND number=?)"),
    "numbers, by number": (
        _finds(numbers=(3, 4), by_number=True, after=2),
        "withdrawals_by_number (account_id=? AND number=?)",
    ),
    "a hash": (_finds(tx_hash="0xa", venue="one", before=1_100), "withdrawals_by_tx (tx_hash=?)"),
    "moves": (_finds(with_moves=True), "history USING PRIMARY KEY (withdrawal_id=?)"),
    "deposits": (
        lambda reader: reader.ask(FindDeposits(MINE, 10, before=50)),
        "deposits_by_account (account_id=? AND deposit_id<?)",
    ),
    "due events": (lambda reader: reader.due_events(UnixMs(5), 10), "outbox_due (due_ms<?)"),
    "due events, earlier ones": (
        lambda reader: reader.due_events(UnixMs(5), 10, (MINE,)),
        "earlier USING PRIMARY KEY (withdrawal_id=? AND sequence<?)",
    ),
    "expired challenges": (
        lambda reader: reader.expired_challenges(UnixMs(5), 10),
        "challenges_open (expires_ms<?)",
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_what_is_looked_for_is_found_by_an_index(path: Path, name: str) -> None:
    ask, index = PLANS[name]
    reader = Explaining(path, RULES, ManualClock(0))
    steps = reader.plans(ask)
    reader.close()
    assert any(index in step for step in steps), steps
    # Only a list that was handed over is scanned.
    assert all("VIRTUAL TABLE" in step for step in steps if step.startswith("SCAN")), steps
    # Pages are read in the order in which they are stored; only what was named one by one is sorted.
    few = {"ids", "request ids", "request ids, then rows", "numbers", "numbers, by number", "a hash"}
    assert name in few or not any("ORDER BY" in step for step in steps), steps


def _cost(path: Path, ask: Callable[[SqliteReader], object]) -> int:
    """Hundreds of virtual machine steps that the reader takes."""
    reader, ticks = SqliteReader(path, RULES, ManualClock(0)), 0

    def tick() -> bool:
        nonlocal ticks
        ticks += 1
        return False

    connection = reader._connection()
    connection.set_progress_handler(tick, 100)
    ask(reader)
    reader.close()
    return ticks


def _many(path: Path, count: int) -> None:
    """`count` withdrawals of one account with an event and a challenge each, none of them due."""
    rng, rows = random.Random(3), list[Row]()
    for at in range(1, count + 1):
        row = replace(
            any_withdrawal(rng, at, {}),
            account_id=MINE,
            venue="one",
            number=at,
            tx_hash=f"h{at}",
            request_id=f"q{at}",
        )
        rows.append(replace(row, state=State.HELD if at > 5 else State.CHALLENGED))
        rows.append(RequestRow(MINE, "one", f"q{at}", "{}", row.withdrawal_id, UnixMs(0)))
        rows.append(ChallengeRow(MINE, "one", f"q{at}", row.withdrawal_id, UnixMs(0), 0, "", at > 5))
        due = UnixMs(10**6) if at > 5 else UnixMs(1)
        rows.append(OutboxRow(row.withdrawal_id, 1, MINE, State.HELD, UnixMs(0), due, 0, None))
    with sqlite_with(path, rows):
        pass


COSTS: dict[str, Callable[[SqliteReader], object]] = {
    "request id": _finds(request_ids=("q3",)),
    "number": _finds(numbers=(3,)),
    "hash": _finds(tx_hash="h3"),
    "id": _finds(ids=(3,)),
    "page": _finds(before=50, with_moves=True),
    "page by number": _finds(by_number=True, ascending=True, after=3),
    "due": lambda reader: reader.due_events(UnixMs(5), 10),
    "expired": lambda reader: reader.expired_challenges(UnixMs(5), 10),
}


def test_the_work_of_finding_does_not_grow_with_what_is_not_looked_for(tmp_path: Path) -> None:
    small, large = tmp_path / "small.db", tmp_path / "large.db"
    _many(small, 60)
    _many(large, 3_000)
    grown = {name: (_cost(small, ask), _cost(large, ask)) for name, ask in COSTS.items()}
    assert all(after <= before + 1 for before, after in grown.values()), grown
