"""Filters and pages against a second reading of their meaning in plain Python, on every database."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.core.ids import AccountId
from penstock.core.queries import FindDeposits, FindWithdrawals
from penstock.core.states import State
from penstock.core.views import DepositView, Move, WithdrawalView
from penstock.engine.rows import DepositRow, HistoryRow, WithdrawalRow
from penstock.store.reader import Reader
from tests.store.conftest import DATABASES
from tests.store.finding_world import (
    ASSETS,
    HASHES,
    IDS,
    MINE,
    NETWORKS,
    OTHER,
    TEXTS,
    TIMES,
    VENUES,
    all_rows,
    any_withdrawal,
    insert,
    postgres_with,
    sqlite_with,
)

replace = msgspec.structs.replace


@dataclass
class Stored:
    reader: Reader
    withdrawals: list[WithdrawalRow]
    deposits: list[DepositRow]
    moves: dict[int, tuple[Move, ...]]


@pytest.fixture(scope="module", params=DATABASES)
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    withdrawals, deposits, others = all_rows()
    moves: dict[int, tuple[Move, ...]] = {}
    for row in others:
        if isinstance(row, HistoryRow):
            step = Move(State(row.state_after), row.at_ms)
            moves[row.withdrawal_id] = (*moves.get(row.withdrawal_id, ()), step)
    rows = [*withdrawals, *deposits, *others]
    path = tmp_path_factory.mktemp("finding") / "penstock.db"
    opened = sqlite_with(path, rows) if request.param == "sqlite" else postgres_with(rows)
    with opened as reader:
        yield Stored(reader, withdrawals, deposits, moves)


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
@example(query=replace(NO_FILTER, request_ids=("r0", "")))
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
    path, rng = tmp_path / "penstock.db", random.Random(1)
    rows = [replace(any_withdrawal(rng, at, {}), account_id=MINE, number=0) for at in range(1, 31)]
    seen: list[int] = []
    query = replace(NO_FILTER, limit=6)
    with sqlite_with(path, rows[:20]) as reader:
        while page := reader.ask(query):
            assert isinstance(page, list)
            seen += [view.withdrawal_id for view in page]
            query = replace(query, before=seen[-1])
            insert(path, rows[20 + len(seen) // 6 : 21 + len(seen) // 6])
    assert seen == list(range(20, 0, -1))
