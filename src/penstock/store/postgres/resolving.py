"""Finding out what a commit left that did not come back clean."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import psycopg

from penstock.core.commands import Command, Exchange, Transfer, Withdraw
from penstock.core.refusals import InDoubt
from penstock.engine.row import Row
from penstock.engine.rows import AccountRow, RequestRow, WithdrawalRow
from penstock.store.deciding import CommitInDoubt
from penstock.store.delivery import Outcome
from penstock.store.doubt import look_up
from penstock.store.outage import Outage
from penstock.store.postgres.session import Session, Statement
from penstock.store.postgres.statements import Key, table
from penstock.store.unusable import StoreUnusable

R = TypeVar("R", bound=Row)

PATIENCE_S = 15
"""For a failover to end, or a lost commit. After that the callers hear that nobody knows."""
_PAUSE_S, _PAUSE_S_MAX = 0.01, 0.5


def resolve(
    commands: Sequence[Command], open_session: Callable[[], Session], begin: Statement
) -> list[Outcome]:
    """What became of each command of a batch whose commit is in doubt; InDoubt where that cannot be found out."""
    until = time.monotonic() + PATIENCE_S
    pause_s = _PAUSE_S
    outage = Outage("a batch in doubt cannot be looked up yet", "a batch in doubt was looked up")
    while True:
        try:
            session = open_session()
            try:
                outcomes = _look_up_all(session, begin, commands)
            finally:
                session.close()
        except (psycopg.Error, StoreUnusable, CommitInDoubt) as error:
            outage.failed(str(error))
            if time.monotonic() > until:
                return [InDoubt("the database was lost while committing")] * len(commands)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)
        else:
            outage.worked()
            return outcomes


def _look_up_all(session: Session, begin: Statement, commands: Sequence[Command]) -> list[Outcome]:
    """Behind the locks of the doubtful transaction, and in one of our own.

    The locks are only had once that transaction has ended, on this server; a server that was promoted since has no
    part of it but what it will keep. Our own commit then proves that all we have read is as durable as our own locks:
    with a synchronous standby, that the standby has it.
    """
    asked = [command for command in commands if isinstance(command, Withdraw | Transfer | Exchange)]
    accounts = {(command.account_id,) for command in asked}
    requests = {(command.account_id, command.venue, command.request_id) for command in asked}
    statements = [begin]
    if asked:
        statements += [
            table(AccountRow).by_keys(accounts, lock=True),
            table(RequestRow).by_keys(requests),
        ]
    found: dict[tuple[type[Row], Key], Row] = {}
    answers = session.ask(statements)
    if asked:
        for request in map(table(RequestRow).decode, answers[-1].rows):
            found[(RequestRow, request.key)] = request
        ids = {(row.withdrawal_id,) for row in found.values() if isinstance(row, RequestRow)}
        (read,) = session.ask([table(WithdrawalRow).by_keys(ids)]) if ids else (None,)
        for withdrawal in map(table(WithdrawalRow).decode, read.rows if read else ()):
            found[(WithdrawalRow, withdrawal.key)] = withdrawal
    session.commit()

    def stored(row_type: type[R], *key: int | str) -> R | None:
        return cast("R | None", found.get((row_type, key)))

    return [look_up(command, stored) for command in commands]
