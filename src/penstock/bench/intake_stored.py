"""`penstock bench intake --stored N`: the intake with N withdrawals stored beforehand, beside an empty service's."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from penstock.bench import machine
from penstock.bench.aims import Aim, judged
from penstock.bench.figures import median, milliseconds, ratio, rounded, summed
from penstock.bench.intake import ACCOUNTS, ROUND_S_MAX, ROUNDS, WARM_MS, summary
from penstock.bench.loader import Measurement
from penstock.bench.postgres import databases
from penstock.bench.processes import ServerProcess
from penstock.bench.run import BAD_DATABASE, Place, kind_of, measurable, place, tell
from penstock.bench.running import Running
from penstock.bench.service_process import Sandbox
from penstock.bench.target import RATE_FIRST, Target, write_accounts

AIMS = (Aim("ratio_empty", at_least=0.9),)
VERIFIED_MAX = 1_000_000
"""Of more, verifying takes longer than measuring, and a kilobyte of memory for each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """stored: how many withdrawals one of the two services begins with. Each is measured for measured_ms a round."""

    stored: int
    clients: int
    rounds: int
    measured_ms: int
    warm_ms: int = WARM_MS
    accounts: int = ACCOUNTS
    rate_first: int = RATE_FIRST


def plan(stored: int, seconds: float, clients: int) -> Plan:
    """`seconds` of measured load on each service. Raises ValueError where `stored` leaves accounts without any."""
    if stored < ACCOUNTS:
        raise ValueError(f"at least {ACCOUNTS}, one for each account")
    rounds = max(ROUNDS, math.ceil(seconds / ROUND_S_MAX))
    return Plan(stored, clients, rounds, math.ceil(seconds * 1_000 / rounds))


@dataclass(slots=True)
class Outcome:
    """One of each for every round. verified: None where there was too much to verify."""

    empty: list[Measurement] = field(default_factory=list)
    stored: list[Measurement] = field(default_factory=list)
    verified: bool | None = None


@contextmanager
def _seeded(wanted: Plan, own: Place, name: str, stored: int, url: str) -> Generator[Running]:
    """A running service on a state of its own, with so many withdrawals."""
    state, service = own.folder / name, Sandbox(url)
    own.say(f"{name}: seeding {wanted.accounts} accounts; sending is stopped for the run")
    accounts = write_accounts(own.folder / f"{name}.json", service.seed(state, wanted.accounts))
    service.store(
        state, {"bitmart": stored}, lambda count: own.say(f"{name}: {count:,} of {stored:,} stored")
    )
    with ServerProcess(service.command(state), own.folder / f"{name}.log") as server:
        served = Running(service, state, Target(server, accounts, wanted.rate_first))
        served.count(stored, 0)
        yield served


@contextmanager
def _both(wanted: Plan, own: Place, database: str | None) -> Generator[tuple[Running, Running]]:
    """The empty service and the full one, on two databases of one kind."""
    with ExitStack() as opened:
        urls = ["", ""]
        if database is not None:
            folder = own.folder / "postgres"
            urls = opened.enter_context(databases(folder, wanted.clients, database, 2)).urls
        empty = opened.enter_context(_seeded(wanted, own, "empty", 0, urls[0]))
        yield empty, opened.enter_context(_seeded(wanted, own, "stored", wanted.stored, urls[1]))


def measure(wanted: Plan, own: Place, empty: Running, stored: Running) -> Outcome:
    """Both services in turns, the one that goes first changing from round to round; then both ledgers are verified."""
    outcome = Outcome()
    turns = [("empty", empty, outcome.empty), ("stored", stored, outcome.stored)]
    for number in range(1, wanted.rounds + 1):
        for name, served, parts in turns:
            part = served.target.load(wanted.clients, wanted.warm_ms, wanted.measured_ms)
            served.count(part.accepted_all, part.lost)
            parts.append(part)
            own.say(f"round {number} of {wanted.rounds}: {name} {summary(part)}")
        turns.reverse()
    if wanted.stored <= VERIFIED_MAX:
        verified = [served.verify(own) for served in (empty, stored)]
        outcome.verified = all(verified)
    return outcome


def line(wanted: Plan, outcome: Outcome, facts: machine.Machine, database: str) -> dict[str, object]:
    """The run as one flat object; rates and percentiles are medians over the rounds."""
    stored, empty = outcome.stored, outcome.empty
    rate, empty_rate = median(part.per_s for part in stored), median(part.per_s for part in empty)
    told: dict[str, object] = {
        "bench": "intake",
        "compared": f"the service on {database} with {wanted.stored:,} withdrawals stored beforehand, in turns with "
        f"one that began with none, {wanted.clients} clients each",
        "stored": wanted.stored,
        "accepted_per_s": rounded(rate),
        "empty_per_s": rounded(empty_rate),
        "ratio_empty": ratio(rate, empty_rate),
        "p50_ms": milliseconds(median(part.p50_ns for part in stored)),
        "p99_ms": milliseconds(median(part.p99_ns for part in stored)),
        "empty_p50_ms": milliseconds(median(part.p50_ns for part in empty)),
        "empty_p99_ms": milliseconds(median(part.p99_ns for part in empty)),
        "server_cpu_us_each": _cpu_us_each(stored),
        "empty_server_cpu_us_each": _cpu_us_each(empty),
        "clients": wanted.clients,
        "rounds": wanted.rounds,
        "seconds": wanted.rounds * wanted.measured_ms / 1_000,
        "accounts": wanted.accounts,
        "database": database,
        "verified": outcome.verified,
        "refused": summed(part.refused for part in stored + empty),
        "errors": summed(part.errors for part in stored + empty),
        "lost": sum(part.lost for part in stored + empty),
        "rounds_accepted_per_s": [rounded(part.per_s) for part in stored],
        "rounds_empty_per_s": [rounded(part.per_s) for part in empty],
        "exhausted": any(part.exhausted for part in stored + empty),
        "sending": "stopped",
        "cores": facts.cores,
        "sync_us": facts.sync_us,
    }
    return judged(told, AIMS)


def _cpu_us_each(parts: list[Measurement]) -> float | None:
    """Processor time of the service's own processes for each withdrawal; a database server's is not in it."""
    return rounded(median(part.server_cpu_ns / 1e3 / part.accepted for part in parts if part.accepted))


def run(wanted: Plan, database: str | None) -> int:
    """Measure, and write one JSON line to stdout; progress goes to stderr.

    database: as bench.intake.run. Returns 0; 1 where a ledger was not verified; 2 for a bad database.
    """
    if not measurable("intake", database):
        return BAD_DATABASE
    with place("intake --stored") as own, _both(wanted, own, database) as (empty, stored):
        facts = machine.look(own.folder)
        tell(line(wanted, measure(wanted, own, empty, stored), facts, kind_of(database)))
    return int(own.kept)
