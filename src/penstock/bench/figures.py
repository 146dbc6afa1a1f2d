"""From measured parts to the figures of a run."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence


def percentile(rising: Sequence[int], parts: int, of: int = 100) -> int:
    """The smallest value that at least `parts` in `of` do not exceed (nearest rank); 0 of nothing."""
    assert 0 < parts <= of, parts
    return rising[-(-len(rising) * parts // of) - 1] if rising else 0


def milliseconds(value_ns: float | None, digits: int = 2) -> float | None:
    return None if value_ns is None else round(value_ns / 1e6, digits)


def median(values: Iterable[float]) -> float | None:
    """The middle one, or the mean of the middle two; None of nothing."""
    known = list(values)
    return statistics.median(known) if known else None


def ratio(value: float | None, base: float | None) -> float | None:
    """`value` / `base` to three digits; None where one is missing."""
    return round(value / base, 3) if value is not None and base else None


def rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)


def summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
