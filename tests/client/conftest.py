"""Both clients over one fake: every test that takes `caller` runs blocking and awaiting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from penstock.client import connect, connect_async
from penstock.core.time import ManualClock
from tests.client.fake_bitmart import KEY, MEMO, NOW_MS, SECRET, FakeBitmart


@dataclass
class Caller:
    """Calls a method by name on a new client; pauses are noted, not waited for."""

    kind: str
    fake: FakeBitmart
    clock: ManualClock
    base_url: str = "http://127.0.0.1:9"
    pauses_ms: list[int] = field(default_factory=list)

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        transport = httpx2.MockTransport(self._answer)
        if self.kind == "sync":
            with connect(
                "bitmart", **self._settings(), transport=transport, pause=self.pauses_ms.append
            ) as client:
                return getattr(client, method)(*arguments, **named)
        return asyncio.run(self._await(transport, method, arguments, named))

    async def _await(self, transport: Any, method: str, arguments: Any, named: Any) -> Any:
        async def pause(ms: int) -> None:
            self.pauses_ms.append(ms)

        async with connect_async("bitmart", **self._settings(), transport=transport, pause=pause) as client:
            return await getattr(client, method)(*arguments, **named)

    def _settings(self) -> dict[str, Any]:
        return {
            "api_key": KEY,
            "api_secret": SECRET,
            "memo": MEMO,
            "base_url": self.base_url,
            "clock": self.clock,
        }

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        target = request.url.raw_path.decode()
        status, headers, body = self.fake.answer(
            request.method, target, dict(request.headers), request.content
        )
        return httpx2.Response(status, headers=headers, content=body)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return Caller(request.param, FakeBitmart(), ManualClock(NOW_MS))
