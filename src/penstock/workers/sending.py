"""Sign what is planned, store the bytes, send those bytes and only those. The order of these lines is the
promise.
"""

from __future__ import annotations

import structlog

from penstock.core.commands import Command, Quarantine, RecordSent, RecordSigned, Unplan
from penstock.core.intents import decode_intent
from penstock.core.points import point
from penstock.core.refusals import Unavailable
from penstock.core.states import AttemptState
from penstock.engine.book import covers
from penstock.engine.rows import AccountRow, BookRow, WithdrawalRow
from penstock.engine.sending_rows import AttemptRow
from penstock.signer.messages import Reason, SignerRefused
from penstock.workers.lane import Lane, SignedBytes

_log = structlog.get_logger(__name__)


def sign_planned(lane: Lane, planned: list[AttemptRow]) -> None:
    """Have each planned attempt signed and its bytes stored, all stored in one commit.

    What may no longer be paid is taken back instead, unless the signer has signed for that nonce already.
    Raises Unavailable, InDoubt: attempts not reached stay planned.
    """
    commands: list[Command] = []
    for attempt in planned:
        lane.keep()
        point("worker.before_sign")
        reason = no_longer_payable(lane, attempt)
        if reason and attempt.replaces is None and not lane.signer.has_signed(lane.network, attempt.nonce):
            # RecordSigned commands gathered so far are for lower nonces and go first.
            _store_signed(lane, commands)
            commands = []
            lane.run(Unplan(lane.step, attempt.attempt_id, reason))
            continue
        signed = _sign(lane, attempt)
        if signed is None:
            if lane.may_send():
                continue
            break
        point("bump.signed" if attempt.replaces else "worker.bytes_checked")
        if lane.unsafe_send_before_store:
            lane.chain.send(signed.raw)
            point("worker.sent")
        commands.append(RecordSigned(lane.step, attempt.attempt_id, signed.raw, signed.tx_hash))
    _store_signed(lane, commands)
    point("worker.signed_stored")
    if any(attempt.replaces for attempt in planned):
        point("bump.stored")


def _store_signed(lane: Lane, commands: list[Command]) -> None:
    for outcome in lane.run_all(commands):
        if isinstance(outcome, Exception):
            raise outcome


def no_longer_payable(lane: Lane, attempt: AttemptRow) -> str:
    """Why a planned attempt must not be signed any more, or "": its account or book entry changed since."""
    if attempt.withdrawal_id is None:
        return ""
    reader = lane.store.reader()
    withdrawal = reader.row(WithdrawalRow, attempt.withdrawal_id)
    assert withdrawal is not None
    account = reader.row(AccountRow, withdrawal.account_id)
    if account is None or account.frozen:
        return "account_frozen"
    if withdrawal.book_entry_id is None:
        return ""  # taken by a venue that pays to any address
    entry = reader.row(BookRow, withdrawal.book_entry_id)
    network = lane.catalogue.networks[lane.network]
    if entry is None or not covers(entry, withdrawal.asset, network) or not entry.verified:
        return "address_not_in_book"
    return ""


def _sign(lane: Lane, attempt: AttemptRow) -> SignedBytes | None:
    """The signed bytes, checked against our own hash; None when the signer will not."""
    intent = decode_intent(attempt.intent)
    try:
        signed = lane.signer.sign(intent)
    except SignerRefused as refused:
        _refused(lane, attempt, refused)
        return None
    point("worker.bytes_received")
    if lane.chain.tx_hash(signed.raw) != signed.tx_hash or not lane.chain.carries(signed.raw, intent):
        # Bytes that were never stored are never sent: whatever they would pay, it is not what was decided here.
        raise Unavailable("the signer's bytes are not the transaction that it was asked for")
    return signed


def _refused(lane: Lane, attempt: AttemptRow, refused: SignerRefused) -> None:
    _log.error("signer refused", network=lane.network, attempt=attempt.attempt_id, reason=str(refused))
    if refused.reason is Reason.NONCE_TAKEN or (refused.signed_before and attempt.replaces is None):
        # The signer remembers what we do not: our database is not the one it worked with last.
        reason = f"signer knows another transaction for nonce {attempt.nonce}"
        lane.run(Quarantine(lane.network, lane.sender, reason, attempt.withdrawal_id))
    else:
        lane.run(Unplan(lane.step, attempt.attempt_id, f"signer refused: {refused.reason.value}"))


def send_signed(lane: Lane, attempts: list[AttemptRow]) -> None:
    """Offer stored bytes to the node, lowest nonce first, and note that we did.

    Sending is idempotent: after a crash or a lost answer the same bytes go out again. Raises Unavailable,
    NodeLied.
    """
    if not attempts:
        return
    recorded: list[Command] = []
    try:
        for attempt in attempts:
            assert attempt.raw is not None, "only stored bytes are sent"
            lane.keep()
            point("worker.before_send")
            lane.chain.send(attempt.raw)
            lane.sent_at_ms[attempt.attempt_id] = lane.clock.monotonic_ms()
            point("bump.sent" if attempt.replaces else "worker.sent")
            if attempt.state == AttemptState.SIGNED:
                recorded.append(RecordSent(lane.step, attempt.attempt_id))
    finally:
        for outcome in lane.run_all(recorded):
            if isinstance(outcome, Exception):
                _log.warning("sending not recorded; it will be sent again", reason=str(outcome))
    point("worker.sent_recorded")
