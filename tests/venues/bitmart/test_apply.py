from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.amounts import format_units
from penstock.core.commands import RecipientKind, Transfer, Withdraw
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.venues.venue import Ask, Reply
from tests.venues.bitmart.world import (
    ACCOUNT,
    CATALOGUE,
    EVM_ADDRESS,
    HOT_WALLET,
    KEY,
    TIMESTAMP,
    TRON_ADDRESS,
    USDT_ON_ETHEREUM,
    answer,
    apply_body,
    make_key,
    outcome,
    post,
    refusal,
    sign,
)

PARAM = (400, 60000)
CURRENCY = (400, 60002)
ADDRESS = (400, 60011)
MEMO = (400, 60014)


def read(**changes: object) -> Ask | Reply:
    return outcome(post(apply_body(**changes)))


def raw(body: bytes) -> Ask | Reply:
    return outcome(post(body))


def with_amount(literal: str, **changes: object) -> Ask | Reply:
    """The amount as a JSON literal, put into the text as it is."""
    return raw(apply_body(amount="@", **changes).replace(b'"@"', literal.encode()))


def to_account(**changes: object) -> Ask | Reply:
    form = {"address": None, "type": 1, "value": "876940329"}
    return read(**(form | changes))


def withdrawal(asked: Ask | Reply) -> Withdraw:
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, Withdraw)
    return asked.question


def transfer(asked: Ask | Reply) -> Transfer:
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, Transfer)
    return asked.question


def test_a_blockchain_form_becomes_a_withdrawal() -> None:
    body = apply_body(address_memo="")
    assert withdrawal(raw(body)) == Withdraw(
        account_id=ACCOUNT,
        key_id=KEY,
        venue="bitmart",
        request_id=f"{TIMESTAMP}:{sign(body)}",
        business="",
        asset="USDT",
        network="ethereum",
        wallets=("spot", "fund"),
        amount=100_000_000,
        address=EVM_ADDRESS,
        memo="",
        remark="To Digital Address",
    )


def test_an_account_form_becomes_a_transfer() -> None:
    body = b'{"currency":"USDT-TRC20","amount":"100.000","type":1,"value":"876940329","areaCode":""}'
    assert transfer(raw(body)) == Transfer(
        account_id=ACCOUNT,
        key_id=KEY,
        venue="bitmart",
        request_id=f"{TIMESTAMP}:{sign(body)}",
        business="",
        asset="USDT",
        network="tron",
        wallets=("spot", "fund"),
        amount=100_000_000,
        recipient_kind=RecipientKind.ACCOUNT_NUMBER,
        recipient="876940329",
        remark="",
    )


def test_acceptance_is_answered_with_the_id_as_text() -> None:
    reply = answer(post(apply_body()), Accepted(121212, UnixMs(0), repeated=False))
    assert reply.status == 200
    assert json.loads(reply.body)["data"] == {"withdraw_id": "121212"}


def test_chain_fields_win_over_account_fields() -> None:
    assert withdrawal(read(type=1, value="876940329")).address == EVM_ADDRESS


@pytest.mark.parametrize(
    "source, wallets", [("SPOT", ("spot",)), ("FUND", ("fund",)), (None, ("spot", "fund"))]
)
def test_the_source_account_chooses_the_wallets(source: str | None, wallets: tuple[str, ...]) -> None:
    assert withdrawal(read(sourceAccount=source)).wallets == wallets


def test_an_unknown_source_account_is_refused() -> None:
    assert refusal(read(sourceAccount="MARGIN")) == (400, 60001)
    assert refusal(read(sourceAccount="spot")) == (400, 60001)


def test_a_sub_account_may_not_withdraw() -> None:
    assert refusal(outcome(post(apply_body()), make_key(is_sub_account=True))) == (403, 60054)


# --- JSON --------------------------------------------------------------------------------------------------

BAD_JSON = {
    "a doubled amount": b'{"currency":"USDT-ERC20","amount":"1","amount":"1000","address":"x"}',
    "a doubled amount behind an escape": b'{"currency":"USDT-ERC20","amount":"1","\\u0061mount":"1000"}',
    "the documentation's literal sample": b'{ { "currency": "USDT-TRC20", "amount": "100.000" } }',
    "UTF-16 with a mark": apply_body().decode().encode("utf-16"),
    "UTF-16 without a mark": apply_body().decode().encode("utf-16-le"),
    "UTF-16, the other way round": apply_body().decode().encode("utf-16-be"),
    "a byte order mark": b"\xef\xbb\xbf" + apply_body(),
    "a byte that is no UTF-8": apply_body().replace(b"Digital", b"\xff"),
    "half a surrogate pair, escaped": apply_body().replace(b"Digital", b"\\ud800"),
    "half a surrogate pair, as bytes": apply_body().replace(b"Digital", b"\xed\xa0\x80"),
    "NUL, escaped": apply_body().replace(b"Digital", b"\\u0000"),
    "NUL, raw": apply_body().replace(b"Digital", b"\x00"),
    "NaN": apply_body(amount="@").replace(b'"@"', b"NaN"),
    "Infinity": apply_body(amount="@").replace(b'"@"', b"Infinity"),
    "-Infinity": apply_body(amount="@").replace(b'"@"', b"-Infinity"),
    "1e400": apply_body(amount="@").replace(b'"@"', b"1e400"),
    "1e400 in a member nobody reads": apply_body(other="@").replace(b'"@"', b"1e400"),
    "100,000 opening brackets": b"[" * 100_000,
    "900 levels": b'{"a":' * 900 + b"1" + b"}" * 900,
    "nine levels": apply_body(other="@").replace(b'"@"', b"[" * 8 + b"]" * 8),
    "null": b"null",
    "a list": b"[]",
    "a string": b'"x"',
    "an empty string": b'""',
    "nothing": b"",
    "white space": b" \n",
    "half an object": apply_body()[:-1],
    "two objects": apply_body() * 2,
    "gzip's first bytes": b"\x1f\x8b\x08\x00",
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON)
def test_a_body_that_is_not_one_clean_object_is_refused_quickly(body: bytes) -> None:
    request = post(body)
    began = time.process_time_ns()
    found = outcome(request)
    took_ms = (time.process_time_ns() - began) / 1e6
    assert refusal(found) == PARAM
    assert took_ms < 5


@pytest.mark.parametrize("body", [b"currency=BTC&amount=1", b"hello", b"<xml/>"])
def test_text_that_is_no_json_at_all_has_its_own_code(body: bytes) -> None:
    assert refusal(raw(body)) == (503, 30018)


@pytest.mark.parametrize(
    "header",
    [
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-type", b"multipart/form-data; boundary=x"),
        (b"content-type", b"text/plain"),
        (b"content-type", b""),
        (b"content-encoding", b"gzip"),
        (b"content-encoding", b"br"),
    ],
)
def test_another_media_type_is_refused(header: tuple[bytes, bytes]) -> None:
    assert refusal(outcome(post(apply_body(), extra=(header,)))) == (415, 60031)


@pytest.mark.parametrize(
    "extra",
    [
        (),
        ((b"content-type", b"application/json; charset=utf-8"),),
        ((b"content-type", b"Application/JSON"),),
        ((b"content-encoding", b"identity"),),
    ],
)
def test_json_is_taken_however_it_is_announced(extra: tuple[tuple[bytes, bytes], ...]) -> None:
    assert isinstance(outcome(post(apply_body(), extra=extra)), Ask)


def test_unknown_members_change_nothing() -> None:
    strays = {
        "status": "SUCCESS",
        "approved": True,
        "fee": "-5",
        "__proto__": {"a": [1]},
        "recvWindow": 5000,
        "ADDRESS": "x",
    }
    plain, strayed = withdrawal(read()), withdrawal(read(**strays))
    assert {f: getattr(plain, f) for f in plain.__struct_fields__ if f != "request_id"} == {
        f: getattr(strayed, f) for f in strayed.__struct_fields__ if f != "request_id"
    }


@pytest.mark.parametrize("name", ["currency", "address", "address_memo", "destination", "value", "areaCode"])
@pytest.mark.parametrize("value", ["1", "true", "[]", '["x"]', "{}", "1.5"])
def test_a_text_member_of_another_type_is_refused(name: str, value: str) -> None:
    assert refusal(raw(apply_body(**{name: "@"}).replace(b'"@"', value.encode()))) == PARAM


@pytest.mark.parametrize("literal", ['"1"', "1.0", "1e0", "0", "4", "-1", "true", "[]", "{}", "10"])
@pytest.mark.parametrize("address", [EVM_ADDRESS, None])
def test_a_type_that_is_not_1_2_or_3_is_refused(literal: str, address: str | None) -> None:
    body = apply_body(address=address, value="876940329", type="@").replace(b'"@"', literal.encode())
    assert refusal(raw(body)) == PARAM


@pytest.mark.parametrize("missing", ["currency", "amount", "address"])
def test_a_missing_member_is_refused(missing: str) -> None:
    assert refusal(read(**{missing: None})) == PARAM


# --- amounts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "literal, units",
    [
        ('"100.000"', 100_000_000),
        ("100.5", 100_500_000),
        ("100", 100_000_000),
        ("1e2", 100_000_000),
        ("1.005E2", 100_500_000),
        ("1000e-1", 100_000_000),
        ('"100.1234560000"', 100_123_456),
        ('"10"', 10_000_000),
    ],
)
def test_an_amount_is_read_exactly(literal: str, units: int) -> None:
    assert withdrawal(with_amount(literal)).amount == units


def test_a_tiny_json_number_is_read_exactly() -> None:
    body = apply_body(currency="BTC", address="bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", amount=0.00001)
    assert b"1e-05" in body
    assert withdrawal(raw(body)).amount == 1_000


@pytest.mark.parametrize(
    "text",
    ["+1", " 1", "1\n", "1_000", "\uff11\uff12\uff13", "\u0663", "1,5", "0x10", ".5", "5.", "00012", ""],
)
def test_an_amount_text_in_another_form_is_refused(text: str) -> None:
    assert refusal(read(amount=text)) == PARAM


@pytest.mark.parametrize("text", ["--1", "-", "-+1", "1e5", "1e1000000", "NaN", "Infinity", "inf", "1-"])
def test_an_amount_text_that_is_no_plain_decimal_is_refused(text: str) -> None:
    assert refusal(read(amount=text)) == PARAM


@pytest.mark.parametrize("literal", ["true", "false", "null", "[]", "{}", '["1"]', '{"a":1}'])
def test_an_amount_of_another_type_is_refused(literal: str) -> None:
    assert refusal(with_amount(literal)) == PARAM


@pytest.mark.parametrize(
    "literal", ["1e1000000", "1e999999999", "1E+100", "+1", "00012", ".5", "5.", "0x10", "1_000"]
)
def test_a_number_that_is_too_big_or_no_json_is_refused(literal: str) -> None:
    assert refusal(with_amount(literal)) == PARAM


@pytest.mark.parametrize(
    "literal", ["0", "0.0", "-0", "-1", "0e5", '"0"', '"0.000"', '"-0"', '"-1"', '"-0.5"']
)
def test_an_amount_of_nothing_or_less_is_refused(literal: str) -> None:
    assert refusal(with_amount(literal)) == (400, 61000)


@pytest.mark.parametrize("digits", ["1" * 4_301, "1" * 1_000_000, "0." + "1" * 100_000])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_flood_of_digits_is_refused_quickly(digits: str, quote: str) -> None:
    request = post(apply_body(amount="@").replace(b'"@"', f"{quote}{digits}{quote}".encode()))
    began = time.process_time_ns()
    found = outcome(request)
    took_ms = (time.process_time_ns() - began) / 1e6
    assert refusal(found) == PARAM
    assert took_ms < 20


@pytest.mark.parametrize("amount", [2**63, 2**64, 2**256 // 10**18, 10**54])
def test_a_huge_amount_stays_exact(amount: int) -> None:
    assert withdrawal(read(amount=str(amount))).amount == amount * 10**6
    assert withdrawal(with_amount(str(amount))).amount == amount * 10**6


@pytest.mark.parametrize(
    "literal", ['"100.0000001"', "100.0000001", '"0.0000000000000000000000000000000001"']
)
def test_more_decimals_than_the_asset_has_are_refused_and_the_listing_s_are_named(literal: str) -> None:
    found = with_amount(literal)
    assert refusal(found) == (400, 60006)
    assert isinstance(found, Reply)
    assert json.loads(found.body)["message"] == "Maximum withdraw precision is 6"


@given(st.integers(min_value=1, max_value=10**30))
def test_every_amount_reads_back_as_text_and_as_number(units: int) -> None:
    text = format_units(units, CATALOGUE.scale("USDT"))
    assert withdrawal(read(amount=text)).amount == units
    assert withdrawal(with_amount(text)).amount == units


# --- currencies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "currency, network, address",
    [
        ("USDT-ERC20", "ethereum", EVM_ADDRESS),
        ("USDT-ETH", "ethereum", EVM_ADDRESS),
        ("USDT-TRC20", "tron", TRON_ADDRESS),
        ("USDT-TRX", "tron", TRON_ADDRESS),
        ("USDT-BSC_BNB", "bsc", EVM_ADDRESS),
        ("USDT-BSC", "bsc", EVM_ADDRESS),
        ("USDT-BEP20", "bsc", EVM_ADDRESS),
    ],
)
def test_every_generation_of_network_names_is_read(currency: str, network: str, address: str) -> None:
    assert withdrawal(read(currency=currency, address=address)).network == network


@pytest.mark.parametrize("currency", ["ETH", "ETH-ETH", "ETH-ERC20"])
def test_a_native_coin_goes_by_its_bare_name_too(currency: str) -> None:
    assert withdrawal(read(currency=currency)).network == "ethereum"


@pytest.mark.parametrize(
    "currency",
    [
        "USDT",
        "usdt-erc20",
        "USDT-SOL",
        "USDT-",
        "USDT-ERC20 ",
        "ＵＳＤＴ-ERC20",  # noqa: RUF001 - full-width on purpose
        "USDT\u200b-ERC20",
        "DOGE",
    ],
)
def test_an_unknown_currency_is_refused(currency: str) -> None:
    assert refusal(read(currency=currency)) == CURRENCY


# --- addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        EVM_ADDRESS.swapcase().replace("0X", "0x"),
        EVM_ADDRESS[:-1],
        EVM_ADDRESS + "0",
        EVM_ADDRESS.replace("0x", "0X"),
        "0x" + "0" * 40,
        USDT_ON_ETHEREUM,
        USDT_ON_ETHEREUM.lower(),
        HOT_WALLET,
        "0x" + "0" * 39 + "1",
        TRON_ADDRESS,
        EVM_ADDRESS + "\u00a0",
        EVM_ADDRESS + " ",
        EVM_ADDRESS.replace("c", "с", 1),  # noqa: RUF001 - Cyrillic on purpose
        EVM_ADDRESS[:20] + "\u200b" + EVM_ADDRESS[20:],
        "\u200f" + EVM_ADDRESS,
        f"{EVM_ADDRESS},currency:usdt",
    ],
)
def test_an_address_that_must_not_be_paid_is_refused(address: str) -> None:
    assert refusal(read(address=address)) == ADDRESS


def test_lower_case_is_the_same_evm_address() -> None:
    assert withdrawal(read(address=EVM_ADDRESS.lower())).address == EVM_ADDRESS


@pytest.mark.parametrize(
    "currency, address",
    [
        ("USDT-TRC20", EVM_ADDRESS),
        ("USDT-TRC20", "TXyzDemoAddress000000000000000001"),
        ("USDT-TRC20", "41" + "a" * 40),
        ("USDT-TRC20", TRON_ADDRESS[:-1] + "p"),
        ("BTC", "bc1qAR0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
        ("BTC", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        ("BTC", "bc1qdemo"),
    ],
)
def test_an_address_of_another_network_is_refused(currency: str, address: str) -> None:
    assert refusal(read(currency=currency, address=address, amount="10")) == ADDRESS


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"amount": "abc", "currency": "DOGE", "address": "x"}, PARAM),
        ({"currency": "DOGE", "amount": "0.1", "address": "x"}, CURRENCY),
        ({"currency": "SHUT-ERC20", "amount": "0.00000001", "address": "x"}, (400, 60004)),
        ({"currency": "USDT-TRC20", "amount": "100.0001", "address": "x"}, (400, 60006)),
        ({"currency": "USDT-BSC_BNB", "amount": "15", "address": "x"}, (400, 60013)),
        ({"amount": "9.999999", "address": "x"}, (400, 60005)),
        ({"currency": "BTC", "amount": "10.00000001", "address": "x"}, (400, 60009)),
        ({"amount": "10", "address": "x"}, ADDRESS),
    ],
)
def test_the_first_fault_in_the_documented_order_is_named(
    changes: dict[str, object], expected: tuple[int, int]
) -> None:
    assert refusal(read(**changes)) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "SHUT-ERC20"},
        {"currency": "USDT-TRC20", "address": TRON_ADDRESS, "amount": "100.0001"},
        {"amount": "9.999999"},
    ],
)
def test_what_the_listing_says_is_left_to_the_engine_because_a_repeat_must_get_its_first_answer(
    changes: dict[str, object],
) -> None:
    assert withdrawal(read(**changes))


def test_absent_null_and_empty_memo_are_one() -> None:
    bodies = (
        apply_body(),
        apply_body(address_memo=""),
        apply_body(m=1).replace(b'"m": 1', b'"address_memo": null'),
    )
    assert {withdrawal(raw(body)).memo for body in bodies} == {""}


XRP = {"currency": "XRP", "address": "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"}


@pytest.mark.parametrize(
    "memo, expected", [("4294967296", MEMO), ("a\nb", PARAM), ("1" * 4096, PARAM), ("x", MEMO)]
)
def test_a_memo_that_cannot_be_a_tag_is_refused(memo: str, expected: tuple[int, int]) -> None:
    assert refusal(read(**XRP, address_memo=memo)) == expected


def test_a_tag_is_kept() -> None:
    assert withdrawal(read(**XRP, address_memo="4294967295")).memo == "4294967295"


# --- the account form --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, kind, recipient",
    [
        ({"type": 2, "value": "Bob@example.com"}, RecipientKind.EMAIL, "Bob@example.com"),
        ({"type": 3, "value": "412345678", "areaCode": "61"}, RecipientKind.PHONE, "+61 412345678"),
        ({"currency": "USDT"}, RecipientKind.ACCOUNT_NUMBER, "876940329"),
        ({"address": ""}, RecipientKind.ACCOUNT_NUMBER, "876940329"),
    ],
)
def test_a_recipient_is_read(changes: dict[str, object], kind: RecipientKind, recipient: str) -> None:
    asked = transfer(to_account(**changes))
    assert (asked.recipient_kind, asked.recipient) == (kind, recipient)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": None},
        {"value": None},
        {"value": ""},
        {"value": "12a"},
        {"value": "012"},
        {"value": "1" * 20},
        {"value": "１２３"},  # noqa: RUF001 - full-width on purpose
        {"type": 2, "value": "bob@example.com\r\nBcc: x@y"},
        {"type": 2, "value": "böb@example.com"},
        {"type": 2, "value": "bob@exämple.com"},
        {"type": 2, "value": "bob"},
        {"type": 2, "value": "a@b@c"},
        {"type": 3, "value": "412345678"},
        {"type": 3, "value": "412345678", "areaCode": ""},
        {"type": 3, "value": "412345678", "areaCode": "+61"},
        {"type": 3, "value": "412345678", "areaCode": "0061"},
        {"type": 3, "value": "+61412345678", "areaCode": "61"},
    ],
)
def test_a_malformed_recipient_is_refused(changes: dict[str, object]) -> None:
    assert refusal(to_account(**changes)) == PARAM


def test_a_transfer_of_more_decimals_than_the_asset_has_is_refused() -> None:
    assert refusal(to_account(amount="0.0000001")) == (400, 60006)
