from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.amounts import Units
from penstock.core.commands import FeeRule, RecipientKind, Transfer, Withdraw
from penstock.core.ids import WithdrawalId
from penstock.core.views import Accepted
from penstock.venues.venue import Ask, Request
from tests.venues.zoomex.world import (
    ACCOUNT,
    CREATE,
    EVM_ADDRESS,
    HOT_WALLET,
    INNER,
    KEY,
    NOW_MS,
    RIPPLE_ADDRESS,
    TRON_ADDRESS,
    USDT_ON_TRON,
    answer,
    asked_of,
    both,
    by_headers,
    by_old_query,
    by_parameters,
    create_members,
    demo_members,
    hmac_of,
    inner_members,
    outcome,
    raw,
    refusal,
)

ACCEPTED = Accepted(WithdrawalId(380_000_000_000_000_001), NOW_MS, repeated=False)


def test_a_payment_to_an_address_is_asked_for_alike_in_every_style() -> None:
    for request in both(CREATE, create_members()):
        assert asked_of(request) == Withdraw(
            account_id=ACCOUNT,
            key_id=KEY,
            venue="zoomex",
            request_id="req0001",
            business=(
                f'{{"address":"{TRON_ADDRESS}","amount":"25.5","call":"withdraw/create","chain":"TRX",'
                '"coin":"USDT","tag":""}'
            ),
            asset="USDT",
            network="tron",
            wallets=("fund",),
            amount=Units(25_500_000),
            address=TRON_ADDRESS,
            memo="",
            fee_rule=FeeRule.ON_TOP,
        )


def test_a_payment_with_a_tag_carries_it() -> None:
    members = create_members(coin="XRP", chain="XRP", address=RIPPLE_ADDRESS, tag="7001", amount="25")
    asked = asked_of(by_parameters(CREATE, members))
    assert (asked.network, asked.memo, asked.amount) == ("ripple", "7001", 25_000_000)
    assert json.loads(asked.business)["tag"] == "7001"


def test_a_payment_to_another_account_is_asked_for_alike_in_every_style() -> None:
    for request in both(INNER, inner_members(remark="your remark")):
        assert asked_of(request) == Transfer(
            account_id=ACCOUNT,
            key_id=KEY,
            venue="zoomex",
            request_id="9f23143dc62f4f718afbbe5fb8d4641b",
            business=(
                '{"address":"162119745","addressType":"account_number","amount":"1","areaCode":null,'
                '"call":"withdraw/inner-create","coin":"USDT","remark":"your remark"}'
            ),
            asset="USDT",
            network="",
            wallets=("fund",),
            amount=Units(1_000_000),
            recipient_kind=RecipientKind.ACCOUNT_NUMBER,
            recipient="162119745",
            remark="your remark",
            in_book=True,
            recipient_wallet="fund",
        )


@pytest.mark.parametrize(
    "members, kind, recipient",
    [
        ({"addressType": 1, "address": "a.b+c@example.com"}, RecipientKind.EMAIL, "a.b+c@example.com"),
        (
            {"addressType": 2, "address": "412345678", "areaCode": 61},
            RecipientKind.PHONE,
            "+61 412345678",
        ),
        ({"addressType": 3, "address": "7", "areaCode": 61}, RecipientKind.ACCOUNT_NUMBER, "7"),
    ],
)
def test_a_recipient_may_be_an_email_a_phone_or_a_uid(
    members: dict[str, Any], kind: RecipientKind, recipient: str
) -> None:
    for request in both(INNER, inner_members(**members)):
        asked = asked_of(request)
        assert (asked.recipient_kind, asked.recipient) == (kind, recipient)


@pytest.mark.parametrize("path, members", [(CREATE, create_members()), (INNER, inner_members())])
def test_an_accepted_withdrawal_is_answered_with_its_id(path: str, members: dict[str, object]) -> None:
    expected = (
        b'{"retCode":0,"retMsg":"success","result":{"withdraw_id":"380000000000000001"},"retExtInfo":null,'
        b'"time":1795219200000}'
    )
    for request in both(path, members):
        for given_ in (ACCEPTED, msgspec.structs.replace(ACCEPTED, repeated=True)):
            reply = answer(request, given_)
            assert (reply.status, reply.body) == (200, expected)
            assert reply.headers == ((b"content-type", b"application/json"),)


def test_the_old_demo_sends_a_post_without_a_body_and_without_headers() -> None:
    request = by_old_query(INNER, inner_members(remark="a b+c@ü"), recv_window=1_000_000)
    assert (request.body, request.headers) == (b"", [])
    assert asked_of(request).remark == "a b+c@ü"


# --- what makes two requests the same ----------------------------------------------------------------------


def business(path: str, members: dict[str, object]) -> str:
    asked = asked_of(by_parameters(path, members))
    return str(asked.business)


@pytest.mark.parametrize("amount", ["25.5", "25.500", 25.5, "25.50"])
def test_the_same_amount_in_other_digits_is_the_same_business(amount: object) -> None:
    assert business(CREATE, create_members(amount=amount)) == business(CREATE, create_members())


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "25.501"},
        {"chain": "ETH", "address": EVM_ADDRESS},
        {"address": "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS"},
        {"coin": "XRP", "chain": "XRP", "address": RIPPLE_ADDRESS},
    ],
)
def test_any_other_field_of_a_payment_to_an_address_is_other_business(change: dict[str, object]) -> None:
    assert business(CREATE, create_members(**change)) != business(CREATE, create_members())


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "1.1"},
        {"coin": "XRP"},
        {"address": "5"},
        {"addressType": 2, "areaCode": 61},
        {"remark": "other"},
    ],
)
def test_any_other_field_of_a_payment_to_an_account_is_other_business(change: dict[str, object]) -> None:
    assert business(INNER, inner_members(**change)) != business(INNER, inner_members())


def test_a_country_is_business_where_a_phone_is_paid_and_only_there() -> None:
    phone = inner_members(addressType=2, address="412345678", areaCode=61)
    assert business(INNER, phone) != business(INNER, phone | {"areaCode": 44})
    assert business(INNER, inner_members()) == business(INNER, inner_members(areaCode=44))


def test_credentials_and_strays_are_no_business() -> None:
    later = by_parameters(CREATE, create_members(sub_user_id="5"), timestamp=int(NOW_MS) - 9, recv_window=77)
    assert asked_of(later) == asked_of(by_parameters(CREATE, create_members()))


def test_an_evm_address_is_the_same_business_in_either_case() -> None:
    mixed = create_members(chain="ETH", address=EVM_ADDRESS)
    lower = create_members(chain="ETH", address=EVM_ADDRESS.lower())
    assert business(CREATE, mixed) == business(CREATE, lower)


@dataclass
class FirstAnswers:
    """The memory of the engine as its contract has it: one request id, one business, one payment."""

    payments: int = 0

    def __post_init__(self) -> None:
        self._seen: dict[str, str] = {}

    def takes(self, asked: Withdraw | Transfer) -> bool:
        """Whether it is accepted, now or as a repeat."""
        known = self._seen.setdefault(asked.request_id, asked.business)
        self.payments = len(self._seen)
        return known == asked.business


@given(st.lists(st.sampled_from(["styles", "time", "stray", "digits"]), min_size=1, max_size=8), st.data())
def test_any_number_of_repeats_in_any_style_makes_one_payment(ways: list[str], data: st.DataObject) -> None:
    path, members = data.draw(st.sampled_from([(CREATE, create_members()), (INNER, inner_members())]))
    memory = FirstAnswers()
    for way in ways:
        match way:
            case "styles":
                requests = both(path, members)
            case "time":
                requests = [
                    by_parameters(path, members, timestamp=int(NOW_MS) - data.draw(st.integers(0, 5000)))
                ]
            case "stray":
                requests = [by_parameters(path, members | {"sub_user_id": "1"})]
            case _:
                amount = str(members["amount"])
                requests = [
                    by_parameters(path, members | {"amount": amount + ("0" if "." in amount else ".0")})
                ]
        assert all(memory.takes(asked_of(request)) for request in requests)
    assert memory.payments == 1


def test_one_request_id_is_one_payment_across_both_calls() -> None:
    memory = FirstAnswers()
    assert memory.takes(asked_of(by_parameters(CREATE, create_members(requestId="same1"))))
    assert not memory.takes(asked_of(by_parameters(INNER, inner_members(requestId="same1"))))
    assert memory.payments == 1


# --- what is refused ---------------------------------------------------------------------------------------


def code_of(path: str, members: dict[str, object]) -> int:
    """The code that every style gives; they must agree."""
    found = {refusal(outcome(request)) for request in both(path, members)}
    ((status, code),) = found
    assert status == 200
    return code


@pytest.mark.parametrize(
    "request_id",
    ["", "a" * 65, "a_b", "a-b", "a b", "é", "\uff11", "a\n", "9f23143d-c62f-4f71-8afb-be5fb8d4641b"],
)
@pytest.mark.parametrize("path", [CREATE, INNER])
def test_a_request_id_is_one_to_64_letters_and_digits(path: str, request_id: str) -> None:
    members = create_members() if path == CREATE else inner_members()
    assert code_of(path, members | {"requestId": request_id}) == 10001


@pytest.mark.parametrize("request_id", ["a", "A" * 64, "0", "007"])
def test_a_request_id_keeps_its_letters_as_they_are(request_id: str) -> None:
    for request in both(CREATE, create_members(requestId=request_id)):
        assert asked_of(request).request_id == request_id


@pytest.mark.parametrize("request_id", [123, 123.0, True, {}, ["a"]])
def test_a_request_id_is_a_text(request_id: object) -> None:
    body = json.dumps(create_members(requestId=request_id))
    assert refusal(outcome(by_headers(CREATE, body=body))) == (200, 10001)


@pytest.mark.parametrize("name", ["coin", "chain", "address", "amount", "requestId"])
def test_what_a_payment_to_an_address_needs_must_be_there(name: str) -> None:
    for empty in (None, ""):
        assert code_of(CREATE, create_members(**{name: empty})) == 10001


@pytest.mark.parametrize("name", ["coin", "addressType", "address", "amount", "requestId"])
def test_what_a_payment_to_an_account_needs_must_be_there(name: str) -> None:
    assert code_of(INNER, inner_members(**{name: None})) == 10001


NO_AMOUNTS = [
    *("-1", "-0", "+1", "1_000", "\uff11\uff12\uff13", "٣", "1,5", "0x10", ".5", "5.", "00012", "NaN", "1e3"),
    *("Infinity", "1e1000000", "1e999999999", "9" * 4301, "0." + "1" * 100_000, "25.5USDT"),
]


@pytest.mark.parametrize("amount", NO_AMOUNTS, ids=lambda text: text[:12])
def test_a_text_that_is_no_plain_amount_is_refused(amount: str) -> None:
    body = json.dumps(create_members(amount=amount)).encode()
    if len(body) < 64 * 1024:
        assert code_of(CREATE, create_members(amount=amount)) in {131215, 10001}
    assert refusal(outcome(by_headers(CREATE, body=body.decode())))[1] in {131215, 10001}


@pytest.mark.parametrize("amount", [" 1", "1\n", "1&2", "1=2", "\ufeff1 "])
def test_an_amount_with_anything_around_it_is_a_bad_parameter(amount: str) -> None:
    assert code_of(CREATE, create_members(amount=amount)) == 10001


@pytest.mark.parametrize(
    "literal, units", [("25.5", 25_500_000), ("3e1", 30_000_000), ("1e-05", 10), ("12", 12_000_000)]
)
def test_an_amount_may_be_a_number_read_from_its_digits(literal: str, units: int) -> None:
    body = json.dumps(create_members(chain="ETH", address=EVM_ADDRESS)).replace('"25.5"', literal)
    asked = outcome(by_headers(CREATE, body=body))
    assert isinstance(asked, Ask)
    assert asked.question.amount == units


@pytest.mark.parametrize("literal", ["0.30000000000000004", "1.0000001"])
def test_digits_beyond_the_coins_are_never_rounded(literal: str) -> None:
    assert code_of(CREATE, create_members(amount=literal)) == 131210
    assert code_of(INNER, inner_members(amount=literal)) == 131210
    body = json.dumps(create_members()).replace('"25.5"', literal)
    assert refusal(outcome(by_headers(CREATE, body=body))) == (200, 131210)


@pytest.mark.parametrize("units", [2**63, 2**64, 2**192, 10**59])
def test_huge_amounts_are_exact(units: int) -> None:
    for request in both(CREATE, create_members(amount=str(units))):
        assert asked_of(request).amount == units * 10**6


def test_an_amount_longer_than_anything_that_exists_is_no_amount() -> None:
    assert code_of(CREATE, create_members(amount=str(2**256))) == 131215


@pytest.mark.parametrize("chain", ["TRC20", "trx", "TRON", "\uff34\uff32\uff38", "BTC", "DOGE"])
def test_a_chain_that_the_coin_does_not_have_is_refused(chain: str) -> None:
    assert code_of(CREATE, create_members(chain=chain)) == 131002


@pytest.mark.parametrize("coin", ["usdt", "\uff35\uff33\uff24\uff34", "DOGE", "USD\u200bT"])
def test_an_unknown_coin_is_refused(coin: str) -> None:
    assert code_of(CREATE, create_members(coin=coin)) == 131002
    assert code_of(INNER, inner_members(coin=coin)) == 131002


@pytest.mark.parametrize(
    "address",
    [
        EVM_ADDRESS,
        TRON_ADDRESS[:-1],
        TRON_ADDRESS[:-1] + "k",
        TRON_ADDRESS.replace("A", "\u0410", 1),
        TRON_ADDRESS + "\u200b",
        TRON_ADDRESS + "\u00a0",
        "41" + "0" * 40,
        USDT_ON_TRON,
        "x" * 256,
    ],
)
def test_an_address_that_this_chain_cannot_pay_is_refused(address: str) -> None:
    assert code_of(CREATE, create_members(address=address)) == 131002


@pytest.mark.parametrize("address", [HOT_WALLET, EVM_ADDRESS.swapcase(), "0x" + "0" * 40])
def test_an_evm_address_that_must_not_be_paid_is_refused(address: str) -> None:
    assert code_of(CREATE, create_members(chain="ETH", address=address)) == 131002


@pytest.mark.parametrize("address", [f"{TRON_ADDRESS} ", f"{TRON_ADDRESS}\n", "a&b", "a=b", "x" * 257])
def test_an_address_that_is_no_word_is_a_bad_parameter(address: str) -> None:
    assert code_of(CREATE, create_members(address=address)) == 10001


def test_a_tag_that_the_chain_does_not_take_is_refused() -> None:
    assert code_of(CREATE, create_members(tag="7")) == 131081


@pytest.mark.parametrize("tag", ["4294967296", "007", "x" * 121])
def test_a_tag_that_is_none_of_this_chain_is_refused(tag: str) -> None:
    members = create_members(coin="XRP", chain="XRP", address=RIPPLE_ADDRESS, amount="25", tag=tag)
    assert code_of(CREATE, members) == 131002


@pytest.mark.parametrize("tag", ["7\n", "7&8", "x" * 4096])
def test_a_tag_with_control_characters_or_signs_of_the_encoding_is_a_bad_parameter(tag: str) -> None:
    members = create_members(coin="XRP", chain="XRP", address=RIPPLE_ADDRESS, amount="25", tag=tag)
    assert code_of(CREATE, members) == 10001


def test_no_tag_an_empty_one_and_a_null_are_one() -> None:
    members = create_members(coin="XRP", chain="XRP", address=RIPPLE_ADDRESS, amount="25")
    without = asked_of(by_parameters(CREATE, members))
    assert asked_of(by_parameters(CREATE, members | {"tag": ""})) == without
    body = json.dumps(members | {"tag": None})
    assert asked_of(by_headers(CREATE, body=body)) == without


def test_the_amount_is_judged_before_the_address() -> None:
    """Only where the venue itself refuses the address; else the engine judges both."""
    bad = create_members(address="nowhere", amount="0.001")
    assert code_of(CREATE, bad) == 131096
    assert code_of(CREATE, create_members(address="nowhere", amount="25.5001")) == 131210
    shut = create_members(coin="SHUT", chain="ETH", address="nowhere")
    assert code_of(CREATE, shut) == 131097


@pytest.mark.parametrize("kind", [0, 4, -1, "3", 3.0, True, None, [3], "EMAIL"])
def test_an_address_type_is_the_integer_one_two_or_three(kind: object) -> None:
    body = json.dumps(inner_members() | {"addressType": kind})
    assert refusal(outcome(by_headers(INNER, body=body))) == (200, 10001)


@pytest.mark.parametrize(
    "members",
    [
        {"addressType": 2, "address": "412345678"},
        {"addressType": 2, "address": "412345678", "areaCode": "+61"},
        {"addressType": 2, "address": "412345678", "areaCode": "0061"},
        {"addressType": 2, "address": "412345678", "areaCode": 0},
        {"addressType": 2, "address": "+61412345678", "areaCode": 61},
        {"addressType": 2, "address": "412 345 678", "areaCode": 61},
        {"addressType": 1, "address": "nobody"},
        {"addressType": 1, "address": "a@b\r\nBcc: c@d"},
        {"addressType": 1, "address": "ä@exämple.com"},
        {"addressType": 1, "address": "a&b@example.com"},
        {"addressType": 1, "address": "a=b@example.com"},
        {"addressType": 1, "address": "@example.com"},
        {"addressType": 3, "address": "007"},
        {"addressType": 3, "address": "-5"},
        {"addressType": 3, "address": "1" * 20},
        {"addressType": 3, "address": "\uff11\uff12\uff13"},
        {"addressType": 3, "address": "a@example.com"},
        {"addressType": 3, "address": "5", "areaCode": "0061"},
        {"remark": "x" * 51},
        {"remark": "line\nbreak"},
        {"remark": "\x00"},
    ],
)
def test_a_recipient_or_remark_out_of_its_form_is_a_bad_parameter(members: dict[str, object]) -> None:
    assert code_of(INNER, inner_members(**members)) == 10001


@pytest.mark.parametrize("remark", ["x" * 50, "備" * 50, "a & b = c", '"quoted" {braces}', "é"])
def test_a_remark_is_up_to_50_characters_of_anything_printable(remark: str) -> None:
    for request in both(INNER, inner_members(remark=remark)):
        assert asked_of(request).remark == remark


@pytest.mark.parametrize(
    "stray", [{"status": "SUCCESS"}, {"approved": True}, {"fee": "-5"}, {"__proto__": {"a": []}}]
)
def test_what_header_signed_bytes_say_beyond_the_documented_names_is_ignored(
    stray: dict[str, object],
) -> None:
    plain = asked_of(by_headers(INNER, body=json.dumps(inner_members())))
    assert asked_of(by_headers(INNER, body=json.dumps(inner_members(**stray)))) == plain


# --- bodies ------------------------------------------------------------------------------------------------

DOUBLED = json.dumps(demo_members(inner_members()))
NO_BODIES: dict[str, bytes] = {
    "a doubled amount": DOUBLED.replace('"amount": "1"', '"amount": "1", "amount": "1000"').encode(),
    "a doubled amount, escaped": DOUBLED.replace(
        '"amount": "1"', '"amount": "1", "\\u0061mount": "1000"'
    ).encode(),
    "UTF-16": DOUBLED.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + DOUBLED.encode(),
    "invalid UTF-8": DOUBLED.encode().replace(b"USDT", b"US\xffT"),
    "half a surrogate pair": DOUBLED.replace("USDT", "\\ud800").encode(),
    "a surrogate in CESU-8": DOUBLED.encode().replace(b"USDT", b"\xed\xa0\x80"),
    "NUL": DOUBLED.replace("USDT", "\\u0000").encode(),
    "NaN": DOUBLED.replace('"1"', "NaN").encode(),
    "Infinity": DOUBLED.replace('"1"', "-Infinity").encode(),
    "1e400": DOUBLED.replace('"1"', "1e400").encode(),
    "many brackets": b"[" * 60_000,
    "deep": b'{"a":' * 900 + b"1" + b"}" * 900,
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "a form": b"coin=USDT&amount=1",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("body", NO_BODIES.values(), ids=NO_BODIES)
def test_what_is_not_one_clean_json_object_is_a_bad_parameter_in_either_style(body: bytes) -> None:
    assert refusal(outcome(raw(INNER, body=body))) == (200, 10001)
    headers = {
        "x-bapi-api-key": KEY,
        "x-bapi-timestamp": str(NOW_MS),
        "x-bapi-sign": hmac_of(""),
    }
    assert refusal(outcome(raw(INNER, body=body, headers=headers))) == (200, 10001)


def test_a_post_with_nothing_at_all_is_not_authenticated() -> None:
    assert refusal(outcome(raw(INNER))) == (401, 10003)


@pytest.mark.parametrize(
    "query", [b"coin=USDT&coin=BTC", b"coin=%ff", b"coin=\xff", b"&".join([b"a=b"] * 65)]
)
def test_a_query_that_says_two_things_or_nothing_readable_is_a_bad_parameter(query: bytes) -> None:
    assert refusal(outcome(raw(INNER, query=query))) == (200, 10001)


def test_a_signed_query_on_a_post_works_by_headers_too() -> None:
    members = {name: str(value) for name, value in inner_members().items()}
    query = "&".join(f"{name}={value}" for name, value in members.items())
    request: Request = by_headers(INNER, query=query)
    assert asked_of(request) == asked_of(by_parameters(INNER, inner_members()))
