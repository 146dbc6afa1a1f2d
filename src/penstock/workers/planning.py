"""Give waiting withdrawals a nonce and an intent; fill nonces that were freed. Nothing is signed here."""

from __future__ import annotations

import structlog

from penstock.chains.chain import Payout, PayoutImpossible
from penstock.core.commands import Command, Plan, PlanFiller, Reject
from penstock.core.intents import Intent, encode_intent
from penstock.core.points import point
from penstock.core.refusals import RefusalCode, Refused, Unavailable
from penstock.core.states import State
from penstock.engine.rows import WithdrawalRow
from penstock.engine.sending_rows import AttemptRow, LaneRow
from penstock.workers.lane import Lane

_log = structlog.get_logger(__name__)

FINAL_REFUSALS = frozenset(
    {
        RefusalCode.ACCOUNT_FROZEN,
        RefusalCode.ADDRESS_NOT_IN_BOOK,
        RefusalCode.ADDRESS_NOT_VERIFIED,
        RefusalCode.ADDRESS_COOLING_DOWN,
    }
)
"""What a withdrawal is rejected for when it is found at planning; anything else waits."""

MISSES_MAX = 3
"""How many payouts in a row may find the node unable before a pass stops asking."""


def payout_of(lane: Lane, withdrawal: WithdrawalRow) -> Payout:
    """The payment that settles a withdrawal: its net amount in the token's own unit."""
    listing = lane.catalogue.listing(withdrawal.asset, withdrawal.network)
    units = lane.catalogue.chain_units(listing, withdrawal.net)
    return Payout(withdrawal.asset, listing.contract, withdrawal.address, withdrawal.memo, units)


def plan_waiting(lane: Lane, row: LaneRow) -> list[AttemptRow]:
    """Plan as many waiting withdrawals as there is room and money for, oldest first.

    Returns the attempts planned. A withdrawal whose address or account is no longer good is rejected and its
    money given back. Raises Unavailable, InDoubt, Refused(NOT_NOW): what was planned before stays planned.
    """
    reader = lane.store.reader()
    open_nonces = reader.open_nonces(lane.network, lane.sender)
    room = lane.pace.in_flight_max - sum(1 for nonce in open_nonces if not nonce.free)
    waiting = reader.to_plan(lane.network, room) if room > 0 else []
    planned: list[AttemptRow] = []
    if waiting:
        point("worker.work_found")
        free = [nonce.nonce for nonce in open_nonces if nonce.free]
        commands = _plans(lane, _affordable(lane, waiting), free, row.next_nonce)
        point("worker.plan_queued")
        outcomes = lane.run_all([*commands])
        point("worker.planned")
        planned = _planned(lane, commands, outcomes)
    return planned + _fill_gaps(lane)


def _plans(lane: Lane, waiting: list[WithdrawalRow], free: list[int], next_nonce: int) -> list[Plan]:
    """Raises Unavailable only where not one intent could be built."""
    commands: list[Plan] = []
    misses: list[Unavailable] = []
    for withdrawal in waiting:
        lane.keep()
        # Freed nonces first: everything above a gap waits for it.
        nonce = free[0] if free else next_nonce
        point("worker.nonce_chosen")
        try:
            intent = lane.chain.intent(lane.sender, nonce, payout_of(lane, withdrawal))
        except PayoutImpossible as error:
            _log.warning("payout impossible", withdrawal=withdrawal.withdrawal_id, reason=str(error))
            lane.run(Reject(withdrawal.withdrawal_id, f"payout impossible: {error}"[:200]))
            continue
        except Unavailable as error:
            # One payout that cannot be built now (too little of the coin, say) must not hold up all others.
            misses.append(error)
            _log.warning("no intent yet", withdrawal=withdrawal.withdrawal_id, reason=str(error))
            if len(misses) == MISSES_MAX:
                break
            continue
        point("worker.intent_built")
        if free:
            free.pop(0)
        else:
            next_nonce += 1
        commands.append(
            Plan(
                lane.step, withdrawal.withdrawal_id, nonce, _text(intent), fee_ceiling=_ceiling(lane, intent)
            )
        )
    if misses and not commands:
        raise misses[0]
    return commands


def _affordable(lane: Lane, waiting: list[WithdrawalRow]) -> list[WithdrawalRow]:
    """Those the hot wallet can pay on top of what is under way. The rest waits for a top-up, and is not
    rejected.
    """
    left: dict[str | None, int] = {}
    for attempt in lane.store.reader().open_attempts(lane.network, lane.sender):
        if attempt.withdrawal_id is not None and attempt.replaces is None:
            withdrawal = lane.store.reader().row(WithdrawalRow, attempt.withdrawal_id)
            assert withdrawal is not None
            if withdrawal.state is State.MINED:
                # The node's balance has it already. A reorganisation may make us wrong; a send then waits.
                continue
            payout = payout_of(lane, withdrawal)
            left.setdefault(payout.contract, lane.chain.balance(lane.sender, payout.contract))
            left[payout.contract] -= payout.units
    chosen: list[WithdrawalRow] = []
    for withdrawal in waiting:
        payout = payout_of(lane, withdrawal)
        if payout.contract not in left:
            left[payout.contract] = lane.chain.balance(lane.sender, payout.contract)
        if left[payout.contract] < payout.units:
            _log.error(
                "hot wallet too low", network=lane.network, asset=withdrawal.asset, needs=str(payout.units)
            )
            continue
        left[payout.contract] -= payout.units
        chosen.append(withdrawal)
    return chosen


def _planned(lane: Lane, commands: list[Plan], outcomes: list[object]) -> list[AttemptRow]:
    planned: list[AttemptRow] = []
    failed: Exception | None = None
    for command, outcome in zip(commands, outcomes, strict=True):
        if isinstance(outcome, AttemptRow):
            planned.append(outcome)
        elif isinstance(outcome, Refused) and outcome.code in FINAL_REFUSALS:
            lane.run(Reject(command.withdrawal_id, outcome.code.value))
        elif isinstance(outcome, Exception):
            failed = failed or outcome
    # A refusal before another's nonce makes the next ones NOT_NOW: they are planned in the next pass.
    if failed is not None and not (isinstance(failed, Refused) and planned):
        raise failed
    return planned


def _fill_gaps(lane: Lane) -> list[AttemptRow]:
    """Use up freed nonces below one that waits: nothing above a gap can ever be mined."""
    open_nonces = lane.store.reader().open_nonces(lane.network, lane.sender)
    taken = [nonce.nonce for nonce in open_nonces if not nonce.free]
    commands: list[Command] = []
    for nonce in open_nonces:
        if nonce.free and taken and nonce.nonce < max(taken):
            intent = lane.chain.filler(lane.sender, nonce.nonce)
            commands.append(
                PlanFiller(lane.step, nonce.nonce, _text(intent), fee_ceiling=_ceiling(lane, intent))
            )
    if not commands:
        return []
    planned: list[AttemptRow] = []
    for outcome in lane.run_all(commands):
        if isinstance(outcome, AttemptRow):
            planned.append(outcome)
        else:
            _log.warning("gap not filled", network=lane.network, reason=str(outcome))
    return planned


def plan_bump(lane: Lane, attempt: AttemptRow, intent: Intent) -> AttemptRow | None:
    """Plan a dearer transaction for the same nonce and payment. None where the ceiling or the lane forbids
    it.
    """
    dearer = lane.chain.bumped(intent)
    if dearer is None:
        return None
    point("bump.intent_built")
    replaces = attempt.attempt_id
    command: Command
    if attempt.withdrawal_id is None:
        command = PlanFiller(lane.step, attempt.nonce, _text(dearer), fee_ceiling=0, replaces=replaces)
    else:
        command = Plan(
            lane.step, attempt.withdrawal_id, attempt.nonce, _text(dearer), fee_ceiling=0, replaces=replaces
        )
    try:
        planned = lane.run(command)
    except Refused as refused:
        _log.info("fee not raised", attempt=attempt.attempt_id, reason=str(refused))
        return None
    assert isinstance(planned, AttemptRow)
    point("bump.planned")
    return planned


def _text(intent: Intent) -> str:
    return encode_intent(intent).decode()


def _ceiling(lane: Lane, intent: Intent) -> int:
    return intent.fee_ceiling() * lane.pace.fee_ceiling_factor
