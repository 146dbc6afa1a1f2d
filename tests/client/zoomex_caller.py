"""Both clients over the fake Zoomex, and replies and records as the venue words them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx2

from penstock.client.async_client import AsyncClient
from penstock.client.client import Client
from penstock.client.zoomex import ZoomexVenue
from penstock.core.secret import Secret
from penstock.core.time import ManualClock
from penstock.venues.zoomex import client_wire as wire
from tests.client.fake_zoomex import FakeZoomex
from tests.venues.zoomex.world import KEY, NOW_MS, SECRET, TRON_ADDRESS

HERE = "http://127.0.0.1:9"
THERE = "https://openapi.zoomex.com"
WITHDRAWAL = ("USDT-TRX", "25.5", TRON_ADDRESS)
MADE_ID = "00112233445566778899aabbccddeeff"


@dataclass
class Caller:
    """Calls a method by name on a new client; pauses are noted, not waited for."""

    kind: str
    fake: FakeZoomex
    clock: ManualClock
    base_url: str = HERE
    pauses_ms: list[int] = field(default_factory=list)

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        venue = ZoomexVenue(
            wire.Credentials(KEY, Secret.of(SECRET)),
            self.clock,
            at_the_venue=self.base_url == THERE,
            new_request_id=lambda: MADE_ID,
        )
        transport = httpx2.MockTransport(self._answer)
        if self.kind == "sync":
            with Client(
                venue, self.base_url, self.clock, transport=transport, pause=self.pauses_ms.append
            ) as client:
                return getattr(client, method)(*arguments, **named)
        return asyncio.run(self._await(venue, transport, method, arguments, named))

    async def _await(self, venue: Any, transport: Any, method: str, arguments: Any, named: Any) -> Any:
        async def pause(ms: int) -> None:
            self.pauses_ms.append(ms)

        async with AsyncClient(venue, self.base_url, self.clock, transport=transport, pause=pause) as client:
            return await getattr(client, method)(*arguments, **named)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        target = request.url.raw_path.decode()
        status, headers, body = self.fake.answer(
            request.method, target, dict(request.headers), request.content
        )
        return httpx2.Response(status, headers=headers, content=body)


def make_caller(kind: str) -> Caller:
    """kind: "sync" or "async"."""
    clock = ManualClock(NOW_MS)
    return Caller(kind, FakeZoomex(clock), clock)


def new_envelope(result: object, code: int = 0, message: str = "success") -> bytes:
    return json.dumps(
        {"retCode": code, "retMsg": message, "result": result, "retExtInfo": None, "time": NOW_MS}
    ).encode()


def old_envelope(result: object, code: int = 0, message: str = "OK") -> bytes:
    return json.dumps(
        {
            "ret_code": code,
            "ret_msg": message,
            "ext_code": "",
            "result": result,
            "ext_info": None,
            "time_now": NOW_MS,
        }
    ).encode()


def record(**changes: Any) -> dict[str, Any]:
    return {
        "withdraw_id": "5",
        "tx_id": "",
        "coin": "USDT",
        "chain": "TRX",
        "amount": "25.5",
        "withdraw_fee": "1",
        "status": "Pending Review",
        "to_address": TRON_ADDRESS,
        "tag": "",
        "create_time": str(NOW_MS // 1000),
        "update_time": str(NOW_MS),
    } | changes
