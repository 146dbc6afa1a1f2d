from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.amounts import Units
from penstock.core.commands import FeeRule, Withdraw
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.venues.sunx.content import Content, read_content
from penstock.venues.venue import Ask, Reply
from tests.venues.sunx.world import (
    ACCOUNT,
    APPLY,
    CLOUD,
    CONTENT,
    JSON,
    KEY,
    NONCE,
    NOW_MS,
    OTHER_WALLET,
    USDT_CONTRACT,
    VENUE,
    WALLET,
    answered,
    apply_members,
    error,
    make_key,
    outcome,
    post,
    route_of,
    signed,
    told,
)

NOT_READABLE = (200, "gateway-internal-error")
MISSING = (200, "validation-constraints-required")
FORMAT = (200, "validation-format-error")
CURRENCY = (200, "base-currency-error")
CHAIN = (200, "base-currency-chain-error")
ADDRESS = (200, "invalid-address")
AMOUNT = (200, "invalid-amount")
MINIMUM = (200, "dw-withdraw-min-limit")
FEE = (200, "base-withdraw-fee-error")
LOGIN = (200, "login-required")


def read(**changes: object) -> Ask | Reply:
    return outcome(post(APPLY, apply_members(**changes)))


def raw(body: bytes) -> Ask | Reply:
    return outcome(signed("POST", APPLY, body))


def with_literal(name: str, literal: str) -> Ask | Reply:
    """A member as a JSON literal, put into the text as it is."""
    body = json.dumps(apply_members(**{name: "@"}))
    return raw(body.replace('"@"', literal).encode())


def command(asked: Ask | Reply) -> Withdraw:
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, Withdraw)
    return asked.question


def quote(asked: Ask | Reply) -> dict[str, object]:
    reply = answered(asked, Accepted(1, UnixMs(NOW_MS + 3), repeated=False))
    assert isinstance(reply, Reply)
    envelope = json.loads(reply.body)
    assert envelope["status"] == "ok"
    data = envelope["data"]
    assert isinstance(data, dict)
    return data


# --- what is asked and answered --------------------------------------------------------------------------------------


def test_an_application_becomes_a_challenged_withdrawal_with_the_fee_on_top() -> None:
    assert command(read()) == Withdraw(
        account_id=ACCOUNT,
        key_id=KEY,
        venue="sunx",
        request_id=NONCE,
        business="",
        asset="USDT",
        network="tron",
        wallets=("spot",),
        amount=Units(8_799_999),
        address=WALLET,
        memo="",
        fee_rule=FeeRule.ON_TOP,
        numbered=True,
        extra=(
            f'{{"address":"{WALLET}","currency":"usdt","chain":"trc20usdt","amount":"8.799999","fee":"1.2"}}'
        ),
        challenge_ms=120_000,
    )


def test_the_answer_holds_nonce_content_and_expiry() -> None:
    assert quote(read()) == {"nonce": NONCE, "content": CONTENT, "expired-at": NOW_MS + 3 + 120_000}


@pytest.mark.parametrize(
    "changes, written",
    [
        ({"amount": "8.7999990"}, "amount:8.7999990,fee:1.2"),
        ({"amount": "100.000"}, "amount:100.000,fee:1.2"),
        ({"currency": "USDT"}, "currency:USDT,"),
        ({"currency": "uSdT"}, "currency:uSdT,"),
        ({"fee": "1.2"}, "fee:1.2,"),
        ({"fee": "1.200"}, "fee:1.2,"),
        ({"fee": "0.00"}, "fee:1.2,"),
    ],
)
def test_the_content_repeats_what_was_sent_and_states_our_own_fee(
    changes: dict[str, object], written: str
) -> None:
    assert written in str(quote(read(**changes))["content"])


@pytest.mark.parametrize("literal", ["8.799999", "8.7999990", "9"])
def test_a_number_is_its_literal(literal: str) -> None:
    asked = with_literal("amount", literal)
    assert f",amount:{literal},fee" in str(quote(asked)["content"])


def test_a_fee_sent_as_a_number_is_read() -> None:
    assert command(with_literal("fee", "0"))
    assert command(with_literal("fee", "1.2"))


def test_fields_nobody_documents_are_ignored() -> None:
    strays: dict[str, object] = {
        "status": "SUCCESS",
        "approved": True,
        "nonce": "A" * 32,
        "__proto__": {"a": 1},
    }
    asked = read(**strays)
    assert command(asked) == command(read())
    assert quote(asked)["nonce"] == NONCE


def test_the_documented_content_type_with_a_charset_passes_and_none_does_too() -> None:
    body = json.dumps(apply_members()).encode()
    for headers in (
        (CLOUD,),
        (CLOUD, (b"content-type", b"application/json; charset=utf-8")),
        (CLOUD, (b"content-type", b"Application/JSON")),
    ):
        assert command(outcome(signed("POST", APPLY, body, headers=headers)))


# --- refusals, in their order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        (JSON,),
        ((b"cloud-exchange", b""), JSON),
        ((b"cloud-exchange", b"6x2k9l4v1c"), JSON),
        (CLOUD, CLOUD, JSON),
        (CLOUD, (b"cloud-exchange", b"other"), JSON),
    ],
)
def test_without_the_tenants_header_nothing_is_read(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    reply = outcome(signed("POST", APPLY, b"no JSON", headers=headers))
    assert error(reply) == LOGIN
    assert told(reply) == "CLOUD-EXCHANGE header is invalid"


@pytest.mark.parametrize(
    "header",
    [
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-type", b"text/plain"),
        (b"content-type", b""),
        (b"content-encoding", b"gzip"),
    ],
)
def test_another_media_type_is_refused(header: tuple[bytes, bytes]) -> None:
    body = json.dumps(apply_members()).encode()
    assert error(outcome(signed("POST", APPLY, body, headers=(CLOUD, header)))) == NOT_READABLE


GOOD = json.dumps(apply_members()).encode()
BAD_JSON = {
    "a doubled amount": GOOD.replace(b'"fee"', b'"amount":"1000","fee"'),
    "a doubled amount behind an escape": GOOD.replace(b'"fee"', b'"\\u0061mount":"1000","fee"'),
    "two opening braces": b"{ " + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "a byte that is no UTF-8": GOOD.replace(b"usdt", b"\xff", 1),
    "half a surrogate pair, escaped": GOOD.replace(b"usdt", b"\\ud800", 1),
    "NUL, escaped": GOOD.replace(b"usdt", b"\\u0000", 1),
    "NaN": GOOD.replace(b'"8.799999"', b"NaN"),
    "Infinity": GOOD.replace(b'"8.799999"', b"Infinity"),
    "-Infinity": GOOD.replace(b'"8.799999"', b"-Infinity"),
    "1e400": GOOD.replace(b'"8.799999"', b"1e400"),
    "1e999999999": GOOD.replace(b'"8.799999"', b"1e999999999"),
    "4,301 digits": GOOD.replace(b'"8.799999"', b"1" * 4_301),
    "100,000 opening brackets": b"[" * 100_000,
    "900 levels": b'{"a":' * 900 + b"1" + b"}" * 900,
    "null": b"null",
    "a list": b"[]",
    "a string": b'"x"',
    "nothing": b"",
    "a form": b"amount=1&fee=0",
    "half an object": GOOD[:-1],
    "two objects": GOOD * 2,
    "gzip's first bytes": b"\x1f\x8b\x08\x00",
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON)
def test_a_body_that_is_not_one_clean_object_is_refused_quickly(body: bytes) -> None:
    request = signed("POST", APPLY, body)
    began = time.process_time_ns()
    found = outcome(request)
    took_ms = (time.process_time_ns() - began) / 1e6
    assert error(found) == NOT_READABLE
    assert took_ms < 5


@pytest.mark.parametrize("name", ["address", "currency", "chain", "amount", "fee"])
@pytest.mark.parametrize("body", [{}, {"value": ""}, {"value": None}])
def test_a_field_that_is_missing_is_named(name: str, body: dict[str, str | None]) -> None:
    members = apply_members()
    del members[name]
    if body:
        members[name] = body["value"]
    reply = outcome(post(APPLY, members))
    assert error(reply) == MISSING
    assert told(reply) == f"Field is missing: {name}."


@pytest.mark.parametrize("name", ["address", "currency", "chain", "amount", "fee"])
@pytest.mark.parametrize("value", [True, False, [], {}, ["1"], "1" * 129])
def test_a_field_of_another_type_or_length_is_named(name: str, value: object) -> None:
    reply = read(**{name: value})
    assert error(reply) == FORMAT
    assert told(reply) == f"Format Error: {name}."


NOT_DECIMAL = [
    *["+1", " 1", "1\n", "1 ", "1_000", "1,5", "0x10", ".5", "5.", "00012", "1e3", "1e-05", "NaN", "--1"],
    *["１２３", "٣", "1e1000000", "1" * 61, "0." + "1" * 41],  # noqa: RUF001 - other digits on purpose
]


@pytest.mark.parametrize("name", ["amount", "fee"])
@pytest.mark.parametrize("text", NOT_DECIMAL)
def test_what_is_no_plain_decimal_is_malformed(name: str, text: str) -> None:
    reply = read(**{name: text})
    assert error(reply) == FORMAT
    assert told(reply) == f"Format Error: {name}."


@pytest.mark.parametrize("literal", ["1e3", "1E3", "1e-05"])
def test_a_number_with_an_exponent_is_malformed(literal: str) -> None:
    assert error(with_literal("amount", literal)) == FORMAT


@pytest.mark.parametrize("amount", ["0", "0.000000", "-1", "-0", "-8.799999", "8.7999991", "0.0000001"])
def test_an_amount_that_cannot_be_paid_is_invalid(amount: str) -> None:
    assert error(read(amount=amount)) == AMOUNT


@pytest.mark.parametrize("amount", [2**63, 2**64, 2**256 // 10**20, 10**59])
def test_a_huge_amount_is_read_exactly_and_left_to_the_engine(amount: int) -> None:
    assert command(read(amount=str(amount))).amount == amount * 10**6


@pytest.mark.parametrize("currency", ["usdc", "btc", "ＵＳＤＴ", "usdt ", "USD\u0422", "trx"])  # noqa: RUF001
def test_an_unknown_currency_is_refused(currency: str) -> None:
    assert error(read(currency=currency)) == CURRENCY


@pytest.mark.parametrize("chain", ["usdterc20", "TRC20USDT", "trc20", "tron", "usdt", "trc20usdt "])
def test_an_unknown_chain_is_refused(chain: str) -> None:
    assert error(read(chain=chain)) == CHAIN


BAD_ADDRESSES = [
    "0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf",
    "41604acad4a20fed59cef64c77bdf61e240ac50e8f",
    WALLET[:-1] + "i",
    WALLET[:-1],
    WALLET + "j",
    WALLET.lower(),
    " " + WALLET,
    WALLET + "\u00a0",
    WALLET + "\u200b",
    "\u0422" + WALLET[1:],
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb",
    USDT_CONTRACT,
    f"{WALLET},currency:usdt,chain:trc20usdt,amount:1",
    f"{WALLET}:",
    f"{WALLET},",
    f"{WALLET}\n",
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert error(read(address=address)) == ADDRESS


@pytest.mark.parametrize("fee", ["1", "1.3", "1.2000001", "-5", "-1.2", "0.0000001", "1200000"])
def test_another_fee_than_ours_is_refused(fee: str) -> None:
    assert error(read(fee=fee)) == FEE


def test_the_refusals_come_in_the_documented_order() -> None:
    wrong: dict[str, object] = {
        "chain": "nowhere",
        "address": "nobody",
        "amount": "0.0000001",
        "fee": "7",
    }
    assert error(read(**wrong, currency=None)) == MISSING
    assert error(read(**(wrong | {"amount": "x"}), currency="doge")) == FORMAT
    assert error(read(**wrong, currency="doge")) == CURRENCY
    assert error(read(**wrong)) == CHAIN
    del wrong["chain"]
    assert error(read(**wrong)) == ADDRESS
    del wrong["address"]
    assert error(read(**wrong)) == AMOUNT
    assert error(read(**(wrong | {"amount": "4.999999"}))) == MINIMUM
    assert error(read(**(wrong | {"amount": "5"}))) == FEE


def test_a_sub_account_may_not_apply() -> None:
    reply = outcome(post(APPLY, apply_members()), make_key(is_sub_account=True))
    assert error(reply) == (200, "api-signature-not-valid")
    assert "no permission" in told(reply)


@pytest.mark.parametrize(
    "code, expected",
    [
        (RefusalCode.ADDRESS_NOT_IN_BOOK, "api-not-support-temp-addr"),
        (RefusalCode.ADDRESS_NOT_VERIFIED, "api-not-support-temp-addr"),
        (RefusalCode.AMOUNT_TOO_SMALL, "dw-withdraw-min-limit"),
    ],
)
def test_what_the_engine_refuses_has_its_code(code: RefusalCode, expected: str) -> None:
    assert command(read(address=OTHER_WALLET))
    assert error(VENUE.refuse(Refused(code), route_of("POST", APPLY))) == (200, expected)


@pytest.mark.parametrize(
    "available, most", [("9.999998", "8.799998"), ("1.2", "0"), ("0.5", "0"), ("100", "98.8")]
)
def test_a_low_balance_is_told_less_the_fee(available: str, most: str) -> None:
    refused = Refused(RefusalCode.BALANCE_TOO_LOW, asset="USDT", available=available)
    reply = VENUE.refuse(refused, route_of("POST", APPLY))
    assert error(reply) == (200, "dw-insufficient-balance")
    assert told(reply) == f"Insufficient balance. You can only transfer `{most}` at most."


# --- the content -----------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(["address", "currency", "chain", "amount", "fee"]),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_a_mark_of_the_content_in_any_field_is_refused(name: str, before: str, after: str) -> None:
    fields = {"address": WALLET, "currency": "usdt", "chain": "trc20usdt", "amount": "1", "fee": "1"}
    for mark in (",", ":", "\n"):
        with pytest.raises(ValueError, match=name):
            Content(**(fields | {name: before + mark + after}))
        body = apply_members(**{name: fields[name] + mark + "1"})
        reply = outcome(post(APPLY, body))
        assert isinstance(reply, Reply), body
        assert json.loads(reply.body)["status"] == "error"


_FIELDS = st.text("0123456789ABCXYZabcxyz.", min_size=1, max_size=40)


@given(st.tuples(_FIELDS, _FIELDS, _FIELDS, _FIELDS, _FIELDS), st.text("09AZaz", min_size=1, max_size=64))
def test_a_content_is_read_back_as_what_it_was_made_of(
    fields: tuple[str, str, str, str, str], nonce: str
) -> None:
    content = Content(*fields)
    assert read_content(content.text(nonce)) == (content, nonce)


@pytest.mark.parametrize(
    "text",
    [
        "",
        CONTENT + ",",
        CONTENT + ",amount:1",
        CONTENT.replace(",amount:8.799999", ",amount:1,amount:8.799999"),
        CONTENT.replace(",fee:1.2", ""),
        CONTENT.replace(",", ", "),
        CONTENT.replace(f"address:{WALLET},currency:usdt", f"currency:usdt,address:{WALLET}"),
        CONTENT.replace("nonce:", "nonce:-"),
        CONTENT + "A" * 40,
        CONTENT.replace("fee:1.2", "fee:"),
        CONTENT.replace("fee:1.2", "fee:1:2"),
        CONTENT + "\n",
    ],
)
def test_a_content_in_any_other_form_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="content"):
        read_content(text)
