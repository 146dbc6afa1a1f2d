"""Server processes of a benchmark: started, waited for, stopped."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from penstock.bench.cpu import family
from penstock.bench.loader import Assignment, Measurement
from penstock.bench.open_loader import OpenAssignment, OpenMeasurement

READY_S = 60
STOP_S = 30
_POLL_S = 0.02
_READY = re.compile(r"^ready http://127\.0\.0\.1:(\d+)$", re.MULTILINE)


class ServerFailed(Exception):
    """A server process of the benchmark did not start, or ended too soon. The message holds the end of its
    log.
    """


class ServerProcess:
    """A child process that prints `ready http://127.0.0.1:P` once it answers. As a context manager: stopped
    behind it.

    log: file that takes what it writes, so that a full pipe never stops it.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = tuple(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        try:
            self.port = self._await_ready(time.monotonic() + READY_S)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process and all that it has started so far."""
        assert self._process is not None
        return family(self._process.pid)

    def stop(self) -> bool:
        """SIGTERM, and SIGKILL if it takes longer than STOP_S. Returns whether it went by itself. Again: as
        before.
        """
        process = self._process
        assert process is not None
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return process.returncode != -9  # noqa: PLR2004 - SIGKILL

    def _await_ready(self, until: float) -> int:
        assert self._process is not None
        while True:
            ended = self._process.poll() is not None
            written = self._log.read_text("utf-8", "replace")
            if ready := _READY.search(written):
                return int(ready[1])
            if ended or time.monotonic() > until:
                raise ServerFailed(
                    f"{' '.join(self._command)}: not ready; its last words:\n{written[-2_000:]}"
                )
            time.sleep(_POLL_S)


def load(assignment: Assignment) -> Measurement:
    """Have a load generator process do `assignment`, and wait for it."""
    return msgspec.json.decode(_process("penstock.bench.loader", assignment), type=Measurement)


def offer(assignment: OpenAssignment) -> OpenMeasurement:
    """As `load`, with the open loop."""
    return msgspec.json.decode(_process("penstock.bench.open_loader", assignment), type=OpenMeasurement)


def _process(module: str, assignment: msgspec.Struct) -> bytes:
    done = subprocess.run(
        (sys.executable, "-m", module),
        input=msgspec.json.encode(assignment),
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout
