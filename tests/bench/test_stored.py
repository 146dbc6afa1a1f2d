"""What is stored for a benchmark is a sound ledger, as the engine would have made it, on both databases."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from penstock.core.states import State
from penstock.core.time import DAY_MS, SystemClock
from penstock.engine.rows import AccountRow, BalanceRow, QuotaRow, RequestRow, WithdrawalRow
from penstock.sandbox.bench_accounts import seed_venues
from penstock.sandbox.bench_stored import DAYS, store_withdrawals
from penstock.store.ledger import open_ledger
from penstock.store.reader import Reader
from penstock.store.verify import verify
from tests.postgres import database

ACCOUNTS = {"bitmart": 12, "alphapo": 4}
WANTED = {"bitmart": 240, "alphapo": 40}


class Stored:
    def __init__(self, reader: Reader, ids: dict[str, array[int]], balances: list[BalanceRow]) -> None:
        self.reader = reader
        self.ids = ids
        self.balances_before = balances


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    state = tmp_path_factory.mktemp("stored")
    if request.param == "sqlite":
        yield from _stored(state, "", state)
    else:
        with database() as url:
            yield from _stored(state, url, url)


def _stored(state: Path, url: str, target: Path | str) -> Iterator[Stored]:
    seed_venues(state, ACCOUNTS, url)
    with open_ledger(target) as reader:
        before = list(reader.rows(BalanceRow))
    told: list[int] = []
    ids = store_withdrawals(state, url, WANTED, told.append)
    assert told == [280]
    with open_ledger(target) as reader:
        yield Stored(reader, ids, before)


def test_the_ledger_is_sound(stored: Stored) -> None:
    report = verify(stored.reader)
    assert report.ok, report.lines()
    assert report.counts["withdrawals"] == 280


def test_balances_are_as_they_were(stored: Stored) -> None:
    assert list(stored.reader.rows(BalanceRow)) == stored.balances_before


def test_the_ids_told_are_those_of_paid_withdrawals_by_account_in_order(stored: Stored) -> None:
    accounts = {row.account_id: row.account_number for row in stored.reader.rows(AccountRow)}
    rows = list(stored.reader.rows(WithdrawalRow))
    assert {row.state for row in rows} == {State.CONFIRMED}
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(accounts[row.account_id], []).append(row.withdrawal_id)
    assert {number: list(ids) for number, ids in stored.ids.items()} == found
    assert Counter(row.venue for row in rows) == WANTED


def test_accounts_take_turns_and_some_ask_far_more_often_than_others(stored: Stored) -> None:
    rows = list(stored.reader.rows(WithdrawalRow))
    neighbours = sum(a.account_id == b.account_id for a, b in pairwise(rows))
    assert neighbours < len(rows) / 2
    counts = sorted(len(ids) for ids in stored.ids.values())
    assert len(counts) == sum(ACCOUNTS.values())
    assert counts[0] >= 1
    assert counts[-1] > 3 * counts[len(counts) // 2]


def test_they_lie_in_the_days_before_today_and_use_those_days_quotas(stored: Stored) -> None:
    today = SystemClock().now_ms() // DAY_MS
    days = {row.created_ms // DAY_MS for row in stored.reader.rows(WithdrawalRow)}
    assert min(days) >= today - DAYS - 2
    assert max(days) < today
    assert {row.day for row in stored.reader.rows(QuotaRow)} == days


def test_a_merchants_own_ids_count_from_zero(stored: Stored) -> None:
    found: dict[int, list[str]] = {}
    for row in stored.reader.rows(RequestRow):
        if row.venue == "alphapo":
            found.setdefault(row.account_id, []).append(row.request_id)
    assert len(found) == ACCOUNTS["alphapo"]
    for own_ids in found.values():
        assert sorted(own_ids) == sorted(f"bench-{number}" for number in range(len(own_ids)))
