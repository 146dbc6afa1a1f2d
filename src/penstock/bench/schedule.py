"""When requests are due, fixed before the first one is sent."""

from __future__ import annotations

import random
from collections.abc import Callable

NS_PER_S = 1_000_000_000
SHAPES = ("poisson", "even")


def schedule(shape: str, rate: float, length_ns: int, seed: int) -> list[int]:
    """Rising times in ns from 0 to below `length_ns`, `rate` a second.

    even: at equal distances. poisson: as strangers come who do not know of each other, at random times whose number in
    a second is `rate` on average.
    """
    assert rate > 0, rate
    gap_ns = NS_PER_S / rate
    if shape == "even":
        return [
            int(number * gap_ns)
            for number in range(int(length_ns / gap_ns) + 1)
            if number * gap_ns < length_ns
        ]
    assert shape == "poisson", shape
    draw: Callable[[float], float] = random.Random(seed).expovariate  # noqa: S311 - times, not a secret
    due: list[int] = []
    at_ns = draw(1.0) * gap_ns
    while at_ns < length_ns:
        due.append(int(at_ns))
        at_ns += draw(1.0) * gap_ns
    return due
