"""One key gets its documented number of requests through in a window, whichever front of whichever server answers.

Zoomex's look-up of deposit addresses: 30 requests in 60 s for each account (Zoomex docs, "Rate Limit").
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import postgres
from tests.acceptance.customers import open_account
from tests.acceptance.many_world import Deployment, Process
from tests.acceptance.raw_http import Connection
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.zoomex_requests import DEPOSIT_ADDRESSES, Key, Told, by_headers, told

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("limits")]

LIMIT = 30
EACH = 14
"""Requests at each of three fronts: in all more than the limit."""
TOO_MANY, UNAVAILABLE = 10006, 10016
FRONTS = 3


@dataclass
class Served:
    """What runs. keys: each of an account of its own; a test takes the next."""

    deployed: Deployment
    serves: list[Process]
    keys: Iterator[Key]

    def connections(self, stack: ExitStack) -> list[Connection]:
        """One at each front."""
        return [
            stack.enter_context(closing(serve.connection_at(front)))
            for serve in self.serves
            for front in serve.fronts()
        ]


def new_keys(sandbox: Sandbox) -> list[Key]:
    return [Key(*open_account(sandbox).key("zoomex")) for _ in range(3)]


def look_up(connection: Connection, key: Key) -> Told:
    return told(connection.exchange(by_headers(DEPOSIT_ADDRESSES, key, {"coin": "USDT"}).raw))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Three fronts: of one serve on SQLite; of two serves on PostgreSQL."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres.database()) if request.param == "postgresql" else ""
        # Not pytest's folder: its paths are too long for the signer's socket.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="limits-"))
        deployed = Deployment(Path(folder), url, node=None)
        stack.callback(deployed.close)
        keys = deployed.prepare(new_keys)
        deployed.start_signer()
        counts = (2, 1) if url else (FRONTS,)
        serves = [
            deployed.start_serve(f"serve-{at}", "--no-workers", "--processes", str(count))
            for at, count in enumerate(counts)
        ]
        yield Served(deployed, serves, iter(keys))


def test_whoever_answers_exactly_the_documented_number_comes_through(served: Served) -> None:
    key = next(served.keys)
    together = threading.Barrier(FRONTS)

    def ask(connection: Connection) -> list[Told]:
        together.wait()
        return [look_up(connection, key) for _ in range(EACH)]

    with ExitStack() as stack, ThreadPoolExecutor(FRONTS) as pool:
        connections = served.connections(stack)
        assert len(connections) == FRONTS
        answers = list(pool.map(ask, connections))
        assert [look_up(each, key).code for each in connections] == [TOO_MANY] * FRONTS
    every = [answer for each in answers for answer in each]
    assert Counter(answer.code for answer in every) == {0: LIMIT, TOO_MANY: FRONTS * EACH - LIMIT}
    # What is left is told by whoever lets a request through, and nobody tells what another told.
    left = [int(answer.headers["x-bapi-limit-status"]) for answer in every if answer.code == 0]
    assert sorted(left) == list(range(LIMIT))
    assert all(any(answer.code == 0 for answer in each) for each in answers), "a front let nothing through"


def test_a_front_that_is_killed_is_started_again_while_the_others_answer_and_the_count_goes_on(
    served: Served,
) -> None:
    key = next(served.keys)
    serve = served.serves[0]
    before = serve.fronts()
    with ExitStack() as stack:
        kept = stack.enter_context(closing(serve.connection_at(before[1])))
        lost = stack.enter_context(closing(serve.connection_at(before[0])))
        assert [look_up(lost, key).code for _ in range(10)] == [0] * 10
        os.kill(before[0], signal.SIGKILL)
        assert [look_up(kept, key).code for _ in range(10)] == [0] * 10
        served.deployed.wait(lambda: len(set(serve.fronts()) - {before[0]}) == len(before))
        (again,) = set(serve.fronts()) - set(before)
        assert set(before[1:]) < set(serve.fronts()), "others were started again as well"
        new = stack.enter_context(closing(serve.connection_at(again)))
        assert [look_up(new, key).code for _ in range(11)] == [0] * 10 + [TOO_MANY]


@pytest.mark.parametrize("served", ["postgresql"], indirect=True)
def test_without_the_database_requests_are_told_so_and_afterwards_counted_on(served: Served) -> None:
    key = next(served.keys)
    name = served.deployed.url.partition("@/")[2].partition("?")[0]
    running = postgres.server()
    with ExitStack() as stack:
        connections = served.connections(stack)
        assert [look_up(each, key).code for each in connections] == [0] * FRONTS
        running.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            running.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            assert [look_up(each, key).verdict for each in connections] == [(503, UNAVAILABLE)] * FRONTS
        finally:
            running.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        codes = [look_up(connections[at % FRONTS], key).code for at in range(LIMIT - FRONTS + 1)]
        assert codes == [0] * (LIMIT - FRONTS) + [TOO_MANY]
