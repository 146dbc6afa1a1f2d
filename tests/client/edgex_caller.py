"""Calls of the edgeX client, blocking and awaiting, over the fake."""

from __future__ import annotations

from typing import Any

from penstock.client.steps import Reply, Send, Steps
from penstock.core.time import ManualClock
from tests.client.caller import Caller
from tests.client.fake_edgex import ACCOUNT_ID, NOW_MS, PRIVATE_KEY, FakeEdgex


def make_caller(kind: str) -> Caller:
    """kind: "sync" or "async"; a blocking client stays, and knows the nonces of its calls before."""
    settings = {"account_id": ACCOUNT_ID, "stark_private_key": PRIVATE_KEY}
    return Caller(kind, "edgex", FakeEdgex(), settings, ManualClock(NOW_MS), stays=True)


def drive(steps: Steps[Any], fake: FakeEdgex) -> Any:
    """Carry steps out against the fake."""
    answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as stop:
            return stop.value
        assert isinstance(step, Send)
        asked = step.request
        status, headers, body = fake.answer(asked.method, asked.target, dict(asked.headers), asked.body)
        answer = Reply(status, headers, body)
