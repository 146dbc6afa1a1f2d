"""BitMart's own Python SDK, unchanged but for its URL, against a real server that pays on a real node."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from bitmart.api_account import APIAccount
from bitmart.lib.cloud_exceptions import APIException

from tests.acceptance.sandbox_process import LOOK_EVERY_S, Sandbox
from tests.nodes import Anvil

pytestmark = pytest.mark.xdist_group("paying")

PAID_S_MAX = 30.0
CREATED, DONE = 0, 3


def connect(sandbox: Sandbox, key: dict[str, str]) -> APIAccount:
    return APIAccount(key["api_key"], key["api_secret"], key["memo"], url=sandbox.url, timeout=(5, 20))


@pytest.fixture
def account(paying: Sandbox) -> APIAccount:
    """With a key of its own, because the SDK does not wait between its calls."""
    return connect(paying, paying.new_key())


def data(answer: tuple[dict[str, Any], Any]) -> dict[str, Any]:
    body, limit = answer
    assert (body["code"], body["message"]) == (1000, "OK"), body
    assert int(limit["Remaining"]) <= int(limit["Limit"])
    return dict(body["data"])


def refusal(raised: pytest.ExceptionInfo[APIException]) -> tuple[int, int]:
    return raised.value.status_code, json.loads(raised.value.response)["code"]


def until_over(account: APIAccount, withdraw_id: str) -> dict[str, Any]:
    ends_s = time.monotonic() + PAID_S_MAX
    while True:
        record = data(account.get_deposit_withdraw_detail(withdraw_id))["record"]
        if record["status"] >= DONE or time.monotonic() > ends_s:
            return dict(record)
        time.sleep(5 * LOOK_EVERY_S)


def available(sandbox: Sandbox, number: str, asset: str = "USDT") -> int:
    found = sandbox.rows(
        "SELECT b.available FROM balances b JOIN accounts a USING (account_id) "
        "WHERE a.account_number = ? AND b.asset = ? AND b.wallet = 'spot'",
        number,
        asset,
    )
    return int(found[0][0]) if found else 0


def test_a_withdrawal_to_the_chain_is_paid_net_of_the_fee(
    paying: Sandbox, node: Anvil, account: APIAccount
) -> None:
    entry, contract = paying.entry("USDT-ERC20"), paying.contract("USDT")
    before = node.token_balance(contract, entry["address"])
    made = data(account.post_withdraw_apply("USDT-ERC20", "41.25", "To Digital Address", entry["address"]))
    record = until_over(account, made["withdraw_id"])
    assert (record["status"], record["arrival_amount"], record["fee"]) == (DONE, "38.25", "3")
    assert node.token_balance(contract, entry["address"]) - before == 38_250_000
    receipt = node.ask("eth_getTransactionReceipt", record["tx_id"])
    assert (int(receipt["status"], 16), receipt["to"]) == (1, contract.lower())


def test_the_fund_wallet_pays_when_asked_to(paying: Sandbox, account: APIAccount) -> None:
    wallet = "SELECT available FROM balances WHERE account_id = ? AND asset = 'USDT' AND wallet = 'fund'"
    ((before,),) = paying.rows(wallet, paying.account_id)
    address = paying.entry("USDT-ERC20")["address"]
    made = data(account.post_withdraw_apply("USDT-ERC20", "20", None, address, source_account="FUND"))
    assert until_over(account, made["withdraw_id"])["status"] == DONE
    ((after,),) = paying.rows(wallet, paying.account_id)
    assert int(before) - int(after) == 20_000_000


@pytest.mark.parametrize(
    "kind, named",
    [(1, "recipient_cid"), (2, "recipient_email"), (3, "recipient_phone")],
)
def test_a_withdrawal_to_another_account_arrives_whole_and_at_once(
    paying: Sandbox, account: APIAccount, kind: int, named: str
) -> None:
    recipient = paying.bitmart["recipient_cid"]
    before = available(paying, recipient)
    value, area_code = paying.bitmart[named], None
    if kind == 3:
        area_code, value = value.removeprefix("+").split(" ")
    made = data(
        account.post_withdraw_apply("USDT-ERC20", "12.5", type=kind, value=value, area_code=area_code)
    )
    record = data(account.get_deposit_withdraw_detail(made["withdraw_id"]))["record"]
    assert (record["status"], record["arrival_amount"], record["fee"]) == (DONE, "12.5", "0")
    assert (record["address"], record["tx_id"]) == (value if kind != 3 else f"+{area_code} {value}", "")
    assert available(paying, recipient) - before == 12_500_000


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"amount": "0.1"}, (400, 60005)),
        ({"amount": "20.1234567"}, (400, 60006)),
        ({"address": "0x" + "12" * 20}, (400, 60007)),
        ({"address": "0x12"}, (400, 60011)),
        ({"currency": "NOPE"}, (400, 60002)),
        ({"currency": "USDT-SOL"}, (400, 60004)),
        ({"address": None, "type": 1, "value": "1234"}, (403, 60053)),
        ({"address": None, "type": 2, "value": "nobody@sandbox.example"}, (403, 60053)),
        ({"address": None, "type": 1, "value": "876940329"}, (403, 60065)),
        ({"address": None}, (400, 60000)),
    ],
)
def test_a_refusal_raises_with_the_venues_status_and_code(
    paying: Sandbox, account: APIAccount, changes: dict[str, Any], expected: tuple[int, int]
) -> None:
    asked = {"currency": "USDT-ERC20", "amount": "20", "address": paying.entry("USDT-ERC20")["address"]}
    before = paying.rows("SELECT count(*) FROM withdrawals")
    with pytest.raises(APIException) as raised:
        account.post_withdraw_apply(**(asked | changes))
    assert refusal(raised) == expected
    assert paying.rows("SELECT count(*) FROM withdrawals") == before


def test_history_and_detail_tell_the_same(paying: Sandbox, account: APIAccount) -> None:
    address = paying.entry("USDT-ERC20")["address"]
    made = data(account.post_withdraw_apply("USDT-ERC20", "30", None, address))
    detail = until_over(account, made["withdraw_id"])
    records = data(account.get_deposit_withdraw_history_v2("withdraw", 100, "USDT-ERC20"))["records"]
    assert [record for record in records if record["withdraw_id"] == made["withdraw_id"]] == [detail]


def test_a_transfer_stands_in_the_recipients_history_as_a_deposit(
    paying: Sandbox, account: APIAccount
) -> None:
    recipient = paying.bitmart["recipient_cid"]
    data(account.post_withdraw_apply("USDT-ERC20", "17.75", type=1, value=recipient))
    number = "SELECT account_id FROM accounts WHERE account_number = ?"
    ((recipient_id,),) = paying.rows(number, recipient)
    receiving = connect(paying, paying.new_key(account_id=recipient_id))
    records = data(receiving.get_deposit_withdraw_history_v2("deposit", 100))["records"]
    (record,) = [found for found in records if found["arrival_amount"] == "17.75"]
    assert (record["status"], record["withdraw_id"]) == (DONE, "")


def test_wallets_currencies_quota_and_addresses_are_read(paying: Sandbox, account: APIAccount) -> None:
    wallet = {line["currency"]: line for line in data(account.get_wallet())["wallet"]}
    assert set(wallet) == {"BTC", "ETH", "USDT", "USDC", "BNB", "TRX", "SOL", "XRP"}
    listed = data(account.get_currencies("USDT-ERC20,NOPE"))["currencies"]
    assert [(line["currency"], line["withdraw_fee"]) for line in listed] == [("USDT-ERC20", "3")]
    charge = data(account.get_withdraw_charge("USDT-ERC20"))
    assert (charge["min_withdraw"], charge["withdraw_fee"], charge["withdraw_precision"]) == ("10", "3", 6)
    deposit = data(account.get_deposit_address("USDT-ERC20"))
    assert (deposit["currency"], deposit["address_memo"]) == ("USDT-ERC20", "")
    book = data(account.get_withdraw_address())["list"]
    assert paying.entry("USDT-ERC20")["address"] in {entry["address"] for entry in book}


def test_a_wrong_secret_and_an_unknown_key_are_told_apart(paying: Sandbox) -> None:
    key = paying.new_key()
    for changes, code in (({"api_secret": "wrong"}, 30005), ({"api_key": "unknown"}, 30002)):
        with pytest.raises(APIException) as raised:
            connect(paying, key | changes).post_withdraw_apply("USDT-ERC20", "20", None, "0x12")
        assert refusal(raised) == (401, code)
