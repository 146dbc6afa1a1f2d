"""The venue's own Python SDK, edgex-python-sdk 0.3.0, unchanged but for its base URL, against a server that pays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from edgex_sdk import Client, GetWithdrawAvailableAmountParams
from edgex_sdk.asset.client import GetWithdrawalRecordsParams

from tests.acceptance.calls import now_ms
from tests.acceptance.customers import new_evm_address
from tests.acceptance.edgex_requests import (
    ACTIVE,
    AVAILABLE,
    BY_CLIENT_ID,
    BY_ID,
    CREATE,
    DAY_MS,
    HOUR_MS,
    NORMAL_CREATE,
    Trader,
    new_trader,
)
from tests.acceptance.sandbox_process import LOOK_EVERY_S, Sandbox
from tests.nodes import Anvil

pytestmark = pytest.mark.xdist_group("paying")

PAID_S_MAX = 30.0
OPEN = {"PENDING_CENSORING", "SUCCESS_CENSOR_SUCCESS"}
Calls = Callable[[Client], Awaitable[Any]]


@pytest.fixture
def trader(paying: Sandbox) -> Trader:
    return new_trader(paying)


def run(trader: Trader, calls: Calls, end: str = "") -> Any:
    """Whatever `calls` returns. end: behind the base URL."""

    async def go() -> Any:
        async with Client(
            base_url=trader.sandbox.url + end,
            account_id=int(trader.account_id),
            stark_private_key=f"{trader.key.private:064x}",
        ) as client:
            return await calls(client)

    return asyncio.run(go())


def asking(trader: Trader, path: str, **parameters: str) -> Calls:
    asked = {"accountId": trader.account_id} | parameters
    return lambda client: client.async_client.make_authenticated_request("GET", path, params=asked)


def posting(path: str, members: dict[str, Any]) -> Calls:
    return lambda client: client.async_client.make_authenticated_request("POST", path, data=members)


def signed_by_the_sdk(client: Client, trader: Trader, members: dict[str, Any]) -> dict[str, Any]:
    """The members with nonce and layer 2 signature made by the SDK's own arithmetic, from its metadata."""
    sdk = client.async_client
    nonce = sdk.calc_nonce(members["clientWithdrawId"])
    hours = int(members["l2ExpireTime"]) // HOUR_MS
    coin = members.pop("coin")
    amount = int(members["amount"]) * int(coin["starkExResolution"], 16)
    packed = 7
    for value, bits in ((int(trader.account_id), 64), (nonce, 32), (amount, 64), (hours, 32)):
        packed = packed * 2**bits + value
    receiver = sdk.signing_adapter.pedersen_hash(
        [int(coin["starkExAssetId"], 16), int(members["ethAddress"], 16)]
    )
    hashed = sdk.signing_adapter.pedersen_hash([int.from_bytes(receiver, "big"), packed * 2**49])
    signature = sdk.sign(hashed)
    return members | {"l2Nonce": str(nonce), "l2Signature": signature.r + signature.s}


async def withdraw(client: Client, trader: Trader, amount: str, receiver: str) -> str:
    """All that a program with this SDK does to withdraw; returns the withdrawal's id."""
    metadata = (await client.get_metadata())["data"]
    coin = metadata["global"]["starkExCollateralCoin"]
    (chain,) = metadata["multiChain"]["chainList"]
    members = {
        "accountId": trader.account_id,
        "coinId": coin["coinId"],
        "amount": amount,
        "ethAddress": receiver,
        "erc20Address": chain["tokenList"][0]["tokenAddress"],
        "clientWithdrawId": client.async_client.generate_uuid(),
        "riskSignature": "1" * 128,
        "l2ExpireTime": str(now_ms() + 14 * DAY_MS),
        "extraType": "",
        "extraDataJson": "",
        "coin": coin,
    }
    signed = signed_by_the_sdk(client, trader, members)
    made = await client.async_client.make_authenticated_request("POST", CREATE, data=signed)
    return str(made["data"]["withdrawId"])


@pytest.mark.parametrize("end", ["", "/"], ids=["plain URL", "slash behind it"])
def test_its_own_calls_are_answered(trader: Trader, end: str) -> None:
    withdraw_id = trader.create(amount="10")

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

    server_time, metadata, asset, available, records = run(trader, calls, end)
    assert abs(int(server_time["timeMillis"]) - now_ms()) < 60_000
    assert metadata["global"]["starkExCollateralCoin"]["coinId"] == "1000"
    assert (asset["account"]["id"], asset["account"]["ethAddress"]) == (trader.account_id, trader.address)
    assert int(asset["account"]["l2Key"], 16) == trader.key.public
    assert available == {"availableAmount": "990.000000"}
    assert [record["id"] for record in records] == [withdraw_id]


def test_a_withdrawal_signed_by_the_sdk_is_paid_on_a_real_node_and_found_by_the_five_calls(
    paying: Sandbox, node: Anvil, trader: Trader
) -> None:
    receiver = new_evm_address()

    async def calls(client: Client) -> tuple[str, dict[str, Any]]:
        made = await withdraw(client, trader, "37", receiver)
        ends_s = time.monotonic() + PAID_S_MAX
        while True:
            (row,) = (await asking(trader, BY_ID, withdrawIdList=f"1,{made}")(client))["data"]
            if row["status"] not in OPEN or time.monotonic() > ends_s:
                return made, row
            await asyncio.sleep(2 * LOOK_EVERY_S)

    withdraw_id, row = run(trader, calls)
    assert (row["id"], row["status"], row["amount"]) == (withdraw_id, "SUCCESS_L2_APPROVED", "37.000000")
    assert node.token_balance(paying.contract("USDT"), receiver) == 37_000_000
    assert trader.units() == (963_000_000, 0)
    page = run(
        trader, asking(trader, ACTIVE, size="10", filterStatusList="SUCCESS_L2_APPROVED,PENDING_CENSORING")
    )
    assert page["data"] == {"dataList": [row], "nextPageOffsetData": ""}
    listed = f"{row['clientWithdrawId']},another"
    assert run(trader, asking(trader, BY_CLIENT_ID, clientWithdrawIdList=listed))["data"] == [row]
    assert run(trader, asking(trader, AVAILABLE, coinId="1000"))["data"] == {"availableAmount": "963.000000"}


def test_a_signed_withdrawal_sent_twice_by_the_sdk_is_one(trader: Trader) -> None:
    members = trader.members()
    for path, body in ((CREATE, members), (CREATE, members)):
        made = run(trader, posting(path, body))
    assert [str(number) for number, _ in trader.customer.withdrawals()] == [made["data"]["withdrawId"]]


def test_a_refusal_shows_in_its_error(trader: Trader) -> None:
    with pytest.raises(ValueError, match=r"error params: \{'coinId': '7'\}"):
        run(trader, asking(trader, AVAILABLE, coinId="7"))
    members = trader.members(amount="2000")
    with pytest.raises(ValueError, match="INSUFFICIENT_BALANCE"):
        run(trader, posting(CREATE, members))
    other = Trader(
        trader.customer, trader.account_id, new_trader(trader.sandbox, money="").key, trader.address
    )
    with pytest.raises(ValueError, match=r"status code: 401.*SIGNATURE_ERROR"):
        run(other, asking(trader, AVAILABLE, coinId="1000"))
    assert trader.customer.withdrawals() == []


def test_its_own_withdrawal_without_a_layer_2_signature_is_refused_cleanly(trader: Trader) -> None:
    with pytest.raises(ValueError, match=r"status code: 400.*GATEWAY_PARAM_REQUIRED"):
        run(trader, lambda client: client.asset.create_withdrawal("1000", "10", trader.address, "ethereum"))
    with pytest.raises(ValueError, match="GATEWAY_PARAM_REQUIRED"):
        run(trader, posting(NORMAL_CREATE, trader.normal_members() | {"l2Signature": ""}))
    assert (trader.customer.withdrawals(), trader.units()) == ([], (1_000_000_000, 0))
