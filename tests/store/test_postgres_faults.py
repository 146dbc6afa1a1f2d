"""Statements and commits that fail at random: every command comes to one outcome, and what is said of it is true."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from penstock.core.acts import CreateAccount
from penstock.core.ids import TimeOrderedIds
from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.core.time import ManualClock
from penstock.core.views import Accepted
from penstock.engine.rows import RequestRow, WithdrawalRow
from penstock.store.postgres import resolving
from penstock.store.postgres.store import ISOLATIONS, PostgresStore
from penstock.store.verify import verify
from tests.postgres import database
from tests.store.samples import DEPOSIT, RULES, START_MS, PausingIds, Seeded
from tests.store.unruly_session import FATES, Chaos

COMMANDS = 280
BURST = 4


@pytest.fixture
def url() -> Iterator[str]:
    with database() as made:
        yield made


def _honest(url: str) -> Seeded:
    clock, ids = ManualClock(START_MS), PausingIds()
    return Seeded(PostgresStore(url, RULES, clock, ids), clock, ids)


def _outcome(future: Future[object]) -> object:
    return future.exception(60) or future.result(0)


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_fails_what_was_said_of_each_command_is_true(url: str, isolation: str, seed: int) -> None:
    seeded = _honest(url)
    chaos = Chaos(seed, statement=15, commit=25)
    unruly = PostgresStore(
        url,
        RULES,
        seeded.clock,
        TimeOrderedIds(node=2),
        writers=2,
        isolation=isolation,
        open_writer=chaos.opener(),
    )
    amounts = {f"r{at}": at + 2 for at in range(COMMANDS)}
    outcomes: dict[str, object] = {}
    names = list(amounts)
    for first in range(0, COMMANDS, BURST):
        futures = {name: _ask(unruly, seeded, name, amounts[name]) for name in names[first : first + BURST]}
        outcomes |= {name: _outcome(future) for name, future in futures.items()}
    unruly.close()
    assert chaos.seen.keys() == {"statement", *FATES}, "the seed drew no fault of some kind"
    _check_each(seeded, outcomes, amounts)
    # Who was told nothing definite asks again and hears one and the same.
    for name, outcome in outcomes.items():
        again = _outcome(_ask(seeded.store, seeded, name, amounts[name]))
        assert isinstance(again, Accepted), (outcome, again)
        assert not isinstance(outcome, Accepted) or outcome.withdrawal_id == again.withdrawal_id
    assert seeded.balance(seeded.account_id)[0] == DEPOSIT - sum(amounts.values())
    report = verify(seeded.store.reader())
    assert report.ok, report.lines()
    seeded.store.close()


def _ask(store: PostgresStore | Any, seeded: Seeded, name: str, amount: int) -> Future[object]:
    make = seeded.order if amount % 2 else seeded.transfer
    return store.submit(make(name, amount))


def _check_each(seeded: Seeded, outcomes: dict[str, object], amounts: dict[str, int]) -> None:
    stored = {row.request_id: row.withdrawal_id for row in seeded.store.reader().rows(RequestRow)}
    rows = {row.withdrawal_id: row for row in seeded.store.reader().rows(WithdrawalRow)}
    assert len(rows) == len(stored)
    for name, outcome in outcomes.items():
        assert isinstance(outcome, Accepted | Unavailable | InDoubt), outcome
        if isinstance(outcome, Accepted):
            assert outcome.withdrawal_id == stored[name]
            assert rows[outcome.withdrawal_id].amount == amounts[name]
        elif isinstance(outcome, Unavailable):
            assert name not in stored, outcome
    assert any(isinstance(outcome, Unavailable) for outcome in outcomes.values())


def test_a_batch_that_never_comes_through_is_given_up_and_leaves_nothing(url: str) -> None:
    seeded = _honest(url)
    unruly = PostgresStore(
        url,
        RULES,
        seeded.clock,
        TimeOrderedIds(node=2),
        open_writer=Chaos(1, statement=100, commit=0).opener(),
    )
    assert isinstance(_outcome(unruly.submit(seeded.order("a"))), Unavailable)
    unruly.close()
    assert not list(seeded.store.reader().rows(RequestRow))
    seeded.store.close()


def test_what_cannot_be_looked_up_in_time_stays_in_doubt(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "PATIENCE_S", 0)
    seeded = _honest(url)
    unruly = PostgresStore(
        url, RULES, seeded.clock, TimeOrderedIds(node=2), open_writer=Chaos(1, 0, commit=100).opener()
    )
    for at in range(8):
        outcome = _outcome(unruly.submit(seeded.order(f"r{at}")))
        # An order that failed to serialize at every commit is known to be nothing.
        assert isinstance(outcome, InDoubt | Unavailable)
        assert isinstance(_outcome(seeded.store.submit(seeded.order(f"r{at}"))), Accepted)
    unruly.close()
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 800, 800)
    assert verify(seeded.store.reader()).ok
    seeded.store.close()


def test_a_doubtful_act_stays_in_doubt_and_is_found_done_or_not(url: str) -> None:
    seeded = _honest(url)
    chaos = Chaos(1, statement=0, commit=60)
    unruly = PostgresStore(
        url, RULES, seeded.clock, TimeOrderedIds(node=2), open_writer=chaos.opener(), on_lost=pytest.fail
    )
    futures = {
        str(number): unruly.submit(CreateAccount("test", str(number))) for number in range(5_000, 5_012)
    }
    outcomes = {name: _outcome(future) for name, future in futures.items()}
    chaos.commit = 0
    unruly.close()
    for name, outcome in outcomes.items():
        assert isinstance(outcome, InDoubt | Unavailable), outcome
        again = _outcome(seeded.store.submit(CreateAccount("test", name)))
        assert not isinstance(again, Refused) or again.code is RefusalCode.ALREADY_EXISTS
        if isinstance(outcome, Unavailable):
            assert not isinstance(again, Exception), again
    seeded.store.close()
