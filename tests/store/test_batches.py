"""What holds of any store: batches, neighbours, repeated requests, several commands on the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from penstock.core.acts import CreateAccount, CreateKey, CreditDeposit, FreezeAccount, RemoveBookEntry
from penstock.core.commands import ClaimLane, LaneStep, Reject, Unplan
from penstock.core.refusals import RefusalCode, Refused, Unavailable
from penstock.core.views import Accepted
from penstock.engine.ledger import gas_wallet
from penstock.engine.rows import AccountRow, BookRow, EntryRow, RequestRow, WithdrawalRow
from penstock.engine.sending_rows import AttemptRow, AuditRow, LaneRow
from penstock.store.store import Store
from penstock.store.verify import verify
from tests.store.samples import DEPOSIT, SENDER, Seeded, answer


def _codes(outcomes: list[object]) -> list[str]:
    return [
        outcome.code.value if isinstance(outcome, Refused) else type(outcome).__name__ for outcome in outcomes
    ]


def _check(seeded: Seeded) -> None:
    report = verify(seeded.store.reader())
    assert report.ok, report.lines()


def test_a_refused_command_spoils_no_neighbour(seeded: Seeded) -> None:
    outcomes = seeded.together(seeded.order("a"), seeded.order("b", DEPOSIT + 1), seeded.order("c"))
    assert _codes(outcomes) == ["Accepted", "balance_too_low", "Accepted"]
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 200, 200)
    _check(seeded)


def test_a_refused_command_leaves_its_request_id_free(seeded: Seeded) -> None:
    outcomes = seeded.together(seeded.order("a", DEPOSIT + 1), seeded.order("a", 7))
    assert _codes(outcomes) == ["balance_too_low", "Accepted"]


def test_a_bug_in_one_decision_spoils_no_neighbour(seeded: Seeded) -> None:
    broken = msgspec.structs.replace(seeded.plan(seeded.withdraw("x"), 0), nonce=5)
    outcomes = seeded.together(seeded.order("a"), broken, seeded.order("b"))
    assert isinstance(outcomes[1], Exception)
    assert _codes([outcomes[0], outcomes[2]]) == ["Accepted", "Accepted"]
    _check(seeded)


def test_a_command_the_database_cannot_take_spoils_no_neighbour(seeded: Seeded) -> None:
    # Half a surrogate pair cannot be written as UTF-8 by anyone: neither looked up nor stored.
    outcomes = seeded.together(
        seeded.order("a"),
        seeded.order("\ud800"),
        msgspec.structs.replace(seeded.order("c"), remark="\udfff"),
        seeded.order("b"),
    )
    assert _codes([outcomes[0], outcomes[3]]) == ["Accepted", "Accepted"]
    assert all(isinstance(outcome, Exception) for outcome in outcomes[1:3])
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 200, 200)
    _check(seeded)


def test_no_request_takes_money_that_an_earlier_one_of_its_batch_took(seeded: Seeded) -> None:
    outcomes = seeded.together(*(seeded.order(f"r{at}", DEPOSIT // 3) for at in range(5)))
    assert _codes(outcomes) == ["Accepted"] * 3 + ["balance_too_low"] * 2
    _check(seeded)


def test_one_request_sent_64_times_at_once_is_one_withdrawal_and_64_equal_answers(seeded: Seeded) -> None:
    outcomes = seeded.together(*[seeded.order("same")] * 64)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len({(each.withdrawal_id, each.accepted_ms) for each in outcomes}) == 1  # type: ignore[attr-defined]
    assert [each.repeated for each in outcomes] == [False] + [True] * 63  # type: ignore[attr-defined]
    assert len(list(seeded.store.reader().rows(WithdrawalRow))) == 1


def test_one_request_sent_64_times_from_an_event_loop_is_one_withdrawal(seeded: Seeded) -> None:
    async def race() -> list[object]:
        return await asyncio.gather(*(seeded.store.execute(seeded.order("same")) for _ in range(64)))

    outcomes = asyncio.run(race())
    assert len({each.withdrawal_id for each in outcomes}) == 1  # type: ignore[attr-defined]
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 100, 100)


def test_the_same_id_with_other_fields_is_refused_by_field_for_ever(seeded: Seeded) -> None:
    seeded.run(seeded.order("a", 100, business='{"amount":"100","memo":""}'))
    seeded.clock.advance(20 * 365 * 86_400_000)
    outcome = seeded.store.submit(seeded.order("a", 101, business='{"amount":"101","memo":""}')).exception(10)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.detail["field"]) == (RefusalCode.REQUEST_ID_CONFLICT, "amount")
    repeated = answer(seeded.store, seeded.order("a", 100, business='{"amount":"100","memo":""}'), Accepted)
    assert repeated.repeated
    assert len(list(seeded.store.reader().rows(RequestRow))) == 1


def test_amounts_beyond_64_bits_are_kept_exactly(seeded: Seeded) -> None:
    for at, amount in enumerate((2**63 - 1, 2**63, 2**64 + 1, 10**29 + 7)):
        withdrawal_id = seeded.withdraw(f"r{at}", amount)
        row = seeded.store.reader().row(WithdrawalRow, withdrawal_id)
        assert row is not None
        assert (row.amount, row.net) == (amount, amount - 1)
    seeded.run(CreditDeposit("test", seeded.other_id, "spot", "USDT", "tron", 10**60, "huge"))  # type: ignore[arg-type]
    assert seeded.balance(seeded.other_id) == (10**60, 0)
    _check(seeded)


def test_two_plans_of_one_batch_both_see_what_is_left_of_the_gas_float(seeded: Seeded) -> None:
    ids = [seeded.withdraw(f"r{at}") for at in range(3)]
    plans = [seeded.plan(each, at, ceiling=400) for at, each in enumerate(ids)]
    outcomes = seeded.together(*plans)
    assert _codes(outcomes) == ["AttemptRow", "AttemptRow", "balance_too_low"]
    assert seeded.balance(0, gas_wallet("tron"), "TRX") == (200, 800)
    lane = seeded.store.reader().row(LaneRow, "tron", SENDER)
    assert lane is not None
    assert lane.next_nonce == 2
    _check(seeded)


def test_two_plans_of_one_batch_for_one_nonce_are_one_plan(seeded: Seeded) -> None:
    ids = [seeded.withdraw(f"r{at}") for at in range(2)]
    outcomes = seeded.together(seeded.plan(ids[0], 0), seeded.plan(ids[1], 0), seeded.plan(ids[0], 1))
    assert _codes(outcomes) == ["AttemptRow", "not_now", "not_now"]
    _check(seeded)


def test_a_freeze_takes_hold_within_its_own_batch(seeded: Seeded) -> None:
    freeze = FreezeAccount("test", seeded.account_id, frozen=True)
    outcomes = seeded.together(seeded.order("a"), freeze, seeded.order("b"), seeded.order("a"))
    assert _codes(outcomes) == ["Accepted", "AccountRow", "account_frozen", "Accepted"]


def test_a_book_entry_removed_in_the_same_batch_pays_no_more(seeded: Seeded) -> None:
    (entry,) = seeded.store.reader().rows(BookRow)
    remove = RemoveBookEntry("test", seeded.account_id, entry.entry_id)
    again = seeded.book_entry(seeded.account_id)
    outcomes = seeded.together(seeded.order("a"), remove, seeded.order("b"), again, seeded.order("c"))
    assert _codes(outcomes) == ["Accepted", "BookRow", "address_not_in_book", "BookRow", "Accepted"]


def test_a_transfer_reaches_an_account_opened_in_the_same_batch(seeded: Seeded) -> None:
    outcomes = seeded.together(CreateAccount("test", "1003"), seeded.transfer("a", 5, recipient="1003"))
    assert _codes(outcomes) == ["AccountRow", "Accepted"]
    assert seeded.balance(outcomes[0].account_id) == (5, 0)  # type: ignore[attr-defined]
    _check(seeded)


def test_transfers_in_both_directions_in_one_batch_keep_every_unit(seeded: Seeded) -> None:
    back = msgspec.structs.replace(
        seeded.transfer("back", 60, "1001"), account_id=seeded.other_id, key_id="key-1"
    )
    outcomes = seeded.together(seeded.transfer("there", 100), back, seeded.transfer("again", 1))
    assert _codes(outcomes) == ["Accepted"] * 3
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 41, 0)
    assert seeded.balance(seeded.other_id) == (41, 0)
    _check(seeded)


def test_a_hold_resolves_once_within_one_batch(seeded: Seeded) -> None:
    withdrawal_id = seeded.withdraw("a")
    outcomes = seeded.together(*[Reject(withdrawal_id, "no")] * 3)
    assert _codes(outcomes) == ["NoneType", "not_now", "not_now"]
    assert seeded.balance(seeded.account_id) == (DEPOSIT, 0)
    _check(seeded)


def test_an_attempt_is_taken_back_once_within_one_batch(seeded: Seeded) -> None:
    attempt = answer(seeded.store, seeded.plan(seeded.withdraw("a"), 0), AttemptRow)
    unplan = Unplan(seeded.lane(), attempt.attempt_id, "signer refused")
    assert _codes(seeded.together(unplan, unplan)) == ["NoneType", "not_now"]
    assert seeded.balance(0, gas_wallet("tron"), "TRX") == (1_000, 0)
    _check(seeded)


def test_a_lane_has_one_owner_and_an_old_epoch_writes_nothing(seeded: Seeded) -> None:
    withdrawal_id = seeded.withdraw("a")
    old = seeded.plan(withdrawal_id, 0)
    claim = ClaimLane("tron", SENDER, "other", 1_000, 0)
    assert _codes([seeded.store.submit(claim).exception(10)]) == ["not_now"]
    seeded.clock.advance(1_000_000)
    row = answer(seeded.store, claim, LaneRow)
    assert (row.owner, row.epoch) == ("other", 2)
    assert _codes([seeded.store.submit(old).exception(10)]) == ["not_now"]
    stolen = msgspec.structs.replace(old, lane=LaneStep("tron", SENDER, "w", row.epoch))
    assert _codes([seeded.store.submit(stolen).exception(10)]) == ["not_now"]


def test_every_operators_act_leaves_one_audit_row_without_secrets(seeded: Seeded) -> None:
    before = len(list(seeded.store.reader().rows(AuditRow)))
    seeded.run(CreateKey("ops", seeded.account_id, "bitmart", "k9", "s3cret", "m3mo", ("read",)))
    rows = list(seeded.store.reader().rows(AuditRow))
    assert len(rows) == before + 1
    assert (rows[-1].actor, rows[-1].act, rows[-1].subject) == ("ops", "CreateKey", "key/k9")
    assert "s3cret" not in rows[-1].detail
    assert "m3mo" not in rows[-1].detail


def test_what_was_answered_is_there_after_opening_again(
    seeded: Seeded, open_store: Callable[[], Store]
) -> None:
    withdrawal_id = seeded.withdraw("a")
    entries = list(seeded.store.reader().rows(EntryRow))
    reopened = open_store()
    assert reopened.reader().row(WithdrawalRow, withdrawal_id) is not None
    assert list(reopened.reader().rows(EntryRow)) == entries


def test_a_closed_store_takes_nothing_and_finishes_what_it_took(seeded: Seeded) -> None:
    future = seeded.store.submit(seeded.order("a"))
    seeded.store.close()
    assert isinstance(future.result(10), Accepted)
    with pytest.raises(Unavailable):
        seeded.store.submit(seeded.order("b"))


def test_a_caller_that_gave_up_stops_nobody_else(seeded: Seeded) -> None:
    with seeded.ids.paused():
        futures = [seeded.store.submit(seeded.order(f"r{at}")) for at in range(3)]
        assert futures[1].cancel()
    assert isinstance(futures[2].result(10), Accepted)
    assert isinstance(seeded.run(seeded.order("later")), Accepted)


def test_what_another_process_commits_is_seen_by_the_next_batch(
    seeded: Seeded, open_second: Callable[[], Store]
) -> None:
    seeded.run(seeded.order("a"))
    other = open_second()
    answer(other, FreezeAccount("test", seeded.account_id, frozen=True), AccountRow)
    assert _codes([seeded.store.submit(seeded.order("b")).exception(10)]) == ["account_frozen"]
    answer(other, FreezeAccount("test", seeded.account_id, frozen=False), AccountRow)
    for at, store in enumerate((seeded.store, other, seeded.store, other)):
        answer(store, seeded.order(f"c{at}"), Accepted)
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 500, 500)
    _check(seeded)


def test_rows_kept_from_before_a_batch_was_rolled_back_are_not_trusted(seeded: Seeded) -> None:
    seeded.run(seeded.order("a"))
    bad = msgspec.structs.replace(seeded.order("bad", DEPOSIT // 2), remark="\udfff")
    for at in range(3):
        outcomes = seeded.together(bad, seeded.order(f"r{at}", DEPOSIT // 4))
        assert isinstance(outcomes[0], Exception)
        assert isinstance(outcomes[1], Accepted)
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 100 - 3 * (DEPOSIT // 4), 100 + 3 * (DEPOSIT // 4))
    _check(seeded)
