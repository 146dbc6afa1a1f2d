"""Each benchmark in a short run. Not a word of speed: the tests share the cores."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.bench import intake_stored, latency, machine, memory, overload, reads
from penstock.bench.processes import ServerProcess
from penstock.bench.requests import LoadAccount
from penstock.bench.rounds import measure
from penstock.bench.run import Place
from penstock.bench.running import Running, running
from penstock.bench.service_process import Sandbox, Verdict
from penstock.bench.target import Target, write_accounts

# One after the other in one worker: they measure.
pytestmark = pytest.mark.xdist_group("bench")

SMALL = {"warm_ms": 50, "top_ms": 200, "accounts": 10, "connections": 8}
FACTS = machine.Machine(cores=2, python="3", filesystem="", sync_us=1)


class Forgetful(Sandbox):
    """Accepts whatever comes, and says that it stored 7."""

    def verify(self, state: Path) -> Verdict:
        return Verdict(ok=True, withdrawals=7, attempts=0, text="verify: ok (7 withdrawals)")


@pytest.fixture
def own(tmp_path: Path) -> Place:
    return Place("test", tmp_path)


@pytest.fixture
def served(own: Place) -> Iterator[Running]:
    """An empty handler in place of the service."""
    accounts = [LoadAccount(f"key-{number}", "secret", "memo", "BTC", "address") for number in range(10)]
    written = write_accounts(own.folder / "accounts.json", accounts)
    with ServerProcess((sys.executable, "-m", "penstock.bench.bare"), own.folder / "log") as server:
        yield Running(Forgetful(), own.folder, Target(server, written, rate_first=30_000))


def missing(line: dict[str, object]) -> set[str]:
    return {name for name, value in line.items() if value is None}


def test_latency_is_told_with_the_rates_and_the_loaders_own_lag(served: Running, own: Place) -> None:
    planned = latency.plan(seconds=0.3, shape="poisson", rate=None)
    wanted = dataclasses.replace(planned, rounds=1, measured_ms=300, **SMALL)
    outcome = measure(wanted, served, own)
    line = latency.line(wanted, outcome, FACTS, "sqlite")
    assert not missing(line)
    assert line["p50_ms"] <= line["p99_ms"] <= line["p999_ms"] <= line["max_ms"]
    assert line["answers"] == {}
    assert isinstance(line["met"], bool)
    assert not outcome.verified
    assert own.kept


def test_an_overload_is_told_with_what_the_loader_really_sent(served: Running, own: Place) -> None:
    wanted = dataclasses.replace(overload.plan(seconds=0.3, times=2.0), rounds=1, measured_ms=300, **SMALL)
    outcome = measure(wanted, served, own)
    line = overload.line(wanted, outcome, FACTS, "sqlite")
    assert missing(line) <= {"refused_p99_ms"}  # an empty handler refuses nobody
    part = outcome.parts[0]
    assert line["sent_per_s"] == pytest.approx(part.sent / 0.3, abs=0.1)
    assert part.accepted_all + part.unsent + part.lost == part.requests
    assert (line["defects"], line["busy"]) == ({}, {})


def test_memory_is_told_by_process_before_and_after(own: Place) -> None:
    wanted = memory.Plan(withdrawals=50, clients=2, part_ms=100, warm_ms=50, accounts=300)
    with running(own, wanted.accounts, wanted.clients, None) as service:
        outcome = memory.measure(wanted, service, own)
    line = memory.line(wanted, outcome, FACTS, "sqlite")
    assert outcome.before.keys() == outcome.after.keys() == {"core", "front", "signer"}
    assert all(kib > 1_000 for kib in outcome.after.values())
    assert line["largest_mib"] == max(line["after_mib"].values())
    assert outcome.verified
    assert line["taken"] >= 50
    assert not own.kept


def test_memory_of_this_process_is_seen_and_of_no_process_is_nothing() -> None:
    assert memory.held_kib([os.getpid()])["core"] > 1_000
    assert memory.held_kib([]) == {}


def test_an_intake_among_many_is_told_beside_an_empty_one(served: Running, own: Place) -> None:
    wanted = intake_stored.Plan(
        stored=600, clients=2, rounds=2, measured_ms=100, warm_ms=50, accounts=10, rate_first=30_000
    )
    outcome = intake_stored.measure(wanted, own, served, served)
    line = intake_stored.line(wanted, outcome, FACTS, "sqlite")
    assert not missing(line)
    assert [len(line["rounds_accepted_per_s"]), len(line["rounds_empty_per_s"])] == [2, 2]
    ratio = line["accepted_per_s"] / line["empty_per_s"]
    assert line["ratio_empty"] == pytest.approx(ratio, abs=0.002)
    assert line["verified"] is False


def test_reads_among_many_are_told_beside_reads_among_few(own: Place) -> None:
    accounts = {"bitmart": 300, "alphapo": 30}
    wanted = reads.Plan(stored=900, clients=2, rounds=1, measured_ms=120, warm_ms=30, accounts=accounts)
    empty, full = reads.measure(wanted, own, None)
    assert (sum(map(len, empty.ids.values())), sum(map(len, full.ids.values()))) == (330, 900)
    lines = reads.lines(wanted, empty, full, FACTS, "sqlite")
    assert [line["look"] for line in lines] == ["by id", "by client id", "list"]
    for line in lines:
        assert missing(line) <= {"aim", "met"}
        assert (line["refused"], line["lost"]) == ({}, 0)
        assert line["per_s"] > 0
        assert line["empty_per_s"] > 0
