"""What to say of a command whose commit did not come back clean, once it can be looked up again."""

from __future__ import annotations

from typing import Protocol, TypeVar

from penstock.core.commands import Command, Exchange, Transfer, Withdraw
from penstock.core.refusals import InDoubt, Unavailable
from penstock.engine.requests import accepted
from penstock.engine.row import Row
from penstock.engine.rows import RequestRow, WithdrawalRow
from penstock.store.delivery import Outcome

R = TypeVar("R", bound=Row)


class Read(Protocol):
    """Reads one row by its primary key."""

    def __call__(self, row_type: type[R], /, *key: int | str) -> R | None: ...


def look_up(command: Command, read: Read) -> Outcome:
    """The outcome by what is stored. Only right once what is stored can no longer change by the doubtful commit."""
    if not isinstance(command, Withdraw | Transfer | Exchange):
        return InDoubt("the commit failed; look at the present state before repeating")
    request = read(RequestRow, command.account_id, command.venue, command.request_id)
    if request is None:
        return Unavailable("the commit failed and left nothing")
    if request.business != command.business:
        return InDoubt("another request with this id stands; ask again")
    if not command.repeatable:
        # It may be this one or an earlier one, which ought to hear that its id was taken.
        return InDoubt("a request with this id stands; ask for it")
    withdrawal = read(WithdrawalRow, request.withdrawal_id)
    assert withdrawal is not None, request
    return accepted(withdrawal)
