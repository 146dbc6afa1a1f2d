"""The venue's own Python SDK (edgex-python-sdk 0.3.0), unchanged, over a socket of this machine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from edgex_sdk import Client, GetWithdrawAvailableAmountParams
from edgex_sdk.asset.client import GetWithdrawalRecordsParams

from penstock.core.commands import Withdraw
from penstock.core.ids import WithdrawalId
from penstock.core.queries import Account, Balances, FindWithdrawals
from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.venues.edgex.routes import ROUTES
from penstock.venues.venue import Ask, Reply, Request, Route
from tests.venues.edgex.test_lookups import BALANCES, OWNER
from tests.venues.edgex.world import (
    ACCOUNT_ID,
    CLIENT_ID,
    CREATE,
    PRIVATE,
    VENUE,
    WITHDRAW,
    a_withdrawal,
    create_members,
    make_key,
)

DAY_MS = 86_400_000


def answered(question: object) -> object:
    """What engine and readers say."""
    match question:
        case Withdraw():
            return Accepted(WithdrawalId(17), UnixMs(1), repeated=False)
        case FindWithdrawals():
            return [a_withdrawal()]
        case Account():
            return OWNER
        case Balances():
            return BALANCES
        case _:
            raise AssertionError(question)


class Serving(BaseHTTPRequestHandler):
    """The venue behind a real port; keys and answers are the world's."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        (route,) = [route for route in ROUTES if (route.method, route.path) == (self.command, path)]
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        now_ms = UnixMs(time.time_ns() // 1_000_000)
        request = Request(self.command, path, query.encode(), headers, body, "127.0.0.1", now_ms)
        reply = replied(request, route)
        self.send_response(reply.status)
        for name, value in (*reply.headers, (b"content-length", b"%d" % len(reply.body))):
            self.send_header(name.decode(), value.decode())
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def replied(request: Request, route: Route) -> Reply:
    found: Any = VENUE.authenticate(request, route, {ACCOUNT_ID: make_key()}.get)
    if isinstance(found, Reply):
        return found
    try:
        found = VENUE.read(request, route, found)
    except Refused as refused:
        return VENUE.refuse(refused, route)
    while isinstance(found, Ask):
        found = found.write(answered(found.question))
    assert isinstance(found, Reply)
    return found


Calls = Callable[[Client], Awaitable[Any]]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Serving) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


def run(base_url: str, calls: Calls) -> Any:
    async def go() -> Any:
        key = f"{PRIVATE:064x}"
        async with Client(base_url=base_url, account_id=int(ACCOUNT_ID), stark_private_key=key) as client:
            return await calls(client)

    return asyncio.run(go())


def private(path: str, **parameters: str) -> Calls:
    def calls(client: Client) -> Awaitable[Any]:
        asked = {"accountId": ACCOUNT_ID} | parameters
        return client.async_client.make_authenticated_request("GET", f"{WITHDRAW}/{path}", params=asked)

    return calls


def in_twelve_days() -> str:
    return str(time.time_ns() // 1_000_000 + 12 * DAY_MS)


def create(client: Client) -> Awaitable[Any]:
    members = create_members(l2ExpireTime=in_twelve_days())
    return client.async_client.make_authenticated_request("POST", CREATE, data=members)


@pytest.mark.parametrize("end", ["", "/"])
def test_its_own_calls_are_answered(base_url: str, end: str) -> None:
    async def calls(client: Client) -> Any:
        return (
            (await client.get_server_time())["data"],
            (await client.get_metadata())["data"],
            (await client.get_account_asset())["data"],
            (await client.transfer.get_withdraw_available_amount(GetWithdrawAvailableAmountParams("1000")))[
                "data"
            ],
            (await client.asset.get_withdrawal_records(GetWithdrawalRecordsParams(size="10")))["data"],
        )

    server_time, metadata, asset, available, records = run(base_url + end, calls)
    assert int(server_time["timeMillis"]) > 0
    assert metadata["global"]["starkExCollateralCoin"]["coinId"] == "1000"
    assert asset["account"]["id"] == ACCOUNT_ID
    assert available == {"availableAmount": "90.000000"}
    assert records[0]["clientWithdrawId"] == CLIENT_ID


@pytest.mark.parametrize("end", ["", "/"])
def test_the_five_calls_are_answered_through_its_signed_requests(base_url: str, end: str) -> None:
    url = base_url + end
    assert run(url, create)["data"] == {"withdrawId": "17"}
    listed = run(url, private("getActiveWithdraw", size="10", filterStatusList="SUCCESS_L2_APPROVED"))
    assert listed["data"]["dataList"][0]["id"] == "563516408235819790"
    assert run(url, private("getWithdrawById", withdrawIdList="563516408235819790,5"))["data"]
    assert run(url, private("getWithdrawByClientWithdrawId", clientWithdrawIdList=f"{CLIENT_ID},a b"))["data"]
    assert run(url, private("getWithdrawAvailableAmount", coinId="1000"))["data"]


def test_a_refusal_shows_in_its_error(base_url: str) -> None:
    with pytest.raises(ValueError, match=r"\{'coinId': '7'\}"):
        run(base_url, private("getWithdrawAvailableAmount", coinId="7"))


def test_its_own_withdrawal_without_a_layer_2_signature_is_refused_cleanly(base_url: str) -> None:
    def calls(client: Client) -> Awaitable[Any]:
        return client.asset.create_withdrawal("1000", "10", "0x1", "ethereum")

    with pytest.raises(ValueError, match="GATEWAY_PARAM_REQUIRED"):
        run(base_url, calls)
