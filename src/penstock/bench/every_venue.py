"""`penstock bench intake --venue all`: one server that serves every venue, each loaded in turn, round after round.

In turns, so that a noisy neighbour meets all of them. Two more parts in the end show that what is slow by nature, the
signatures on edgeX's curve, holds up nobody else: BitMart alone with half of the clients, and beside edgeX's load.
"""

from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec

from penstock.bench import machine
from penstock.bench.figures import median, ratio, rounded, summed
from penstock.bench.loader import Assignment, Measurement
from penstock.bench.processes import ServerProcess, load
from penstock.bench.run import place, tell
from penstock.bench.service_process import Sandbox, Verdict
from penstock.bench.venue_requests import LOADS

HOST = "127.0.0.1"
ROUNDS = 3
WARM_MS = 700
RATE_MARGIN = 1.5
BASE = "bitmart"
SLOW = "edgex"


@dataclass(slots=True)
class Target:
    """One venue under load. Numbers its requests through all rounds, so that no two are the same."""

    venue: str
    accounts: Path
    rate: int
    next_number: int = 0
    parts: list[Measurement] = field(default_factory=list[Measurement])

    def load(self, server: ServerProcess, clients: int, measured_ms: int) -> Measurement:
        requests_max = self.rate * (WARM_MS + measured_ms) // 1_000 + clients
        measured = load(
            Assignment(
                host=HOST,
                port=server.port,
                clients=clients,
                warm_ms=WARM_MS,
                measured_ms=measured_ms,
                accounts=str(self.accounts),
                first=self.next_number,
                requests_max=requests_max,
                server_pids=server.pids,
                venue=self.venue,
            )
        )
        self.next_number += requests_max
        self.rate = self.rate * 2 if measured.exhausted else math.ceil(measured.per_s * RATE_MARGIN) + 500
        return measured


@dataclass(slots=True)
class Outcome:
    """alone, beside: BitMart with half of the clients, without and with edgeX's load beside it."""

    targets: list[Target]
    alone: Measurement
    beside: Measurement
    verdict: Verdict
    stopped_by_itself: bool

    @property
    def verified(self) -> bool:
        """The ledger is sound, nothing was sent, and what is stored are the accepted withdrawals.

        SunX's quotes are stored as withdrawals that hold nothing, so there may be more of them.
        """
        accepted = sum(part.accepted_all for target in self.targets for part in target.parts)
        accepted += self.alone.accepted_all + self.beside.accepted_all
        return (
            self.verdict.ok
            and self.verdict.withdrawals >= accepted
            and self.verdict.attempts == 0
            and self.stopped_by_itself
        )


def measure(clients: int, measured_ms: int, rounds: int, folder: Path) -> Outcome:
    """Leaves no process running. folder: empty, on the disk to be measured."""
    state = folder / "state"
    targets = _seeded(state, folder)
    with ServerProcess(Sandbox().command(state), folder / "service.log") as server:
        for number in range(1, rounds + 1):
            for target in targets:
                part = target.load(server, clients, measured_ms)
                target.parts.append(part)
                _say(f"round {number} of {rounds}: {target.venue} {_summary(part)}")
        by_name = {target.venue: target for target in targets}
        base, slow = by_name[BASE], by_name[SLOW]
        half = max(1, clients // 2)
        alone = base.load(server, half, measured_ms)
        _say(f"{BASE} alone, {half} clients: {_summary(alone)}")
        with ThreadPoolExecutor(1) as beside_it:
            under_way = beside_it.submit(slow.load, server, half, measured_ms)
            beside = base.load(server, half, measured_ms)
            slow.parts.append(under_way.result())
        _say(f"{BASE} beside {SLOW}, {half} clients each: {_summary(beside)}")
        stopped = server.stop()
    _say("verifying the ledger")
    verdict = Sandbox().verify(state)
    _say(verdict.text)
    return Outcome(targets, alone, beside, verdict, stopped)


def _seeded(state: Path, folder: Path) -> list[Target]:
    from penstock.sandbox.bench_accounts import seed_venues  # noqa: PLC0415  the loader's modules stay without the service

    wanted = {venue: load_of.accounts for venue, load_of in LOADS.items()}
    _say(f"seeding {sum(wanted.values())} accounts; sending is stopped for the run")
    targets: list[Target] = []
    for venue, sections in seed_venues(state, wanted).items():
        # Accounts stored side by side must not ask side by side: customers do not line up by number.
        Random(0).shuffle(sections)  # noqa: S311 - an order, not a secret
        place = folder / f"{venue}.json"
        place.write_bytes(msgspec.json.encode(sections))
        targets.append(Target(venue, place, LOADS[venue].rate_first))
    return targets


def _summary(part: Measurement) -> str:
    if not part.elapsed_ns:
        return "gave no answer"
    refused = f", refused {part.refused}" if part.refused else ""
    return f"{part.per_s:,.0f}/s, p50 {part.p50_ns / 1e6:.1f} ms, p99 {part.p99_ns / 1e6:.1f} ms{refused}"


def lines(outcome: Outcome, clients: int, rounds: int, facts: machine.Machine) -> list[dict[str, object]]:
    """One flat object a venue, for one line of JSON each; the last is the venue that the others are held against."""
    rates = {target.venue: median(part.per_s for part in target.parts[:rounds]) for target in outcome.targets}
    found: list[dict[str, object]] = []
    for target in outcome.targets:
        parts = target.parts[:rounds]
        found.append(
            {
                "bench": "intake",
                "venue": target.venue,
                "accepted_per_s": rounded(rates[target.venue]),
                "ratio_bitmart": ratio(rates[target.venue], rates[BASE]),
                "p50_ms": rounded(median(part.p50_ns / 1e6 for part in parts), 2),
                "p99_ms": rounded(median(part.p99_ns / 1e6 for part in parts), 2),
                "clients": clients,
                "rounds": rounds,
                "database": "sqlite",
                "verified": outcome.verified,
                "accepted": sum(part.accepted_all for part in parts),
                "refused": summed(part.refused for part in parts),
                "errors": summed(
                    [*(part.errors for part in parts), {"lost": sum(part.lost for part in parts)}]
                ),
                "rounds_accepted_per_s": [rounded(part.per_s) for part in parts],
                "exhausted": any(part.exhausted for part in parts),
                "sending": "stopped",
                "cores": facts.cores,
            }
        )
    slow = next(line for line in found if line["venue"] == SLOW)
    slow["bitmart_p50_ms_alone"] = rounded(outcome.alone.p50_ns / 1e6, 2)
    slow["bitmart_p50_ms_beside"] = rounded(outcome.beside.p50_ns / 1e6, 2)
    slow["bitmart_per_s_alone"] = rounded(outcome.alone.per_s)
    slow["bitmart_per_s_beside"] = rounded(outcome.beside.per_s)
    return sorted(found, key=lambda line: line["venue"] == BASE)


def run(seconds: float, clients: int) -> int:
    """Measure, and write one JSON line a venue to stdout; progress goes to stderr.

    seconds: of measured load for each venue. Returns 0, or 1 where the ledger was not verified; then the state
    directory is kept and named.
    """
    with place("intake") as own:
        facts = machine.look(own.folder)
        outcome = measure(clients, math.ceil(seconds * 1_000 / ROUNDS), ROUNDS, own.folder)
        own.kept = not outcome.verified
        for line in lines(outcome, clients, ROUNDS, facts):
            tell(line)
    return int(own.kept)


def _say(text: str) -> None:
    sys.stderr.write(f"bench intake: {text}\n")
    sys.stderr.flush()
