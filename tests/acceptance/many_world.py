"""Several `penstock serve` and `penstock worker` on one database, one signer of their own, and a real node.

A sandbox makes database, hot wallet and contracts, and is stopped; what runs afterwards are the operator's processes,
each with settings and a state directory of its own. Requests are signed here by hand.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import psycopg

from tests.acceptance.customers import new_evm_address, open_account
from tests.acceptance.one_listing import FEE_UNITS, amount_text, evm_chain, listing_settings
from tests.acceptance.process_groups import PENSTOCK, STOP_S_MAX, first_line, kill_group, start_group, verify
from tests.acceptance.raw_http import Answer, Connection, apply_request
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.zoomex_requests import CREATE, Key, by_headers, told
from tests.nodes import ROOT, Anvil

T = TypeVar("T")

CONFIRMATIONS = 2
LEASE_MS = 800
LOOK_EVERY_S = 0.02
WAIT_S_MAX = 40.0
AGAIN_S_MAX = 60.0

SETTINGS = """\
state_dir = "{state}"
port = 0
admin_token = {{ file = "{token}" }}
signer_socket = "{socket}"
limit_by_ip = false
failed_auth_per_minute = 1000000

{database}
[workers]
interval_ms = 20
lease_ms = {lease_ms}
bump_after_ms = 600000
resend_after_ms = 200

{listing}"""


@dataclass(frozen=True)
class Payer:
    """A customer of one venue. wire: the whole request for an amount, in units; the same bytes are the same request.

    kept: the fee that is taken from the amount; 0 where it comes on top.
    read: the withdrawal's id of an answer; None where it was refused for being one too many, or told that nothing was
    done. Any other answer fails.
    """

    address: str
    kept: int
    wire: Callable[[int], bytes]
    read: Callable[[Answer], str | None]


def bitmart_payer(sandbox: Sandbox, balance: str) -> Payer:
    customer = open_account(sandbox)
    customer.credit("USDT", balance, wallet="spot")
    key = sandbox.new_key(account_id=customer.account_id)
    address = new_evm_address()
    customer.list_address(address)

    def wire(amount: int) -> bytes:
        members = {"currency": "USDT-ERC20", "amount": amount_text(amount), "address": address}
        return apply_request(key, json.dumps(members).encode())

    def read(answer: Answer) -> str | None:
        if answer.verdict in {(429, 30013), (503, 30014)}:
            return None
        assert answer.verdict == (200, 1000), answer
        return str(answer.envelope["data"]["withdraw_id"])

    return Payer(address, FEE_UNITS, wire, read)


def zoomex_payer(sandbox: Sandbox, balance: str) -> Payer:
    customer = open_account(sandbox)
    customer.credit("USDT", balance, wallet="fund")
    key = Key(*customer.key("zoomex"))
    address = new_evm_address()
    customer.list_address(address)

    def wire(amount: int) -> bytes:
        members = {"coin": "USDT", "chain": "ETH", "address": address, "amount": amount_text(amount)}
        return by_headers(
            CREATE, key, members | {"requestId": secrets.token_hex(16)}, recv_window="60000"
        ).raw

    def read(answer: Answer) -> str | None:
        heard = told(answer)
        return None if heard.code in {10006, 10016} else heard.withdraw_id

    return Payer(address, 0, wire, read)


@dataclass
class Process:
    """One of the deployment's processes, in a group of its own. said: the line by which it said that it is ready."""

    name: str
    child: subprocess.Popen[bytes]
    log: Path
    said: str = ""

    @property
    def port(self) -> int:
        return int(self.said.rpartition(":")[2])

    @property
    def is_stopped(self) -> bool:
        """Whether it is in the state that SIGSTOP leaves it in (proc(5))."""
        return (Path("/proc") / str(self.child.pid) / "stat").read_text().rpartition(")")[2].split()[0] == "T"

    def resume(self) -> None:
        os.kill(self.child.pid, signal.SIGCONT)

    def fronts(self) -> list[int]:
        """The processes of this serve that answer requests."""
        place = Path("/proc") / str(self.child.pid) / "task"
        children = [pid for task in place.iterdir() for pid in (task / "children").read_text().split()]
        return [int(pid) for pid in children if b"penstock.server.front" in _command(pid)]

    def connection_at(self, front: int) -> Connection:
        """A connection that this one of its fronts has taken: the others are stopped meanwhile."""
        others = [pid for pid in self.fronts() if pid != front]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            connection = Connection(self.port)
            connection.exchange(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
        return connection

    def terminate(self) -> int:
        self.child.terminate()
        return self.child.wait(STOP_S_MAX)

    def kill(self) -> None:
        kill_group(self.child)


@dataclass
class Deployment:
    """Everything on one database and one node, in `folder`, whose path must be short enough for a socket.

    url: of a PostgreSQL; "" for SQLite, which one serve has for itself. node: None where nothing is to be paid.
    """

    folder: Path
    url: str
    node: Anvil | None
    facts: dict[str, Any] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    """Of the chain, as far as crash_proof.py has read them."""

    # ---- what there is before ------------------------------------------------------------------------------

    @property
    def prepared(self) -> Deployment:
        """crash_proof.py asks there for contract and hot_wallet."""
        return self

    def prepare(self, open_customers: Callable[[Sandbox], T]) -> T:
        """Fill database and chain by a sandbox, open customers there, stop it; what `open_customers` made of them."""
        options = [] if self.node is None else ["--evm-rpc", self.node.url]
        options += ["--database", self.url] if self.url else []
        sandbox = Sandbox(self.folder / "made", tuple(options))
        try:
            sandbox.start()
            self.facts = sandbox.facts
            made = open_customers(sandbox)
            assert sandbox.terminate() == 0
        finally:
            sandbox.kill()
        if self.url:
            self.write("UPDATE lanes SET lease_until_ms = 0")  # nobody is there to renew it
        signer = self.signer_folder / "signer.json"
        signer.write_text(json.dumps(json.loads(signer.read_text()) | {"socket": "s"}))
        return made

    @property
    def signer_folder(self) -> Path:
        return self.folder / "made" / "signer"

    @property
    def contract(self) -> str:
        return str(self._usdt()["contract"])

    @property
    def hot_wallet(self) -> str:
        return str(self._usdt()["hot_wallet"])

    def _usdt(self) -> dict[str, Any]:
        assets = self.facts["assets"]
        return next(one for one in assets if (one["asset"], one["network"]) == ("USDT", "ethereum"))

    # ---- the processes -------------------------------------------------------------------------------------

    def start_signer(self) -> None:
        reading, writing = os.pipe()
        config = str(self.signer_folder / "signer.json")
        command = [sys.executable, "-m", "penstock.signer", "--config", config, "--ready-fd", str(writing)]
        signer = self._run("signer", command, pass_fds=(writing,))
        os.close(writing)
        with os.fdopen(reading, "rb") as ready:
            self._await_line(signer, ready)

    def start_serve(self, name: str, *options: str) -> Process:
        command = [*PENSTOCK, "serve", "--config", str(self._config(name)), *options]
        return self._started(name, command)

    def start_worker(self, name: str) -> Process:
        """One that can be told to stop: see `stop_at`."""
        stopping = [sys.executable, "-m", "tests.acceptance.stopping_worker", str(self._order(name))]
        return self._started(name, [*stopping, "worker", "--config", str(self._config(name))])

    def _order(self, name: str) -> Path:
        return self.folder / f"{name}.order"

    def _config(self, name: str) -> Path:
        config = self.folder / f"{name}.toml"
        chain = 'type = "simulated"' if self.node is None else evm_chain(self.node.url)
        text = SETTINGS.format(
            state=self.folder / (name if self.url else "made"),
            token=self.folder / "made" / "admin-token",
            socket=self.signer_folder / "s",
            database=f'[database]\nurl = "{self.url}"\nwriters = 2\n' if self.url else "",
            lease_ms=LEASE_MS,
            listing=listing_settings(self.contract, CONFIRMATIONS, chain),
        )
        config.write_text(text)
        return config

    def _started(self, name: str, command: Sequence[str]) -> Process:
        process = self._run(name, command)
        assert process.child.stdout is not None
        process.said = self._await_line(process, process.child.stdout)
        assert process.said.startswith("ready "), self.logs()
        return process

    def _run(self, name: str, command: Sequence[str], pass_fds: tuple[int, ...] = ()) -> Process:
        place = self.folder / f"{name}.log"
        child = start_group(command, place, pass_fds=pass_fds, cwd=ROOT)
        process = Process(name, child, place)
        self.processes.append(process)
        return process

    def _await_line(self, process: Process, stream: IO[bytes]) -> str:
        line = first_line(stream)
        assert line, f"{process.name} did not start\n{self.logs()}"
        return line

    def stop_at(self, worker: Process, point: str, n: int) -> None:
        """Have the worker stop when it comes to `point` for the n-th time from now on; returns once it has."""
        written = self._order(worker.name).with_suffix(".new")
        written.write_text(f"{point}:{n}")
        written.rename(self._order(worker.name))
        self.wait(lambda: worker.is_stopped)

    def logs(self) -> str:
        return "\n".join(
            f"--- {process.name}\n{process.log.read_text(errors='replace')[-3_000:]}"
            for process in self.processes
        )

    def close(self) -> None:
        for process in self.processes:
            process.kill()

    # ---- what is stored ------------------------------------------------------------------------------------

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]

    def write(self, sql: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql)  # type: ignore[call-overload]

    def lane(self) -> tuple[int, int]:
        """(pid of the worker that has the lease, or had it last; epoch)."""
        ((owner, epoch),) = self.read("SELECT owner, epoch FROM lanes WHERE network = 'ethereum'")
        return int(owner.partition("-")[0]), epoch

    def count(self, condition: str) -> int:
        ((number,),) = self.read(f"SELECT count(*) FROM withdrawals WHERE {condition}")
        return int(number)

    def verified(self) -> str:
        """The last line of `penstock verify`."""
        return verify("--database", self.url)[-1]

    # ---- waiting -------------------------------------------------------------------------------------------

    def wait(self, until: Callable[[], object]) -> None:
        """Return once `until` says so. Fails when that takes too long, or a process has ended meanwhile."""
        ends_s = time.monotonic() + WAIT_S_MAX
        while not until():
            ended = [process.name for process in self.processes if process.child.poll() is not None]
            assert not ended, f"{ended} ended\n{self.logs()}"
            assert time.monotonic() < ends_s, f"{self._states()}\n{self.logs()}"
            time.sleep(LOOK_EVERY_S)

    def _states(self) -> list[tuple[Any, ...]]:
        return self.read("SELECT state, count(*) FROM withdrawals GROUP BY 1") if self.url else []

    @contextlib.contextmanager
    def mining(self, every_s: float) -> Iterator[None]:
        """Blocks come at that pace meanwhile."""
        node = self.node
        assert node is not None
        over = threading.Event()

        def mine() -> None:
            while not over.wait(every_s):
                node.mine()

        with ThreadPoolExecutor(1) as pool:
            mined = pool.submit(mine)
            try:
                yield
            finally:
                over.set()
                mined.result()


def _command(pid: str) -> bytes:
    try:
        return (Path("/proc") / pid / "cmdline").read_bytes()
    except OSError:
        return b""


def send(port: int, wire: bytes) -> Answer:
    with closing(Connection(port)) as connection:
        return connection.exchange(wire)
