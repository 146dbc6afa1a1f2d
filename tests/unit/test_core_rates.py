"""The arithmetic of rates, held against fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.rates import Rate, decode_rate
from penstock.core.time import UnixMs

AMOUNTS = st.integers(min_value=0, max_value=10**40)
TERMS = st.integers(min_value=1, max_value=10**24)
SCALES = st.integers(min_value=0, max_value=30)


def rate(numerator: int, denominator: int) -> Rate:
    return Rate("EUR", "BTC", numerator, denominator, "table", UnixMs(7))


def exact(units: int, of: Rate, source_scale: int, target_scale: int) -> Fraction:
    """What units of the source are worth, in smallest units of the target."""
    coins = Fraction(units, 10**source_scale) * Fraction(of.numerator, of.denominator)
    return coins * 10**target_scale


@given(AMOUNTS, TERMS, TERMS, SCALES, SCALES)
def test_what_is_received_is_the_exact_worth_less_a_part_of_one_unit(
    debited: int, numerator: int, denominator: int, source_scale: int, target_scale: int
) -> None:
    of = rate(numerator, denominator)
    worth = exact(debited, of, source_scale, target_scale)
    assert 0 <= worth - of.received(debited, source_scale, target_scale) < 1


@given(AMOUNTS, TERMS, TERMS, SCALES, SCALES)
def test_what_is_debited_is_the_least_that_buys_what_is_received(
    received: int, numerator: int, denominator: int, source_scale: int, target_scale: int
) -> None:
    of = rate(numerator, denominator)
    debited = of.debited(received, source_scale, target_scale)
    assert exact(debited, of, source_scale, target_scale) >= received
    assert debited == 0 or exact(debited - 1, of, source_scale, target_scale) < received


@given(AMOUNTS, TERMS, TERMS, SCALES, SCALES)
def test_there_and_back_never_gains(
    units: int, numerator: int, denominator: int, source_scale: int, target_scale: int
) -> None:
    of = rate(numerator, denominator)
    bought = of.received(units, source_scale, target_scale)
    assert of.debited(bought, source_scale, target_scale) <= units
    wanted = of.debited(units, source_scale, target_scale)
    assert of.received(wanted, source_scale, target_scale) >= units


@given(TERMS, TERMS, SCALES)
def test_a_price_shows_the_ratio_rounded_down(numerator: int, denominator: int, decimals: int) -> None:
    shown = Fraction(rate(numerator, denominator).price(decimals), 10**decimals)
    assert 0 <= Fraction(numerator, denominator) - shown < Fraction(1, 10**decimals)


@pytest.mark.parametrize(
    "debited, received",
    [(2_500, 41_666), (1, 16), (0, 0)],
)
def test_an_example_by_hand(debited: int, received: int) -> None:
    """25 EUR at 60,000 EUR for a bitcoin are 0.00041666... bitcoin; a cent is 16.66 satoshi."""
    assert rate(1, 60_000).received(debited, 2, 8) == received


def test_what_was_stored_reads_the_same() -> None:
    of = rate(10**40 + 1, 3)
    assert decode_rate(of.encoded()) == of
    assert decode_rate("") is None
