"""Filters and pages against a second reading of their meaning in plain Python, and that none walks a whole table."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.ids import AccountId
from penstock.core.queries import FindDeposits, FindWithdrawals
from penstock.core.states import State
from penstock.core.time import ManualClock, UnixMs
from penstock.core.views import DepositView, Move, WithdrawalView
from penstock.engine.row import Row
from penstock.engine.rows import (
    ChallengeRow,
    CounterRow,
    DepositRow,
    HistoryRow,
    OutboxRow,
    RequestRow,
    WithdrawalRow,
)
from penstock.store.sqlite.reader import SqliteReader
from penstock.store.sqlite.statements import table
from penstock.store.sqlite.store import SqliteStore
from tests.store.samples import RULES, PausingIds

replace = msgspec.structs.replace

MINE, OTHER = AccountId(1), AccountId(2)
VENUES = ("one", "two")
ASSETS = ("USDT", "TRX", "BTC")
NETWORKS = ("tron", "ethereum", "")
TEXTS = tuple(f"r{at}" for at in range(12))
HASHES = ("0xa", "0xb", "0xc")
IDS = range(1_000, 1_160)
TIMES = range(100, 130)


def _withdrawal(rng: random.Random, withdrawal_id: int, numbers: dict[int, int]) -> WithdrawalRow:
    account = rng.choice((MINE, MINE, OTHER))
    kind = rng.choice(("chain", "chain", "transfer", "exchange"))
    numbered = rng.random() < 0.6
    if numbered:
        numbers[account] = numbers.get(account, 0) + 1
    values: dict[str, Any] = {
        "withdrawal_id": withdrawal_id,
        "account_id": account,
        "venue": rng.choice(VENUES),
        "asset": rng.choice(ASSETS),
        "network": rng.choice(NETWORKS),
        "wallet": "spot",
        "amount": 10**25 + withdrawal_id,
        "fee": 1,
        "net": 10**25 + withdrawal_id - 1,
        "address": "T-address" if kind == "chain" else "",
        "memo": "",
        "recipient": "1002" if kind == "transfer" else "",
        "recipient_id": None,
        "book_entry_id": None,
        "remark": "",
        "state": rng.choice(tuple(State)),
        "reason": "",
        "steps": 1,
        "attempt_id": None,
        "tx_hash": rng.choice(("", *HASHES)) if kind == "chain" else "",
        "confirmations": 0,
        # Out of order of the ids now and then, as with a clock that was set.
        "created_ms": rng.choice(TIMES),
        "updated_ms": 200,
        "debit_asset": "USDT",
        "rate": "",
        "number": numbers[account] if numbered else 0,
        "request_id": rng.choice(("", *TEXTS)),
        "extra": "",
        "notify": False,
    }
    return WithdrawalRow(**values)


def _deposit(rng: random.Random, at: int) -> DepositRow:
    internal = rng.random() < 0.4
    reference = (
        f"transfer/{at}" if internal else rng.choice((f"chain/{at}", f"Transfer/{at}", f"transfe{at}"))
    )
    return DepositRow(
        reference=reference,
        deposit_id=at,
        account_id=rng.choice((MINE, OTHER)),
        asset=rng.choice(ASSETS),
        network=rng.choice(NETWORKS),
        wallet="spot",
        amount=10**25,  # type: ignore[arg-type]
        address="",
        tx_id=rng.choice(("", *HASHES)),
        created_ms=UnixMs(rng.choice(TIMES)),
    )


def _rows() -> tuple[list[WithdrawalRow], list[DepositRow], list[Row]]:
    rng, numbers = random.Random(7), dict[int, int]()
    withdrawals, rows = [], list[Row]()
    asked: set[tuple[int, str, str]] = set()
    for withdrawal_id in IDS:
        row = _withdrawal(rng, withdrawal_id, numbers)
        if (row.account_id, row.venue, row.request_id) in asked:
            row = replace(row, request_id="")
        asked.add((row.account_id, row.venue, row.request_id))
        # One known by its signature alone is remembered too: by the signature, which no filter may find.
        known_by = row.request_id or rng.choice((f"signature {withdrawal_id}", f"{withdrawal_id}"))
        rows.append(RequestRow(row.account_id, row.venue, known_by, "", row.withdrawal_id, UnixMs(0)))
        if rng.random() < 0.3:
            mark = (row.account_id, f"{row.venue}/exclusive", rng.choice(TEXTS))
            if mark not in asked:
                asked.add(mark)
                rows.append(RequestRow(*mark, "", row.withdrawal_id, UnixMs(0)))
        states = rng.sample(tuple(State), rng.randint(1, 4))
        rows += [
            HistoryRow(row.withdrawal_id, at, "", state.value, "", UnixMs(at))
            for at, state in enumerate(states, 1)
        ]
        withdrawals.append(row)
    rows += [CounterRow(AccountId(account), used) for account, used in numbers.items()]
    return withdrawals, [_deposit(rng, at) for at in range(1, 120)], rows


def _insert(connection: apsw.Connection, rows: Sequence[Row]) -> None:
    with connection:
        for row in rows:
            connection.execute(table(type(row)).insert, table(type(row)).encode(row))


@dataclass
class Stored:
    path: Path
    reader: SqliteReader
    withdrawals: list[WithdrawalRow]
    deposits: list[DepositRow]
    moves: dict[int, tuple[Move, ...]]


def _database(path: Path) -> SqliteReader:
    clock = ManualClock(0)
    SqliteStore(path, RULES, clock, PausingIds()).close()
    return SqliteReader(path, RULES, clock)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    path = tmp_path_factory.mktemp("finding") / "penstock.db"
    reader = _database(path)
    withdrawals, deposits, others = _rows()
    connection = apsw.Connection(str(path))
    _insert(connection, [*withdrawals, *deposits, *others])
    connection.close()
    moves: dict[int, tuple[Move, ...]] = {}
    for row in others:
        if isinstance(row, HistoryRow):
            step = Move(State(row.state_after), row.at_ms)
            moves[row.withdrawal_id] = (*moves.get(row.withdrawal_id, ()), step)
    yield Stored(path, reader, withdrawals, deposits, moves)
    reader.close()


# --- what the filters mean, said a second time ---


def _wanted(row: WithdrawalRow, query: FindWithdrawals) -> bool:
    sorted_by = row.number if query.by_number else row.withdrawal_id
    kind = {True: bool(row.address), False: bool(row.recipient), None: True}[query.on_chain]
    return (
        row.account_id == query.account_id
        and kind
        and (query.venue is None or row.venue == query.venue)
        and (query.ids is None or row.withdrawal_id in query.ids)
        and (query.numbers is None or (row.number != 0 and row.number in query.numbers))
        and (query.request_ids is None or (row.request_id != "" and row.request_id in query.request_ids))
        and (query.tx_hash is None or (row.tx_hash != "" and row.tx_hash == query.tx_hash))
        and (query.assets is None or row.asset in query.assets)
        and (query.networks is None or row.network in query.networks)
        and (query.states is None or row.state in query.states)
        and (query.from_ms is None or row.created_ms >= query.from_ms)
        and (query.before_ms is None or row.created_ms < query.before_ms)
        and (not query.by_number or row.number > 0)
        and (query.after is None or sorted_by > query.after)
        and (query.before is None or sorted_by < query.before)
    )


def _expected(stored: Stored, query: FindWithdrawals) -> list[WithdrawalRow]:
    found = [row for row in stored.withdrawals if _wanted(row, query)]
    found.sort(
        key=lambda row: row.number if query.by_number else row.withdrawal_id, reverse=not query.ascending
    )
    return found[: query.limit]


def _expected_deposits(stored: Stored, query: FindDeposits) -> list[DepositRow]:
    found = [
        row
        for row in stored.deposits
        if row.account_id == query.account_id
        and (query.assets is None or row.asset in query.assets)
        and (query.networks is None or row.network in query.networks)
        and (query.tx_id is None or row.tx_id == query.tx_id)
        and (query.internal is None or row.reference.startswith("transfer/") == query.internal)
        and (query.from_ms is None or row.created_ms >= query.from_ms)
        and (query.before_ms is None or row.created_ms < query.before_ms)
        and (query.after is None or row.deposit_id > query.after)
        and (query.before is None or row.deposit_id < query.before)
    ]
    found.sort(key=lambda row: row.deposit_id, reverse=not query.ascending)
    return found[: query.limit]


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def _some(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    return _maybe(st.lists(st.sampled_from(values), max_size=6).map(tuple))


ACCOUNTS = st.sampled_from((MINE, OTHER, AccountId(3)))
LIMITS = st.sampled_from((1, 2, 7, 1_000))
MOMENTS = _maybe(st.sampled_from((*TIMES, 99, 130)))
QUERIES = st.builds(
    FindWithdrawals,
    account_id=ACCOUNTS,
    limit=LIMITS,
    venue=_maybe(st.sampled_from((*VENUES, "three", "one/exclusive"))),
    ids=_some((*IDS, 5, 2**63 - 1)),
    numbers=_some(range(-1, 70)),
    request_ids=_some((*TEXTS, "", "1003", "signature 1004", "R1", "unknown")),
    tx_hash=_maybe(st.sampled_from((*HASHES, "", "0xA"))),
    assets=_some((*ASSETS, "usdt")),
    networks=_some(NETWORKS),
    states=_some(tuple(State)),
    on_chain=_maybe(st.booleans()),
    from_ms=MOMENTS,
    before_ms=MOMENTS,
    by_number=st.booleans(),
    ascending=st.booleans(),
    after=_maybe(st.sampled_from((*IDS, *range(-1, 70)))),
    before=_maybe(st.sampled_from((*IDS, *range(-1, 70)))),
    with_moves=st.booleans(),
)
NO_FILTER = FindWithdrawals(MINE, 1_000)
FILTERS = [name for name in NO_FILTER.__struct_fields__ if name not in {"account_id", "limit", "with_moves"}]


def _found(stored: Stored, query: FindWithdrawals) -> list[WithdrawalView]:
    found = stored.reader.ask(query)
    assert isinstance(found, list)
    return found


def _check(stored: Stored, query: FindWithdrawals) -> int:
    expected, found = _expected(stored, query), _found(stored, query)
    assert [view.withdrawal_id for view in found] == [row.withdrawal_id for row in expected]
    for view, row in zip(found, expected, strict=True):
        assert (view.account_id, view.number, view.request_id) == (row.account_id, row.number, row.request_id)
        assert (view.amount, view.net, view.state) == (row.amount, row.net, row.state)
        assert view.moves == (stored.moves[row.withdrawal_id] if query.with_moves else ())
    return len(found)


@settings(max_examples=300)
@given(query=QUERIES)
def test_every_mixture_of_filters_finds_what_plain_python_finds(
    stored: Stored, query: FindWithdrawals
) -> None:
    _check(stored, query)


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_alone_and_in_pairs_finds_what_plain_python_finds(stored: Stored, name: str) -> None:
    rng, lengths = random.Random(name), set()
    samples: dict[str, Callable[[], object]] = {
        "venue": lambda: rng.choice(VENUES),
        "ids": lambda: tuple(rng.sample(IDS, 40)),
        "numbers": lambda: tuple(rng.sample(range(70), 20)),
        "request_ids": lambda: tuple(rng.sample(TEXTS, 5)),
        "tx_hash": lambda: rng.choice(HASHES),
        "assets": lambda: tuple(rng.sample(ASSETS, 2)),
        "networks": lambda: tuple(rng.sample(NETWORKS, 2)),
        "states": lambda: tuple(rng.sample(tuple(State), 8)),
        "on_chain": lambda: rng.random() < 0.5,
        "from_ms": lambda: rng.choice(TIMES),
        "before_ms": lambda: rng.choice(TIMES),
        "by_number": lambda: True,
        "ascending": lambda: True,
        "after": lambda: rng.choice((*IDS, *range(40))),
        "before": lambda: rng.choice((*IDS, *range(40))),
    }
    assert samples.keys() == set(FILTERS), "a filter without samples"
    for other in FILTERS:
        for _ in range(4):
            query = replace(NO_FILTER, **{other: samples[other](), name: samples[name]()})
            lengths.add(_check(stored, query))
            lengths.add(_check(stored, replace(NO_FILTER, **{name: samples[name]()})))
    assert len(lengths) > 1, "the filter was never seen to filter"


@settings(max_examples=200)
@given(
    query=st.builds(
        FindDeposits,
        account_id=ACCOUNTS,
        limit=LIMITS,
        assets=_some(ASSETS),
        networks=_some(NETWORKS),
        tx_id=_maybe(st.sampled_from((*HASHES, "", "0xA"))),
        internal=_maybe(st.booleans()),
        from_ms=MOMENTS,
        before_ms=MOMENTS,
        ascending=st.booleans(),
        after=_maybe(st.integers(-1, 121)),
        before=_maybe(st.integers(-1, 121)),
    )
)
def test_every_mixture_of_filters_finds_the_deposits_that_plain_python_finds(
    stored: Stored, query: FindDeposits
) -> None:
    expected, found = _expected_deposits(stored, query), stored.reader.ask(query)
    assert isinstance(found, list)
    assert [(view.deposit_id, view.internal) for view in found] == [
        (row.deposit_id, row.reference.startswith("transfer/")) for row in expected
    ]


# --- pages ---


def _pages(
    ask: Callable[[int | None], Sequence[WithdrawalView | DepositView]],
    last: Callable[[Any], int],
) -> list[Any]:
    found: list[Any] = []
    bound: int | None = None
    while page := ask(bound):
        found += page
        bound = last(page[-1])
    return found


@pytest.mark.parametrize("limit", [1, 3, 10, 1_000])
@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("by_number", [True, False])
@pytest.mark.parametrize("filters", [{}, {"venue": "one"}, {"states": tuple(State)[::2]}])
def test_pages_in_either_direction_hold_everything_once(
    stored: Stored, filters: dict[str, object], by_number: bool, ascending: bool, limit: int
) -> None:
    whole = replace(NO_FILTER, by_number=by_number, ascending=ascending, **filters)
    side = "after" if ascending else "before"
    pages = _pages(
        lambda bound: _found(stored, replace(whole, limit=limit, **{side: bound})),
        lambda view: view.number if by_number else view.withdrawal_id,
    )
    expected = [row.withdrawal_id for row in _expected(stored, whole)]
    assert len(expected) > 5
    assert [view.withdrawal_id for view in pages] == expected


@pytest.mark.parametrize("limit", [1, 4, 1_000])
@pytest.mark.parametrize("ascending", [True, False])
def test_pages_of_deposits_hold_everything_once(stored: Stored, ascending: bool, limit: int) -> None:
    whole, side = FindDeposits(MINE, 1_000, ascending=ascending), "after" if ascending else "before"
    pages = _pages(
        lambda bound: stored.reader.ask(replace(whole, limit=limit, **{side: bound})),  # type: ignore[arg-type, return-value]
        lambda view: view.deposit_id,
    )
    assert [view.deposit_id for view in pages] == [
        row.deposit_id for row in _expected_deposits(stored, whole)
    ]


def test_what_comes_in_between_two_pages_moves_nothing_on_the_later_ones(tmp_path: Path) -> None:
    path = tmp_path / "penstock.db"
    reader, connection = _database(path), apsw.Connection(str(path))
    rng = random.Random(1)
    rows = [replace(_withdrawal(rng, at, {}), account_id=MINE, number=0) for at in range(1, 31)]
    _insert(connection, rows[:20])
    seen: list[int] = []
    query = replace(NO_FILTER, limit=6)
    while page := reader.ask(query):
        assert isinstance(page, list)
        seen += [view.withdrawal_id for view in page]
        query = replace(query, before=seen[-1])
        _insert(connection, rows[20 + len(seen) // 6 : 21 + len(seen) // 6])
    assert seen == list(range(20, 0, -1))
    connection.close()
    reader.close()


# --- none of them walks a table ---


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
    return lambda reader: reader.ask(replace(NO_FILTER, limit=10, **filters))


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
    "ids": (_finds(ids=(1_001, 1_002)), "withdrawals_by_account (account_id=? AND withdrawal_id=?)"),
    "request ids": (_finds(request_ids=TEXTS), "r USING PRIMARY KEY (request_id=? AND account_id=?"),
    "request ids, then rows": (
        _finds(request_ids=TEXTS, venue="one", before=1_100),
        "withdrawals_by_account (account_id=? AND withdrawal_id=?)",
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
    "expired challenges": (lambda reader: reader.expired_challenges(UnixMs(5), 10), "withdrawals_challenged"),
}


@pytest.mark.parametrize("name", PLANS)
def test_what_is_looked_for_is_found_by_an_index(stored: Stored, name: str) -> None:
    ask, index = PLANS[name]
    reader = Explaining(stored.path, RULES, ManualClock(0))
    steps = reader.plans(ask)
    reader.close()
    assert any(index in step for step in steps), steps
    # A list that was handed over is scanned, and the index of what is challenged holds nothing else.
    scans = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert all("withdrawals_challenged" in step for step in scans), steps
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
    _database(path).close()
    rng, rows = random.Random(3), list[Row]()
    for at in range(1, count + 1):
        row = replace(
            _withdrawal(rng, at, {}),
            account_id=MINE,
            venue="one",
            number=at,
            tx_hash=f"h{at}",
            request_id=f"q{at}",
        )
        rows.append(replace(row, state=State.HELD if at > 5 else State.CHALLENGED))
        rows.append(RequestRow(MINE, "one", f"q{at}", "{}", row.withdrawal_id, UnixMs(0)))
        rows.append(ChallengeRow(MINE, "one", f"q{at}", row.withdrawal_id, UnixMs(0), 0, ""))
        due = UnixMs(10**6) if at > 5 else UnixMs(1)
        rows.append(OutboxRow(row.withdrawal_id, 1, MINE, State.HELD, UnixMs(0), due, 0, None))
    connection = apsw.Connection(str(path))
    _insert(connection, rows)
    connection.close()


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
