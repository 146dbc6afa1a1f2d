"""The load generator as a process of its own: an Assignment as JSON on stdin, a Measurement as JSON on
stdout.

`python -m penstock.bench.loader`
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import msgspec

from penstock.bench.cpu import used_ns
from penstock.bench.figures import percentile
from penstock.bench.load import ACCEPTED, Load
from penstock.bench.requests import SIGNED_FOR_MS, LoadAccount, signed_requests
from penstock.bench.venue_requests import LOADS, wire_bytes
from penstock.core.time import SystemClock

NS_PER_MS = 1_000_000
FIRST_MS_MAX = 30_000
"""However many there are, the first requests of two stop being sent after this: what they gave is good for 120 s."""


class Assignment(msgspec.Struct, frozen=True):
    """What to load, and how long. accounts: a JSON file of LoadAccounts; where a venue is named (one of
    venue_requests.LOADS), of its sections.

    first: number of the first request, so that several parts of a run never repeat one. requests_max: how
    many are signed before the start. server_pids: whose processor time is counted.
    """

    host: str
    port: int
    clients: int
    warm_ms: int
    measured_ms: int
    accounts: str
    first: int
    requests_max: int
    server_pids: tuple[int, ...] = ()
    venue: str = ""


class Measurement(msgspec.Struct, frozen=True):
    """Rates and times of the measured part; `accepted_all`, `refused`, `errors` and `lost` of all of it.

    refused: answers of the venue that were no acceptance, by "status code"; errors: answers that were not the
    venue's. elapsed_ns: of the measured part. exhausted: the signed requests ran out before its end.
    """

    accepted: int
    elapsed_ns: int
    p50_ns: int
    p99_ns: int
    max_ns: int
    loader_cpu_ns: int
    server_cpu_ns: int
    accepted_all: int
    refused: dict[str, int]
    errors: dict[str, int]
    lost: int
    exhausted: bool

    @property
    def per_s(self) -> float:
        return self.accepted * 1e9 / self.elapsed_ns if self.elapsed_ns else 0.0


def measure(assignment: Assignment) -> Measurement:
    """Sign, load, and sum up. The signing is over before the first byte is sent."""
    assert assignment.warm_ms + assignment.measured_ms < SIGNED_FOR_MS, assignment
    if assignment.venue:
        return _measure_venue(assignment)
    accounts = msgspec.json.decode(Path(assignment.accounts).read_bytes(), type=list[LoadAccount])
    requests = signed_requests(
        accounts,
        f"{assignment.host}:{assignment.port}",
        first=assignment.first,
        count=assignment.requests_max,
        timestamp_ms=SystemClock().now_ms(),
    )
    return _loaded(assignment, requests, ACCEPTED)


def _loaded(assignment: Assignment, requests: list[bytes], accepted: bytes) -> Measurement:
    # The collector would walk all of it again and again, and finds nothing: there are no cycles here.
    gc.disable()
    load = Load(
        (assignment.host, assignment.port),
        assignment.clients,
        requests,
        lambda: used_ns(assignment.server_pids),
        accepted,
    )
    load.run(assignment.warm_ms * NS_PER_MS, assignment.measured_ms * NS_PER_MS)
    return _summed(load)


def _measure_venue(assignment: Assignment) -> Measurement:
    venue = LOADS[assignment.venue]
    sections = msgspec.json.decode(Path(assignment.accounts).read_bytes(), type=list[dict[str, Any]])
    host, now_ms = f"{assignment.host}:{assignment.port}", SystemClock().now_ms()

    def account(number: int) -> dict[str, Any]:
        return sections[number % len(sections)]

    numbers = range(assignment.first, assignment.first + assignment.requests_max)
    requests = [
        wire_bytes(venue.first(account(number), number, number // len(sections), now_ms, host), host)
        for number in numbers
    ]
    if venue.second is None:
        return _loaded(assignment, requests, venue.accepted)
    answers = _first_answers(assignment, requests, venue.first_accepted)
    now_ms = SystemClock().now_ms()
    followed = [
        wire_bytes(venue.second(account(numbers[index]), body, now_ms, host), host) for index, body in answers
    ]
    return _loaded(assignment, followed, venue.accepted)


def _first_answers(assignment: Assignment, requests: list[bytes], accepted: bytes) -> list[tuple[int, bytes]]:
    """Send the first of two requests each, unmeasured; which were accepted, and with what body."""
    kept: list[tuple[int, bytes]] = []

    def keep(number: int, answer: bytes) -> None:
        kept.append((number, answer.partition(b"\r\n\r\n")[2]))

    address = (assignment.host, assignment.port)
    load = Load(address, assignment.clients, requests, lambda: 0, accepted, keep)
    load.run(FIRST_MS_MAX * NS_PER_MS, NS_PER_MS)
    return kept


def _summed(load: Load) -> Measurement:
    began, ended = load.began, load.ended
    assert began is not None
    assert ended is not None
    latencies = sorted(load.latencies_ns[began.latencies : ended.latencies])
    return Measurement(
        accepted=ended.accepted - began.accepted,
        elapsed_ns=ended.at_ns - began.at_ns,
        p50_ns=percentile(latencies, 50),
        p99_ns=percentile(latencies, 99),
        max_ns=latencies[-1] if latencies else 0,
        loader_cpu_ns=ended.loader_cpu_ns - began.loader_cpu_ns,
        server_cpu_ns=ended.server_cpu_ns - began.server_cpu_ns,
        accepted_all=load.accepted,
        refused={outcome: count for outcome, count in load.others.items() if " " in outcome},
        errors={outcome: count for outcome, count in load.others.items() if " " not in outcome},
        lost=load.lost,
        exhausted=load.exhausted,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(measure(msgspec.json.decode(sys.stdin.buffer.read(), type=Assignment)))
    )
