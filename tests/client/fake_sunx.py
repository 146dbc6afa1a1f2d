"""A fake SunX for these tests. It checks no signature and holds no money; it answers what it was told to answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from penstock.core.time import ManualClock
from tests.client.caller import Caller
from tests.client.scripted import Answer, Scripted, Seen

APPLY = "/sapi/v1/sunperp/dw/withdraw/apply"
CONFIRM = "/sapi/v1/sunperp/dw/withdraw/confirm"
RECORDS = "/sapi/v1/sunperp/dw/query/deposit-withdraw"
BALANCE = "/sapi/v1/account/balance"

NOW_MS = 1_795_240_800_000
KEY, SECRET = "sunx-test-access-key-01", "canary-secret-58b1"
API_KEY = {"access_key": KEY, "secret_key": SECRET}
WALLET_KEY = "760d9efc563cf12ab3a6bf847dc8688ce546ee3d03e90d3562345239290cbbaf"
WALLET = "TJkMU8oTHPTxQnM3Vd5UFP4FnLnRvruZjf"
NONCE = "85A6B8F36D591055"
EXPIRES_MS = NOW_MS + 120_000


def ok(data: object) -> bytes:
    return json.dumps({"status": "ok", "data": data}).encode()


def refusal(code: str, text: str) -> bytes:
    return json.dumps({"status": "error", "error-code": code, "error-msg": text}).encode()


def record(**changes: Any) -> dict[str, Any]:
    return {
        "id": 41,
        "type": "withdraw",
        "sub-type": "NORMAL",
        "currency": "usdt",
        "chain": "trc20usdt",
        "tx-hash": "",
        "amount": 8.799999,
        "fee": 1.2,
        "from-addr-tag": "",
        "address": WALLET,
        "address-id": 0,
        "address-tag": "",
        "state": "pass",
        "created-at": NOW_MS + 40,
        "updated-at": NOW_MS + 41,
    } | changes


def balance(ts: int | None = NOW_MS) -> bytes:
    data = {"details": [{"currency": "USDT", "equity": "100", "available": "90.000001"}], "state": "normal"}
    return json.dumps({"code": 200, "message": "Success", "data": data, "ts": ts}).encode()


@dataclass
class FakeSunx(Scripted):
    """quoted: fields of the content that the next quotes state otherwise than asked. records: what the records hold."""

    quoted: dict[str, str] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=lambda: [record()])

    def usual(self, seen: Seen) -> Answer:
        return 200, {"X-Fake": "a fake SunX, for tests"}, self._standing(seen)

    def _standing(self, seen: Seen) -> bytes:
        if seen.path == APPLY:
            fields = json.loads(seen.body) | {"fee": "1.2", "nonce": NONCE} | self.quoted
            names = ("address", "currency", "chain", "amount", "fee", "nonce")
            content = ",".join(f"{name}:{fields[name]}" for name in names)
            return ok({"nonce": NONCE, "content": content, "expired-at": EXPIRES_MS})
        if seen.path == CONFIRM:
            return ok({"order-id": 41, "status": "Processing"})
        return balance() if seen.path == BALANCE else ok(self._page(seen.query))

    def _page(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """As the venue's page says of `from`, `size` and `direct`."""
        upwards = query.get("direct", "prev") == "prev"
        rows = sorted(
            (row for row in self.records if row["type"] == query["type"]),
            key=lambda row: row["id"],
            reverse=not upwards,
        )
        start = int(query["from"]) if "from" in query else None
        if start is not None:
            rows = [row for row in rows if (row["id"] >= start if upwards else row["id"] <= start)]
        return rows[: int(query.get("size", "100"))]


def make_caller(kind: str) -> Caller:
    settings = API_KEY | {"wallet_private_key": WALLET_KEY}
    return Caller(kind, "sunx", FakeSunx(), settings, ManualClock(NOW_MS))
