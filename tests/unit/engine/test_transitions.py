"""The table of moves and the one door through which states change."""

from __future__ import annotations

from itertools import product

import pytest

from penstock.core.states import FINAL_STATES, State
from penstock.engine.moves import moved
from penstock.engine.rows import HistoryRow, OutboxRow, WithdrawalRow
from penstock.engine.rules import Moment
from penstock.engine.transitions import TRANSITIONS, IllegalMove, check_move
from tests.unit.engine.desk import START_MS, CountingIds, Desk

PAIRS = list(product(State, State))


@pytest.mark.parametrize("before,after", PAIRS)
def test_a_move_is_allowed_exactly_when_the_table_has_it(before: State, after: State) -> None:
    if after in TRANSITIONS[before]:
        check_move(before, after)
    else:
        with pytest.raises(IllegalMove):
            check_move(before, after)


def test_final_states_lead_nowhere_and_all_others_somewhere() -> None:
    assert {state for state in State if not TRANSITIONS[state]} == FINAL_STATES


def test_nothing_returns_to_a_state_before_its_signature_except_by_an_operator() -> None:
    unsigned = {State.CHALLENGED, State.HELD, State.AWAITING_APPROVAL, State.APPROVED, State.PLANNED}
    signed = set(State) - unsigned - FINAL_STATES - {State.QUARANTINED}
    assert all(not TRANSITIONS[state] & (unsigned | {State.REJECTED, State.CANCELLED}) for state in signed)


@pytest.mark.parametrize("before,after", PAIRS)
def test_a_move_writes_the_row_one_history_row_and_one_event(before: State, after: State) -> None:
    desk = Desk()
    row = desk.withdrawal(desk.withdraw())
    row = WithdrawalRow(
        *(before if name == "state" else getattr(row, name) for name in row.__struct_fields__)
    )
    moment = Moment(START_MS + 5, CountingIds())  # type: ignore[arg-type]
    if after not in TRANSITIONS[before]:
        with pytest.raises(IllegalMove):
            moved(moment, row, after)
        return
    new, writes = moved(moment, row, after, "why", tx_hash="h")
    assert (new.state, new.steps, new.tx_hash, new.updated_ms) == (after, row.steps + 1, "h", START_MS + 5)
    assert writes == [
        new,
        HistoryRow(row.withdrawal_id, new.steps, before.value, after.value, "why", START_MS + 5),  # type: ignore[arg-type]
        OutboxRow(row.withdrawal_id, new.steps, row.account_id, after, START_MS + 5, None, 0, None),  # type: ignore[arg-type]
    ]
