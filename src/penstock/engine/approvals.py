"""People's decisions about a withdrawal that nothing was planned for yet: approve, decline, cancel."""

from __future__ import annotations

import msgspec

from penstock.core.acts import Approve, Cancel, Decline
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import DECLINED, State
from penstock.engine.ledger import release
from penstock.engine.moves import moved
from penstock.engine.row import Row
from penstock.engine.rows import BalanceRow, WithdrawalRow
from penstock.engine.rules import Decision, Moment
from penstock.engine.sending_rows import AuditRow
from penstock.engine.snapshot import Snapshot

Approval = Approve | Decline | Cancel

_STILL_OURS = (State.HELD, State.AWAITING_APPROVAL, State.APPROVED)
"""Nothing has been planned: no worker can have sent anything."""


def decide_approval(snapshot: Snapshot, command: Approval, moment: Moment) -> Decision:
    """Carry out one decision, with its audit row. Answers None.

    Raises Refused: WITHDRAWAL_UNKNOWN; NOT_NOW (detail state) when the withdrawal has moved on, or does not wait for
    approval. Nothing is then written.
    """
    withdrawal = snapshot.get(WithdrawalRow, command.withdrawal_id)
    if withdrawal is None:
        raise Refused(RefusalCode.WITHDRAWAL_UNKNOWN)
    allowed = (State.AWAITING_APPROVAL,) if isinstance(command, Approve) else _STILL_OURS
    if withdrawal.state not in allowed:
        raise Refused(RefusalCode.NOT_NOW, state=withdrawal.state.value)
    audit = _audit(command, moment)
    match command:
        case Approve():
            _, rows = moved(moment, withdrawal, State.APPROVED, f"approved by {command.actor}")
            return Decision([*rows, audit], None)
        case Decline():
            reason = f"{DECLINED}: {command.reason}"
            return Decision([*_given_back(snapshot, withdrawal, State.REJECTED, reason, moment), audit], None)
        case Cancel():
            return Decision([*_given_back(snapshot, withdrawal, State.CANCELLED, "", moment), audit], None)


def _given_back(
    snapshot: Snapshot, withdrawal: WithdrawalRow, to: State, reason: str, moment: Moment
) -> list[Row]:
    balance = snapshot.get(BalanceRow, withdrawal.account_id, withdrawal.debit_asset, withdrawal.wallet)
    assert balance is not None
    released = release(moment, balance, withdrawal.amount, "release", withdrawal.withdrawal_id)
    return [*released, *moved(moment, withdrawal, to, reason, reason=reason)[1]]


def _audit(command: Approval, moment: Moment) -> AuditRow:
    facts = {name: value for name, value in msgspec.structs.asdict(command).items() if name != "actor"}
    return AuditRow(
        audit_id=moment.new_id(),
        actor=command.actor,
        act=type(command).__name__,
        subject=f"withdrawal/{command.withdrawal_id}",
        detail=msgspec.json.encode(facts).decode(),
        at_ms=moment.now_ms,
    )
