"""Both clients in front of a fake: a test that takes a `Caller` runs blocking and awaiting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx2

from penstock.client import AsyncClient, Client, connect, connect_async
from penstock.core.time import ManualClock


@dataclass
class Caller:
    """Calls a method by name on a new client; pauses are noted, not waited for.

    kind: "sync" or "async". fake: has `answer(method, target, headers, body)`. settings: the venue's credentials.
    stays: a blocking client is kept from call to call.
    """

    kind: str
    venue: Any
    fake: Any
    settings: dict[str, Any] = field(repr=False)
    clock: ManualClock
    base_url: str = "http://127.0.0.1:9"
    stays: bool = False
    pauses_ms: list[int] = field(default_factory=list)
    _kept: Client | None = None

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        if self.kind == "async":
            return asyncio.run(self._await(method, arguments, named))
        client = self._kept or self._blocking()
        if self.stays:
            self._kept = client
            return getattr(client, method)(*arguments, **named)
        with client:
            return getattr(client, method)(*arguments, **named)

    async def _await(self, method: str, arguments: Any, named: Any) -> Any:
        async def pause(ms: int) -> None:
            self.pauses_ms.append(ms)

        async with self.connected(AsyncClient, transport=self._transport(), pause=pause) as client:
            return await getattr(client, method)(*arguments, **named)

    def _blocking(self) -> Client:
        return self.connected(Client, transport=self._transport(), pause=self.pauses_ms.append)

    def connected(self, kind: type[Client | AsyncClient], **driver: Any) -> Any:
        connecting: Any = connect if kind is Client else connect_async
        return connecting(self.venue, **self.settings, base_url=self.base_url, clock=self.clock, **driver)

    def _transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        target = request.url.raw_path.decode()
        status, headers, body = self.fake.answer(
            request.method, target, dict(request.headers), request.content
        )
        return httpx2.Response(status, headers=headers, content=body)
