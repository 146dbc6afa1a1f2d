"""A sandbox that pays only when a test wants it: between payments nothing is written but what requests cause."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.acceptance.sandbox_process import Sandbox, running_sandbox

WHY = {"reason": "until a test wants it"}
SETTLED = ("confirmed", "rejected", "cancelled", "expired", "failed", "challenged")
PAID_S_MAX = 30.0


@contextlib.contextmanager
def holding_sandbox(folder: Path) -> Iterator[Sandbox]:
    """Takes withdrawals in; a block every tenth of a second."""
    with running_sandbox(folder, "--chain-pace", "100") as started:
        started.admin("POST", "/sending/stop", WHY)
        yield started


def pay_all(sandbox: Sandbox) -> None:
    """Send what was taken in, and wait until all of it is over."""
    sandbox.admin("POST", "/sending/start", {})
    ends_s, pause = time.monotonic() + PAID_S_MAX, threading.Event()
    marks = ",".join("?" * len(SETTLED))
    while sandbox.rows(f"SELECT 1 FROM withdrawals WHERE state NOT IN ({marks})", *SETTLED):
        assert time.monotonic() < ends_s, sandbox.rows("SELECT state, reason FROM withdrawals")
        pause.wait(0.05)
    sandbox.admin("POST", "/sending/stop", WHY)


def in_parallel(count: int, act: Callable[[], None]) -> None:
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def killed_half_way(sandbox: Sandbox, count: int, answered: int, ask: Callable[[], None]) -> None:
    """Ask `count` times at once, kill the sandbox once `answered` of these were answered, and start it again.

    ask: raises OSError or AssertionError where its answer was lost.
    """
    done, enough, lock = [0], threading.Event(), threading.Lock()

    def act() -> None:
        with contextlib.suppress(OSError, AssertionError):
            ask()
            with lock:
                done[0] += 1
            if done[0] >= answered:
                enough.set()

    killer = threading.Thread(target=lambda: (enough.wait(10), sandbox.kill()))
    killer.start()
    in_parallel(count, act)
    killer.join()
    assert done[0] >= answered
    sandbox.start()
