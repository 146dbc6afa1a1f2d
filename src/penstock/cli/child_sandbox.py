"""A sandbox as a child process: started, ready, and gone at the end whatever happens."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from penstock.cli.terminal import Failure

READY_S_MAX = 30
STOP_S_MAX = 15
LOG_TAIL_LINES = 20


def sandbox_command(state: Path, chain_pace_ms: int) -> list[str]:
    state.mkdir()
    command = [sys.executable, "-m", "penstock.cli.main", "sandbox", "--port", str(_free_port())]
    return [*command, "--state", str(state), "--chain-pace", str(chain_pace_ms)]


@contextmanager
def running(command: list[str], log: Path) -> Generator[str]:
    """Run a sandbox; yields its base URL, and leaves no process behind whatever happens inside.

    log: where its standard error goes. Raises Failure with the log's end when it does not come up.
    """
    with log.open("wb") as errors:
        # A session of its own: an interrupt at the terminal then reaches the demo only, which stops it in
        # order.
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            yield _ready(child, log)
        finally:
            _stop(child)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _ready(child: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for the line "ready URL"."""
    assert child.stdout is not None
    ends_s = time.monotonic() + READY_S_MAX
    text, what = b"", f"was not ready after {READY_S_MAX} s"
    while (left_s := ends_s - time.monotonic()) > 0:
        readable, _, _ = select.select([child.stdout], [], [], left_s)
        if not readable:
            break
        chunk = os.read(child.stdout.fileno(), 4096)
        if not chunk:
            what = "ended before it was ready"
            break
        text += chunk
        for line in text.splitlines(keepends=True):
            if line.startswith(b"ready ") and line.endswith(b"\n"):
                return line.split()[1].decode()
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
    raise Failure(f"the sandbox {what}\n{tail}")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """In order if it can, by force if it must; nothing of its session is left."""
    child.terminate()
    try:
        child.communicate(timeout=STOP_S_MAX)
    except subprocess.TimeoutExpired:
        print(f"the sandbox did not stop in {STOP_S_MAX} s and is killed", file=sys.stderr)
    # It is the leader of its session, so its id names the group of everything it started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout:
        child.stdout.close()
