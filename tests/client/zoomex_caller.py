"""Both clients over the fake Zoomex, and replies and records as the venue words them."""

from __future__ import annotations

import json
from typing import Any

from penstock.client.async_client import AsyncClient
from penstock.client.client import Client
from penstock.client.zoomex import ZoomexVenue
from penstock.core.secret import Secret
from penstock.core.time import ManualClock
from penstock.venues.zoomex import client_requests as requests
from tests.client.caller import Caller
from tests.client.fake_zoomex import FakeZoomex
from tests.venues.zoomex.world import KEY, NOW_MS, SECRET, TRON_ADDRESS

HERE = "http://127.0.0.1:9"
THERE = "https://openapi.zoomex.com"
WITHDRAWAL = ("USDT-TRX", "25.5", TRON_ADDRESS)
MADE_ID = "00112233445566778899aabbccddeeff"


class ZoomexCaller(Caller):
    """Its clients make MADE_ID for every withdrawal without an id."""

    def connected(self, kind: type[Client | AsyncClient], **driver: Any) -> Any:
        venue = ZoomexVenue(
            requests.Credentials(KEY, Secret.of(SECRET)),
            self.clock,
            at_the_venue=self.base_url == THERE,
            new_request_id=lambda: MADE_ID,
        )
        return kind(venue, self.base_url, self.clock, **driver)


def make_caller(kind: str) -> Caller:
    """kind: "sync" or "async"."""
    clock = ManualClock(NOW_MS)
    return ZoomexCaller(kind, "zoomex", FakeZoomex(clock=clock), {}, clock, HERE)


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
