"""What the race runs on: `penstock serve` with an operator's own settings, on SQLite or on PostgreSQL.

One network, simulated, with a block every few milliseconds; withdrawals worth APPROVAL_FROM_USD or more wait for an
approval. On PostgreSQL two servers share the database, so that whatever races is not ordered by one process: the first
pays, the second only answers.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.customers import new_evm_address
from tests.acceptance.one_listing import listing_settings
from tests.acceptance.process_groups import PENSTOCK, STOP_S_MAX, kill_group, ready_url, start_group, verify
from tests.acceptance.sandbox_process import DATABASE, Sandbox

APPROVAL_FROM_USD = 40
OPENING_USD = 400
"""In each wallet, some ten withdrawals' worth: most of the race is about who still gets money."""

CHAIN = 'type = "simulated", block_ms = 50, seed = 2'
SOCKET = "s"
BITMART_KEYS = 6
ALPHAPO_KEYS = 3
"""An account has several, because these venues limit each key."""

SETTINGS = """\
state_dir = "{state}"
port = 0
admin_token = {{ file = "{token}" }}
limit_by_ip = false
failed_auth_per_minute = 1000000
{more}
[policy]
approval_from_usd = "{approval}"

[workers]
interval_ms = 50

{listing}"""


@dataclass(frozen=True)
class Base:
    """A database's place and how it is used. url: "" for SQLite. isolation: of PostgreSQL's transactions."""

    url: str = ""
    isolation: str = ""

    @property
    def servers(self) -> int:
        return 2 if self.url else 1


@dataclass(frozen=True)
class Prepared:
    """A hot wallet with its signer, its funded chain and no database."""

    state: Path
    contract: str


def prepare(folder: Path) -> Prepared:
    """Take them from a sandbox, which is brought up once and stopped."""
    sandbox = Sandbox(folder / "prepared")
    try:
        sandbox.start()
        assert sandbox.terminate() == 0
    finally:
        sandbox.kill()
    for path in sandbox.state.glob(f"{DATABASE}*"):
        path.unlink()
    return Prepared(sandbox.state, sandbox.contract("USDT"))


@dataclass
class RaceWorld:
    """The service on a folder of its own. accounts: what a client needs to ask for each."""

    prepared: Prepared
    folder: Path
    base: Base
    token: str = field(default_factory=lambda: secrets.token_hex(24))
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    # ---- the processes -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Copy what was prepared; the database is a new one."""
        shutil.copytree(self.prepared.state, self.state)
        signer = self.state / "signer" / "signer.json"
        told = json.loads(signer.read_text())
        # Taken from the signer's folder: never the socket of the directory that this one is a copy of.
        told["socket"] = SOCKET
        signer.write_text(json.dumps(told))
        (self.folder / "admin-token").write_text(self.token)

    def start(self) -> None:
        socket = self.state / "signer" / SOCKET
        for number in range(self.base.servers):
            # A simulated chain is in one process, so one pays; the others only answer.
            alone = [] if number == 0 else ["--no-workers"]
            more = "" if number == 0 else f'signer_socket = "{socket}"\n'
            self._start(number, more, alone)

    def _start(self, number: int, more: str, options: list[str]) -> None:
        state = self.state if number == 0 else self.folder / f"state-{number + 1}"
        state.mkdir(mode=0o700, exist_ok=True)
        if self.base.url:
            # Several writing connections, so that approvals and withdrawals of one account meet in the database.
            more += (
                f'\n[database]\nurl = "{self.base.url}"\nisolation = "{self.base.isolation}"\nwriters = 3\n'
            )
        config = self.folder / f"penstock-{number + 1}.toml"
        config.write_text(
            SETTINGS.format(
                state=state,
                token=self.folder / "admin-token",
                more=more,
                approval=APPROVAL_FROM_USD,
                listing=listing_settings(self.prepared.contract, 3, CHAIN),
            )
        )
        command = [*PENSTOCK, "serve", "--config", str(config), *options]
        process = start_group(command, self.folder / f"server-{number + 1}.log")
        self.servers.append(process)
        url = ready_url(process)
        assert url, self.log()
        self.ports.append(int(url.rpartition(":")[2]))

    def stop(self) -> None:
        """In order, the one that pays last. Raises AssertionError when a server had died, or ends badly."""
        for process in reversed(self.servers):
            assert process.poll() is None, self.log()
            process.terminate()
            assert process.wait(STOP_S_MAX) == 0, self.log()

    def kill(self) -> None:
        for process in self.servers:
            kill_group(process)

    def log(self) -> str:
        return "\n".join(path.read_text()[-3_000:] for path in sorted(self.folder.glob("*.log")))

    def verified(self) -> str:
        """The whole answer of `penstock verify`."""
        target = ("--database", self.base.url) if self.base.url else ("--state", self.state)
        return "\n".join(verify(*target))

    # ---- the operator's side -------------------------------------------------------------------------------

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """One call of the first server's admin API; it must succeed."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.ports[0]}/admin/v1{path}"
        request = urllib.request.Request(url, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def open_accounts(self, count: int) -> None:
        self.admin("POST", "/networks/ethereum/opening", {"amount": "1000000", "reference": "gas"})
        for number in range(count):
            made = self.admin("POST", "/accounts", {"account_number": str(700_001 + number)})
            place = f"/accounts/{made['account_id']}"
            address = new_evm_address()
            entry = {"kind": "standard", "asset": "USDT", "network": "ethereum", "address": address}
            self.admin("POST", f"{place}/addresses", entry | {"verified": True})
            for wallet in ("spot", "fund"):
                deposit = {
                    "asset": "USDT",
                    "network": "ethereum",
                    "amount": str(OPENING_USD),
                    "wallet": wallet,
                }
                reference = f"opening-{made['account_id']}-{wallet}"
                self.admin("POST", f"{place}/deposits", deposit | {"reference": reference})
            self.accounts.append(
                {
                    "account_id": made["account_id"],
                    "address": address,
                    "alphapo": [self._key(place, "alphapo") for _ in range(ALPHAPO_KEYS)],
                    "bitmart": [self._key(place, "bitmart") for _ in range(BITMART_KEYS)],
                    "zoomex": [self._key(place, "zoomex")],
                }
            )

    def _key(self, place: str, venue: str) -> dict[str, str]:
        made = self.admin("POST", f"{place}/keys", {"venue": venue, "permissions": ["read", "withdraw"]})
        return {"api_key": made["key"]["key_id"], "api_secret": made["secret"], "memo": made["passphrase"]}


@contextlib.contextmanager
def race_world(prepared: Prepared, folder: Path, base: Base, accounts: int) -> Iterator[RaceWorld]:
    """The service with its accounts, on the empty `folder`; nothing of it is left running."""
    world = RaceWorld(prepared, folder, base)
    world.open()
    try:
        world.start()
        world.open_accounts(accounts)
        yield world
    finally:
        world.kill()
