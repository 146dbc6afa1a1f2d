"""`penstock bench memory`: what the service's processes hold, before and after many withdrawals were taken."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from penstock.bench import machine
from penstock.bench.aims import Aim, judged
from penstock.bench.figures import ratio, rounded
from penstock.bench.intake import ACCOUNTS, summary
from penstock.bench.run import BAD_DATABASE, Place, kind_of, measurable, place, tell
from penstock.bench.running import Running, running

WARM_MS = 500
PART_MS = 9_000
_PROC = Path("/proc")
_KIB = re.compile(r"^(Pss|Rss): +(\d+) kB$", re.MULTILINE)
_ROLES = {"penstock.server.front": "front", "penstock.signer": "signer"}
AIMS = (Aim("largest_mib", at_most=250.0), Aim("taken_of_wanted", at_least=1.0))


@dataclass(frozen=True, slots=True)
class Plan:
    """withdrawals: how many are taken at least, by `clients` in a closed loop."""

    withdrawals: int
    clients: int
    part_ms: int = PART_MS
    warm_ms: int = WARM_MS
    accounts: int = ACCOUNTS


@dataclass(slots=True)
class Outcome:
    """By role, in KiB. series: withdrawals taken and the sum of all processes then."""

    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    resident: dict[str, int] = field(default_factory=dict)
    series: list[tuple[int, int]] = field(default_factory=list)
    taken: int = 0
    verified: bool = False


def held_kib(pids: Iterable[int], what: str = "Pss") -> dict[str, int]:
    """Memory in KiB by role, several processes of one role added up; only Linux tells (proc(5), smaps_rollup).

    what: "Pss", where pages that several processes share are divided between them, or "Rss", where each counts them.
    Processes that are gone count nothing.
    """
    held: dict[str, int] = {}
    for pid in pids:
        try:
            text = (_PROC / str(pid) / "smaps_rollup").read_text("ascii")
            command = (_PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        found = dict(_KIB.findall(text))
        role = next((_ROLES[word] for word in command if word in _ROLES), "core")
        held[role] = held.get(role, 0) + int(found.get(what, 0))
    return held


def measure(wanted: Plan, served: Running, own: Place) -> Outcome:
    """Load until enough was taken, or a part takes nothing; then the ledger is verified."""
    outcome = Outcome()
    target = served.target
    outcome.before = held_kib(target.server.pids)
    outcome.series.append((0, sum(outcome.before.values())))
    while outcome.taken < wanted.withdrawals:
        part = target.load(wanted.clients, wanted.warm_ms, wanted.part_ms)
        served.count(part.accepted_all, part.lost)
        if not part.accepted_all:
            break
        outcome.taken += part.accepted_all
        outcome.after = held_kib(target.server.pids)
        outcome.series.append((outcome.taken, sum(outcome.after.values())))
        own.say(f"{outcome.taken:,} taken, {summary(part)}; {_mib(outcome.after)} MiB")
    outcome.resident = held_kib(target.server.pids, "Rss")
    outcome.verified = served.verify(own)
    return outcome


def _mib(held: dict[str, int]) -> dict[str, float]:
    return {role: round(kib / 1_024, 1) for role, kib in sorted(held.items())}


def line(wanted: Plan, outcome: Outcome, facts: machine.Machine, database: str) -> dict[str, object]:
    """The run as one flat object; MiB of Pss but for rss_mib."""
    after = _mib(outcome.after)
    (_, first), (taken, last) = outcome.series[min(1, len(outcome.series) - 1)], outcome.series[-1]
    since_first = taken - outcome.series[min(1, len(outcome.series) - 1)][0]
    told: dict[str, object] = {
        "bench": "memory",
        "compared": f"each process of the service on {database}, proportional set size, at rest and after "
        f"{outcome.taken:,} withdrawals of {wanted.clients} clients; the aim is for the largest process",
        "taken": outcome.taken,
        "taken_of_wanted": ratio(outcome.taken, wanted.withdrawals),
        "before_mib": _mib(outcome.before),
        "after_mib": after,
        "rss_mib": _mib(outcome.resident),
        "largest_mib": max(after.values(), default=None),
        "sum_before_mib": rounded(sum(outcome.before.values()) / 1_024),
        "sum_mib": rounded(sum(outcome.after.values()) / 1_024),
        "mib_per_100k_after_first_part": rounded((last - first) / 1_024 * 100_000 / since_first)
        if since_first
        else None,
        "series_mib": [[count, round(kib / 1_024, 1)] for count, kib in outcome.series],
        "clients": wanted.clients,
        "accounts": wanted.accounts,
        "database": database,
        "verified": outcome.verified,
        "sending": "stopped",
        "cores": facts.cores,
    }
    return judged(told, AIMS)


def run(withdrawals: int, clients: int, database: str | None) -> int:
    """Measure, and write one JSON line to stdout; progress goes to stderr.

    database: as bench.intake.run. Returns 0; 1 where the ledger was not verified; 2 for a bad database.
    """
    if not measurable("memory", database):
        return BAD_DATABASE
    wanted = Plan(withdrawals, clients)
    with place("memory") as own, running(own, wanted.accounts, clients, database) as served:
        facts = machine.look(own.folder)
        tell(line(wanted, measure(wanted, served, own), facts, kind_of(database)))
    return int(own.kept)
