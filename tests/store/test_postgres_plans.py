"""That PostgreSQL goes along an index for all that is read or written, with figures about the tables or without."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import psycopg
import pytest

from penstock.core.queries import DepositHistory, FindDeposits, FindWithdrawals, WithdrawalHistory
from penstock.core.states import State
from penstock.core.time import ManualClock, UnixMs
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rows import ChallengeRow, HistoryRow, OutboxRow, RequestRow
from penstock.store.dialect import Binding
from penstock.store.postgres.connection import open_session
from penstock.store.postgres.locks import LOCKED
from penstock.store.postgres.reader import PostgresReader
from penstock.store.postgres.session import Session
from penstock.store.postgres.statements import TABLES, attempts_at, book_of, table
from penstock.store.reader import Reader
from tests.store.finding_world import MINE, OTHER, TEXTS, any_withdrawal, postgres_with
from tests.store.samples import RULES

R = TypeVar("R", bound=Row)
replace = msgspec.structs.replace
ANY = FindWithdrawals(MINE, 10)
MANY = 2_000


def _rows(count: int) -> list[Row]:
    """`count` withdrawals, nearly all of one account, with all that belongs to them; few of them open."""
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
        rows.append(ChallengeRow(account, "one", f"q{at}", row.withdrawal_id, UnixMs(0), 0, ""))
        due = UnixMs(10**6) if at > 5 else UnixMs(1)
        rows.append(OutboxRow(row.withdrawal_id, 1, account, state, UnixMs(0), due, 0, None))
        rows.append(HistoryRow(row.withdrawal_id, 1, "", "held", "", UnixMs(0)))
    return sorted(rows, key=lambda row: type(row).__name__)


@pytest.fixture(scope="module", params=["no figures", "figures"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with postgres_with(_rows(MANY)) as reader:
        assert isinstance(reader, PostgresReader)
        with psycopg.connect(reader._url, autocommit=True) as connection:
            if request.param == "figures":
                connection.execute("ANALYZE")
        yield reader._url


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
        ["withdrawals_challenged", "challenges_withdrawal_id_key"],
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
    "a key": (lambda reader: reader.find_key("k"), ["api_keys_pkey"]),
}
NAMED_ONE_BY_ONE = {"ids", "request ids", "request ids, then rows", "numbers", "numbers, by number", "a hash"}
PAGES_MAX = 120
"""Of about 300 that the tables have; ten rows in several tables, each some levels down an index."""


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
    assert reader.pages <= PAGES_MAX, whole


def test_the_measure_of_pages_sees_a_walk(url: str) -> None:
    reader = Explaining(url)
    reader._select(HistoryRow, "WHERE detail = ? OR at_ms = ?", ("x", 5))
    reader.close()
    assert reader.pages > 20


@pytest.fixture
def session(url: str) -> Iterator[Session]:
    made = open_session(url)
    yield made
    made.close()


def _plan(session: Session, sql: str, values: Sequence[str]) -> str:
    """As the batches run it: prepared, with one plan for whatever is asked."""
    name = f"p{abs(hash(sql))}"
    session.ask([(f"PREPARE {name} AS {sql}", ())])
    given = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    (answer,) = session.ask([(f"EXPLAIN (COSTS OFF) EXECUTE {name}({given})", ())])
    return "\n".join(str(line) for (line,) in answer.rows)


def _key(row_type: type[Row]) -> tuple[int | str, ...]:
    kinds = row_type.__annotations__
    return tuple("a" if kinds[name] == "str" else 1 for name in row_type.KEY)


@pytest.mark.parametrize("row_type", ROW_TYPES)
def test_what_a_batch_reads_and_locks_it_finds_by_the_primary_key(
    session: Session, row_type: type[Row]
) -> None:
    known = TABLES[row_type]
    for lock in {False, row_type in LOCKED}:
        plan = _plan(session, *known.by_keys([_key(row_type)], lock=lock))
        _check_found_by_key(plan, row_type)
        assert plan.startswith("LockRows") == lock
        # Rows are locked in the order of their keys, or two batches could wait for each other.
        single = len(row_type.KEY) == 1
        assert not lock or single or f"Sort Key: t.{', t.'.join(row_type.KEY)}" in plan, plan


def _check_found_by_key(plan: str, row_type: type[Row]) -> None:
    lines = [line.strip() for line in plan.splitlines()]
    (scan,) = [at for at, line in enumerate(lines) if f"Index Scan using {row_type.TABLE}_pkey" in line]
    assert lines[scan + 1].startswith("Index Cond:"), plan
    assert all(name in lines[scan + 1] for name in row_type.KEY), plan
    assert not any(step in plan for step in ("Seq Scan", "Hash Join", "Merge Join", "Materialize")), plan


@pytest.mark.parametrize("row_type", [each for each in ROW_TYPES if not each.APPEND_ONLY])
def test_what_a_batch_changes_it_finds_by_the_primary_key(session: Session, row_type: type[Row]) -> None:
    known = TABLES[row_type]
    plan = _plan(session, known._update, ["{}"] * len(known.names))
    _check_found_by_key(plan, row_type)


def test_the_book_and_the_attempts_of_a_nonce_are_found_by_their_indexes(session: Session) -> None:
    assert "book_by_address" in _plan(session, *book_of([(1, "a")]))
    assert "attempts_by_nonce" in _plan(session, *attempts_at([("tron", "s", 1)]))
