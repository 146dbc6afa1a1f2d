"""How amount and fee stand to each other: inside, on top, or none; and what the limits are held against."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.amounts import Units
from penstock.core.commands import FeeRule, Withdraw
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.views import Accepted
from penstock.engine.ledger import FEES
from penstock.engine.rows import EntryRow, WithdrawalRow
from penstock.engine.sending_rows import AttemptRow
from tests.unit.engine.desk import Desk, rules

INSIDE, ON_TOP, NONE = FeeRule.INSIDE, FeeRule.ON_TOP, FeeRule.NONE


def _order(desk: Desk, fee_rule: FeeRule, amount: int = 5_000_000) -> Withdraw:
    return msgspec.structs.replace(desk.order(amount=amount), fee_rule=fee_rule)


def _row(desk: Desk, command: Withdraw) -> WithdrawalRow:
    accepted = desk.run(command)
    assert isinstance(accepted, Accepted)
    return desk.withdrawal(accepted.withdrawal_id)


def _fees(desk: Desk) -> int:
    return sum(entry.units for entry in desk.all(EntryRow) if entry.ledger_account == FEES)


@pytest.mark.parametrize(
    "fee_rule,amount,fee,net",
    [
        (INSIDE, 5_000_000, 1_000_000, 4_000_000),
        (ON_TOP, 6_000_000, 1_000_000, 5_000_000),
        (NONE, 5_000_000, 0, 5_000_000),
    ],
)
def test_each_rule_debits_charges_and_pays_in_its_own_way_to_the_end(
    desk: Desk, fee_rule: FeeRule, amount: int, fee: int, net: int
) -> None:
    row = _row(desk, _order(desk, fee_rule))
    assert (row.amount, row.fee, row.net, row.debit_asset) == (amount, fee, net, "USDT")
    assert desk.balance() == (1_000_000_000 - amount, amount)
    attempt = desk.run(desk.plan(row.withdrawal_id))
    assert isinstance(attempt, AttemptRow)
    desk.run(desk.settle(desk.signed(attempt)))
    assert desk.withdrawal(row.withdrawal_id).state is State.CONFIRMED
    assert desk.balance() == (1_000_000_000 - amount, 0)
    assert _fees(desk) == fee
    assert not any(desk.sums().values())


@pytest.mark.parametrize("fee_rule", FeeRule)
def test_a_payment_that_failed_gives_its_fee_back_with_the_rest(desk: Desk, fee_rule: FeeRule) -> None:
    attempt = desk.run(desk.plan(_row(desk, _order(desk, fee_rule)).withdrawal_id))
    assert isinstance(attempt, AttemptRow)
    desk.run(desk.settle(desk.signed(attempt), paid=False, unmoved=True))
    assert desk.balance() == (1_000_000_000, 0)
    assert _fees(desk) == 0


@pytest.mark.parametrize(
    "fee_rule,most", [(INSIDE, 1_000_000_000), (ON_TOP, 999_000_000), (NONE, 1_000_000_000)]
)
def test_the_balance_must_pay_the_fee_wherever_it_stands(desk: Desk, fee_rule: FeeRule, most: int) -> None:
    assert desk.refusal(_order(desk, fee_rule, most + 10)) is RefusalCode.BALANCE_TOO_LOW
    assert _row(desk, _order(desk, fee_rule, most)).amount == 1_000_000_000


@pytest.mark.parametrize("fee_rule", FeeRule)
@pytest.mark.parametrize(
    "amount,code",
    [
        (1_999_950, RefusalCode.AMOUNT_TOO_SMALL),
        (7_000_050, RefusalCode.AMOUNT_TOO_LARGE),
        (5_000_001, RefusalCode.AMOUNT_PRECISION),
        (5_000_020, RefusalCode.AMOUNT_MULTIPLE),
        (0, RefusalCode.AMOUNT_NOT_POSITIVE),
        (2_000_000, None),
        (7_000_000, None),
    ],
)
def test_limits_are_held_against_the_amount_that_was_asked_for(
    fee_rule: FeeRule, amount: int, code: RefusalCode | None
) -> None:
    desk = Desk(rules(maximum=Units(7_000_000), multiple=Units(50)))
    if code is None:
        assert _row(desk, _order(desk, fee_rule, amount)).state is State.HELD
    else:
        assert desk.refusal(_order(desk, fee_rule, amount)) is code


def test_only_an_amount_with_the_fee_inside_must_leave_something_for_the_receiver() -> None:
    desk = Desk(rules(fee=Units(3_000_000), minimum=Units(2_000_000)))
    with pytest.raises(Refused) as refused:
        desk.run(_order(desk, INSIDE, 3_000_000))
    assert refused.value.code is RefusalCode.AMOUNT_TOO_SMALL
    # The least that would do: the fee and one step of five decimals.
    assert refused.value.detail == {"minimum": "3.00001"}
    assert _row(desk, _order(desk, INSIDE, 3_000_010)).net == 10
    on_top = _row(desk, msgspec.structs.replace(_order(desk, ON_TOP, 3_000_000), request_id="on top"))
    assert (on_top.amount, on_top.net) == (6_000_000, 3_000_000)
    free = _row(desk, msgspec.structs.replace(_order(desk, NONE, 2_000_000), request_id="free"))
    assert (free.amount, free.net) == (2_000_000, 2_000_000)


@given(
    fee_rule=st.sampled_from(FeeRule),
    amount=st.integers(-10, 2_000),
    fee=st.integers(0, 300),
    minimum=st.integers(0, 500),
    maximum=st.none() | st.integers(0, 1_500),
    precision=st.integers(3, 6),
)
def test_what_is_taken_is_within_its_limits_and_adds_up_and_what_is_not_is_outside_of_one(
    fee_rule: FeeRule, amount: int, fee: int, minimum: int, maximum: int | None, precision: int
) -> None:
    listed = {"fee": fee, "minimum": minimum, "maximum": maximum, "precision": precision, "multiple": None}
    desk = Desk(rules(**listed), deposit=1_200)
    debited = amount + (fee if fee_rule is ON_TOP else 0)
    paid = amount - (fee if fee_rule is INSIDE else 0)
    within = (
        paid > 0
        and minimum <= amount <= (10**9 if maximum is None else maximum)
        and Decimal(amount).scaleb(precision - 6) % 1 == 0
        and debited <= 1_200
    )
    if within:
        row = _row(desk, _order(desk, fee_rule, amount))
        assert (row.amount, row.net, row.amount - row.net) == (debited, paid, row.fee)
        assert desk.balance() == (1_200 - debited, debited)
    else:
        desk.refusal(_order(desk, fee_rule, amount))
        assert desk.balance() == (1_200, 0)
