"""`penstock bench latency`: how long a withdrawal takes at half of the top rate, counted from when it was due."""

from __future__ import annotations

from penstock.bench import machine, rounds
from penstock.bench.aims import Aim, judged
from penstock.bench.figures import median, milliseconds, ratio, rounded, summed
from penstock.bench.intake import ACCOUNTS
from penstock.bench.rounds import CLIENTS, Outcome, Plan, divided, loader_figures

OF_TOP = 0.5
PART_S_MAX = 10
"""No longer than the signatures hold."""
AIMS = (Aim("p50_ms", at_most=8.0), Aim("p99_ms", at_most=25.0), Aim("unsent", at_most=0))


def plan(seconds: float, shape: str, rate: float | None) -> Plan:
    """`seconds` of offered load. rate: a second; None: half of the top rate."""
    count, measured_ms = divided(seconds, PART_S_MAX)
    return Plan(count, measured_ms, OF_TOP, ACCOUNTS, rate, shape)


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
    """As bench.rounds.run."""
    return rounds.run("latency", plan(seconds, shape, rate), line, database)
