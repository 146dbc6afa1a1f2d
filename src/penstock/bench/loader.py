"""The load generator as a process of its own: an Assignment as JSON on stdin, a Measurement as JSON on
stdout.

`python -m penstock.bench.loader`
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import msgspec

from penstock.bench.cpu import used_ns
from penstock.bench.figures import percentile
from penstock.bench.load import Load
from penstock.bench.requests import SIGNED_FOR_MS, LoadAccount, signed_requests
from penstock.core.time import SystemClock

NS_PER_MS = 1_000_000


class Assignment(msgspec.Struct, frozen=True):
    """What to load, and how long. accounts: a JSON file of LoadAccounts.

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
    accounts = msgspec.json.decode(Path(assignment.accounts).read_bytes(), type=list[LoadAccount])
    requests = signed_requests(
        accounts,
        f"{assignment.host}:{assignment.port}",
        first=assignment.first,
        count=assignment.requests_max,
        timestamp_ms=SystemClock().now_ms(),
    )
    # The collector would walk all of it again and again, and finds nothing: there are no cycles here.
    gc.disable()
    load = Load(
        (assignment.host, assignment.port),
        assignment.clients,
        requests,
        lambda: used_ns(assignment.server_pids),
    )
    load.run(assignment.warm_ms * NS_PER_MS, assignment.measured_ms * NS_PER_MS)
    return _summed(load)


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
