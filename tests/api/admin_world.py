"""The small world of the admin API's tests: a store in a file, two networks, euros, one operator with the token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from penstock.chains.addresses import check_address
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing, Network
from penstock.core.commands import Withdraw
from penstock.core.ids import AccountId, TimeOrderedIds
from penstock.core.secret import Secret
from penstock.core.time import ManualClock
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rules import Policy, Rules
from penstock.engine.sending_rows import AuditRow
from penstock.server.admin import admin_app
from penstock.store.sqlite.store import SqliteStore

NOW_MS = 1_795_219_200_000
TOKEN = "operator-token-0123456789abcdef"
ADDRESS = "0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf"
OTHER_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TRON_ADDRESS = "TA4Y62o6YC2Zsck9rZVGTvqW1AQ7X9zTnj"
USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"

CATALOGUE = Catalogue(
    assets=[
        Asset("ETH", "Ethereum", 18),
        Asset("USDT", "Tether", 6),
        Asset("TRX", "TRON", 6),
        Asset("EUR", "Euro", 2),
    ],
    networks=[Network("ethereum", "evm", "ETH", 12), Network("tron", "tron", "TRX", 19)],
    listings=[
        Listing("ETH", "ethereum", 18, None, Units(10**15), Units(10**16), 8),
        Listing("USDT", "ethereum", 6, USDT, Units(1_000_000), Units(10_000_000), 6),
        Listing("TRX", "tron", 6, None, Units(1), Units(10), 6),
    ],
)

NO_POLICY = Policy()


@dataclass
class World:
    store: SqliteStore
    clock: ManualClock
    app: ASGIApp
    client: TestClient

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """The answer's JSON; the status must say it was done."""
        answer = self.ask(method, path, body, **headers)
        assert answer.status_code in {200, 201}, (answer.status_code, answer.text)
        return answer.json()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        content = None if body is None else msgspec.json.encode(body)
        return self.raw(method, path, content, **headers)

    def raw(self, method: str, path: str, content: bytes | None = None, **headers: str) -> Any:
        sent = {"authorization": f"Bearer {TOKEN}"}
        if content is not None:
            sent["content-type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, f"/admin/v1{path}", content=content, headers=sent)

    def refusal(self, method: str, path: str, body: object = None) -> tuple[int, str, str | None]:
        """(status, code, field) of a refused request, which must have stored nothing."""
        before = self.rows()
        answer = self.ask(method, path, body)
        assert self.rows() == before
        problem = answer.json()["error"]
        assert problem["message"]
        return answer.status_code, problem["code"], problem.get("field")

    def audit(self) -> list[AuditRow]:
        return self.store.reader().audit(1_000)

    def rows(self) -> list[object]:
        return [row for row_type in ROW_TYPES for row in self.store.reader().rows(row_type)]

    def account(self, number: str = "100001") -> str:
        return self.send("POST", "/accounts", {"account_number": number})["account_id"]

    def credit(self, account: str, amount: str = "500", reference: str = "dep-1") -> Any:
        body = {"asset": "USDT", "network": "ethereum", "amount": amount, "reference": reference}
        return self.send("POST", f"/accounts/{account}/deposits", body)

    def funded(self, account: str) -> str:
        """Give the account a key, 500 USDT and a destination; returns the key's id."""
        key = self.send(
            "POST", f"/accounts/{account}/keys", {"venue": "bitmart", "permissions": ["withdraw"]}
        )
        self.credit(account)
        self.send(
            "POST",
            f"/accounts/{account}/addresses",
            {
                "kind": "standard",
                "asset": "USDT",
                "network": "ethereum",
                "address": ADDRESS,
                "verified": True,
            },
        )
        return str(key["key"]["key_id"])

    def withdrawal(self, account: str, key_id: str = "", **changes: Any) -> str:
        """A withdrawal of 100 USDT, taken in as a venue would. key_id: of an account that `funded` has seen to."""
        command = Withdraw(
            account_id=AccountId(int(account)),
            key_id=key_id or self.funded(account),
            venue="bitmart",
            request_id="r-1",
            business="",
            asset="USDT",
            network="ethereum",
            wallets=("spot",),
            amount=Units(100_000_000),
            address=ADDRESS,
            memo="",
        )
        asked = msgspec.structs.replace(command, **changes)
        return str(self.store.submit(asked).result(10).withdrawal_id)  # type: ignore[attr-defined]


@contextmanager
def open_world(folder: Path, policy: Policy = NO_POLICY) -> Iterator[World]:
    clock = ManualClock(NOW_MS)
    store = SqliteStore(folder / "penstock.db", Rules(CATALOGUE, policy), clock, TimeOrderedIds(1))
    forbidden = frozenset({USDT})

    def check(network: Network, address: str, memo: str) -> str:
        return check_address(network, address, memo, forbidden)

    app = admin_app(store, CATALOGUE, policy, Secret.of(TOKEN), check, clock)
    try:
        with TestClient(app, raise_server_exceptions=False) as client:
            yield World(store, clock, app, client)
    finally:
        store.close()
