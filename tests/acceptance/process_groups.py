"""`penstock`'s own processes as a test runs them: each in a group of its own, so that all it started ends with it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]
READY_S_MAX = 60.0
STOP_S_MAX = 20.0
VERIFY_S_MAX = 120.0


def start_group(command: Sequence[str | Path], log: Path | None, **more: Any) -> subprocess.Popen[bytes]:
    """Start it with its stdout to be read here. log: what its stderr is added to; None: that of the test run.
    more: as subprocess.Popen takes it.
    """
    with contextlib.nullcontext() if log is None else log.open("ab") as stderr:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            **more,
        )


def first_line(stream: IO[bytes] | None) -> str:
    """What it says first; "" when it ends without a word, or says nothing for READY_S_MAX."""
    assert stream is not None
    readable, _, _ = select.select([stream], [], [], READY_S_MAX)
    return stream.readline().decode().strip() if readable else ""


def ready_url(process: subprocess.Popen[bytes]) -> str:
    """The base URL of the line "ready URL"; "" when the process ended before it said that."""
    line = first_line(process.stdout)
    return line.removeprefix("ready ") if line.startswith("ready ") else ""


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to it and to all that it started, like a crash; harmless when they are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_S_MAX)
    if process.stdout is not None:
        process.stdout.close()


def verify(*target: str | Path) -> list[str]:
    """What `penstock verify` says of "--state" DIR or "--database" URL; its exit code must agree with the last line."""
    done = subprocess.run(
        [*PENSTOCK, "verify", *target],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=VERIFY_S_MAX,
        check=False,
    )
    lines = done.stdout.splitlines() or [done.stderr]
    assert (done.returncode == 0) == lines[-1].startswith("verify: ok"), done
    return lines
