"""Withdrawals that wait for people, and what people may still decide: approve, decline, cancel."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import msgspec
import pytest

from penstock.core.acts import Approve, Cancel, CreditDeposit, Decline, FreezeAccount
from penstock.core.amounts import Units
from penstock.core.commands import Command, FeeRule, RecordSigned, Reject
from penstock.core.ids import WithdrawalId
from penstock.core.refusals import RefusalCode
from penstock.core.states import DECLINED, State
from penstock.core.views import Accepted
from penstock.engine.rows import EntryRow, HistoryRow, OutboxRow, PostingRow
from penstock.engine.rules import Policy
from penstock.engine.sending_rows import AttemptRow, AuditRow
from tests.unit.engine.desk import Desk, rules
from tests.unit.engine.exchange_desk import ExchangeDesk, exchange_rules, rate

FULL = (1_000_000_000, 0)
HELD = (995_000_000, 5_000_000)
FROM_5_USD = Policy(approval_from_usd=5 * 10**8)
DECISIONS: dict[str, Callable[[WithdrawalId], Command]] = {
    "approve": lambda at: Approve("ops", at),
    "decline": lambda at: Decline("ops", at, "odd"),
    "cancel": lambda at: Cancel("ops", at),
}


@pytest.fixture
def waiting() -> Desk:
    """A desk where whatever is worth 5 dollars waits."""
    return Desk(rules(FROM_5_USD))


def _state(desk: Desk, withdrawal_id: WithdrawalId) -> State:
    return desk.withdrawal(withdrawal_id).state


def _releases(desk: Desk) -> int:
    return sum(posting.kind == "release" for posting in desk.all(PostingRow))


# --- who waits ---


@pytest.mark.parametrize(
    "amount,state",
    [(4_999_990, State.HELD), (5_000_000, State.AWAITING_APPROVAL), (5_000_010, State.AWAITING_APPROVAL)],
)
def test_what_is_worth_the_limit_waits_and_what_is_worth_less_does_not(
    waiting: Desk, amount: int, state: State
) -> None:
    accepted = waiting.run(waiting.order(amount=amount))
    assert isinstance(accepted, Accepted)
    assert accepted.state is _state(waiting, accepted.withdrawal_id) is state
    assert waiting.balance() == (1_000_000_000 - amount, amount)


def test_the_limit_counts_what_is_debited_with_a_fee_on_top() -> None:
    desk = Desk(rules(FROM_5_USD))
    on_top = msgspec.structs.replace(desk.order(amount=4_000_000), fee_rule=FeeRule.ON_TOP)
    accepted = desk.run(on_top)
    assert isinstance(accepted, Accepted)
    assert (accepted.amount, accepted.state) == (5_000_000, State.AWAITING_APPROVAL)


def test_without_a_policy_nothing_waits(desk: Desk) -> None:
    assert _state(desk, desk.withdraw(amount=1_000_000_000)) is State.HELD


def test_an_asset_that_nobody_can_value_waits_whatever_the_amount() -> None:
    desk = ExchangeDesk(exchange_rules(Policy(approval_from_usd=10**30)))
    worthless = rate("JPY", numerator=1, denominator=150)
    unvalued = desk.run(desk.convert(1_000, using=worthless))
    assert isinstance(unvalued, Accepted)
    assert unvalued.state is State.AWAITING_APPROVAL
    valued = desk.run(desk.convert(100_00, request_id="euros"))
    assert isinstance(valued, Accepted)
    assert valued.state is State.HELD


def test_a_conversion_is_valued_by_what_it_debits() -> None:
    # 1.25 dollars a euro: 4.00 EUR are 5 dollars, whatever they buy.
    desk = ExchangeDesk(exchange_rules(FROM_5_USD, minimum=Units(0)))
    states = []
    for cents in (3_99, 4_00):
        accepted = desk.run(desk.convert(cents, request_id=str(cents)))
        assert isinstance(accepted, Accepted)
        states.append(accepted.state)
    assert states == [State.HELD, State.AWAITING_APPROVAL]


def test_waiting_is_a_step_of_its_own_with_its_event(waiting: Desk) -> None:
    withdrawal_id = waiting.withdraw()
    steps = [(step.sequence, step.state_before, step.state_after) for step in waiting.all(HistoryRow)]
    assert steps == [(1, "", "held"), (2, "held", "awaiting_approval")]
    assert [(event.sequence, event.state) for event in waiting.all(OutboxRow)] == [
        (1, State.HELD),
        (2, State.AWAITING_APPROVAL),
    ]
    assert waiting.withdrawal(withdrawal_id).steps == 2


def test_moving_money_between_accounts_and_assets_waits_for_nobody() -> None:
    desk = ExchangeDesk(exchange_rules(Policy(approval_from_usd=0)))
    for command in (desk.transfer(amount=10**9), desk.exchange(100_00)):
        accepted = desk.run(command)
        assert isinstance(accepted, Accepted)
        assert accepted.state is State.CONFIRMED


# --- what is decided ---


def test_nothing_is_planned_before_somebody_approved_and_then_it_is_paid(waiting: Desk) -> None:
    withdrawal_id = waiting.withdraw()
    assert waiting.refusal(waiting.plan(withdrawal_id)) is RefusalCode.NOT_NOW
    waiting.run(Approve("ops", withdrawal_id))
    assert (_state(waiting, withdrawal_id), waiting.balance()) == (State.APPROVED, HELD)
    attempt = waiting.run(waiting.plan(withdrawal_id))
    assert isinstance(attempt, AttemptRow)
    waiting.run(waiting.settle(waiting.signed(attempt)))
    assert (_state(waiting, withdrawal_id), waiting.balance()) == (State.CONFIRMED, (995_000_000, 0))
    assert not any(waiting.sums().values())


def test_a_worker_s_late_no_leaves_what_waits_for_people_to_them(waiting: Desk) -> None:
    assert waiting.refusal(Reject(waiting.withdraw(), "no")) is RefusalCode.NOT_NOW


def test_an_account_frozen_after_the_approval_is_not_paid(waiting: Desk) -> None:
    withdrawal_id = waiting.withdraw()
    waiting.run(Approve("ops", withdrawal_id))
    waiting.run(FreezeAccount("ops", waiting.account_id, frozen=True))
    assert waiting.refusal(waiting.plan(withdrawal_id)) is RefusalCode.ACCOUNT_FROZEN


@pytest.mark.parametrize(
    "decision,state,reason",
    [("decline", State.REJECTED, f"{DECLINED}: odd"), ("cancel", State.CANCELLED, "")],
)
@pytest.mark.parametrize("before", ["held", "awaiting_approval", "approved"])
def test_a_withdrawal_that_nothing_was_planned_for_is_given_back_in_full_and_once(
    before: str, decision: str, state: State, reason: str
) -> None:
    desk = Desk(rules(None if before == "held" else FROM_5_USD))
    withdrawal_id = desk.withdraw()
    if before == "approved":
        desk.run(Approve("ops", withdrawal_id))
    assert _state(desk, withdrawal_id).value == before
    desk.run(DECISIONS[decision](withdrawal_id))
    row = desk.withdrawal(withdrawal_id)
    assert (row.state, row.reason, desk.balance()) == (state, reason, FULL)
    for again in DECISIONS.values():
        assert desk.refusal(again(withdrawal_id)) is RefusalCode.NOT_NOW
    assert (_releases(desk), desk.balance()) == (1, FULL)
    assert not any(desk.sums().values())


@pytest.mark.parametrize("first,second", list(permutations(DECISIONS, 2)))
def test_of_two_decisions_the_first_wins_unless_it_left_something_to_decide(
    waiting: Desk, first: str, second: str
) -> None:
    withdrawal_id = waiting.withdraw()
    waiting.run(DECISIONS[first](withdrawal_id))
    decided = _state(waiting, withdrawal_id)
    if first == "approve":
        waiting.run(DECISIONS[second](withdrawal_id))
        assert (waiting.balance(), _releases(waiting)) == (FULL, 1)
    else:
        assert waiting.refusal(DECISIONS[second](withdrawal_id)) is RefusalCode.NOT_NOW
        assert _state(waiting, withdrawal_id) is decided
        assert (waiting.balance(), _releases(waiting)) == (FULL, 1)
    assert waiting.refusal(Approve("ops", withdrawal_id)) is RefusalCode.NOT_NOW


def test_approving_what_does_not_wait_is_refused(desk: Desk) -> None:
    assert desk.refusal(Approve("ops", desk.withdraw())) is RefusalCode.NOT_NOW


@pytest.mark.parametrize("decision", DECISIONS)
def test_an_unknown_withdrawal_is_not_decided(desk: Desk, decision: str) -> None:
    assert desk.refusal(DECISIONS[decision](WithdrawalId(5))) is RefusalCode.WITHDRAWAL_UNKNOWN


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("step", ["planned", "signed", "confirmed"])
def test_from_the_plan_on_it_is_the_chain_that_decides(desk: Desk, decision: str, step: str) -> None:
    attempt = desk.planned()
    assert attempt.withdrawal_id is not None
    if step != "planned":
        desk.run(RecordSigned(desk.lane, attempt.attempt_id, b"raw", "hash"))
    if step == "confirmed":
        desk.run(desk.settle(attempt))
    assert _state(desk, attempt.withdrawal_id).value == step
    assert desk.refusal(DECISIONS[decision](attempt.withdrawal_id)) is RefusalCode.NOT_NOW


def test_a_plan_after_a_cancel_is_refused_and_pays_nothing(desk: Desk) -> None:
    withdrawal_id = desk.withdraw()
    desk.run(Cancel("ops", withdrawal_id))
    assert desk.refusal(desk.plan(withdrawal_id)) is RefusalCode.NOT_NOW


@pytest.mark.parametrize("decision", DECISIONS)
def test_each_decision_leaves_one_audit_row_that_names_who_and_what(waiting: Desk, decision: str) -> None:
    withdrawal_id = waiting.withdraw()
    before = len(waiting.all(AuditRow))
    waiting.run(DECISIONS[decision](withdrawal_id))
    (audit,) = waiting.all(AuditRow)[before:]
    assert (audit.actor, audit.act, audit.subject) == (
        "ops",
        decision.capitalize(),
        f"withdrawal/{withdrawal_id}",
    )
    assert msgspec.json.decode(audit.detail)["withdrawal_id"] == withdrawal_id
    assert ("odd" in audit.detail) == (decision == "decline")


def test_money_that_came_back_can_be_spent_again(waiting: Desk) -> None:
    first = waiting.withdraw("a", 1_000_000_000)
    assert waiting.refusal(waiting.order("b", 1_000_000_000)) is RefusalCode.BALANCE_TOO_LOW
    waiting.run(Decline("ops", first, "no"))
    assert isinstance(waiting.run(waiting.order("b", 1_000_000_000)), Accepted)


def test_the_wallet_that_paid_is_the_one_that_gets_it_back(desk: Desk) -> None:
    desk.run(CreditDeposit("t", desk.account_id, "fund", "USDT", "tron", Units(10**10), "fund"))
    withdrawal_id = desk.withdraw(amount=5_000_000_000)
    entries = len(desk.all(EntryRow))
    desk.run(Cancel("ops", withdrawal_id))
    assert desk.balance(wallet="fund") == (10**10, 0)
    assert desk.balance() == FULL
    assert len(desk.all(EntryRow)) == entries + 2
