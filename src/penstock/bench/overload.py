"""`penstock bench overload`: several times the top rate; who is let in, how long it takes, what the rest hear."""

from __future__ import annotations

from penstock.bench import machine, rounds
from penstock.bench.aims import Aim, judged
from penstock.bench.figures import median, milliseconds, ratio, rounded, summed
from penstock.bench.rounds import CLIENTS, Outcome, Plan, divided, loader_figures

ACCOUNTS = 16_000
"""BitMart lets a key apply 8 times in 2 s: under that limit these carry 64,000 requests a second."""
REACHED = 0.9
"""Of the rate to be offered, so much must have left for the figures to be about an overload."""
PART_S_MAX = 8
"""No longer than signing ahead for it is sensible."""
BUSY = ("429 30013", "503 30014", "418 30017")
"""BitMart's own answers for "too many requests" and "not now"; any other refusal is a defect here."""
REFUSED_P99_MS = 50.0
PATIENCE_MS = 1_000
"""A customer who has waited so long for a free connection turns away."""


def plan(seconds: float, times: float) -> Plan:
    """`seconds` of `times` the top rate."""
    count, measured_ms = divided(seconds, PART_S_MAX)
    return Plan(count, measured_ms, times, ACCOUNTS, patience_ms=PATIENCE_MS)


def line(wanted: Plan, outcome: Outcome, facts: machine.Machine, database: str) -> dict[str, object]:
    """The run as one flat object; figures are medians over the rounds, ratios are taken of those."""
    parts = outcome.parts
    top = median(each.per_s for each in outcome.tops)
    top_p99 = median(each.p99_ns for each in outcome.tops)
    admitting = [part for part in parts if part.p99_ns]
    admitted_p99 = median(part.p99_ns for part in admitting)
    answers = summed(part.answers for part in parts)
    sent, accepted = median(part.sent_per_s for part in parts), median(part.per_s for part in parts)
    told: dict[str, object] = {
        "bench": "overload",
        "compared": f"{wanted.of_top:g} times the top rate offered in an open loop over {wanted.connections} "
        f"connections, with what {CLIENTS} clients reach in a closed loop in the same run, on {database}",
        "top_per_s": rounded(top),
        "due_per_s": rounded(median(part.offered * 1e9 / part.elapsed_ns for part in parts)),
        "sent_per_s": rounded(sent),
        "sent_of_top": ratio(sent, top),
        "accepted_per_s": rounded(accepted),
        "goodput_ratio": ratio(accepted, top),
        "unsent_ratio": ratio(sum(part.unsent for part in parts), sum(part.requests for part in parts)),
        "top_p99_ms": milliseconds(top_p99),
        "admitted_p99_ms": milliseconds(admitted_p99),
        "admitted_p99_without_loader_lag_ms": milliseconds(median(part.seen_p99_ns for part in admitting)),
        "admitted_p99_from_sent_ms": milliseconds(median(part.answered_p99_ns for part in admitting)),
        "p99_ratio": ratio(admitted_p99, top_p99),
        "refused_p99_ms": milliseconds(median(part.refused_p99_ns for part in parts if part.answers)),
        "accepted": sum(part.accepted_all for part in parts),
        "busy": {outcome: count for outcome, count in answers.items() if outcome in BUSY},
        "defects": {outcome: count for outcome, count in answers.items() if outcome not in BUSY},
        "defects_count": sum(count for outcome, count in answers.items() if outcome not in BUSY),
        "lost": sum(part.lost for part in parts),
        **loader_figures(parts),
        "rounds_accepted_per_s": [rounded(part.per_s) for part in parts],
        "rounds_sent_per_s": [rounded(part.sent_per_s) for part in parts],
        "rounds_p99_ms": [milliseconds(part.p99_ns) for part in parts],
        "rounds_top_per_s": [rounded(each.per_s) for each in outcome.tops],
        "rounds": wanted.rounds,
        "seconds": wanted.rounds * wanted.measured_ms / 1_000,
        "accounts": wanted.accounts,
        "database": database,
        "verified": outcome.verified,
        "sending": "stopped",
        "cores": facts.cores,
    }
    return judged(told, aims(wanted.of_top, refused=bool(answers)))


def aims(times: float, *, refused: bool) -> tuple[Aim, ...]:
    """refused: whether anything was, so that there is a time in which it was."""
    always = (
        Aim("sent_of_top", at_least=round(REACHED * times, 2)),
        Aim("p99_ratio", at_most=2.0),
        Aim("goodput_ratio", at_least=0.9),
        Aim("defects_count", at_most=0),
        Aim("lost", at_most=0),
    )
    return (*always, Aim("refused_p99_ms", at_most=REFUSED_P99_MS)) if refused else always


def run(seconds: float, times: float, database: str | None) -> int:
    """As bench.rounds.run."""
    return rounds.run("overload", plan(seconds, times), line, database)
