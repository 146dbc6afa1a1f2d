"""See what the chain made of what was sent: mined, reorganised away, final, stuck, or not ours at all."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from penstock.chains.chain import Located, Mined, Missing
from penstock.core.commands import Quarantine, RecordMined, RecordReorged, Settle
from penstock.core.intents import decode_intent
from penstock.core.points import point
from penstock.core.refusals import Unavailable
from penstock.core.states import AttemptState, State
from penstock.engine.rows import WithdrawalRow
from penstock.engine.sending_rows import AttemptRow, NonceRow
from penstock.workers.lane import Lane
from penstock.workers.planning import plan_bump
from penstock.workers.sending import send_signed, sign_planned

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One attempt and where the node says it stands."""

    attempt: AttemptRow
    located: Located


def watch(lane: Lane) -> None:
    """Look at every nonce that is not final. Raises Unavailable, InDoubt, NodeLied; the rest waits for the
    next pass.
    """
    reader = lane.store.reader()
    by_nonce: dict[int, list[AttemptRow]] = {}
    bumped: set[int] = set()
    for attempt in reader.open_attempts(lane.network, lane.sender):
        if attempt.raw is not None:
            by_nonce.setdefault(attempt.nonce, []).append(attempt)
        elif attempt.replaces is not None:
            bumped.add(attempt.nonce)
    if not by_nonce:
        return
    final_nonce = lane.chain.final_nonce(lane.sender)
    unsent: Unavailable | None = None
    for nonce in reader.open_nonces(lane.network, lane.sender):
        attempts = by_nonce.get(nonce.nonce)
        lane.keep()
        seen = _watch_nonce(lane, nonce, attempts, final_nonce) if attempts else []
        if seen and lane.may_send():
            try:
                _push(lane, seen, may_bump=nonce.nonce not in bumped)
            except Unavailable as error:
                # What the node will not take now must not keep us from seeing what it did with the others.
                unsent = error
    if unsent is not None:
        raise unsent


def _watch_nonce(lane: Lane, nonce: NonceRow, attempts: list[AttemptRow], final_nonce: int) -> list[Sighting]:
    """Record what the chain shows for a nonce. Returns the sightings when it still waits for a block."""
    seen = [Sighting(attempt, _locate(lane, attempt)) for attempt in attempts]
    point("worker.located")
    mined = next((sighting for sighting in seen if isinstance(sighting.located, Mined)), None)
    if mined is not None:
        _mined(lane, mined.attempt, mined.located)
        return []
    withdrawal = None
    if nonce.withdrawal_id is not None:
        withdrawal = lane.store.reader().row(WithdrawalRow, nonce.withdrawal_id)
    if withdrawal is not None and withdrawal.state is State.MINED:
        lane.run(RecordReorged(lane.step, attempts[-1].attempt_id))
    if withdrawal is not None and withdrawal.state is State.QUARANTINED:
        # Set aside before, and the operator knows; whatever is to be done with it, a worker does not guess.
        return []
    if nonce.nonce < final_nonce:
        # Positive proof that a transaction we do not know used our nonce: never guess, stop (a restored
        # backup or a second instance looks just like this).
        reason = f"nonce {nonce.nonce} was used by a transaction that is not ours"
        lane.run(Quarantine(lane.network, lane.sender, reason, nonce.withdrawal_id))
        return []
    return seen


def _locate(lane: Lane, attempt: AttemptRow) -> Located:
    return lane.chain.locate(attempt.tx_hash, decode_intent(attempt.intent))


def _mined(lane: Lane, attempt: AttemptRow, located: Located) -> None:
    assert isinstance(located, Mined)
    if located.final:
        point("worker.final_seen")
        point("worker.before_settle")
        lane.run(
            Settle(
                lane.step,
                attempt.attempt_id,
                located.height,
                located.block_hash,
                located.confirmations,
                located.paid,
                located.network_fee,
                located.reason,
                located.unmoved,
            )
        )
        point("worker.settled")
        lane.sent_at_ms.pop(attempt.attempt_id, None)
        lane.bump_tried_at_ms.pop(attempt.nonce, None)
        return
    point("worker.mined_seen")
    withdrawal = None
    if attempt.withdrawal_id is not None:
        withdrawal = lane.store.reader().row(WithdrawalRow, attempt.withdrawal_id)
    known = withdrawal is not None and withdrawal.state is State.MINED
    if withdrawal is None or (
        known and (withdrawal.tx_hash, withdrawal.confirmations) == (attempt.tx_hash, located.confirmations)
    ):
        return
    facts = (located.height, located.block_hash, located.confirmations)
    lane.run(RecordMined(lane.step, attempt.attempt_id, *facts))
    point("worker.mined_recorded")


def _push(lane: Lane, seen: list[Sighting], *, may_bump: bool) -> None:
    """Send again what the node lost; raise the fee of what waits too long.

    may_bump: no dearer transaction is planned already that only waits for its signature.
    """
    newest = seen[-1]
    attempt = newest.attempt
    if attempt.state == AttemptState.SIGNED:
        return
    refused: Unavailable | None = None
    if isinstance(newest.located, Missing):
        # "Not found" proves nothing. The bytes are the same, so offering them again can pay only once.
        last = lane.sent_at_ms.get(attempt.attempt_id)
        if last is not None and lane.clock.monotonic_ms() - last < lane.pace.resend_after_ms:
            return
        try:
            send_signed(lane, [attempt])
        except Unavailable as error:
            refused = error
    # A node also forgets, or will not take, what pays too little by now: that too is mended by a higher fee.
    if may_bump and _is_bump_due(lane, attempt):
        _bump(lane, attempt)
    elif refused is not None:
        raise refused


def _is_bump_due(lane: Lane, attempt: AttemptRow) -> bool:
    now_ms = lane.clock.now_ms()
    if now_ms - (attempt.sent_ms or now_ms) < lane.pace.bump_after_ms:
        return False
    tried = lane.bump_tried_at_ms.get(attempt.nonce)
    if tried is not None and lane.clock.monotonic_ms() - tried < lane.pace.bump_after_ms:
        return False
    return _is_next(lane, attempt)


def _bump(lane: Lane, attempt: AttemptRow) -> None:
    point("bump.due")
    lane.bump_tried_at_ms[attempt.nonce] = lane.clock.monotonic_ms()
    dearer = plan_bump(lane, attempt, decode_intent(attempt.intent))
    if dearer is None:
        return
    _log.info("raising the fee", network=lane.network, nonce=attempt.nonce, attempt=dearer.attempt_id)
    sign_planned(lane, [dearer])
    signed = lane.store.reader().row(AttemptRow, dearer.attempt_id)
    assert signed is not None
    if signed.raw is not None:
        send_signed(lane, [signed])


def _is_next(lane: Lane, attempt: AttemptRow) -> bool:
    """Only the lowest waiting nonce can be held up by its fee; the ones above wait for it."""
    return attempt.nonce <= lane.chain.next_nonce(lane.sender)
