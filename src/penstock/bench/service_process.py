"""The service as the benchmark runs it: seeded before its start, a process of its own, verified after its
end.
"""

from __future__ import annotations

import re
import subprocess
import sys
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from penstock.bench.requests import LoadAccount

_CLI = (sys.executable, "-c", "import sys; from penstock.cli.main import main; sys.exit(main())")
_COUNT = re.compile(r"(\d+) (\w+)")


class Verdict(msgspec.Struct, frozen=True):
    """What a verification of the stored ledger says. withdrawals, attempts: how many are stored. text: its
    last line.
    """

    ok: bool
    withdrawals: int
    attempts: int
    text: str


class Service(Protocol):
    """What is measured. Another one stands in for it in tests of the benchmark itself."""

    def seed(self, state: Path, accounts: int) -> list[LoadAccount]:
        """Fill a fresh state directory: accounts that may pay, and sending stopped by the operator's
        control.
        """
        ...

    def command(self, state: Path) -> tuple[str, ...]:
        """The server on a free port, which prints `ready http://127.0.0.1:P`."""
        ...

    def verify(self, state: Path) -> Verdict:
        """Recompute the ledger; the server is stopped."""
        ...


class Sandbox:
    """The real one: `penstock sandbox`, the service with simulated chains. url: of a PostgreSQL; "" for SQLite."""

    def __init__(self, url: str = "") -> None:
        self._url = url

    def seed(self, state: Path, accounts: int) -> list[LoadAccount]:
        from penstock.sandbox.bench_accounts import seed_bench  # noqa: PLC0415  the loader's modules stay without the service

        return [
            LoadAccount(account.api_key, account.api_secret, account.memo, account.currency, account.address)
            for account in seed_bench(state, accounts, self._url)
        ]

    def store(
        self, state: Path, wanted: Mapping[str, int], tell: Callable[[int], None]
    ) -> dict[str, array[int]]:
        """Give the accounts of each venue so many withdrawals, the fast way, and leave the database as after use.

        Also for none: what seeding the accounts has left to be written is then out of the way. As
        sandbox.bench_stored.store_withdrawals.
        """
        from penstock.sandbox.bench_stored import store_withdrawals  # noqa: PLC0415

        return store_withdrawals(state, self._url, wanted, tell)

    def command(self, state: Path) -> tuple[str, ...]:
        # One machine loads for thousands of customers.
        command = (*_CLI, "sandbox", "--port", "0", "--state", str(state), "--no-ip-limits")
        return (*command, "--database", self._url) if self._url else command

    def verify(self, state: Path) -> Verdict:
        done = subprocess.run(
            (*_CLI, "verify", *(("--database", self._url) if self._url else ("--state", str(state)))),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        last = (done.stdout.splitlines() or [""])[-1]
        counts = {name: int(count) for count, name in _COUNT.findall(last)}
        return Verdict(
            ok=done.returncode == 0 and last.startswith("verify: ok"),
            withdrawals=counts.get("withdrawals", 0),
            attempts=counts.get("attempts", 0),
            text=last,
        )
