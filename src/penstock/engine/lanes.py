"""Lanes: one sender on one network, its nonces, and the lease under which one worker acts on it."""

from __future__ import annotations

import msgspec

from penstock.core.commands import ClaimLane, LaneStep, Quarantine
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import FINAL_STATES, State
from penstock.core.time import UnixMs
from penstock.engine.moves import moved
from penstock.engine.row import Row
from penstock.engine.rows import WithdrawalRow
from penstock.engine.rules import Decision, Moment
from penstock.engine.sending_rows import LaneRow
from penstock.engine.snapshot import Needs, Snapshot

SENDING = "sending"


def need_lane(step: LaneStep | ClaimLane | Quarantine, needs: Needs) -> None:
    needs.row(LaneRow, step.network, step.sender)


def need_quarantine(command: Quarantine, needs: Needs) -> None:
    need_lane(command, needs)
    if command.withdrawal_id is not None:
        needs.row(WithdrawalRow, command.withdrawal_id)


def decide_claim(snapshot: Snapshot, command: ClaimLane, moment: Moment) -> Decision:
    """Give the lane's lease to a worker, or extend it.

    Answers the LaneRow. The epoch rises whenever the lease was not simply extended, so that a worker that
    slept past its lease can no longer write. Raises Refused(NOT_NOW) while another worker holds it.
    """
    until = UnixMs(moment.now_ms + command.lease_ms)
    lane = snapshot.get(LaneRow, command.network, command.sender)
    if lane is None:
        lane = LaneRow(command.network, command.sender, command.first_nonce, command.owner, until, 1, "")
        return Decision([lane], lane)
    alive = lane.lease_until_ms > moment.now_ms
    if alive and lane.owner != command.owner and not command.alone:
        raise Refused(RefusalCode.NOT_NOW, owner=lane.owner)
    epoch = lane.epoch if alive and lane.owner == command.owner else lane.epoch + 1
    lane = msgspec.structs.replace(lane, owner=command.owner, lease_until_ms=until, epoch=epoch)
    return Decision([lane], lane)


def leased_lane(snapshot: Snapshot, step: LaneStep, now_ms: UnixMs) -> LaneRow:
    """The lane, if the step's lease still holds. Raises Refused(NOT_NOW): another may be acting there."""
    lane = snapshot.get(LaneRow, step.network, step.sender)
    if lane is None or lane.owner != step.owner or lane.epoch != step.epoch or lane.lease_until_ms <= now_ms:
        raise Refused(RefusalCode.NOT_NOW, lease="lost")
    return lane


def sending_lane(snapshot: Snapshot, step: LaneStep, now_ms: UnixMs) -> LaneRow:
    """The leased lane, if it may make transactions. Raises Refused(NOT_NOW) when stopped or quarantined."""
    lane = leased_lane(snapshot, step, now_ms)
    if lane.quarantine:
        raise Refused(RefusalCode.NOT_NOW, quarantine=lane.quarantine)
    if snapshot.stopped(SENDING) or snapshot.stopped(f"network/{step.network}"):
        raise Refused(RefusalCode.NOT_NOW, stopped="by the operator")
    return lane


def decide_quarantine(snapshot: Snapshot, command: Quarantine, moment: Moment) -> Decision:
    """Stop the lane, and set aside the withdrawal concerned. Repeating it writes nothing."""
    lane = snapshot.get(LaneRow, command.network, command.sender)
    if lane is None:
        raise Refused(RefusalCode.NOT_NOW, lane="unknown")
    writes: list[Row] = []
    if not lane.quarantine:
        writes.append(msgspec.structs.replace(lane, quarantine=command.reason))
    withdrawal = None if command.withdrawal_id is None else snapshot.get(WithdrawalRow, command.withdrawal_id)
    if withdrawal is not None and withdrawal.state not in FINAL_STATES | {State.QUARANTINED}:
        writes += moved(moment, withdrawal, State.QUARANTINED, command.reason)[1]
    return Decision(writes, None)
