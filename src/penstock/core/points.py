"""Named moments at which a crash test may kill the service.

`point(name)` does nothing until a test arms it; the service's processes arm it from the environment at start.
The names are closed: a call with an unknown name fails at once, so the crash test's list cannot fall behind
the code.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

CRASH_AT = "PENSTOCK_TEST_CRASH_AT"
"""Test switch: "<point>[:<n>]" kills every process of the group when one of them reaches the point for the
n-th time.

"@<file>": the same, by what that file says once it exists, so that a service that runs can be told where to
die. Hits count from then on; before the end REACHED is written behind it.
"""

REACHED = " reached"

POINTS: tuple[str, ...] = (
    "intake.request_read",
    "intake.authenticated",
    "intake.command_read",
    "intake.queued",
    "intake.answer_ready",
    "intake.answer_handed_over",
    "store.batch_taken",
    "store.batch_loaded",
    "store.batch_decided",
    "store.batch_begun",
    "store.batch_written",
    "store.before_commit",
    "store.committed",
    "store.answered",
    "worker.lane_claimed",
    "worker.work_found",
    "worker.checked",
    "worker.nonce_chosen",
    "worker.intent_built",
    "worker.plan_queued",
    "worker.planned",
    "worker.before_sign",
    "signer.request_read",
    "signer.signed",
    "signer.logged",
    "signer.answered",
    "worker.bytes_received",
    "worker.bytes_checked",
    "worker.signed_stored",
    "worker.before_send",
    "worker.sent",
    "worker.sent_recorded",
    "worker.located",
    "worker.mined_seen",
    "worker.mined_recorded",
    "worker.final_seen",
    "worker.before_settle",
    "worker.settled",
    "worker.pass_done",
    "bump.due",
    "bump.intent_built",
    "bump.planned",
    "bump.signed",
    "bump.stored",
    "bump.sent",
    "callback.posted",
    "callback.recorded",
    "start.store_opened",
    "start.signer_started",
    "start.lanes_checked",
    "start.ready",
)

_known = frozenset(POINTS)
_armed: Callable[[str], None] | None = None


def point(name: str) -> None:
    """Say that the process has come to `name`."""
    if _armed is not None:
        assert name in _known, name
        _armed(name)


def arm(action: Callable[[str], None] | None) -> None:
    """Have `action` called with each point's name from now on; None disarms."""
    global _armed  # noqa: PLW0603 - one switch per process is the point
    _armed = action


def arm_from_environment() -> None:
    """Arm what CRASH_AT names, if it is set: SIGKILL to the whole process group, as a power cut would end it."""
    wanted = os.environ.get(CRASH_AT)
    if wanted:
        arm(_Crash("", wanted[1:]) if wanted.startswith("@") else _Crash(wanted))


class _Crash:
    """Ends everything at the ordered moment. order: "<point>[:<n>]"; empty: `file` will say it."""

    def __init__(self, order: str, file: str = "") -> None:
        self._file = file
        self._name = ""
        self._left = 0
        if order:
            self._obey(order)

    def _obey(self, order: str) -> None:
        name, _, count = order.partition(":")
        assert name in _known, name
        self._left = int(count or "1")
        self._name = name

    def __call__(self, seen: str) -> None:
        if not self._name and os.path.exists(self._file):  # noqa: PTH110 - cheaper, and this is every point
            self._obey(Path(self._file).read_text())
        if seen == self._name:
            self._left -= 1
            if self._left == 0:
                if self._file:
                    with Path(self._file).open("a") as file:
                        file.write(REACHED)
                os.killpg(0, signal.SIGKILL)
