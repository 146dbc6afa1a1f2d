"""The places to send from are shared out so that who hangs holds up nobody else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.engine.rows import OutboxRow
from penstock.webhooks.slots import Slots


def event(account: int, number: int) -> OutboxRow:
    at_ms = UnixMs(0)
    return OutboxRow(WithdrawalId(number), 1, AccountId(account), State.HELD, at_ms, at_ms, 0, None)


def test_an_account_gets_no_more_than_its_bound() -> None:
    slots = Slots(total=8, per_account=2)
    assert [slots.take(event(1, number)) for number in range(3)] == [True, True, False]
    assert slots.closed() == {1}
    assert slots.take(event(2, 10))


def test_a_withdrawal_has_one_event_under_way() -> None:
    slots = Slots(total=8, per_account=2)
    assert slots.take(event(1, 1))
    assert not slots.take(event(1, 1))
    slots.free(event(1, 1), well=True)
    assert slots.take(event(1, 1))


def test_nobody_gets_more_than_there_is() -> None:
    slots = Slots(total=4, per_account=1)
    assert [slots.take(event(number, number)) for number in range(5)] == [True] * 4 + [False]
    assert slots.full


def test_ailing_accounts_together_get_half_and_one_each() -> None:
    slots = Slots(total=4, per_account=2)
    for account in range(3):
        assert slots.take(event(account, account))
        slots.free(event(account, account), well=False)
    assert slots.take(event(0, 10))
    assert not slots.take(event(0, 11)), "one each"
    assert slots.take(event(1, 12))
    assert not slots.take(event(2, 13)), "half is used up"
    assert slots.closed() == {0, 1, 2}
    assert slots.take(event(7, 14))
    assert slots.take(event(7, 15))


def test_an_account_is_well_again_after_one_success() -> None:
    slots = Slots(total=8, per_account=2)
    assert slots.take(event(1, 1))
    slots.free(event(1, 1), well=False)
    assert slots.take(event(1, 1))
    slots.free(event(1, 1), well=True)
    assert [slots.take(event(1, number)) for number in (1, 2, 3)] == [True, True, False]


def test_an_event_that_nobody_was_told_of_says_nothing_about_the_receiver() -> None:
    slots = Slots(total=8, per_account=2)
    for well in (False, None):
        assert slots.take(event(1, 1))
        slots.free(event(1, 1), well=well)
    assert [slots.take(event(1, number)) for number in (1, 2)] == [True, False]


@given(
    st.integers(2, 10),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from([True, False, None])), max_size=80),
)
def test_however_it_goes_the_bounds_hold_and_a_closed_account_is_one_that_gets_none(
    total: int, per_account: int, steps: list[tuple[int, bool | None]]
) -> None:
    slots = Slots(total, min(per_account, total // 2))
    under_way: list[OutboxRow] = []
    for number, (account, well) in enumerate(steps):
        wanted = event(account, number)
        is_closed = account in slots.closed()
        got = slots.take(wanted)
        assert not (got and is_closed)
        assert got or is_closed or slots.full
        if got:
            under_way.append(wanted)
        elif under_way:
            slots.free(under_way.pop(0), well=well)
        assert len(under_way) <= total
        assert slots.under_way() == {one.withdrawal_id for one in under_way}
        for each in {one.account_id for one in under_way}:
            assert sum(one.account_id == each for one in under_way) <= per_account
