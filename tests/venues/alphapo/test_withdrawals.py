from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.amounts import Units
from penstock.core.commands import FeeRule, Withdraw
from penstock.core.rates import Conversion, Given
from penstock.core.states import State
from penstock.venues.alphapo.echo import read_echo
from penstock.venues.venue import Ask, Reply
from tests.venues.alphapo.world import (
    ACCOUNT,
    BTC_ADDRESS,
    EVM_ADDRESS,
    FORBIDDEN,
    HOT_WALLET,
    KEY,
    NOW_MS,
    TRON_ADDRESS,
    XRP_ADDRESS,
    FakeRates,
    accepted,
    answer,
    create_body,
    faults,
    make_rates,
    make_venue,
    outcome,
    post,
    refusal,
)

PATH = "/withdrawal/crypto"


def command(body: object) -> Withdraw:
    asked = outcome(post(PATH, body))
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, Withdraw)
    return asked.question


def said(body: object) -> dict[str, str]:
    return faults(outcome(post(PATH, body)))


# --- what is asked of the engine ---------------------------------------------------------------------------


def test_a_plain_withdrawal_becomes_a_command() -> None:
    asked = command(create_body(tag=None))
    assert (asked.account_id, asked.key_id, asked.venue) == (ACCOUNT, KEY, "alphapo")
    assert (asked.asset, asked.network, asked.amount) == ("BTC", "bitcoin", 20_000)
    assert (asked.address, asked.memo, asked.wallets) == (BTC_ADDRESS, "", ("spot",))
    assert (asked.request_id, asked.conversion) == ("wd-0001", None)
    assert asked.fee_rule is FeeRule.ON_TOP
    assert (asked.any_address, asked.repeatable, asked.numbered, asked.notify) == (True, False, True, True)
    assert json.loads(asked.business) == {
        "address": BTC_ADDRESS,
        "amount": "20000",
        "convert_to": "BTC",
        "currency": "BTC",
        "end_user_reference": "user-42",
        "tag": "",
    }


@pytest.mark.parametrize(
    "code, address, asset, network",
    [
        ("BTC", BTC_ADDRESS, "BTC", "bitcoin"),
        ("ETH", EVM_ADDRESS, "ETH", "ethereum"),
        ("USDTE", EVM_ADDRESS, "USDT", "ethereum"),
        ("USDTT", TRON_ADDRESS, "USDT", "tron"),
        ("USDTB", EVM_ADDRESS, "USDT", "bsc"),
        ("USDC", EVM_ADDRESS, "USDC", "ethereum"),
        ("BNB-BSC", EVM_ADDRESS, "BNB", "bsc"),
        ("XRP", XRP_ADDRESS, "XRP", "ripple"),
        ("TRX", TRON_ADDRESS, "TRX", "tron"),
    ],
)
def test_a_code_names_an_asset_and_its_network(code: str, address: str, asset: str, network: str) -> None:
    asked = command(create_body(currency=code, amount="20", address=address) | {"amount": "10"})
    assert (asked.asset, asked.network) == (asset, network)


@pytest.mark.parametrize(
    "code",
    [
        "USDT",
        "BNB",
        "SOL",
        "usdtt",
        "USDTT ",
        "\uff35\uff33\uff24\uff34\uff34",
        "USDT-TRC20",
        "EUR",
        "X" * 300,
    ],
)
def test_what_the_venue_cannot_name_or_pay_is_no_currency(code: str) -> None:
    told = said(create_body(currency=code))
    long = "The currency may not be greater than 255 characters."
    assert told == {"currency": long if len(code) > 255 else "The selected currency is invalid."}


EUR_TO_BTC = create_body(currency="EUR", convert_to="BTC", amount=25)


def test_a_conversion_by_what_is_debited_keeps_the_amount_on_that_side() -> None:
    asked = command(EUR_TO_BTC)
    rate = make_rates().rate("EUR", "BTC", NOW_MS)
    assert rate is not None
    assert asked.conversion == Conversion(rate, Given.DEBITED)
    assert (asked.asset, asked.amount) == ("BTC", 2_500)


def test_a_conversion_by_what_is_received_keeps_the_amount_on_that_side() -> None:
    body = create_body(currency="EUR", convert_to="BTC", amount=None, amount_to=0.0005)
    asked = command(body)
    assert asked.conversion is not None
    assert asked.conversion.given is Given.RECEIVED
    assert (asked.asset, asked.amount) == ("BTC", 50_000)


@pytest.mark.parametrize("target", ["BTC", "", None])
def test_converting_to_the_same_currency_is_no_conversion(target: str | None) -> None:
    body = create_body() | {"convert_to": target}
    asked = outcome(post(PATH, body))
    assert isinstance(asked, Ask)
    assert asked.question.conversion is None  # type: ignore[union-attr]
    created = json.loads(answer(post(PATH, body), accepted()).body)["data"]
    assert created["type"] == "withdrawal"


def test_two_codes_of_one_asset_are_paid_without_a_rate() -> None:
    body = create_body(currency="USDTT", convert_to="USDTE", amount="50", address=EVM_ADDRESS)
    asked = command(body)
    assert (asked.asset, asked.network, asked.amount) == ("USDT", "ethereum", 50_000_000)
    assert asked.conversion is None
    taken = accepted(amount=Units(53_000_000), fee=Units(3_000_000), net=Units(50_000_000))
    created = json.loads(answer(post(PATH, body), taken).body)["data"]
    assert (created["type"], created["sender_currency"], created["receiver_currency"]) == (
        "withdrawal_exchange",
        "USDTT",
        "USDTE",
    )
    assert created["sender_amount"] == created["receiver_amount"] == "50.00000000"


def test_the_answer_is_written_byte_for_byte() -> None:
    reply = answer(post(PATH, EUR_TO_BTC), accepted(amount=Units(2_556), fee=Units(56), net=Units(45_000)))
    assert reply.status == 201
    assert reply.body == (
        b'{"data":{"id":678388,"foreign_id":"wd-0001","end_user_reference":"user-42","type":"withdrawal_exchange",'
        b'"status":"processing","amount":"25.00000000","sender_amount":"25.00000000","sender_currency":"EUR",'
        b'"receiver_currency":"BTC","receiver_amount":"0.00045000"}}'
    )


def test_one_that_waits_for_the_owner_is_pending() -> None:
    reply = answer(post(PATH, create_body()), accepted(state=State.AWAITING_APPROVAL))
    assert json.loads(reply.body)["data"]["status"] == "pending"


def test_without_a_reference_the_answer_shows_null() -> None:
    reply = answer(post(PATH, create_body(end_user_reference=None)), accepted())
    assert json.loads(reply.body)["data"]["end_user_reference"] is None


def test_a_reference_is_required_where_the_operator_says_so() -> None:
    venue = make_venue(reference_required=True)
    asked = outcome(post(PATH, create_body(end_user_reference=None)), venue=venue)
    assert faults(asked) == {"end_user_reference": "The end user reference field is required."}


def test_an_amount_of_many_decimals_shows_all_of_them() -> None:
    body = create_body(currency="ETH", amount="0.02", address=EVM_ADDRESS)
    reply = answer(post(PATH, body), accepted(amount=Units(10**18 + 1), fee=Units(0), net=Units(10**18 + 1)))
    assert json.loads(reply.body)["data"]["receiver_amount"] == "1.000000000000000001"


def test_a_taken_foreign_id_is_an_error_and_no_second_answer() -> None:
    """A year-old body sent again passes every check but this one, which is the engine's."""
    asked = outcome(post(PATH, create_body(), now_ms=NOW_MS + 366 * 86_400_000))
    assert isinstance(asked, Ask)
    assert asked.question.repeatable is False  # type: ignore[union-attr]


# --- several fields at once --------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null"])
def test_everything_that_is_missing_is_said_at_once(body: bytes) -> None:
    assert said(body) == {
        "currency": "The currency field is required.",
        "foreign_id": "The foreign id field is required.",
        "address": "The address field is required.",
        "amount": "The amount field is required when amount to is not present.",
    }


def test_everything_that_is_wrong_is_said_at_once() -> None:
    told = said(
        {
            "currency": "BTC",
            "convert_to": "EUR",
            "amount": "ten",
            "address": 5,
            "tag": [],
            "foreign_id": True,
            "end_user_reference": "x" * 256,
            "sender_type": "robot",
            "sender_data": "Ann",
            "receiver_data": {"first_name": 5},
        }
    )
    assert told == {
        "convert_to": "The selected convert to is invalid.",
        "amount": "The amount must be a number.",
        "address": "The address must be a string.",
        "tag": "The tag must be a string.",
        "foreign_id": "The foreign id must be a string.",
        "end_user_reference": "The end user reference may not be greater than 255 characters.",
        "sender_type": "The selected sender type is invalid.",
        "sender_data": "The sender data must be an array.",
        "receiver_data": "The receiver data is invalid.",
    }


def test_fields_that_nobody_knows_are_ignored_and_not_kept() -> None:
    strays = {"status": "SUCCESS", "approved": True, "fee": "-5", "__proto__": {"a": 1}, "callback_url": "x"}
    assert command(create_body(**strays)) == command(create_body())


def test_travel_rule_data_is_kept_by_its_documented_fields() -> None:
    body = create_body(
        sender_type="legal",
        sender_data={"legal_name": "Acme", "country_of_registration": "AUT", "secret": "x", "email": None},
        receiver_type="natural",
        receiver_data={"first_name": "Ann", "last_name": "Lee", "date_of_birth": "1990-01-31"},
    )
    echo = read_echo(command(body).extra)
    assert echo.types == {"sender_type": "legal", "receiver_type": "natural"}
    assert echo.persons == {
        "sender_data": {"legal_name": "Acme", "country_of_registration": "AUT"},
        "receiver_data": {"first_name": "Ann", "last_name": "Lee", "date_of_birth": "1990-01-31"},
    }
    assert read_echo(command(create_body(receiver_type="self", receiver_data=[])).extra).persons == {}


# --- bodies ------------------------------------------------------------------------------------------------

PLAIN = json.dumps(create_body()).encode()


@pytest.mark.parametrize(
    "body",
    [
        b'{"amount":"1","amount":"1000"}',
        b'{"amount":"1","\\u0061mount":"1000"}',
        PLAIN.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.replace(b"user-42", b"\xff"),
        PLAIN.replace(b"user-42", b"\\ud800"),
        PLAIN.replace(b"user-42", b"\\u0000"),
        PLAIN.replace(b'"0.00020000"', b"NaN"),
        PLAIN.replace(b'"0.00020000"', b"Infinity"),
        PLAIN.replace(b'"0.00020000"', b"-Infinity"),
        PLAIN.replace(b'"0.00020000"', b"1e400"),
        PLAIN.replace(b'"0.00020000"', b"1e999999999"),
        PLAIN.replace(b'"0.00020000"', b"1" * 4_301),
        b"[" * 65_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'"x"',
        b"[1]",
        b"5",
        b"true",
        b"{} {}",
        b"currency=BTC&amount=1",
        b"\x1f\x8b\x08" + bytes(50),
    ],
)
def test_what_is_no_single_clean_object_is_bad_content(body: bytes) -> None:
    assert refusal(outcome(post(PATH, body))) == (400, "bad_content_format")


# --- amounts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "literal, units",
    [
        ("0.001", 100_000),
        ("1e-04", 10_000),
        ("1.0E-3", 100_000),
        ("25e-2", 25_000_000),
        ("1", 100_000_000),
        ('"0.00100000"', 100_000),
        ('"1.000"', 100_000_000),
        ("0.00020000", 20_000),
    ],
)
def test_an_amount_is_read_by_its_digits(literal: str, units: int) -> None:
    body = PLAIN.replace(b'"0.00020000"', literal.encode())
    assert command(body).amount == units


def test_what_python_writes_for_a_small_float_is_exactly_that() -> None:
    body = json.dumps(create_body(currency="XRP", amount=0.00001, address=XRP_ADDRESS)).encode()
    assert b'"amount": 1e-05' in body
    assert command(body).amount == 10


@pytest.mark.parametrize(
    "literal", ["0.30000000000000004", '"0.300000001"', "0." + "3" * 60, '"0.' + "1" * 40 + '"']
)
def test_more_decimals_than_the_chain_pays_are_refused_and_never_rounded(literal: str) -> None:
    body = PLAIN.replace(b'"0.00020000"', literal.encode())
    assert said(body) == {"amount": "The amount may not have more than 8 decimal places."}


@pytest.mark.parametrize(
    "amount",
    [
        "1e1000000",
        "1e5",
        "+1",
        " 1",
        "1\n",
        "1_000",
        "\uff11\uff12\uff13",
        "٣",
        "1,5",
        "0x10",
        ".5",
        "5.",
        "00012",
        "NaN",
        "--1",
        "-",
        "1" * 61,
        "0." + "0" * 41,
        True,
        False,
        ["1"],
        {"value": "1"},
    ],
)
def test_what_is_no_decimal_is_no_number(amount: object) -> None:
    assert said(create_body(amount=amount)) == {"amount": "The amount must be a number."}


@pytest.mark.parametrize("amount", [0, "0", "0.0", -1, "-1", "-0", "0.00000001", "0.00009999", -0.0])
def test_an_amount_below_the_minimum_is_told_the_minimum(amount: object) -> None:
    assert said(create_body() | {"amount": amount}) == {"amount": "The amount must be at least 0.0001."}


def test_an_empty_amount_is_a_missing_one() -> None:
    assert said(create_body(amount="")) == {
        "amount": "The amount field is required when amount to is not present."
    }


@pytest.mark.parametrize("amount", ["10.00000001", str(2**63), str(2**64), "1" + "0" * 51])
def test_an_amount_above_the_maximum_is_told_the_maximum(amount: str) -> None:
    assert said(create_body(amount=amount)) == {"amount": "The amount may not be greater than 10."}


@pytest.mark.parametrize("amount", [str(2**63), str(2**256)[:60], "1" + "0" * 51])
def test_a_huge_amount_of_what_has_no_maximum_goes_to_the_engine_exactly(amount: str) -> None:
    asked = command(create_body(currency="USDC", amount=amount, address=EVM_ADDRESS))
    assert asked.amount == int(amount) * 10**6


def test_an_amount_must_be_a_multiple_where_the_listing_says_so() -> None:
    told = said(create_body(currency="TRX", amount="10.5", address=TRON_ADDRESS))
    assert told == {"amount": "The amount must be a multiple of 1."}


def test_one_of_two_amounts_is_allowed() -> None:
    both = create_body(convert_to="ETH", amount="1", amount_to="1")
    assert said(both)["amount"] == "Only one of amount and amount to is allowed."
    lone = create_body(amount=None, amount_to="1")
    assert said(lone) == {"convert_to": "The convert to field is required when amount to is present."}


def test_what_is_wrong_with_the_other_amount_is_said_of_it() -> None:
    body = create_body(currency="EUR", convert_to="BTC", amount=None)
    assert said(body | {"amount_to": "x"}) == {"amount_to": "The amount to must be a number."}
    assert said(body | {"amount_to": 0}) == {"amount_to": "The amount to must be at least 0.0001."}
    assert said(body | {"amount_to": "0.123456789"}) == {
        "amount_to": "The amount to may not have more than 8 decimal places."
    }


def test_a_debit_is_held_to_what_it_buys() -> None:
    # 0.0001 BTC are 5.5555... EUR, and 10 BTC 555,555.5555...
    assert said(EUR_TO_BTC | {"amount": "5.55"}) == {"amount": "The amount must be at least 5.56."}
    assert command(EUR_TO_BTC | {"amount": "5.56"}).amount == 556
    assert said(EUR_TO_BTC | {"amount": "555555.56"}) == {
        "amount": "The amount may not be greater than 555555.56."
    }
    assert said(EUR_TO_BTC | {"amount": "5.555"}) == {
        "amount": "The amount may not have more than 2 decimal places."
    }


@given(st.fractions(min_value=Fraction(1, 10**9), max_value=10**9), st.integers(1, 10**9))
def test_the_minimum_that_is_told_is_the_least_that_is_taken(ratio: Fraction, cents: int) -> None:
    venue = make_venue(FakeRates({("EUR", "USDT"): ratio}))

    def asked(units: int) -> Ask | Reply:
        amount = f"{units // 100}.{units % 100:02d}"
        body = create_body(currency="EUR", convert_to="USDTE", amount=amount, address=EVM_ADDRESS)
        return outcome(post(PATH, body), venue=venue)

    def enough(units: int) -> bool:
        return Fraction(units, 100) * ratio >= 5

    first = asked(cents)
    assert isinstance(first, Ask) == enough(cents)
    if not enough(cents):
        told = faults(first)["amount"].removeprefix("The amount must be at least ").removesuffix(".")
        least = int(Fraction(told) * 100)
        assert isinstance(asked(least), Ask)
        assert enough(least)
        assert not enough(least - 1)


def test_a_pair_without_a_rate_is_said_of_the_target() -> None:
    body = create_body(currency="EUR", convert_to="ETH", amount=25, address=EVM_ADDRESS)
    assert said(body) == {"convert_to": "Exchange is unavailable for given currencies"}


def test_an_old_rate_goes_to_the_engine_with_its_age() -> None:
    rates = make_rates()
    rates.age_ms = 61_000
    asked = outcome(post(PATH, EUR_TO_BTC), venue=make_venue(rates))
    assert isinstance(asked, Ask)
    assert asked.question.conversion.rate.at_ms == NOW_MS - 61_000  # type: ignore[union-attr]


def test_a_closed_currency_is_said_to_be() -> None:
    told = said(create_body(currency="SHUT", amount="1", address=EVM_ADDRESS))
    assert told == {"currency": "The currency is not available at the moment."}


# --- addresses and tags ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "currency, address",
    [
        ("USDTT", EVM_ADDRESS),
        ("BTC", "12345"),
        ("BTC", BTC_ADDRESS[:-1] + "q"),
        ("BTC", BTC_ADDRESS[:20].upper() + BTC_ADDRESS[20:]),
        ("BTC", "tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc"),
        ("BTC", " " + BTC_ADDRESS),
        ("BTC", BTC_ADDRESS + "\u00a0"),
        ("BTC", BTC_ADDRESS.replace("a", "\u0430")),
        ("BTC", BTC_ADDRESS[:9] + "\u200b" + BTC_ADDRESS[9:]),
        ("ETH", EVM_ADDRESS.replace("B", "b")),
        ("ETH", HOT_WALLET),
        ("ETH", "0x" + "0" * 40),
        ("USDTT", "41" + "0" * 40),
        ("USDTT", TRON_ADDRESS[:-1] + "k"),
        ("BTC", "x" * 255),
    ],
)
def test_what_the_chain_cannot_pay_is_no_address(currency: str, address: str) -> None:
    assert HOT_WALLET in FORBIDDEN
    assert said(create_body(currency=currency, amount="10", address=address)) == {
        "address": "The address is invalid."
    }


XRP = create_body(currency="XRP", amount="30", address=XRP_ADDRESS)


@pytest.mark.parametrize(
    "tag, memo", [("12345", "12345"), (12345, "12345"), ("0", "0"), ("", ""), (None, "")]
)
def test_a_tag_is_text_or_a_number_and_its_three_empties_are_one(tag: object, memo: str) -> None:
    asked = command(XRP | {"tag": tag})
    assert asked.memo == memo
    assert memo or asked == command(XRP)


@pytest.mark.parametrize("tag", [str(2**32), "007", "-1", -1, "1\n", "12a", " 1", "x" * 255])
def test_what_is_no_tag_is_said_to_be_none(tag: object) -> None:
    assert said(XRP | {"tag": tag}) == {"tag": "The tag is invalid."}


@pytest.mark.parametrize("tag", ["x" * 4096, True, 1.0, {"a": 1}])
def test_a_tag_of_another_kind_is_refused(tag: object) -> None:
    assert said(XRP | {"tag": tag}).keys() == {"tag"}


def test_a_tag_where_the_network_has_none_is_refused() -> None:
    assert said(create_body(tag="1")) == {"tag": "The tag is invalid."}


# --- foreign ids -------------------------------------------------------------------------------------------


def test_a_number_and_its_text_are_one_foreign_id() -> None:
    assert command(create_body(foreign_id=123)) == command(create_body(foreign_id="123"))


@pytest.mark.parametrize(
    "foreign_id",
    ["abc", "ABC", "a" * 255, "a b", "a_b", "💸", "a/b", "-5", "0", "123.0", "1e2", "é", "e\u0301"],
)
def test_a_foreign_id_is_kept_as_it_was_written(foreign_id: str) -> None:
    assert command(create_body(foreign_id=foreign_id)).request_id == foreign_id


@pytest.mark.parametrize("literal", ["123.0", "1e2", "true", "false", "{}", "[]", '{"a":1}', "-0"])
def test_what_is_neither_text_nor_whole_is_no_foreign_id(literal: str) -> None:
    body = PLAIN.replace(b'"wd-0001"', literal.encode())
    assert said(body) == {"foreign_id": "The foreign id must be a string."}


@pytest.mark.parametrize("foreign_id", ["", " ", "\t \u3000", None])
def test_an_empty_foreign_id_is_a_missing_one(foreign_id: str | None) -> None:
    body = create_body() | {"foreign_id": foreign_id}
    assert said(body) == {"foreign_id": "The foreign id field is required."}


@pytest.mark.parametrize("foreign_id", ["a" * 256, "💸" * 256])
def test_a_long_foreign_id_is_refused(foreign_id: str) -> None:
    assert said(create_body(foreign_id=foreign_id)) == {
        "foreign_id": "The foreign id may not be greater than 255 characters."
    }


def test_the_same_id_with_another_business_is_another_business() -> None:
    businesses = {
        command(create_body(**change)).business
        for change in (
            {},
            {"amount": "0.0003"},
            {"address": "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"},
            {"end_user_reference": "user-43"},
        )
    }
    assert len(businesses) == 4


def test_equal_amounts_in_other_words_are_the_same_business() -> None:
    written = [b'"0.00020000"', b"0.0002", b"2e-4", b'"0.0002"']
    assert len({command(PLAIN.replace(written[0], one)).business for one in written}) == 1


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=255))
def test_any_reference_comes_back_as_it_was(reference: str) -> None:
    body = create_body() | {"end_user_reference": reference}
    created = json.loads(answer(post(PATH, body), accepted()).body)["data"]
    assert created["end_user_reference"] == (reference or None)
