"""Single withdrawals through the whole service, one fault at a time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from penstock.chains.simulated.transaction import transaction_hash
from penstock.core.acts import FreezeAccount, RemoveBookEntry, SetControl
from penstock.core.commands import RecordSigned
from penstock.core.intents import decode_intent
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.engine.sending_rows import AttemptRow, LaneRow, NonceRow
from penstock.signer.messages import Reason
from penstock.workers.chain_worker import make_pass, run_pass
from tests.simulation.deployment import RECEIVERS, Deployment

Deploy = Callable[..., Deployment]
WHOLE_WAY = ["held", "approved", "planned", "signed", "sent", "mined", "confirmed"]


def _lane_row(service: Deployment) -> LaneRow:
    row = service.store.reader().lane("tron", service.sender)
    assert row is not None
    return row


def _attempts(service: Deployment) -> list[AttemptRow]:
    return list(service.store.reader().rows(AttemptRow))


def _nonces(service: Deployment) -> list[NonceRow]:
    return list(service.store.reader().rows(NonceRow))


@pytest.mark.parametrize("asset", ["USDT", "TRX"])
def test_a_withdrawal_is_paid_once_and_settled(deploy: Deploy, asset: str) -> None:
    service = deploy()
    withdrawal_id = service.withdraw("r1", asset=asset)
    service.run_until_final()
    assert service.states(withdrawal_id) == WHOLE_WAY
    service.check_settled()


def test_many_withdrawals_are_paid_in_one_go(deploy: Deploy) -> None:
    service = deploy()
    ids = [service.withdraw(f"r{at}", 5_000_000 + at, receiver=at % 2) for at in range(100)]
    service.run_until_final()
    assert {service.row(each).state for each in ids} == {State.CONFIRMED}
    service.check_settled()


def test_a_lost_answer_does_not_pay_twice(deploy: Deploy) -> None:
    service = deploy()
    service.script.lose_next_answer()
    service.withdraw("r1")
    service.run_until_final()
    service.check_settled()


def test_a_dropped_transaction_is_sent_again_with_the_same_bytes(deploy: Deploy) -> None:
    service = deploy()
    service.script.drop_next()
    withdrawal_id = service.withdraw("r1")
    service.run_until_final()
    assert service.states(withdrawal_id) == WHOLE_WAY
    assert len(set(service.node.offered)) == 1
    service.check_settled()


def test_a_stuck_transaction_is_replaced_at_a_higher_fee(deploy: Deploy) -> None:
    service = deploy()
    service.script.stick_next()
    withdrawal_id = service.withdraw("r1")
    service.run_until_final()
    first, second = _attempts(service)
    assert (first.state, second.state, second.replaces) == ("replaced", "final", first.attempt_id)
    assert first.nonce == second.nonce
    assert service.row(withdrawal_id).tx_hash == second.tx_hash
    service.check_settled()


def test_fees_rise_no_higher_than_was_held_at_planning(deploy: Deploy) -> None:
    service = deploy()
    service.script.set_fee_floor(1_000)
    service.withdraw("r1")
    service.passes(1, blocks=0)
    service.script.set_fee_floor(1_000_000)
    service.passes(100)
    service.check()
    assert len(_attempts(service)) == 1, "a bump beyond the ceiling was planned"
    service.script.set_fee_floor(4_000)
    service.run_until_final()
    assert max(intent.fee for signed in service.signer.log.values() for intent, _ in signed) <= 4_000
    service.check_settled()


def test_money_comes_back_when_the_chain_takes_the_transaction_and_does_not_pay(deploy: Deploy) -> None:
    service = deploy()
    service.script.fail_next()
    withdrawal_id = service.withdraw("r1")
    service.run_until_final()
    assert service.row(withdrawal_id).state is State.FAILED
    assert service.row(withdrawal_id).reason == "reverted"
    service.check_settled()


def test_a_reorganisation_takes_mined_back_to_sent_and_the_payment_still_happens_once(deploy: Deploy) -> None:
    for vanish in (False, True):
        service = deploy()
        withdrawal_id = service.withdraw("r1")
        service.passes(3)
        assert service.row(withdrawal_id).state is State.MINED
        service.script.reorg(3, vanish=vanish)
        service.passes(1, blocks=0)
        assert service.row(withdrawal_id).state is State.SENT
        service.run_until_final()
        assert service.states(withdrawal_id)[-4:] == ["mined", "sent", "mined", "confirmed"]
        service.check_settled()


def test_nothing_settles_before_it_is_final(deploy: Deploy) -> None:
    service = deploy()
    withdrawal_id = service.withdraw("r1")
    service.passes(1)
    for _ in range(4):
        service.passes(1)
        assert service.row(withdrawal_id).state is State.MINED
    service.passes(1)
    assert service.row(withdrawal_id).state is State.CONFIRMED


def test_a_stopped_network_plans_signs_and_sends_nothing_until_it_starts_again(deploy: Deploy) -> None:
    for name in ("sending", "network/tron"):
        service = deploy()
        withdrawal_id = service.withdraw("r1")
        service.run(SetControl("test", name, stopped=True))
        service.passes(5)
        assert service.row(withdrawal_id).state is State.HELD
        assert not service.signer.log
        service.run(SetControl("test", name, stopped=False))
        service.run_until_final()
        service.check_settled()


def test_stopping_between_plan_and_signature_keeps_the_signer_idle(deploy: Deploy) -> None:
    service = deploy()
    service.signer.silent = True
    withdrawal_id = service.withdraw("r1")
    service.passes(2)
    assert service.row(withdrawal_id).state is State.PLANNED
    service.run(SetControl("test", "sending", stopped=True))
    service.signer.silent = False
    service.passes(3)
    assert not service.signer.log
    service.run(SetControl("test", "sending", stopped=False))
    service.run_until_final()
    service.check_settled()


@pytest.mark.parametrize("change", ["book", "account"])
def test_what_may_no_longer_be_paid_is_taken_back_before_it_is_signed(deploy: Deploy, change: str) -> None:
    service = deploy()
    service.signer.silent = True
    withdrawal_id = service.withdraw("r1")
    service.passes(1)
    assert service.row(withdrawal_id).state is State.PLANNED
    if change == "book":
        service.run(RemoveBookEntry("test", service.account_id, service.entries[0]))
    else:
        service.run(FreezeAccount("test", service.account_id, frozen=True))
    service.signer.silent = False
    service.run_until_final()
    assert service.row(withdrawal_id).state is State.REJECTED
    assert not service.signer.log
    assert [nonce.free for nonce in _nonces(service)] == [True]
    service.check_settled()


@pytest.mark.parametrize("field", ["to", "units", "nonce"])
def test_bytes_that_are_not_what_was_asked_for_are_never_stored_or_sent(deploy: Deploy, field: str) -> None:
    other = {"to": RECEIVERS[1], "units": "1", "nonce": 5}[field]
    service = deploy()
    service.signer.answers_with = lambda intent: msgspec.structs.replace(intent, **{field: other})
    withdrawal_id = service.withdraw("r1")
    service.passes(5)
    assert service.row(withdrawal_id).state is State.PLANNED
    assert not service.node.payments()
    assert not service.node.mempool()
    service.signer.answers_with = None
    service.run_until_final()
    assert service.row(withdrawal_id).state is State.CONFIRMED
    service.check_settled()


def test_what_the_signer_has_signed_goes_forward_even_if_the_book_changed(deploy: Deploy) -> None:
    service = deploy()
    withdrawal_id = service.withdraw("r1")
    service.signer.loses_answers = True
    run_pass(service.lane)
    service.signer.loses_answers = False
    assert service.row(withdrawal_id).state is State.PLANNED
    assert service.signer.log
    service.run(RemoveBookEntry("test", service.account_id, service.entries[0]))
    service.run_until_final()
    assert service.row(withdrawal_id).state is State.CONFIRMED
    service.check_settled()


@pytest.mark.parametrize("waiting", [0, 1, 2])
def test_a_freed_nonce_below_others_is_used_again_or_filled(deploy: Deploy, waiting: int) -> None:
    service = deploy()
    ids = [service.withdraw(f"r{at}", 5_000_000 + at) for at in range(3)]
    refused = {"5000000", "4000000"}
    service.signer.refuses = lambda intent: Reason.PAYMENT_TOO_LARGE if intent.units in refused else None
    service.passes(1)
    assert service.row(ids[0]).state is State.REJECTED
    for at in range(waiting):
        service.withdraw(f"later{at}", 6_000_000 + at, receiver=1)
    service.run_until_final()
    assert [service.row(each).state.value for each in ids] == ["rejected", "confirmed", "confirmed"]
    assert sorted(service.signer.log) == list(range(3 if waiting < 2 else 4))
    assert service.store.reader().open_nonces("tron", service.sender) == []
    service.check_settled()


def test_a_gap_is_filled_even_while_what_waits_cannot_be_afforded(deploy: Deploy) -> None:
    service = deploy(wallet=20_000_000)
    ids = [service.withdraw(f"r{at}", 5_000_000 + at) for at in range(2)]
    refused = {"4000000"}
    service.signer.refuses = lambda intent: Reason.PAYMENT_TOO_LARGE if intent.units in refused else None
    too_much = service.withdraw("large", 900_000_000)
    service.passes(20)
    assert [service.row(each).state.value for each in ids] == ["rejected", "confirmed"]
    assert service.row(too_much).state is State.HELD
    service.check()


def test_a_hot_wallet_that_is_too_low_waits_and_rejects_nothing(deploy: Deploy) -> None:
    service = deploy(wallet=5_000_000)
    large = service.withdraw("r1", 900_000_000)
    small = service.withdraw("r2", 3_000_000)
    service.passes(20)
    assert service.row(large).state is State.HELD
    assert service.row(small).state is State.CONFIRMED
    service.node.fund(service.sender, "USDT", service.deposit - 5_000_000)
    service.run_until_final()
    assert service.row(large).state is State.CONFIRMED
    service.check_settled()


def test_a_gas_float_that_is_too_low_waits_and_plans_nothing_beyond_it(deploy: Deploy) -> None:
    service = deploy(gas=9_000)
    for at in range(5):
        service.withdraw(f"r{at}", 5_000_000 + at)
    run_pass(service.lane)
    assert len(_nonces(service)) == 2, "each plan holds 4,000 of 9,000"
    service.passes(8)
    service.run_until_final()
    service.check_settled()


def test_a_node_that_names_another_hash_is_not_used_any_further(deploy: Deploy) -> None:
    service = deploy()
    service.script.lie_next()
    service.withdraw("r1", 5_000_001)
    service.passes(1)
    assert _lane_row(service).quarantine.startswith("node lied")
    service.withdraw("r2", 5_000_002)
    offered = len(service.node.offered)
    service.passes(10)
    assert len(service.node.offered) == offered
    service.check()


def test_a_chain_ahead_of_our_plans_stops_the_lane_before_anything_is_sent(deploy: Deploy) -> None:
    service = deploy()
    service.withdraw("r1")
    service.run_until_final()
    stranger = service.chain.filler(service.sender, 1)
    service.node.submit(service.signer.raw(stranger))  # type: ignore[arg-type]
    service.node.unstored.clear()
    service.clock.advance(2_000)
    service.withdraw("r2", 6_000_000)
    offered = len(service.node.offered)
    service.passes(5)
    assert "never planned here" in _lane_row(service).quarantine
    assert len(service.node.offered) == offered
    assert 1 not in service.signer.log


def test_a_nonce_used_by_a_stranger_sets_the_withdrawal_aside(deploy: Deploy) -> None:
    service = deploy()
    withdrawal_id = service.withdraw("r1")
    service.script.drop_next()
    run_pass(service.lane)
    stranger = service.chain.filler(service.sender, 0)
    service.node.submit(service.signer.raw(stranger))  # type: ignore[arg-type]
    service.node.unstored.clear()
    service.passes(20)
    assert service.row(withdrawal_id).state is State.QUARANTINED
    assert "not ours" in _lane_row(service).quarantine
    service.check()


def test_a_signer_that_remembers_another_payment_stops_the_lane(deploy: Deploy) -> None:
    service = deploy()
    other = service.chain.filler(service.sender, 0)
    service.signer.sign(other)
    first, second = service.withdraw("r1", 5_000_001), service.withdraw("r2", 5_000_002)
    service.passes(5)
    assert service.row(first).state is State.QUARANTINED
    assert service.row(second).state is State.PLANNED
    assert "signer knows" in _lane_row(service).quarantine
    assert not service.node.offered
    assert list(service.signer.log) == [0], "nothing more is signed once the signer contradicts us"
    service.check()


def test_a_bump_the_signer_refuses_is_dropped_and_not_asked_for_again_at_once(deploy: Deploy) -> None:
    service = deploy()
    service.script.stick_next()
    withdrawal_id = service.withdraw("r1")
    service.signer.refuses = lambda intent: Reason.FEE_TOO_HIGH if intent.fee > 1_000 else None
    service.passes(45)
    states = [attempt.state for attempt in _attempts(service)]
    assert states[0] == "sent"
    assert set(states[1:]) == {"dropped"}
    assert len(states) <= 5
    service.signer.refuses = lambda _: None
    service.run_until_final()
    assert service.row(withdrawal_id).state is State.CONFIRMED
    service.check_settled()


def test_a_bump_whose_signature_is_late_is_planned_once(deploy: Deploy) -> None:
    service = deploy()
    service.script.stick_next()
    service.withdraw("r1")
    service.passes(5)
    service.signer.silent = True
    service.passes(50)
    assert [attempt.state for attempt in _attempts(service)] == ["sent", "planned"]
    service.signer.silent = False
    service.run_until_final()
    service.check_settled()


def test_a_new_worker_takes_over_when_the_lease_ends_and_the_old_one_writes_no_more(
    deploy: Deploy,
) -> None:
    service = deploy()
    service.withdraw("r1", 5_000_001)
    make_pass(service.lane)
    old, service.lane = service.lane, service.new_lane()
    with pytest.raises(Refused) as refused:
        make_pass(service.lane)
    assert refused.value.code is RefusalCode.NOT_NOW
    service.clock.advance(service.pace.lease_ms)
    make_pass(service.lane)
    service.withdraw("r2", 5_000_002)
    before = _attempts(service)
    with pytest.raises(Refused):
        make_pass(old)
    assert _attempts(service) == before
    service.run_until_final()
    service.check_settled()


def test_a_worker_that_slept_past_its_lease_may_sign_but_its_bytes_are_never_sent(deploy: Deploy) -> None:
    service = deploy()
    service.signer.silent = True
    withdrawal_id = service.withdraw("r1")
    run_pass(service.lane)
    service.signer.silent = False
    service.clock.advance(service.pace.lease_ms + 1)
    old, service.lane = service.lane, service.new_lane()
    service.lane.claim()
    # The old one goes on in the middle of its pass, with the lease it believes in.
    (attempt,) = _attempts(service)
    signed = old.signer.sign(decode_intent(attempt.intent))
    with pytest.raises(Refused):
        old.run(RecordSigned(old.step, attempt.attempt_id, signed.raw, signed.tx_hash))
    assert service.row(withdrawal_id).state is State.PLANNED
    service.run_until_final()
    assert [transaction_hash(raw) for raw in set(service.node.offered)] == [
        service.row(withdrawal_id).tx_hash
    ]
    service.check_settled()


@pytest.mark.parametrize("paid_before", [0, 1, 3])
def test_an_older_backup_pays_nothing_twice(deploy: Deploy, paid_before: int) -> None:
    service = deploy()
    for at in range(paid_before):
        service.withdraw(f"early{at}", 7_000_000 + at)
        service.run_until_final()
    service.withdraw("r1")
    backup = service.back_up()
    service.run_until_final()
    offered = len(service.node.offered)
    service.restore(backup)
    service.passes(30)
    assert "never planned here" in _lane_row(service).quarantine
    assert len(service.node.offered) == offered
    assert [service.paid(row) for row in service.rows()] == [1] * (paid_before + 1)


def test_a_backup_from_before_the_signature_sends_the_very_bytes_again(deploy: Deploy) -> None:
    service = deploy()
    withdrawal_id = service.withdraw("r1")
    backup = service.back_up()
    service.script.stick_next()
    run_pass(service.lane)
    assert service.row(withdrawal_id).state is State.SENT
    service.restore(backup)
    service.run_until_final()
    assert service.row(withdrawal_id).state is State.CONFIRMED
    service.check_settled()


def test_sending_before_storing_is_caught(deploy: Deploy) -> None:
    service = deploy()
    service.lane.unsafe_send_before_store = True
    service.withdraw("r1")
    service.run_until_final()
    assert service.node.unstored
    with pytest.raises(AssertionError, match="before they were stored"):
        service.check()
