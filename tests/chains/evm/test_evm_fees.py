from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.chains.evm.fees import FeeLimits, Fees, bump, quote

GWEI = 10**9
LIMITS = FeeLimits(max_fee_per_gas_max=500 * GWEI, tip_min=GWEI, tip_max=20 * GWEI)
prices = st.integers(0, 10**13)
offers = st.tuples(prices, prices).map(lambda pair: Fees(max(pair), min(pair)))


def test_a_quote_survives_a_doubled_base_fee() -> None:
    assert quote(10 * GWEI, 2 * GWEI, LIMITS) == Fees(22 * GWEI, 2 * GWEI)


def test_the_nodes_advice_moves_the_tip_only_inside_its_bounds() -> None:
    assert quote(GWEI, 0, LIMITS) == Fees(3 * GWEI, GWEI)
    assert quote(GWEI, 10**30, LIMITS) == Fees(22 * GWEI, 20 * GWEI)


def test_a_base_fee_at_the_limit_is_offered_and_one_above_is_not() -> None:
    assert quote(499 * GWEI, GWEI, LIMITS) == Fees(500 * GWEI, GWEI)
    assert quote(499 * GWEI + 1, GWEI, LIMITS) is None


@given(st.integers(0, 10**13), prices)
def test_no_quote_is_above_the_limits_or_below_the_next_block(base_fee: int, tip: int) -> None:
    found = quote(base_fee, tip, LIMITS)
    if found is not None:
        assert base_fee + found.tip <= found.max_fee_per_gas <= LIMITS.max_fee_per_gas_max
        assert LIMITS.tip_min <= found.tip <= LIMITS.tip_max


@given(offers, st.none() | offers)
def test_a_bump_raises_both_fields_by_an_eighth_or_is_not_made(before: Fees, market: Fees | None) -> None:
    if market is not None and market.max_fee_per_gas > LIMITS.max_fee_per_gas_max:
        market = None
    after = bump(before, market, LIMITS)
    if after is None:
        assert before.max_fee_per_gas * 9 > (LIMITS.max_fee_per_gas_max - 1) * 8
        return
    assert after.max_fee_per_gas <= LIMITS.max_fee_per_gas_max
    assert after.tip <= after.max_fee_per_gas
    for old, new in ((before.max_fee_per_gas, after.max_fee_per_gas), (before.tip, after.tip)):
        assert new > old
        assert new * 8 >= old * 9
    if market is not None:
        assert after.max_fee_per_gas >= market.max_fee_per_gas
        assert after.tip >= market.tip


def test_bumps_end_below_the_ceiling() -> None:
    fees: Fees | None = Fees(GWEI, 0)
    last = fees
    for _ in range(200):
        fees = bump(fees, None, LIMITS)
        if fees is None:
            break
        last = fees
    assert fees is None
    assert last is not None
    assert last.max_fee_per_gas <= LIMITS.max_fee_per_gas_max < last.max_fee_per_gas * 9 // 8 + 1
