"""Decisions that race, for one withdrawal at once: one wins, and the money goes one way only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import permutations

import msgspec
import pytest

from penstock.core.acts import Approve, Cancel, Decline
from penstock.core.commands import Command, Reject
from penstock.core.ids import WithdrawalId
from penstock.core.refusals import Refused
from penstock.core.states import State
from penstock.core.time import ManualClock
from penstock.engine.rows import WithdrawalRow
from penstock.engine.rules import Policy, Rules
from penstock.engine.sending_rows import AuditRow
from penstock.store.store import Store
from penstock.store.verify import verify
from tests.store.samples import DEPOSIT, RULES, PausingIds, Seeded

# Nothing in this catalogue has a price, so everything waits.
WAITING_RULES = Rules(RULES.catalogue, Policy(approval_from_usd=1))
MAKERS: dict[str, Callable[[Seeded, WithdrawalId], Command]] = {
    "approve": lambda _, at: Approve("ops", at),
    "decline": lambda _, at: Decline("ops", at, "no"),
    "cancel": lambda _, at: Cancel("ops", at),
    "reject": lambda _, at: Reject(at, "policy"),
    "plan": lambda seeded, at: seeded.plan(at, 0),
}


@pytest.fixture
def waiting(open_store: Callable[..., Store], clock: ManualClock, ids: PausingIds) -> Seeded:
    return Seeded(open_store(WAITING_RULES), clock, ids)


def _codes(outcomes: list[object]) -> list[str]:
    return [outcome.code.value if isinstance(outcome, Refused) else "done" for outcome in outcomes]


def _state(seeded: Seeded, withdrawal_id: WithdrawalId) -> State:
    row = seeded.store.reader().row(WithdrawalRow, withdrawal_id)
    assert row is not None
    return row.state


def _check(seeded: Seeded, withdrawal_id: WithdrawalId) -> None:
    given_back = _state(seeded, withdrawal_id) in {State.REJECTED, State.CANCELLED}
    held = 0 if given_back else 100
    assert seeded.balance(seeded.account_id) == (DEPOSIT - held, held)
    report = verify(seeded.store.reader())
    assert report.ok, report.lines()


@pytest.mark.parametrize("order", list(permutations(MAKERS, 3)))
def test_of_decisions_in_one_batch_each_is_taken_by_what_the_ones_before_it_left(
    waiting: Seeded, order: tuple[str, ...]
) -> None:
    # What each needs, and where it leads; said here a second time.
    moves = {
        "approve": ({"awaiting_approval"}, "approved"),
        "decline": ({"awaiting_approval", "approved"}, "rejected"),
        "cancel": ({"awaiting_approval", "approved"}, "cancelled"),
        "reject": ({"approved"}, "rejected"),
        "plan": ({"approved"}, "planned"),
    }
    withdrawal_id = waiting.withdraw("a")
    outcomes = waiting.together(*(MAKERS[name](waiting, withdrawal_id) for name in order))
    state, expected = "awaiting_approval", []
    for name in order:
        allowed, after = moves[name]
        expected.append("done" if state in allowed else "not_now")
        state = after if state in allowed else state
    assert (_codes(outcomes), _state(waiting, withdrawal_id).value) == (expected, state)
    _check(waiting, withdrawal_id)


def test_a_decision_in_the_batch_that_takes_the_withdrawal_finds_it(waiting: Seeded) -> None:
    first = waiting.withdraw("a")
    outcomes = waiting.together(waiting.order("b"), Cancel("ops", first), waiting.order("a"))
    assert _codes(outcomes) == ["done"] * 3
    assert _state(waiting, first) is State.CANCELLED
    assert waiting.balance(waiting.account_id) == (DEPOSIT - 100, 100)


def test_many_people_deciding_from_many_threads_make_one_decision(waiting: Seeded) -> None:
    withdrawal_id = waiting.withdraw("a")
    audited = len(list(waiting.store.reader().rows(AuditRow)))
    outcomes: list[object] = []
    start = threading.Barrier(12)

    def decide(command: Command) -> None:
        start.wait(10)
        future = waiting.store.submit(command)
        outcomes.append(future.exception(10) or future.result(10))

    commands = [MAKERS[name](waiting, withdrawal_id) for name in ("decline", "cancel")] * 6
    threads = [threading.Thread(target=decide, args=(command,)) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(_codes(outcomes)) == ["done"] + ["not_now"] * 11
    assert len(list(waiting.store.reader().rows(AuditRow))) == audited + 1
    _check(waiting, withdrawal_id)


def test_two_processes_that_decide_differently_agree_on_the_first(
    seeded: Seeded, open_second: Callable[[], Store]
) -> None:
    withdrawal_id = seeded.withdraw("a")
    other = open_second()
    assert other.submit(Cancel("theirs", withdrawal_id)).result(10) is None
    assert (
        _codes(seeded.together(*(MAKERS[name](seeded, withdrawal_id) for name in MAKERS))) == ["not_now"] * 5
    )
    assert _state(seeded, withdrawal_id) is State.CANCELLED
    _check(seeded, withdrawal_id)


def test_what_waits_for_people_is_no_worker_s_until_they_said_yes(waiting: Seeded) -> None:
    first, second = waiting.withdraw("a"), waiting.withdraw("b")
    assert waiting.store.reader().to_plan("tron", 10) == []
    waiting.run(Approve("ops", second))
    assert [row.withdrawal_id for row in waiting.store.reader().to_plan("tron", 10)] == [second]
    waiting.run(Decline("ops", first, "no"))
    assert [row.withdrawal_id for row in waiting.store.reader().to_plan("tron", 10)] == [second]


def test_an_id_is_taken_for_ever_though_its_withdrawal_was_cancelled_and_the_service_restarted(
    waiting: Seeded, open_store: Callable[..., Store]
) -> None:
    once = msgspec.structs.replace(waiting.order("a"), repeatable=False, exclusive="mark")
    waiting.run(once)
    (row,) = waiting.store.reader().rows(WithdrawalRow)
    waiting.run(Cancel("ops", row.withdrawal_id))
    waiting.store = open_store(WAITING_RULES)
    marked = msgspec.structs.replace(waiting.order("b"), exclusive="mark")
    assert _codes(waiting.together(once, marked, once)) == [
        "request_id_taken",
        "exclusive_taken",
        "request_id_taken",
    ]
    _check(waiting, row.withdrawal_id)


def test_of_two_new_requests_with_one_mark_in_one_batch_the_second_is_refused(seeded: Seeded) -> None:
    first, second = (
        msgspec.structs.replace(seeded.order(name, business='{"a":"1"}'), exclusive="mark") for name in "ab"
    )
    outcomes = seeded.together(first, second, first, second)
    assert _codes(outcomes) == ["done", "exclusive_taken", "done", "exclusive_taken"]
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 100, 100)
