"""Curve signatures take a while to verify: whoever calls another venue meanwhile must not wait for them.

In full nine times, short three times (tests/size.py).
"""

from __future__ import annotations

import select
import statistics
import time
from contextlib import ExitStack, closing

import pytest

from tests.acceptance.calls import next_source
from tests.acceptance.edgex_requests import Trader, new_trader, told
from tests.acceptance.raw_http import Connection
from tests.acceptance.sandbox_process import Sandbox
from tests.size import sized

pytestmark = pytest.mark.xdist_group("strict")

IN_FLIGHT = 64
ROUNDS, TRIES_MAX = sized(3, 9), 60
ASK_TIME = b"GET /system/time HTTP/1.1\r\nHost: x\r\n\r\n"


def test_while_64_signatures_wait_to_be_verified_another_venue_answers_at_once(strict: Sandbox) -> None:
    """Two medians of one run are compared, so that the machine's speed cancels out.

    On the event loop, whoever comes after 64 signed requests would be answered when nearly all of them are.
    """
    trader = new_trader(strict, money="")
    other_s: list[float] = []
    all_s: list[float] = []
    with ExitStack() as opened:
        edgex = [opened.enter_context(closing(Connection(strict.port))) for _ in range(IN_FLIGHT)]
        for _ in range(TRIES_MAX):
            calls = [twice_signed(trader) for _ in range(IN_FLIGHT)]
            # Each from another address, because the call is limited by it.
            bitmart = opened.enter_context(closing(Connection(strict.port, next_source())))
            for connection, call in zip(edgex, calls, strict=True):
                connection.send(call)
            answered = select.select([connection.socket for connection in edgex], [], [], 0)[0]
            began_s = time.monotonic()
            assert bitmart.exchange(ASK_TIME).status == 200
            took_s = time.monotonic() - began_s
            codes = {told(connection.answer()).code for connection in edgex}
            assert codes <= {"INVALID_L2_SIGNATURE", "RATE_LIMIT_EXCEEDED"}
            if len(answered) < IN_FLIGHT / 2:
                # Else this process was kept from sending for so long that there was little left to wait for.
                other_s.append(took_s)
                all_s.append(time.monotonic() - began_s)
            if len(other_s) == ROUNDS:
                break
    assert len(other_s) == ROUNDS
    assert statistics.median(other_s) < statistics.median(all_s) / 2


def twice_signed(trader: Trader) -> bytes:
    """A withdrawal whose request is authentic, and whose layer 2 signature is well-formed and another message's."""
    members = trader.members()
    return trader.post(members | {"l2Signature": trader.l2_signature(members, amount=1)}).raw
