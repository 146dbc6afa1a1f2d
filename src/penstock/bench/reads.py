"""`penstock bench reads`: withdrawals looked up by id, by the customer's own id, and as a list, among many others.

In turns with the same service that has hardly any, so that what the many others cost is seen.
"""

from __future__ import annotations

import gc
import random
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import msgspec

from penstock.bench import machine
from penstock.bench.aims import Aim, judged
from penstock.bench.cpu import used_ns
from penstock.bench.figures import median, milliseconds, percentile, ratio, rounded, summed
from penstock.bench.load import Load
from penstock.bench.postgres import databases
from penstock.bench.processes import ServerProcess
from penstock.bench.run import BAD_DATABASE, Place, kind_of, measurable, place, tell
from penstock.bench.service_process import Sandbox
from penstock.bench.target import HOST
from penstock.bench.venue_requests import Outgoing, Section, wire_bytes
from penstock.core.secret import Secret
from penstock.venues.alphapo import client_requests as alphapo
from penstock.venues.bitmart import client_requests as bitmart

ACCOUNTS = {"bitmart": 4_000, "alphapo": 400}
"""BitMart lets a key ask 8 times in 2 s, AlphaPo 100 times a second."""
LISTED = 20
WARM_MS = 400
ROUNDS = 5
REQUESTS_A_SECOND_MAX = 15_000


class Kind(msgspec.Struct, frozen=True):
    """One way of looking. answered: what only a full answer holds."""

    name: str
    answered: bytes
    aims: tuple[Aim, ...] = ()


STATUS = (Aim("p99_ratio_empty", at_most=1.2),)
KINDS = (
    Kind("by id", b'"record"', STATUS),
    Kind("by client id", b'"foreign_id"', STATUS),
    Kind("list", b'"records"'),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """stored: how many withdrawals there are beside the nearly empty one's. measured_ms: of each part."""

    stored: int
    clients: int
    rounds: int
    measured_ms: int
    warm_ms: int = WARM_MS
    accounts: dict[str, int] = field(default_factory=lambda: dict(ACCOUNTS))

    @property
    def fewest(self) -> int:
        """One for each account, so that there is something to be looked up."""
        return sum(self.accounts.values())


def plan(stored: int, seconds: float, clients: int) -> Plan:
    """`seconds` of looking up on each service, all ways together. At least as many are stored as there are accounts."""
    each_ms = int(seconds * 1_000 / len(KINDS) / ROUNDS)
    return Plan(max(stored, sum(ACCOUNTS.values())), clients, ROUNDS, each_ms)


class Part(msgspec.Struct, frozen=True):
    """What one part gave."""

    per_s: float
    p50_ns: int
    p99_ns: int
    refused: dict[str, int]
    lost: int
    exhausted: bool


@dataclass(slots=True)
class Library:
    """A running service and what can be looked up there. ids: by account number."""

    sections: dict[str, list[dict[str, Any]]]
    ids: dict[str, array[int]]
    server: ServerProcess
    parts: dict[str, list[Part]] = field(default_factory=dict)

    def requests(self, kind: Kind, host: str, seed: int) -> Iterator[bytes]:
        """Endless requests for what is stored. The accounts take turns, so that none comes to its rate limit."""
        rng = random.Random(seed)  # noqa: S311 - a choice, not a secret
        askers = list(self.sections["alphapo" if kind.name == "by client id" else "bitmart"])
        rng.shuffle(askers)
        for asker in cycle(askers):
            yield wire_bytes(self._one(kind, asker, rng), host)

    def _one(self, kind: Kind, asker: Section, rng: random.Random) -> Outgoing:
        """Which of the asker's withdrawals: at random."""
        number = asker["account_id"]
        if kind.name == "by client id":
            merchant = alphapo.Credentials(asker["processing_key"], Secret.of(asker["secret_key"]))
            return alphapo.transaction(merchant, foreign_id=f"bench-{rng.randrange(len(self.ids[number]))}")
        key = bitmart.Credentials(asker["api_key"], Secret.of(asker["api_secret"]), asker["memo"])
        if kind.name == "list":
            return bitmart.history(key, bitmart.Operation.WITHDRAW, limit=LISTED)
        return bitmart.detail(key, str(rng.choice(self.ids[number])))


def look_up(library: Library, kind: Kind, wanted: Plan, seed: int) -> Part:
    """Load one service with one way of looking."""
    server = library.server
    host = f"{HOST}:{server.port}"
    endless = library.requests(kind, host, seed)
    count = REQUESTS_A_SECOND_MAX * (wanted.warm_ms + wanted.measured_ms) // 1_000
    requests = [next(endless) for _ in range(count)]
    load = Load((HOST, server.port), wanted.clients, requests, lambda: used_ns(server.pids), kind.answered)
    # The collector would walk all of the requests in the middle of it.
    gc.disable()
    try:
        load.run(wanted.warm_ms * 1_000_000, wanted.measured_ms * 1_000_000)
    finally:
        gc.enable()
    assert load.began is not None
    assert load.ended is not None
    elapsed_ns = load.ended.at_ns - load.began.at_ns
    taken = sorted(load.latencies_ns[load.began.latencies : load.ended.latencies])
    per_s = len(taken) * 1e9 / elapsed_ns if elapsed_ns else 0.0
    return Part(
        per_s, percentile(taken, 50), percentile(taken, 99), dict(load.others), load.lost, load.exhausted
    )


def _shares(wanted: Plan, stored: int) -> dict[str, int]:
    """By venue, as many for each account."""
    accounts = wanted.accounts
    shared = {venue: stored * count // wanted.fewest for venue, count in accounts.items()}
    return {**shared, "bitmart": stored - sum(shared.values()) + shared["bitmart"]}


def _library(opened: ExitStack, wanted: Plan, own: Place, name: str, stored: int, url: str) -> Library:
    from penstock.sandbox.bench_accounts import seed_venues  # noqa: PLC0415  only what runs is loaded

    state, service = own.folder / name, Sandbox(url)
    own.say(f"{name}: seeding {wanted.fewest} accounts")
    sections = seed_venues(state, wanted.accounts, url)
    shares = _shares(wanted, stored)
    ids = service.store(state, shares, lambda count: own.say(f"{name}: {count:,} of {stored:,} stored"))
    server = ServerProcess(service.command(state), own.folder / f"{name}.log")
    return Library(sections, ids, opened.enter_context(server))


def measure(wanted: Plan, own: Place, database: str | None) -> tuple[Library, Library]:
    """The nearly empty service and the full one, in turns, each way of looking by itself."""
    with ExitStack() as opened:
        urls = ["", ""]
        if database is not None:
            urls = opened.enter_context(databases(own.folder / "postgres", wanted.clients, database, 2)).urls
        empty = _library(opened, wanted, own, "empty", wanted.fewest, urls[0])
        full = _library(opened, wanted, own, "stored", wanted.stored, urls[1])
        turns = [("empty", empty), ("stored", full)]
        for kind in KINDS:
            for number in range(1, wanted.rounds + 1):
                for name, library in turns:
                    part = look_up(library, kind, wanted, number)
                    library.parts.setdefault(kind.name, []).append(part)
                    own.say(
                        f"{kind.name}, round {number} of {wanted.rounds}: {name} {part.per_s:,.0f}/s, "
                        f"p50 {part.p50_ns / 1e6:.1f} ms, p99 {part.p99_ns / 1e6:.1f} ms "
                        f"({time.strftime('%H:%M:%S')})"
                    )
                turns.reverse()
    return empty, full


def lines(
    wanted: Plan, empty: Library, full: Library, facts: machine.Machine, database: str
) -> list[dict[str, object]]:
    """One flat object a way of looking; figures are medians over the rounds."""
    found: list[dict[str, object]] = []
    for kind in KINDS:
        few, many = empty.parts[kind.name], full.parts[kind.name]
        rate, few_rate = median(part.per_s for part in many), median(part.per_s for part in few)
        p99, few_p99 = median(part.p99_ns for part in many), median(part.p99_ns for part in few)
        told: dict[str, object] = {
            "bench": "reads",
            "look": kind.name,
            "compared": f"the service on {database} with {wanted.stored:,} withdrawals, in turns with one that has "
            f"{wanted.fewest:,}, one an account; {wanted.clients} clients each",
            "per_s": rounded(rate),
            "p50_ms": milliseconds(median(part.p50_ns for part in many)),
            "p99_ms": milliseconds(p99),
            "empty_per_s": rounded(few_rate),
            "empty_p50_ms": milliseconds(median(part.p50_ns for part in few)),
            "empty_p99_ms": milliseconds(few_p99),
            "ratio_empty": ratio(rate, few_rate),
            "p99_ratio_empty": ratio(p99, few_p99),
            "refused": summed(part.refused for part in many + few),
            "lost": sum(part.lost for part in many + few),
            "exhausted": any(part.exhausted for part in many + few),
            "rounds_p99_ms": [milliseconds(part.p99_ns) for part in many],
            "rounds_empty_p99_ms": [milliseconds(part.p99_ns) for part in few],
            "clients": wanted.clients,
            "rounds": wanted.rounds,
            "stored": wanted.stored,
            "database": database,
            "cores": facts.cores,
        }
        found.append(judged(told, kind.aims))
    return found


def run(seconds: float, clients: int, stored: int, database: str | None) -> int:
    """Measure, and write one JSON line a way of looking; progress goes to stderr. Returns 0, or 2 for a bad database.

    database: as bench.intake.run.
    """
    if not measurable("reads", database):
        return BAD_DATABASE
    wanted = plan(stored, seconds, clients)
    with place("reads") as own:
        facts = machine.look(own.folder)
        empty, full = measure(wanted, own, database)
        for line in lines(wanted, empty, full, facts, kind_of(database)):
            tell(line)
    return 0
