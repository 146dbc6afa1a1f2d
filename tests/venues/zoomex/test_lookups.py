from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.core.amounts import Units
from penstock.core.queries import Account, Balances, DepositAddress
from penstock.core.views import BalanceView, DepositAddressView
from penstock.venues.venue import Ask, Reply
from tests.venues.zoomex.world import (
    ACCOUNT,
    ASSETS,
    COINS,
    DEPOSIT_ADDRESS,
    EVM_ADDRESS,
    MARKET_TIME,
    ME,
    NOW_MS,
    TRON_ADDRESS,
    WALLET_BALANCE,
    answer,
    both,
    by_headers,
    by_parameters,
    outcome,
    raw,
    refusal,
)

GOLDEN = Path(__file__).parent / "golden"
BALANCES = [
    BalanceView("contract", "USDT", Units(5_000_000), Units(0)),
    BalanceView("fund", "USDT", Units(2_500_000), Units(1_000_000)),
    BalanceView("fund", "XRP", Units(0), Units(20_000_000)),
    BalanceView("fund", "ETH", Units(0), Units(0)),
    BalanceView("spot", "BTC", Units(123_456_789), Units(0)),
    BalanceView("unified", "BTC", Units(100_000_000), Units(50_000_000)),
    BalanceView("unified", "XRP", Units(7_000_000), Units(0)),
    BalanceView("unified", "ETH", Units(0), Units(0)),
]
ON_ETHEREUM = DepositAddressView("USDT", "ethereum", EVM_ADDRESS, "")
ON_TRON = DepositAddressView("USDT", "tron", TRON_ADDRESS, "")

ANSWERED: dict[str, tuple[str, dict[str, str], tuple[object, ...]]] = {
    "coins": (COINS, {}, ()),
    "coins_one": (COINS, {"coin": "USDT"}, ()),
    "coins_none": (COINS, {"coin": "DOGE"}, ()),
    "assets_fund": (ASSETS, {"accountType": "FUND"}, (ME, BALANCES)),
    "assets_spot": (ASSETS, {}, (ME, BALANCES)),
    "assets_one": (ASSETS, {"accountType": "FUND", "coin": "ETH"}, (ME, BALANCES)),
    "assets_banned": (
        ASSETS,
        {"accountType": "SPOT", "coin": "BTC"},
        (msgspec.structs.replace(ME, frozen=True), BALANCES),
    ),
    "wallet_balance_unified": (WALLET_BALANCE, {"accountType": "UNIFIED"}, (BALANCES,)),
    "wallet_balance_named": (
        WALLET_BALANCE,
        {"accountType": "UNIFIED", "coin": "BTC,USDT,ETH,DOGE"},
        (BALANCES,),
    ),
    "wallet_balance_contract": (WALLET_BALANCE, {"accountType": "CONTRACT"}, (BALANCES,)),
    "deposit_addresses": (DEPOSIT_ADDRESS, {"coin": "USDT"}, (ON_ETHEREUM, ON_TRON)),
    "deposit_addresses_one": (DEPOSIT_ADDRESS, {"coin": "USDT", "chain": "TRX"}, (ON_TRON,)),
    "deposit_addresses_none": (DEPOSIT_ADDRESS, {"coin": "USDT"}, (None, None)),
}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")


@pytest.mark.parametrize("name", ANSWERED)
def test_a_look_up_is_answered_byte_for_byte_in_either_style(name: str) -> None:
    path, members, views = ANSWERED[name]
    for request in both(path, members):
        reply = answer(request, *views)
        assert (reply.status, reply.headers) == (200, ((b"content-type", b"application/json"),))
        assert reply.body == golden(name)


def test_the_time_is_told_byte_for_byte_to_anybody() -> None:
    asked = outcome(raw(MARKET_TIME, now_ms=NOW_MS + 5))
    assert isinstance(asked, Reply)
    assert asked.body == golden("market_time")


def test_looking_asks_only_for_the_caller() -> None:
    assets = outcome(by_parameters(ASSETS, {}))
    assert isinstance(assets, Ask)
    assert assets.question == Account(ACCOUNT)
    then = assets.write(ME)
    assert isinstance(then, Ask)
    assert then.question == Balances(ACCOUNT)
    balance = outcome(by_headers(WALLET_BALANCE, query="accountType=UNIFIED"))
    assert isinstance(balance, Ask)
    assert balance.question == Balances(ACCOUNT)


def test_deposit_addresses_are_asked_for_network_by_network_where_deposits_are_open() -> None:
    asked: Any = outcome(by_parameters(DEPOSIT_ADDRESS, {"coin": "USDT"}))
    questions: list[object] = []
    while isinstance(asked, Ask):
        questions.append(asked.question)
        asked = asked.write(None)
    assert questions == [
        DepositAddress(ACCOUNT, "USDT", "ethereum"),
        DepositAddress(ACCOUNT, "USDT", "tron"),
    ]


@pytest.mark.parametrize("members", [{"coin": "SHUT"}, {"coin": "USDT", "chain": "BSC"}])
def test_closed_deposits_have_no_address(members: dict[str, str]) -> None:
    asked = outcome(by_parameters(DEPOSIT_ADDRESS, members))
    assert isinstance(asked, Reply)
    assert json.loads(asked.body)["result"] == {"addresses": []}


@pytest.mark.parametrize(
    "path, members, code",
    [
        (DEPOSIT_ADDRESS, {}, 10001),
        (DEPOSIT_ADDRESS, {"coin": "DOGE"}, 131002),
        (DEPOSIT_ADDRESS, {"coin": "USDT", "chain": "TRC20"}, 131002),
        (ASSETS, {"accountType": "UNIFIED"}, 10001),
        (ASSETS, {"accountType": "fund"}, 10001),
        (WALLET_BALANCE, {}, 10001),
        (WALLET_BALANCE, {"accountType": "FUND"}, 10001),
        (WALLET_BALANCE, {"accountType": "UNIFIED", "coin": ",".join(["BTC"] * 21)}, 10001),
        (COINS, {"coin": "a b"}, 10001),
    ],
)
def test_a_look_up_out_of_its_form_is_refused(path: str, members: dict[str, str], code: int) -> None:
    for request in both(path, members):
        assert refusal(outcome(request)) == (200, code)
