"""The one table of allowed moves, and the one function that checks a move against it."""

from __future__ import annotations

from penstock.core.states import FINAL_STATES, State

TRANSITIONS: dict[State, frozenset[State]] = {
    State.CHALLENGED: frozenset({State.HELD, State.EXPIRED, State.CANCELLED}),
    State.HELD: frozenset(
        {
            State.AWAITING_APPROVAL,
            State.APPROVED,
            State.REJECTED,
            State.CANCELLED,
            State.CONFIRMED,
            State.QUARANTINED,
        }
    ),
    State.AWAITING_APPROVAL: frozenset({State.APPROVED, State.REJECTED, State.CANCELLED, State.EXPIRED}),
    State.APPROVED: frozenset({State.PLANNED, State.REJECTED, State.CANCELLED, State.QUARANTINED}),
    State.PLANNED: frozenset({State.SIGNED, State.REJECTED, State.QUARANTINED}),
    State.SIGNED: frozenset(
        {State.SENT, State.MINED, State.CONFIRMED, State.FAILED, State.IN_DOUBT, State.QUARANTINED}
    ),
    State.SENT: frozenset({State.MINED, State.CONFIRMED, State.FAILED, State.IN_DOUBT, State.QUARANTINED}),
    State.MINED: frozenset({State.SENT, State.CONFIRMED, State.FAILED, State.IN_DOUBT, State.QUARANTINED}),
    State.IN_DOUBT: frozenset({State.SENT, State.MINED, State.CONFIRMED, State.FAILED, State.QUARANTINED}),
    State.QUARANTINED: frozenset(
        {State.APPROVED, State.SIGNED, State.SENT, State.MINED, State.CONFIRMED, State.FAILED}
    ),
    State.CONFIRMED: frozenset(),
    State.REJECTED: frozenset(),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset(),
    State.FAILED: frozenset(),
}

assert TRANSITIONS.keys() == set(State)
assert all(bool(TRANSITIONS[state]) != (state in FINAL_STATES) for state in State)


def check_move(before: State, after: State) -> None:
    """Raises IllegalMove when the table does not allow `before` -> `after`: always a bug, never a refusal."""
    if after not in TRANSITIONS[before]:
        raise IllegalMove(f"{before} -> {after}")


class IllegalMove(AssertionError):
    """The code tried a move that the table forbids; the batch must not be written."""
