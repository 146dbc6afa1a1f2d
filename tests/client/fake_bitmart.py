"""A fake BitMart for these tests. It checks no signature and holds no money; it answers what it was told to
answer.
"""

from __future__ import annotations

import json
from typing import Any

from penstock.core.time import ManualClock
from tests.client.caller import Caller
from tests.client.scripted import Answer, Scripted, Seen

APPLY = "/account/v1/withdraw/apply"
HISTORY = "/account/v2/deposit-withdraw/history"
DETAIL = "/account/v1/deposit-withdraw/detail"
TIME = "/system/time"

NOW_MS = 1_795_219_200_000
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"

KEY, SECRET, MEMO = "demo-key-0001", "canary-secret-58b1", "canary-memo-77c3"


def envelope(data: object, code: int = 1000, message: str = "OK") -> bytes:
    return json.dumps({"code": code, "trace": "fake-trace", "message": message, "data": data}).encode()


def record(**changes: Any) -> dict[str, Any]:
    return {
        "withdraw_id": "700001",
        "deposit_id": "",
        "operation_type": "withdraw",
        "currency": "USDT-ERC20",
        "apply_time": NOW_MS + 40,
        "arrival_amount": "99",
        "fee": "1",
        "status": 2,
        "address": ADDRESS,
        "address_memo": "",
        "tx_id": "",
    } | changes


def currency(name: str, network: str) -> dict[str, Any]:
    return {
        "currency": name,
        "name": name.partition("-")[0],
        "contract_address": None,
        "network": network,
        "withdraw_enabled": True,
        "deposit_enabled": False,
        "withdraw_minsize": "5",
        "withdraw_fee": "1",
    }


STANDING: dict[str, object] = {
    "/account/v1/currencies": {
        "currencies": [
            currency("BTC", "BTC"),
            currency("USDT-ERC20", "ERC20"),
            currency("USDT-TRX", "TRX"),
        ]
    },
    "/account/v1/wallet": {
        "wallet": [{"currency": "USDT", "name": "Tether", "available": "10.5", "unAvailable": "1"}]
    },
    "/spot/v1/wallet": {"wallet": [{"id": "BTC", "name": "Bitcoin", "available": "2", "frozen": "0"}]},
    "/account/v1/withdraw/charge": {
        "today_available_withdraw_BTC": "100",
        "min_withdraw": "5",
        "withdraw_precision": 6,
        "withdraw_fee": "1",
        "withdraw_Precision_GeTen": None,
    },
    "/account/v1/deposit/address": {
        "currency": "USDT-ERC20",
        "chain": "USDT-ERC20",
        "address": ADDRESS,
        "address_memo": "",
    },
    "/account/v1/withdraw/address/list": {
        "list": [
            {
                "currency": "USDT-ERC20",
                "network": "ERC20",
                "address": ADDRESS,
                "memo": "",
                "remark": "cold",
                "addressType": 0,
                "verifyStatus": 1,
            }
        ]
    },
    APPLY: {"withdraw_id": "700001"},
    HISTORY: {"records": [record()]},
    DETAIL: {"record": record(status=3, tx_id="0xabc")},
    TIME: {"server_time": NOW_MS},
}


class FakeBitmart(Scripted):
    """Says yes to everything."""

    def usual(self, seen: Seen) -> Answer:
        return 200, {"X-Fake": "a fake BitMart, for tests"}, envelope(STANDING[seen.path])


def make_caller(kind: str) -> Caller:
    settings = {"api_key": KEY, "api_secret": SECRET, "memo": MEMO}
    return Caller(kind, "bitmart", FakeBitmart(), settings, ManualClock(NOW_MS))
