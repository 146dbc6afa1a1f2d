"""One process of a running service is lost; the others start it again and nothing else changes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.raw_http import apply_body, apply_request, ask
from tests.acceptance.sandbox_process import Sandbox, running_sandbox
from tests.acceptance.test_repeats import until_over

pytestmark = pytest.mark.xdist_group("lost")

DONE = 3
BACK_S_MAX = 30.0
LOOK_EVERY_S = 0.05


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """It loses one process after the other, and ends in order nevertheless."""
    with running_sandbox(tmp_path_factory.mktemp("lost"), "--chain-pace", "100") as sandbox:
        yield sandbox
        assert sandbox.terminate() == 0
        assert sandbox.processes() == []


def process_of(sandbox: Sandbox, module: str) -> int | None:
    for pid in sandbox.processes():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if module.encode() in command:
            return pid
    return None


def kill_and_await_the_next(sandbox: Sandbox, module: str) -> None:
    first = process_of(sandbox, module)
    assert first is not None, f"{module} does not run"
    os.kill(first, signal.SIGKILL)
    ends_s = time.monotonic() + BACK_S_MAX
    while process_of(sandbox, module) in (None, first):
        assert time.monotonic() < ends_s, f"{module} was not started again"
        time.sleep(LOOK_EVERY_S)


@pytest.mark.parametrize("module", ["penstock.server.front", "penstock.signer"])
def test_a_killed_process_is_started_again_and_withdrawals_go_on(own: Sandbox, module: str) -> None:
    before = ask(own, apply_request(own.new_key(), apply_body(own))).envelope["data"]["withdraw_id"]
    kill_and_await_the_next(own, module)
    after = ask(own, apply_request(own.new_key(), apply_body(own))).envelope["data"]["withdraw_id"]
    assert {until_over(own, before)["status"], until_over(own, after)["status"]} == {DONE}
    assert own.verified().startswith("verify: ok")
