"""Two servers and two workers on one PostgreSQL; a worker is stopped for longer than its lease and wakes up late.

Judged from outside: what customers heard, the node's Transfer logs, the signer's log, `penstock verify`. In full it is
stopped at each of seven moments, short at two of them and with fewer customers (tests/size.py).
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import postgres
from tests.acceptance import crash_proof as proof
from tests.acceptance.many_world import (
    AGAIN_S_MAX,
    Deployment,
    Payer,
    Process,
    bitmart_payer,
    send,
    zoomex_payer,
)
from tests.acceptance.one_listing import UNIT
from tests.acceptance.sandbox_process import Sandbox
from tests.nodes import anvil
from tests.size import sized

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("many")]

PAYERS_A_VENUE = sized(2, 4)
BALANCE = "20000"
PAUSE_S = 0.7
"""Of a customer between two requests: BitMart lets 8 pass in 2 s."""
BLOCK_S = 0.05
SETTLED_MEANWHILE = 3

EVERY_STOP = (
    # Chosen and on its way to the store: the other plans the same withdrawals at the same nonces.
    ("worker.plan_queued", 1),
    # Planned: the other signs, stores and sends them.
    ("worker.before_sign", 2),
    ("worker.bytes_checked", 1),
    # Stored: the other sends them, and they are final when this one goes on to send them too.
    ("worker.before_send", 1),
    ("worker.sent", 1),
    # Seen: the other settles them.
    ("worker.before_settle", 1),
    # In the middle of a transaction: the database ends that, and with it the locks, after a while.
    ("store.before_commit", 1),
)
"""Where a worker stops, each in turn being the one that has the lease, and the other takes over."""
STOPS = sized((EVERY_STOP[0], EVERY_STOP[3]), EVERY_STOP)


@dataclass
class Load:
    """Customers who ask until they are told to stop. acknowledged: (address, net) of each withdrawal by its id."""

    ports: tuple[int, int]
    over: threading.Event = field(default_factory=threading.Event)
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)
    twice: int = 0
    amounts: Iterator[int] = field(default_factory=lambda: itertools.count(20 * UNIT))

    def run(self, payer: Payer, number: int) -> None:
        """Ask for an amount never asked for before, at one server, at the other, or at both with the same bytes."""
        for turn in itertools.count(number):
            amount = next(self.amounts)
            wire = payer.wire(amount)
            places = (self.ports, self.ports[:1], self.ports[::-1], self.ports[1:])[turn % 4]
            with ThreadPoolExecutor(len(places)) as pool:
                heard = [pool.submit(self._heard, payer, port, wire) for port in places]
            ids = {one.result() for one in heard}
            assert len(ids) == 1, f"the same request is two withdrawals: {ids}"
            self.twice += len(places) > 1
            self.acknowledged[ids.pop()] = (payer.address[2:].lower(), amount - payer.kept)
            if self.over.wait(PAUSE_S):
                return

    def _heard(self, payer: Payer, port: int, wire: bytes) -> str:
        """The withdrawal's id; where the answer says that nothing was done, the same bytes again."""
        ends_s = time.monotonic() + AGAIN_S_MAX
        while time.monotonic() < ends_s:
            withdrawal_id = payer.read(send(port, wire))
            if withdrawal_id is not None:
                return withdrawal_id
            # Neither pause nor patience may end before the limit's window does.
            threading.Event().wait(PAUSE_S)
        raise AssertionError("a request was never taken")


@pytest.fixture
def deployed() -> Iterator[Deployment]:
    # Not pytest's folder: its paths are too long for the signer's socket.
    with (
        postgres.database() as url,
        anvil(mining=False) as node,
        tempfile.TemporaryDirectory(prefix="many-") as folder,
    ):
        deployment = Deployment(Path(folder), url, node)
        try:
            yield deployment
        finally:
            deployment.close()


def open_payers(sandbox: Sandbox) -> list[Payer]:
    return [make(sandbox, BALANCE) for _ in range(PAYERS_A_VENUE) for make in (bitmart_payer, zoomex_payer)]


def stop_the_owner(deployed: Deployment, workers: dict[int, Process], point: str, n: int) -> Process:
    """Stop the worker that has the lease, at `point`. On a slow machine it may have lost it just before: then again."""
    while True:
        owner = workers[deployed.lane()[0]]
        deployed.stop_at(owner, point, n)
        if deployed.lane()[0] == owner.child.pid:
            return owner
        owner.resume()


def stop_and_resume(deployed: Deployment, workers: dict[int, Process], point: str, n: int) -> None:
    """Stop the worker that has the lease until the other has taken over and settled; then let it go on."""
    owner = stop_the_owner(deployed, workers, point, n)
    _, epoch = deployed.lane()
    assert deployed.count("state <> 'confirmed'") > 0, "it had nothing under way"
    deployed.wait(lambda: deployed.lane()[0] != owner.child.pid)
    settled = deployed.count("state = 'confirmed'")
    deployed.wait(lambda: deployed.count("state = 'confirmed'") >= settled + SETTLED_MEANWHILE)
    assert deployed.lane()[1] > epoch
    assert owner.is_stopped
    owner.resume()


def test_a_worker_that_wakes_up_after_its_lease_pays_nothing_twice(
    deployed: Deployment, record_property: Callable[[str, object], None]
) -> None:
    payers = deployed.prepare(open_payers)
    deployed.start_signer()
    servers = [deployed.start_serve(f"serve-{n}", "--no-workers") for n in (1, 2)]
    workers = {
        worker.child.pid: worker
        for worker in (deployed.start_worker("worker-1"), deployed.start_worker("worker-2"))
    }
    load = Load((servers[0].port, servers[1].port))
    with deployed.mining(BLOCK_S), ThreadPoolExecutor(len(payers)) as pool:
        customers = [pool.submit(load.run, payer, at) for at, payer in enumerate(payers)]
        try:
            deployed.wait(lambda: deployed.count("state = 'confirmed'") > 0)
            for point, n in STOPS:
                stop_and_resume(deployed, workers, point, n)
        finally:
            load.over.set()
        for customer in customers:
            customer.result()
        deployed.wait(lambda: deployed.count("state <> 'confirmed'") == 0)
    assert {process.name: process.terminate() for process in reversed(deployed.processes)} == {
        process.name: 0 for process in deployed.processes
    }

    told = [line for worker in workers.values() for line in worker.log.read_text().splitlines()]
    assert sum("lease=lost" in line for line in told) > 0, "nobody who woke up late was refused"
    assert deployed.count("true") == len(load.acknowledged)
    paid = Counter(
        (log["topics"][2][-40:].lower(), int(log["data"], 16))
        for log in proof.transfers(deployed)
        if log["topics"][1][-40:].lower() == deployed.hot_wallet[2:].lower()
    )
    assert paid == Counter(load.acknowledged.values())
    assert proof.wrong_nonces(deployed) == []
    assert proof.wrong_signatures(deployed.signer_folder / "signer.log") == []
    assert proof.illegal_histories(deployed) == []
    assert deployed.verified().startswith("verify: ok")
    assert load.twice > 0
    record_property(
        "tally", {"paid exactly once": len(load.acknowledged), "asked at both servers": load.twice}
    )
