"""The primary database is lost in the middle of work, with its machine, and the synchronous standby takes over.

No acknowledged withdrawal is lost, none is paid twice, and whoever was left in doubt is sure after asking again. Judged
by what customers heard, and by the simulated chain's own file.

In full it is lost 20 times in a row, the ways of losing it taking turns; the service lives through all of them, and a
new standby is made in the lost server's place. Short it is lost so once, with fewer customers (tests/size.py).
PENSTOCK_FAILOVER_ROUNDS: how many times instead.
"""

from __future__ import annotations

import itertools
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.failover_world import (
    DATABASE,
    NOTHING_DONE,
    Customer,
    World,
    open_world,
)
from tests.acceptance.process_groups import verify
from tests.acceptance.simulated_chain import offered, payments
from tests.postgres_pair import await_true, postgres_pair
from tests.size import sized

ROUNDS = int(os.environ.get("PENSTOCK_FAILOVER_ROUNDS", "0")) or sized(1, 20)
CUSTOMERS = sized(8, 16)
REST_S = 0.26
"""Between two requests of a customer; BitMart allows 8 in 2 s."""
IMPATIENT_S, PATIENT_S = 0.4, 30.0
BEFORE_S, AFTER_S = 1.5, 1.0
OUTAGE_S = 1.2
CANCELS = 8
"""Enough for a worker to come as far as sending, if it were to go on from what was cancelled."""
CANCELLED_LOGGED = "canceling wait for synchronous replication"
IN_DOUBT_LOGGED = "commit failed; finding out what it left"

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("failover")]


class Worlds:
    """One world that goes from failover to failover; after a failed test a new one."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._world: World | None = None

    def running(self) -> World:
        if self._world is None or not self._world.whole:
            self.close()
            # Not pytest's folder: its paths are too long for the signer's socket.
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="failover-")))
            self._world = self._stack.enter_context(
                open_world(self._stack.enter_context(postgres_pair()), folder)
            )
        elif self._world.pair.primary.process is None:
            self._world.pair.rebuild()
        return self._world

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    opened = Worlds()
    yield opened
    opened.close()


@pytest.fixture
def world(worlds: Worlds) -> World:
    """With both servers up and nothing under way. It counts as broken until `assert_paid...` has passed."""
    running = worlds.running()
    running.whole = False
    return running


# ---- ways to lose a primary ----


def at_any_moment(world: World) -> None:
    world.pair.kill_primary()
    time.sleep(OUTAGE_S)
    world.pair.promote()


def commits_arrive(world: World) -> None:
    """Commits under way have reached the standby, which had no chance to say so."""
    receiver = world.pair.hold_receiver()
    world.pair.await_waiting_commit()
    world.pair.await_all_sent()
    world.pair.kill_primary()
    time.sleep(OUTAGE_S)
    world.pair.release_receiver(receiver)
    world.pair.await_all_received()
    world.pair.promote()


def commits_are_lost(world: World) -> None:
    """Commits under way are on the primary's disk alone. No customer may have heard of them."""
    receiver = world.pair.hold_receiver()
    world.pair.await_waiting_commit()
    world.pair.kill_primary()
    time.sleep(OUTAGE_S)
    world.pair.promote_without_what_is_held(receiver)


WAYS = (commits_arrive, commits_are_lost, at_any_moment)
CASES = list(itertools.islice(itertools.cycle(WAYS), ROUNDS))


# ---- work, and what must hold after it ----


@contextmanager
def at_work(world: World, customers: list[Customer]) -> Iterator[None]:
    """Customers ask inside, and ask again behind it until each request has come to an end."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(customers)) as threads:
        working = [threads.submit(customer.work, stop, world.amounts) for customer in customers]
        try:
            yield
        finally:
            stop.set()
        for work in working:
            work.result()
        for converged in [threads.submit(customer.converge) for customer in customers]:
            converged.result()


def acknowledged(customers: list[Customer]) -> list[tuple[str, str, int]]:
    """(withdrawal id, receiver, units) of each request that was answered with success."""
    return [
        (asked.withdrawal_id, customer.address, asked.wire.units)
        for customer in customers
        for asked in customer.asked
        if asked.withdrawal_id is not None
    ]


def verified(world: World) -> str:
    """The last line of `penstock verify` on the pair's database."""
    return verify("--database", world.pair.url(DATABASE))[-1]


def assert_paid_once_what_was_acknowledged(world: World) -> None:
    """And nothing else: neither in the database nor on the chain."""
    world.await_paid()
    known = acknowledged(world.customers)
    stored = {str(withdrawal_id) for (withdrawal_id,) in world.read("SELECT withdrawal_id FROM withdrawals")}
    assert {withdrawal_id for withdrawal_id, _, _ in known} == stored
    wanted = Counter((receiver, units) for _, receiver, units in known)
    assert payments(world.sandbox, "ethereum") == wanted
    assert set(wanted.values()) == {1}
    assert verified(world).startswith("verify: ok")
    world.whole = True


@pytest.mark.parametrize("lose", CASES, ids=[f"{at}-{way.__name__}" for at, way in enumerate(CASES)])
def test_a_primary_lost_under_load_loses_no_withdrawal_and_pays_none_twice(
    world: World, lose: Callable[[World], None], record_property: Callable[[str, object], None]
) -> None:
    doubts = world.logged(IN_DOUBT_LOGGED)
    customers = world.new_customers(CUSTOMERS, REST_S, (IMPATIENT_S, PATIENT_S))
    with at_work(world, customers):
        time.sleep(BEFORE_S + random.random())
        before = len(acknowledged(customers))
        lose(world)
        time.sleep(AFTER_S)
    paid = len(acknowledged(customers))
    assert CUSTOMERS < before < paid, "there was no load before the failover, or none after it"
    if lose is not at_any_moment:
        assert world.logged(IN_DOUBT_LOGGED) > doubts
    assert_paid_once_what_was_acknowledged(world)
    asked = [one for customer in customers for one in customer.asked]
    told = {
        "failovers": 1,
        "acknowledged and paid once": paid,
        "in doubt, then sure": sum(one.was_doubtful for one in asked),
        "told that nothing was done": sum(NOTHING_DONE in one.said for one in asked),
        "given up and never paid": len(asked) - paid,
    }
    record_property("tally", told)


def test_a_withdrawal_whose_wait_for_the_standby_was_cancelled_is_not_acknowledged(world: World) -> None:
    _, customer = world.new_customers(2, REST_S, (PATIENT_S,))
    assert not customer.gives_up
    pair, count = world.pair, "SELECT count(*) FROM withdrawals"
    before, cancels = pair.primary.value(count, database=DATABASE), world.logged(CANCELLED_LOGGED)
    receiver = pair.hold_receiver()
    with at_work(world, [customer]):
        # PostgreSQL answers the cancelled wait with success, a warning, and a row that everybody can see.
        while pair.primary.value(count, database=DATABASE) == before:
            pair.cancel_waits()
        await_true(lambda: world.logged(CANCELLED_LOGGED) > cancels)
        assert [asked.said for asked in customer.asked] == [[]]
        pair.kill_primary()
        pair.promote_without_what_is_held(receiver)
        assert world.read(count) == [(before,)]
        await_true(lambda: bool(customer.asked[0].said))
    assert customer.asked[0].said[0] == NOTHING_DONE
    assert customer.asked[0].withdrawal_id is not None
    assert_paid_once_what_was_acknowledged(world)


def test_what_no_standby_has_a_record_of_is_not_sent(world: World) -> None:
    pair, sandbox = world.pair, world.sandbox
    (customer,) = world.new_customers(1, REST_S, (PATIENT_S,))
    sandbox.admin("POST", "/sending/stop", {"reason": "test"})
    assert customer.ask(customer.new_request(world.amounts)).isdecimal()
    before, cancels = offered(sandbox, "ethereum"), world.logged(CANCELLED_LOGGED)
    receiver = pair.hold_receiver()
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(sandbox.admin, "POST", "/sending/start", {"reason": "test"})
        # Whatever the service writes, and whatever it finds written after each cancelled wait, is on one machine only.
        while world.logged(CANCELLED_LOGGED) < cancels + CANCELS:
            pair.cancel_waits()
        pair.kill_primary()
        pair.promote_without_what_is_held(receiver)
        assert starting.exception(PATIENT_S) is not None, "what was cancelled was acknowledged"
    assert offered(sandbox, "ethereum") == before
    sandbox.admin("POST", "/sending/start", {"reason": "test"})
    assert_paid_once_what_was_acknowledged(world)
