"""That PostgreSQL goes along the index that is meant for all it reads or writes, whatever it believes of the tables.

It believes the figures that ANALYZE leaves behind: they may be missing, right, or of a time when nothing was stored.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, pairwise
from typing import Any, TypeVar

import msgspec
import psycopg
import pytest

from penstock.core.queries import DepositHistory, FindDeposits, FindWithdrawals, WithdrawalHistory
from penstock.core.states import State
from penstock.core.time import ManualClock, UnixMs
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rows import ChallengeRow, HistoryRow, OutboxRow, RequestRow, WithdrawalRow
from penstock.store.dialect import Binding
from penstock.store.postgres.connection import open_session
from penstock.store.postgres.keys import KEYS_AND_ACCOUNTS
from penstock.store.postgres.locks import LOCKED
from penstock.store.postgres.reader import PostgresReader
from penstock.store.postgres.session import Session
from penstock.store.postgres.statements import (
    _RECIPIENT_COLUMNS,
    TABLES,
    accounts_named,
    attempts_at,
    book_of,
    table,
)
from penstock.store.postgres.store import PostgresStore
from penstock.store.reader import Reader
from tests.postgres import database
from tests.store.finding_world import MINE, OTHER, TEXTS, any_withdrawal
from tests.store.samples import RULES, PausingIds

pytestmark = pytest.mark.xdist_group("plans")

R = TypeVar("R", bound=Row)
replace = msgspec.structs.replace
ANY = FindWithdrawals(MINE, 10)
MANY = 3_000


def _rows(count: int) -> list[Row]:
    """So many withdrawals, nearly all of one account, with all that belongs to them; few of them open."""
    rng, rows = random.Random(3), list[Row]()
    for at in range(1, count + 1):
        account = OTHER if at % 100 == 0 else MINE
        state = State.HELD if at > 5 else State.CHALLENGED
        row = replace(
            any_withdrawal(rng, at, {}),
            account_id=account,
            venue="one",
            number=at,
            tx_hash=f"h{at}",
            request_id=f"q{at}",
            state=state,
        )
        rows.append(row)
        rows.append(RequestRow(account, "one", f"q{at}", "{}", row.withdrawal_id, UnixMs(0)))
        rows.append(ChallengeRow(account, "one", f"q{at}", row.withdrawal_id, UnixMs(0), 0, "", at > 5))
        due = UnixMs(10**6) if at > 5 else UnixMs(1)
        rows.append(OutboxRow(row.withdrawal_id, 1, account, state, UnixMs(0), due, 0, None))
        rows.append(HistoryRow(row.withdrawal_id, 1, "", "held", "", UnixMs(0)))
    return sorted(rows, key=lambda row: type(row).__name__)


@contextmanager
def _stored(*, count: int, figures: str) -> Iterator[str]:
    """A database with so many withdrawals, and figures about its tables: "none", "stale" or "fresh"."""
    with database() as url:
        PostgresStore(url, RULES, ManualClock(0), PausingIds()).close()
        with psycopg.connect(url, autocommit=True) as connection:
            # In its own time the server would come between.
            for row_type in ROW_TYPES:
                connection.execute(f"ALTER TABLE {row_type.TABLE} SET (autovacuum_enabled = off)")  # type: ignore[arg-type]
            if figures == "stale":
                connection.execute("ANALYZE")
            session = open_session(url)
            by_type = groupby(_rows(count), type)
            session.ask([table(row_type).insert(list(group)) for row_type, group in by_type])
            session.close()
            if figures == "fresh":
                connection.execute("ANALYZE")
        yield url


@pytest.fixture(scope="module", params=["none", "stale", "fresh"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with _stored(count=MANY, figures=request.param) as url:
        yield url


class Explaining(PostgresReader):
    """Keeps what PostgreSQL says it would do for each statement, and what that cost it, instead of rows alone."""

    def __init__(self, url: str) -> None:
        super().__init__(url, RULES, ManualClock(0))
        self.plans: list[str] = []
        self.pages = 0

    def _select(self, row_type: type[R], where: str, bindings: tuple[Binding, ...]) -> list[R]:
        sql = f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {table(row_type).select} {where}"
        with self._borrowed() as connection:
            lines = connection.execute(sql.replace("?", "%s"), bindings).fetchall()  # type: ignore[call-overload]
        plan = "\n".join(line for (line,) in lines)
        self.plans.append(plan.partition("Planning")[0])
        self.pages += _pages(plan)
        return super()._select(row_type, where, bindings)


def _pages(plan: str) -> int:
    """The pages that were touched, by the topmost step."""
    touched = next(line for line in plan.splitlines() if line.strip().startswith("Buffers: shared"))
    counted = (part.partition("=") for part in touched.split())
    return sum(int(count) for name, _, count in counted if name in {"hit", "read"})


def _finds(**filters: object) -> Callable[[Reader], object]:
    return lambda reader: reader.ask(replace(ANY, **filters))


BY_ACCOUNT, BY_NUMBER, BY_TX = "withdrawals_by_account", "withdrawals_by_number", "withdrawals_by_tx"
READS: dict[str, tuple[Callable[[Any], object], Sequence[str]]] = {
    "newest first": (_finds(), [BY_ACCOUNT]),
    "oldest first": (_finds(ascending=True), [BY_ACCOUNT]),
    "a page": (_finds(before=1_050), [BY_ACCOUNT]),
    "a page upwards": (_finds(after=1_050, ascending=True), [BY_ACCOUNT]),
    "another account's": (_finds(account_id=OTHER), [BY_ACCOUNT]),
    "a page by number": (_finds(by_number=True, before=40), [BY_NUMBER]),
    "since a time": (_finds(from_ms=UnixMs(1_800_000_000_000)), [BY_ACCOUNT]),
    "ids": (_finds(ids=(1_001, 1_002)), []),
    "request ids": (_finds(request_ids=TEXTS), ["requests_pkey"]),
    "request ids, then rows": (_finds(request_ids=TEXTS, venue="one", before=1_100), ["requests_pkey"]),
    "numbers": (_finds(numbers=(3, 4), before=1_100), [BY_NUMBER]),
    "numbers, by number": (_finds(numbers=(3, 4), by_number=True, after=2), [BY_NUMBER]),
    "a hash": (_finds(tx_hash="h7", venue="one", before=1_100), [BY_TX]),
    "moves": (_finds(with_moves=True), [BY_ACCOUNT, "history_pkey"]),
    "history": (
        lambda reader: reader.ask(WithdrawalHistory(MINE, "USDT", None, UnixMs(0), UnixMs(99), 10)),
        [BY_ACCOUNT],
    ),
    "deposits": (lambda reader: reader.ask(FindDeposits(MINE, 10, before=50)), ["deposits_by_account"]),
    "deposit history": (
        lambda reader: reader.ask(DepositHistory(MINE, None, None, UnixMs(0), UnixMs(99), 10)),
        ["deposits_by_account"],
    ),
    "due events": (lambda reader: reader.due_events(UnixMs(5), 10), ["outbox_due", "outbox_pkey"]),
    "due events of others": (lambda reader: reader.due_events(UnixMs(5), 10, (OTHER,)), ["outbox_due"]),
    "expired challenges": (
        lambda reader: reader.expired_challenges(UnixMs(5), 10),
        ["challenges_open"],
    ),
    "to plan": (lambda reader: reader.to_plan("tron", 10), ["withdrawals_to_plan"]),
    "waiting for approval": (
        lambda reader: reader.withdrawals_in(State.AWAITING_APPROVAL, 10),
        ["withdrawals_awaiting"],
    ),
    "the operator's list": (lambda reader: reader.withdrawals(None, 10), ["withdrawals_pkey"]),
    "of one account": (lambda reader: reader.withdrawals(OTHER, 10), [BY_ACCOUNT]),
    "by id": (lambda reader: reader.withdrawal(7), ["withdrawals_pkey"]),
    "its history": (lambda reader: reader.history(7), ["history_pkey"]),
    "its events": (lambda reader: reader.events(7), ["outbox_pkey"]),
    "its attempts": (lambda reader: reader.attempts(7), ["attempts_by_withdrawal"]),
    "open attempts": (lambda reader: reader.open_attempts("tron", "s"), ["attempts_open"]),
    "open nonces": (lambda reader: reader.open_nonces("tron", "s"), ["nonces_"]),
    "audit": (lambda reader: reader.audit(10, before=5), ["audit_pkey"]),
}
NAMED_ONE_BY_ONE = {"ids", "request ids", "request ids, then rows", "numbers", "numbers, by number", "a hash"}
PAGES_MAX = 40
"""For ten rows in two tables, each some levels down an index; there are 3,000 rows on more pages than WALK."""
WALK = 70
PASSED_OVER = {"history": 100}
"""A time long ago is reached by way of all that is newer (docs/decisions/0018-postgresql-by-locked-batches.md)."""


@pytest.mark.parametrize("name", READS)
def test_what_is_looked_for_is_found_by_an_index(url: str, name: str) -> None:
    ask, indexes = READS[name]
    reader = Explaining(url)
    ask(reader)
    reader.close()
    whole = "\n".join(reader.plans)
    assert all(index in whole for index in indexes), whole
    assert not any(step in whole for step in ("Seq Scan", "Bitmap", "Hash Join", "Merge Join")), whole
    # Pages are read in the order in which they are stored; only what was named one by one is sorted.
    assert name in NAMED_ONE_BY_ONE or "Sort" not in whole, whole
    assert reader.pages <= PASSED_OVER.get(name, PAGES_MAX), whole


def test_the_measure_of_pages_sees_a_walk(url: str) -> None:
    reader = Explaining(url)
    reader._select(WithdrawalRow, "WHERE remark = ?", ("none has it",))
    reader.close()
    assert reader.pages > WALK


@pytest.fixture(scope="module", params=["none", "stale", "fresh", "empty", "empty and known to be"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A writer's. It keeps its plans, so the ones made while nothing is stored are those that have to do later."""
    empty = {"empty": "none", "empty and known to be": "fresh"}
    figures, count = empty.get(request.param, request.param), 0 if request.param in empty else MANY
    with _stored(count=count, figures=figures) as url:
        made = open_session(url)
        yield made
        made.close()


def _plan(session: Session, sql: str, values: Sequence[str]) -> list[str]:
    """As the batches run it: prepared, with one plan for whatever is asked. Returns its lines."""
    given = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    _, answer, _ = session.ask(
        [
            (f"PREPARE explained AS {sql}", ()),
            (f"EXPLAIN (COSTS OFF) EXECUTE explained({given})", ()),
            ("DEALLOCATE explained", ()),
        ]
    )
    return [str(line).strip() for (line,) in answer.rows]


def _key(row_type: type[Row]) -> tuple[int | str, ...]:
    kinds = row_type.__annotations__
    return tuple("a" if kinds[name] == "str" else 1 for name in row_type.KEY)


def _check_found_by(index: str, columns: Sequence[str], plan: list[str]) -> None:
    """Nothing but one look into `index` for each key, or one for all of them."""
    looks = [
        at
        for at, line in enumerate(plan)
        if "Scan" in line and not line.endswith((" Scan on w", " on changed"))
    ]
    assert len(looks) == 1, plan
    assert f"Index Scan using {index}" in plan[looks[0]], plan
    condition = plan[looks[0] + 1]
    assert condition.startswith("Index Cond:"), plan
    assert all(name in condition for name in columns), plan
    assert not any(step in line for line in plan for step in ("Filter", "Hash", "Merge", "Material")), plan


@pytest.mark.parametrize("row_type", ROW_TYPES)
def test_what_a_batch_reads_it_finds_by_the_primary_key(session: Session, row_type: type[Row]) -> None:
    plan = _plan(session, *TABLES[row_type].by_keys([_key(row_type)]))
    _check_found_by(f"{row_type.TABLE}_pkey", row_type.KEY, plan)


@pytest.mark.parametrize("row_type", LOCKED)
def test_what_a_batch_locks_it_finds_by_the_primary_key_in_the_order_of_the_keys(
    session: Session, row_type: type[Row]
) -> None:
    last_first = [
        tuple(chr(at) if isinstance(part, str) else at for part in _key(row_type)) for at in range(99, 96, -1)
    ]
    sql, given = TABLES[row_type].by_keys(last_first, lock=True)
    plan = _plan(session, sql, given)
    assert plan[0] == "LockRows", plan
    _check_found_by(f"{row_type.TABLE}_pkey", row_type.KEY, plan)
    # Along what was given, key by key; or two batches could wait for each other.
    in_order = sorted(last_first)
    assert given == TABLES[row_type].by_keys(in_order)[1]
    if len(row_type.KEY) > 1:
        assert plan[1:3] == ["->  Nested Loop", "->  Function Scan on w"], plan
    else:
        assert plan[1].startswith("->  Index Scan") or plan[2] == f"Sort Key: {row_type.KEY[0]}", plan


@pytest.mark.parametrize("row_type", [each for each in ROW_TYPES if not each.APPEND_ONLY])
def test_what_a_batch_changes_it_finds_by_the_primary_key(session: Session, row_type: type[Row]) -> None:
    known = TABLES[row_type]
    plan = _plan(session, known._update, ["{}"] * (len(known.names) - len(row_type.FIXED)))
    _check_found_by(f"{row_type.TABLE}_pkey", row_type.KEY, plan)


def test_what_a_batch_finds_otherwise_it_finds_by_the_index_made_for_it(session: Session) -> None:
    book, attempts = book_of([(1, "a")]), attempts_at([("tron", "s", 1)])
    _check_found_by("book_by_address", ("account_id", "address"), _plan(session, *book))
    _check_found_by("attempts_by_nonce", ("network", "sender", "nonce"), _plan(session, *attempts))
    for kind, column in _RECIPIENT_COLUMNS.items():
        plan = _plan(session, *accounts_named(kind, ["a"]))
        _check_found_by(f"accounts_{column}_key", (column,), plan)


def test_a_key_and_its_account_are_found_by_their_primary_keys(session: Session) -> None:
    plan = _plan(session, KEYS_AND_ACCOUNTS, ['{"a"}'])
    conditions = [
        (line.split()[4], below)
        for line, below in pairwise([*plan, ""])
        if "Scan" in line and "Function Scan" not in line
    ]
    assert [index for index, _ in conditions] == ["api_keys_pkey", "accounts_pkey"], plan
    for (_, condition), column in zip(conditions, ("key_id", "account_id"), strict=True):
        assert condition.startswith("Index Cond:"), plan
        assert column in condition, plan
