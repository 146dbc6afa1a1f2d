"""The engine's one entrance: which rows a command needs, and what it decides.

Pure and synchronous: the same snapshot, command, time and ids give the same decision, which is what lets the
whole service run in simulation from one seed.
"""

from __future__ import annotations

from penstock.core.commands import (
    ClaimLane,
    Command,
    Plan,
    PlanFiller,
    Quarantine,
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
from penstock.engine.intake import decide_transfer, decide_withdraw, need_transfer, need_withdraw
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

ROUNDS_MAX = 4
"""Attempt -> withdrawal -> account and balance is the longest way; one more round finds nothing missing."""


def is_complete_after_one_round(command: Command) -> bool:
    """Whether a single round of look-ups is enough for this command: so for every withdrawal taken in."""
    return not isinstance(command, _MANY_ROUNDS)


_MANY_ROUNDS = (
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
)


def collect_needs(command: Command, snapshot: Snapshot, needs: Needs, rules: Rules, now_ms: UnixMs) -> None:
    """Add to `needs` every key `command` will ask for, as far as the snapshot lets one know them now.

    Called once a round until nothing is missing; most commands are complete after the first.
    """
    match command:
        case Withdraw():
            need_withdraw(command, needs, now_ms)
        case Transfer():
            need_transfer(command, snapshot, needs, rules, now_ms)
        case Plan() | PlanFiller():
            need_plan(command, snapshot, needs, rules)
        case Unplan() | RecordSigned() | RecordSent() | RecordMined() | RecordReorged() | Settle():
            need_attempt(command.lane, command.attempt_id, snapshot, needs, rules)
        case ClaimLane():
            need_lane(command, needs)
        case Quarantine():
            need_quarantine(command, needs)
        case Reject():
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
