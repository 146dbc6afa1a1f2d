"""What the client sends is what the server reads, and the other way round; and the venue's own samples are read."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.commands import Exchange, Withdraw
from penstock.core.queries import Balances, DepositAddress, FindWithdrawals
from penstock.core.rates import Given
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.secret import Secret
from penstock.core.states import State
from penstock.venues.alphapo import client_replies as replies
from penstock.venues.alphapo import client_requests as requests
from penstock.venues.alphapo.callbacks import write_callback
from penstock.venues.alphapo.records import Status
from penstock.venues.alphapo.routes import WITHDRAWAL
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.venue import Ask, Reply, Request
from tests.venues.alphapo.test_callbacks import VECTOR, VECTOR_SIGNATURE
from tests.venues.alphapo.test_lookups import golden
from tests.venues.alphapo.world import (
    ACCOUNT,
    BTC_ADDRESS,
    KEY,
    NOW_MS,
    SECRET,
    TX_HASH,
    VENUE,
    XRP_ADDRESS,
    a_withdrawal,
    accepted,
    answer,
    make_key,
    outcome,
    sign,
)

CREDENTIALS = requests.Credentials(KEY, Secret.of(SECRET))


def arrives(sent: OutgoingRequest) -> Request:
    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers]
    return Request(sent.method, sent.path, sent.query.encode(), headers, sent.body, "127.0.0.1", NOW_MS)


def question(sent: OutgoingRequest) -> object:
    asked = outcome(arrives(sent))
    assert isinstance(asked, Ask), asked
    return asked.question


def a_withdraw(**changes: str) -> OutgoingRequest:
    fields = {"currency": "BTC", "address": BTC_ADDRESS, "foreign_id": "wd-0001", "amount": "0.5"} | changes
    return requests.withdraw(CREDENTIALS, **fields)


def test_a_withdrawal_arrives_as_it_was_meant() -> None:
    got = question(a_withdraw(currency="XRP", address=XRP_ADDRESS, tag="7", end_user_reference="ref"))
    assert isinstance(got, Withdraw)
    assert (got.request_id, got.network, got.amount, got.memo) == ("wd-0001", "ripple", 500_000, "7")


@pytest.mark.parametrize(
    "amounts, given_side, units",
    [({"amount": "25"}, Given.DEBITED, 2_500), ({"amount_to": "0.001"}, Given.RECEIVED, 100_000)],
)
def test_a_conversion_arrives_as_it_was_meant(amounts: dict[str, str], given_side: Given, units: int) -> None:
    sent = requests.withdraw(
        CREDENTIALS, currency="EUR", convert_to="BTC", address=BTC_ADDRESS, foreign_id="wd-0002", **amounts
    )
    got = question(sent)
    assert isinstance(got, Withdraw)
    assert got.conversion is not None
    assert (got.conversion.given, got.amount) == (given_side, units)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255))
def test_any_foreign_id_survives_signing_and_reading(foreign_id: str) -> None:
    sent = a_withdraw(foreign_id=foreign_id)
    asked = outcome(arrives(sent))
    if not foreign_id.strip():
        assert isinstance(asked, Reply)
        return
    got = question(sent)
    assert isinstance(got, Withdraw)
    assert got.request_id == foreign_id
    for by_query in (False, True):
        looked = question(requests.transaction(CREDENTIALS, foreign_id=foreign_id, by_query=by_query))
        assert isinstance(looked, FindWithdrawals)
        assert looked.request_ids == (foreign_id,)


@pytest.mark.parametrize("amount", ["1e5", "-1", " 1", "1.", "0x1", "NaN", "\uff11"])
def test_an_amount_that_is_no_plain_text_is_never_sent(amount: str) -> None:
    with pytest.raises(ValueError, match="plain decimal text"):
        a_withdraw(amount=amount)


def test_look_ups_arrive_as_they_were_meant() -> None:
    assert question(requests.accounts(CREDENTIALS)) == Balances(ACCOUNT)
    by_number = requests.transaction(CREDENTIALS, number=5)
    assert (by_number.method, by_number.target, by_number.body) == (
        "GET",
        "/api/v2/transactions/info",
        b'{"id":5}',
    )
    in_query = requests.transaction(CREDENTIALS, number=5, by_query=True)
    assert (in_query.target, in_query.body) == ("/api/v2/transactions/info?id=5", b"")
    assert (
        question(by_number)
        == question(in_query)
        == FindWithdrawals(ACCOUNT, 1, venue="alphapo", numbers=(5,))
    )
    taken = requests.take_address(CREDENTIALS, currency="BTC", foreign_id="u", convert_to="EUR")
    assert question(taken) == DepositAddress(ACCOUNT, "BTC", "bitcoin")


@pytest.mark.parametrize("selectors", [{}, {"number": 5, "txid": "ab"}])
def test_a_look_up_goes_by_one_name(selectors: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        requests.transaction(CREDENTIALS, **selectors)  # type: ignore[arg-type]


@pytest.mark.parametrize("amounts", [{}, {"sender_amount": "1", "receiver_amount": "1"}])
def test_an_exchange_states_one_amount(amounts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        requests.calculate(CREDENTIALS, sender_currency="EUR", receiver_currency="BTC", **amounts)


SIDES = {"sender_currency": "EUR", "receiver_currency": "BTC"}


def test_exchanges_arrive_as_they_were_meant() -> None:
    reply = outcome(arrives(requests.calculate(CREDENTIALS, **SIDES, sender_amount="25")))
    assert isinstance(reply, Reply)
    told = replies.read_calculation(reply.status, reply.body)
    assert (told.receiver_amount, told.ts_release - told.ts_fixed) == ("0.00045000", 60)
    for sent in (
        requests.exchange_now(CREDENTIALS, foreign_id="x", **SIDES, receiver_amount="0.001"),
        requests.exchange_fixed(
            CREDENTIALS, foreign_id="x", price=told.price, **SIDES, receiver_amount="0.001"
        ),
    ):
        got = question(sent)
        assert isinstance(got, Exchange)
        assert (got.request_id, got.amount, got.conversion.given) == ("x", 100_000, Given.RECEIVED)
        done = answer(arrives(sent), accepted(number=9))
        assert replies.read_exchanged(done.status, done.body).id == 9


def test_what_needs_nobody_arrives_and_is_read() -> None:
    for sent, read in (
        (requests.currencies(CREDENTIALS), replies.read_currencies),
        (requests.pairs(CREDENTIALS, "EUR", "BTC"), replies.read_pairs),
        (requests.rates(CREDENTIALS), replies.read_pairs),
        (requests.ping(), replies.read_ping),
    ):
        reply = outcome(arrives(sent))
        assert isinstance(reply, Reply)
        assert read(reply.status, reply.body)


def test_a_request_does_not_show_its_key_or_signature() -> None:
    sent = a_withdraw()
    for value in (*dict(sent.headers).values(), SECRET):
        assert value == "application/json" or value not in repr(sent)
    assert SECRET not in repr(CREDENTIALS)


def test_a_withdrawal_that_was_taken_is_read() -> None:
    reply = answer(arrives(a_withdraw()), accepted())
    created = replies.read_created(reply.status, reply.body)
    assert (created.id, created.foreign_id, created.status) == (678388, "wd-0001", "processing")


def test_every_golden_reply_is_read() -> None:
    told = replies.read_transaction(200, golden("info_converted"))
    assert told.currency_sent == replies.Money("EUR", "25.00000000")
    assert told.crypto_address is not None
    assert told.crypto_address.address == BTC_ADDRESS
    assert [row.txid for row in told.transactions] == [TX_HASH, None]
    assert told.fees == (replies.Fee("mining", "EUR", "0.56000000"),)
    assert replies.read_transaction(200, golden("info_pending")).status is Status.PENDING
    assert replies.read_transaction(200, golden("info_exchange")).crypto_address is None
    assert replies.read_accounts(200, golden("accounts"))[1].balance == "1.000000000000000001"
    assert replies.read_currencies(200, golden("currencies"))[0].minimum_amount == "0.00010000"
    assert replies.read_pairs(200, golden("pairs"))[0].rate_to == "0.000018000000"
    assert replies.read_address(201, golden("address_with_tag")).tag == 4294967295


def test_a_sample_with_numbers_for_texts_is_read_by_its_digits() -> None:
    sample = {
        "id": 1,
        "foreign_id": "20",
        "type": "withdrawal_exchange",
        "crypto_address": {"id": 1, "currency": "EUR", "convert_to": "BTC", "address": "1K2b", "tag": None},
        "currency_sent": {"currency": "EUR", "amount": "381"},
        "transactions": [
            {
                "id": 1,
                "currency": "EUR",
                "currency_to": "BTC",
                "transaction_type": "exchange",
                "type": "exchange",
            },
            {
                "id": 1,
                "currency": "BTC",
                "transaction_type": "blockchain",
                "type": "withdrawal",
                "address": "1K2b",
                "tag": None,
                "amount": 0,
                "txid": "aa",
                "confirmations": 3,
            },
        ],
        "fees": [],
        "error": "",
        "status": "confirmed",
    }
    sample["transactions"][0] |= {"amount": 381, "amount_to": 0.5}  # type: ignore[index]
    body = json.dumps(sample).replace('"amount": 0,', '"amount": 0.10882300,').encode()
    rows = replies.read_transaction(200, body).transactions
    assert [row.amount for row in rows] == [Decimal(381), Decimal("0.10882300")]
    assert rows[1].confirmations == 3


# --- errors ------------------------------------------------------------------------------------------------


def error_of(reply: Reply) -> replies.VenueError:
    with pytest.raises(replies.VenueError) as caught:
        replies.read_created(reply.status, reply.body)
    return caught.value


def test_a_refusal_is_raised_with_all_it_says_and_is_definite() -> None:
    error = error_of(VENUE.refuse(Refused(RefusalCode.BALANCE_TOO_LOW), WITHDRAWAL))
    assert (error.code, error.http_status) == ("amount", 400)
    assert error.message == "amount: Not enough money on balance"
    assert not error.outcome_unknown
    several = error_of(Reply(400, (), b'{"errors":{"amount":"a","currency":"b"}}'))
    assert (several.code, several.fields) == ("amount,currency", {"amount": "a", "currency": "b"})
    signed = error_of(Reply(403, (), b'{"error":"Bad signature header","code":"bad_header_signature"}'))
    assert (signed.code, signed.message) == ("bad_header_signature", "Bad signature header")
    taken = error_of(VENUE.refuse(Refused(RefusalCode.REQUEST_ID_TAKEN), WITHDRAWAL))
    assert (taken.is_taken, error.is_taken) == (True, False)


@pytest.mark.parametrize(
    "status, body",
    [
        (500, VENUE.in_doubt(WITHDRAWAL).body),
        (503, VENUE.unavailable(WITHDRAWAL).body),
        (500, b'{"errors":{"amount":"x"}}'),
        (502, b"<html>Bad gateway</html>"),
        (429, b"error code: 1015"),
        (201, b""),
        (201, b'{"data":{}}'),
        (201, b'{"data":{"id":"5"}}'),
        (201, b"[" * 100_000),
        (400, b'{"errors":{}}'),
        (400, b'{"errors":{"amount":["x"]}}'),
        (302, b""),
        (403, b"\xff"),
        (504, b'{"data":{"id":5}}'),
    ],
)
def test_an_answer_that_is_no_answer_leaves_the_outcome_unknown(status: int, body: bytes) -> None:
    assert error_of(Reply(status, (), body)).outcome_unknown


# --- callbacks ---------------------------------------------------------------------------------------------


def test_the_callback_vector_is_believed() -> None:
    told = replies.read_callback(
        {"x-processing-signature": VECTOR_SIGNATURE.decode(), "Content-Type": "application/json"},
        VECTOR,
        Secret.of(SECRET),
    )
    assert (told.id, told.status, told.foreign_id) == (2686572, Status.CONFIRMED, "wd-0001")


def test_what_the_server_tells_is_believed_and_nothing_else_is() -> None:
    sent = write_callback(a_withdrawal(), State.CONFIRMED, State.MINED, make_key())
    assert sent is not None
    headers = {name.decode(): value.decode() for name, value in sent.headers}
    assert replies.read_callback(headers, sent.body, Secret.of(SECRET)).id == 678388
    signed = headers["X-Processing-Signature"]
    wrong = [
        (headers, sent.body + b" ", SECRET),
        (headers, sent.body, "another"),
        ({}, sent.body, SECRET),
        (headers | {"x-processing-signature": signed}, sent.body, SECRET),
        (headers | {"X-Processing-Signature": "é" * 64}, sent.body, SECRET),
        (headers | {"X-Processing-Signature": ""}, sent.body, SECRET),
    ]
    for some, body, secret in wrong:
        with pytest.raises(replies.CallbackRefused, match="signature"):
            replies.read_callback(some, body, Secret.of(secret))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"id":1,"type":"deposit","status":"sent"}', b"\xff"])
def test_a_signed_body_that_is_no_transaction_is_refused(body: bytes) -> None:
    with pytest.raises(replies.CallbackRefused, match="no transaction"):
        replies.read_callback({"X-Processing-Signature": sign(body)}, body, Secret.of(SECRET))
