"""The client at AlphaPo, in front of a fake that answers in the served dialect. Both clients run every test."""

from __future__ import annotations

import hashlib
import hmac
import json
import traceback
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from penstock.client import (
    BadReply,
    Balance,
    DepositAddress,
    NoAnswer,
    NotOffered,
    OutcomeUnknown,
    Status,
    VenueRefused,
    connect,
)
from penstock.client.alphapo import ENTRY, CallbackRefused, verify_callback
from penstock.core.secret import Secret
from penstock.core.states import State
from penstock.venues.alphapo.callbacks import write_callback
from penstock.venues.alphapo.client_replies import Transaction
from tests.client.caller import Caller
from tests.client.fake_alphapo import make_caller
from tests.venues.alphapo.test_lookups import golden
from tests.venues.alphapo.world import (
    BTC_ADDRESS,
    EVM_ADDRESS,
    KEY,
    NOW_MS,
    SECRET,
    TX_HASH,
    a_withdrawal,
    make_key,
    sign,
)

CREATE, INFO = "/withdrawal/crypto", "/transactions/info"
LOST = httpx2.ReadTimeout("no answer")


def body_of(caller: Caller) -> Any:
    """What the last request says."""
    return caller.fake.seen[-1].members


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return make_caller(request.param)


PAYMENT = ("BTC", "0.0002", BTC_ADDRESS)


# --- withdrawing -------------------------------------------------------------------------------------------


def test_a_withdrawal_is_one_request_signed_over_its_body(caller: Caller) -> None:
    sent = caller.call("withdraw", *PAYMENT, request_id="wd-1", remark="user-42")
    (seen,) = caller.fake.seen
    assert (sent.withdrawal_id, sent.request_id, sent.sent_at_ms) == ("1", "wd-1", NOW_MS)
    assert (seen.method, seen.path) == ("POST", "/api/v2" + CREATE)
    assert json.loads(seen.body) == {
        "currency": "BTC",
        "amount": "0.0002",
        "address": BTC_ADDRESS,
        "foreign_id": "wd-1",
        "end_user_reference": "user-42",
    }
    assert seen.headers["x-processing-key"] == KEY
    expected = hmac.new(SECRET.encode(), seen.body, hashlib.sha512).hexdigest()
    assert seen.headers["x-processing-signature"] == expected
    assert seen.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "debited, amount, told",
    [(True, "25", {"amount": "25"}), (False, "0.0005", {"amount_to": "0.0005"})],
)
def test_a_conversion_names_both_currencies_and_the_side_of_its_amount(
    caller: Caller, debited: bool, amount: str, told: dict[str, str]
) -> None:
    caller.call("withdraw", "BTC", amount, BTC_ADDRESS, debit_currency="EUR", debited=debited, request_id="a")
    assert body_of(caller) == {
        "currency": "EUR",
        "convert_to": "BTC",
        "address": BTC_ADDRESS,
        "foreign_id": "a",
        **told,
    }


def test_an_id_is_made_and_told_where_the_caller_gives_none(caller: Caller) -> None:
    ids = [caller.call("withdraw", *PAYMENT).request_id for _ in range(2)]
    assert ids == list(caller.fake.made)
    assert len(set(ids)) == 2
    assert all(len(one) == len("penstock-") + 32 for one in ids)


@pytest.mark.parametrize(
    "currency, network, code",
    [
        ("USDT", "tron", "USDTT"),
        ("USDT", "TRC20", "USDTT"),
        ("USDT", "ethereum", "USDTE"),
        ("USDT", "bsc", "USDTB"),
        ("USDTB", "bep20", "USDTB"),
        ("USDC", "ERC20", "USDC"),
        ("BNB", "bsc", "BNB-BSC"),
        ("BTC", "bitcoin", "BTC"),
    ],
)
def test_a_coin_and_a_network_become_the_venues_code(
    caller: Caller, currency: str, network: str, code: str
) -> None:
    prepared = caller.call("prepare", currency, "1", EVM_ADDRESS, network=network)
    assert prepared.payment.currency == code
    assert not caller.fake.seen


@pytest.mark.parametrize("network", ["solana", "bitcoin"])
def test_a_coin_that_has_no_code_there_sends_nothing(caller: Caller, network: str) -> None:
    with pytest.raises(ValueError, match=r"USDTT \(tron\)"):
        caller.call("withdraw", "USDT", "1", EVM_ADDRESS, network=network)
    assert not caller.fake.seen


@pytest.mark.parametrize(
    "method, named",
    [
        ("withdraw", {"wallet": "fund"}),
        ("withdraw_to_account", {}),
        ("withdrawals", {}),
        ("addresses", {}),
        ("fee", {}),
    ],
)
def test_what_the_venue_does_not_have_is_not_offered_and_sends_nothing(
    caller: Caller, method: str, named: dict[str, str]
) -> None:
    arguments = {"withdraw": PAYMENT, "withdraw_to_account": ("BTC", "1", "5"), "fee": ("BTC",)}
    with pytest.raises(NotOffered):
        caller.call(method, *arguments.get(method, ()), **named)
    assert not caller.fake.seen


def test_a_refusal_names_its_field_and_keeps_the_venues_words(caller: Caller) -> None:
    with pytest.raises(VenueRefused) as caught:
        caller.call("withdraw", "BTC", "0.00000001", BTC_ADDRESS)
    assert (caught.value.code, caught.value.http_status) == ("amount", 400)
    assert caught.value.message == "amount: The amount must be at least 0.0001."


def test_an_id_of_the_callers_that_is_taken_is_a_refusal(caller: Caller) -> None:
    caller.call("withdraw", *PAYMENT, request_id="mine")
    with pytest.raises(VenueRefused, match="already been taken"):
        caller.call("withdraw", "BTC", "5", BTC_ADDRESS, request_id="mine")
    assert len(caller.fake.made) == 1


def test_an_id_made_here_that_is_taken_came_in_on_another_way_and_is_found(caller: Caller) -> None:
    caller.fake.then_twice()
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *PAYMENT)
    assert caught.value.code == "foreign_id"
    found = caller.call("resolve", caught.value)
    assert (found.conclusive, [one.withdrawal_id for one in found.candidates]) == (True, ["1"])


@pytest.mark.parametrize(
    "status, body",
    [
        (500, b'{"error":"x","code":"outcome_unknown"}'),
        (502, b"<html>Bad Gateway</html>"),
        (201, b""),
        (201, b'{"data":{"id":5}}'),
        (201, b"[" * 50_000),
        (429, b"error code: 1015"),
        (302, b""),
    ],
)
def test_an_answer_that_says_neither_yes_nor_no_is_in_doubt_and_not_repeated(
    caller: Caller, status: int, body: bytes
) -> None:
    caller.fake.then(status, body, location="https://elsewhere.example/")
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *PAYMENT)
    assert len(caller.fake.seen) == 1
    assert caught.value.http_status == status


def test_an_answer_about_another_withdrawal_is_in_doubt(caller: Caller) -> None:
    other = golden_created("another")
    caller.fake.then(201, other)
    with pytest.raises(OutcomeUnknown, match="another foreign_id"):
        caller.call("withdraw", *PAYMENT, request_id="mine")


def golden_created(foreign_id: str) -> bytes:
    return json.dumps(
        {
            "data": {
                "id": 1,
                "foreign_id": foreign_id,
                "type": "withdrawal",
                "status": "processing",
                "amount": "1",
                "sender_amount": "1",
                "sender_currency": "BTC",
                "receiver_currency": "BTC",
                "receiver_amount": "1",
            }
        }
    ).encode()


# --- after a lost answer -----------------------------------------------------------------------------------


def unknown_of(caller: Caller, *, arrived: bool) -> OutcomeUnknown:
    caller.fake.then_lose(LOST, arrived=arrived)
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *PAYMENT)
    assert caller.fake.count(CREATE) == 1
    return caught.value


def test_a_lost_answer_names_the_id_to_ask_by(caller: Caller) -> None:
    unknown = unknown_of(caller, arrived=True)
    assert unknown.prepared.asked_by_id
    assert unknown.payment.request_id in str(unknown)
    found = caller.call("resolve", unknown)
    assert found.conclusive
    (made,) = found.candidates
    assert (made.withdrawal_id, made.currency, made.net) == ("1", "BTC", Decimal("0.0002"))
    assert body_of(caller) == {"foreign_id": unknown.payment.request_id}
    assert caller.fake.seen[-1].method == "GET"


def test_what_is_not_found_is_not_certain_to_be_absent(caller: Caller) -> None:
    found = caller.call("resolve", unknown_of(caller, arrived=False))
    assert (found.conclusive, found.candidates) == (False, ())


def test_a_look_up_that_fails_otherwise_is_no_answer_to_the_question(caller: Caller) -> None:
    unknown = unknown_of(caller, arrived=True)
    caller.fake.then(403, b'{"error":"Forbidden","code":"ip_not_allowed"}')
    with pytest.raises(VenueRefused, match="Forbidden"):
        caller.call("resolve", unknown)


@pytest.mark.parametrize("arrived", [True, False])
def test_the_same_bytes_again_make_one_withdrawal(caller: Caller, arrived: bool) -> None:
    unknown = unknown_of(caller, arrived=arrived)
    sent = caller.call("repeat_identical", unknown, against_penstock=True)
    assert (sent.withdrawal_id, sent.request_id) == ("1", unknown.payment.request_id)
    assert len(caller.fake.made) == 1
    assert caller.fake.count(CREATE) == (1 if arrived else 2)


def test_a_repeat_whose_answer_is_lost_too_is_looked_up(caller: Caller) -> None:
    unknown = unknown_of(caller, arrived=False)
    caller.fake.then(404, b'{"error":"Not found","code":"not_found"}')
    caller.fake.then_lose(LOST, arrived=True)
    sent = caller.call("repeat_identical", unknown, against_penstock=True)
    assert sent.withdrawal_id == "1"


def test_a_repeat_that_is_refused_leaves_the_first_in_doubt(caller: Caller) -> None:
    unknown = unknown_of(caller, arrived=False)
    caller.fake.then(404, b'{"error":"Not found","code":"not_found"}')
    caller.fake.then(400, b'{"errors":{"amount":"Not enough money on balance"}}')
    with pytest.raises(OutcomeUnknown, match="did not settle it"):
        caller.call("repeat_identical", unknown, against_penstock=True)


# --- reading -----------------------------------------------------------------------------------------------


def told(caller: Caller, name: str) -> Any:
    caller.fake.then(200, golden(name))
    return caller.call("withdrawal", "678388")


def test_a_withdrawal_is_read_whole(caller: Caller) -> None:
    found = told(caller, "info_confirmed")
    assert (found.withdrawal_id, found.currency, found.address, found.memo) == (
        "678388",
        "BTC",
        BTC_ADDRESS,
        "",
    )
    assert (found.amount, found.fee, found.net) == (
        Decimal("0.00021000"),
        Decimal("0.00001000"),
        Decimal("0.00020000"),
    )
    assert (found.tx_id, found.status, found.venue_status) == (TX_HASH, Status.DONE, "confirmed")
    assert found.requested_at_ms == 0


def test_a_conversion_shows_what_left_and_what_arrives(caller: Caller) -> None:
    found = told(caller, "info_converted")
    assert (found.currency, found.net) == ("BTC", Decimal("0.00045000"))
    assert (found.amount, found.fee) == (Decimal("25.56000000"), Decimal("0.56000000"))


@pytest.mark.parametrize(
    "name, status, amount, memo",
    [
        ("info_not_sent", Status.PROCESSING, "0.0002", ""),
        ("info_on_its_way", Status.PROCESSING, "0.00021", ""),
        ("info_pending", Status.ACCEPTED, "20", "12345"),
        ("info_declined", Status.CANCELLED, "0.0002", ""),
        ("info_cancelled", Status.FAILED, "25", ""),
        ("info_reverted", Status.FAILED, "0.0002", ""),
        ("info_exchange", Status.DONE, "0.003", ""),
    ],
)
def test_every_status_is_read(caller: Caller, name: str, status: Status, amount: str, memo: str) -> None:
    found = told(caller, name)
    assert (found.status, found.amount, found.memo) == (status, Decimal(amount), memo)


def test_fees_in_the_chains_own_coin_are_not_added_to_a_token(caller: Caller) -> None:
    body = golden("info_confirmed").replace(b'"mining","currency":"BTC"', b'"mining","currency":"ETH"')
    caller.fake.then(200, body)
    found = caller.call("withdrawal", "1")
    assert (found.amount, found.fee) == (Decimal("0.0002"), 0)


def test_an_18_decimal_amount_is_not_rounded(caller: Caller) -> None:
    body = golden("info_confirmed").replace(b'"0.00020000"', b'"1234567890123456789012.000000000000000001"')
    caller.fake.then(200, body)
    assert caller.call("withdrawal", "1").amount == Decimal("1234567890123456789012.000010000000000001")


@pytest.mark.parametrize("amount", [b'"NaN"', b'"Infinity"', b'"x"'])
def test_what_is_no_amount_is_no_reply(caller: Caller, amount: bytes) -> None:
    caller.fake.then(200, golden("info_confirmed").replace(b'"0.00020000"', amount))
    with pytest.raises(BadReply):
        caller.call("withdrawal", "1")


def test_a_withdrawal_that_says_nothing_of_money_is_no_reply(caller: Caller) -> None:
    caller.fake.then(200, b'{"id":1,"type":"withdrawal","status":"pending"}')
    with pytest.raises(BadReply, match="neither"):
        caller.call("withdrawal", "1")


@pytest.mark.parametrize("name", ["abc", "-1", "1.5", "٣"])
def test_a_withdrawal_goes_by_its_number(caller: Caller, name: str) -> None:
    with pytest.raises(ValueError, match="number"):
        caller.call("withdrawal", name)
    assert not caller.fake.seen


def test_balances_addresses_and_currencies_are_read(caller: Caller) -> None:
    balances = {line.currency: line for line in caller.call("balances")}
    assert balances["BTC"] == Balance("account", "BTC", Decimal("1.5"), Decimal(0))
    assert caller.call("deposit_address", "BTC") == DepositAddress("BTC", BTC_ADDRESS, "")
    assert body_of(caller) == {"currency": "BTC", "foreign_id": "penstock"}
    currencies = {line.currency: line for line in caller.call("currencies")}
    usdt, euro = currencies["USDTT"], currencies["EUR"]
    assert (usdt.coin, usdt.network, usdt.minimum, usdt.withdraw_enabled) == (
        "USDT",
        "tron",
        Decimal(2),
        True,
    )
    assert (euro.coin, euro.network, euro.minimum, euro.withdraw_enabled) == ("EUR", "", None, False)


def test_a_read_is_asked_a_few_times_and_waits_as_long_as_it_is_told(caller: Caller) -> None:
    caller.fake.then(429, b'{"error":"Too many requests","code":"too_many_requests"}', retry_after="2")
    caller.fake.then_lose(LOST, arrived=False)
    assert caller.call("balances")
    assert caller.pauses_ms == [2_000, 1_000]
    for _ in range(3):
        caller.fake.then_lose(LOST, arrived=False)
    with pytest.raises(NoAnswer):
        caller.call("balances")


# --- the venue's own calls ---------------------------------------------------------------------------------

SIDES = {"sender_currency": "EUR", "receiver_currency": "BTC"}


def test_the_venues_own_calls_go_by_their_names(caller: Caller) -> None:
    assert caller.call("call", "ping") == "OK"
    assert caller.call("call", "pairs", currency_from="EUR")[0].rate_to == "0.000018000000"
    assert len(caller.call("call", "rates")) > 2
    caller.call("withdraw", *PAYMENT, request_id="wd-1")
    for named in ({"number": 1}, {"foreign_id": "wd-1"}, {"foreign_id": "wd-1", "by_query": True}):
        found = caller.call("call", "transactions_info", **named)
        assert isinstance(found, Transaction)
        assert (found.id, found.foreign_id) == (1, "wd-1")
    assert (caller.fake.seen[-1].raw_query, caller.fake.seen[-1].body) == ("foreign_id=wd-1", b"")
    taken = caller.call("call", "addresses_take", currency="BTC", foreign_id="u-1", convert_to="EUR")
    assert (taken.address, taken.foreign_id, taken.convert_to) == (BTC_ADDRESS, "u-1", "EUR")


def test_a_price_is_asked_for_and_taken(caller: Caller) -> None:
    shown = caller.call("call", "exchange_calculate", **SIDES, sender_amount=Decimal(25))
    assert (shown.price, shown.receiver_amount) == ("0.000018000000", "0.00045000")
    done = caller.call(
        "call", "exchange_fixed", **SIDES, sender_amount="25", price=shown.price, foreign_id="x"
    )
    assert (done.id, done.foreign_id, done.receiver_amount) == (1, "x", "0.00045000")
    now = caller.call("call", "exchange_now", **SIDES, receiver_amount="0.001")
    assert (now.id, now.sender_amount) == (2, "55.56000000")
    assert now.foreign_id.startswith("penstock-")


@pytest.mark.parametrize("name, extra", [("exchange_now", {}), ("exchange_fixed", {"price": "0.000018"})])
def test_an_exchange_is_sent_once_and_in_doubt_when_its_answer_is_lost(
    caller: Caller, name: str, extra: dict[str, str]
) -> None:
    caller.fake.then_lose(LOST, arrived=True)
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("call", name, **SIDES, sender_amount="25", foreign_id="x-1", **extra)
    assert (caller.fake.count("/exchange/now") + caller.fake.count("/exchange/fixed")) == 1
    unknown = caught.value
    assert (unknown.payment.request_id, unknown.payment.amount, unknown.payment.debited) == (
        "x-1",
        "25",
        True,
    )
    told = str(unknown)
    assert "25 EUR as BTC to the own balance was sent to alphapo with the request id x-1" in told
    assert "ask for the very same again with the same id" in told
    # There is no history of exchanges, and no id to ask by.
    assert "resolve" not in told
    assert "Do not send it again" not in told
    for method, named in (("resolve", {}), ("repeat_identical", {"against_penstock": True})):
        with pytest.raises(NotOffered, match="same foreign_id"):
            caller.call(method, unknown, **named)
    with pytest.raises(VenueRefused, match="already been taken"):
        caller.call("call", name, **SIDES, sender_amount="25", foreign_id="x-1", **extra)


@pytest.mark.parametrize("amount", [1.5, True])
def test_a_float_is_no_amount_of_an_exchange(caller: Caller, amount: Any) -> None:
    with pytest.raises(TypeError):
        caller.call("call", "exchange_now", **SIDES, sender_amount=amount)
    assert not caller.fake.seen


# --- settings, secrets, callbacks --------------------------------------------------------------------------


def test_the_base_goes_without_the_path_that_every_call_brings() -> None:
    with pytest.raises(ValueError, match="without /api/v2"):
        connect("alphapo", processing_key=KEY, secret_key=SECRET, base_url="https://app.alphapo.net/api/v2/")
    assert ENTRY.base_url == "https://app.alphapo.net"


@pytest.mark.parametrize("secret", [SECRET, Secret.of(SECRET)])
def test_a_callback_is_verified_and_read(secret: str | Secret) -> None:
    sent = write_callback(a_withdrawal(), State.CONFIRMED, State.MINED, make_key())
    assert sent is not None
    headers = {name.decode().lower(): value.decode() for name, value in sent.headers}
    found = verify_callback(headers, sent.body, secret)
    assert (found.id, found.foreign_id, found.status.value) == (678388, "wd-0001", "confirmed")
    with pytest.raises(CallbackRefused) as caught:
        verify_callback(headers, sent.body.replace(b"678388", b"678389"), secret)
    # Without this test's own frame, which knows the secret.
    inside = caught.tb.tb_next
    shown = traceback.TracebackException(CallbackRefused, caught.value, inside, capture_locals=True)
    text = "".join(shown.format())
    assert "verify_callback" in text
    assert SECRET not in text
    assert sign(sent.body.replace(b"678388", b"678389")) not in text
