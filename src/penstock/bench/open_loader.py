"""The open-loop load generator as a process of its own: an OpenAssignment as JSON on stdin, an OpenMeasurement as JSON
on stdout.

`python -m penstock.bench.open_loader`
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import msgspec

from penstock.bench.cpu import used_ns
from penstock.bench.figures import percentile
from penstock.bench.open_load import NS_PER_MS, PATIENCE_NS, OpenLoad
from penstock.bench.requests import SIGNED_FOR_MS, LoadAccount, signed_requests
from penstock.bench.schedule import schedule
from penstock.core.time import SystemClock


class OpenAssignment(msgspec.Struct, frozen=True):
    """What to offer: `rate` requests a second over `connections`, for warm_ms, not counted, and for measured_ms.

    accounts: a JSON file of LoadAccounts. first: number of the first request, so that several parts of a run never
    repeat one. shape: one of schedule.SHAPES. server_pids: whose processor time is counted.
    patience_ms: how long a request waits for a free connection.
    """

    host: str
    port: int
    connections: int
    warm_ms: int
    measured_ms: int
    accounts: str
    first: int
    rate: float
    shape: str
    seed: int
    server_pids: tuple[int, ...] = ()
    patience_ms: int = PATIENCE_NS // NS_PER_MS


class OpenMeasurement(msgspec.Struct, frozen=True):
    """Of requests due in the measured part; `accepted_all`, `answers`, `lost` and `unsent` of all of them.

    offered: how many were due. sent, accepted: how many left, and how many acceptances came, within the part.
    p50_ns to max_ns: of the accepted, from when they were due. seen_p99_ns: the same less the loader's own lag, which
    is lag_p99_ns and lag_max_ns. answered_p99_ns: from when they left. late: left more than 1 ms behind their time;
    waited: found no free connection. refused_p99_ns: of every other answer, from when its request left. answers: those
    that were no acceptance, by "status code". requests: how many numbers were used.
    """

    offered: int
    sent: int
    accepted: int
    elapsed_ns: int
    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    seen_p99_ns: int
    answered_p99_ns: int
    lag_p99_ns: int
    lag_max_ns: int
    late: int
    waited: int
    refused_p99_ns: int
    loader_cpu_ns: int
    server_cpu_ns: int
    accepted_all: int
    answers: dict[str, int]
    lost: int
    unsent: int
    requests: int

    @property
    def per_s(self) -> float:
        """Acceptances a second: goodput."""
        return self.accepted * 1e9 / self.elapsed_ns

    @property
    def sent_per_s(self) -> float:
        return self.sent * 1e9 / self.elapsed_ns


def measure(assignment: OpenAssignment) -> OpenMeasurement:
    """Sign, offer, and sum up. The signing is over before the first byte is sent."""
    length_ms = assignment.warm_ms + assignment.measured_ms
    assert length_ms < SIGNED_FOR_MS, assignment
    due_ns = schedule(assignment.shape, assignment.rate, length_ms * NS_PER_MS, assignment.seed)
    accounts = msgspec.json.decode(Path(assignment.accounts).read_bytes(), type=list[LoadAccount])
    requests = signed_requests(
        accounts,
        f"{assignment.host}:{assignment.port}",
        first=assignment.first,
        count=len(due_ns),
        timestamp_ms=SystemClock().now_ms(),
    )
    # The collector would walk all of it again and again, and finds nothing: there are no cycles here.
    gc.disable()
    load = OpenLoad(
        (assignment.host, assignment.port),
        assignment.connections,
        requests,
        due_ns,
        lambda: used_ns(assignment.server_pids),
        assignment.patience_ms * NS_PER_MS,
    )
    load.run(assignment.warm_ms * NS_PER_MS, assignment.measured_ms * NS_PER_MS)
    return _summed(load)


def _summed(load: OpenLoad) -> OpenMeasurement:
    accepted, lag = sorted(load.accepted_ns), sorted(load.lag_ns)
    return OpenMeasurement(
        offered=load.offered,
        sent=load.sent,
        accepted=load.in_time,
        elapsed_ns=load.measured_ns,
        p50_ns=percentile(accepted, 50),
        p99_ns=percentile(accepted, 99),
        p999_ns=percentile(accepted, 999, 1_000),
        max_ns=accepted[-1] if accepted else 0,
        seen_p99_ns=percentile(sorted(load.seen_ns), 99),
        answered_p99_ns=percentile(sorted(load.answered_ns), 99),
        lag_p99_ns=percentile(lag, 99),
        lag_max_ns=lag[-1] if lag else 0,
        late=load.late,
        waited=load.waited,
        refused_p99_ns=percentile(sorted(load.refused_ns), 99),
        loader_cpu_ns=load.loader_cpu_ns,
        server_cpu_ns=load.server_cpu_ns,
        accepted_all=load.accepted,
        answers=dict(load.others),
        lost=load.lost,
        unsent=load.unsent,
        requests=load.requests_count,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(
        msgspec.json.encode(measure(msgspec.json.decode(sys.stdin.buffer.read(), type=OpenAssignment)))
    )
