"""Zoomex's API at a real server, asked by code written from the venue's pages: vectors, replies, payments, identity.

Bad inputs are in test_zoomex_bad_inputs.py, programs that users have in test_zoomex_programs.py.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.customers import new_evm_address, open_account
from tests.acceptance.raw_http import Connection
from tests.acceptance.reply_shapes import golden, golden_names, shape
from tests.acceptance.sandbox_process import LOOK_EVERY_S, Sandbox, running_sandbox
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
    Call,
    Key,
    Payer,
    Told,
    as_json,
    as_query,
    by_headers,
    demo,
    new_payer,
    now_ms,
    old_demo,
    send,
    send_when_allowed,
    signed,
    signed_text,
    told,
)
from tests.nodes import Anvil

pytestmark = pytest.mark.xdist_group("paying")

PAID_S_MAX = 30.0
DONE = "Transferred successfully"
OPEN = {"Pending Review", "Pending Transfer"}
TRON_ADDRESS = "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS"
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
    sandbox = vector_payer.customer.sandbox
    assert send(sandbox, vector_call(name, VECTOR_MS)).verdict == (200, 10002)
    assert vector_payer.customer.withdrawals() == vector_payer.customer.withdrawals()[:1]


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
def showcase(paying: Sandbox) -> Iterator[dict[str, Told]]:
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
    yield replies


@pytest.mark.parametrize("name", sorted(golden_names("zoomex")))
def test_a_reply_has_the_form_that_its_golden_file_pins(showcase: dict[str, Told], name: str) -> None:
    pinned = golden("zoomex", name)
    if name in {"wallet_balance_unified", "wallet_balance_contract"}:
        # A sandbox keeps nothing in trading wallets; wallet_balance_named shows a row of one.
        pinned["result"]["list"][0]["coin"] = []
    assert shape(showcase[name].envelope) == shape(pinned)
