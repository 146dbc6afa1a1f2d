"""Challenges in the store: one answer though many come at once, what readers see, sweeping, and what survives."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from penstock.core.acts import Cancel, FreezeAccount
from penstock.core.commands import AnswerChallenge, Expire, Withdraw
from penstock.core.ids import AccountId
from penstock.core.queries import FindChallenge
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.views import Accepted, AnswerRejected, ChallengeView
from penstock.engine.rows import PostingRow, WithdrawalRow
from penstock.store.store import Store
from penstock.store.verify import verify
from penstock.workers import sweeper
from tests.store.samples import DEPOSIT, START_MS, Seeded

replace = msgspec.structs.replace

LIFE_MS = 120_000


def _quote(seeded: Seeded, nonce: str = "n", amount: int = 100) -> Withdraw:
    return replace(seeded.order(nonce, amount), challenge_ms=LIFE_MS, numbered=True)


def _quoted(seeded: Seeded, nonce: str = "n", amount: int = 100) -> int:
    accepted = seeded.run(_quote(seeded, nonce, amount))
    assert isinstance(accepted, Accepted)
    return accepted.withdrawal_id


def _answer(seeded: Seeded, nonce: str = "n", answer: str = "yes", *, valid: bool = True) -> AnswerChallenge:
    return AnswerChallenge(seeded.account_id, "key-0", "bitmart", nonce, answer, valid, ("spot", "fund"))


def _expire(seeded: Seeded, nonce: str = "n") -> Expire:
    return Expire(seeded.account_id, "bitmart", nonce)


def _codes(outcomes: list[object]) -> list[str]:
    return [
        outcome.code.value if isinstance(outcome, Refused) else type(outcome).__name__ for outcome in outcomes
    ]


def _check(seeded: Seeded, *held: int) -> None:
    """The ledger is sound and holds just these amounts."""
    report = verify(seeded.store.reader())
    assert report.ok, report.lines()
    assert seeded.balance(seeded.account_id) == (DEPOSIT - sum(held), sum(held))
    holds = [row for row in seeded.store.reader().rows(PostingRow) if row.kind == "hold"]
    assert len(holds) == len(held)


# --- many at once ---


def test_one_answer_sent_64_times_at_once_holds_once_and_is_answered_alike(seeded: Seeded) -> None:
    _quoted(seeded)
    outcomes = seeded.together(*[_answer(seeded)] * 64)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    first, *others = outcomes
    assert isinstance(first, Accepted)
    assert not first.repeated
    assert others == [replace(first, repeated=True)] * 63
    _check(seeded, 100)


def test_of_several_valid_answers_at_once_the_first_counts_and_the_others_are_refused(seeded: Seeded) -> None:
    _quoted(seeded)
    outcomes = seeded.together(*(_answer(seeded, answer=answer) for answer in "abab"))
    assert _codes(outcomes) == ["Accepted", "challenge_used", "Accepted", "challenge_used"]
    _check(seeded, 100)


def test_a_quote_and_its_answer_may_come_in_one_batch(seeded: Seeded) -> None:
    outcomes = seeded.together(_answer(seeded), _quote(seeded), _answer(seeded), _answer(seeded))
    assert _codes(outcomes) == ["challenge_unknown", "Accepted", "Accepted", "Accepted"]
    _check(seeded, 100)


def test_wrong_answers_of_one_batch_are_counted_one_by_one(seeded: Seeded) -> None:
    _quoted(seeded)
    outcomes = seeded.together(*[_answer(seeded, valid=False)] * 7, _answer(seeded))
    assert outcomes[:5] == [AnswerRejected(remaining) for remaining in (4, 3, 2, 1, 0)]
    assert _codes(outcomes[5:]) == ["challenge_exhausted"] * 3
    _check(seeded)


@pytest.mark.parametrize(
    "late_ms,codes", [(0, ["NoneType", "Accepted"]), (1, ["NoneType", "challenge_expired"])]
)
def test_of_an_answer_and_the_end_of_its_time_in_one_batch_the_time_decides(
    seeded: Seeded, late_ms: int, codes: list[str]
) -> None:
    _quoted(seeded)
    seeded.clock.advance(LIFE_MS + late_ms)
    assert _codes(seeded.together(_expire(seeded), _answer(seeded))) == codes
    _check(seeded, *([100] if late_ms == 0 else []))


def test_answers_and_withdrawals_of_one_batch_share_one_balance(seeded: Seeded) -> None:
    third = DEPOSIT // 3
    _quoted(seeded, "a", third)
    _quoted(seeded, "b", third)
    outcomes = seeded.together(
        _answer(seeded, "a"), seeded.order("c", third), seeded.order("d", third), _answer(seeded, "b")
    )
    assert _codes(outcomes) == ["Accepted", "Accepted", "Accepted", "balance_too_low"]
    _check(seeded, third, third, third)


def test_a_freeze_takes_hold_before_an_answer_of_its_own_batch(seeded: Seeded) -> None:
    _quoted(seeded)
    frozen, thawed = (FreezeAccount("t", seeded.account_id, frozen=frozen) for frozen in (True, False))
    outcomes = seeded.together(frozen, _answer(seeded), thawed, _answer(seeded))
    assert _codes(outcomes) == ["AccountRow", "account_frozen", "AccountRow", "Accepted"]
    _check(seeded, 100)


def test_numbers_follow_the_answers_of_a_batch(seeded: Seeded) -> None:
    for nonce in "abc":
        _quoted(seeded, nonce)
    outcomes = seeded.together(
        _answer(seeded, "c"),
        replace(seeded.order("d"), numbered=True),
        _answer(seeded, "a"),
        _answer(seeded, "c"),
    )
    assert [outcome.number for outcome in outcomes] == [1, 2, 3, 1]  # type: ignore[attr-defined]
    _check(seeded, 100, 100, 100)


# --- what readers see ---


def _view(seeded: Seeded, nonce: str = "n", **changes: object) -> ChallengeView | None:
    found = seeded.store.ask(replace(FindChallenge(seeded.account_id, "bitmart", nonce), **changes))
    assert found is None or isinstance(found, ChallengeView)
    return found


def test_a_reader_sees_how_the_answering_stands(seeded: Seeded) -> None:
    withdrawal_id = _quoted(seeded)
    seeded.run(_answer(seeded, answer="no", valid=False))
    view = _view(seeded)
    assert view is not None
    assert (view.nonce, view.expires_ms, view.failures, view.answer) == ("n", START_MS + LIFE_MS, 1, "")
    assert (view.withdrawal.withdrawal_id, view.withdrawal.state) == (withdrawal_id, State.CHALLENGED)
    assert (view.withdrawal.amount, view.withdrawal.fee, view.withdrawal.net) == (100, 1, 99)
    seeded.run(_answer(seeded))
    view = _view(seeded)
    assert view is not None
    assert (view.failures, view.answer, view.withdrawal.state) == (1, "yes", State.HELD)


@pytest.mark.parametrize(
    "changes", [{"account_id": AccountId(5)}, {"venue": "sunx"}, {"nonce": "N"}, {"nonce": ""}]
)
def test_a_challenge_is_shown_to_its_own_account_and_venue_only(
    seeded: Seeded, changes: dict[str, object]
) -> None:
    _quoted(seeded)
    assert _view(seeded, **changes) is None
    assert _view(seeded, account_id=seeded.other_id) is None
    assert _view(seeded) is not None


def test_no_worker_is_shown_what_was_only_quoted(seeded: Seeded) -> None:
    quoted, held = _quoted(seeded), seeded.withdraw("held")
    to_plan = seeded.store.reader().to_plan("tron", 10)
    assert [row.withdrawal_id for row in to_plan] == [held]
    seeded.run(_answer(seeded))
    assert [row.withdrawal_id for row in seeded.store.reader().to_plan("tron", 10)] == [quoted, held]


# --- sweeping ---


def _waiting(seeded: Seeded, limit: int = 100) -> list[str]:
    due = seeded.store.reader().expired_challenges(seeded.clock.now_ms(), limit)
    return [challenge.nonce for challenge in due]


def test_quotes_are_due_for_closing_when_their_time_is_over_and_nobody_answered_oldest_first(
    seeded: Seeded,
) -> None:
    for nonce in "abcde":
        _quoted(seeded, nonce)
        seeded.clock.advance(1_000)
    seeded.run(_answer(seeded, "b"))
    seeded.run(_answer(seeded, "c", valid=False))
    seeded.clock.at_ms = START_MS + LIFE_MS + 3_000
    assert _waiting(seeded) == ["a", "c"]
    seeded.clock.advance(1)
    assert _waiting(seeded) == ["a", "c", "d"]
    assert _waiting(seeded, 2) == ["a", "c"]


def test_a_sweep_closes_all_that_is_due_and_nothing_else(
    seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "SWEPT_AT_ONCE", 4)
    for at in range(10):
        _quoted(seeded, f"n{at}")
    seeded.run(_answer(seeded, "n3"))
    seeded.clock.advance(LIFE_MS)
    later = _quoted(seeded, "later")
    assert sweeper.sweep(seeded.store, seeded.clock) == 0
    seeded.clock.advance(1)
    assert [sweeper.sweep(seeded.store, seeded.clock) for _ in range(4)] == [4, 4, 1, 0]
    states = [row.state for row in seeded.store.reader().rows(WithdrawalRow)]
    assert (states.count(State.EXPIRED), states.count(State.HELD)) == (9, 1)
    row = seeded.store.reader().row(WithdrawalRow, later)
    assert row is not None
    assert row.state is State.CHALLENGED
    _check(seeded, 100)


# --- what survives ---


def test_a_quote_is_answered_and_an_answer_repeated_after_a_restart(
    seeded: Seeded, open_store: Callable[[], Store]
) -> None:
    _quoted(seeded)
    seeded.run(_answer(seeded, valid=False))
    seeded.store = open_store()
    assert seeded.run(_answer(seeded, valid=False)) == AnswerRejected(remaining=3)
    first = seeded.run(_answer(seeded))
    assert isinstance(first, Accepted)
    seeded.store = open_store()
    assert seeded.run(_answer(seeded)) == replace(first, repeated=True)
    with pytest.raises(Refused) as refused:
        seeded.run(_answer(seeded, answer="another"))
    assert refused.value.code is RefusalCode.CHALLENGE_USED
    _check(seeded, 100)


def test_what_another_process_answered_is_not_answered_here(
    seeded: Seeded, open_second: Callable[[], Store]
) -> None:
    _quoted(seeded)
    other = open_second()
    first = other.submit(_answer(seeded)).result(10)
    assert isinstance(first, Accepted)
    assert seeded.run(_answer(seeded)) == replace(first, repeated=True)
    assert _codes(seeded.together(_answer(seeded, answer="another"))) == ["challenge_used"]
    _check(seeded, 100)


def test_an_answered_quote_that_was_cancelled_is_not_answered_again(seeded: Seeded) -> None:
    withdrawal_id = _quoted(seeded)
    seeded.run(_answer(seeded))
    seeded.run(Cancel("ops", withdrawal_id))  # type: ignore[arg-type]
    again = seeded.run(_answer(seeded))
    assert isinstance(again, Accepted)
    assert (again.withdrawal_id, again.repeated, again.state) == (withdrawal_id, True, State.CANCELLED)
    assert seeded.balance(seeded.account_id) == (DEPOSIT, 0)
    assert verify(seeded.store.reader()).ok
