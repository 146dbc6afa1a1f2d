"""Calls of the edgeX client, blocking and awaiting, over the fake."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx2

from penstock.client import Client, connect, connect_async
from penstock.client.steps import Reply, Send, Steps
from penstock.core.time import ManualClock
from tests.client.fake_edgex import ACCOUNT_ID, NOW_MS, PRIVATE_KEY, FakeEdgex


@dataclass
class Caller:
    """Calls a method by name on one client that stays; pauses are noted, not waited for."""

    kind: str
    fake: FakeEdgex = field(default_factory=FakeEdgex)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_MS))
    base_url: str = "http://127.0.0.1:9"
    options: dict[str, Any] = field(default_factory=dict)
    pauses_ms: list[int] = field(default_factory=list)
    _client: Client | None = None

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        if self.kind == "async":
            return asyncio.run(self._await(method, arguments, named))
        if self._client is None:
            self._client = connect(
                "edgex",
                **self._settings(),
                transport=httpx2.MockTransport(self._answer),
                pause=self.pauses_ms.append,
            )
        return getattr(self._client, method)(*arguments, **named)

    async def _await(self, method: str, arguments: Any, named: Any) -> Any:
        async def pause(ms: int) -> None:
            self.pauses_ms.append(ms)

        transport = httpx2.MockTransport(self._answer)
        async with connect_async("edgex", **self._settings(), transport=transport, pause=pause) as client:
            return await getattr(client, method)(*arguments, **named)

    def _settings(self) -> dict[str, Any]:
        return {
            "account_id": ACCOUNT_ID,
            "stark_private_key": PRIVATE_KEY,
            "base_url": self.base_url,
            "clock": self.clock,
        } | self.options

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        target = request.url.raw_path.decode()
        status, headers, body = self.fake.answer(
            request.method, target, dict(request.headers), request.content
        )
        return httpx2.Response(status, headers=headers, content=body)


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
