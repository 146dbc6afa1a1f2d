"""AlphaPo against a running sandbox: withdrawn, converted, exchanged, paid on the chains, and found again.

What is sent is built by `alphapo_requests`, from the venue's pages alone. Bad input is in `test_alphapo_bad_inputs`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.acceptance.alphapo_merchant import (
    Merchant,
    as_body,
    data,
    faults,
    members_of,
    new_foreign_id,
    new_merchant,
    turned_away,
)
from tests.acceptance.alphapo_requests import (
    ACCOUNTS,
    CALCULATE,
    CURRENCIES,
    FIXED,
    INFO,
    NOW,
    PAIRS,
    RATES,
    TAKE,
    WITHDRAWAL,
    signature,
)
from tests.acceptance.alphapo_vectors import OFFICIAL, OURS, SIGNED
from tests.acceptance.base58check import new_bitcoin_address, new_tron_address
from tests.acceptance.customers import new_evm_address
from tests.acceptance.on_demand import holding_sandbox, in_parallel, killed_half_way, pay_all
from tests.acceptance.raw_http import Answer, Connection
from tests.acceptance.reply_shapes import golden, golden_names, shape
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.simulated_chain import chain_units, is_paid
from tests.acceptance.sunx_requests import ApiKey, Wallet
from tests.acceptance.sunx_trader import Trader

pytestmark = pytest.mark.xdist_group("alphapo")

TAKEN = {"foreign_id": "The foreign id has already been taken."}
EURO = Fraction("1.08") / 60_000
"""What the sandbox gives for a euro, in bitcoin."""
ASKERS = (f"127.0.1.{number}" for number in range(1, 255))
"""A price is asked for from an address of its own each time: the venue counts by address."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Takes withdrawals in, and sends them only where a test asks for it."""
    with holding_sandbox(tmp_path_factory.mktemp("alphapo")) as started:
        yield started


@pytest.fixture
def merchant(own: Sandbox) -> Merchant:
    return new_merchant(own)


# ---- the page's vectors ----

ASKED = [
    (TAKE, 201),
    *((ACCOUNTS, 200) for _ in range(4)),
    *((WITHDRAWAL, 400) for _ in range(3)),
    (INFO, 404),
    (TAKE, 201),
    (TAKE, 201),
]
"""What each vector is sent to. Its withdrawals name an address of another Bitcoin network, so they are not paid."""


@pytest.fixture(scope="module")
def published(own: Sandbox) -> Merchant:
    """A merchant with the keys of the vectors."""
    made = new_merchant(own)
    for keys in (OFFICIAL, OURS):
        made.with_key(key_id=keys.processing_key, secret=keys.secret)
    place = f"/accounts/{made.customer.account_id}/deposit-addresses/bitcoin"
    own.admin("PUT", place, {"address": new_bitcoin_address()})
    return made


@pytest.mark.parametrize("number", range(len(SIGNED)))
def test_every_published_signature_is_let_through(published: Merchant, number: int) -> None:
    (keys, body, expected), (path, status) = SIGNED[number], ASKED[number]
    before = published.sandbox.stored()
    assert signature(keys.secret, body) == expected
    answer = published.send(keys.request(path, body, "GET" if path == INFO else "POST"))
    assert answer.status == status
    if path == WITHDRAWAL:
        # Whoever is told this was authenticated.
        assert faults(answer)["address"] == "The address is invalid."
    if path == TAKE:
        assert data(answer, 201)["foreign_id"] == json.loads(body)["foreign_id"]
    assert published.sandbox.stored() == before


# ---- withdrawals ----

PAYABLE = {
    # currency: amount, fee, asset, network, decimals on the chain
    "USDTT": ("25", "1", "USDT", "tron", 6),
    "USDTE": ("25.123456", "3", "USDT", "ethereum", 6),
    "USDTB": ("25.5", "0.5", "USDT", "bsc", 18),
    "BTC": ("0.00123456", "0.0002", "BTC", "bitcoin", 8),
    "ETH": ("0.01234567", "0.001", "ETH", "ethereum", 18),
    "BNB-BSC": ("0.02", "0.001", "BNB", "bsc", 18),
    "TRX": ("30", "1", "TRX", "tron", 6),
    "XRP": ("20.000001", "0.25", "XRP", "ripple", 6),
}
XRP_RECEIVER = "rUAmRDgxsLWKNgdbJQkbvkYz6k7nyGjd9j"


def receiver(network: str) -> str:
    """An address that nobody was ever paid at, but on the ripple network, where one is."""
    make = {"tron": new_tron_address, "bitcoin": new_bitcoin_address, "ripple": lambda: XRP_RECEIVER}
    return make.get(network, new_checked_address)()


def new_checked_address() -> str:
    """With EIP-55's capitals, as the chain's own books have it."""
    return to_checksum_address(new_evm_address())


def test_every_currency_is_paid_whole_with_the_fee_on_top(merchant: Merchant) -> None:
    before, shown = merchant.units(), merchant.balances()
    made: dict[str, dict[str, Any]] = {}
    places = {currency: receiver(row[3]) for currency, row in PAYABLE.items()}
    for currency, (amount, *_) in PAYABLE.items():
        tag = "7001" if currency == "XRP" else None
        made[currency] = merchant.withdraw(
            currency=currency, amount=amount, address=places[currency], tag=tag
        )
        assert (made[currency]["status"], made[currency]["type"]) == ("processing", "withdrawal")
        told = {made[currency][name] for name in ("amount", "sender_amount", "receiver_amount")}
        assert {Fraction(text) for text in told} == {Fraction(amount)}
    assert [one["id"] for one in made.values()] == list(range(1, len(PAYABLE) + 1))
    pay_all(merchant.sandbox)
    for currency, (amount, fee, asset, network, decimals) in PAYABLE.items():
        found = merchant.info(foreign_id=made[currency]["foreign_id"])
        (row,) = found["transactions"]
        assert (found["status"], found["error"], row["amount"]) == (
            "confirmed",
            "",
            made[currency]["receiver_amount"],
        )
        assert [(one["type"], Fraction(one["amount"])) for one in found["fees"]] == [
            ("mining", Fraction(fee))
        ]
        assert is_paid(merchant.sandbox, network, row["txid"])
        paid = chain_units(merchant.sandbox, network, places[currency], asset)
        assert paid == Fraction(amount) * 10**decimals, currency
    for asset, (available, _) in before.items():
        lines = [row for row in PAYABLE.values() if row[2] == asset]
        gone = sum(Fraction(amount) + Fraction(fee) for amount, fee, *_ in lines)
        assert merchant.units()[asset] == (available - gone * 10 ** LEDGER_DECIMALS[asset], 0), asset
    after = merchant.balances()
    assert shown["USDTT"] - after["USDTT"] == Fraction("25") + 1 + Fraction("25.123456") + 3 + 26
    assert after["USDTT"] == after["USDTE"] == after["USDTB"]


LEDGER_DECIMALS = {"BTC": 8, "ETH": 18, "USDT": 6, "XRP": 6, "TRX": 6, "BNB": 18, "EUR": 2}


def cents_up(euros: Fraction) -> Fraction:
    return Fraction(ceil(euros * 100), 100)


@pytest.mark.parametrize("given", ["amount", "amount_to"])
def test_euros_are_withdrawn_as_bitcoin_rounded_against_the_receiver(merchant: Merchant, given: str) -> None:
    place, before = new_bitcoin_address(), merchant.balances()
    asked = {"amount": "99.99"} if given == "amount" else {"amount": None, "amount_to": "0.002"}
    made = merchant.withdraw(currency="EUR", convert_to="BTC", address=place, **asked)
    if given == "amount":
        sent = Fraction("99.99")
        arrives = Fraction(int(sent * EURO * 10**8), 10**8)
    else:
        arrives = Fraction("0.002")
        sent = cents_up(arrives / EURO)
    fee = cents_up(Fraction("0.0002") / EURO)
    assert (made["type"], made["sender_currency"], made["receiver_currency"]) == (
        "withdrawal_exchange",
        "EUR",
        "BTC",
    )
    assert (Fraction(made["sender_amount"]), Fraction(made["receiver_amount"])) == (sent, arrives)
    pay_all(merchant.sandbox)
    after = merchant.balances()
    assert {name: before[name] - left for name, left in after.items() if left != before[name]} == {
        "EUR": sent + fee
    }
    assert chain_units(merchant.sandbox, "bitcoin", place, "BTC") == arrives * 10**8
    found = merchant.info(id=made["id"])
    payment, exchange = found["transactions"]
    assert (payment["transaction_type"], exchange["transaction_type"]) == ("blockchain", "exchange")
    assert (Fraction(exchange["amount"]), Fraction(exchange["amount_to"])) == (sent, arrives)
    assert [(one["currency"], Fraction(one["amount"])) for one in found["fees"]] == [("EUR", fee)]
    assert is_paid(merchant.sandbox, "bitcoin", payment["txid"])


def test_all_but_the_fee_may_go_and_not_one_unit_more(own: Sandbox) -> None:
    merchant = new_merchant(own, USDT="50.5")
    before = own.stored()
    more = merchant.send(merchant.withdrawal(amount="47.500001"))
    assert (faults(more), own.stored()) == ({"amount": "Not enough money on balance"}, before)
    merchant.withdraw(amount="47.5")
    assert merchant.units()["USDT"] == (0, 50_500_000)


# ---- one foreign id, one payment ----


@pytest.mark.parametrize("exchanged", [False, True], ids=["withdrawal", "exchange"])
def test_of_64_requests_with_one_id_one_is_taken_and_the_others_are_told_so(
    merchant: Merchant, exchanged: bool
) -> None:
    body = {
        "sender_currency": "BTC",
        "receiver_currency": "EUR",
        "sender_amount": "0.01",
        "foreign_id": "same",
    }
    request = (
        merchant.keys.request(NOW, as_body(body)) if exchanged else merchant.withdrawal(foreign_id="same")
    )
    answers = list[Answer]()
    in_parallel(64, lambda: answers.append(merchant.send(request)))
    assert sorted(answer.status for answer in answers) == [201] + [400] * 63
    assert all(faults(answer) == TAKEN for answer in answers if answer.status == 400)
    assert merchant.states() == (["confirmed"] if exchanged else ["held"])


def test_64_requests_a_kill_half_way_and_all_again_are_one_payment(merchant: Merchant) -> None:
    place, answers = new_checked_address(), list[Answer]()
    request = merchant.withdrawal(foreign_id="half-way", address=place)

    killed_half_way(merchant.sandbox, 64, 20, lambda: answers.append(merchant.send(request)))
    in_parallel(64, lambda: answers.append(merchant.send(request)))
    assert len(answers) >= 64 + 20
    assert sum(answer.status == 201 for answer in answers) <= 1
    assert all(faults(answer) == TAKEN for answer in answers if answer.status != 201)
    pay_all(merchant.sandbox)
    assert merchant.states() == ["confirmed"]
    assert merchant.info(foreign_id="half-way")["status"] == "confirmed"
    assert chain_units(merchant.sandbox, "ethereum", place, "USDT") == 25_000_000
    assert merchant.units()["USDT"] == (5_000_000_000 - 28_000_000, 0)
    assert merchant.sandbox.verified().startswith("verify: ok")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"amount": "26"},
        {
            "amount": None,
            "amount_to": "25",
            "convert_to": "USDTT",
            "address": "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS",
        },
        {"currency": "USDC"},
        {"convert_to": "USDC"},
        {"address": "0x" + "12" * 20},
        {"end_user_reference": "user-43"},
        {"end_user_reference": None},
    ],
    ids=str,
)
def test_an_id_that_is_taken_stays_so_whatever_else_is_said(
    merchant: Merchant, changes: dict[str, object]
) -> None:
    merchant.credit("USDC", "500")
    first = merchant.withdraw(foreign_id="mine")
    before, funds = merchant.sandbox.stored(), merchant.units()
    assert faults(merchant.send(merchant.withdrawal(foreign_id="mine", **changes))) == TAKEN
    body = {
        "sender_currency": "BTC",
        "receiver_currency": "EUR",
        "sender_amount": "0.01",
        "foreign_id": "mine",
    }
    assert faults(merchant.post(NOW, body)) == TAKEN
    assert (merchant.sandbox.stored(), merchant.units()) == (before, funds)
    assert merchant.info(foreign_id="mine")["id"] == first["id"]


def test_an_id_stays_taken_after_its_withdrawal_was_declined_and_a_refused_request_takes_none(
    merchant: Merchant,
) -> None:
    request = merchant.withdrawal(foreign_id="again")
    assert faults(merchant.send(merchant.withdrawal(foreign_id="again", amount="1"))).keys() == {"amount"}
    data(merchant.send(request), 201)
    ((withdrawal_id, _),) = merchant.customer.withdrawals()
    merchant.sandbox.admin("POST", f"/withdrawals/{withdrawal_id}/decline", {"reason": "not today"})
    assert (faults(merchant.send(request)), merchant.states()) == (TAKEN, ["rejected"])


def test_a_number_and_its_digits_are_one_id_and_case_makes_two(merchant: Merchant) -> None:
    merchant.withdraw(foreign_id=123)
    assert faults(merchant.send(merchant.withdrawal(foreign_id="123"))) == TAKEN
    merchant.withdraw(foreign_id="abc")
    assert merchant.withdraw(foreign_id="ABC")["foreign_id"] == "ABC"
    assert merchant.info(foreign_id=123)["id"] == 1
    other = new_merchant(merchant.sandbox)
    assert other.withdraw(foreign_id="abc")["id"] == 1


# ---- looking ----


def test_a_transaction_is_found_by_body_and_by_query_and_only_by_its_merchant(merchant: Merchant) -> None:
    made = merchant.withdraw()
    other = new_merchant(merchant.sandbox)
    pay_all(merchant.sandbox)
    found = merchant.info(id=made["id"])
    names = {
        "id": made["id"],
        "foreign_id": made["foreign_id"],
        "txid": found["transactions"][0]["txid"],
    }
    for name, value in names.items():
        for request in (
            merchant.info_request({name: value}),
            merchant.info_request({name: str(value)}),
            merchant.info_request(None, **{name: str(value)}),
            merchant.info_request({name: value}, foreign_id="the body wins"),
        ):
            answer = merchant.send(request)
            assert (answer.status, json.loads(answer.body)) == (200, found), request
        if name != "id":
            strange = other.send(other.info_request({name: value}))
            assert turned_away(strange) == (404, "not_found", "Not found")
    for members in ({}, {"id": 1, "foreign_id": "x"}, {"nonce": 1}, None):
        assert faults(merchant.send(merchant.info_request(members))).keys() == {"id"}


def test_what_the_account_withdrew_through_another_venue_is_not_shown(merchant: Merchant) -> None:
    wallet = Wallet("11" * 32)
    merchant.customer.list_address(wallet.address, network="tron")
    elsewhere = Trader(merchant.customer, ApiKey(*merchant.customer.key("sunx")), wallet)
    order = elsewhere.confirmed(elsewhere.quote())
    made = merchant.withdraw()
    assert made["id"] == order["order-id"] + 1, "the account counts both"
    answer = merchant.send(merchant.info_request({"id": order["order-id"]}))
    assert turned_away(answer)[:2] == (404, "not_found")
    assert [record["id"] for record in elsewhere.records()] == [order["order-id"]]


def test_statuses_of_what_was_declined_and_of_what_could_not_be_paid(merchant: Merchant) -> None:
    merchant.withdraw(foreign_id="declined")
    ((withdrawal_id, _),) = merchant.customer.withdrawals()
    merchant.sandbox.admin("POST", f"/withdrawals/{withdrawal_id}/decline", {"reason": "not today"})
    poor = new_merchant(merchant.sandbox)
    poor.withdraw(
        foreign_id="cancelled", currency="EUR", convert_to="BTC", amount="99", address=new_bitcoin_address()
    )
    account = f"/accounts/{poor.customer.account_id}"
    poor.sandbox.admin("POST", f"{account}/freeze", {})
    pay_all(poor.sandbox)
    poor.sandbox.admin("POST", f"{account}/unfreeze", {})
    declined, cancelled = merchant.info(foreign_id="declined"), poor.info(foreign_id="cancelled")
    assert (declined["status"], "not today" in declined["error"]) == ("declined", True)
    assert (cancelled["status"], cancelled["error"] != "") == ("cancelled", True)
    assert in_rows(declined) == in_rows(golden("alphapo", "info_declined"))
    assert in_rows(cancelled) == in_rows(golden("alphapo", "info_cancelled"))
    assert (merchant.units()["USDT"], poor.units()["EUR"]) == ((5_000_000_000, 0), (200_000, 0))


def in_rows(transaction: dict[str, Any]) -> Any:
    """The shape of a transaction, whose rows are of two kinds."""
    rows = [shape(row) for row in transaction["transactions"]]
    return shape(transaction | {"transactions": ""}), rows


def test_every_reply_has_the_shape_of_its_golden_one(merchant: Merchant) -> None:
    account = merchant.customer.account_id
    for network, address, memo in (("bitcoin", new_bitcoin_address(), ""), ("ripple", XRP_RECEIVER, "90001")):
        place = f"/accounts/{account}/deposit-addresses/{network}"
        merchant.sandbox.admin("PUT", place, {"address": address, "memo": memo})
    asked = {"currency": "BTC", "convert_to": "EUR", "foreign_id": "u", "end_user_reference": "r"}
    seen = {
        "accounts": merchant.post(ACCOUNTS),
        "currencies": merchant.post(CURRENCIES),
        "pairs": merchant.post(PAIRS),
        "rates": merchant.post(RATES, {"currency_from": "BTC", "currency_to": "USDTT"}),
        "address": merchant.post(TAKE, asked),
        "address_with_tag": merchant.post(TAKE, {"currency": "XRP", "foreign_id": 5}),
    }
    for name, answer in seen.items():
        live = data(answer, 201 if name.startswith("address") else 200)
        pinned = golden("alphapo", name)["data"]
        rows = [live] if isinstance(live, dict) else live
        known = [pinned] if isinstance(pinned, dict) else pinned
        assert {shape(row) for row in rows} == {shape(row) for row in known}, name
    assert golden_names("alphapo") - seen.keys() == {
        *(f"info_{kind}" for kind in ("cancelled", "confirmed", "converted", "declined", "exchange")),
        *(f"info_{kind}" for kind in ("not_sent", "on_its_way", "pending", "reverted")),
    }


def test_every_transaction_has_the_shape_of_its_golden_one(merchant: Merchant) -> None:
    plain = merchant.withdraw()
    converted = merchant.withdraw(
        currency="EUR", convert_to="BTC", amount="100", address=new_bitcoin_address()
    )
    exchange = {
        "sender_currency": "BTC",
        "receiver_currency": "EUR",
        "sender_amount": "0.01",
        "foreign_id": "x",
    }
    swapped = data(merchant.post(NOW, exchange), 201)
    found = {"info_not_sent": merchant.info(id=plain["id"]), "info_exchange": merchant.info(id=swapped["id"])}
    pay_all(merchant.sandbox)
    found["info_confirmed"] = merchant.info(id=plain["id"])
    found["info_converted"] = merchant.info(id=converted["id"])
    for name, transaction in found.items():
        assert in_rows(transaction) == in_rows(golden("alphapo", name)), name


# ---- exchanges ----


def exchange(**changes: object) -> dict[str, object]:
    members: dict[str, object] = {
        "sender_currency": "BTC",
        "receiver_currency": "EUR",
        "sender_amount": "0.01",
        "foreign_id": new_foreign_id(),
    } | changes
    return {name: value for name, value in members.items() if value is not None}


def test_a_price_is_shown_and_an_exchange_at_it_moves_both_balances(merchant: Merchant) -> None:
    asked_s, before = int(time.time()), merchant.balances()
    shown = data(merchant.post(CALCULATE, exchange(), source=next(ASKERS)))
    assert list(shown) == [
        *("sender_currency", "sender_amount", "receiver_currency", "receiver_amount", "fee_currency"),
        *("fee_amount", "price", "ts_fixed", "ts_release", "fix_period"),
    ]
    assert (shown["fix_period"], shown["ts_release"] - shown["ts_fixed"]) == (60, 60)
    assert 0 <= shown["ts_fixed"] - asked_s <= 5
    arrives = Fraction(int(Fraction("0.01") / EURO * 100), 100)
    assert (Fraction(shown["receiver_amount"]), Fraction(shown["fee_amount"])) == (arrives, 0)
    fixed = data(merchant.post(FIXED, exchange(price=shown["price"])), 201)
    assert list(fixed) == [
        *("id", "foreign_id", "type", "sender_amount", "sender_currency", "receiver_amount"),
        *("receiver_currency", "fee_amount", "fee_currency", "price", "status"),
    ]
    now = data(merchant.post(NOW, exchange(sender_amount=None, receiver_amount="10.01")), 201)
    assert list(now) == list(fixed)
    sent = Fraction(ceil(Fraction("10.01") * EURO * 10**8), 10**8)
    assert (Fraction(now["sender_amount"]), Fraction(now["receiver_amount"])) == (sent, Fraction("10.01"))
    after = merchant.balances()
    assert before["BTC"] - after["BTC"] == Fraction("0.01") + sent
    assert after["EUR"] - before["EUR"] == arrives + Fraction("10.01")
    assert merchant.states() == ["confirmed", "confirmed"]


@pytest.mark.parametrize(
    "path, changes, field",
    [
        (FIXED, {"price": "55555"}, "price"),
        (FIXED, {}, "price"),
        (NOW, {"foreign_id": None}, "foreign_id"),
        (NOW, {"receiver_amount": "1"}, "sender_amount"),
        (NOW, {"sender_amount": None}, "sender_amount"),
        (NOW, {"sender_amount": "0"}, "sender_amount"),
        (NOW, {"sender_amount": "0.000000001"}, "sender_amount"),
        (NOW, {"sender_amount": "99"}, "sender_amount"),
        (NOW, {"sender_currency": "NOPE"}, "sender_currency"),
        (NOW, {"receiver_currency": "BTC"}, "receiver_currency"),
        (
            NOW,
            {"sender_currency": "USDTT", "receiver_currency": "USDTE", "sender_amount": "1"},
            "receiver_currency",
        ),
    ],
    ids=str,
)
def test_a_bad_exchange_is_refused_under_the_field_that_is_wrong(
    merchant: Merchant, path: str, changes: dict[str, object], field: str
) -> None:
    before, funds = merchant.sandbox.stored(), merchant.units()
    assert faults(merchant.post(path, exchange(**changes))).keys() == {field}
    assert (merchant.sandbox.stored(), merchant.units()) == (before, funds)


# ---- what is signed, and how often ----


def test_no_changed_bit_of_a_signed_body_is_let_through(merchant: Merchant) -> None:
    body, places = as_body(members_of({})), random.Random(41)
    raw, before = merchant.keys.request(WITHDRAWAL, body), merchant.sandbox.stored()
    with closing(Connection(merchant.sandbox.port)) as connection:
        for _ in range(300):
            place = places.randrange(len(body))
            changed = body[:place] + bytes([body[place] ^ 1 << places.randrange(8)]) + body[place + 1 :]
            answer = connection.exchange(raw[: -len(body)] + changed)
            assert turned_away(answer) == (403, "bad_header_signature", "Bad signature header"), changed
    assert merchant.sandbox.stored() == before
    data(merchant.send(raw), 201)


def test_no_changed_bit_of_a_signature_is_let_through_but_upper_case_is(merchant: Merchant) -> None:
    body, places = as_body(members_of({})), random.Random(42)
    right, before = signature(merchant.keys.secret, body).encode(), merchant.sandbox.stored()
    for _ in range(200):
        place = places.randrange(len(right))
        changed = right[:place] + bytes([right[place] ^ 1 << places.randrange(8)]) + right[place + 1 :]
        if changed.lower() != right:
            request = merchant.keys.request(WITHDRAWAL, body, changes={b"X-Processing-Signature": changed})
            # 400: a byte that no header may hold.
            assert merchant.send(request).status in {403, 400}, changed
    assert merchant.sandbox.stored() == before
    upper = {b"X-Processing-Signature": right.upper()}
    data(merchant.send(merchant.keys.request(WITHDRAWAL, body, changes=upper)), 201)


def test_the_31st_price_in_a_minute_is_refused_to_its_address_and_to_no_other(merchant: Merchant) -> None:
    request, asker = merchant.keys.request(CALCULATE, as_body(exchange())), next(ASKERS)
    with closing(Connection(merchant.sandbox.port, asker)) as connection:
        answers = [connection.exchange(request) for _ in range(32)]
    assert [answer.status for answer in answers] == [200] * 30 + [429] * 2
    assert json.loads(answers[-1].body) == {"errors": {"error": "error code: 1015"}}
    assert 50 < int(answers[-1].headers["retry-after"]) <= 60
    assert merchant.send(request, next(ASKERS)).status == 200


def test_a_key_that_asks_more_than_a_hundred_times_a_second_is_told_when_to_come_again(
    merchant: Merchant,
) -> None:
    request = merchant.keys.request(ACCOUNTS)
    with closing(Connection(merchant.sandbox.port)) as connection:
        answers = [connection.exchange(request)]
        while answers[-1].status == 200 and len(answers) < 1_000:
            answers.append(connection.exchange(request))
    assert len(answers) > 100
    assert turned_away(answers[-1]) == (429, "too_many_requests", "Too many requests")
    assert answers[-1].headers["retry-after"] == "1"
    second = merchant.with_key()
    assert second.send(second.keys.request(ACCOUNTS)).status == 200


def test_a_ping_needs_no_key_and_pongs_in_plain_text(merchant: Merchant) -> None:
    bare = b"GET /api/v2/ping HTTP/1.1\r\nHost: x\r\n\r\n"
    for request in (bare, merchant.keys.request("/ping", b"{}", "GET", {b"X-Processing-Signature": b"no"})):
        answer = merchant.send(request)
        assert (answer.status, answer.body) == (200, b"OK")
        assert answer.headers["content-type"].startswith("text/plain")
