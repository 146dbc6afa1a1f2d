"""`penstock bench intake`: accepted withdrawals a second, with everything on that a real one has.

In one run, on one machine, in turns so that a noisy neighbour meets all of them: the same HTTP server with
nothing behind it, the service, and pgbench's TPC-B on PostgreSQL; then the service's ledger is verified,
and the stored withdrawals are counted against the answers. Payout sending is stopped meanwhile by the
operator's control: this measures the intake, from the signed bytes to the answer behind a durable commit.
"""

from __future__ import annotations

import math
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from penstock.bench import machine
from penstock.bench.aims import Aim, judged
from penstock.bench.figures import median, ratio, rounded, summed
from penstock.bench.loader import Measurement
from penstock.bench.postgres import Pgbench, both_on_one, pgbench
from penstock.bench.processes import ServerProcess
from penstock.bench.run import BAD_DATABASE, kind_of, measurable, place, tell
from penstock.bench.service_process import Sandbox, Service, Verdict
from penstock.bench.target import RATE_FIRST, Target, write_accounts

ROUND_S_MAX = 10
ROUNDS = 3
WARM_MS = 1_000
ACCOUNTS = 4_000
"""BitMart lets a key apply 8 times in 2 s: these carry 16,000 requests a second under the limit."""
AIMS: dict[tuple[str, int], tuple[Aim, ...]] = {
    ("sqlite", 64): (Aim("ratio_bare", at_least=0.5), Aim("ratio_pgbench", at_least=3.5)),
    ("postgresql", 256): (Aim("ratio_pgbench", at_least=3.0),),
    ("postgresql", 32): (Aim("ratio_pgbench", at_least=1.5),),
}
"""By database and clients; of others there is none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run goes. Every figure is the median over `rounds`, each measured for `measured_ms` after
    `warm_ms`.
    """

    clients: int
    rounds: int
    warm_ms: int
    measured_ms: int
    accounts: int = ACCOUNTS
    rate_first: int = RATE_FIRST


def plan(seconds: float, clients: int) -> Plan:
    """`seconds` of measured load in at least ROUNDS rounds, none longer than the signatures hold."""
    rounds = max(ROUNDS, math.ceil(seconds / ROUND_S_MAX))
    return Plan(clients, rounds, WARM_MS, math.ceil(seconds * 1_000 / rounds))


@dataclass(slots=True)
class Outcome:
    """What the rounds gave. pgbench: None where its wheel is not installed. verdict: after the server's
    end.
    """

    bare: list[Measurement] = field(default_factory=list)
    intake: list[Measurement] = field(default_factory=list)
    tps: list[float] = field(default_factory=list)
    pgbench: str | None = None
    stopped_by_itself: bool = False
    verdict: Verdict | None = None

    @property
    def verified(self) -> bool:
        """The ledger is sound, nothing was sent, and exactly the accepted withdrawals are stored.

        A request whose connection broke may have been accepted or not: such are allowed for, and shown as
        `lost`.
        """
        if self.verdict is None:
            return False
        accepted = sum(part.accepted_all for part in self.intake)
        lost = sum(part.lost for part in self.intake)
        stored = accepted <= self.verdict.withdrawals <= accepted + lost
        return self.verdict.ok and stored and self.verdict.attempts == 0 and self.stopped_by_itself


def measure(plan: Plan, service: Service, folder: Path, tpcb: Pgbench | None = None) -> Outcome:
    """Carry out `plan` in `folder`, an empty directory on the disk to be measured. Leaves no process
    running. tpcb: what is compared with, prepared; None: on a server of our own.
    """
    outcome = Outcome()
    state = folder / "state"
    _say(f"seeding {plan.accounts} accounts; sending is stopped for the run")
    accounts = write_accounts(folder / "accounts.json", service.seed(state, plan.accounts))
    with ExitStack() as running:
        if tpcb is None:
            _say("filling pgbench's tables")
            tpcb = running.enter_context(pgbench(folder / "postgres", plan.clients, threads=2))
        outcome.pgbench = _described(tpcb)
        bare = running.enter_context(
            ServerProcess((sys.executable, "-m", "penstock.bench.bare"), folder / "bare.log")
        )
        served = running.enter_context(ServerProcess(service.command(state), folder / "service.log"))
        targets = Target(bare, accounts, plan.rate_first), Target(served, accounts, plan.rate_first)
        for number in range(1, plan.rounds + 1):
            _round(f"round {number} of {plan.rounds}", plan, targets, tpcb, outcome)
        outcome.stopped_by_itself = served.stop()
    _say("verifying the ledger")
    outcome.verdict = service.verify(state)
    _say(outcome.verdict.text)
    return outcome


def _round(
    name: str, plan: Plan, targets: tuple[Target, Target], tpcb: Pgbench | None, outcome: Outcome
) -> None:
    # pgbench comes last: what the disk still writes for it then falls into the bare part, which writes
    # nothing.
    for what, target, parts in zip(("bare", "intake"), targets, (outcome.bare, outcome.intake), strict=True):
        part = target.load(plan.clients, plan.warm_ms, plan.measured_ms)
        parts.append(part)
        _say(f"{name}: {what} {summary(part)}")
    if tpcb is not None:
        outcome.tps.append(tpcb.tps(max(1, round(plan.measured_ms / 1_000))))
        _say(f"{name}: pgbench TPC-B {outcome.tps[-1]:,.0f}/s")


def summary(part: Measurement) -> str:
    if not part.elapsed_ns:
        return "gave no answer"
    latency = f"p50 {part.p50_ns / 1e6:.1f} ms, p99 {part.p99_ns / 1e6:.1f} ms"
    loader, server = part.loader_cpu_ns / part.elapsed_ns, part.server_cpu_ns / part.elapsed_ns
    refused = f", refused {part.refused}" if part.refused else ""
    return f"{part.per_s:,.0f}/s, {latency}, cpu: loader {loader:.0%}, server {server:.0%}{refused}"


def _described(tpcb: Pgbench | None) -> str | None:
    return (
        None if tpcb is None else f"TPC-B, scale {tpcb.scale}, simple protocol, unix socket, {tpcb.settings}"
    )


def line(plan: Plan, outcome: Outcome, facts: machine.Machine, database: str = "sqlite") -> dict[str, object]:
    """The run as one flat object, for one line of JSON."""
    parts = outcome.intake
    accepted = median(part.per_s for part in parts)
    bare, tps = median(part.per_s for part in outcome.bare), median(outcome.tps)
    by_pgbench = ratio(accepted, tps)
    told = {
        "bench": "intake",
        "compared": f"the service on {database} with {plan.clients} clients, in turns with an empty handler on the "
        f"same HTTP server and with pgbench TPC-B at {plan.clients} clients",
        "accepted_per_s": rounded(accepted),
        "p50_ms": rounded(median(part.p50_ns / 1e6 for part in parts), 2),
        "p99_ms": rounded(median(part.p99_ns / 1e6 for part in parts), 2),
        "max_ms": rounded(max((part.max_ns / 1e6 for part in parts), default=None), 2),
        "clients": plan.clients,
        "seconds": plan.rounds * plan.measured_ms / 1_000,
        "rounds": plan.rounds,
        "database": database,
        "verified": outcome.verified,
        "accepted": sum(part.accepted_all for part in parts),
        "stored": outcome.verdict.withdrawals if outcome.verdict else None,
        "refused": summed(part.refused for part in parts),
        "errors": summed([*(part.errors for part in parts), {"lost": sum(part.lost for part in parts)}]),
        "bare_per_s": rounded(bare),
        "ratio_bare": ratio(accepted, bare),
        "pgbench_tps": rounded(tps),
        "ratio_pgbench": by_pgbench,
        "ratio": by_pgbench,
        "pgbench": outcome.pgbench,
        "loader_cpu": rounded(
            median(part.loader_cpu_ns / part.elapsed_ns for part in parts if part.elapsed_ns), 3
        ),
        "server_cpu": rounded(
            median(part.server_cpu_ns / part.elapsed_ns for part in parts if part.elapsed_ns), 3
        ),
        "rounds_accepted_per_s": [rounded(part.per_s) for part in parts],
        "rounds_p99_ms": [rounded(part.p99_ns / 1e6, 2) for part in parts],
        "rounds_bare_per_s": [rounded(part.per_s) for part in outcome.bare],
        "rounds_pgbench_tps": [rounded(tps) for tps in outcome.tps],
        "exhausted": any(part.exhausted for part in parts + outcome.bare),
        "sending": "stopped",
        "accounts": plan.accounts,
        "cores": facts.cores,
        "python": facts.python,
        "filesystem": facts.filesystem,
        "sync_us": facts.sync_us,
    }
    return judged(told, AIMS.get((database, plan.clients), ()))


def run(seconds: float, clients: int, database: str | None) -> int:
    """Measure, and write one JSON line as the last of stdout; progress goes to stderr.

    seconds: of measured intake, in all. database: None for SQLite; the URL of a PostgreSQL server, or OWN_SERVER for
    one of our own; then both the service and pgbench are on that one. Returns 0, or 1 where the ledger was not
    verified; then the state directory is kept and named; 2 for a database that cannot be measured.
    """
    if not measurable("intake", database):
        return BAD_DATABASE
    wanted = plan(seconds, clients)
    with place("intake") as own, ExitStack() as running:
        facts = machine.look(own.folder)
        tpcb, url = None, ""
        if database is not None:
            own.say("filling pgbench's tables")
            tpcb, url = running.enter_context(both_on_one(own.folder / "postgres", clients, 2, database))
        outcome = measure(wanted, Sandbox(url), own.folder, tpcb)
        own.kept = not outcome.verified
        tell(line(wanted, outcome, facts, kind_of(database)))
    return int(own.kept)


def _say(text: str) -> None:
    sys.stderr.write(f"bench intake: {text}\n")
    sys.stderr.flush()
