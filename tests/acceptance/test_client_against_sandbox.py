"""The client and the command line against a real sandbox process: paid, found again, proven."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from penstock.cli.demo import running
from penstock.client import Client, OutcomeUnknown, Status, VenueRefused, connect, connect_async
from tests.acceptance.process_groups import PENSTOCK

pytestmark = pytest.mark.xdist_group("client")

PAID_S_MAX = 30


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: its file, and what that says of BitMart."""

    state: Path
    base_url: str
    bitmart: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        keys = {name: self.bitmart[name] for name in ("api_key", "api_secret", "memo")}
        return {"base_url": self.base_url, **keys}

    def address(self, *, verified: bool) -> str:
        return next(
            entry["address"]
            for entry in self.bitmart["addresses"]
            if entry["currency"] == "USDT-ERC20" and entry["verified"] is verified
        )

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PENSTOCK, *argv],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    state = folder / "state"
    command = [*PENSTOCK, "sandbox", "--port", "0", "--state", str(state), "--chain-pace", "100"]
    with running(command, folder / "log") as base_url:
        told = json.loads((state / "sandbox.json").read_text())
        assert told["base_url"] == base_url
        yield Sandbox(state, base_url, told["venues"]["bitmart"])


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with connect("bitmart", **sandbox.settings) as opened:
        yield opened


def until_final(client: Client, withdrawal_id: str) -> Status:
    ends_s = time.monotonic() + PAID_S_MAX
    while True:
        status = client.withdrawal(withdrawal_id).status
        if status.is_final or time.monotonic() > ends_s:
            return status


def test_a_withdrawal_is_paid(sandbox: Sandbox, client: Client) -> None:
    sent = client.withdraw("USDT", "25.5", sandbox.address(verified=True), network="ethereum")
    assert until_final(client, sent.withdrawal_id) is Status.DONE
    paid = client.withdrawal(sent.withdrawal_id)
    assert (paid.amount, paid.net) == (Decimal("25.5"), Decimal("25.5") - client.fee("USDT-ERC20").fee)
    assert len(paid.tx_id) >= 64


def test_a_transfer_is_done_at_once(sandbox: Sandbox, client: Client) -> None:
    sent = client.withdraw_to_account("USDT-ERC20", 10, sandbox.bitmart["recipient_cid"])
    assert client.withdrawal(sent.withdrawal_id).status is Status.DONE


def test_the_awaiting_client_sees_the_same(sandbox: Sandbox, client: Client) -> None:
    async def read() -> tuple[Any, ...]:
        async with connect_async("bitmart", **sandbox.settings) as opened:
            return await opened.currencies(), await opened.addresses()

    assert asyncio.run(read()) == (client.currencies(), client.addresses())


def test_a_refusal_is_the_venues_own(sandbox: Sandbox, client: Client) -> None:
    with pytest.raises(VenueRefused) as caught:
        client.withdraw("USDT-ERC20", "25", sandbox.address(verified=False))
    assert (caught.value.code, caught.value.http_status) == ("60015", 400)


class Losing(httpx2.HTTPTransport):
    """Loses the first answer to a POST after the service has given it."""

    lost = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        if request.method == "POST" and not self.lost:
            self.lost = True
            response.read()
            response.close()
            raise httpx2.ReadError("the answer was lost")
        return response


def test_a_withdrawal_whose_answer_was_lost_is_found_and_not_made_twice(sandbox: Sandbox) -> None:
    with connect("bitmart", **sandbox.settings, transport=Losing()) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            client.withdraw("USDT-ERC20", "31.25", sandbox.address(verified=True))
        found = client.resolve(caught.value).candidates
        again = client.repeat_identical(caught.value, against_penstock=True)
        made = [line for line in client.withdrawals("USDT") if line.amount == Decimal("31.25")]
    assert [line.withdrawal_id for line in found] == [again.withdrawal_id]
    assert [line.withdrawal_id for line in made] == [again.withdrawal_id]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """pytest's own folders are longer than the address of a unix socket may be."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def test_the_demo_pays_through_every_venue_and_proves_the_ledger(short_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(short_path)}
    ran = subprocess.run(
        [*PENSTOCK, "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    assert sum(line.split()[-3:] == ["venue", "says", "done"] for line in lines) == 5
    assert lines[-1].startswith("verify: ok")
    assert not list(short_path.iterdir())


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_sandbox_in_order_and_it_goes_on_where_it_was(
    tmp_path: Path, ending: signal.Signals
) -> None:
    keys: list[str] = []
    for _ in range(2):
        command = [*PENSTOCK, "sandbox", "--port", "0", "--state", str(tmp_path / "state")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline().startswith("ready http://127.0.0.1:")
            child.send_signal(ending)
            assert child.wait(20) == 0
        keys.append(json.loads((tmp_path / "state/sandbox.json").read_text())["venues"]["bitmart"]["api_key"])
    assert keys[0] == keys[1]


def test_the_command_line_withdraws_watches_and_tells_the_history(sandbox: Sandbox) -> None:
    config = ("--config", str(sandbox.state / "sandbox.json"))
    what = (
        "--asset",
        "USDT",
        "--network",
        "ethereum",
        "--amount",
        "42",
        "--address",
        sandbox.address(verified=True),
    )
    ran = sandbox.run("withdraw", *config, *what, "--yes", "--watch")
    assert (ran.returncode, ran.stderr.count("will be sent, once")) == (0, 1), ran.stderr
    withdrawal_id = ran.stdout.split()[1]
    assert "confirmed 3/3 confirmations" in ran.stdout
    shown = sandbox.run("withdrawals", "show", withdrawal_id, *config)
    for state in ("held", "planned", "signed", "sent", "mined", "confirmed"):
        assert state in shown.stdout
    stored = sandbox.run("withdrawals", "show", withdrawal_id, "--state", str(sandbox.state), "--json")
    inside = json.loads(stored.stdout)
    assert [change["state_after"] for change in inside["history"]][-1] == "confirmed"
    assert len(inside["attempts"]) == 1
