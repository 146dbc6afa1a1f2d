"""`penstock worker` that stops itself, as SIGSTOP does, at a named moment of its work.

python -m tests.acceptance.stopping_worker ORDER worker --config FILE

ORDER: a file; once it is there and says "<point>:<n>", the process stops when it has come to that point n times more.
The file is taken away just before.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from penstock.cli.main import main
from penstock.core.points import POINTS, arm


class Stop:
    """What is done at each point. order: the file."""

    def __init__(self, order: Path) -> None:
        self._order = order
        self._name = ""
        self._left = 0

    def __call__(self, seen: str) -> None:
        if not self._name and self._order.exists():
            self._name, _, count = self._order.read_text().partition(":")
            assert self._name in POINTS, self._name
            self._left = int(count)
        if seen != self._name:
            return
        self._left -= 1
        if self._left == 0:
            self._name = ""
            self._order.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    arm(Stop(Path(sys.argv[1])))
    sys.exit(main(sys.argv[2:]))
