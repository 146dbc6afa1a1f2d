"""Request ids that get one answer only, and marks that no two withdrawals may share: refused, never merged."""

from __future__ import annotations

import msgspec
import pytest

from penstock.core.acts import Cancel, CreateKey, CreditDeposit
from penstock.core.amounts import Units
from penstock.core.commands import AnswerChallenge, CustomerCommand, Expire, Withdraw
from penstock.core.ids import WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import Accepted
from penstock.engine.rows import WithdrawalRow
from tests.unit.engine.desk import Desk
from tests.unit.engine.exchange_desk import ExchangeDesk

replace = msgspec.structs.replace


def _marked(desk: Desk, request_id: str, mark: str = "17", **changes: object) -> Withdraw:
    return replace(desk.order(request_id, business='{"amount":"5"}'), exclusive=mark, **changes)


def _accepted(desk: Desk, command: CustomerCommand) -> Accepted:
    accepted = desk.run(command)
    assert isinstance(accepted, Accepted)
    return accepted


# --- ids that are good for one answer ---


def _once_only() -> list[CustomerCommand]:
    desk = ExchangeDesk()
    return [desk.order(), desk.transfer(), desk.exchange(100)]


@pytest.mark.parametrize("command", _once_only(), ids=lambda command: type(command).__name__)
def test_an_id_that_is_good_once_is_taken_the_second_time_even_for_the_very_same(
    command: CustomerCommand,
) -> None:
    desk = ExchangeDesk()
    once = replace(command, repeatable=False)
    first = _accepted(desk, once)
    assert not first.repeated
    assert desk.refusal(once) is RefusalCode.REQUEST_ID_TAKEN
    assert desk.refusal(replace(once, business='{"amount":"9"}')) is RefusalCode.REQUEST_ID_TAKEN
    assert len(desk.all(WithdrawalRow)) == 1


def test_an_id_stays_taken_though_its_withdrawal_was_cancelled(desk: Desk) -> None:
    once = replace(desk.order(), repeatable=False)
    desk.run(Cancel("ops", _accepted(desk, once).withdrawal_id))
    assert desk.refusal(once) is RefusalCode.REQUEST_ID_TAKEN
    assert desk.balance() == (1_000_000_000, 0)


def test_an_id_that_was_refused_is_not_taken(desk: Desk) -> None:
    once = replace(desk.order(), repeatable=False)
    assert desk.refusal(replace(once, amount=Units(10**15))) is RefusalCode.BALANCE_TOO_LOW
    assert not _accepted(desk, once).repeated


# --- marks ---


def test_two_requests_with_one_mark_are_never_made_one_withdrawal(desk: Desk) -> None:
    first = _accepted(desk, _marked(desk, "a"))
    with pytest.raises(Refused) as refused:
        desk.run(_marked(desk, "b"))
    assert (refused.value.code, refused.value.detail) == (RefusalCode.EXCLUSIVE_TAKEN, {"mark": "17"})
    assert [row.withdrawal_id for row in desk.all(WithdrawalRow)] == [first.withdrawal_id]
    assert desk.balance() == (995_000_000, 5_000_000)


def test_a_repeat_gets_its_first_answer_though_its_mark_is_taken_by_itself(desk: Desk) -> None:
    first = _accepted(desk, _marked(desk, "a"))
    again = _accepted(desk, _marked(desk, "a"))
    assert again == Accepted(first.withdrawal_id, first.accepted_ms, repeated=True)


@pytest.mark.parametrize("mark", ["17", "18", ""])
def test_the_same_id_with_other_fields_is_a_conflict_whatever_its_mark(desk: Desk, mark: str) -> None:
    _accepted(desk, _marked(desk, "a"))
    other = _marked(desk, "a", mark, business='{"amount":"6"}')
    assert desk.refusal(other) is RefusalCode.REQUEST_ID_CONFLICT


def test_a_mark_is_taken_by_what_was_accepted_and_not_by_what_was_refused(desk: Desk) -> None:
    assert desk.refusal(_marked(desk, "a", amount=Units(10**15))) is RefusalCode.BALANCE_TOO_LOW
    assert not _accepted(desk, _marked(desk, "b")).repeated


def test_a_mark_stays_taken_though_its_withdrawal_was_cancelled(desk: Desk) -> None:
    desk.run(Cancel("ops", _accepted(desk, _marked(desk, "a")).withdrawal_id))
    assert desk.refusal(_marked(desk, "b")) is RefusalCode.EXCLUSIVE_TAKEN


def test_a_mark_stays_taken_though_its_quote_was_never_answered(desk: Desk) -> None:
    _accepted(desk, _marked(desk, "a", challenge_ms=1_000))
    desk.now_ms += 1_001
    desk.run(Expire(desk.account_id, "bitmart", "a"))
    assert desk.refusal(_marked(desk, "b")) is RefusalCode.EXCLUSIVE_TAKEN
    late = AnswerChallenge(desk.account_id, "key", "bitmart", "a", "yes", True, ("spot",))
    assert desk.refusal(late) is RefusalCode.CHALLENGE_EXPIRED


def test_other_accounts_and_other_venues_have_marks_of_their_own(desk: Desk) -> None:
    desk.run(CreateKey("t", desk.other_id, "bitmart", "theirs", "s", "", ("withdraw",)))
    desk.run(replace(desk.entry(), account_id=desk.other_id))
    desk.run(CreditDeposit("t", desk.other_id, "spot", "USDT", "tron", Units(10**9), "theirs"))
    commands = [
        _marked(desk, "a"),
        _marked(desk, "a", account_id=desk.other_id, key_id="theirs"),
        _marked(desk, "a", venue="sunx"),
    ]
    made: set[WithdrawalId] = {_accepted(desk, command).withdrawal_id for command in commands}
    assert len(made) == 3


def test_an_id_and_a_mark_of_the_same_text_are_different_things(desk: Desk) -> None:
    assert not _accepted(desk, _marked(desk, "17", "18")).repeated
    assert not _accepted(desk, _marked(desk, "18", "17")).repeated
    assert not _accepted(desk, desk.order("19")).repeated


def test_withdrawals_without_a_mark_share_none(desk: Desk) -> None:
    assert len({_accepted(desk, _marked(desk, name, "")).withdrawal_id for name in "abc"}) == 3
