"""ccxt's own code against the dialect, without a socket: what it sends, and what it makes of the replies."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import ccxt
import pytest

from penstock.core.commands import Transfer, Withdraw
from penstock.core.queries import (
    Balances,
    BookEntries,
    DepositAddress,
    DepositOrWithdrawalById,
    WithdrawalHistory,
)
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, DepositAddressView
from penstock.venues.venue import Ask, Reply, Request
from tests.venues.bitmart.test_lookups import BALANCES, BOOK, TX_HASH, a_withdrawal
from tests.venues.bitmart.world import EVM_ADDRESS, KEY, MEMO, NOW_MS, SECRET, TRON_ADDRESS, answer, outcome


class InMemory(ccxt.bitmart):
    """Answers what the engine would be asked from fixed values, and remembers the last question."""

    asked: object = None

    def nonce(self) -> int:  # the clock of its signatures
        return NOW_MS

    def fetch(self, url: str, method: str = "GET", headers: object = None, body: str | None = None) -> object:
        parts = urlsplit(url)
        lowered = [
            (name.lower().encode(), str(value).encode()) for name, value in dict(headers or {}).items()
        ]
        request = Request(
            method, parts.path, parts.query.encode(), lowered, (body or "").encode(), "127.0.0.1", NOW_MS
        )
        found = outcome(request)
        reply = answer(request, self._known(found)) if isinstance(found, Ask) else found
        assert isinstance(reply, Reply)
        text = reply.body.decode()
        self.handle_errors(reply.status, "", url, method, {}, text, json.loads(text), headers, body)
        return json.loads(text)

    def _known(self, ask: Ask) -> object:
        self.asked = ask.question
        match ask.question:
            case Withdraw() | Transfer():
                return Accepted(121212, UnixMs(0), repeated=False)
            case Balances():
                return BALANCES
            case BookEntries():
                return [entry for entry in BOOK if entry.asset]
            case DepositAddress(asset=asset, network=network):
                return DepositAddressView(asset, network, EVM_ADDRESS, "")
            case DepositOrWithdrawalById():
                return a_withdrawal()
            case WithdrawalHistory():
                return [a_withdrawal()]
            case _:
                raise AssertionError(ask.question)


@pytest.fixture
def exchange() -> InMemory:
    return InMemory({"apiKey": KEY, "secret": SECRET, "uid": MEMO, "enableRateLimit": False})


@pytest.mark.parametrize(
    "code, network, address, expected",
    [
        ("USDT", "ERC20", EVM_ADDRESS, "ethereum"),
        ("USDT", "ETH", EVM_ADDRESS, "ethereum"),
        ("USDT", "TRC20", TRON_ADDRESS, "tron"),
        ("USDT", "TRX", TRON_ADDRESS, "tron"),
        ("USDT", "BEP20", EVM_ADDRESS, "bsc"),
        ("USDT", "BSC", EVM_ADDRESS, "bsc"),
        ("ETH", None, EVM_ADDRESS, "ethereum"),
        ("ETH", "ERC20", EVM_ADDRESS, "ethereum"),
        ("ETH", "ETH", EVM_ADDRESS, "ethereum"),
        ("BTC", None, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "bitcoin"),
    ],
)
def test_whatever_network_ccxt_is_given_the_right_one_is_meant(
    exchange: InMemory, code: str, network: str | None, address: str, expected: str
) -> None:
    parameters = {} if network is None else {"network": network}
    made = exchange.withdraw(code, 10.25, address, None, parameters)
    assert made["id"] == "121212"
    assert isinstance(exchange.asked, Withdraw)
    assert (exchange.asked.asset, exchange.asked.network) == (code, expected)


def test_ccxt_sends_an_account_form_through_its_extra_parameters(exchange: InMemory) -> None:
    exchange.withdraw(
        "USDT", 1e-05, "unused", None, {"address": "", "type": 1, "value": "5", "network": "ERC20"}
    )
    assert isinstance(exchange.asked, Transfer)
    assert (exchange.asked.recipient, exchange.asked.amount) == ("5", 10)


def test_ccxt_reads_a_withdrawal(exchange: InMemory) -> None:
    found = exchange.fetch_withdrawal("380000000000000001")
    assert (found["status"], found["txid"], found["currency"], found["network"]) == (
        "ok",
        TX_HASH,
        "USDT",
        "ERC20",
    )
    assert (found["amount"], found["fee"]) == (99, {"cost": 1, "currency": "USDT"})


def test_ccxt_reads_a_history(exchange: InMemory) -> None:
    found = exchange.fetch_withdrawals("USDT")
    assert [record["id"] for record in found] == ["380000000000000001"]
    assert isinstance(exchange.asked, WithdrawalHistory)
    assert (exchange.asked.asset, exchange.asked.network, exchange.asked.limit) == ("USDT", None, 1000)


def test_ccxt_reads_both_wallets(exchange: InMemory) -> None:
    spot = exchange.fetch_balance()
    assert (spot["USDT"]["free"], spot["USDT"]["used"]) == (900, 100)
    fund = exchange.fetch_balance({"type": "account"})
    assert (fund["XRP"]["free"], fund["XRP"]["used"]) == (0, 20)


def test_ccxt_reads_currencies(exchange: InMemory) -> None:
    found = exchange.fetch_currencies()
    assert found["USDT"]["networks"]["ERC20"]["fee"] == 1
    assert found["USDT"]["networks"]["ERC20"]["limits"]["withdraw"]["min"] == 10
    assert found["SHUT"]["networks"]["ERC20"]["withdraw"] is False


def test_ccxt_reads_a_deposit_address_and_the_book(exchange: InMemory) -> None:
    assert exchange.fetch_deposit_address("USDT", {"network": "ERC20"})["address"] == EVM_ADDRESS
    entries = exchange.fetch_withdraw_addresses("USDT")
    assert [(entry["address"], entry["network"]) for entry in entries] == [(EVM_ADDRESS, "ERC20")]
