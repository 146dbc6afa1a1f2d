"""Debiting one asset and paying another: exact rates, roundings against the customer, a ledger that balances."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from penstock.core.acts import Cancel, Decline
from penstock.core.amounts import Units
from penstock.core.commands import FeeRule, Reject
from penstock.core.rates import Given, Rate, decode_rate
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.engine.ledger import EXCHANGED, FEES
from penstock.engine.rows import EntryRow, PostingRow, WithdrawalRow
from penstock.engine.rules import Policy
from penstock.engine.sending_rows import AttemptRow
from tests.unit.engine.desk import START_MS
from tests.unit.engine.exchange_desk import RICH, SCALES, ExchangeDesk, exchange_rules, rate

replace = msgspec.structs.replace

SIDES = st.sampled_from(sorted(SCALES))
PARTS = st.integers(min_value=1, max_value=10**24)
AMOUNTS = st.integers(min_value=1, max_value=10**30)
SOURCES = st.sampled_from(["EUR", "BTC", "ETH", "JPY"])


def _exact(using: Rate) -> Fraction:
    """How many smallest units of the target one smallest unit of the source buys."""
    coins = Fraction(using.numerator, using.denominator)
    return coins * 10 ** SCALES[using.target] / 10 ** SCALES[using.source]


def _taken(desk: ExchangeDesk, command: object) -> WithdrawalRow:
    accepted = desk.run(command)  # type: ignore[arg-type]
    assert isinstance(accepted, Accepted)
    row = desk.withdrawal(accepted.withdrawal_id)
    assert (accepted.amount, accepted.fee, accepted.net) == (row.amount, row.fee, row.net)
    return row


def _paid(desk: ExchangeDesk, row: WithdrawalRow, *, paid: bool = True) -> WithdrawalRow:
    attempt = desk.run(desk.plan(row.withdrawal_id))
    assert isinstance(attempt, AttemptRow)
    desk.run(desk.settle(desk.signed(attempt), paid=paid, unmoved=not paid))
    return desk.withdrawal(row.withdrawal_id)


def _balances_by_posting(desk: ExchangeDesk) -> bool:
    sums: dict[tuple[int, str], int] = defaultdict(int)
    for entry in desk.all(EntryRow):
        sums[(entry.posting_id, entry.asset)] += entry.units
    return not any(sums.values())


# --- the arithmetic, against exact fractions ---


@given(source=SIDES, target=SIDES, numerator=PARTS, denominator=PARTS, amount=AMOUNTS)
@example(source="EUR", target="USDT", numerator=1, denominator=3, amount=1)
@example(source="ETH", target="JPY", numerator=10**24, denominator=1, amount=10**30)
def test_neither_rounding_favours_the_receiver_nor_is_off_by_a_unit(
    source: str, target: str, numerator: int, denominator: int, amount: int
) -> None:
    using = rate(source, target, numerator, denominator)
    exact = _exact(using)
    bought = using.received(amount, SCALES[source], SCALES[target])
    assert 0 <= amount * exact - bought < 1
    cost = using.debited(amount, SCALES[source], SCALES[target])
    assert 0 <= cost - amount / exact < 1
    assert using.received(cost, SCALES[source], SCALES[target]) >= amount


@given(
    source=SOURCES,
    numerator=PARTS,
    denominator=PARTS,
    amount=AMOUNTS,
    precision=st.integers(2, 6),
    multiple=st.sampled_from((None, 30, 1_500, 30_000, 2_500_000)),
    fee=st.integers(0, 10**9),
    given_=st.sampled_from(Given),
    fee_rule=st.sampled_from(FeeRule),
)
def test_a_converted_withdrawal_debits_pays_and_costs_what_the_rate_says(
    source: str,
    numerator: int,
    denominator: int,
    amount: int,
    precision: int,
    multiple: int | None,
    fee: int,
    given_: Given,
    fee_rule: FeeRule,
) -> None:
    using = rate(source, "USDT", numerator, denominator)
    # The least amount that is both a multiple and no finer than the chain pays.
    step = next(
        each for each in range(multiple or 1, 10**14, multiple or 1) if each % 10 ** (6 - precision) == 0
    )
    exact = _exact(using)
    least = step if given_ is Given.RECEIVED else Fraction(step) / exact
    assume(amount >= least)
    amount -= amount % step if given_ is Given.RECEIVED else 0
    debited = amount if given_ is Given.DEBITED else amount / exact
    assume(debited + fee / exact + 2 <= RICH)
    listed = {"precision": precision, "multiple": multiple, "minimum": Units(0), "fee": Units(fee)}
    desk = ExchangeDesk(exchange_rules(**listed))
    row = _taken(desk, desk.convert(amount, given_, using, fee_rule))

    charged = Fraction(0 if fee_rule is FeeRule.NONE else fee) / exact
    assert 0 <= row.fee - charged < 1
    cost = row.amount - row.fee
    assert row.net % step == 0
    if given_ is Given.DEBITED:
        assert cost == amount
        assert 0 <= amount * exact - row.net < step
    else:
        assert row.net == amount
        assert 0 <= cost - amount / exact < 1
    assert row.net <= cost * exact, "the receiver would gain"
    assert (row.asset, row.debit_asset, decode_rate(row.rate)) == ("USDT", source, using)
    assert desk.balance(asset=source) == (RICH - row.amount, row.amount)
    assert desk.balance(asset="USDT") == (RICH, 0)
    assert _balances_by_posting(desk)


# --- one payment, from the hold to its end ---


def test_a_payment_moves_each_asset_in_its_own_books_and_its_fee_in_the_debited_one() -> None:
    desk = ExchangeDesk()
    # 100.00 EUR at 1.08 buy 108 USDT; a fee of 1 USDT costs 0.925... EUR, so 0.93.
    row = _taken(desk, desk.convert(100_00, fee_rule=FeeRule.ON_TOP))
    assert (row.amount, row.fee, row.net) == (100_93, 93, 108_000_000)
    assert desk.balance(asset="EUR") == (RICH - 100_93, 100_93)
    custody = desk.booked("system/custody/tron")["USDT"]
    assert _paid(desk, row).state is State.CONFIRMED
    assert desk.spot("EUR") == RICH - 100_93
    assert desk.spot("USDT") == RICH
    assert desk.booked(EXCHANGED) == {"EUR": 100_00, "USDT": -108_000_000}
    assert desk.booked(FEES) == {"EUR": 93}
    assert desk.booked("system/custody/tron")["USDT"] == custody + 108_000_000
    assert _balances_by_posting(desk)


def test_a_payment_that_failed_gives_the_debited_asset_back_in_full_and_exchanges_nothing() -> None:
    desk = ExchangeDesk()
    row = _taken(desk, desk.convert(108_000_000, Given.RECEIVED, fee_rule=FeeRule.ON_TOP))
    assert desk.balance(asset="EUR") == (RICH - 100_93, 100_93)
    assert _paid(desk, row, paid=False).state is State.FAILED
    assert (desk.spot("EUR"), desk.spot("USDT")) == (RICH, RICH)
    assert desk.booked(EXCHANGED) == desk.booked(FEES) == {}
    assert _balances_by_posting(desk)


@pytest.mark.parametrize(
    "given_back",
    [lambda at: Reject(at, "no"), lambda at: Decline("ops", at, "no"), lambda at: Cancel("ops", at)],
)
def test_whoever_takes_a_converted_withdrawal_back_gives_the_debited_asset_back(given_back: object) -> None:
    desk = ExchangeDesk()
    row = _taken(desk, desk.convert(100_00, fee_rule=FeeRule.ON_TOP))
    desk.run(given_back(row.withdrawal_id))  # type: ignore[operator]
    assert (desk.spot("EUR"), desk.spot("USDT"), desk.booked(EXCHANGED)) == (RICH, RICH, {})


def test_the_rate_and_who_said_it_are_kept_with_the_withdrawal_to_the_last_digit() -> None:
    desk = ExchangeDesk()
    using = replace(
        rate("ETH", numerator=4_123 * 10**30 + 1, denominator=10**30),
        origin="ccxt:kraken",
        at_ms=UnixMs(START_MS - 5),
    )
    row = _taken(desk, desk.convert(10**18, using=using))
    assert decode_rate(row.rate) == using
    assert row.net == 4_123_000_000


# --- what is refused ---


@pytest.mark.parametrize(
    "changes,code",
    [
        ({"at_ms": START_MS - 60_001}, RefusalCode.RATE_STALE),
        ({"at_ms": START_MS + 60_001}, RefusalCode.RATE_STALE),
        ({"target": "BTC"}, RefusalCode.RATE_UNAVAILABLE),
        ({"source": "USDT", "target": "USDT"}, RefusalCode.RATE_UNAVAILABLE),
        ({"source": "XAU"}, RefusalCode.RATE_UNAVAILABLE),
        ({"numerator": 0}, RefusalCode.RATE_UNAVAILABLE),
        ({"numerator": -108}, RefusalCode.RATE_UNAVAILABLE),
        ({"denominator": 0}, RefusalCode.RATE_UNAVAILABLE),
        ({"denominator": -100}, RefusalCode.RATE_UNAVAILABLE),
    ],
)
def test_a_rate_that_is_old_foreign_or_no_rate_converts_nothing(
    changes: dict[str, object], code: RefusalCode
) -> None:
    desk = ExchangeDesk()
    assert desk.refusal(desk.convert(100_00, using=replace(rate(), **changes))) is code


@pytest.mark.parametrize("at_ms", [START_MS - 60_000, START_MS + 60_000])
def test_a_rate_is_good_up_to_its_last_millisecond(at_ms: int) -> None:
    desk = ExchangeDesk()
    assert isinstance(desk.run(desk.convert(100_00, using=rate(at_ms=at_ms))), Accepted)


def test_the_operator_says_how_old_a_rate_may_be() -> None:
    desk = ExchangeDesk(exchange_rules(Policy(rate_age_max_ms=10)))
    assert desk.refusal(desk.convert(100_00, using=rate(at_ms=START_MS - 11))) is RefusalCode.RATE_STALE
    assert isinstance(desk.run(desk.convert(100_00, using=rate(at_ms=START_MS - 10))), Accepted)


@pytest.mark.parametrize(
    "amount,given_,code",
    [
        (0, Given.DEBITED, RefusalCode.AMOUNT_NOT_POSITIVE),
        (-1, Given.DEBITED, RefusalCode.AMOUNT_NOT_POSITIVE),
        (0, Given.RECEIVED, RefusalCode.AMOUNT_NOT_POSITIVE),
        (-1, Given.RECEIVED, RefusalCode.AMOUNT_NOT_POSITIVE),
        (1_85, Given.DEBITED, RefusalCode.AMOUNT_TOO_SMALL),
        (1_999_999, Given.RECEIVED, RefusalCode.AMOUNT_TOO_SMALL),
        (10**12, Given.DEBITED, RefusalCode.AMOUNT_TOO_LARGE),
        (10**13 + 1, Given.RECEIVED, RefusalCode.AMOUNT_TOO_LARGE),
        (RICH + 1, Given.DEBITED, RefusalCode.AMOUNT_TOO_LARGE),
    ],
)
def test_the_limits_of_what_is_paid_hold_for_what_is_bought(
    amount: int, given_: Given, code: RefusalCode
) -> None:
    desk = ExchangeDesk(exchange_rules(maximum=Units(10**13)))
    assert desk.refusal(desk.convert(amount, given_)) is code


def test_an_amount_to_be_received_may_not_be_finer_than_the_chain_pays() -> None:
    desk = ExchangeDesk(exchange_rules(precision=2))
    assert desk.refusal(desk.convert(5_000_001, Given.RECEIVED)) is RefusalCode.AMOUNT_PRECISION
    # Given by what is debited, what is finer than the chain pays stays with the ledger.
    row = _taken(desk, desk.convert(3_33, using=rate(numerator=1_0871, denominator=10_000)))
    assert row.net == 3_620_000


def test_money_that_buys_nothing_is_not_taken() -> None:
    desk = ExchangeDesk(exchange_rules(minimum=Units(0), fee=Units(0)))
    tiny = rate(numerator=1, denominator=10**6)
    assert desk.refusal(desk.convert(99, using=tiny)) is RefusalCode.AMOUNT_TOO_SMALL
    assert _taken(desk, desk.convert(100, using=tiny)).net == 1


def test_the_account_pays_in_the_debited_asset_and_in_no_other() -> None:
    desk = ExchangeDesk()
    with pytest.raises(Refused) as refused:
        desk.run(desk.convert(RICH, fee_rule=FeeRule.ON_TOP))
    assert refused.value.code is RefusalCode.BALANCE_TOO_LOW
    assert refused.value.detail == {"asset": "EUR", "available": "1" + "0" * 38}


# --- exchanges ---


@pytest.mark.parametrize(
    "given_,amount,debited,received",
    [
        (Given.DEBITED, 100_00, 100_00, 108_000_000),
        (Given.DEBITED, 1, 1, 10_800),
        (Given.RECEIVED, 108_000_000, 100_00, 108_000_000),
        (Given.RECEIVED, 108_000_001, 100_01, 108_000_001),
        (Given.RECEIVED, 1, 1, 1),
    ],
)
def test_an_exchange_turns_one_asset_into_another_at_once(
    given_: Given, amount: int, debited: int, received: int
) -> None:
    desk = ExchangeDesk()
    row = _taken(desk, desk.exchange(amount, given_))
    assert (row.state, row.amount, row.fee, row.net) == (State.CONFIRMED, debited, 0, received)
    assert (row.debit_asset, row.asset, row.network, row.address) == ("EUR", "USDT", "", "")
    assert (desk.spot("EUR"), desk.spot("USDT")) == (RICH - debited, RICH + received)
    assert desk.booked(EXCHANGED) == {"EUR": debited, "USDT": -received}
    assert _balances_by_posting(desk)


def test_an_exchange_arrives_in_the_wallet_that_paid_though_it_had_none_of_the_asset() -> None:
    desk = ExchangeDesk()
    using = rate("USDT", "TRX", 4, 1)
    row = _taken(desk, desk.exchange(1_000_000, using=using))
    assert row.wallet == "spot"
    assert desk.spot("TRX") == 4_000_000


def test_a_repeated_exchange_exchanges_nothing() -> None:
    desk = ExchangeDesk()
    first = desk.run(desk.exchange(100_00))
    postings = len(desk.all(PostingRow))
    assert isinstance(first, Accepted)
    desk.now_ms += 10**9
    again = desk.run(desk.exchange(100_00))
    assert again == Accepted(first.withdrawal_id, first.accepted_ms, repeated=True)
    assert len(desk.all(PostingRow)) == postings


@pytest.mark.parametrize(
    "amount,given_,changes,code",
    [
        (100_00, Given.DEBITED, {"at_ms": START_MS - 60_001}, RefusalCode.RATE_STALE),
        (100_00, Given.DEBITED, {"at_ms": START_MS + 60_001}, RefusalCode.RATE_STALE),
        (100_00, Given.DEBITED, {"target": "EUR"}, RefusalCode.RATE_UNAVAILABLE),
        (100_00, Given.DEBITED, {"target": "XAU"}, RefusalCode.RATE_UNAVAILABLE),
        (100_00, Given.DEBITED, {"denominator": 0}, RefusalCode.RATE_UNAVAILABLE),
        (0, Given.DEBITED, {}, RefusalCode.AMOUNT_NOT_POSITIVE),
        (-1, Given.RECEIVED, {}, RefusalCode.AMOUNT_NOT_POSITIVE),
        (1, Given.DEBITED, {"denominator": 10**9}, RefusalCode.AMOUNT_TOO_SMALL),
        (RICH + 1, Given.DEBITED, {}, RefusalCode.BALANCE_TOO_LOW),
    ],
)
def test_an_exchange_that_cannot_be_writes_nothing(
    amount: int, given_: Given, changes: dict[str, object], code: RefusalCode
) -> None:
    desk = ExchangeDesk()
    assert desk.refusal(desk.exchange(amount, given_, replace(rate(), **changes))) is code


@given(
    source=SOURCES,
    numerator=PARTS,
    denominator=PARTS,
    amount=st.integers(1, 10**20),
    back=st.sampled_from(Given),
)
def test_there_and_back_at_one_rate_never_gains(
    source: str, numerator: int, denominator: int, amount: int, back: Given
) -> None:
    desk = ExchangeDesk()
    there = rate(source, "USDT", numerator, denominator)
    returning = rate("USDT", source, denominator, numerator)
    assume(1 <= amount * _exact(there) <= RICH)
    bought = _taken(desk, desk.exchange(amount, using=there, request_id="there")).net
    wanted = bought if back is Given.DEBITED else amount
    assume(back is Given.RECEIVED or bought >= _exact(there))
    _taken(desk, desk.exchange(wanted, back, returning, request_id="back"))
    assert (desk.spot(source) - RICH) * _exact(there) + (desk.spot("USDT") - RICH) <= 0
    assert _balances_by_posting(desk)
