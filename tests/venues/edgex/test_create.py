from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.commands import FeeRule, Withdraw
from penstock.core.ids import WithdrawalId
from penstock.core.queries import FindWithdrawals
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.venues.edgex.create import Echo
from penstock.venues.venue import Ask, Reply
from tests.venues.edgex.world import (
    ACCOUNT,
    ACCOUNT_ID,
    CLIENT_ID,
    CREATE,
    ERC20_ADDRESS,
    ETH_ADDRESS,
    EXPIRES,
    HOT_WALLET,
    NORMAL_CREATE,
    NOW_MS,
    OTHER_PRIVATE,
    OWN_ADDRESS,
    RISK,
    a_withdrawal,
    answer,
    create_members,
    data,
    l2_signature,
    make_key,
    nonce_of,
    outcome,
    post,
    refusal,
)

DAY_MS = 86_400_000


def command(members: dict[str, Any], path: str = CREATE) -> Withdraw:
    asked = outcome(post(members, path))
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, Withdraw)
    return asked.question


def refused(members: dict[str, Any], path: str = CREATE) -> tuple[int, str]:
    return refusal(outcome(post(members, path)))


def business(members: dict[str, Any]) -> dict[str, Any]:
    return json.loads(command(members).business)


# --- what is asked of the engine -----------------------------------------------------------------------------


def test_a_withdrawal_becomes_a_command() -> None:
    members = create_members(extraType="t", extraDataJson='{"a":1}')
    found = command(members)
    assert json.loads(found.business) == {
        "amount": 10_000_000,
        "coinId": "1000",
        "erc20Address": ERC20_ADDRESS.lower(),
        "ethAddress": ETH_ADDRESS.lower(),
    }
    assert msgspec.json.decode(found.extra, type=Echo) == Echo(
        "1000", ETH_ADDRESS, ERC20_ADDRESS, RISK, int(EXPIRES), members["l2Signature"], "t", '{"a":1}'
    )
    assert msgspec.structs.replace(found, business="", extra="") == Withdraw(
        account_id=ACCOUNT,
        key_id=ACCOUNT_ID,
        venue="edgex",
        request_id=CLIENT_ID,
        business="",
        asset="USDT",
        network="ethereum",
        wallets=("spot",),
        amount=10_000_000,  # type: ignore[arg-type]
        address=ETH_ADDRESS,
        memo="",
        fee_rule=FeeRule.NONE,
        any_address=True,
        repeatable=True,
        exclusive="1858471522",
    )


def test_an_accepted_withdrawal_is_answered_with_its_id() -> None:
    reply = answer(
        post(create_members()), Accepted(WithdrawalId(563_516_408_235_819_790), NOW_MS, repeated=False)
    )
    assert data(reply) == {"withdrawId": "563516408235819790"}


def test_a_repeat_is_answered_with_the_first_id() -> None:
    reply = answer(post(create_members()), Accepted(WithdrawalId(17), UnixMs(1), repeated=True))
    assert data(reply) == {"withdrawId": "17"}


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "10"},
        {"amount": "10.0"},
        {"amount": "10.0000000000"},
        {"ethAddress": ETH_ADDRESS.lower()},
        {"erc20Address": ERC20_ADDRESS.lower()},
        {"erc20Address": "0x" + ERC20_ADDRESS[2:].upper()},
        {"l2ExpireTime": str(int(EXPIRES) + DAY_MS)},
        {"riskSignature": "2" * 128},
        {"extraType": "other"},
    ],
)
def test_what_means_the_same_is_the_same_request(changes: dict[str, str]) -> None:
    assert business(create_members(**changes)) == business(create_members())
    assert command(create_members(**changes)).request_id == CLIENT_ID


@pytest.mark.parametrize(
    "changes, field",
    [({"amount": "10.000001"}, "amount"), ({"ethAddress": OWN_ADDRESS}, "ethAddress")],
)
def test_another_amount_or_address_is_another_request(changes: dict[str, str], field: str) -> None:
    before, after = business(create_members()), business(create_members(**changes))
    assert {name for name in before if before[name] != after[name]} == {field}


def test_a_repeat_may_carry_another_signature_of_the_same_message() -> None:
    members = create_members()
    r, s = members["l2Signature"][:64], int(members["l2Signature"][64:], 16)
    order = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
    mirrored = command(members | {"l2Signature": f"{r}{order - s:064x}"})
    assert (mirrored.request_id, mirrored.business) == (CLIENT_ID, command(members).business)


@pytest.mark.parametrize("form", ["0x{}", "0X{}"])
def test_signatures_may_begin_with_0x(form: str) -> None:
    members = create_members()
    prefixed = {name: form.format(members[name]) for name in ("l2Signature", "riskSignature")}
    assert command(members | prefixed).extra == command(members).extra


def test_two_ids_with_one_nonce_are_two_requests_with_one_mark() -> None:
    first, second = (command(create_members(clientWithdrawId=one)) for one in ("w29009", "w116065"))
    assert first.exclusive == second.exclusive == "1825797848"
    assert first.request_id != second.request_id


@pytest.mark.parametrize("client_id", ["a", "x" * 128, "ж", "🙂", "a b", "A-b_c.d:e/1", "'\"\\<>%"])
def test_a_client_id_is_any_text_that_a_list_can_hold(client_id: str) -> None:
    assert command(create_members(clientWithdrawId=client_id)).request_id == client_id


# --- refusals ------------------------------------------------------------------------------------------------

MISSING = (400, "GATEWAY_PARAM_REQUIRED")
INVALID = (400, "GATEWAY_PARAM_INVALID")


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize(
    "name",
    [
        "coinId",
        "amount",
        "ethAddress",
        "erc20Address",
        "clientWithdrawId",
        "riskSignature",
        "l2Nonce",
        "l2ExpireTime",
        "l2Signature",
    ],
)
def test_a_missing_member_is_named(name: str, value: str | None) -> None:
    members = create_members() | {name: value}
    reply = outcome(post(members))
    assert refusal(reply) == MISSING
    assert f"'{name}'" in json.loads(reply.body)["msg"]  # type: ignore[union-attr]


def test_extra_data_may_be_absent_and_the_extra_type_must_be_there_empty_or_not() -> None:
    assert isinstance(outcome(post(create_members(extraDataJson=None))), Ask)
    assert isinstance(outcome(post(create_members() | {"extraDataJson": None})), Ask)
    assert refused(create_members(extraType=None)) == MISSING


@pytest.mark.parametrize("value", [1, 10.5, True, ["1"], {"a": "1"}, "9" * 5_000])
@pytest.mark.parametrize("name", sorted(create_members()))
def test_a_member_of_another_type_is_refused(name: str, value: object) -> None:
    expected = {INVALID} | ({(401, "INVALID_ACCOUNT_ID")} if name == "accountId" else set())
    assert refused(create_members() | {name: value}) in expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"a=1",
        b"{",
        b"{}{}",
        b'{"a":NaN}',
        b'{"a":1e400}',
        b'{"amount":"1","amount":"1000"}',
        b'{"amount":"1","\\u0061mount":"1000"}',
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":"1"}',
        '{"a":"1"}'.encode("utf-16"),
        b"[" * 60_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
    ],
)
def test_a_body_that_is_not_one_clean_object_is_refused(body: bytes) -> None:
    assert refusal(outcome(post({}, body=body))) == INVALID


@pytest.mark.parametrize(
    "header",
    [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-encoding", b"gzip")],
)
def test_another_kind_of_content_is_refused(header: tuple[bytes, bytes]) -> None:
    request = post(create_members())
    kept = [pair for pair in request.headers if pair[0] != b"content-type"]
    changed = msgspec.structs.replace(request, headers=[*kept, header])
    assert refusal(outcome(changed)) == (415, "GATEWAY_PARAM_INVALID")


@pytest.mark.parametrize("media", [b"application/json; charset=utf-8", b"Application/JSON", None])
def test_json_is_taken_with_its_charset_or_without_any_type(media: bytes | None) -> None:
    request = post(create_members())
    kept = [pair for pair in request.headers if pair[0] != b"content-type"]
    added = [] if media is None else [(b"content-type", media)]
    assert isinstance(outcome(msgspec.structs.replace(request, headers=[*kept, *added])), Ask)


AMOUNTS = [
    *[
        "-1",
        "-0",
        "0",
        "0.0",
        "0.000000",
        "+1",
        " 1",
        "1\n",
        "1_000",
        "\uff11\uff12\uff13",
        "٣",
        "1,5",
        "0x10",
    ],
    *[
        ".5",
        "5.",
        "00012",
        "1e1",
        "1e-05",
        "1e1000000",
        "NaN",
        "Infinity",
        "10.0000001",
        "0.30000000000000004",
    ],
    *["9" * 61, "1." + "0" * 50, "18446744073709.551616", str(2**256)],
]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_an_amount_that_no_message_can_hold_is_refused(amount: str) -> None:
    members = create_members() | {"amount": amount}
    reply = outcome(post(members))
    assert refusal(reply) == (200, "INVALID_AMOUNT")
    envelope = json.loads(reply.body)  # type: ignore[union-attr]
    assert envelope["msg"] == f"invalid amount : {amount[:64]}"
    assert envelope["errorParam"] == {"amount": amount[:64]}


def test_the_largest_amount_is_the_messages() -> None:
    assert command(create_members(amount="18446744073709.551615")).amount == 2**64 - 1


@pytest.mark.parametrize("coin_id", ["7", "01000", "1000 ", "USDT", "\uff11\uff10\uff10\uff10", "1001"])
def test_an_unknown_coin_is_refused(coin_id: str) -> None:
    reply = outcome(post(create_members(coinId=coin_id)))
    assert refusal(reply) == (200, "INVALID_COIN_ID")
    envelope = json.loads(reply.body)  # type: ignore[union-attr]
    assert (envelope["msg"], envelope["errorParam"]) == (f"invalid coinId : {coin_id}", {"coinId": coin_id})


WRONG_CASE = ETH_ADDRESS.replace("f", "F", 1)


@pytest.mark.parametrize(
    "address",
    [
        WRONG_CASE,
        ETH_ADDRESS[:-1],
        ETH_ADDRESS + "0",
        "0X" + ETH_ADDRESS[2:],
        ETH_ADDRESS[2:],
        "0x" + "0" * 40,
        "0x" + "0" * 39 + "1",
        ERC20_ADDRESS,
        HOT_WALLET,
        ETH_ADDRESS[:-1] + "а",  # noqa: RUF001 - a Cyrillic letter
        ETH_ADDRESS + "\u200b",
        ETH_ADDRESS + "\u00a0",
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
    ],
)
def test_an_address_that_cannot_be_paid_is_refused(address: str) -> None:
    assert refused(create_members() | {"ethAddress": address}) == (200, "INVALID_ETH_ADDRESS")


def test_a_lower_case_address_is_paid_in_its_checksummed_form() -> None:
    assert command(create_members(ethAddress=ETH_ADDRESS.lower())).address == ETH_ADDRESS


@pytest.mark.parametrize(
    "address",
    [ETH_ADDRESS, ERC20_ADDRESS[:-1], ERC20_ADDRESS + "0", "0X" + ERC20_ADDRESS[2:], ERC20_ADDRESS[2:]],
)
def test_another_token_than_the_coins_is_refused(address: str) -> None:
    assert refused(create_members(erc20Address=address)) == (200, "INVALID_ERC20_ADDRESS")


@pytest.mark.parametrize("client_id", ["a,b", "a&b", "a=b", "a\nb", "\t", "\x7f", "\x85", "x" * 129])
def test_a_client_id_that_no_list_or_signed_text_can_hold_is_refused(client_id: str) -> None:
    assert refused(create_members(clientWithdrawId=client_id)) == (200, "INVALID_CLIENT_WITHDRAW_ID")


@pytest.mark.parametrize(
    "nonce",
    [
        "1858471523",
        "3257214929",  # the last 32 bits, as dYdX counts
        "01858471522",
        "+1858471522",
        "1858471522.0",
        str(1858471522 + 2**32),
        "x",
        str(nonce_of("another")),
    ],
)
def test_a_nonce_that_is_not_the_client_ids_is_refused(nonce: str) -> None:
    assert refused(create_members(l2Nonce=nonce)) == (200, "INVALID_L2_NONCE")


@pytest.mark.parametrize("name", ["l2Signature", "riskSignature"])
@pytest.mark.parametrize("change", ["short", "long", "letter", "third word", "full width"])
def test_a_signature_of_another_shape_is_refused(name: str, change: str) -> None:
    members = create_members()
    good = members[name]
    wrong = {
        "short": good[:-1],
        "long": good + "0",
        "letter": "g" + good[1:],
        "third word": good + "0" * 64,
        "full width": "\uff11" * 128,
    }[change]
    expected = {"l2Signature": "INVALID_L2_SIGNATURE", "riskSignature": "INVALID_RISK_SIGNATURE"}[name]
    assert refused(members | {name: wrong}) == (200, expected)


def test_a_message_signed_by_another_key_is_refused() -> None:
    members = create_members()
    members["l2Signature"] = l2_signature(members, OTHER_PRIVATE)
    assert refused(members) == (200, "INVALID_L2_SIGNATURE")


def test_an_amount_that_was_signed_through_a_float_is_refused() -> None:
    # int(4.1 * 10**6), as one client computes it, is one unit less than what it says.
    assert int(4.1 * 10**6) == 4_099_999
    members = create_members(amount="4.1")
    members["l2Signature"] = l2_signature(members | {"amount": "4.099999"})
    assert refused(members) == (200, "INVALID_L2_SIGNATURE")


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["accountId", "amount", "ethAddress", "clientWithdrawId", "l2ExpireTime", "l2Signature"]),
    st.data(),
)
def test_any_bit_changed_in_what_layer_2_signs_is_refused(name: str, drawn: Any) -> None:
    members = create_members()
    text = members[name]
    at, bit = drawn.draw(st.integers(0, len(text) - 1)), drawn.draw(st.integers(0, 6))
    changed = text[:at] + chr(ord(text[at]) ^ (1 << bit)) + text[at + 1 :]
    members[name] = changed
    if name == "clientWithdrawId":
        members["l2Nonce"] = str(nonce_of(changed))
    # The request itself is rightly signed: only the layer 2 signature stands in the way.
    found = outcome(post(members))
    if name == "l2Signature" and changed.lower() == text.lower():
        return
    if name == "l2ExpireTime" and isinstance(found, Ask) and changed[:-6] == text[:-6]:
        hours = int(text) // 3_600_000
        assert int(changed) // 3_600_000 == hours  # the same full hours: the same message
        return
    assert isinstance(found, Reply)
    assert refusal(found)[0] in {200, 400, 401}


# --- the expiry ----------------------------------------------------------------------------------------------

SOON = [
    str(NOW_MS - 1),
    str(NOW_MS),
    str(NOW_MS + DAY_MS - 1),
    str(int(EXPIRES) // 1000),
    "0",
    "1",
]


@pytest.mark.parametrize("expires", SOON)
def test_a_signature_that_ends_within_a_day_makes_nothing_new(expires: str) -> None:
    asked = outcome(post(create_members(l2ExpireTime=expires)))
    assert isinstance(asked, Ask)
    assert asked.question == FindWithdrawals(ACCOUNT, 1, venue="edgex", request_ids=(CLIENT_ID,))
    reply = asked.write([])
    assert isinstance(reply, Reply)
    assert refusal(reply) == (200, "INVALID_L2_EXPIRE_TIME")


def test_a_repeat_gets_its_first_answer_when_its_signature_ends_within_a_day() -> None:
    members = create_members(l2ExpireTime=str(NOW_MS + 1))
    asked = outcome(post(members))
    assert isinstance(asked, Ask)
    further = asked.write([a_withdrawal()])
    assert isinstance(further, Ask)
    assert isinstance(further.question, Withdraw)
    assert further.question.request_id == CLIENT_ID
    reply = further.write(Accepted(WithdrawalId(17), UnixMs(1), repeated=True))
    assert isinstance(reply, Reply)
    assert data(reply) == {"withdrawId": "17"}


@pytest.mark.parametrize(
    "expires",
    [
        "-1",
        "x",
        "1736562381355.0",
        "01736562381355",
        "1e13",
        str(2**63),
        str(2**32 * 3_600_000),
        "\uff11\uff17\uff13\uff16",
    ],
)
def test_an_expiry_that_no_message_can_hold_is_refused(expires: str) -> None:
    members = create_members() | {"l2ExpireTime": expires}
    assert refused(members) == (200, "INVALID_L2_EXPIRE_TIME")


@pytest.mark.parametrize(
    "expires",
    [
        NOW_MS + DAY_MS,
        482_378 * 3_600_000,
        482_378 * 3_600_000 + 1,
        NOW_MS + 10 * 366 * DAY_MS,
        2**32 * 3_600_000 - 1,
    ],
)
def test_any_later_expiry_will_do_and_need_be_no_full_hour(expires: int) -> None:
    assert isinstance(command(create_members(l2ExpireTime=str(expires))), Withdraw)


def test_an_expiry_that_is_too_near_is_named_before_a_wrong_signature() -> None:
    members = create_members(l2ExpireTime=str(NOW_MS + 1))
    for name in ("l2Signature", "riskSignature"):
        assert refused(members | {name: "1" * 127}) == (200, "INVALID_L2_EXPIRE_TIME")


# --- createNormalWithdraw ------------------------------------------------------------------------------------


def normal_members(**changes: Any) -> dict[str, Any]:
    made = create_members(**{"ethAddress": ETH_ADDRESS} | changes.pop("signed", {}))
    members = {
        "accountId": made["accountId"],
        "coinId": made["coinId"],
        "amount": made["amount"],
        "ethAddress": made["ethAddress"],
        "clientWithdrawId": made["clientWithdrawId"],
        "expireTime": made["l2ExpireTime"],
        "l2Signature": made["l2Signature"],
    }
    members |= changes
    return {name: value for name, value in members.items() if value is not None}


def test_a_normal_withdrawal_is_the_same_request_under_another_call() -> None:
    found, direct = command(normal_members(), NORMAL_CREATE), command(create_members())
    assert (found.request_id, found.business, found.exclusive) == (
        direct.request_id,
        direct.business,
        direct.exclusive,
    )
    echo = msgspec.json.decode(found.extra, type=Echo)
    assert (echo.erc20_address, echo.risk_signature) == (ERC20_ADDRESS, "")


def test_an_empty_address_is_the_accounts_own() -> None:
    members = normal_members(signed={"ethAddress": OWN_ADDRESS}, ethAddress="")
    found = command(members, NORMAL_CREATE)
    assert found.address == OWN_ADDRESS
    assert msgspec.json.decode(found.extra, type=Echo).eth_address == OWN_ADDRESS


def test_an_empty_address_without_one_of_its_own_is_refused() -> None:
    request = post(normal_members(ethAddress=""), NORMAL_CREATE)
    assert refusal(outcome(request, make_key(passphrase=""))) == (200, "INVALID_ETH_ADDRESS")


def test_what_the_official_sdk_sends_for_a_withdrawal_is_refused_cleanly() -> None:
    # It knows no layer 2 signature (edgex-python-sdk 0.3.0, asset.create_withdrawal).
    members = {
        "accountId": ACCOUNT_ID,
        "coinId": "1000",
        "amount": "10",
        "address": ETH_ADDRESS,
        "network": "ethereum",
        "clientOrderId": "c1",
    }
    reply = outcome(post(members, NORMAL_CREATE))
    assert refusal(reply) == MISSING
    assert "'ethAddress'" in json.loads(reply.body)["msg"]  # type: ignore[union-attr]


def test_a_normal_withdrawal_names_its_own_expiry() -> None:
    reply = outcome(post(normal_members(expireTime="x"), NORMAL_CREATE))
    assert refusal(reply) == (200, "INVALID_L2_EXPIRE_TIME")
    assert json.loads(reply.body)["errorParam"] == {"expireTime": "x"}  # type: ignore[union-attr]
