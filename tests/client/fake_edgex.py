"""A fake edgeX, written from the venue's docs: it verifies every signature with other code than the client's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import fast_stark_crypto
from eth_utils.crypto import keccak

from tests.client.scripted import Answer, Scripted, Seen
from tests.venues.edgex.world import N, flat, nonce_of, withdrawal_hash

NOW_MS = 1_735_542_383_256
ACCOUNT_ID = "543429922991899150"
PRIVATE_KEY = "06305a85f25590879635b57a749394fa0bab8efdedaed2c7b1358579c2d035ff"
PUBLIC_X = 0x01924A6E2DDD61CC1E83254767A218FBF56E8FA0AB2E141A4138F8BC46AAE0CB
ADDRESS = "0x1fB51aa234287C3CA1F957eA9AD0E148Bb814b7A"
TOKEN = "0xd98B590ebE0a3eD8C144170bA4122D402182976f"

META = "/api/v1/public/meta/getMetaData"
TIME = "/api/v1/public/meta/getServerTime"
CREATE = "/api/v1/private/withdraw/createWithdraw"
ACTIVE = "/api/v1/private/withdraw/getActiveWithdraw"
BY_ID = "/api/v1/private/withdraw/getWithdrawById"
BY_CLIENT_ID = "/api/v1/private/withdraw/getWithdrawByClientWithdrawId"
AVAILABLE = "/api/v1/private/withdraw/getWithdrawAvailableAmount"
TRANSFER_AVAILABLE = "/api/v1/private/transfer/getTransferOutAvailableAmount"
ASSET = "/api/v1/private/account/getAccountAsset"
ACCOUNT = "/api/v1/private/account/getAccountById"
NORMAL = "/api/v1/private/assets/getNormalWithdrawById"

# Shortened from the docs, "Get Meta Data": the testnet's.
METADATA: dict[str, Any] = {
    "global": {
        "appName": "edgeX",
        "starkExChainId": "0xaa36a7",
        "starkExCollateralCoin": {"coinId": "1000", "coinName": "USDT"},
    },
    "coinList": [
        {
            "coinId": "1000",
            "coinName": "USDT",
            "stepSize": "0.000001",
            "starkExAssetId": "0x33bda5c923bae4e84825b74762d5482889b9512465fbffc50d1ae4b82e345c3",
            "starkExResolution": "0xf4240",
        },
        {"coinId": "1001", "coinName": "BTC", "starkExAssetId": None, "starkExResolution": None},
    ],
    "contractList": [],
    "multiChain": {
        "coinId": "1000",
        "maxWithdraw": "100000",
        "minWithdraw": "5",
        "minDeposit": "10",
        "chainList": [
            {
                "chain": "BNB - Testnet",
                "chainId": "97",
                "tokenList": [
                    {"token": "USDT", "tokenAddress": "0xda6c748A7793826e410183F05893dbB363D025a1"}
                ],
            },
            {
                "chain": "Sepolia - Testnet",
                "chainId": "11155111",
                "tokenList": [
                    {"token": "USDT", "tokenAddress": TOKEN, "decimals": "6", "withdrawEnable": True}
                ],
            },
        ],
    },
}

TX_HASH = "0x" + "ab" * 32
COLLATERAL = {"coinId": "1000", "totalEquity": "100.000001", "availableAmount": "90.000000"}


def envelope(data: object, code: str = "SUCCESS", message: str | None = None) -> bytes:
    return json.dumps(
        {
            "code": code,
            "data": data,
            "msg": message,
            "errorParam": None,
            "requestTime": str(NOW_MS),
            "responseTime": str(NOW_MS + 5),
            "traceId": "b3086f53c2d4503f6a4790b80f0e534b",
        }
    ).encode()


def record(**changes: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": "563516408235819790",
        "userId": "543429922866069763",
        "accountId": ACCOUNT_ID,
        "coinId": "1000",
        "amount": "10.000000",
        "ethAddress": ADDRESS,
        "erc20Address": TOKEN,
        "clientWithdrawId": "client_withdraw_123",
        "riskSignature": {"r": "0x1", "s": "0x1", "v": ""},
        "l2ExpireTime": "1734352781355",
        "l2Signature": {"r": "0x1", "s": "0x1", "v": ""},
        "extraType": "",
        "extraDataJson": "",
        "status": "SUCCESS_L2_APPROVED",
        "createdTime": str(NOW_MS),
        "updatedTime": str(NOW_MS),
    }
    fields |= changes
    return fields | {"l2Nonce": str(nonce_of(fields["clientWithdrawId"]))}


def signed_by_account(number: int, r: int, s: int) -> bool:
    return fast_stark_crypto.verify(PUBLIC_X, number, r, s)


@dataclass
class FakeEdgex(Scripted):
    """listed: its withdrawals, newest first. A request whose signature is wrong fails the test."""

    listed: list[dict[str, Any]] = field(default_factory=list)

    def usual(self, seen: Seen) -> Answer:
        return 200, {"Content-Type": "application/json"}, envelope(self._usual(seen))

    def check(self, seen: Seen) -> None:
        if "/public/" in seen.path:
            assert "x-edgex-api-signature" not in seen.headers
            return
        parameters = json.loads(seen.body) if seen.body else seen.query
        assert parameters["accountId"] == ACCOUNT_ID
        text = f"{seen.headers['x-edgex-api-timestamp']}{seen.method}{seen.path}{flat(parameters)}"
        number = int.from_bytes(keccak(text.encode()), "big") % N
        signature = seen.headers["x-edgex-api-signature"]
        assert len(signature) == 128
        assert signed_by_account(number, int(signature[:64], 16), int(signature[64:], 16)), text

    def _usual(self, seen: Seen) -> object:
        usual: dict[str, Callable[[], object]] = {
            META: lambda: METADATA,
            TIME: lambda: {"timeMillis": str(NOW_MS)},
            CREATE: lambda: {"withdrawId": self._created(seen.members)},
            ACTIVE: lambda: self._page(seen.query),
            BY_ID: lambda: self._rows("id", seen.query["withdrawIdList"]),
            BY_CLIENT_ID: lambda: self._rows("clientWithdrawId", seen.query["clientWithdrawIdList"]),
            NORMAL: lambda: [{"id": row["id"], "l1ConfirmedTx": {"hash": TX_HASH}} for row in self.listed],
            ASSET: lambda: {"account": {"id": ACCOUNT_ID}, "collateralAssetModelList": [COLLATERAL]},
        }
        return usual.get(seen.path, lambda: {"path": seen.path})()

    def _rows(self, name: str, wanted: str) -> list[dict[str, Any]]:
        return [row for row in self.listed if row[name] in wanted.split(",")]

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        start, size = int(query.get("offsetData", "0")), int(query["size"])
        rows = self.listed[start : start + size]
        more = start + size < len(self.listed)
        return {"dataList": rows, "nextPageOffsetData": str(start + size) if more else ""}

    def _created(self, members: dict[str, Any]) -> str:
        """The withdrawal's id, once the layer 2 signature was found right."""
        assert members["l2Nonce"] == str(nonce_of(members["clientWithdrawId"]))
        signature = members["l2Signature"]
        r, s = int(signature[:64], 16), int(signature[64:], 16)
        assert signed_by_account(withdrawal_hash(members), r, s)
        assert len(members["riskSignature"]) == 128
        made = record(
            id=str(700_001 + len(self.listed)),
            amount=members["amount"],
            ethAddress=members["ethAddress"],
            clientWithdrawId=members["clientWithdrawId"],
            status="PENDING_CENSORING",
        )
        self.listed.insert(0, made)
        return made["id"]
