"""Reads: typed answers, repeated a few times when they fail, never more."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from penstock.client import (
    AsyncClient,
    BadReply,
    Balance,
    BookAddress,
    Client,
    DepositAddress,
    Fee,
    NoAnswer,
    NotSent,
    Status,
    VenueRefused,
)
from tests.client.caller import Caller
from tests.client.fake_bitmart import ADDRESS, DETAIL, HISTORY, NOW_MS, envelope, record


def test_one_withdrawal(caller: Caller) -> None:
    found = caller.call("withdrawal", "700001")
    assert caller.fake.seen[0].query == {"id": "700001"}
    assert (found.status, found.venue_status, found.tx_id) == (Status.DONE, "3", "0xabc")
    assert (found.amount, found.fee, found.net) == (Decimal(100), Decimal(1), Decimal(99))
    assert found.requested_at_ms == NOW_MS + 40


def test_amounts_are_added_exactly(caller: Caller) -> None:
    net = "12345678901234567890.000000000000000001"
    caller.fake.then(DETAIL, 200, envelope({"record": record(arrival_amount=net)}))
    assert caller.call("withdrawal", "1").amount == Decimal("12345678901234567891.000000000000000001")


def test_the_newest_withdrawals(caller: Caller) -> None:
    (found,) = caller.call("withdrawals", "USDT", limit=5, from_ms=1, to_ms=2)
    assert found.withdrawal_id == "700001"
    assert caller.fake.seen[0].query == {
        "operation_type": "withdraw",
        "N": "5",
        "currency": "USDT",
        "startTime": "1",
        "endTime": "2",
    }


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_beyond_the_venues_is_not_asked(caller: Caller, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        caller.call("withdrawals", limit=limit)
    assert not caller.fake.seen


def test_balances_of_both_wallets(caller: Caller) -> None:
    assert caller.call("balances") == (
        Balance("fund", "USDT", Decimal("10.5"), Decimal(1)),
        Balance("spot", "BTC", Decimal(2), Decimal(0)),
    )


def test_the_fee(caller: Caller) -> None:
    fee = caller.call("fee", "USDT", network="ethereum")
    assert fee == Fee("USDT-ERC20", Decimal(1), Decimal(5), 6, None)


def test_the_address_book(caller: Caller) -> None:
    entry = BookAddress("USDT-ERC20", "ERC20", ADDRESS, "", "cold", verified=True, venue_kind="standard")
    assert caller.call("addresses") == (entry,)


def test_a_deposit_address(caller: Caller) -> None:
    assert caller.call("deposit_address", "USDT-ERC20") == DepositAddress("USDT-ERC20", ADDRESS, "")


def test_the_currencies(caller: Caller) -> None:
    assert [(listed.currency, listed.coin, listed.network) for listed in caller.call("currencies")] == [
        ("BTC", "BTC", "BTC"),
        ("USDT-ERC20", "USDT", "ERC20"),
        ("USDT-TRX", "USDT", "TRX"),
    ]


def test_a_read_is_repeated_after_a_lost_answer_and_a_server_error(caller: Caller) -> None:
    caller.fake.then_raise(DETAIL, httpx2.ReadTimeout("slow"))
    caller.fake.then(DETAIL, 502, b"<html>")
    assert caller.call("withdrawal", "1").withdrawal_id == "700001"
    assert (caller.fake.count(DETAIL), caller.pauses_ms) == (3, [250, 1000])


@pytest.mark.parametrize(
    "error, raised", [(httpx2.ReadError("reset"), NoAnswer), (httpx2.ConnectError("no"), NotSent)]
)
def test_a_read_is_given_up_after_three_times(
    caller: Caller, error: Exception, raised: type[Exception]
) -> None:
    for _ in range(5):
        caller.fake.then_raise(DETAIL, error)
    with pytest.raises(raised):
        caller.call("withdrawal", "1")
    assert caller.fake.count(DETAIL) == 3


def test_the_rate_limits_own_window_is_waited_for(caller: Caller) -> None:
    limited = envelope({}, 30013, "Request too many requests")
    caller.fake.then(DETAIL, 429, limited, X_BM_RateLimit_Reset="2")
    caller.fake.then(DETAIL, 429, limited, X_BM_RateLimit_Reset="999999999999")
    caller.call("withdrawal", "1")
    assert caller.pauses_ms == [2000, 5000]


def test_a_refused_read_is_not_repeated(caller: Caller) -> None:
    caller.fake.then(DETAIL, 400, envelope({}, 60010, "Withdraw id or deposit id not found"))
    with pytest.raises(VenueRefused, match="60010"):
        caller.call("withdrawal", "1")
    assert caller.fake.count(DETAIL) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"null",
        b"[" * 100_000,
        b'"\xff"',
        envelope({"record": record(fee="NaN")}),
        envelope({"record": record(fee="much")}),
        envelope({"record": record(status=99)}),
        envelope({}),
    ],
)
def test_an_unreadable_answer_is_its_own_error(caller: Caller, body: bytes) -> None:
    caller.fake.then(DETAIL, 200, body)
    with pytest.raises(BadReply):
        caller.call("withdrawal", "1")
    assert caller.fake.count(DETAIL) == 1


def test_an_answer_without_end_is_cut(caller: Caller) -> None:
    for _ in range(3):
        caller.fake.then(HISTORY, 200, b" " * (8 * 1024 * 1024 + 1))
    with pytest.raises(NoAnswer, match="longer than"):
        caller.call("withdrawals")


def _public(kind: type) -> dict[str, Any]:
    renamed = {"__aenter__": "__enter__", "__aexit__": "__exit__"}
    return {
        renamed.get(name, name): list(inspect.signature(member).parameters.values())
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and name != "__init__"
    }


def test_both_clients_have_the_same_methods_and_parameters() -> None:
    assert _public(Client) == _public(AsyncClient)
