"""From hold to finality: plan, replace, take back, sign, send, mined, settle; and who may do it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from penstock.core.acts import FreezeAccount, RemoveBookEntry, SetControl
from penstock.core.commands import (
    ClaimLane,
    Command,
    LaneStep,
    Plan,
    PlanFiller,
    Quarantine,
    RecordMined,
    RecordReorged,
    RecordSent,
    RecordSigned,
    Reject,
    Unplan,
)
from penstock.core.ids import AttemptId, WithdrawalId
from penstock.core.intents import decode_intent, encode_intent
from penstock.core.refusals import RefusalCode
from penstock.core.states import AttemptState, State
from penstock.engine.ledger import gas_wallet
from penstock.engine.rows import EntryRow
from penstock.engine.sending_rows import AttemptRow, LaneRow, NonceRow
from tests.unit.engine.desk import SENDER, Desk, intent

replace = msgspec.structs.replace


def _gas(desk: Desk) -> tuple[int, int]:
    return desk.balance(0, "TRX", gas_wallet("tron"))


def _nonce(desk: Desk, nonce: int = 0) -> NonceRow:
    return desk.get(NonceRow, "tron", SENDER, nonce)


def _bump(desk: Desk, attempt: AttemptRow, fee: int = 20, **changes: object) -> Plan:
    assert attempt.withdrawal_id is not None
    command = desk.plan(attempt.withdrawal_id, attempt.nonce, fee, 0)
    return replace(replace(command, replaces=attempt.attempt_id), **changes)


# --- planning ---


def test_a_plan_takes_the_nonce_the_intent_and_the_gas_in_one_commit(desk: Desk) -> None:
    attempt = desk.planned()
    assert attempt.withdrawal_id is not None
    row = desk.withdrawal(attempt.withdrawal_id)
    assert (row.state, row.attempt_id) == (State.PLANNED, attempt.attempt_id)
    assert (_nonce(desk).withdrawal_id, _nonce(desk).fee_held) == (attempt.withdrawal_id, 40)
    assert desk.get(LaneRow, "tron", SENDER).next_nonce == 1
    assert _gas(desk) == (960, 40)
    assert not any(desk.sums().values())


@pytest.mark.parametrize("nonce", [1, 7])
def test_a_nonce_that_is_not_the_next_is_refused(desk: Desk, nonce: int) -> None:
    assert desk.refusal(desk.plan(desk.withdraw(), nonce)) is RefusalCode.NOT_NOW


def test_a_nonce_in_use_is_refused(desk: Desk) -> None:
    desk.planned("a")
    assert desk.refusal(desk.plan(desk.withdraw("b"), 0)) is RefusalCode.NOT_NOW


def test_a_withdrawal_gets_one_nonce(desk: Desk) -> None:
    attempt = desk.planned()
    assert attempt.withdrawal_id is not None
    assert desk.refusal(desk.plan(attempt.withdrawal_id, 1)) is RefusalCode.NOT_NOW


def test_an_unknown_withdrawal_is_not_planned(desk: Desk) -> None:
    assert desk.refusal(desk.plan(WithdrawalId(9_999))) is RefusalCode.WITHDRAWAL_UNKNOWN


def test_gas_that_is_not_there_is_not_planned_with(desk: Desk) -> None:
    assert desk.refusal(desk.plan(desk.withdraw(), ceiling=1_001)) is RefusalCode.BALANCE_TOO_LOW


def test_a_fee_above_its_own_ceiling_is_refused(desk: Desk) -> None:
    assert desk.refusal(desk.plan(desk.withdraw(), fee=41)) is RefusalCode.NOT_NOW


@pytest.mark.parametrize("change", [{"nonce": 1}, {"network": "bsc"}, {"sender": "sim2"}])
def test_an_intent_for_another_lane_or_nonce_is_a_bug(desk: Desk, change: dict[str, object]) -> None:
    plan = desk.plan(desk.withdraw())
    other = encode_intent(replace(decode_intent(plan.intent), **change)).decode()
    with pytest.raises(AssertionError):
        desk.run(replace(plan, intent=other))


CHANGES: list[tuple[RefusalCode, Callable[[Desk], Command]]] = [
    (RefusalCode.ACCOUNT_FROZEN, lambda desk: FreezeAccount("t", desk.account_id, frozen=True)),
    (RefusalCode.ADDRESS_NOT_IN_BOOK, lambda desk: RemoveBookEntry("t", desk.account_id, desk.entry_id)),
    (RefusalCode.NOT_NOW, lambda _: SetControl("t", "sending", stopped=True)),
    (RefusalCode.NOT_NOW, lambda _: SetControl("t", "network/tron", stopped=True)),
    (RefusalCode.NOT_NOW, lambda _: Quarantine("tron", SENDER, "strange")),
]


@pytest.mark.parametrize("at", range(len(CHANGES)))
def test_what_changed_since_intake_is_seen_at_planning(desk: Desk, at: int) -> None:
    withdrawal_id = desk.withdraw()
    code, make = CHANGES[at]
    desk.run(make(desk))
    assert desk.refusal(desk.plan(withdrawal_id)) is code


def _steps(desk: Desk) -> list[Command]:
    """One of each step a worker makes, all of them in place."""
    attempt = desk.sent("a")
    free = desk.planned("b", 1)
    desk.run(Unplan(desk.lane, free.attempt_id, "no"))
    waiting = desk.planned("c", 2)
    return [
        desk.plan(desk.withdraw("d"), 3),
        PlanFiller(desk.lane, 1, intent(1, to=SENDER, units="0"), fee_ceiling=40),
        Unplan(desk.lane, waiting.attempt_id, "no"),
        RecordSigned(desk.lane, waiting.attempt_id, b"w", "h"),
        RecordSent(desk.lane, attempt.attempt_id),
        RecordMined(desk.lane, attempt.attempt_id, 7, "block", 1),
        RecordReorged(desk.lane, attempt.attempt_id),
        desk.settle(attempt),
        _bump(desk, attempt),
    ]


@pytest.mark.parametrize("at", range(9))
def test_no_step_is_made_without_the_lease(desk: Desk, at: int) -> None:
    command = _steps(desk)[at]
    lane = desk.lane
    for stolen in (
        replace(lane, owner="other"),
        replace(lane, epoch=lane.epoch + 1),
        LaneStep("bsc", SENDER, "worker", 1),
    ):
        assert desk.refusal(replace(command, lane=stolen)) is RefusalCode.NOT_NOW
    desk.now_ms += 1_000_000
    assert desk.refusal(command) is RefusalCode.NOT_NOW
    desk.run(ClaimLane("tron", SENDER, "worker", 1_000, 0))
    assert desk.refusal(command) is RefusalCode.NOT_NOW, "a lease that ended has another epoch"


# --- replacing ---


def test_a_replacement_takes_no_second_nonce_and_no_more_gas(desk: Desk) -> None:
    attempt = desk.sent()
    bump = desk.run(_bump(desk, attempt))
    assert isinstance(bump, AttemptRow)
    assert (bump.nonce, bump.replaces, bump.withdrawal_id) == (0, attempt.attempt_id, attempt.withdrawal_id)
    assert desk.get(LaneRow, "tron", SENDER).next_nonce == 1
    assert _gas(desk) == (960, 40)


def test_a_replacement_stays_below_the_ceiling_held_at_planning(desk: Desk) -> None:
    attempt = desk.sent()
    assert desk.refusal(_bump(desk, attempt, 41)) is RefusalCode.NOT_NOW
    desk.run(_bump(desk, attempt, 40))


@pytest.mark.parametrize("change", [{"to": SENDER}, {"units": "4000001"}, {"memo": "7"}, {"asset": "TRX"}])
def test_a_replacement_that_pays_anything_else_is_a_bug(desk: Desk, change: dict[str, str]) -> None:
    bump = _bump(desk, desk.sent(), intent=intent(0, 20, **change))
    with pytest.raises(AssertionError, match="fees only"):
        desk.run(bump)


def test_only_a_signed_attempt_of_the_same_withdrawal_and_nonce_is_replaced(desk: Desk) -> None:
    planned, sent = desk.planned("a"), desk.sent("b", 1)
    assert desk.refusal(_bump(desk, planned)) is RefusalCode.NOT_NOW
    assert desk.refusal(_bump(desk, sent, replaces=planned.attempt_id)) is RefusalCode.NOT_NOW
    assert desk.refusal(_bump(desk, sent, replaces=AttemptId(5_555))) is RefusalCode.NOT_NOW
    assert planned.withdrawal_id is not None
    other = _bump(desk, sent, withdrawal_id=planned.withdrawal_id)
    assert desk.refusal(other) is RefusalCode.NOT_NOW
    desk.run(desk.settle(sent))
    assert desk.refusal(_bump(desk, sent)) is RefusalCode.NOT_NOW


# --- taking back ---


def test_taking_back_frees_nonce_and_gas_and_gives_the_money_back(desk: Desk) -> None:
    attempt = desk.planned()
    assert attempt.withdrawal_id is not None
    desk.run(Unplan(desk.lane, attempt.attempt_id, "signer refused"))
    row = desk.withdrawal(attempt.withdrawal_id)
    assert (row.state, row.reason) == (State.REJECTED, "signer refused")
    assert desk.get(AttemptRow, attempt.attempt_id).state == AttemptState.DROPPED
    assert (_nonce(desk).free, _nonce(desk).withdrawal_id, _nonce(desk).fee_held) == (True, None, 0)
    assert (_gas(desk), desk.balance()) == ((1_000, 0), (1_000_000_000, 0))
    assert not any(desk.sums().values())


def test_what_was_signed_is_never_taken_back(desk: Desk) -> None:
    signed, sent = desk.signed(desk.planned("a")), desk.sent("b", 1)
    for attempt in (signed, sent):
        assert desk.refusal(Unplan(desk.lane, attempt.attempt_id, "no")) is RefusalCode.NOT_NOW


def test_a_replacement_taken_back_leaves_withdrawal_nonce_and_gas_alone(desk: Desk) -> None:
    attempt = desk.sent()
    bump = desk.run(_bump(desk, attempt))
    assert isinstance(bump, AttemptRow)
    desk.run(Unplan(desk.lane, bump.attempt_id, "signer refused"))
    assert desk.get(AttemptRow, bump.attempt_id).state == AttemptState.DROPPED
    assert attempt.withdrawal_id is not None
    assert desk.withdrawal(attempt.withdrawal_id).state is State.SENT
    assert (_nonce(desk).fee_held, _gas(desk)) == (40, (960, 40))


def test_a_quarantined_withdrawal_is_not_taken_back(desk: Desk) -> None:
    attempt = desk.planned()
    desk.run(Quarantine("tron", SENDER, "strange", attempt.withdrawal_id))
    assert desk.refusal(Unplan(desk.lane, attempt.attempt_id, "no")) is RefusalCode.NOT_NOW


def test_a_freed_nonce_is_taken_again_by_a_withdrawal_or_a_filler(desk: Desk) -> None:
    for nonce in (0, 1):
        desk.run(Unplan(desk.lane, desk.planned(f"a{nonce}", nonce).attempt_id, "no"))
    attempt = desk.planned("b", 0)
    assert (_nonce(desk).withdrawal_id, _nonce(desk).free) == (attempt.withdrawal_id, False)
    empty = intent(1, to=SENDER, units="0")
    filler = desk.run(PlanFiller(desk.lane, 1, empty, fee_ceiling=40))
    assert isinstance(filler, AttemptRow)
    assert (filler.withdrawal_id, _nonce(desk, 1).free, _nonce(desk, 1).fee_held) == (None, False, 40)
    assert desk.get(LaneRow, "tron", SENDER).next_nonce == 2
    assert desk.refusal(PlanFiller(desk.lane, 1, empty, fee_ceiling=40)) is RefusalCode.NOT_NOW
    assert desk.refusal(PlanFiller(desk.lane, 2, intent(2), fee_ceiling=40)) is RefusalCode.NOT_NOW


def test_only_what_was_never_planned_is_rejected(desk: Desk) -> None:
    withdrawal_id = desk.withdraw("a")
    desk.run(Reject(withdrawal_id, "policy"))
    assert desk.withdrawal(withdrawal_id).state is State.REJECTED
    assert desk.balance() == (1_000_000_000, 0)
    assert desk.refusal(Reject(withdrawal_id, "again")) is RefusalCode.NOT_NOW
    attempt = desk.planned("b")
    assert attempt.withdrawal_id is not None
    assert desk.refusal(Reject(attempt.withdrawal_id, "late")) is RefusalCode.NOT_NOW


# --- signing and sending ---


def test_signed_bytes_are_stored_once_and_others_for_the_same_attempt_are_a_bug(desk: Desk) -> None:
    attempt = desk.signed(desk.planned())
    assert (attempt.raw, attempt.state) == (b"raw", AttemptState.SIGNED)
    desk.signed(attempt)
    with pytest.raises(AssertionError, match="signed twice"):
        desk.run(RecordSigned(desk.lane, attempt.attempt_id, b"other", "hash"))


def test_bytes_for_a_dropped_or_replaced_attempt_are_not_stored(desk: Desk) -> None:
    dropped = desk.planned("a")
    desk.run(Unplan(desk.lane, dropped.attempt_id, "no"))
    sent = desk.sent("b", 0)
    bump = desk.run(_bump(desk, sent))
    assert isinstance(bump, AttemptRow)
    desk.run(desk.settle(sent))
    assert desk.get(AttemptRow, bump.attempt_id).state == AttemptState.REPLACED
    for attempt in (dropped, bump):
        command = RecordSigned(desk.lane, attempt.attempt_id, b"x", "hx")
        assert desk.refusal(command) is RefusalCode.NOT_NOW


def test_nothing_is_called_sent_that_has_no_bytes(desk: Desk) -> None:
    attempt = desk.planned()
    assert desk.refusal(RecordSent(desk.lane, attempt.attempt_id)) is RefusalCode.NOT_NOW


def test_a_stored_attempt_is_still_recorded_when_the_operator_stops_sending(desk: Desk) -> None:
    attempt = desk.planned()
    desk.run(SetControl("t", "sending", stopped=True))
    assert desk.signed(attempt).raw == b"raw"


# --- what the chain decides ---


def test_mined_moves_no_money_and_a_reorganisation_takes_it_back_to_sent(desk: Desk) -> None:
    attempt = desk.sent()
    assert attempt.withdrawal_id is not None
    entries = len(desk.all(EntryRow))
    desk.run(RecordMined(desk.lane, attempt.attempt_id, 7, "block", 1))
    desk.run(RecordMined(desk.lane, attempt.attempt_id, 7, "block", 2))
    row = desk.withdrawal(attempt.withdrawal_id)
    assert (row.state, row.confirmations) == (State.MINED, 2)
    desk.run(RecordReorged(desk.lane, attempt.attempt_id))
    desk.run(RecordReorged(desk.lane, attempt.attempt_id))
    row = desk.withdrawal(attempt.withdrawal_id)
    assert (row.state, row.confirmations) == (State.SENT, 0)
    assert len(desk.all(EntryRow)) == entries


def test_a_payment_at_finality_settles_hold_fee_and_gas_once(desk: Desk) -> None:
    attempt = desk.sent()
    assert attempt.withdrawal_id is not None
    desk.run(desk.settle(attempt))
    before = {row_type: dict(table) for row_type, table in desk.rows.items()}
    desk.run(desk.settle(attempt))
    desk.run(desk.settle(attempt, paid=False, unmoved=True))
    assert desk.rows == before, "a nonce is decided once"
    assert desk.withdrawal(attempt.withdrawal_id).state is State.CONFIRMED
    assert desk.balance() == (995_000_000, 0)
    assert _gas(desk) == (991, 0)
    assert _nonce(desk).final
    booked = {entry.ledger_account: 0 for entry in desk.all(EntryRow)}
    for entry in desk.all(EntryRow):
        booked[entry.ledger_account] += entry.units if entry.asset == "USDT" else 0
    assert (booked["system/fees"], booked["system/custody/tron"]) == (1_000_000, -996_000_000)
    assert not any(desk.sums().values())


def test_what_the_chain_took_and_did_not_pay_is_given_back_but_for_the_network_fee(desk: Desk) -> None:
    attempt = desk.sent()
    assert attempt.withdrawal_id is not None
    desk.run(desk.settle(attempt, paid=False, unmoved=True))
    assert desk.withdrawal(attempt.withdrawal_id).state is State.FAILED
    assert (desk.balance(), _gas(desk)) == ((1_000_000_000, 0), (991, 0))
    assert not any(desk.sums().values())


def test_money_is_not_given_back_where_something_else_may_have_moved(desk: Desk) -> None:
    attempt = desk.sent()
    assert attempt.withdrawal_id is not None
    desk.run(desk.settle(attempt, paid=False, unmoved=False))
    assert desk.withdrawal(attempt.withdrawal_id).state is State.QUARANTINED
    assert desk.balance() == (995_000_000, 5_000_000)
    assert not any(desk.sums().values())


def test_the_attempt_that_was_mined_is_final_and_all_others_at_its_nonce_are_replaced(desk: Desk) -> None:
    first = desk.sent()
    bump = desk.run(_bump(desk, first))
    assert isinstance(bump, AttemptRow)
    desk.signed(bump, b"dearer")
    desk.run(desk.settle(first))
    assert desk.get(AttemptRow, first.attempt_id).state == AttemptState.FINAL
    assert desk.get(AttemptRow, bump.attempt_id).state == AttemptState.REPLACED
    assert first.withdrawal_id is not None
    assert desk.withdrawal(first.withdrawal_id).attempt_id == first.attempt_id


def test_an_unsigned_attempt_cannot_be_mined_or_settled(desk: Desk) -> None:
    attempt = desk.planned()
    assert desk.refusal(desk.settle(attempt)) is RefusalCode.NOT_NOW
    assert desk.refusal(RecordMined(desk.lane, attempt.attempt_id, 7, "b", 1)) is RefusalCode.NOT_NOW


def test_a_quarantined_withdrawal_still_settles_on_what_the_chain_shows(desk: Desk) -> None:
    attempt = desk.sent()
    assert attempt.withdrawal_id is not None
    desk.run(Quarantine("tron", SENDER, "strange", attempt.withdrawal_id))
    assert desk.withdrawal(attempt.withdrawal_id).state is State.QUARANTINED
    desk.run(desk.settle(attempt))
    assert desk.withdrawal(attempt.withdrawal_id).state is State.CONFIRMED


def test_quarantining_twice_writes_once_and_a_final_withdrawal_never_moves(desk: Desk) -> None:
    attempt = desk.sent()
    desk.run(desk.settle(attempt))
    desk.run(Quarantine("tron", SENDER, "strange", attempt.withdrawal_id))
    before = {row_type: dict(table) for row_type, table in desk.rows.items()}
    desk.run(Quarantine("tron", SENDER, "again", attempt.withdrawal_id))
    assert desk.rows == before
    assert desk.get(LaneRow, "tron", SENDER).quarantine == "strange"


# --- the lease ---


def test_a_lease_is_renewed_by_its_owner_and_taken_by_others_only_when_it_ended(desk: Desk) -> None:
    first = desk.get(LaneRow, "tron", SENDER)
    renewed = desk.run(ClaimLane("tron", SENDER, "worker", 2_000_000, 99))
    assert isinstance(renewed, LaneRow)
    assert (renewed.epoch, renewed.next_nonce) == (first.epoch, first.next_nonce)
    other = ClaimLane("tron", SENDER, "other", 1_000, 99)
    assert desk.refusal(other) is RefusalCode.NOT_NOW
    desk.now_ms = renewed.lease_until_ms
    taken = desk.run(other)
    assert isinstance(taken, LaneRow)
    assert (taken.owner, taken.epoch, taken.next_nonce) == ("other", first.epoch + 1, 0)


def test_a_new_lane_begins_at_the_chains_next_nonce(desk: Desk) -> None:
    lane = desk.run(ClaimLane("bsc", "0xabc", "worker", 1_000, 41))
    assert isinstance(lane, LaneRow)
    assert (lane.next_nonce, lane.epoch) == (41, 1)


def test_who_is_proven_alone_takes_a_living_lease_over_under_a_new_epoch(desk: Desk) -> None:
    before = desk.get(LaneRow, "tron", SENDER)
    after = desk.run(ClaimLane("tron", SENDER, "heir", 1_000, 99, alone=True))
    assert isinstance(after, LaneRow)
    assert (after.owner, after.epoch, after.next_nonce) == ("heir", before.epoch + 1, before.next_nonce)
