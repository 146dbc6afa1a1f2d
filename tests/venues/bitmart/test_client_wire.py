from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.acts import AddressKind
from penstock.core.commands import RecipientKind, Transfer, Withdraw
from penstock.core.queries import DepositHistory, DepositOrWithdrawalById
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.secret import Secret
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.venues.bitmart import client_replies as replies
from penstock.venues.bitmart import client_requests as requests
from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.venue import Ask, Reply, Request
from tests.venues.bitmart.world import (
    ACCOUNT,
    APPLY,
    EVM_ADDRESS,
    KEY,
    MEMO,
    NOW_MS,
    SECRET,
    TRACE,
    VENUE,
    answer,
    outcome,
)

CREDENTIALS = requests.Credentials(KEY, Secret.of(SECRET), MEMO)
GOLDEN = Path(__file__).parent / "golden"


def arrives(sent: OutgoingRequest) -> Request:
    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers]
    return Request(sent.method, sent.path, sent.query.encode(), headers, sent.body, "127.0.0.1", NOW_MS)


def question(sent: OutgoingRequest) -> object:
    asked = outcome(arrives(sent))
    assert isinstance(asked, Ask), asked
    return asked.question


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def test_a_withdrawal_arrives_as_it_was_meant() -> None:
    sent = requests.withdraw_to_address(
        CREDENTIALS,
        NOW_MS,
        currency="USDT-ERC20",
        amount="100.5",
        address=EVM_ADDRESS,
        remark="備註",
        source="FUND",
    )
    got = question(sent)
    assert isinstance(got, Withdraw)
    assert (got.network, got.amount, got.address, got.remark) == (
        "ethereum",
        100_500_000,
        EVM_ADDRESS,
        "備註",
    )
    assert got.wallets == ("fund",)


@pytest.mark.parametrize(
    "kind, value, area_code, recipient",
    [
        (RecipientKind.ACCOUNT_NUMBER, "876940329", "", "876940329"),
        (RecipientKind.EMAIL, "bob@example.com", "", "bob@example.com"),
        (RecipientKind.PHONE, "412345678", "61", "+61 412345678"),
    ],
)
def test_a_transfer_arrives_as_it_was_meant(
    kind: RecipientKind, value: str, area_code: str, recipient: str
) -> None:
    sent = requests.withdraw_to_account(
        CREDENTIALS, NOW_MS, currency="USDT", amount="1", kind=kind, value=value, area_code=area_code
    )
    got = question(sent)
    assert isinstance(got, Transfer)
    assert (got.recipient_kind, got.recipient, got.amount) == (kind, recipient, 1_000_000)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_any_remark_survives_signing_and_reading(remark: str) -> None:
    sent = requests.withdraw_to_address(
        CREDENTIALS, NOW_MS, currency="ETH", amount="1", address=EVM_ADDRESS, remark=remark
    )
    got = question(sent)
    assert isinstance(got, Withdraw)
    assert got.remark == remark


@pytest.mark.parametrize("amount", ["1e5", "-1", "", " 1", "1.", "0x1", "NaN", "１"])  # noqa: RUF001 - full-width on purpose
def test_an_amount_that_is_no_plain_text_is_never_sent(amount: str) -> None:
    with pytest.raises(ValueError, match="plain decimal text"):
        requests.withdraw_to_address(CREDENTIALS, NOW_MS, currency="ETH", amount=amount, address=EVM_ADDRESS)


def test_queries_arrive_as_they_were_meant() -> None:
    sent = requests.history(
        CREDENTIALS, requests.Operation.DEPOSIT, limit=5, currency="USDT", from_ms=5, to_ms=9
    )
    assert sent.target == (
        "/account/v2/deposit-withdraw/history?operation_type=deposit&N=5&currency=USDT&startTime=5&endTime=9"
    )
    assert question(sent) == DepositHistory(ACCOUNT, "USDT", None, UnixMs(5), UnixMs(9), 5)
    assert question(requests.detail(CREDENTIALS, "42")) == DepositOrWithdrawalById(ACCOUNT, 42)


@pytest.mark.parametrize(
    "sent",
    [
        requests.charge(CREDENTIALS, "BTC"),
        requests.account_wallet(CREDENTIALS, "BTC", usd=True),
        requests.spot_wallet(CREDENTIALS),
        requests.deposit_address(CREDENTIALS, "BTC"),
        requests.address_list(CREDENTIALS),
        requests.history(CREDENTIALS, requests.Operation.WITHDRAW),
        requests.currencies(["BTC", "USDT-TRC20"]),
        requests.server_time(),
    ],
    ids=lambda sent: sent.path,
)
def test_every_request_is_understood(sent: OutgoingRequest) -> None:
    found = outcome(arrives(sent))
    assert isinstance(found, Ask) or found.status == 200


def test_a_request_does_not_show_its_key_or_signature() -> None:
    sent = requests.withdraw_to_address(CREDENTIALS, NOW_MS, currency="ETH", amount="1", address=EVM_ADDRESS)
    for value in (*dict(sent.headers).values(), SECRET):
        if value != "application/json":
            assert value not in repr(sent)
            assert value not in repr(CREDENTIALS).replace(KEY, "") or value == KEY


def test_an_accepted_withdrawal_gives_its_id() -> None:
    sent = requests.withdraw_to_address(CREDENTIALS, NOW_MS, currency="ETH", amount="1", address=EVM_ADDRESS)
    reply = answer(arrives(sent), Accepted(121212, UnixMs(0), repeated=False))
    assert replies.read_withdraw_id(reply.status, reply.body) == "121212"


def test_a_record_is_read() -> None:
    assert replies.read_detail(200, golden("detail")) == replies.Record(
        record_id="380000000000000001",
        operation=requests.Operation.WITHDRAW,
        currency="USDT-ERC20",
        applied_ms=NOW_MS,
        arrival="99",
        fee="1",
        status=replies.Status.CREATED,
        address=EVM_ADDRESS,
        memo="",
        tx_id="",
    )


def test_every_golden_reply_is_read() -> None:
    assert [record.record_id[-1] for record in replies.read_history(200, golden("history_withdraw"))] == [
        "2",
        "1",
    ]
    assert replies.read_history(200, golden("history_deposit"))[0].operation is requests.Operation.DEPOSIT
    assert replies.read_charge(200, golden("charge")) == replies.Charge("1.5", "10", 6, "0.3", 10)
    assert replies.read_account_wallet(200, golden("account_wallet"))[1] == replies.Balance(
        "XRP", "XRP", "0", "20", None
    )
    assert replies.read_account_wallet(200, golden("account_wallet_valued"))[0].usd == "2.50"
    assert replies.read_spot_wallet(200, golden("spot_wallet"))[1].held == "100"
    assert replies.read_deposit_address(200, golden("deposit_address")).chain == "USDT-TRC20"
    assert [entry.kind for entry in replies.read_address_list(200, golden("address_list"))] == [
        AddressKind.STANDARD,
        AddressKind.STANDARD,
        AddressKind.UNIVERSAL,
        AddressKind.EVM,
    ]
    assert replies.read_currencies(200, golden("currencies"))[2].minimum == "10"
    assert replies.read_server_time(200, golden("server_time")) == NOW_MS


def error_of(reply: Reply) -> VenueError:
    with pytest.raises(VenueError) as caught:
        replies.read_withdraw_id(reply.status, reply.body)
    return caught.value


def test_a_refusal_is_raised_with_all_it_says_and_is_definite() -> None:
    error = error_of(VENUE.refuse(Refused(RefusalCode.BALANCE_TOO_LOW), APPLY))
    assert (error.code, error.message, error.http_status) == (60008, "Balance not enough", 400)
    assert error.trace == TRACE
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    "status, body",
    [
        (500, VENUE.in_doubt(APPLY).body),
        (503, VENUE.unavailable(APPLY).body),
        (502, b"<html>Bad gateway</html>"),
        (200, b""),
        (200, b'{"code":1000}'),
        (200, b'{"code":1000,"message":"OK","data":{}}'),
        (200, b'{"code":1000,"message":"OK","data":{"withdraw_id":5}}'),
        (200, b'{"code":"1000","message":"OK","data":{"withdraw_id":"5"}}'),
        (504, b'{"code":1000,"message":"OK","data":{"withdraw_id":"5"}}'),
        (403, b"\xff"),
    ],
)
def test_an_answer_that_is_no_answer_leaves_the_outcome_unknown(status: int, body: bytes) -> None:
    assert error_of(Reply(status, (), body)).outcome_unknown


def test_the_venues_own_sample_record_is_read() -> None:
    record = {
        "withdraw_id": "1679952",
        "deposit_id": "",
        "operation_type": "withdraw",
        "currency": "BMX",
        "apply_time": 1588867374000,
        "arrival_amount": "59.000000000000",
        "fee": "1.000000000000",
        "status": 0,
        "address": "0xe57b69a8776b37860407965B73cdFFBDFe668Bb5",
        "address_memo": "",
        "tx_id": "",
    }
    body = json.dumps({"code": 1000, "message": "OK", "trace": "x", "data": {"record": record}}).encode()
    found = replies.read_detail(200, body)
    assert msgspec.to_builtins(found)["arrival"] == "59.000000000000"
