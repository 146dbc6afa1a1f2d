"""`penstock bench reads`: withdrawals looked up by id, by the customer's own id, and as a list, among many others."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from penstock.bench import machine
from penstock.bench.cpu import used_ns
from penstock.bench.figures import percentile, rounded
from penstock.bench.load import Load
from penstock.bench.postgres import both_on_one
from penstock.bench.processes import ServerProcess
from penstock.bench.service_process import Sandbox
from penstock.bench.venue_requests import Outgoing, Section, wire_bytes
from penstock.core.secret import Secret
from penstock.venues.alphapo import client_requests as alphapo
from penstock.venues.alphapo.echo import Echo
from penstock.venues.bitmart import client_requests as bitmart

ACCOUNTS = {"bitmart": 4_000, "alphapo": 400}
"""BitMart lets a key ask 8 times in 2 s, AlphaPo 100 times a second."""
LISTED = 20
WARM_S = 1.0
REQUESTS_A_SECOND_MAX = 6_000
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of looking. answered: what only a full answer holds."""

    name: str
    answered: bytes


KINDS = (
    Kind("by id", b'"record"'),
    Kind("by client id", b'"foreign_id"'),
    Kind("list", b'"records"'),
)


@dataclass(slots=True)
class Stored:
    """What there is to be looked up."""

    sections: dict[str, list[dict[str, Any]]]
    ids: dict[str, list[int]]
    each: int

    @property
    def count(self) -> int:
        return self.each * sum(ACCOUNTS.values())

    def requests(self, kind: Kind, host: str, seed: int) -> Iterator[bytes]:
        """Endless requests for what is stored, picked at random."""
        rng = random.Random(seed)  # noqa: S311 - a choice, not a secret
        while True:
            yield wire_bytes(self._one(kind, rng), host)

    def _one(self, kind: Kind, rng: random.Random) -> Outgoing:
        if kind.name == "by client id":
            merchant = rng.choice(self.sections["alphapo"])
            credentials = alphapo.Credentials(merchant["processing_key"], Secret.of(merchant["secret_key"]))
            return alphapo.transaction(credentials, foreign_id=f"bench-{rng.randrange(self.each)}")
        customer = rng.choice(self.sections["bitmart"])
        key = _bitmart_credentials(customer)
        if kind.name == "list":
            return bitmart.history(key, bitmart.Operation.WITHDRAW, limit=LISTED)
        return bitmart.detail(key, str(rng.choice(self.ids[customer["account_id"]])))


def _bitmart_credentials(section: Section) -> bitmart.Credentials:
    return bitmart.Credentials(section["api_key"], Secret.of(section["api_secret"]), section["memo"])


def _store(state: Path, url: str, each: int) -> Stored:
    from penstock.sandbox.bench_accounts import seed_venues, seed_withdrawals  # noqa: PLC0415

    _say(f"seeding {sum(ACCOUNTS.values())} accounts")
    sections = seed_venues(state, ACCOUNTS, url)
    ids: dict[str, list[int]] = {}
    for venue, count in ACCOUNTS.items():
        extra = Echo("USDTE", "USDTE", (6, 6)).encoded() if venue == "alphapo" else ""
        _say(f"{each * count:,} withdrawals of {venue}")
        ids |= seed_withdrawals(state, url, venue, each, extra)
    return Stored(sections, ids, each)


def _measured(
    kind: Kind, stored: Stored, server: ServerProcess, clients: int, seconds: float
) -> dict[str, object]:
    host = f"{HOST}:{server.port}"
    count = int(REQUESTS_A_SECOND_MAX * (seconds + WARM_S))
    endless = stored.requests(kind, host, seed=len(kind.name))
    requests = [next(endless) for _ in range(count)]
    load = Load((HOST, server.port), clients, requests, lambda: used_ns(server.pids), kind.answered)
    load.run(int(WARM_S * 1e9), int(seconds * 1e9))
    assert load.began is not None
    assert load.ended is not None
    elapsed_ns = load.ended.at_ns - load.began.at_ns
    taken = sorted(load.latencies_ns[load.began.latencies : load.ended.latencies])
    return {
        "look": kind.name,
        "per_s": rounded(len(taken) * 1e9 / elapsed_ns if elapsed_ns else None),
        "p50_ms": rounded(percentile(taken, 50) / 1e6, 2),
        "p99_ms": rounded(percentile(taken, 99) / 1e6, 2),
        "refused": dict(load.others),
        "lost": load.lost,
    }


def run(seconds: float, clients: int, stored_min: int, database: str | None) -> int:
    """Measure, and write one JSON line a way of looking; progress goes to stderr. Returns 0, or 2 for a bad database.

    stored_min: at least so many withdrawals are there. database: as bench.intake.run.
    """
    if database is not None and not database.startswith("postgres"):
        _say(f"{database}: only SQLite (leave --database out) and postgresql://... can be measured")
        return 2
    base = Path(".penstock").resolve()
    base.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=base))
    try:
        with ExitStack() as running:
            url = ""
            if database is not None:
                _, url = running.enter_context(both_on_one(folder / "postgres", clients, 2, database))
            state = folder / "state"
            each = max(1, -(-stored_min // sum(ACCOUNTS.values())))
            stored = _store(state, url, each)
            facts = machine.look(folder)
            command = Sandbox(url).command(state)
            server = running.enter_context(ServerProcess(command, folder / "service.log"))
            for kind in KINDS:
                told = _measured(kind, stored, server, clients, seconds / len(KINDS))
                told = {
                    "bench": "reads",
                    **told,
                    "clients": clients,
                    "stored": stored.count,
                    "database": "sqlite" if database is None else "postgresql",
                    "cores": facts.cores,
                }
                sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
                sys.stdout.flush()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"bench reads: {text} ({time.strftime('%H:%M:%S')})\n")
    sys.stderr.flush()
