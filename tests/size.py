"""How long the long tests are: short in `make test`, in full in `make test-long`, which sets PENSTOCK_LONG=1.

The tests are the same ones, and each claims the same; what differs is for how long, how often and with how many.
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

IN_FULL = os.environ.get("PENSTOCK_LONG", "") not in {"", "0"}


def sized(short: T, full: T) -> T:
    """One of the two, for the whole run."""
    return full if IN_FULL else short
