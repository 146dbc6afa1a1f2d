"""What the client sends, the venue takes; what the venue answers, the client reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.commands import Withdraw
from penstock.core.queries import Account, Balances, FindWithdrawals
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.secret import Secret
from penstock.core.time import UnixMs
from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.edgex import client_replies as replies
from penstock.venues.edgex import client_requests as requests
from penstock.venues.edgex.routes import CREATE_WITHDRAW
from penstock.venues.venue import Ask, Reply, Request
from tests.venues.edgex.world import (
    ACCOUNT,
    ACCOUNT_ID,
    ERC20_ADDRESS,
    ETH_ADDRESS,
    NOW_MS,
    PRIVATE,
    RISK,
    TESTNET_ASSET,
    TRACE,
    VENUE,
    outcome,
)

GOLDEN = Path(__file__).parent / "golden"
CREDENTIALS = requests.Credentials(ACCOUNT_ID, Secret.of(f"{PRIVATE:064x}"))
COIN = replies.CoinFacts(
    coin_id="1000",
    name="USDT",
    stark_asset_id=TESTNET_ASSET,
    decimals=6,
    contract=ERC20_ADDRESS,
    chain="ethereum",
    chain_id="11155111",
    minimum="5",
    withdraw_enabled=True,
)


def received(sent: OutgoingRequest) -> Request:
    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers]
    path, _, query = sent.target.partition("?")
    return Request(sent.method, path, query.encode(), headers, sent.body, "127.0.0.1", NOW_MS)


def created(**changes: object) -> OutgoingRequest:
    fields: dict[str, object] = {
        "coin": COIN,
        "amount": "10.000000",
        "eth_address": ETH_ADDRESS,
        "client_id": "client_withdraw_123",
        "risk_signature": RISK,
    }
    return requests.create_withdraw(CREDENTIALS, NOW_MS, **(fields | changes))  # type: ignore[arg-type]


ids = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=",&="), min_size=1, max_size=128
)


@settings(max_examples=40, deadline=None)
@given(ids, st.integers(min_value=1, max_value=2**64 - 1))
def test_any_withdrawal_of_the_client_is_taken(client_id: str, quanta: int) -> None:
    amount = f"{quanta // 10**6}.{quanta % 10**6:06}"
    asked = outcome(received(created(client_id=client_id, amount=amount)))
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, Withdraw)
    assert (asked.question.request_id, asked.question.amount) == (client_id, quanta)


def test_a_withdrawal_signs_for_two_weeks_in_full_hours() -> None:
    members = json.loads(created().body)
    expires = int(members["l2ExpireTime"])
    assert expires % 3_600_000 == 0
    assert expires == (NOW_MS // 3_600_000 + 14 * 24) * 3_600_000


@settings(max_examples=25, deadline=None)
@given(ids)
def test_any_client_id_can_be_asked_for(client_id: str) -> None:
    asked = outcome(received(requests.withdraw_by_client_id(CREDENTIALS, NOW_MS, [client_id, "other"])))
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, FindWithdrawals)
    assert asked.question.request_ids == tuple(dict.fromkeys((client_id, "other")))


def test_every_reading_request_is_taken() -> None:
    found = {
        sent.path: outcome(received(sent))
        for sent in (
            requests.withdraw_by_id(CREDENTIALS, NOW_MS, ["1", "2"]),
            requests.active_withdraw(
                CREDENTIALS,
                NOW_MS,
                size=5,
                coin_ids=["1000"],
                statuses=["SUCCESS_L2_APPROVED", "PENDING_CENSORING"],
                from_ms=1,
                before_ms=2,
            ),
            requests.withdraw_available(CREDENTIALS, NOW_MS, "1000"),
            requests.transfer_available(CREDENTIALS, NOW_MS, "1000"),
            requests.account_asset(CREDENTIALS, NOW_MS),
            requests.account_by_id(CREDENTIALS, NOW_MS),
            requests.normal_withdraw_by_id(CREDENTIALS, NOW_MS, []),
        )
    }
    assert len(found) == 7
    questions = [asked.question for asked in found.values() if isinstance(asked, Ask)]
    assert len(questions) == 7
    assert {type(question) for question in questions} == {FindWithdrawals, Balances, Account}
    assert all(question.account_id == ACCOUNT for question in questions)


def test_public_requests_carry_no_signature() -> None:
    for sent in (requests.server_time(), requests.meta_data()):
        assert sent.headers == ()
        assert isinstance(outcome(received(sent)), Reply)


@pytest.mark.parametrize("amount", ["0", "0.0000001", "-1", "1e1", "", str(2**64)])
def test_an_amount_that_cannot_be_signed_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="not an amount of USDT"):
        created(amount=amount)


@pytest.mark.parametrize(
    "address", ["", "0x", ETH_ADDRESS.upper(), ETH_ADDRESS.replace("f", "F", 1), ETH_ADDRESS + "0"]
)
def test_an_address_that_was_mistyped_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"not an Ethereum address|mistyped"):
        created(eth_address=address)


def test_nothing_secret_shows() -> None:
    assert f"{PRIVATE:x}" not in repr(CREDENTIALS)
    sent = created()
    assert dict(sent.headers)["X-edgeX-Api-Signature"] not in repr(sent)


# --- replies -------------------------------------------------------------------------------------------------


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def test_the_venues_answers_are_read() -> None:
    (record,) = replies.read_records(200, golden("by_client_id"))
    assert (record.id, record.status) == ("563516408235819790", replies.Status.APPROVED)
    page = replies.read_page(200, golden("active_more"))
    assert (len(page.data_list), len(page.next_page_offset_data)) == (1, 32)
    (row,) = replies.read_collateral(200, golden("account_asset"))
    assert (row.coin_id, row.total_equity, row.available_amount) == ("1000", "100.000001", "90.000000")
    assert replies.read_server_time(200, golden("server_time")) == NOW_MS
    assert replies.read_withdraw_id(200, golden("create_withdraw")) == "563516408235819790"
    assert replies.read_coins(200, golden("metadata")) == (COIN,)
    assert replies.read_anything(200, golden("available")) == {"availableAmount": "90.000000"}


def test_a_refusal_is_read_with_its_code_and_trace() -> None:
    reply = VENUE.refuse(Refused(RefusalCode.EXCLUSIVE_TAKEN, mark="7"), CREATE_WITHDRAW)
    with pytest.raises(VenueError) as caught:
        replies.read_withdraw_id(reply.status, reply.body)
    assert (caught.value.code, caught.value.trace) == ("L2_NONCE_COLLISION", TRACE)
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("reply", [VENUE.in_doubt(CREATE_WITHDRAW), VENUE.unavailable(CREATE_WITHDRAW)])
def test_an_answer_of_the_servers_own_trouble_leaves_the_outcome_open(reply: Reply) -> None:
    with pytest.raises(VenueError) as caught:
        replies.read_withdraw_id(reply.status, reply.body)
    assert caught.value.outcome_unknown


def test_the_time_a_request_is_signed_for_is_its_own() -> None:
    late = requests.account_by_id(CREDENTIALS, NOW_MS - 60_000)
    assert isinstance(outcome(received(late)), Ask)
    too_late = requests.account_by_id(CREDENTIALS, UnixMs(NOW_MS - 60_001))
    assert isinstance(outcome(received(too_late)), Reply)
