"""An unchanged ccxt program against a real server that pays on a real node; only its URLs differ."""

from __future__ import annotations

import time
from typing import Any

import ccxt
import pytest

from tests.acceptance.sandbox_process import LOOK_EVERY_S, Sandbox
from tests.nodes import Anvil

pytestmark = pytest.mark.xdist_group("paying")

PAID_S_MAX = 30.0
FEE = 3_000_000
NET = 22_500_000
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def connect(sandbox: Sandbox, like: ccxt.bitmart | None = None, **changes: Any) -> ccxt.bitmart:
    """like: has the markets already, which may be asked for once in a second only."""
    seeded = sandbox.bitmart
    keys = {"apiKey": seeded["api_key"], "secret": seeded["api_secret"], "uid": seeded["memo"]}
    exchange = ccxt.bitmart({**keys, "timeout": 20_000, **changes})
    exchange.urls["api"] |= {"spot": sandbox.url, "swap": sandbox.url}
    if like is not None:
        exchange.currencies, exchange.currencies_by_id = like.currencies, like.currencies_by_id
        exchange.markets = exchange.markets_by_id = {"none": {}}  # it asks again and again for an empty list
    return exchange


@pytest.fixture(scope="module")
def exchange(paying: Sandbox) -> ccxt.bitmart:
    opened = connect(paying)
    opened.load_markets()
    return opened


@pytest.fixture(scope="module")
def paid(paying: Sandbox, node: Anvil, exchange: ccxt.bitmart) -> dict[str, Any]:
    """One withdrawal of 25.5 USDT, followed until it is over; what ccxt told, and the receiver's balances."""
    entry = paying.entry("USDT-ERC20")
    contract = paying.contract("USDT")
    before, balance = node.token_balance(contract, entry["address"]), exchange.fetch_balance()["USDT"]
    made = exchange.withdraw("USDT", 25.5, entry["address"], None, {"network": "ERC20"})
    told, ends_s = exchange.fetch_withdrawal(made["id"]), time.monotonic() + PAID_S_MAX
    while told["status"] == "pending" and time.monotonic() < ends_s:
        time.sleep(LOOK_EVERY_S)
        told = exchange.fetch_withdrawal(made["id"])
    rose_by = node.token_balance(contract, entry["address"]) - before
    balances = (balance, exchange.fetch_balance()["USDT"])
    return {
        "made": made,
        "told": told,
        "rose_by": rose_by,
        "balances": balances,
        "entry": entry,
        "contract": contract,
    }


def test_a_withdrawal_ends_ok_and_the_receiver_has_exactly_the_net_amount(paid: dict[str, Any]) -> None:
    assert paid["told"]["status"] == "ok"
    assert paid["rose_by"] == NET


def test_the_transaction_that_ccxt_names_is_the_payment_on_the_node(
    paying: Sandbox, node: Anvil, paid: dict[str, Any]
) -> None:
    receipt = node.ask("eth_getTransactionReceipt", paid["told"]["txid"])
    assert receipt["transactionHash"] == paid["told"]["txid"]
    assert int(receipt["status"], 16) == 1
    (log,) = receipt["logs"]
    hot_wallet = next(row["hot_wallet"] for row in paying.facts["assets"] if row["asset"] == "USDT")
    parties = [hot_wallet[2:].lower().rjust(64, "0"), paid["entry"]["address"][2:].lower().rjust(64, "0")]
    assert log["address"] == paid["contract"].lower()
    assert log["topics"] == [TRANSFER_TOPIC, *(f"0x{party}" for party in parties)]
    assert int(log["data"], 16) == NET


def test_what_ccxt_tells_of_the_withdrawal_adds_up(paid: dict[str, Any]) -> None:
    told = paid["told"]
    assert (told["id"], told["type"], told["currency"]) == (paid["made"]["id"], "withdraw", "USDT")
    assert (told["amount"], told["fee"]["cost"]) == (NET / 1e6, FEE / 1e6)
    assert told["network"] == "ERC20"
    assert told["address"] == paid["entry"]["address"]


def test_fetch_withdrawals_lists_it_once(exchange: ccxt.bitmart, paid: dict[str, Any]) -> None:
    listed = exchange.fetch_withdrawals("USDT", None, 20)
    (line,) = [found for found in listed if found["id"] == paid["made"]["id"]]
    assert (line["status"], line["txid"]) == ("ok", paid["told"]["txid"])


def test_the_balance_falls_by_the_gross_amount(paid: dict[str, Any]) -> None:
    before, after = paid["balances"]
    assert before["free"] - after["free"] == before["total"] - after["total"] == 25.5
    assert after["used"] == 0


def test_the_funding_account_has_a_balance_of_its_own(paying: Sandbox, exchange: ccxt.bitmart) -> None:
    fund = "SELECT available FROM balances WHERE account_id = ? AND asset = 'USDT' AND wallet = 'fund'"
    ((units,),) = paying.rows(fund, paying.account_id)
    assert exchange.fetch_balance({"type": "account"})["USDT"]["free"] == int(units) / 1e6


def test_fetch_currencies_lists_every_network_of_a_coin(exchange: ccxt.bitmart) -> None:
    usdt = exchange.fetch_currencies()["USDT"]
    assert set(usdt["networks"]) == {"ERC20", "TRC20", "BEP20", "SOL"}
    assert (usdt["withdraw"], usdt["networks"]["ERC20"]["fee"]) == (True, FEE / 1e6)


def test_fetch_deposit_address_names_the_network(exchange: ccxt.bitmart) -> None:
    told = exchange.fetch_deposit_address("USDT", {"network": "ERC20"})
    assert (told["currency"], told["network"]) == ("USDT", "ERC20")
    assert told["address"] == "0xB3151203dfD8699555b67F75D46a413C4FAFb6c0"


def test_fetch_withdraw_addresses_gives_the_book(paying: Sandbox, exchange: ccxt.bitmart) -> None:
    told = {(entry["address"], entry["network"]) for entry in exchange.fetch_withdraw_addresses("USDT")}
    entry = paying.entry("USDT-ERC20")
    assert (entry["address"], "ERC20") in told


def test_fetch_deposit_withdraw_fee_gives_the_flat_fee(exchange: ccxt.bitmart) -> None:
    assert exchange.fetch_deposit_withdraw_fee("USDT", {"network": "ERC20"})["withdraw"]["fee"] == FEE / 1e6


def test_fetch_time_is_near_our_clock(exchange: ccxt.bitmart) -> None:
    assert abs(exchange.fetch_time() - time.time() * 1000) < 10_000


# ---- errors as ccxt raises them ----


def withdraw(exchange: ccxt.bitmart, sandbox: Sandbox, **changes: Any) -> Any:
    asked = {
        "code": "USDT",
        "amount": 25.5,
        "address": sandbox.entry("USDT-ERC20")["address"],
        "tag": None,
        "params": {"network": "ERC20"},
    }
    return exchange.withdraw(**(asked | changes))


@pytest.mark.parametrize(
    "changes, raised, code",
    [
        ({"code": "ETH", "amount": 100.5, "params": {}}, ccxt.InsufficientFunds, "60008"),
        ({"amount": 1_000_001}, ccxt.ExchangeError, "60009"),
        ({"address": "0x" + "12" * 20}, ccxt.InvalidAddress, "60007"),
        ({"address": "0x8304eC68CeB2aE737dAE5b73FA67F0ccB84865c3"}, ccxt.InvalidAddress, "60011"),
        ({"address": "0xC8d5c9702B4c9d9893B8e3eA51c0Ab3a86d2bE08"}, ccxt.ExchangeError, "60015"),
        ({"amount": 0.5}, ccxt.ExchangeError, "60005"),
        ({"params": {"network": "ERC20", "sourceAccount": "MARGIN"}}, ccxt.BadRequest, "60001"),
        ({"params": {"network": "DOGE"}}, ccxt.BadRequest, "60002"),
    ],
)
def test_a_refusal_raises_the_error_that_ccxt_has_for_it(
    paying: Sandbox, exchange: ccxt.bitmart, changes: dict[str, Any], raised: type[Exception], code: str
) -> None:
    before = paying.rows("SELECT count(*) FROM withdrawals")
    with pytest.raises(raised) as caught:
        withdraw(exchange, paying, **changes)
    assert type(caught.value) is raised
    assert f'"code":{code},' in str(caught.value)
    assert paying.rows("SELECT count(*) FROM withdrawals") == before


@pytest.mark.parametrize("wrong", ["apiKey", "secret", "uid"])
def test_wrong_credentials_are_an_authentication_error(
    paying: Sandbox, exchange: ccxt.bitmart, wrong: str
) -> None:
    with pytest.raises(ccxt.AuthenticationError):
        withdraw(connect(paying, exchange, **{wrong: "00" * 20}), paying)


def test_a_frozen_key_is_a_suspended_account(paying: Sandbox, exchange: ccxt.bitmart) -> None:
    frozen = connect(paying, exchange, apiKey=paying.new_key(frozen=True)["api_key"])
    with pytest.raises(ccxt.AccountSuspended):
        frozen.fetch_balance()


def test_a_key_without_the_permission_is_denied(paying: Sandbox, exchange: ccxt.bitmart) -> None:
    key = paying.new_key(permissions=["read"])
    reading = connect(paying, exchange, apiKey=key["api_key"], secret=key["api_secret"], uid=key["memo"])
    with pytest.raises(ccxt.AuthenticationError, match="30012"):
        withdraw(reading, paying)


def test_too_many_requests_are_a_rate_limit_error(paying: Sandbox, exchange: ccxt.bitmart) -> None:
    hasty = connect(paying, exchange, enableRateLimit=False, apiKey=paying.new_key()["api_key"])
    for _ in range(2):
        hasty.fetch_withdraw_addresses("USDT")
    with pytest.raises(ccxt.RateLimitExceeded):
        hasty.fetch_withdraw_addresses("USDT")


def test_an_unknown_withdrawal_is_an_exchange_error(exchange: ccxt.bitmart) -> None:
    with pytest.raises(ccxt.ExchangeError, match="60010"):
        exchange.fetch_withdrawal("1")
