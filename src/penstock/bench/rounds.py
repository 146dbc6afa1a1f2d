"""Benchmarks in rounds: clients in a closed loop find the top rate, then an open loop offers a share or more of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from penstock.bench import machine
from penstock.bench.figures import median, milliseconds, rounded
from penstock.bench.intake import summary
from penstock.bench.loader import Measurement
from penstock.bench.open_loader import OpenMeasurement
from penstock.bench.run import BAD_DATABASE, Place, kind_of, measurable, place, tell
from penstock.bench.running import Running, running
from penstock.bench.target import CONNECTIONS

CLIENTS = 64
"""Of the closed loop."""
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What is offered in each round: `of_top` times the top rate so far, or `rate` a second.

    top_ms: of each closed loop; measured_ms: of each open one. shape, patience_ms: as bench.target.Target.offer.
    """

    rounds: int
    measured_ms: int
    of_top: float
    accounts: int
    rate: float | None = None
    shape: str = "poisson"
    patience_ms: int | None = None
    warm_ms: int = 1_000
    top_ms: int = 2_500
    connections: int = CONNECTIONS


@dataclass(slots=True)
class Outcome:
    """One of each for every round."""

    tops: list[Measurement] = field(default_factory=list)
    parts: list[OpenMeasurement] = field(default_factory=list)
    verified: bool = False


Line = Callable[[Plan, Outcome, machine.Machine, str], dict[str, object]]
"""(plan, outcome, machine, kind of database) to the run as one flat object."""


def divided(seconds: float, part_s_max: float) -> tuple[int, int]:
    """(rounds, measured ms of each) for `seconds` in at least ROUNDS rounds, none longer than part_s_max."""
    rounds = max(ROUNDS, math.ceil(seconds / part_s_max))
    return rounds, math.ceil(seconds * 1_000 / rounds)


def run(name: str, wanted: Plan, line: Line, database: str | None) -> int:
    """Measure, and write one JSON line to stdout; progress goes to stderr.

    database: as bench.intake.run. Returns 0; 1 where the ledger was not verified; 2 for a bad database.
    """
    if not measurable(name, database):
        return BAD_DATABASE
    with place(name) as own, running(own, wanted.accounts, CLIENTS, database) as served:
        facts = machine.look(own.folder)
        tell(line(wanted, measure(wanted, served, own), facts, kind_of(database)))
    return int(own.kept)


def measure(wanted: Plan, served: Running, own: Place) -> Outcome:
    """Carry out the rounds; then the ledger is verified."""
    outcome = Outcome()
    target = served.target
    for number in range(1, wanted.rounds + 1):
        name = f"round {number} of {wanted.rounds}"
        top = target.load(CLIENTS, wanted.warm_ms, wanted.top_ms)
        own.say(f"{name}: {CLIENTS} clients in a closed loop {summary(top)}")
        outcome.tops.append(top)
        rate = wanted.rate or max(1.0, wanted.of_top * (median(each.per_s for each in outcome.tops) or 0.0))
        part = target.offer(
            rate, wanted.shape, wanted.warm_ms, wanted.measured_ms, wanted.connections, wanted.patience_ms
        )
        own.say(f"{name}: open loop {_summary(part)}")
        outcome.parts.append(part)
        served.count(top.accepted_all + part.accepted_all, top.lost + part.lost)
    outcome.verified = served.verify(own)
    return outcome


def _summary(part: OpenMeasurement) -> str:
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
