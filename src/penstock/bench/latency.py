"""`penstock bench latency`: how long a withdrawal takes at half of the top rate, counted from when it was due."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.bench import machine
from penstock.bench.aims import Aim, judged
from penstock.bench.figures import median, milliseconds, ratio, rounded, summed
from penstock.bench.intake import ACCOUNTS, summary
from penstock.bench.loader import Measurement
from penstock.bench.open_loader import OpenMeasurement
from penstock.bench.run import BAD_DATABASE, Place, kind_of, measurable, place, tell
from penstock.bench.running import Running, running
from penstock.bench.target import CONNECTIONS, RATE_FIRST

CLIENTS = 64
"""Of the closed loop that finds the top rate."""
PART_S_MAX = 10
ROUNDS = 3
WARM_MS = 1_000
TOP_MS = 2_500
AIMS = (Aim("p50_ms", at_most=8.0), Aim("p99_ms", at_most=25.0), Aim("unsent", at_most=0))


@dataclass(slots=True)
class Outcome:
    """One of each for every round."""

    tops: list[Measurement] = field(default_factory=list)
    parts: list[OpenMeasurement] = field(default_factory=list)
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """rate: a second; None: half of the top rate so far. top_ms, measured_ms: of each round."""

    rounds: int
    measured_ms: int
    shape: str = "poisson"
    rate: float | None = None
    warm_ms: int = WARM_MS
    top_ms: int = TOP_MS
    accounts: int = ACCOUNTS
    connections: int = CONNECTIONS
    rate_first: int = RATE_FIRST


def plan(seconds: float, shape: str, rate: float | None) -> Plan:
    """`seconds` of offered load in at least ROUNDS rounds, none longer than the signatures hold."""
    rounds = max(ROUNDS, math.ceil(seconds / PART_S_MAX))
    return Plan(rounds, math.ceil(seconds * 1_000 / rounds), shape, rate)


def measure(wanted: Plan, served: Running, own: Place) -> Outcome:
    """In turns the top rate and half of it; then the ledger is verified."""
    outcome = Outcome()
    target = served.target
    for number in range(1, wanted.rounds + 1):
        name = f"round {number} of {wanted.rounds}"
        top = target.load(CLIENTS, wanted.warm_ms, wanted.top_ms)
        own.say(f"{name}: {CLIENTS} clients in a closed loop {summary(top)}")
        outcome.tops.append(top)
        rate = wanted.rate or (median(each.per_s for each in outcome.tops) or 0.0) / 2
        part = target.offer(rate, wanted.shape, wanted.warm_ms, wanted.measured_ms, wanted.connections)
        own.say(f"{name}: open loop {open_summary(part)}")
        outcome.parts.append(part)
        served.count(top.accepted_all + part.accepted_all, top.lost + part.lost)
    outcome.verified = served.verify(own)
    return outcome


def open_summary(part: OpenMeasurement) -> str:
    due_per_s = part.offered * 1e9 / part.elapsed_ns
    return (
        f"{due_per_s:,.0f}/s due, {part.sent_per_s:,.0f}/s sent, {part.per_s:,.0f}/s accepted, "
        f"p50 {part.p50_ns / 1e6:.1f} ms, p99 {part.p99_ns / 1e6:.1f} ms, "
        f"the loader's lag p99 {part.lag_p99_ns / 1e6:.1f} ms"
        f"{f', refused {part.answers}' if part.answers else ''}{f', unsent {part.unsent}' if part.unsent else ''}"
    )


def loader_figures(parts: Sequence[OpenMeasurement]) -> dict[str, object]:
    """What the loader itself did, so that nobody takes its own limits for the server's."""
    return {
        "late": sum(part.late for part in parts),
        "waited": sum(part.waited for part in parts),
        "unsent": sum(part.unsent for part in parts),
        "loader_lag_p99_ms": milliseconds(median(part.lag_p99_ns for part in parts)),
        "loader_lag_max_ms": milliseconds(max(part.lag_max_ns for part in parts)),
        "loader_cpu": rounded(median(part.loader_cpu_ns / part.elapsed_ns for part in parts), 3),
        "server_cpu": rounded(median(part.server_cpu_ns / part.elapsed_ns for part in parts), 3),
    }


def line(wanted: Plan, outcome: Outcome, facts: machine.Machine, database: str) -> dict[str, object]:
    """The run as one flat object. Percentiles are medians over the rounds; max_ms is the worst of all."""
    parts = outcome.parts
    top, sent = median(each.per_s for each in outcome.tops), median(part.sent_per_s for part in parts)
    told: dict[str, object] = {
        "bench": "latency",
        "compared": f"requests due at {wanted.shape} times, half of what {CLIENTS} clients reach in a closed loop in "
        f"the same run, on {database}; from when a request was due to its acceptance",
        "rate_per_s": rounded(sent),
        "top_per_s": rounded(top),
        "rate_of_top": ratio(sent, top),
        "p50_ms": milliseconds(median(part.p50_ns for part in parts)),
        "p99_ms": milliseconds(median(part.p99_ns for part in parts)),
        "p999_ms": milliseconds(median(part.p999_ns for part in parts)),
        "max_ms": milliseconds(max(part.max_ns for part in parts)),
        "p99_without_loader_lag_ms": milliseconds(median(part.seen_p99_ns for part in parts)),
        "top_p99_ms": milliseconds(median(each.p99_ns for each in outcome.tops)),
        **loader_figures(parts),
        "answers": summed(part.answers for part in parts),
        "lost": sum(part.lost for part in parts),
        "rounds_p99_ms": [milliseconds(part.p99_ns) for part in parts],
        "rounds_top_per_s": [rounded(each.per_s) for each in outcome.tops],
        "rounds": wanted.rounds,
        "seconds": wanted.rounds * wanted.measured_ms / 1_000,
        "connections": wanted.connections,
        "database": database,
        "verified": outcome.verified,
        "sending": "stopped",
        "cores": facts.cores,
        "sync_us": facts.sync_us,
    }
    return judged(told, AIMS if wanted.rate is None else ())


def run(seconds: float, shape: str, rate: float | None, database: str | None) -> int:
    """Measure, and write one JSON line to stdout; progress goes to stderr.

    database: as bench.intake.run. Returns 0; 1 where the ledger was not verified; 2 for a bad database.
    """
    if not measurable("latency", database):
        return BAD_DATABASE
    wanted = plan(seconds, shape, rate)
    with place("latency") as own, running(own, wanted.accounts, CLIENTS, database) as served:
        facts = machine.look(own.folder)
        tell(line(wanted, measure(wanted, served, own), facts, kind_of(database)))
    return int(own.kept)
