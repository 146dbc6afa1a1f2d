"""A real `penstock sandbox`, run as its user runs it, and what a test asks of it from outside.

with running_sandbox(folder) as sandbox:
    sandbox.admin("POST", "/networks/ethereum/pause", {"reason": "test"})
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from tests.acceptance.process_groups import PENSTOCK, STOP_S_MAX, kill_group, ready_url, start_group, verify

LOOK_EVERY_S = 0.05
DATABASE = "penstock.db"
PR_SET_PDEATHSIG = 1
# Loaded here: after a fork only what is loaded already may be used.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Sandbox:
    """A sandbox process on a state directory. It may be ended and started again on it; the port may change."""

    state: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    # ---- the process ----

    def start(self) -> None:
        """Raises AssertionError with the log's end when it does not say that it is ready."""
        self.state.parent.mkdir(parents=True, exist_ok=True)
        command = [*PENSTOCK, "sandbox", "--port", "0", "--state", str(self.state), *self.options]
        self.process = start_group(command, self.log, preexec_fn=_end_with_parent)
        base_url = ready_url(self.process)
        assert base_url, f"the sandbox was not ready\n{self.log.read_text(errors='replace')[-2000:]}"
        self.facts = json.loads((self.state / "sandbox.json").read_text())
        assert self.facts["base_url"] == base_url

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(STOP_S_MAX)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def kill(self) -> None:
        """Like a crash: every process of it ends at once, the signer too. Harmless when it has ended."""
        if self.process is None:
            return
        kill_group(self.process)
        self.process = None

    def processes(self) -> list[int]:
        """Every process of its session that runs."""
        assert self.process is not None
        return [pid for pid in _pids() if _session(pid) == self.process.pid]

    def verified(self) -> str:
        """The last line of `penstock verify`."""
        return verify("--state", self.state)[-1]

    # ---- what its file says ----

    @property
    def log(self) -> Path:
        return self.state.parent / f"{self.state.name}.log"

    @property
    def url(self) -> str:
        return str(self.facts["base_url"])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def bitmart(self) -> dict[str, Any]:
        return dict(self.facts["venues"]["bitmart"])

    def entry(self, currency: str, *, verified: bool = True) -> dict[str, Any]:
        """The first seeded address of `currency`."""
        entries = self.bitmart["addresses"]
        return next(e for e in entries if e["currency"] == currency and e["verified"] is verified)

    def contract(self, asset: str, network: str = "ethereum") -> str:
        return next(
            row["contract"]
            for row in self.facts["assets"]
            if (row["asset"], row["network"]) == (asset, network)
        )

    # ---- the operator's side, and the files ----

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """One call of the admin API; it must succeed."""
        request = urllib.request.Request(
            self.facts["admin"]["url"] + path,
            None if body is None else json.dumps(body).encode(),
            {
                "authorization": f"Bearer {self.facts['admin']['token']}",
                "content-type": "application/json",
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()!r}") from None

    @property
    def account_id(self) -> int:
        """The seeded customer's."""
        number = self.bitmart["account_id"]
        ((account_id,),) = self.rows("SELECT account_id FROM accounts WHERE account_number = ?", number)
        return int(account_id)

    def new_key(
        self, *, frozen: bool = False, account_id: int | None = None, **fields: object
    ) -> dict[str, str]:
        """A key of its own, with its own rate limit, as (api_key, api_secret, memo) by name."""
        body = {"venue": "bitmart", "permissions": ["read", "withdraw"], **fields}
        made = self.admin("POST", f"/accounts/{account_id or self.account_id}/keys", body)
        if frozen:
            self.admin("POST", f"/keys/{made['key']['key_id']}/freeze", {})
        return {"api_key": made["key"]["key_id"], "api_secret": made["secret"], "memo": made["passphrase"]}

    def rows(self, sql: str, *bindings: object) -> list[tuple[Any, ...]]:
        """Read its database beside it."""
        connection = apsw.Connection(str(self.state / DATABASE), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(5_000)
        try:
            return list(connection.execute(sql, bindings))
        finally:
            connection.close()

    def stored(self) -> dict[str, int]:
        """How many rows tell of withdrawals and of money moved."""
        tables = ("withdrawals", "requests", "postings", "entries", "history", "attempts")
        return {table: self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def _end_with_parent() -> None:
    """In the child: be killed when the test run is, which then has no time to clean up (prctl(2), Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _pids() -> list[int]:
    return [int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit()]


def _session(pid: int) -> int | None:
    """None for a process that has ended, also where nobody has asked for its exit code yet."""
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[3])


@contextlib.contextmanager
def running_sandbox(folder: Path, *options: str) -> Iterator[Sandbox]:
    """A sandbox on the new directory folder/"state"; nothing of it is left running."""
    sandbox = Sandbox(folder / "state", options)
    try:
        sandbox.start()
        yield sandbox
    finally:
        sandbox.kill()
