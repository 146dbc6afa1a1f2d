"""Moving a withdrawal from state to state: the one door through which a state changes."""

from __future__ import annotations

import msgspec

from penstock.core.states import State
from penstock.engine.row import Row
from penstock.engine.rows import HistoryRow, OutboxRow, WithdrawalRow
from penstock.engine.rules import Moment
from penstock.engine.transitions import check_move


def opened(withdrawal: WithdrawalRow) -> list[Row]:
    """The rows of a new withdrawal in its first state: itself, its first history row and its first event."""
    assert withdrawal.steps == 1, withdrawal.steps
    return [withdrawal, *_trace(withdrawal, "", "")]


def moved(
    moment: Moment, withdrawal: WithdrawalRow, to: State, detail: str = "", **changes: object
) -> tuple[WithdrawalRow, list[Row]]:
    """Move to `to`, changing other fields with it.

    Returns the new row and everything to write: the row, one history row and one outbox row. Raises
    IllegalMove.
    """
    check_move(withdrawal.state, to)
    after = msgspec.structs.replace(
        withdrawal, state=to, steps=withdrawal.steps + 1, updated_ms=moment.now_ms, **changes
    )
    return after, [after, *_trace(after, withdrawal.state.value, detail)]


def _trace(withdrawal: WithdrawalRow, before: str, detail: str) -> list[Row]:
    sequence, at_ms = withdrawal.steps, withdrawal.updated_ms
    return [
        HistoryRow(withdrawal.withdrawal_id, sequence, before, withdrawal.state.value, detail, at_ms),
        OutboxRow(
            withdrawal.withdrawal_id,
            sequence,
            withdrawal.account_id,
            withdrawal.state,
            at_ms,
            due_ms=at_ms if withdrawal.notify else None,
            tries=0,
            delivered_ms=None,
        ),
    ]
