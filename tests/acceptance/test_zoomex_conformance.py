"""Zoomex's API at a real server, asked by code written from the venue's pages: vectors, replies, payments, identity.

Bad inputs are in test_zoomex_bad_inputs.py, programs that users have in test_zoomex_programs.py.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.calls import Call, now_ms
from tests.acceptance.customers import new_evm_address, open_account
from tests.acceptance.raw_http import Connection
from tests.acceptance.reply_shapes import golden, golden_names, shape
from tests.acceptance.sandbox_process import LOOK_EVERY_S, Sandbox, running_sandbox
from tests.acceptance.simulated_chain import chain_units, is_paid
from tests.acceptance.sunx_requests import Wallet
from tests.acceptance.zoomex_requests import (
    ASSETS,
    COINS,
    CREATE,
    DEPOSIT_ADDRESSES,
    DEPOSITS,
    INNER_CREATE,
    LIMIT_HEADERS,
    MARKET_TIME,
    PRIVATE,
    RECORDS,
    STYLES,
    WALLET_BALANCE,
    Key,
    Payer,
    Told,
    by_headers,
    demo,
    new_payer,
    send,
    send_when_allowed,
    told,
)
from tests.nodes import Anvil

pytestmark = pytest.mark.xdist_group("paying")

PAID_S_MAX = 30.0
DONE = "Transferred successfully"
OPEN = {"Pending Review", "Pending Transfer"}
RIPPLE_ADDRESS = "rUAmRDgxsLWKNgdbJQkbvkYz6k7nyGjd9j"
FEE_ON_ETHEREUM, FEE_ON_TRON = 3_000_000, 1_000_000


@pytest.fixture
def payer(paying: Sandbox) -> Payer:
    return new_payer(paying)


def records(payer: Payer, **filters: str) -> list[dict[str, Any]]:
    answer = send(payer.customer.sandbox, demo(RECORDS, payer.key, {"withdrawType": "2", **filters}))
    assert answer.verdict == (200, 0), answer
    return list(answer.result["rows"])


def record(payer: Payer, withdraw_id: str) -> dict[str, Any]:
    (row,) = records(payer, withdrawId=withdraw_id)
    return row


def until_over(payer: Payer, withdraw_id: str) -> dict[str, Any]:
    ends_s = time.monotonic() + PAID_S_MAX
    while (row := record(payer, withdraw_id))["status"] in OPEN and time.monotonic() < ends_s:
        time.sleep(2 * LOOK_EVERY_S)
    return row


# ---- vectors ----

VECTOR_KEY = Key("zx-demo-key-0001", "zx-demo-secret-0001")
VECTOR_MS = 1_795_219_200_000
Z1 = {
    "requestId": "9f23143dc62f4f718afbbe5fb8d4641b",
    "coin": "USDT",
    "addressType": 3,
    "address": "162119745",
    "amount": "1",
    "remark": "your remark",
}
Z2 = {
    "coin": "USDT",
    "chain": "TRX",
    "address": "TXyzDemoAddress000000000000000001",
    "amount": "25.5",
    "requestId": "req0001",
}
Z3 = {"coin": "USDT", "withdrawType": 2, "pageSize": 50}
Z4 = {"address": "a b+c@example.com", "coin": "USDT"}
Z5 = json.dumps({name: value for name, value in Z1.items() if name != "remark"})
BY_PARAMETERS: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "Z1": (INNER_CREATE, Z1, 1_000_000, "19ff2519bcbcf10cf74d9d91dd677214431000c44d145e994a00b078fc4fddc2"),
    "Z2": (CREATE, Z2, 5000, "cb5d8b35912fa6226706bed8e6b65d15b188b8de8726e78deb9441e6ee171c19"),
    "Z3": (RECORDS, Z3, 5000, "df01f84d7409535d85aac7077f6e3ac20279053bb34832cab0ccc29028166381"),
    "Z4": (RECORDS, Z4, 5000, "52feba391df0d11baa96e1b72d998c73fb0530bfcb061d60a2aa9b6633dfb271"),
}
BY_HEADERS: dict[str, tuple[str, str, str | None, str]] = {
    "Z5": (INNER_CREATE, Z5, "5000", "bfffbd9474b233f43f33391d622d522a5372c1f7fe6dc97a8cc1ac08babf7cab"),
    "Z6": (
        RECORDS,
        "coin=USDT&withdrawType=2",
        "5000",
        "690276924276443e52419704759b9877497fb1fa31117501af6e14b887e60416",
    ),
    "Z7": (INNER_CREATE, Z5, None, "a2fbc00f41e9e2ac7caac3e720d0621d68eb1105724f9e0c67eb4a2d205c15f9"),
}


def vector_call(name: str, timestamp: int) -> Call:
    if name in BY_PARAMETERS:
        path, members, window, _ = BY_PARAMETERS[name]
        return demo(path, VECTOR_KEY, members, timestamp=timestamp, recv_window=window)
    path, payload, header, _ = BY_HEADERS[name]
    return by_headers(path, VECTOR_KEY, payload, timestamp=str(timestamp), recv_window=header)


@pytest.fixture(scope="module")
def vector_payer(paying: Sandbox) -> Payer:
    """The holder of the vectors' key, and the account that they pay."""
    made = new_payer(paying, key_id=VECTOR_KEY.api_key, secret=VECTOR_KEY.secret)
    open_account(paying, "162119745")
    made.customer.list_recipient("account_number", "162119745")
    return made


@pytest.mark.parametrize("name", [*BY_PARAMETERS, *BY_HEADERS])
def test_these_tests_sign_as_the_vectors_do(name: str) -> None:
    call, expected = vector_call(name, VECTOR_MS), {**BY_PARAMETERS, **BY_HEADERS}[name][-1]
    assert dict(call.headers)["X-BAPI-SIGN"] == expected
    if name in BY_PARAMETERS:
        assert expected.encode() in call.body or expected in call.query


@pytest.mark.parametrize("name", [*BY_PARAMETERS, *BY_HEADERS])
def test_a_vector_as_it_stands_is_only_too_old(vector_payer: Payer, name: str) -> None:
    before = vector_payer.customer.withdrawals()
    assert send(vector_payer.customer.sandbox, vector_call(name, VECTOR_MS)).verdict == (200, 10002)
    assert vector_payer.customer.withdrawals() == before


def test_the_vectors_signed_today_are_authentic(vector_payer: Payer) -> None:
    sandbox = vector_payer.customer.sandbox
    for name in ("Z3", "Z6"):
        answer = send(sandbox, vector_call(name, now_ms()))
        assert (answer.code, answer.result["rows"]) == (0, [])
    # Read and refused for what it says, not for its signature: this endpoint knows no `address`.
    assert send(sandbox, vector_call("Z4", now_ms())).verdict == (200, 10001)
    assert send(sandbox, vector_call("Z2", now_ms())).verdict == (200, 131002)
    first = send(sandbox, vector_call("Z5", now_ms())).withdraw_id
    assert send(sandbox, vector_call("Z7", now_ms())).withdraw_id == first
    # The same id with a remark is another request.
    assert send_when_allowed(sandbox, vector_call("Z1", now_ms())).verdict == (200, 10014)
    assert [str(number) for number, _ in vector_payer.customer.withdrawals()] == [first]


# ---- every endpoint's reply ----


@pytest.fixture(scope="module")
def showcase(paying: Sandbox) -> dict[str, Told]:
    """Every reply that has a golden file, by the file's name, as a running server gives it."""
    payer, friend = new_payer(paying), open_account(paying, phone="+61 498765432")
    customer, seeded = payer.customer, paying.facts["venues"]["zoomex"]
    own = Key(seeded["api_key"], seeded["api_secret"])
    customer.credit("BTC", "1.5", wallet="spot", network="bitcoin")
    customer.list_recipient("phone", "+61 498765432")
    customer.list_address(RIPPLE_ADDRESS, asset="XRP", network="ripple", memo="7001")
    customer.credit("XRP", "100", wallet="fund", network="ripple")
    made = payer.create(coin="XRP", chain="XRP", address=RIPPLE_ADDRESS, tag="7001", amount="20")
    phone = payer.inner_create("498765432", addressType=2, areaCode=61)
    paid = send(paying, demo(CREATE, payer.key, made)).withdraw_id
    sent = send(paying, demo(INNER_CREATE, payer.key, phone)).withdraw_id
    until_over(payer, paid)
    received = Key(*friend.key("zoomex"))

    def look(path: str, key: Key = payer.key, **members: str) -> Told:
        answer = send(paying, demo(path, key, members))
        assert answer.verdict == (200, 0), answer
        return answer

    replies = {
        "coins": look(COINS),
        "coins_one": look(COINS, coin="USDT"),
        "coins_none": look(COINS, coin="DOGE"),
        "assets_fund": look(ASSETS, accountType="FUND"),
        "assets_spot": look(ASSETS),
        "assets_one": look(ASSETS, accountType="FUND", coin="XRP"),
        "wallet_balance_unified": look(WALLET_BALANCE, accountType="UNIFIED"),
        "wallet_balance_named": look(WALLET_BALANCE, accountType="UNIFIED", coin="BTC,USDT,ETH,DOGE"),
        "wallet_balance_contract": look(WALLET_BALANCE, accountType="CONTRACT"),
        "deposit_addresses": look(DEPOSIT_ADDRESSES, own, coin="USDT"),
        "deposit_addresses_one": look(DEPOSIT_ADDRESSES, own, coin="USDT", chain="TRX"),
        "deposit_addresses_none": look(DEPOSIT_ADDRESSES, coin="USDT"),
        "deposit_records": look(DEPOSITS, received, type="2"),
        "withdraw_records": look(RECORDS, withdrawType="2"),
        "withdraw_records_none": look(RECORDS, withdrawId=str(int(sent) + 1)),
        "market_time": send(paying, Call("GET", MARKET_TIME)),
    }
    for path in (*PRIVATE, MARKET_TIME):
        replies["error_" + path[1:].replace("/", "_").replace("-", "_")] = send(paying, Call("PUT", path))
    customer.freeze()
    replies["assets_banned"] = look(ASSETS)
    return replies


@pytest.mark.parametrize("name", sorted(golden_names("zoomex")))
def test_a_reply_has_the_form_that_its_golden_file_pins(showcase: dict[str, Told], name: str) -> None:
    pinned = golden("zoomex", name)
    if name in {"wallet_balance_unified", "wallet_balance_contract"}:
        # A sandbox keeps nothing in trading wallets; wallet_balance_named shows a row of one.
        pinned["result"]["list"][0]["coin"] = []
    assert shape(showcase[name].envelope) == shape(pinned)


def test_the_coin_list_and_the_time_tell_what_the_sandbox_has(showcase: dict[str, Told]) -> None:
    (usdt,) = showcase["coins_one"].result["rows"]
    on_tron = next(chain for chain in usdt["withdraw_chains"] if chain["chain"] == "TRX")
    assert (on_tron["chain_name"], on_tron["can_withdraw"]) == ("TRC20", 1)
    assert (on_tron["withdraw_min"], on_tron["withdraw_fee"], usdt["accuracy"]) == ("5", "1", 6)
    assert [chain["can_withdraw"] for chain in usdt["withdraw_chains"] if chain["chain"] == "SOL"] == [0]
    clock = showcase["market_time"].result
    assert abs(int(clock["timeSecond"]) * 1000 - now_ms()) < 60_000
    assert clock["timeNano"].startswith(clock["timeSecond"])


def test_every_reply_of_a_private_endpoint_tells_its_limit(showcase: dict[str, Told]) -> None:
    for name, answer in showcase.items():
        if not name.startswith("error_"):
            limit, left, reset_ms = (int(answer.headers[header]) for header in LIMIT_HEADERS)
            assert 0 <= left < limit
            assert abs(reset_ms - now_ms()) < 60_000


# ---- payments ----


def test_a_withdrawal_is_paid_in_full_on_a_real_node_and_its_fee_comes_on_top(
    paying: Sandbox, node: Anvil, payer: Payer
) -> None:
    contract = paying.contract("USDT")
    withdraw_id = send(paying, demo(CREATE, payer.key, payer.create(amount="25.5"))).withdraw_id
    row = until_over(payer, withdraw_id)
    assert node.token_balance(contract, payer.address) == 25_500_000
    receipt = node.ask("eth_getTransactionReceipt", row["tx_id"])
    assert (int(receipt["status"], 16), receipt["to"]) == (1, contract.lower())
    assert payer.customer.units("USDT", "fund") == (1_000_000_000 - 25_500_000 - FEE_ON_ETHEREUM, 0)
    assert {name: row[name] for name in row if name not in {"tx_id", "create_time", "update_time"}} == {
        "withdraw_id": withdraw_id,
        "withdraw_type": 0,
        "coin": "USDT",
        "chain": "ETH",
        "amount": "25.5",
        "withdraw_fee": "3",
        "status": DONE,
        "to_address": row["to_address"],
        "user_id": payer.customer.number,
        "tag": "",
    }
    assert row["to_address"].lower() == payer.address
    # The one is seconds, the other milliseconds.
    assert 0 <= int(row["update_time"]) - int(row["create_time"]) * 1000 < 60_000
    assert records(payer, txid=row["tx_id"]) == [row]


def test_money_is_held_from_acceptance_on_and_gone_with_the_payment(paying: Sandbox, payer: Payer) -> None:
    address = new_tron_address()
    payer.customer.list_address(address, network="tron")
    paying.admin("POST", "/sending/stop", {"reason": "test"})
    try:
        call = demo(CREATE, payer.key, payer.create(chain="TRX", address=address, amount="9.000001"))
        withdraw_id = send(paying, call).withdraw_id
        assert record(payer, withdraw_id)["status"] in OPEN
        assert record(payer, withdraw_id)["tx_id"] == ""
        assert fund(payer) == {"coin": "USDT", "free": "989.999999", "total_balance": "1000"}
    finally:
        paying.admin("POST", "/sending/start", {"reason": "test"})
    row = until_over(payer, withdraw_id)
    assert (row["status"], row["chain"], row["to_address"]) == (DONE, "TRX", address)
    assert (row["amount"], row["withdraw_fee"]) == ("9.000001", "1")
    assert is_paid(paying, "tron", row["tx_id"])
    assert chain_units(paying, "tron", address, "USDT") == 9_000_001
    assert fund(payer) == {"coin": "USDT", "free": "989.999999", "total_balance": "989.999999"}


def new_tron_address() -> str:
    return Wallet(secrets.token_hex(32)).address


def fund(payer: Payer) -> dict[str, str]:
    answer = send(payer.customer.sandbox, demo(ASSETS, payer.key, {"accountType": "FUND", "coin": "USDT"}))
    assert answer.result["fund"]["status"] == "ACCOUNT_STATUS_NORMAL"
    (asset,) = answer.result["fund"]["assets"]
    return dict(asset)


@pytest.mark.parametrize(
    "kind, listed, members",
    [
        ("account_number", "", {"addressType": 3}),
        ("email", "someone@sandbox.example", {"addressType": 1, "address": "someone@sandbox.example"}),
        ("phone", "+44 7700900123", {"addressType": 2, "address": "7700900123", "areaCode": 44}),
    ],
)
def test_a_withdrawal_to_another_account_arrives_whole_and_at_once(
    paying: Sandbox, payer: Payer, kind: str, listed: str, members: dict[str, Any]
) -> None:
    friend = open_account(paying, **({} if kind == "account_number" else {kind: listed}))
    payer.customer.list_recipient(kind, listed or friend.number)
    asked = payer.inner_create(friend.number, **{"amount": "12.25", "remark": "for & = ünder", **members})
    withdraw_id = send(paying, demo(INNER_CREATE, payer.key, asked)).withdraw_id
    row = record(payer, withdraw_id)
    assert (row["status"], row["withdraw_type"], row["chain"], row["tx_id"]) == (DONE, 1, "", "")
    assert (row["amount"], row["withdraw_fee"], row["to_address"]) == ("12.25", "0", asked["address"])
    assert payer.customer.units("USDT", "fund") == (987_750_000, 0)
    assert friend.units("USDT", "fund") == (12_250_000, 0)
    received = send(paying, demo(DEPOSITS, Key(*friend.key("zoomex")), {"type": "1"}))
    (deposit,) = received.result["rows"]
    assert (deposit["type"], deposit["amount"], deposit["status"], deposit["tx_id"]) == (1, "12.25", "1", "")


# ---- reading ----


def test_pages_follow_one_another_and_filters_choose(paying: Sandbox, payer: Payer) -> None:
    friend = open_account(paying)
    payer.customer.list_recipient("account_number", friend.number)
    older = send(paying, demo(CREATE, payer.key, payer.create())).withdraw_id
    newer = send(paying, demo(INNER_CREATE, payer.key, payer.inner_create(friend.number))).withdraw_id
    until_over(payer, older)
    asked = {"withdrawType": "2", "pageSize": "1"}
    first = send(paying, demo(RECORDS, payer.key, asked)).result
    assert ([row["withdraw_id"] for row in first["rows"]], first["cursor"] != "") == ([newer], True)
    second = send(paying, by_headers(RECORDS, payer.key, asked | {"cursor": first["cursor"]})).result
    assert ([row["withdraw_id"] for row in second["rows"]], second["cursor"]) == ([older], "")
    # The cursor is for this account and these filters only, and cannot be made up.
    stranger = new_payer(paying)
    for key, members in (
        (stranger.key, asked | {"cursor": first["cursor"]}),
        (payer.key, {"cursor": first["cursor"]}),
        (payer.key, asked | {"cursor": first["cursor"][:-2] + "AA"}),
    ):
        assert send(paying, demo(RECORDS, key, members)).verdict == (200, 10001)
    second_ago = str(now_ms() // 1000 - 3600)
    for filters, ids in (
        ({}, [newer, older]),
        ({"withdrawType": "0"}, [older]),
        ({"withdrawType": "1"}, [newer]),
        ({"coin": "USDT"}, [newer, older]),
        ({"coin": "BTC"}, []),
        ({"withdrawId": older}, [older]),
        ({"endTime": second_ago}, []),
        ({"startTime": second_ago}, [newer, older]),
    ):
        assert [row["withdraw_id"] for row in records(payer, **filters)] == ids, filters
    default = send(paying, demo(RECORDS, payer.key, {})).result["rows"]
    assert [row["withdraw_id"] for row in default] == [older]
    assert records(stranger, withdrawId=older) == []


# ---- one requestId, one withdrawal ----


def test_a_repeat_in_any_style_has_the_first_answer_and_moves_nothing(paying: Sandbox, payer: Payer) -> None:
    members = payer.create()
    answers = [send(paying, style(CREATE, payer.key, members)) for style in STYLES.values()]
    later = members | {"amount": "25.500", "address": "0x" + payer.address[2:].lower(), "sub_user_id": "5"}
    answers.append(send(paying, demo(CREATE, payer.key, later, recv_window=1_000_000)))
    assert len({answer.withdraw_id for answer in answers}) == 1
    assert len(payer.customer.withdrawals()) == 1
    assert payer.customer.units("USDT", "fund")[0] == 1_000_000_000 - 28_500_000


def test_64_identical_requests_at_once_are_one_withdrawal(paying: Sandbox, node: Anvil, payer: Payer) -> None:
    raw = demo(CREATE, payer.key, payer.create(amount="33.25")).raw
    answers: list[Told] = []

    def exchange(_: int) -> None:
        with closing(Connection(paying.port, "127.0.8.1")) as connection:
            answers.append(told(connection.exchange(raw)))

    in_parallel(64, exchange)
    (withdraw_id,) = {answer.withdraw_id for answer in answers}
    assert len(answers) == 64
    until_over(payer, withdraw_id)
    assert [str(number) for number, _ in payer.customer.withdrawals()] == [withdraw_id]
    assert node.token_balance(paying.contract("USDT"), payer.address) == 33_250_000


def in_parallel(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_another_payment_to_an_address_under_the_same_id_is_refused(paying: Sandbox) -> None:
    other, on_tron, friend = new_evm_address(), new_tron_address(), open_account(paying)

    def customer() -> tuple[Payer, dict[str, Any]]:
        payer = new_payer(paying)
        payer.customer.credit("USDC", "1000", wallet="fund")
        payer.customer.list_address(other)
        payer.customer.list_address(payer.address, asset="USDC")
        payer.customer.list_address(on_tron, network="tron")
        payer.customer.list_recipient("account_number", friend.number)
        return payer, payer.create()

    changes: list[dict[str, Any]] = [
        {"amount": "25.500001"},
        {"amount": "26"},
        {"address": other},
        {"coin": "USDC"},
        {"chain": "TRX", "address": on_tron},
    ]
    refused_as_another(CREATE, customer, changes)
    assert friend.units("USDT", "fund") == (0, 0)


def test_another_payment_to_an_account_under_the_same_id_is_refused(paying: Sandbox) -> None:
    friend = open_account(paying, phone="+61 400000001", email="e@sandbox.example")
    other = open_account(paying, phone="+49 400000001")

    def customer() -> tuple[Payer, dict[str, Any]]:
        payer = new_payer(paying)
        payer.customer.credit("USDC", "1000", wallet="fund")
        for number in (friend.number, other.number):
            payer.customer.list_recipient("account_number", number)
        for phone in ("+61 400000001", "+49 400000001"):
            payer.customer.list_recipient("phone", phone)
        payer.customer.list_recipient("email", "e@sandbox.example")
        return payer, payer.inner_create("400000001", addressType=2, areaCode=61, remark="rent")

    changes: list[dict[str, Any]] = [
        {"amount": "1.000001"},
        {"coin": "USDC"},
        {"areaCode": 49},
        {"remark": "Rent"},
        {"remark": ""},
        {"address": other.number, "addressType": 3},
        {"address": "e@sandbox.example", "addressType": 1},
    ]
    refused_as_another(INNER_CREATE, customer, changes)
    assert friend.units("USDT", "fund") == (len(changes) * 1_000_000, 0)
    assert (other.units("USDT", "fund"), friend.units("USDC", "fund")) == ((0, 0), (0, 0))


def refused_as_another(
    path: str, customer: Callable[[], tuple[Payer, dict[str, Any]]], changes: list[dict[str, Any]]
) -> None:
    """A customer for each change, so that they wait for their limit together."""
    asked = [(*customer(), change) for change in changes]
    first = [send(payer.customer.sandbox, demo(path, payer.key, made)) for payer, made, _ in asked]
    for (payer, made, change), accepted in zip(asked, first, strict=True):
        answer = send_when_allowed(payer.customer.sandbox, demo(path, payer.key, made | change))
        assert answer.verdict == (200, 10014), change
        assert made["requestId"] in answer.message
        assert [str(number) for number, _ in payer.customer.withdrawals()] == [accepted.withdraw_id]


def test_one_id_is_one_withdrawal_whichever_call_it_is_used_in(paying: Sandbox, payer: Payer) -> None:
    friend = open_account(paying)
    payer.customer.list_recipient("account_number", friend.number)
    members = payer.create()
    send(paying, demo(CREATE, payer.key, members))
    inner = payer.inner_create(friend.number, requestId=members["requestId"])
    assert send(paying, demo(INNER_CREATE, payer.key, inner)).verdict == (200, 10014)
    assert friend.units("USDT", "fund") == (0, 0)


def test_ids_that_differ_in_case_and_ids_of_two_accounts_are_different_ids(paying: Sandbox) -> None:
    payer, other = new_payer(paying), new_payer(paying)
    calls = [
        demo(CREATE, payer.key, payer.create(requestId="abc")),
        demo(CREATE, payer.key, payer.create(requestId="ABC")),
        demo(CREATE, other.key, other.create(requestId="abc")),
    ]
    assert len({send_when_allowed(paying, call).withdraw_id for call in calls}) == 3


def test_64_copies_a_kill_half_way_and_all_again_are_one_payment_on_the_chain(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--chain-pace", "100") as sandbox:
        payer, address = new_payer(sandbox), new_tron_address()
        payer.customer.list_address(address, network="tron")
        members = payer.create(chain="TRX", address=address, amount="7.5")
        answers: list[Told] = []
        half = threading.Event()

        def exchange(number: int) -> None:
            try:
                with closing(Connection(sandbox.port)) as connection:
                    connection.send(list(STYLES.values())[number % 3](CREATE, payer.key, members).raw)
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
            again = [connection.exchange(demo(CREATE, payer.key, members).raw) for _ in range(64)]
        # Whoever was not told the id before the end was told that the outcome is unknown, or nothing at all.
        assert {answer.status for answer in answers} <= {200, 503, 504}
        good = [answer for answer in answers if answer.status == 200]
        (withdraw_id,) = {answer.withdraw_id for answer in [*good, *map(told, again)]}
        assert until_over(payer, withdraw_id)["status"] == DONE
        assert len(payer.customer.withdrawals()) == 1
        assert payer.customer.units("USDT", "fund") == (1_000_000_000 - 7_500_000 - FEE_ON_TRON, 0)
        sandbox.terminate()
        assert sandbox.verified().startswith("verify: ok")
        assert chain_units(sandbox, "tron", address, "USDT") == 7_500_000


# ---- limits ----


def test_one_create_too_many_in_a_second_is_told_when_to_come_again(paying: Sandbox) -> None:
    payer = new_payer(paying)
    second = Key(*payer.customer.key("zoomex"))
    # Whichever of its keys an account uses, it is counted as one; ten in a row need more than one second only
    # on a machine that stands still.
    keys = [payer.key, second] * 5
    answers = [send(paying, demo(CREATE, key, payer.create())) for key in keys]
    assert answers[0].verdict == (200, 0)
    assert answers[0].headers["x-bapi-limit"] == "1"
    assert answers[0].headers["x-bapi-limit-status"] == "0"
    over = [answer for answer in answers if answer.code != 0]
    assert {(answer.verdict, answer.message) for answer in over} == {((200, 10006), "Too many visits!")}
    assert {answer.headers["x-bapi-limit-status"] for answer in over} == {"0"}
    for answer in over:
        assert int(answer.headers["x-bapi-limit-reset-timestamp"]) > answer.envelope["time"]
    assert len(payer.customer.withdrawals()) == len(answers) - len(over)
    # What they were told is true, and copies of what was accepted were never charged.
    assert send_when_allowed(paying, demo(CREATE, payer.key, payer.create())).code == 0


def test_the_older_envelope_tells_the_reset_in_its_body_too(paying: Sandbox, payer: Payer) -> None:
    answers = [send(paying, demo(COINS, payer.key, {"coin": "USDT"})) for _ in range(20)]
    assert [answer.code for answer in answers[:5]] == [0] * 5
    assert [answer.headers["x-bapi-limit-status"] for answer in answers[:5]] == ["4", "3", "2", "1", "0"]
    over = [answer for answer in answers if answer.code == 10006]
    assert over
    for answer in over:
        reset_ms = answer.envelope["rate_limit_reset_ms"]
        assert abs(int(answer.headers["x-bapi-limit-reset-timestamp"]) - reset_ms) < 1_000
        assert reset_ms > answer.envelope["time_now"]


def test_an_address_with_too_many_requests_is_banned_from_this_venue_alone(
    paying: Sandbox, payer: Payer
) -> None:
    ask_time = Call("GET", MARKET_TIME).raw
    with closing(Connection(paying.port, "127.0.9.9")) as connection:
        sent = 0
        while connection.exchange(ask_time).status == 200:
            sent += 1
            assert sent < 6_000, "as many requests as this take more than ten windows only on a still machine"
        assert sent >= 600
        for call in (demo(RECORDS, payer.key, {}), demo(CREATE, payer.key, payer.create())):
            banned = told(connection.exchange(call.raw))
            assert banned.verdict == (403, 10018)
        assert connection.exchange(b"GET /system/time HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    assert payer.customer.withdrawals() == []
    assert send(paying, demo(CREATE, payer.key, payer.create())).code == 0
