"""When requests are due is fixed before the run."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from penstock.bench.schedule import NS_PER_S, SHAPES, schedule


@given(st.sampled_from(SHAPES), st.floats(1, 5_000), st.integers(1, NS_PER_S), st.integers(0, 9))
def test_times_rise_within_the_length_and_are_the_same_again(
    shape: str, rate: float, length_ns: int, seed: int
) -> None:
    due = schedule(shape, rate, length_ns, seed)
    assert due == sorted(due)
    assert all(0 <= at < length_ns for at in due)
    assert due == schedule(shape, rate, length_ns, seed)


def test_even_times_lie_at_one_distance() -> None:
    assert schedule("even", 4.0, NS_PER_S, 0) == [0, 250_000_000, 500_000_000, 750_000_000]


def test_strangers_come_at_the_rate_and_not_at_one_distance() -> None:
    due = schedule("poisson", 1_000.0, 20 * NS_PER_S, 1)
    assert 19_400 < len(due) < 20_600
    gaps = [after - before for before, after in pairwise(due)]
    # Of gaps that know nothing of each other, e^-2 are above twice the mean: 13.5 of a hundred.
    assert 0.12 < sum(gap > 2_000_000 for gap in gaps) / len(gaps) < 0.15


def test_another_seed_gives_other_times() -> None:
    assert schedule("poisson", 100.0, NS_PER_S, 1) != schedule("poisson", 100.0, NS_PER_S, 2)
