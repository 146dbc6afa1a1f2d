"""The arithmetic of the figures."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from penstock.bench.cpu import family, used_ns
from penstock.bench.figures import median, percentile, ratio, summed


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[int], percent: int) -> None:
    rising = sorted(values)
    found = percentile(rising, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def test_of_nothing_there_is_no_figure() -> None:
    assert percentile([], 99) == 0
    assert median([]) is None
    assert ratio(None, 2.0) is None
    assert ratio(2.0, None) is None
    assert ratio(2.0, 0.0) is None


def test_one_noisy_part_does_not_move_the_median() -> None:
    assert median([7_000, 100, 7_200]) == 7_000


def test_counts_are_added_by_their_name() -> None:
    assert summed([{"429 30013": 2}, {}, {"429 30013": 1, "400 60008": 4}]) == {
        "400 60008": 4,
        "429 30013": 3,
    }


def test_processor_time_of_this_process_is_seen_and_of_no_process_is_zero() -> None:
    assert os.getpid() in family(os.getpid())
    assert used_ns([]) == 0
    assert used_ns([os.getpid()]) > 0
