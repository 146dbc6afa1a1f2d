"""What the crash test kills: `penstock serve` on a prepared state directory, paying on an anvil of its own.

Requests are signed and sent here by hand, and blocks come when the test says so. What must hold afterwards
stands in crash_proof.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from penstock.core.points import CRASH_AT, REACHED
from tests.acceptance.one_listing import FEE_UNITS, UNIT, amount_text, evm_chain, listing_settings
from tests.acceptance.process_groups import PENSTOCK, READY_S_MAX, kill_group, ready_url, start_group
from tests.nodes import Anvil, anvil

CRASH_S_MAX = 30.0
FINAL_S_MAX = 30.0
ANSWER_S_MAX = 10.0
LOOK_EVERY_S = 0.02
BLOCK_S_MAX = 1.0
CONFIRMATIONS = 2
"""So that a payment is seen in a block before it is final."""

REQUESTS = 3
"""Asked for at once in each case."""

SETTINGS = """\
state_dir = "{state}"
port = 0
admin_token = {{ file = "{state}/admin-token" }}
failed_auth_per_minute = 1000000

[webhooks]
allowed_private = ["127.0.0.0/8"]

[workers]
interval_ms = 20
lease_ms = 800
bump_after_ms = {bump_after_ms}
resend_after_ms = 200

{listing}"""


@dataclass(frozen=True)
class Prepared:
    """A sandbox that was brought up once and stopped: its directory, its chain as anvil dumps it, its play
    secrets.
    """

    state: Path
    chain: str
    venues: dict[str, dict[str, Any]]
    contract: str
    hot_wallet: str

    @property
    def bitmart(self) -> dict[str, Any]:
        return self.venues["bitmart"]


def prepare(folder: Path) -> Prepared:
    """Start a sandbox on a new chain, stop it in order, and keep what it made of both."""
    state = folder / "prepared"
    with anvil(mining=False) as node:
        process = start_sandbox(state, node)
        try:
            assert ready_url(process), "the sandbox did not start"
            process.terminate()
            assert process.wait(READY_S_MAX) == 0
        finally:
            kill_group(process)
        chain = node.ask("anvil_dumpState")
    with contextlib.closing(apsw.Connection(str(state / "penstock.db"))) as database:
        # Its lease on the lane would run for seconds yet, and the first case would wait for it.
        database.execute("UPDATE lanes SET lease_until_ms = 0")
    told = json.loads((state / "sandbox.json").read_text())
    usdt = next(one for one in told["assets"] if (one["asset"], one["network"]) == ("USDT", "ethereum"))
    return Prepared(state, chain, told["venues"], usdt["contract"], usdt["hot_wallet"])


def start_sandbox(state: Path, node: Anvil, crash_at: str = "") -> subprocess.Popen[bytes]:
    """Start `penstock sandbox` in a process group of its own. crash_at: "<point>:<n>", counted from its first
    breath.
    """
    command = [*PENSTOCK, "sandbox", "--port", "0", "--state", str(state), "--evm-rpc", node.url]
    return start_group(command, None, env={**os.environ, CRASH_AT: crash_at})


@dataclass
class Asked:
    """A withdrawal request, byte for byte, and what its sender heard. withdrawal_id: of the first answer;
    None: lost.
    """

    net: int
    wire: bytes
    withdrawal_id: str | None = None


@dataclass
class World:
    """One state directory, one chain, and the service that is started, killed and started again on them.

    asked: the requests of the case under way; made: how many there have been in all. nets: of every
    withdrawal that came to be, case after case, in the token's smallest unit. blocks: those read so far; this
    chain is never reorganised. whole: False once a case has failed here.
    """

    prepared: Prepared
    node: Anvil
    folder: Path
    bump_after_ms: int
    switches: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    base_url: str = ""
    asked: list[Asked] = field(default_factory=list)
    made: int = 0
    nets: list[int] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = True

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def receiver(self) -> str:
        return next(
            entry["address"]
            for entry in self.prepared.bitmart["addresses"]
            if entry["currency"] == "USDT-ERC20" and entry["verified"]
        )

    @property
    def order(self) -> Path:
        """Where the running service is told where to die."""
        return self.folder / "order"

    def open(self) -> None:
        """Copy the prepared state, load the prepared chain, write the settings."""
        shutil.copytree(self.prepared.state, self.state)
        assert self.node.ask("anvil_loadState", self.prepared.chain) is True
        # A loaded chain can be asked about the state at its last block only, and the service asks about a
        # final one.
        self.node.mine(CONFIRMATIONS)
        signer = self.state / "signer" / "signer.json"
        told = json.loads(signer.read_text())
        # Deep test folders are too long for a socket's path; a relative one is taken from the signer's
        # folder.
        told["socket"] = "s"
        signer.write_text(json.dumps(told))
        text = SETTINGS.format(
            state=self.state,
            bump_after_ms=self.bump_after_ms,
            listing=listing_settings(self.prepared.contract, CONFIRMATIONS, evm_chain(self.node.url)),
        )
        (self.folder / "penstock.toml").write_text(text)

    def start(self) -> bool:
        """Start the service in a process group of its own; whether it came up."""
        command = [*PENSTOCK, "serve", "--config", str(self.folder / "penstock.toml")]
        switches = {CRASH_AT: f"@{self.order}", **self.switches}
        self.process = start_group(command, self.folder / "log", env={**os.environ, **switches})
        self.base_url = ready_url(self.process)
        return bool(self.base_url)

    def command_death(self, at: str) -> None:
        """at: "<point>:<n>", counted from now on."""
        written = self.folder / "order-new"
        written.write_text(at)
        written.rename(self.order)

    def died_at(self) -> str:
        """Where the service says it died, and withdraw the order. Empty: it was not there."""
        said = self.order.read_text()
        self.order.unlink()
        return said.removesuffix(REACHED) if said.endswith(REACHED) else ""

    def kill(self) -> None:
        if self.process is not None:
            kill_group(self.process)

    def log(self) -> str:
        return (self.folder / "log").read_text()[-4_000:]

    # ---- asking --------------------------------------------------------------------------------------------

    def ask_all(self) -> None:
        """Send every request at once, then hear the answers, as far as any come."""
        self.asked = [self._new_request() for _ in range(REQUESTS)]
        connections = [self._send(asked.wire) for asked in self.asked]
        for asked, connection in zip(self.asked, connections, strict=True):
            asked.withdrawal_id = _heard(connection)

    def repeat(self, asked: Asked) -> str:
        """Send the very same bytes again; the withdrawal's id."""
        withdrawal_id = _heard(self._send(asked.wire))
        assert withdrawal_id is not None, "no answer from a service that runs"
        return withdrawal_id

    def _new_request(self) -> Asked:
        """For an amount never asked for before: what moved on the chain tells whose it was."""
        self.made += 1
        amount = 100 * UNIT + self.made
        return Asked(amount - FEE_UNITS, self._signed(amount_text(amount)))

    def _signed(self, amount: str) -> bytes:
        """An apply in BitMart's form, signed here and not by the code under test."""
        body = json.dumps(
            {
                "currency": "USDT-ERC20",
                "amount": amount,
                "destination": "To Digital Address",
                "address": self.receiver,
            }
        )
        told = self.prepared.bitmart
        timestamp = str(time.time_ns() // 1_000_000)
        message = f"{timestamp}#{told['memo']}#{body}".encode()
        sign = hmac.new(told["api_secret"].encode(), message, hashlib.sha256).hexdigest()
        head = (
            "POST /account/v1/withdraw/apply HTTP/1.1\r\nHost: penstock\r\nContent-Type: application/json\r\n"
            f"X-BM-KEY: {told['api_key']}\r\nX-BM-TIMESTAMP: {timestamp}\r\nX-BM-SIGN: {sign}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return (head + body).encode()

    def _send(self, wire: bytes) -> socket.socket | None:
        host, port = self.base_url.removeprefix("http://").split(":")
        try:
            connection = socket.create_connection((host, int(port)), ANSWER_S_MAX)
            connection.sendall(wire)
        except OSError:
            return None
        return connection

    # ---- waiting -------------------------------------------------------------------------------------------

    def await_crash(self, *, mining: bool) -> int:
        """Wait until the service is dead; its exit code. Fails when it lives on.

        mining: let a block come whenever the service has seen what the last one did, so that none of its
        moments is jumped over; and every BLOCK_S_MAX in any case.
        """
        assert self.process is not None
        ends_s = time.monotonic() + CRASH_S_MAX
        mined_s, mined_for = time.monotonic(), set[tuple[str, int]]()
        while self.process.poll() is None:
            assert time.monotonic() < ends_s, f"alive after {CRASH_S_MAX} s, {self.states()}\n{self.log()}"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(LOOK_EVERY_S)
            stand = self._unfinished()
            seen = len(stand) == 1 and stand <= {("sent", 0), ("mined", 1)} and stand != mined_for
            if mining and (seen or time.monotonic() - mined_s > BLOCK_S_MAX):
                self.node.mine()
                mined_s, mined_for = time.monotonic(), stand
        return self.process.returncode

    def _unfinished(self) -> set[tuple[str, int]]:
        rows = self.read("SELECT state, confirmations FROM withdrawals WHERE state <> 'confirmed'")
        return {(state, confirmations) for state, confirmations in rows}

    def await_states(self, *wanted: str, mining: bool) -> None:
        """Wait until every withdrawal has one of these states. Fails when that takes too long."""
        assert self.process is not None
        ends_s = time.monotonic() + FINAL_S_MAX
        while not self.states() <= set(wanted):
            assert time.monotonic() < ends_s, f"{self.states()} after {FINAL_S_MAX} s\n{self.log()}"
            if mining:
                self.node.mine()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(LOOK_EVERY_S)

    def states(self) -> set[str]:
        return {state for (state,) in self.read("SELECT state FROM withdrawals")}

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the service's database, by a connection that cannot write."""
        database = apsw.Connection(str(self.state / "penstock.db"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            database.set_busy_timeout(5_000)
            return list(database.execute(sql))
        finally:
            database.close()


def _heard(connection: socket.socket | None) -> str | None:
    """The withdrawal's id of a whole answer; None when the connection ended before. Any other answer is a
    failure: a service that is being killed must not tell lies meanwhile.
    """
    if connection is None:
        return None
    with connection, contextlib.suppress(OSError):
        text = b""
        while part := connection.recv(65_536):
            text += part
            head, found, body = text.partition(b"\r\n\r\n")
            if found and len(body) >= _length(head):
                answer = json.loads(body)
                assert (head.split()[1], answer["code"]) == (b"200", 1000), text
                return str(answer["data"]["withdraw_id"])
    return None


def _length(head: bytes) -> int:
    lines = (line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:])
    return next(int(value) for name, value in lines if name == b"content-length")
