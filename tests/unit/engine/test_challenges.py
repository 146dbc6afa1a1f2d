"""Quotes that the customer answers: what a quote promises, and how often, by whom and until when it is answered."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from penstock.core.acts import (
    Approve,
    Cancel,
    CreateKey,
    CreditDeposit,
    Decline,
    FreezeAccount,
    FreezeKey,
    RemoveBookEntry,
    SetControl,
)
from penstock.core.amounts import Units
from penstock.core.commands import AnswerChallenge, Command, Expire, Reject, Withdraw
from penstock.core.refusals import RefusalCode
from penstock.core.states import State
from penstock.core.views import Accepted, AnswerRejected
from penstock.engine.rows import (
    AccountRow,
    BalanceRow,
    BookRow,
    ChallengeRow,
    EntryRow,
    HistoryRow,
    PostingRow,
    QuotaRow,
)
from penstock.engine.rules import Policy
from tests.unit.engine.desk import START_MS, Desk, rules

replace = msgspec.structs.replace

LIFE_MS = 120_000
FULL = (1_000_000_000, 0)
HELD = (995_000_000, 5_000_000)


def _quote(desk: Desk, nonce: str = "n", amount: int = 5_000_000) -> Withdraw:
    return replace(desk.order(nonce, amount), challenge_ms=LIFE_MS)


def _quoted(desk: Desk, nonce: str = "n", amount: int = 5_000_000) -> Accepted:
    accepted = desk.run(_quote(desk, nonce, amount))
    assert isinstance(accepted, Accepted)
    return accepted


def _answer(
    desk: Desk, nonce: str = "n", answer: str = "signature", *, valid: bool = True
) -> AnswerChallenge:
    return AnswerChallenge(desk.account_id, "key", "bitmart", nonce, answer, valid, ("spot", "fund"))


def _challenge(desk: Desk, nonce: str = "n") -> ChallengeRow:
    return desk.get(ChallengeRow, desk.account_id, "bitmart", nonce)


def _expire(desk: Desk, nonce: str = "n") -> Expire:
    return Expire(desk.account_id, "bitmart", nonce)


# --- the quote ---


def test_a_quote_holds_nothing_and_uses_neither_quota_nor_a_number(desk: Desk) -> None:
    desk.rules = rules(Policy(daily_quota_sat=10_000))
    postings = len(desk.all(PostingRow))
    quoted = desk.run(replace(_quote(desk), numbered=True))
    assert isinstance(quoted, Accepted)
    assert (quoted.state, quoted.amount, quoted.fee, quoted.net, quoted.number) == (
        State.CHALLENGED,
        5_000_000,
        1_000_000,
        4_000_000,
        0,
    )
    assert desk.balance() == FULL
    assert len(desk.all(PostingRow)) == postings
    assert not desk.all(QuotaRow)
    assert desk.withdrawal(quoted.withdrawal_id).state is State.CHALLENGED


def test_quotes_for_more_than_there_is_altogether_stand_side_by_side(desk: Desk) -> None:
    for at in range(5):
        _quoted(desk, f"n{at}", 1_000_000_000)
    assert desk.balance() == FULL
    assert isinstance(desk.run(_answer(desk, "n3")), Accepted)
    assert desk.refusal(_answer(desk, "n4")) is RefusalCode.BALANCE_TOO_LOW


def test_a_quote_that_could_never_be_paid_is_refused_at_once(desk: Desk) -> None:
    assert desk.refusal(_quote(desk, amount=1_000_000_010)) is RefusalCode.BALANCE_TOO_LOW


def test_the_same_nonce_asked_for_again_is_the_same_quote_and_gets_no_more_time(desk: Desk) -> None:
    first = _quoted(desk)
    until = _challenge(desk).expires_ms
    desk.now_ms += 60_000
    again = desk.run(_quote(desk))
    assert again == Accepted(first.withdrawal_id, first.accepted_ms, repeated=True)
    assert (len(desk.all(ChallengeRow)), _challenge(desk).expires_ms) == (1, until)


@pytest.mark.parametrize(
    "make",
    [
        lambda desk, asked: desk.plan(asked),
        lambda _, asked: Reject(asked, "no"),
        lambda _, asked: Approve("ops", asked),
        lambda _, asked: Decline("ops", asked, "no"),
        lambda _, asked: Cancel("ops", asked),
    ],
)
def test_nobody_pays_or_gives_back_what_was_only_quoted(
    desk: Desk, make: Callable[[Desk, int], Command]
) -> None:
    assert desk.refusal(make(desk, _quoted(desk).withdrawal_id)) is RefusalCode.NOT_NOW


# --- the answer, and its time ---


def test_a_valid_answer_holds_the_money_and_numbers_the_withdrawal(desk: Desk) -> None:
    quoted = _quoted(desk)
    desk.now_ms += 1_000
    held = desk.run(_answer(desk))
    assert held == Accepted(
        quoted.withdrawal_id,
        quoted.accepted_ms,
        repeated=False,
        number=1,
        state=State.HELD,
        amount=Units(5_000_000),
        fee=Units(1_000_000),
        net=Units(4_000_000),
    )
    assert desk.balance() == HELD
    assert not any(desk.sums().values())
    assert [step.state_after for step in desk.all(HistoryRow)] == ["challenged", "held"]


@pytest.mark.parametrize("late_ms,taken", [(-1, True), (0, True), (1, False), (10**9, False)])
def test_an_answer_is_taken_up_to_its_last_millisecond_and_not_one_later(
    desk: Desk, late_ms: int, taken: bool
) -> None:
    _quoted(desk)
    desk.now_ms = START_MS + LIFE_MS + late_ms
    if taken:
        assert isinstance(desk.run(_answer(desk)), Accepted)
        assert desk.balance() == HELD
    else:
        assert desk.refusal(_answer(desk)) is RefusalCode.CHALLENGE_EXPIRED
        assert desk.refusal(_answer(desk, valid=False)) is RefusalCode.CHALLENGE_EXPIRED
        assert desk.balance() == FULL


def test_closing_a_quote_whose_time_is_over_releases_nothing_because_nothing_was_held(desk: Desk) -> None:
    quoted = _quoted(desk)
    entries = len(desk.all(EntryRow))
    desk.now_ms = START_MS + LIFE_MS
    desk.run(_expire(desk))
    assert desk.withdrawal(quoted.withdrawal_id).state is State.CHALLENGED
    desk.now_ms += 1
    desk.run(_expire(desk))
    desk.run(_expire(desk))
    assert desk.withdrawal(quoted.withdrawal_id).state is State.EXPIRED
    assert [step.state_after for step in desk.all(HistoryRow)] == ["challenged", "expired"]
    assert (desk.balance(), len(desk.all(EntryRow))) == (FULL, entries)


def test_an_answered_quote_is_never_closed_by_time(desk: Desk) -> None:
    quoted = _quoted(desk)
    desk.run(_answer(desk))
    desk.now_ms += 10 * LIFE_MS
    desk.run(_expire(desk))
    assert desk.withdrawal(quoted.withdrawal_id).state is State.HELD
    assert desk.balance() == HELD


def test_closing_what_nobody_knows_writes_nothing(desk: Desk) -> None:
    assert desk.run(_expire(desk, "unknown")) is None
    assert not desk.all(ChallengeRow)


@pytest.mark.parametrize("valid", [True, False])
def test_a_closed_quote_stays_closed_when_the_clock_steps_back(desk: Desk, valid: bool) -> None:
    _quoted(desk)
    desk.now_ms = START_MS + LIFE_MS + 1
    desk.run(_expire(desk))
    desk.now_ms = START_MS
    assert desk.refusal(_answer(desk, valid=valid)) is RefusalCode.CHALLENGE_EXPIRED
    assert desk.balance() == FULL


# --- who, and how often ---


def test_a_nonce_is_known_to_its_own_account_and_venue_only(desk: Desk) -> None:
    _quoted(desk)
    desk.run(CreateKey("t", desk.other_id, "bitmart", "theirs", "s", "", ("withdraw",)))
    theirs = replace(_answer(desk), account_id=desk.other_id, key_id="theirs")
    assert desk.refusal(theirs) is RefusalCode.CHALLENGE_UNKNOWN
    assert desk.refusal(replace(_answer(desk), venue="sunx")) is RefusalCode.CHALLENGE_UNKNOWN
    assert desk.refusal(_answer(desk, "m")) is RefusalCode.CHALLENGE_UNKNOWN
    assert desk.refusal(replace(_answer(desk), key_id="theirs")) is RefusalCode.KEY_FROZEN
    assert _challenge(desk).failures == 0
    assert isinstance(desk.run(_answer(desk)), Accepted)


@pytest.mark.parametrize("failures", range(6))
def test_five_wrong_answers_are_counted_down_and_then_a_right_one_comes_too_late(
    desk: Desk, failures: int
) -> None:
    _quoted(desk)
    for at in range(min(failures, 5)):
        rejected = desk.run(_answer(desk, answer=f"wrong {at}", valid=False))
        assert rejected == AnswerRejected(remaining=4 - at)
        assert desk.balance() == FULL
    if failures < 5:
        assert isinstance(desk.run(_answer(desk)), Accepted)
        assert desk.balance() == HELD
    else:
        assert desk.refusal(_answer(desk)) is RefusalCode.CHALLENGE_EXHAUSTED
        assert desk.refusal(_answer(desk, valid=False)) is RefusalCode.CHALLENGE_EXHAUSTED
        assert desk.balance() == FULL


def test_wrong_answers_to_one_nonce_use_up_no_other(desk: Desk) -> None:
    _quoted(desk, "a")
    _quoted(desk, "b")
    for _ in range(5):
        desk.run(_answer(desk, "a", valid=False))
    assert isinstance(desk.run(_answer(desk, "b")), Accepted)


def test_the_same_valid_answer_again_is_the_same_withdrawal_and_writes_nothing_for_ever(desk: Desk) -> None:
    _quoted(desk)
    first = desk.run(_answer(desk))
    assert isinstance(first, Accepted)
    for _, spoil in LOOKED_AT_AGAIN[1:]:
        spoil(desk)
    desk.now_ms += 1_000 * LIFE_MS
    before = {row_type: dict(table) for row_type, table in desk.rows.items()}
    assert desk.run(_answer(desk)) == replace(first, repeated=True)
    assert desk.rows == before


def test_a_repeated_answer_tells_of_the_same_withdrawal_when_that_has_moved_on(desk: Desk) -> None:
    quoted = _quoted(desk)
    desk.now_ms += 1_000
    first = desk.run(_answer(desk))
    assert isinstance(first, Accepted)
    desk.now_ms += 5
    desk.run(desk.plan(quoted.withdrawal_id))
    again = desk.run(_answer(desk))
    assert isinstance(again, Accepted)
    assert again.repeated
    assert (again.withdrawal_id, again.number) == (first.withdrawal_id, first.number)
    assert again.accepted_ms == first.accepted_ms == quoted.accepted_ms
    assert (again.amount, again.fee, again.net) == (first.amount, first.fee, first.net)


@pytest.mark.parametrize("answer,valid", [("other", True), ("other", False), ("signature", False)])
def test_another_answer_after_the_first_is_refused(desk: Desk, answer: str, valid: bool) -> None:
    _quoted(desk)
    desk.run(_answer(desk))
    assert desk.refusal(_answer(desk, answer=answer, valid=valid)) is RefusalCode.CHALLENGE_USED
    assert desk.balance() == HELD


# --- what is looked at again ---


def _set(desk: Desk, row: AccountRow | BookRow, **changes: object) -> None:
    desk.rows[type(row)][row.key] = replace(row, **changes)


def _account(desk: Desk, **changes: object) -> None:
    _set(desk, desk.get(AccountRow, desk.account_id), **changes)


def _book(desk: Desk, **changes: object) -> None:
    _set(desk, desk.get(BookRow, desk.entry_id), **changes)


def _quota(desk: Desk) -> None:
    desk.rules = rules(Policy(daily_quota_sat=4_999))


def _close(desk: Desk) -> None:
    desk.rules = rules(withdraw_enabled=False)


def _spend(desk: Desk) -> None:
    desk.run(replace(desk.order("elsewhere", 999_000_000), wallets=("spot",)))


LOOKED_AT_AGAIN: list[tuple[RefusalCode, Callable[[Desk], object]]] = [
    (RefusalCode.BALANCE_TOO_LOW, _spend),
    (RefusalCode.KEY_FROZEN, lambda desk: desk.run(FreezeKey("t", "key", frozen=True))),
    (RefusalCode.ACCOUNT_FROZEN, lambda desk: desk.run(FreezeAccount("t", desk.account_id, frozen=True))),
    (RefusalCode.ACCOUNT_IS_SUB_ACCOUNT, lambda desk: _account(desk, master_account_id=desk.other_id)),
    (RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW, lambda desk: _account(desk, may_withdraw=False)),
    (RefusalCode.WITHDRAWALS_CLOSED, lambda desk: desk.run(SetControl("t", "network/tron", stopped=True))),
    (RefusalCode.WITHDRAWALS_CLOSED, _close),
    (
        RefusalCode.ADDRESS_NOT_IN_BOOK,
        lambda desk: desk.run(RemoveBookEntry("t", desk.account_id, desk.entry_id)),
    ),
    (RefusalCode.ADDRESS_NOT_VERIFIED, lambda desk: _book(desk, verified=False)),
    (RefusalCode.MEMO_INVALID, lambda desk: _book(desk, memo="7")),
    (RefusalCode.ADDRESS_COOLING_DOWN, lambda desk: _book(desk, usable_from_ms=2**50)),
    (RefusalCode.QUOTA_EXCEEDED, _quota),
]


@pytest.mark.parametrize("at", range(len(LOOKED_AT_AGAIN)))
def test_what_a_quote_did_not_promise_is_looked_at_again_and_the_nonce_stays_usable(at: int) -> None:
    code, spoil = LOOKED_AT_AGAIN[at]
    desk = Desk()
    _quoted(desk)
    tables, known_rules = {row_type: dict(table) for row_type, table in desk.rows.items()}, desk.rules
    spoil(desk)
    before = desk.balance()
    assert desk.refusal(_answer(desk)) is code
    assert (_challenge(desk).answer, _challenge(desk).failures) == ("", 0)
    assert desk.balance() == before
    desk.rows, desk.rules = tables, known_rules
    assert isinstance(desk.run(_answer(desk)), Accepted)


def test_the_quota_of_the_day_of_the_answer_is_used(desk: Desk) -> None:
    desk.rules = rules(Policy(daily_quota_sat=9_999))
    _quoted(desk, "a")
    _quoted(desk, "b")
    desk.run(_answer(desk, "a"))
    assert [row.used_sat for row in desk.all(QuotaRow)] == [5_000]
    assert desk.refusal(_answer(desk, "b")) is RefusalCode.QUOTA_EXCEEDED


def test_what_was_quoted_is_what_is_held_though_the_fee_has_changed_since(desk: Desk) -> None:
    quoted = _quoted(desk)
    desk.rules = rules(fee=Units(3_000_000))
    desk.run(_answer(desk))
    row = desk.withdrawal(quoted.withdrawal_id)
    assert (row.amount, row.fee, row.net) == (5_000_000, 1_000_000, 4_000_000)
    assert desk.balance() == HELD


def test_the_answer_is_paid_from_the_first_wallet_that_can(desk: Desk) -> None:
    quoted = _quoted(desk, amount=600_000_000)
    desk.run(desk.order("other", 500_000_000))
    assert desk.refusal(_answer(desk)) is RefusalCode.BALANCE_TOO_LOW
    desk.run(CreditDeposit("t", desk.account_id, "fund", "USDT", "tron", Units(600_000_000), "fund"))
    assert desk.refusal(replace(_answer(desk), wallets=("spot",))) is RefusalCode.BALANCE_TOO_LOW
    desk.run(_answer(desk))
    assert desk.withdrawal(quoted.withdrawal_id).wallet == "fund"
    assert desk.balance(wallet="fund") == (0, 600_000_000)
    desk.run(Reject(quoted.withdrawal_id, "no"))
    assert desk.balance(wallet="fund") == (600_000_000, 0)
    assert {row.wallet: row.held for row in desk.all(BalanceRow) if row.account_id == desk.account_id} == {
        "spot": 500_000_000,
        "fund": 0,
    }


def test_an_answered_quote_above_the_limit_waits_for_approval(desk: Desk) -> None:
    desk.rules = rules(Policy(approval_from_usd=5 * 10**8))
    quoted = _quoted(desk)
    held = desk.run(_answer(desk))
    assert isinstance(held, Accepted)
    assert held.state is State.AWAITING_APPROVAL
    assert desk.balance() == HELD
    desk.run(Approve("ops", quoted.withdrawal_id))
    assert desk.withdrawal(quoted.withdrawal_id).state is State.APPROVED
