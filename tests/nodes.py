"""Real blockchain nodes for tests: an anvil per caller, on a free port, always stopped again.

with anvil(mining=False) as node:
    node.mine(3)
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 5
POLL_SECONDS = 0.02
STARTS_MAX = 3


class NodeAnsweredError(Exception):
    """The node's JSON-RPC error."""


@dataclass(frozen=True)
class Anvil:
    """A running anvil of chain id 31337, with its ten unlocked and rich accounts."""

    url: str
    process: subprocess.Popen[bytes]

    def ask(self, method: str, *params: object) -> Any:
        """One JSON-RPC call, by other means than the code under test. Raises NodeAnsweredError or OSError."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.load(response)
        if "error" in answer:
            raise NodeAnsweredError(answer["error"])
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        self.ask("anvil_mine", hex(blocks))

    def balance(self, address: str) -> int:
        return int(self.ask("eth_getBalance", address, "latest"), 16)

    def token_balance(self, contract: str, address: str) -> int:
        # The selector of balanceOf(address), written out: not taken from the code under test.
        call = "0x70a08231" + address[2:].lower().rjust(64, "0")
        return int(self.ask("eth_call", {"to": contract, "data": call}, "latest"), 16)

    def stop(self) -> None:
        """Like a crash: the node is gone at once. Stopping twice is harmless."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS_MAX)


def anvil_binary() -> Path:
    """The program that PENSTOCK_ANVIL names, else the one `make test` installs.

    Without one, tests fail where CI is set; elsewhere they are skipped and say how to get it.
    """
    named = os.environ.get("PENSTOCK_ANVIL")
    # Not node_modules/.bin/anvil: a script that needs Node on PATH and starts the program as its child.
    installed = (ROOT / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*")
    for binary in [Path(named)] if named else sorted(installed):
        if binary.is_file():
            return binary
    missing = "NO EVM NODE: `make nodes` installs one, or name one in PENSTOCK_ANVIL."
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@contextlib.contextmanager
def anvil(*options: str, mining: bool = True, block_seconds: int | None = None) -> Iterator[Anvil]:
    """Start anvil and wait until it answers.

    mining: a block for each transaction at once; False: only when told (`mine`). block_seconds: instead a
    block at every interval. options: further command line options.
    """
    binary = anvil_binary()
    how = ["--block-time", str(block_seconds)] if block_seconds else [] if mining else ["--no-mining"]
    node = _start([str(binary), *how, *options])
    try:
        yield node
    finally:
        node.stop()


def _start(command: list[str]) -> Anvil:
    """A port that was free may be taken a moment later by another test's node: then once more on another."""
    for _ in range(STARTS_MAX):
        port = _free_port()
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--silent"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        node = Anvil(f"http://127.0.0.1:{port}", process)
        if _answers(node):
            return node
        node.stop()
    pytest.fail(f"anvil did not start in {STARTS_MAX} tries: {command}")


def _answers(node: Anvil) -> bool:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and node.process.poll() is None:
        with contextlib.suppress(OSError):
            node.ask("eth_chainId")
            # Ours, and not one that had the port before: ours would have ended for want of the port.
            return node.process.poll() is None
        time.sleep(POLL_SECONDS)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
