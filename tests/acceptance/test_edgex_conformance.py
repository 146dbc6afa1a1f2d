"""edgeX's API at a real server, asked by code written from the venue's pages: vectors, replies, payments, identity.

Bad inputs are in test_edgex_bad_inputs.py, programs that users have in test_edgex_programs.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edgex_sdk.internal.starkex_signing_adapter import StarkExSigningAdapter
from eth_utils.crypto import keccak

from tests.acceptance.calls import now_ms
from tests.acceptance.customers import new_evm_address
from tests.acceptance.edgex_requests import (
    ACCOUNT_ASSET,
    ACCOUNT_BY_ID,
    ACTIVE,
    AVAILABLE,
    BY_CLIENT_ID,
    BY_ID,
    CREATE,
    DAY_MS,
    META_DATA,
    NORMAL_BY_ID,
    NORMAL_CREATE,
    SERVER_TIME,
    SIGNATURE,
    TRANSFER_AVAILABLE,
    Call,
    Message,
    N,
    StarkKey,
    Told,
    Trader,
    digest,
    flat,
    get,
    message_of,
    new_trader,
    nonce_of,
    post,
    send,
    told,
)
from tests.acceptance.raw_http import Connection
from tests.acceptance.reply_shapes import golden, golden_names, shape
from tests.acceptance.sandbox_process import LOOK_EVERY_S, Sandbox, running_sandbox
from tests.nodes import Anvil

pytestmark = pytest.mark.xdist_group("paying")

PAID_S_MAX = 30.0
APPROVED = "SUCCESS_L2_APPROVED"
OPEN = {"PENDING_CENSORING", "SUCCESS_CENSOR_SUCCESS"}
DUPLICATE, COLLISION = (200, "DUPLICATE_CLIENT_WITHDRAW_ID"), (200, "L2_NONCE_COLLISION")
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@pytest.fixture
def trader(paying: Sandbox) -> Trader:
    return new_trader(paying)


def record(trader: Trader, withdraw_id: str) -> dict[str, Any]:
    (row,) = trader.look(BY_ID, withdrawIdList=withdraw_id)
    return dict(row)


def until_over(trader: Trader, withdraw_id: str) -> dict[str, Any]:
    ends_s = time.monotonic() + PAID_S_MAX
    while (row := record(trader, withdraw_id))["status"] in OPEN and time.monotonic() < ends_s:
        time.sleep(2 * LOOK_EVERY_S)
    return row


# ---- vectors ----

KEY = StarkKey(0x06305A85F25590879635B57A749394FA0BAB8EFDEDAED2C7B1358579C2D035FF)
ACCOUNT, CLIENT_ID = "543429922991899150", "client_withdraw_123"
VECTOR_MS = "1735542383256"
C: dict[str, Any] = {
    "accountId": ACCOUNT,
    "coinId": "1000",
    "amount": "10.000000",
    "ethAddress": "0x1fB51aa234287C3CA1F957eA9AD0E148Bb814b7A",
    "clientWithdrawId": CLIENT_ID,
    "l2ExpireTime": "1736562381355",
}
C_MAIN_ASSET = 0x2CE625E94458D39DD0BF3B45A843544DD4A14B8169045A3A3D15AA564B936C5
C_SIGNATURE = (
    "048f6ca70ba1b48d1329ff9615894f729ae61b319c068d448bc120ce486a4ae7"
    "04a8d4f71a47fdf96f7c4ab46a88852eeff4f0ba89a9a6a5d85d7f876faea242"
)
D = C | {
    "erc20Address": "0xd98B590ebE0a3eD8C144170bA4122D402182976f",
    "riskSignature": "1" * 128,
    "l2Nonce": "1858471522",
    "l2Signature": C_SIGNATURE,
    "extraType": "",
    "extraDataJson": "",
}
REQUESTS: dict[str, tuple[Call, str]] = {
    "A": (
        get(
            ACTIVE,
            KEY,
            {"size": "10", "filterCoinIdList": "1000", "accountId": ACCOUNT},
            timestamp=VECTOR_MS,
        ),
        (
            "00cac7834f0097fe4ade0963d8060964b529e659e56eb665960915d0ce1e2b3e"
            "01680b8af9e8b8d2f084f2531a97c44cb650494224a4479900f3b89f27085d1a"
        ),
    ),
    "B": (
        get(
            BY_CLIENT_ID,
            KEY,
            {"accountId": ACCOUNT, "clientWithdrawIdList": f"{CLIENT_ID},client_withdraw_124"},
            timestamp=VECTOR_MS,
        ),
        (
            "013bbe0b635860c648b9d9c440f8a94344140998dbfb5fe2d9dbbc7037f70378"
            "035c37e26d64f25c1a2d2a72dbc3e51479563108809d79e1dbbb474e6f37ad81"
        ),
    ),
    "D": (
        post(CREATE, KEY, D, timestamp=VECTOR_MS),
        (
            "04ce6da70fe5a7785b15d3ecbe2fcf67d7108cfda32a7822319614d68bd2992f"
            "06f61b403ac79356869654158fb806e0a917058c2449c1032780588fbb16ed88"
        ),
    ),
}
PUBLISHED = Message(551109015904453258, 2958869932, 1_000_000, 482191, int(C["ethAddress"], 16))
"""What edgeX's docs sign in their sample of createNormalWithdraw; the key is not known, its public half is."""
PUBLISHED_SIGNATURE = (
    "007bf80407c6a7bb14f5ca3b848a5d908627993f23b073c902e359a6fa4a6a92",
    "040cea4c98e25e35ad1d8cc4e18758c463c45bf451299ce55aa49abbdb916d03",
)
PUBLISHED_KEY = "03eec711e360695bb44b1170057a25340303c1f16893a8def7450e44294405a8"


@pytest.mark.parametrize("name", REQUESTS)
def test_these_tests_sign_requests_as_the_vectors_do(name: str) -> None:
    call, expected = REQUESTS[name]
    assert dict(call.headers)[SIGNATURE] == expected


def test_these_tests_sign_messages_as_the_vectors_do() -> None:
    assert nonce_of(CLIENT_ID) == 1858471522
    message = message_of(C)
    assert message.hash == 0x01D21FA4F9D5802EEBD948A961F75DCFC37D5879FF1A91CC336B13C707B4DF01
    assert KEY.sign(message.hash % N) == C_SIGNATURE
    on_main_net = replace(message, asset=C_MAIN_ASSET)
    assert on_main_net.hash == 0x020D49FDE3D2E8152181A7C4E12F0CF4E8EF843182B712163B06555E3C78C9FD
    assert KEY.sign(on_main_net.hash % N) == (
        "040f7e39ed4bb0d33e7f59444119de20b81ac63e2a91faff06a47e226872d428"
        "047c42d41a57ad762c96976039fadf5e1be009f481bd5269225ff3b9e5ba5541"
    )
    assert digest(f"{VECTOR_MS}POST{CREATE}{flat(D)}") == int(
        "02831a554757be5119ae8f4104ec2b1f4bbabe291ade53b92580bd1f415c833d", 16
    )
    assert PUBLISHED.hash == 0x030B76FA59A12C02A13828B3668E425188A8C822FB34FC6B0880251E66A5F02E


def test_the_venues_own_sdk_signs_and_verifies_alike() -> None:
    sdk, message = StarkExSigningAdapter(), message_of(C)
    words = [sdk.pedersen_hash(list(pair)) for pair in (message.words, (message.asset, message.address))]
    assert [int.from_bytes(word, "big") for word in words] == [message.hash, message.words[0]]
    assert sdk.verify(
        message.hash.to_bytes(32, "big"), (C_SIGNATURE[:64], C_SIGNATURE[64:]), f"{KEY.public:x}"
    )
    assert sdk.verify(PUBLISHED.hash.to_bytes(32, "big"), PUBLISHED_SIGNATURE, PUBLISHED_KEY)
    assert int(sdk.get_public_key(f"{KEY.private:064x}"), 16) == KEY.public
    hashed = keccak(b"1735542383256GET/x")
    r, s = sdk.sign(hashed, f"{KEY.private:064x}")
    assert sdk.verify(hashed, (r, s), f"{KEY.public:064x}")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_vector_as_it_stands_is_only_too_old(paying: Sandbox, name: str) -> None:
    # The sandbox has this account, with another key; in which order that is found out is not told.
    assert send(paying, REQUESTS[name][0]).verdict == (401, "INVALID_TIMESTAMP")


def test_the_vectors_key_and_their_requests_of_today_are_authentic(paying: Sandbox) -> None:
    holder = new_trader(paying, private=KEY.private)
    page = holder.look(ACTIVE, size="10", filterCoinIdList="1000")
    assert page == {"dataList": [], "nextPageOffsetData": ""}
    listed = {"accountId": holder.account_id, "clientWithdrawIdList": f"{CLIENT_ID},client_withdraw_124"}
    for query in (
        None,
        f"clientWithdrawIdList={CLIENT_ID},client_withdraw_124&accountId={holder.account_id}",
    ):
        assert send(paying, get(BY_CLIENT_ID, KEY, listed, query=query)).data == []
    # D itself: its layer 2 signature is an account's that is not this one's, and it ended long ago.
    stale = D | {"accountId": holder.account_id, "erc20Address": paying.contract("USDT")}
    assert send(paying, holder.post(stale)).verdict == (200, "INVALID_L2_EXPIRE_TIME")
    assert holder.customer.withdrawals() == []


@pytest.mark.parametrize(
    "other",
    [{"amount": 1}, {"hours": 1}, {"nonce": 1}, {"position": 1}, {"address": 1}, {"kind": -1}],
    ids=str,
)
def test_a_message_that_differs_from_the_vectors_in_one_field_is_refused(
    trader: Trader, other: dict[str, int]
) -> None:
    members = trader.members(amount=C["amount"], ethAddress=C["ethAddress"], clientWithdrawId=CLIENT_ID)
    meant = message_of(members)
    changed = {name: getattr(meant, name) + step for name, step in other.items()}
    members["l2Signature"] = trader.l2_signature(members, **changed)
    assert send(trader.sandbox, trader.post(members)).verdict == (200, "INVALID_L2_SIGNATURE")
    assert trader.customer.withdrawals() == []


# ---- every endpoint's reply ----


@pytest.fixture(scope="module")
def showcase(paying: Sandbox) -> dict[str, Told]:
    """Every reply that has a golden file, by the file's name, as a running server gives it."""
    trader = new_trader(paying)
    created = send(paying, trader.post(trader.members(clientWithdrawId="first")))
    withdraw_id = created.withdraw_id
    trader.create(clientWithdrawId="second")
    until_over(trader, withdraw_id)

    def look(path: str, **parameters: str) -> Told:
        return send(paying, trader.get(path, **parameters))

    return {
        "account_asset": look(ACCOUNT_ASSET),
        "account_by_id": look(ACCOUNT_BY_ID),
        "active": look(ACTIVE),
        "active_more": look(ACTIVE, size="1", filterCoinIdList="1000"),
        "available": look(AVAILABLE, coinId="1000"),
        "by_client_id": look(BY_CLIENT_ID, clientWithdrawIdList="first,x"),
        "by_id": look(BY_ID, withdrawIdList=f"1,{withdraw_id}"),
        "create_withdraw": created,
        "metadata": send(paying, Call("GET", META_DATA)),
        "normal_by_id": look(NORMAL_BY_ID, normalWithdrawIdList=withdraw_id),
        "refused": look(AVAILABLE, coinId="7"),
        "server_time": send(paying, Call("GET", SERVER_TIME)),
    }


@pytest.mark.parametrize("name", sorted(golden_names("edgex")))
def test_a_reply_has_the_form_that_its_golden_file_pins(showcase: dict[str, Told], name: str) -> None:
    assert shape(showcase[name].envelope) == shape(golden("edgex", name))


def test_what_the_replies_say_agrees(paying: Sandbox, showcase: dict[str, Told]) -> None:
    said = {name: reply.data for name, reply in showcase.items()}
    (coin,) = paying.facts["venues"]["edgex"]["coins"]
    collateral = said["metadata"]["global"]["starkExCollateralCoin"]
    assert (collateral["coinId"], collateral["starkExAssetId"], collateral["starkExResolution"]) == (
        coin["coin_id"],
        coin["stark_ex_asset_id"],
        coin["stark_ex_resolution"],
    )
    (chain,) = said["metadata"]["multiChain"]["chainList"]
    (token,) = chain["tokenList"]
    assert (token["tokenAddress"], token["decimals"]) == (coin["erc20_address"], "6")
    assert said["available"] == {"availableAmount": "949.000000"}
    (model,) = said["account_asset"]["collateralAssetModelList"]
    assert model["availableAmount"] == "949.000000"
    assert said["account_asset"]["account"] == said["account_by_id"]
    assert said["account_by_id"]["status"] == "NORMAL"
    assert said["by_id"] == said["by_client_id"]
    assert [row["clientWithdrawId"] for row in said["active"]["dataList"]] == ["second", "first"]
    assert [row["clientWithdrawId"] for row in said["active_more"]["dataList"]] == ["second"]
    assert showcase["refused"].verdict == (200, "INVALID_COIN_ID")
    assert (showcase["refused"].message, showcase["refused"].error_param) == (
        "invalid coinId : 7",
        {"coinId": "7"},
    )
    assert abs(int(said["server_time"]["timeMillis"]) - now_ms()) < 60_000


def test_the_path_that_the_sdks_ask_and_a_doubled_slash_lead_to_the_same(trader: Trader) -> None:
    expected = {"availableAmount": "1000.000000"}
    assert trader.look(TRANSFER_AVAILABLE, coinId="1000") == expected
    call = trader.get(AVAILABLE, coinId="1000")
    assert send(trader.sandbox, replace(call, path="/" + call.path)).data == expected


# ---- payments ----


def paid(node: Anvil, contract: str, row: dict[str, Any]) -> int:
    """What the address of a withdrawal has on the node."""
    return node.token_balance(contract, row["ethAddress"])


def test_a_withdrawal_is_paid_to_its_address_on_a_real_node(
    paying: Sandbox, node: Anvil, trader: Trader
) -> None:
    contract = paying.contract("USDT")
    members = trader.members(amount="25.500001", extraType="batch", extraDataJson='{"row":1}')
    withdraw_id = send(paying, trader.post(members)).withdraw_id
    assert trader.units()[0] == 1_000_000_000 - 25_500_001
    row = until_over(trader, withdraw_id)
    assert paid(node, contract, row) == 25_500_001
    assert trader.units() == (974_499_999, 0)
    sent = {name: members[name] for name in members if not name.endswith("Signature")}
    assert {name: row[name] for name in sent} == sent
    for name in ("l2Signature", "riskSignature"):
        halves = {"r": "0x" + members[name][:64], "s": "0x" + members[name][64:], "v": ""}
        assert row[name] == halves
    assert (row["id"], row["status"]) == (withdraw_id, APPROVED)
    filled = ("collateralTransactionId", "censorTxId", "censorTime", "l2TxId", "l2ApprovedTime")
    assert [name for name in filled if int(row[name]) <= 0] == []
    empty = {"l2RejectTime": "0"} | dict.fromkeys(
        ("censorFailCode", "censorFailReason", "l2RejectCode", "l2RejectReason"), ""
    )
    assert {name: row[name] for name in empty} == empty
    assert int(row["createdTime"]) <= int(row["censorTime"]) <= int(row["l2ApprovedTime"])
    (normal,) = trader.look(NORMAL_BY_ID, normalWithdrawIdList=withdraw_id)
    receipt = node.ask("eth_getTransactionReceipt", normal["l1ConfirmedTx"]["hash"])
    (log,) = receipt["logs"]
    assert (int(receipt["status"], 16), log["address"]) == (1, contract.lower())
    assert log["topics"][0] == TRANSFER_TOPIC
    assert log["topics"][2][-40:] == members["ethAddress"][2:]
    assert int(log["data"], 16) == 25_500_001


def test_the_asset_services_call_pays_the_accounts_own_address(
    paying: Sandbox, node: Anvil, trader: Trader
) -> None:
    members = trader.normal_members(amount="10", ethAddress=trader.address)
    made = send(paying, trader.post(members | {"ethAddress": ""}, NORMAL_CREATE))
    row = until_over(trader, made.withdraw_id)
    assert (row["status"], row["amount"], row["ethAddress"]) == (APPROVED, "10.000000", trader.address)
    assert paid(node, paying.contract("USDT"), row) == 10_000_000
    (normal,) = trader.look(NORMAL_BY_ID)
    assert (normal["status"], normal["tradeWithdrawId"]) == (
        "NORMAL_WITHDRAW_SUCCESS_L1_COMPLETED",
        row["id"],
    )


def test_a_withdrawal_waits_under_review_and_can_be_refused_there(paying: Sandbox, trader: Trader) -> None:
    paying.admin("POST", "/sending/stop", {"reason": "test"})
    try:
        withdraw_id = trader.create()
        assert record(trader, withdraw_id)["status"] == "PENDING_CENSORING"
        assert trader.look(AVAILABLE, coinId="1000") == {"availableAmount": "974.500000"}
        (model,) = trader.look(ACCOUNT_ASSET)["collateralAssetModelList"]
        assert (model["pendingWithdrawAmount"], model["totalEquity"]) == ("25.500000", "1000.000000")
        paying.admin("POST", f"/withdrawals/{withdraw_id}/decline", {"reason": "not today"})
    finally:
        paying.admin("POST", "/sending/start", {"reason": "test"})
    row = record(trader, withdraw_id)
    assert (row["status"], row["censorFailCode"]) == ("FAILED_CENSOR_FAILURE", "REJECTED")
    assert "not today" in row["censorFailReason"]
    assert (row["collateralTransactionId"], row["l2TxId"], row["l2ApprovedTime"]) == ("0", "0", "0")
    assert int(row["censorTxId"]) > 0
    assert int(row["censorTime"]) > 0
    assert trader.units() == (1_000_000_000, 0)


# ---- one clientWithdrawId, one withdrawal ----


def test_a_repeat_has_the_first_answer_and_pays_nothing_more(
    paying: Sandbox, node: Anvil, trader: Trader
) -> None:
    members = trader.members(amount="11.000000")
    first = send(paying, trader.post(members)).withdraw_id
    row = until_over(trader, first)
    r, s = members["l2Signature"][:64], int(members["l2Signature"][64:], 16)
    same: list[dict[str, Any]] = [
        members,
        members | {"l2Signature": f"{r}{N - s:064x}"},
        members | {"amount": "11"},
        members | {"erc20Address": "0x" + members["erc20Address"][2:].upper()},
        members | {"riskSignature": "2" * 128, "extraType": "other", "extraDataJson": "[]"},
        trader.members(
            **{name: members[name] for name in ("amount", "ethAddress", "clientWithdrawId")},
            l2ExpireTime=str(now_ms() + 30 * DAY_MS),
        ),
    ]
    for again in same:
        assert send(paying, trader.post(again)).withdraw_id == first
    normal = {name: value for name, value in members.items() if name in trader.normal_members()}
    normal["expireTime"] = members["l2ExpireTime"]
    assert send(paying, trader.post(normal, NORMAL_CREATE)).withdraw_id == first
    # What came first is what is kept.
    assert record(trader, first) == row
    assert len(trader.customer.withdrawals()) == 1
    assert paid(node, paying.contract("USDT"), row) == 11_000_000


@pytest.mark.parametrize("field", ["amount", "ethAddress", "both"])
def test_another_withdrawal_under_the_same_id_is_refused(trader: Trader, field: str) -> None:
    changes = {"amount": "26", "ethAddress": new_evm_address()}
    first = trader.members()
    withdraw_id = send(trader.sandbox, trader.post(first)).withdraw_id
    kept = {name: first[name] for name in changes if field not in {name, "both"}}
    other = trader.members(**(changes | kept), clientWithdrawId=first["clientWithdrawId"])
    answer = send(trader.sandbox, trader.post(other))
    assert (answer.verdict, answer.error_param) == (
        DUPLICATE,
        {"clientWithdrawId": first["clientWithdrawId"]},
    )
    # Fields that no valid message could change are refused for themselves.
    assert send(trader.sandbox, trader.post(first | {"coinId": "1001"})).verdict == (200, "INVALID_COIN_ID")
    token = trader.sandbox.contract("USDC")
    assert send(trader.sandbox, trader.post(first | {"erc20Address": token})).verdict == (
        200,
        "INVALID_ERC20_ADDRESS",
    )
    assert [str(number) for number, _ in trader.customer.withdrawals()] == [withdraw_id]


@pytest.mark.parametrize("ids", [("w29009", "w116065"), ("w116065", "w29009")])
def test_of_two_client_ids_with_one_nonce_the_second_is_refused_as_a_collision(
    trader: Trader, ids: tuple[str, str]
) -> None:
    assert {nonce_of(client_id) for client_id in ids} == {1825797848}
    receiver = new_evm_address()
    first, second = (trader.members(clientWithdrawId=client_id, ethAddress=receiver) for client_id in ids)
    # Nothing but the id tells them apart: layer 2 sees one message, signed once.
    second["l2ExpireTime"] = first["l2ExpireTime"]
    second["l2Signature"] = trader.l2_signature(second)
    assert first["l2Signature"] == second["l2Signature"]
    withdraw_id = send(trader.sandbox, trader.post(first)).withdraw_id
    for _ in range(2):
        answer = send(trader.sandbox, trader.post(second))
        assert (answer.verdict, answer.error_param) == (COLLISION, {"l2Nonce": "1825797848"})
    assert trader.look(BY_CLIENT_ID, clientWithdrawIdList=ids[1]) == []
    assert send(trader.sandbox, trader.post(first)).withdraw_id == withdraw_id
    assert len(trader.customer.withdrawals()) == 1


def test_one_nonce_in_two_accounts_and_ids_that_differ_in_case_are_no_matter(paying: Sandbox) -> None:
    one, other = new_trader(paying), new_trader(paying)
    made = {
        one.create(clientWithdrawId="w29009"),
        other.create(clientWithdrawId="w116065"),
        one.create(clientWithdrawId="abc"),
        one.create(clientWithdrawId="ABC"),
        other.create(clientWithdrawId="abc"),
    }
    assert len(made) == 5


def in_parallel(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_64_identical_requests_at_once_are_one_withdrawal(
    paying: Sandbox, node: Anvil, trader: Trader
) -> None:
    raw = trader.post(trader.members(amount="33.25")).raw
    answers: list[Told] = []

    def exchange(_: int) -> None:
        with closing(Connection(paying.port)) as connection:
            answers.append(told(connection.exchange(raw)))

    in_parallel(64, exchange)
    (withdraw_id,) = {answer.withdraw_id for answer in answers}
    assert len(answers) == 64
    row = until_over(trader, withdraw_id)
    assert [str(number) for number, _ in trader.customer.withdrawals()] == [withdraw_id]
    assert paid(node, paying.contract("USDT"), row) == 33_250_000


def test_64_copies_a_kill_half_way_and_all_again_are_one_payment_on_the_node(
    node: Anvil, tmp_path: Path
) -> None:
    with running_sandbox(tmp_path, "--chain-pace", "100", "--evm-rpc", node.url) as sandbox:
        trader = new_trader(sandbox)
        members = trader.members(amount="12.25")
        answers: list[Told] = []
        half = threading.Event()

        def exchange(_: int) -> None:
            try:
                with closing(Connection(sandbox.port)) as connection:
                    connection.send(trader.post(members).raw)
                    answers.append(told(connection.answer()))
            except (OSError, AssertionError):
                return  # lost with the server; it is asked again below
            if len(answers) >= 32:
                half.set()

        killer = threading.Thread(target=lambda: (half.wait(10), sandbox.kill()))
        killer.start()
        in_parallel(64, exchange)
        killer.join()
        sandbox.start()
        with closing(Connection(sandbox.port)) as connection:
            again = [told(connection.exchange(trader.post(members).raw)) for _ in range(64)]
        # Whoever was not told the id before the end was told that the outcome is unknown, or nothing at all.
        assert {answer.status for answer in answers} <= {200, 500, 503}
        good = [answer for answer in answers if answer.status == 200]
        (withdraw_id,) = {answer.withdraw_id for answer in [*good, *again]}
        row = until_over(trader, withdraw_id)
        assert (row["status"], len(trader.customer.withdrawals())) == (APPROVED, 1)
        assert trader.units() == (1_000_000_000 - 12_250_000, 0)
        assert paid(node, sandbox.contract("USDT"), row) == 12_250_000
        sandbox.terminate()
        assert sandbox.verified().startswith("verify: ok")


# ---- reading ----


def test_pages_follow_one_another_and_filters_choose(paying: Sandbox, trader: Trader) -> None:
    made = [trader.create(clientWithdrawId=f"page {number}") for number in range(3)]
    for withdraw_id in made:
        until_over(trader, withdraw_id)
    newest_first = made[::-1]
    seen, token, pages = [], "", 0
    while pages == 0 or token:
        asked = {"size": "2", "offsetData": token} if token else {"size": "2"}
        page = trader.look(ACTIVE, **asked)
        seen += [row["id"] for row in page["dataList"]]
        token, pages = page["nextPageOffsetData"], pages + 1
    assert (seen, pages) == (newest_first, 2)
    middle = record(trader, made[1])["createdTime"]
    for filters, ids in (
        ({}, newest_first),
        ({"filterStatusList": APPROVED}, newest_first),
        ({"filterStatusList": f"PENDING_CENSORING,{APPROVED}"}, newest_first),
        ({"filterStatusList": "PENDING_CENSORING,FAILED_L2_REJECT"}, []),
        ({"filterCoinIdList": "1000,7"}, newest_first),
        ({"filterCoinIdList": "7"}, []),
        ({"filterStartCreatedTimeInclusive": middle}, newest_first[:2]),
        ({"filterEndCreatedTimeExclusive": middle}, newest_first[2:]),
        ({"filterStartCreatedTimeInclusive": middle, "filterEndCreatedTimeExclusive": middle}, []),
        ({"filterStartCreatedTimeInclusive": "0"}, newest_first),
    ):
        assert [row["id"] for row in trader.look(ACTIVE, **filters)["dataList"]] == ids, filters
    asked_for = f"{made[2]},1,{made[0]},{made[2]}"
    assert [row["id"] for row in trader.look(BY_ID, withdrawIdList=asked_for)] == [made[2], made[0]]
    by_client = trader.look(BY_CLIENT_ID, clientWithdrawIdList="page 1,nobody,page 0")
    assert [row["id"] for row in by_client] == [made[1], made[0]]
    stranger = new_trader(paying)
    assert stranger.look(BY_ID, withdrawIdList=asked_for) == []
    assert stranger.look(BY_CLIENT_ID, clientWithdrawIdList="page 1") == []
    assert stranger.look(ACTIVE)["dataList"] == []
    assert stranger.look(NORMAL_BY_ID, normalWithdrawIdList=made[0]) == []


# ---- limits ----


def test_creations_and_reads_have_limits_of_their_own_and_say_when_to_come_again(
    paying: Sandbox, trader: Trader
) -> None:
    # More than the limit several times over, so that a slow machine cannot spread them over as many seconds.
    with closing(Connection(paying.port)) as connection:
        made = [told(connection.exchange(trader.post(trader.members(amount="10")).raw)) for _ in range(40)]
        read = [told(connection.exchange(trader.get(AVAILABLE, coinId="1000").raw)) for _ in range(200)]
    for answers, limit in ((made, 10), (read, 50)):
        over = [answer for answer in answers if answer.code != "SUCCESS"]
        assert all(answer.code == "SUCCESS" for answer in answers[:limit])
        assert {answer.verdict for answer in over} == {(429, "RATE_LIMIT_EXCEEDED")}
        assert {answer.headers["retry-after"] for answer in over} == {"1"}
    accepted = sum(answer.code == "SUCCESS" for answer in made)
    assert len(trader.customer.withdrawals()) == accepted
