"""The chain worker: passes over one lane, and the thread that makes them."""

from __future__ import annotations

import logging
import threading

import structlog

from penstock.chains.chain import NodeLied
from penstock.core.commands import Quarantine
from penstock.core.points import point
from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.core.states import AttemptState, State
from penstock.engine.rows import WithdrawalRow
from penstock.engine.sending_rows import AttemptRow, LaneRow
from penstock.store.outage import Outage
from penstock.workers.lane import Lane
from penstock.workers.planning import plan_waiting
from penstock.workers.sending import send_signed, sign_planned
from penstock.workers.watching import watch

_log = structlog.get_logger(__name__)


def make_pass(lane: Lane) -> None:
    """Do everything there is to do on the lane now: finish what is under way first, then begin new payments.

    Returns when nothing more can be done at this moment. Raises Unavailable or InDoubt when the world failed,
    and Refused(NOT_NOW) when the lease went elsewhere; every step done before stays done, and the next pass
    goes on.
    """
    row = lane.claim()
    point("worker.lane_claimed")
    if not row.quarantine and _is_overtaken(lane, row):
        return
    cut: Unavailable | None = None
    try:
        _finish(lane, left_over=True)
    except Unavailable as error:
        # A node or signer that takes nothing new must not keep us from seeing what became of the rest.
        cut = error
    watch(lane)
    if cut is not None:
        raise cut
    if lane.may_send():
        row = lane.claim()
        planned = plan_waiting(lane, row)
        if planned:
            point("worker.checked")
            _finish(lane, left_over=False)
    point("worker.pass_done")


def _is_overtaken(lane: Lane, row: LaneRow) -> bool:
    """Whether the chain is ahead of our plans: then somebody else uses the key, or the database is an old
    one.
    """
    if lane.chain.next_nonce(lane.sender) <= row.next_nonce:
        return False
    reason = f"the chain has taken nonces from {row.next_nonce} on that were never planned here"
    _log.error("lane quarantined", network=lane.network, reason=reason)
    lane.run(Quarantine(lane.network, lane.sender, reason))
    return True


def _finish(lane: Lane, *, left_over: bool) -> None:
    """Send what is signed and sign what is planned, after a crash just as in normal running.

    left_over: what waits was not stored by this pass, so nobody has said yet that it is durable.
    """
    if not lane.may_send():
        return
    signed, planned = _waiting(lane, AttemptState.SIGNED), _waiting(lane, AttemptState.PLANNED)
    if left_over and (signed or planned):
        lane.confirm_durable()
    send_signed(lane, signed)
    if planned:
        sign_planned(lane, planned)
        if lane.may_send():
            send_signed(lane, _waiting(lane, AttemptState.SIGNED))


def _waiting(lane: Lane, state: AttemptState) -> list[AttemptRow]:
    """Open attempts in `state`, lowest nonce first, without those whose withdrawal is set aside."""
    reader = lane.store.reader()
    found: list[AttemptRow] = []
    for attempt in reader.open_attempts(lane.network, lane.sender):
        if attempt.state != state:
            continue
        if attempt.withdrawal_id is not None:
            withdrawal = reader.row(WithdrawalRow, attempt.withdrawal_id)
            if withdrawal is None or withdrawal.state is State.QUARANTINED:
                continue
        found.append(attempt)
    return found


class ChainWorker:
    """A thread that makes passes over its lanes until it is stopped.

    interval_s: how long to rest between passes. The thread owns every error of a pass: it logs it and tries
    again.
    """

    def __init__(self, lanes: list[Lane], interval_s: float) -> None:
        self._lanes = [(lane, Told(lane.network)) for lane in lanes]
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="chain-worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the pass under way, then end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._interval_s):
            for lane, told in self._lanes:
                if self._stop.is_set():
                    return
                run_pass(lane, told)


class Told:
    """What was said of the passes over one lane: that they are cut short, or that another worker has the lane."""

    def __init__(self, network: str) -> None:
        self.outage = Outage("pass cut short", "passes go on again", network=network)
        self.elsewhere = Outage(
            "pass refused", "passes are not refused any more", logging.INFO, network=network
        )


def run_pass(lane: Lane, told: Told | None = None) -> None:
    """One pass with its errors owned: nothing of them is lost, the next pass starts from what is stored.

    told: of the passes before; None for the first.
    """
    told = told or Told(lane.network)
    try:
        _make_pass_or_quarantine(lane)
        told.outage.worked()
        told.elsewhere.worked()
    except (Unavailable, InDoubt) as error:
        told.outage.failed(str(error))
    except Refused as refused:
        if refused.code is RefusalCode.NOT_NOW:
            told.elsewhere.failed(str(refused))
        else:
            _log.warning("pass refused", network=lane.network, reason=str(refused))
    except Exception:  # noqa: BLE001 - the boundary of the loop
        # A bug must not end the thread that every other payment depends on.
        _log.exception("pass failed", network=lane.network)


def _make_pass_or_quarantine(lane: Lane) -> None:
    try:
        make_pass(lane)
    except NodeLied as error:
        _log.error("the node lied; lane quarantined", network=lane.network, reason=str(error))
        lane.run(Quarantine(lane.network, lane.sender, f"node lied: {error}"))
