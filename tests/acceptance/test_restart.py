"""Stopping and starting again on the same directory changes nothing about what was promised."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.process_groups import PENSTOCK
from tests.acceptance.raw_http import apply_body, apply_request, ask
from tests.acceptance.sandbox_process import Sandbox, running_sandbox
from tests.acceptance.test_repeats import until_over

BALANCES = "SELECT * FROM balances ORDER BY account_id, asset, wallet"
DONE = 3


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path, "--chain-pace", "100") as sandbox:
        yield sandbox


def test_sigterm_ends_every_process_in_order(own: Sandbox) -> None:
    running = own.processes()
    assert len(running) >= 2, "the service and its signer"
    assert own.terminate() == 0
    assert own.processes() == []


def test_a_second_start_has_the_same_keys_and_balances(own: Sandbox) -> None:
    before, balances = own.facts["venues"], own.rows(BALANCES)
    wallets = [row["hot_wallet"] for row in own.facts["assets"]]
    own.terminate()
    own.start()
    assert own.facts["venues"] == before
    assert own.rows(BALANCES) == balances
    assert [row["hot_wallet"] for row in own.facts["assets"]] == wallets


@pytest.mark.parametrize("end", [Sandbox.terminate, Sandbox.kill])
def test_a_pending_withdrawal_is_completed_after_a_restart(own: Sandbox, end: object) -> None:
    assert callable(end)
    own.admin("POST", "/sending/stop", {"reason": "test"})
    made = ask(own, apply_request(own.new_key(), apply_body(own)))
    withdraw_id = made.envelope["data"]["withdraw_id"]
    end(own)
    own.start()
    ((state,),) = own.rows("SELECT state FROM withdrawals")
    assert state == "held"
    own.admin("POST", "/sending/start", {"reason": "test"})
    assert until_over(own, withdraw_id)["status"] == DONE
    assert own.terminate() == 0
    assert own.verified().startswith("verify: ok")


def test_verify_says_ok_beside_a_running_service(own: Sandbox) -> None:
    ask(own, apply_request(own.new_key(), apply_body(own)))
    assert own.verified().startswith("verify: ok")


def test_a_second_sandbox_on_the_directory_is_refused_and_the_first_goes_on(own: Sandbox) -> None:
    second = subprocess.run(
        [*PENSTOCK, "sandbox", "--port", "0", "--state", str(own.state)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.splitlines() == [
        f"penstock: {own.state} is in use by another Penstock; stop it or use another one"
    ]
    assert ask(own, apply_request(own.new_key(), apply_body(own))).status == 200
