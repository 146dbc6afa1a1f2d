"""Many client processes racing withdraw, approve, decline and cancel on few accounts, over HTTP.

    .venv/bin/python -m tests.acceptance.race --seconds 120 --clients 32
    .venv/bin/python -m tests.acceptance.race --seconds 120 --database postgresql --isolation serializable

Prints one line of JSON; the exit code is 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import postgres
from tests.acceptance.race_clients import Plan
from tests.acceptance.race_model import Judge, Told
from tests.acceptance.race_rows import read_stored
from tests.acceptance.race_world import Base, Prepared, RaceWorld, prepare, race_world

ACCOUNTS = 4
SETTLE_S_MAX = 60.0
"""For the clients to end after their time; a single answer takes seconds on a busy machine."""

FAULTS_SHOWN = 20


@dataclass(frozen=True)
class Outcome:
    """faults: what was wrong, in sentences. verified: what `penstock verify` said, during the race and after it."""

    faults: list[str]
    verified: list[str]
    figures: dict[str, int]


def race(
    prepared: Prepared, base: Base, *, seconds: float, clients: int, verify_every_s: float, seed: int = 1
) -> Outcome:
    """Run one race on a new service. Raises AssertionError where a server or a client failed."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-race-"))
    try:
        with race_world(prepared, folder, base, ACCOUNTS) as world:
            plan = Plan(str(folder), world.ports, world.token, clients, seconds, seed, world.accounts)
            verified = _run(world, plan, verify_every_s)
            verified.append(world.verified())
            world.stop()
            # Once more: workers went on with what was approved until they were stopped.
            verified.append(world.verified())
            judge = Judge(list(_told(folder)), read_stored(world))
            wrong = [f"verify: {told}" for told in verified if not told.startswith("verify: ok")]
            return Outcome([*wrong, *judge.faults()], verified, judge.figures())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(world: RaceWorld, plan: Plan, verify_every_s: float) -> list[str]:
    """The clients from start to end; what `penstock verify` said meanwhile."""
    log = world.folder / "clients.log"
    command = [sys.executable, "-m", "tests.acceptance.race_clients", str(plan.write())]
    root = Path(__file__).resolve().parents[2]
    verified: list[str] = []
    with log.open("wb") as errors:
        clients = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors, cwd=root)
    ends_s = time.monotonic() + plan.seconds + SETTLE_S_MAX
    try:
        while True:
            try:
                code = clients.wait(verify_every_s)
                break
            except subprocess.TimeoutExpired:
                assert time.monotonic() < ends_s, "the clients do not end"
                verified.append(world.verified())
    finally:
        clients.kill()
        clients.wait()
    assert code == 0, log.read_text()[-4_000:] + world.log()
    return verified


def _told(folder: Path) -> Iterator[Told]:
    for path in sorted(folder.glob("client-*.jsonl")):
        with path.open() as lines:
            yield from map(json.loads, lines)


@contextlib.contextmanager
def base_of(database: str, isolation: str = "") -> Iterator[Base]:
    """database: "sqlite" or "postgresql", which is a new one then; isolation: of its transactions."""
    if database == "sqlite":
        yield Base()
    else:
        with postgres.database() as url:
            yield Base(url, isolation)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--isolation", choices=("read committed", "serializable"), default="read committed")
    parser.add_argument("--verify-every", type=float, default=20, metavar="S")
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    with base_of(told.database, told.isolation) as base, tempfile.TemporaryDirectory() as folder:
        outcome = race(
            prepare(Path(folder)),
            base,
            seconds=told.seconds,
            clients=told.clients,
            verify_every_s=told.verify_every,
            seed=told.seed,
        )
    asked = {
        "database": told.database,
        "isolation": base.isolation,
        "seconds": told.seconds,
        "clients": told.clients,
    }
    sys.stdout.write(json.dumps({**asked, "verified": outcome.verified, **outcome.figures}) + "\n")
    for fault in outcome.faults[:FAULTS_SHOWN]:
        sys.stderr.write(f"fault: {fault}\n")
    sys.stderr.write(f"{len(outcome.faults)} faults\n")
    return int(bool(outcome.faults))


if __name__ == "__main__":
    sys.exit(main())
