"""Postings balance, balances never go below zero, whatever the amounts."""

from __future__ import annotations

from collections import defaultdict
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.amounts import Units
from penstock.core.ids import WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.engine.ledger import changed, gas_wallet, hold, post, release, settle_gas
from penstock.engine.row import Row
from penstock.engine.rows import BalanceRow, EntryRow, PostingRow
from penstock.engine.rules import HOUSE_ACCOUNT, Moment
from tests.unit.engine.desk import START_MS, CountingIds

AMOUNTS = st.integers(min_value=0, max_value=10**60)


def _moment() -> Moment:
    return Moment(UnixMs(START_MS), CountingIds())


def _balance(available: int, held: int, account_id: int = 5, wallet: str = "spot") -> BalanceRow:
    return BalanceRow(account_id, "USDT", wallet, Units(available), Units(held))  # type: ignore[arg-type]


def _sums(rows: list[Row]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        if isinstance(row, EntryRow):
            sums[row.asset] += row.units
    return sums


def _booked(rows: list[Row], name: str) -> int:
    return sum(row.units for row in rows if isinstance(row, EntryRow) and row.ledger_account.endswith(name))


def _after(rows: list[Row]) -> BalanceRow:
    return cast("BalanceRow", next(row for row in rows if isinstance(row, BalanceRow)))


@given(available=AMOUNTS, held=AMOUNTS, units=AMOUNTS)
def test_a_hold_moves_what_is_there_and_nothing_else(available: int, held: int, units: int) -> None:
    balance = _balance(available, held)
    if units > available:
        with pytest.raises(Refused) as refused:
            hold(_moment(), balance, units, "hold", WithdrawalId(1))
        assert refused.value.code is RefusalCode.BALANCE_TOO_LOW
        return
    rows = hold(_moment(), balance, units, "hold", WithdrawalId(1))
    assert (_after(rows).available, _after(rows).held) == (available - units, held + units)
    assert not any(_sums(rows).values())
    assert (_booked(rows, "/available"), _booked(rows, "/held")) == (-units, units)


@given(available=AMOUNTS, held=AMOUNTS, units=AMOUNTS)
def test_a_release_undoes_its_hold_exactly(available: int, held: int, units: int) -> None:
    before = _balance(available + units, held)
    rows = hold(_moment(), before, units, "hold", WithdrawalId(1))
    back = release(_moment(), _after(rows), units, "release", WithdrawalId(1))
    assert _after(back) == before
    assert not any(_sums(rows + back).values())


def test_releasing_what_is_not_held_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="resolve twice"):
        release(_moment(), _balance(0, 4), 5, "release", WithdrawalId(1))


@given(available=AMOUNTS, others=AMOUNTS, fee_held=AMOUNTS, spent=AMOUNTS)
def test_network_fees_leave_the_float_and_the_chain_alike(
    available: int, others: int, fee_held: int, spent: int
) -> None:
    gas = _balance(available, others + fee_held, HOUSE_ACCOUNT, gas_wallet("tron"))
    if available + fee_held < spent:
        with pytest.raises(Refused):
            settle_gas(_moment(), gas, "tron", fee_held, spent, None)
        return
    rows = settle_gas(_moment(), gas, "tron", fee_held, spent, None)
    after = _after(rows)
    assert (after.available, after.held) == (available + fee_held - spent, others)
    assert not any(_sums(rows).values())
    assert _booked(rows, "system/custody/tron") == spent
    assert _booked(rows, "system/network_fees") == -spent


@given(
    legs=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("XY"), st.integers(-5, 5)), max_size=6)
)
def test_only_balanced_postings_can_be_made(legs: list[tuple[str, str, int]]) -> None:
    sums: dict[str, int] = defaultdict(int)
    for _, asset, units in legs:
        sums[asset] += units
    if any(sums.values()):
        with pytest.raises(AssertionError):
            post(_moment(), "test", legs)
        return
    posting, *entries = post(_moment(), "test", legs)
    assert isinstance(posting, PostingRow)
    assert [(e.ledger_account, e.asset, e.units) for e in entries if isinstance(e, EntryRow)] == legs
    assert len({entry.key for entry in entries}) == len(legs)


@given(available=AMOUNTS, held=AMOUNTS, by=st.integers(-(10**60), 10**60))
def test_no_change_leaves_less_than_nothing(available: int, held: int, by: int) -> None:
    if available + by < 0:
        with pytest.raises(Refused):
            changed(_balance(available, held), available=by)
    else:
        assert changed(_balance(available, held), available=by).available == available + by
