"""What holds for the whole process: one owner per state directory, logs, crash points for tests."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import sys
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

import structlog

from penstock.config import SettingsInvalid
from penstock.core.points import arm_from_environment

SEND_BEFORE_STORE = "PENSTOCK_TEST_SEND_BEFORE_STORE"
"""Test switch: plants the bug that the crash test must find."""


def announce(url: str) -> None:
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()


def announce_worker() -> None:
    sys.stdout.write("ready worker\n")
    sys.stdout.flush()


class StopRequest:
    """An event that a signal's handler may set.

    threading.Event is none: the thread that waits for it holds its lock at moments, and a handler that runs
    in that very thread would wait for the lock for ever.
    """

    def __init__(self) -> None:
        self._made = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._made = True
        self._wake.put(None)

    def is_set(self) -> bool:
        return self._made

    def wait(self, timeout_s: float) -> bool:
        """Whether it is set by then; returns as soon as it is."""
        if not self._made:
            with contextlib.suppress(Empty):
                self._wake.get(timeout=timeout_s)
        return self._made


class LockedState:
    """Hold a state directory for this process alone; made when missing. Raises SettingsInvalid when another
    has it.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = (self._path / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsInvalid(
                f"{self._path} is in use by another Penstock; stop it or use another one"
            ) from error

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()


def settle_memory() -> None:
    """Call once everything long-lived exists: keep the collector from walking it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _log_to_stderr() -> None:
    """As structlog does by itself, but for tracebacks: by default they show the local variables of every frame, and in
    these are the database's password, customers' requests and whole tables.
    """
    shown = [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if isinstance(processor, structlog.dev.ConsoleRenderer)
        else processor
        for processor in structlog.get_config()["processors"]
    ]
    structlog.configure(processors=shown, logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def prepare_process() -> None:
    """What holds for the whole process: logs to stderr, thread switching, crash points where a test asks for
    them.
    """
    if not __debug__:
        raise SettingsInvalid("python -O removes the checks that money rests on; run without it")
    _log_to_stderr()
    # The writer thread and the event loop hand work to each other; the default 5 ms would be felt in every
    # answer.
    sys.setswitchinterval(0.0005)
    arm_from_environment()
