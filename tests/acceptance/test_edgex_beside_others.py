"""Curve signatures take a while to verify: whoever calls another venue meanwhile must not wait for them."""

from __future__ import annotations

import statistics
import threading
import time
from contextlib import ExitStack, closing

import pytest

from tests.acceptance.calls import next_source
from tests.acceptance.edgex_requests import AVAILABLE, new_trader, told
from tests.acceptance.raw_http import Connection
from tests.acceptance.sandbox_process import Sandbox

pytestmark = pytest.mark.xdist_group("strict")

IN_FLIGHT = 64
ROUNDS = 6
ASK_TIME = b"GET /system/time HTTP/1.1\r\nHost: x\r\n\r\n"


def test_while_64_signed_requests_wait_another_venue_answers_as_ever(strict: Sandbox) -> None:
    """Two medians of one run are compared, so that the machine's speed cancels out.

    On the event loop, whoever comes while 64 signatures wait would be answered after them all.
    """
    traders = [new_trader(strict, money="") for _ in range(8)]
    alone: list[float] = []
    beside: list[float] = []
    with ExitStack() as opened:
        edgex = [opened.enter_context(closing(Connection(strict.port))) for _ in range(IN_FLIGHT)]
        for _ in range(ROUNDS):
            alone += [_ask_time(strict) for _ in range(20)]
            calls = [traders[number % 8].get(AVAILABLE, coinId="1000").raw for number in range(IN_FLIGHT)]
            for connection, call in zip(edgex, calls, strict=True):
                connection.send(call)
            reading = threading.Thread(target=_read_all, args=(edgex,))
            reading.start()
            while reading.is_alive():
                beside.append(_ask_time(strict))
            reading.join()
    print(len(beside), statistics.median(alone), statistics.median(beside))
    assert len(beside) >= ROUNDS
    assert statistics.median(beside) < 15 * statistics.median(alone)


def _ask_time(sandbox: Sandbox) -> float:
    """Seconds from the request to its answer; each from another address, because this call is limited by it."""
    with closing(Connection(sandbox.port, next_source())) as connection:
        began_s = time.monotonic()
        answer = connection.exchange(ASK_TIME)
        took_s = time.monotonic() - began_s
    assert answer.status == 200
    return took_s


def _read_all(connections: list[Connection]) -> None:
    """Every answer must be a good one; if not, this thread's error fails the test."""
    for connection in connections:
        assert told(connection.answer()).code == "SUCCESS"
