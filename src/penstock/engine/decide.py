"""The engine's one entrance: which rows a command needs, and what it decides.

Pure and synchronous: the same snapshot, command, time and ids give the same decision, which is what lets the
whole service run in simulation from one seed.
"""

from __future__ import annotations

from penstock.core.acts import Approve, Cancel, Decline, ResendCallback
from penstock.core.commands import (
    AnswerChallenge,
    ClaimLane,
    Command,
    Exchange,
    Expire,
    Plan,
    PlanFiller,
    Quarantine,
    RecordDelivery,
    RecordMined,
    RecordReorged,
    RecordSent,
    RecordSigned,
    Reject,
    Settle,
    Transfer,
    Unplan,
    Withdraw,
)
from penstock.core.time import UnixMs
from penstock.engine.approvals import decide_approval
from penstock.engine.challenges import decide_answer, decide_expire, need_answer, need_expire
from penstock.engine.events import decide_delivery, decide_resend, need_event
from penstock.engine.intake import decide_withdraw, need_withdraw
from penstock.engine.lanes import decide_claim, decide_quarantine, need_lane, need_quarantine
from penstock.engine.operator import decide_operation, need_operation
from penstock.engine.outcome import decide_mined, decide_reorged, decide_settle
from penstock.engine.payout import (
    decide_filler,
    decide_plan,
    decide_reject,
    decide_sent,
    decide_signed,
    decide_unplan,
    need_attempt,
    need_plan,
    need_withdrawal,
)
from penstock.engine.rules import Decision, Moment, Rules
from penstock.engine.snapshot import Needs, Snapshot
from penstock.engine.transfers import decide_exchange, decide_transfer, need_exchange, need_transfer

ROUNDS_MAX = 4
"""Attempt -> withdrawal -> account and balance is the longest way; one more round finds nothing missing."""


def is_complete_after_one_round(command: Command) -> bool:
    """Whether a single round of look-ups is enough for this command: so for every withdrawal taken in."""
    return type(command) not in _MANY_ROUNDS


_MANY_ROUNDS: frozenset[type] = frozenset(
    (
        Transfer,
        Plan,
        PlanFiller,
        Unplan,
        RecordSigned,
        RecordSent,
        RecordMined,
        RecordReorged,
        Settle,
        Reject,
        AnswerChallenge,
        Expire,
        Approve,
        Decline,
        Cancel,
    )
)


def collect_needs(  # noqa: C901 - a table
    command: Command, snapshot: Snapshot, needs: Needs, rules: Rules, now_ms: UnixMs
) -> None:
    """Add to `needs` every key `command` will ask for, as far as the snapshot lets one know them now.

    Called once a round until nothing is missing; most commands are complete after the first.
    """
    match command:
        case Withdraw():
            need_withdraw(command, needs, now_ms)
        case Transfer():
            need_transfer(command, snapshot, needs, rules, now_ms)
        case Exchange():
            need_exchange(command, needs, now_ms)
        case AnswerChallenge():
            need_answer(command, snapshot, needs, now_ms)
        case Expire():
            need_expire(command, snapshot, needs)
        case RecordDelivery() | ResendCallback():
            need_event(command, needs)
        case Plan() | PlanFiller():
            need_plan(command, snapshot, needs, rules)
        case Unplan() | RecordSigned() | RecordSent() | RecordMined() | RecordReorged() | Settle():
            need_attempt(command.lane, command.attempt_id, snapshot, needs, rules)
        case ClaimLane():
            need_lane(command, needs)
        case Quarantine():
            need_quarantine(command, needs)
        case Reject() | Approve() | Decline() | Cancel():
            need_withdrawal(command.withdrawal_id, snapshot, needs)
        case _:
            need_operation(command, needs)


def decide(snapshot: Snapshot, command: Command, moment: Moment, rules: Rules) -> Decision:  # noqa: C901, PLR0911, PLR0912 - a table
    """Decide one command against the snapshot.

    Returns what to write and what to answer. Raises Refused: nothing is written for this command. The
    snapshot itself is not changed: the caller puts the writes into it before deciding the next command of the
    batch.
    """
    match command:
        case Withdraw():
            return decide_withdraw(snapshot, command, moment, rules)
        case Transfer():
            return decide_transfer(snapshot, command, moment, rules)
        case Exchange():
            return decide_exchange(snapshot, command, moment, rules)
        case AnswerChallenge():
            return decide_answer(snapshot, command, moment, rules)
        case Expire():
            return decide_expire(snapshot, command, moment)
        case Approve() | Decline() | Cancel():
            return decide_approval(snapshot, command, moment)
        case RecordDelivery():
            return decide_delivery(snapshot, command, moment)
        case ResendCallback():
            return decide_resend(snapshot, command, moment)
        case Plan():
            return decide_plan(snapshot, command, moment, rules)
        case PlanFiller():
            return decide_filler(snapshot, command, moment, rules)
        case Unplan():
            return decide_unplan(snapshot, command, moment, rules)
        case RecordSigned():
            return decide_signed(snapshot, command, moment)
        case RecordSent():
            return decide_sent(snapshot, command, moment)
        case RecordMined():
            return decide_mined(snapshot, command, moment)
        case RecordReorged():
            return decide_reorged(snapshot, command, moment)
        case Settle():
            return decide_settle(snapshot, command, moment, rules)
        case ClaimLane():
            return decide_claim(snapshot, command, moment)
        case Quarantine():
            return decide_quarantine(snapshot, command, moment)
        case Reject():
            return decide_reject(snapshot, command, moment)
        case _:
            return decide_operation(snapshot, command, moment, rules)
