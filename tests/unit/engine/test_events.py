"""Telling the outside: an event per step, told or tried again or given up, and told once more on demand."""

from __future__ import annotations

import msgspec
import pytest

from penstock.core.acts import Cancel, CreateKey, ResendCallback, SetCallback
from penstock.core.commands import RecordDelivery
from penstock.core.ids import WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.engine.rows import CallbackRow, OutboxRow
from penstock.engine.sending_rows import AuditRow
from tests.unit.engine.desk import START_MS, Desk
from tests.unit.engine.exchange_desk import ExchangeDesk

replace = msgspec.structs.replace


def _told(desk: Desk, request_id: str = "r") -> WithdrawalId:
    accepted = desk.run(replace(desk.order(request_id), notify=True))
    assert isinstance(accepted, Accepted)
    return accepted.withdrawal_id


def _event(desk: Desk, withdrawal_id: WithdrawalId, sequence: int = 1) -> OutboxRow:
    return desk.get(OutboxRow, withdrawal_id, sequence)


def _well(withdrawal_id: WithdrawalId, tries: int = 0, sequence: int = 1) -> RecordDelivery:
    return RecordDelivery(withdrawal_id, sequence, tries, delivered=True)


def _ill(withdrawal_id: WithdrawalId, tries: int = 0, next_ms: int | None = START_MS + 7) -> RecordDelivery:
    at = None if next_ms is None else UnixMs(next_ms)
    return RecordDelivery(withdrawal_id, 1, tries, delivered=False, next_ms=at)


# --- what is to be told ---


def test_every_step_of_a_withdrawal_that_is_told_of_is_due_when_it_happens(desk: Desk) -> None:
    withdrawal_id = _told(desk)
    desk.now_ms += 5
    desk.run(Cancel("ops", withdrawal_id))
    events = [(event.sequence, event.state, event.due_ms, event.tries) for event in desk.all(OutboxRow)]
    assert events == [(1, State.HELD, START_MS, 0), (2, State.CANCELLED, START_MS + 5, 0)]


def test_a_withdrawal_that_nobody_is_told_of_has_events_that_are_never_due(desk: Desk) -> None:
    desk.run(Cancel("ops", desk.withdraw()))
    assert [event.due_ms for event in desk.all(OutboxRow)] == [None, None]


def test_a_transfer_and_an_exchange_are_told_of_step_by_step() -> None:
    desk = ExchangeDesk()
    for command in (desk.transfer(), desk.exchange(100)):
        accepted = desk.run(replace(command, notify=True))
        assert isinstance(accepted, Accepted)
        events = [_event(desk, accepted.withdrawal_id, sequence) for sequence in (1, 2)]
        assert [(event.state, event.due_ms) for event in events] == [
            (State.HELD, START_MS),
            (State.CONFIRMED, START_MS),
        ]


# --- what came of it ---


def test_an_event_that_was_told_is_not_due_any_more(desk: Desk) -> None:
    withdrawal_id = _told(desk)
    desk.now_ms += 9
    assert desk.run(_well(withdrawal_id)) is None
    event = _event(desk, withdrawal_id)
    assert (event.due_ms, event.delivered_ms, event.tries) == (None, START_MS + 9, 0)


def test_a_failed_attempt_is_counted_and_tried_again_until_it_is_given_up(desk: Desk) -> None:
    withdrawal_id = _told(desk)
    desk.run(_ill(withdrawal_id, 0))
    assert (_event(desk, withdrawal_id).due_ms, _event(desk, withdrawal_id).tries) == (START_MS + 7, 1)
    desk.run(_ill(withdrawal_id, 1, None))
    event = _event(desk, withdrawal_id)
    assert (event.due_ms, event.tries, event.delivered_ms) == (None, 2, None)
    assert desk.refusal(_ill(withdrawal_id, 2)) is RefusalCode.NOT_NOW


@pytest.mark.parametrize("first", [_well, _ill])
@pytest.mark.parametrize("second", [_well, _ill])
def test_one_attempt_recorded_by_two_workers_counts_once(desk: Desk, first: object, second: object) -> None:
    withdrawal_id = _told(desk)
    desk.run(first(withdrawal_id))  # type: ignore[operator]
    before = _event(desk, withdrawal_id)
    assert desk.refusal(second(withdrawal_id)) is RefusalCode.NOT_NOW  # type: ignore[operator]
    assert _event(desk, withdrawal_id) == before


@pytest.mark.parametrize("tries", [1, 2, -1])
def test_an_attempt_whose_number_is_not_the_next_is_not_recorded(desk: Desk, tries: int) -> None:
    withdrawal_id = _told(desk)
    assert desk.refusal(_well(withdrawal_id, tries)) is RefusalCode.NOT_NOW


def test_what_was_never_to_be_told_and_what_does_not_exist_cannot_be_recorded_as_told(desk: Desk) -> None:
    assert desk.refusal(_well(desk.withdraw())) is RefusalCode.NOT_NOW
    assert desk.refusal(_well(WithdrawalId(5))) is RefusalCode.NOT_NOW
    assert desk.refusal(_well(_told(desk, "b"), sequence=2)) is RefusalCode.NOT_NOW


def test_each_event_of_a_withdrawal_is_recorded_by_itself(desk: Desk) -> None:
    withdrawal_id = _told(desk)
    desk.run(Cancel("ops", withdrawal_id))
    desk.run(_well(withdrawal_id, sequence=1))
    assert _event(desk, withdrawal_id, 2).due_ms == START_MS
    desk.run(_well(withdrawal_id, sequence=2))
    assert _event(desk, withdrawal_id, 2).due_ms is None


# --- once more ---


def test_an_event_told_or_given_up_is_due_again_with_all_its_tries_on_demand(desk: Desk) -> None:
    told, given_up = _told(desk, "a"), _told(desk, "b")
    desk.run(_well(told))
    desk.run(_ill(given_up, 0))
    desk.run(_ill(given_up, 1, None))
    desk.now_ms += 1_000
    for withdrawal_id in (told, given_up):
        desk.run(ResendCallback("ops", withdrawal_id, 1))
        event = _event(desk, withdrawal_id)
        assert (event.due_ms, event.tries) == (START_MS + 1_000, 0)
        desk.run(_well(withdrawal_id))
        assert _event(desk, withdrawal_id).due_ms is None


def test_telling_once_more_leaves_an_audit_row_and_touches_no_money(desk: Desk) -> None:
    withdrawal_id = _told(desk)
    before, row = desk.balance(), desk.withdrawal(withdrawal_id)
    audited = len(desk.all(AuditRow))
    desk.run(ResendCallback("ops", withdrawal_id, 1))
    (audit,) = desk.all(AuditRow)[audited:]
    assert (audit.actor, audit.act, audit.subject) == ("ops", "ResendCallback", f"withdrawal/{withdrawal_id}")
    assert msgspec.json.decode(audit.detail) == {"sequence": 1}
    assert (desk.balance(), desk.withdrawal(withdrawal_id)) == (before, row)


@pytest.mark.parametrize("sequence", [0, 2])
def test_a_step_that_was_never_made_cannot_be_told_once_more(desk: Desk, sequence: int) -> None:
    assert desk.refusal(ResendCallback("ops", _told(desk), sequence)) is RefusalCode.WITHDRAWAL_UNKNOWN


# --- where to ---


def test_an_account_has_one_address_for_each_venue_s_callbacks_and_may_stop_them(desk: Desk) -> None:
    desk.run(SetCallback("ops", desk.account_id, "bitmart", "https://a.example/1", "key"))
    desk.run(SetCallback("ops", desk.account_id, "bitmart", "https://a.example/2", "key"))
    assert desk.all(CallbackRow) == [CallbackRow(desk.account_id, "bitmart", "https://a.example/2", "key")]
    desk.run(SetCallback("ops", desk.account_id, "bitmart", "", "key"))
    assert desk.get(CallbackRow, desk.account_id, "bitmart").url == ""


def test_callbacks_are_signed_with_a_key_of_that_account_and_venue_only(desk: Desk) -> None:
    desk.run(CreateKey("t", desk.other_id, "bitmart", "theirs", "s", "", ("read",)))
    for account_id, venue, key_id in (
        (desk.account_id, "bitmart", "theirs"),
        (desk.account_id, "sunx", "key"),
        (desk.account_id, "bitmart", "none"),
    ):
        with pytest.raises(Refused) as refused:
            desk.run(SetCallback("ops", account_id, venue, "https://a.example", key_id))
        assert refused.value.detail == {"field": "key_id"}
    assert not desk.all(CallbackRow)
