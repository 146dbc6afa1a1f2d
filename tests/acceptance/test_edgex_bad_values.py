"""Withdrawals that edgeX's API must refuse though their request is authentic, sent to a real server.

Each is rightly signed for what it says, on both layers, wherever a message can say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.calls import Call, now_ms
from tests.acceptance.customers import nothing_taken_in
from tests.acceptance.edgex_requests import (
    DAY_MS,
    HOUR_MS,
    NORMAL_CREATE,
    N,
    StarkKey,
    Trader,
    new_trader,
    nonce_of,
    send,
    send_refused,
)
from tests.acceptance.sandbox_process import Sandbox

pytestmark = pytest.mark.xdist_group("strict")

Refused = Callable[[Call], tuple[int, str]]
REQUIRED, INVALID = (400, "GATEWAY_PARAM_REQUIRED"), (400, "GATEWAY_PARAM_INVALID")
AMOUNT, BALANCE = (200, "INVALID_AMOUNT"), (200, "INSUFFICIENT_BALANCE")
COIN, ADDRESS, TOKEN = (200, "INVALID_COIN_ID"), (200, "INVALID_ETH_ADDRESS"), (200, "INVALID_ERC20_ADDRESS")
CLIENT_ID, NONCE = (200, "INVALID_CLIENT_WITHDRAW_ID"), (200, "INVALID_L2_NONCE")
EXPIRY, L2, RISK = (
    (200, "INVALID_L2_EXPIRE_TIME"),
    (200, "INVALID_L2_SIGNATURE"),
    (200, "INVALID_RISK_SIGNATURE"),
)
EVM = "0x8304eC68CeB2aE737dAE5b73FA67F0ccB84865C3"


@pytest.fixture
def trader(strict: Sandbox) -> Trader:
    """With limits of its own."""
    return new_trader(strict)


@pytest.fixture
def refused(strict: Sandbox, seconds: list[float]) -> Iterator[Refused]:
    """Send a bad request. Nothing may be stored for it, it is no 500, and the connection stays sane."""
    with nothing_taken_in(strict):
        yield lambda call: send_refused(strict, call, seconds)


# ---- members ----

MEMBERS = (
    *("accountId", "coinId", "amount", "ethAddress", "erc20Address", "clientWithdrawId", "riskSignature"),
    *("l2Nonce", "l2ExpireTime", "l2Signature", "extraType"),
)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_missing_member_is_required(refused: Refused, trader: Trader, name: str) -> None:
    members = trader.members()
    for without in ({key: value for key, value in members.items() if key != name}, members | {name: None}):
        assert refused(trader.post(without)) == REQUIRED
    if name != "extraType":
        assert refused(trader.post(members | {name: ""})) == REQUIRED


@pytest.mark.parametrize("name", [*MEMBERS, "extraDataJson"])
def test_a_member_of_another_type_is_an_invalid_parameter(
    refused: Refused, trader: Trader, name: str
) -> None:
    for value in (1000, 25.5, True, ["1000"], {"a": "1000"}, "9" * 5_000):
        verdict = refused(trader.post(trader.members() | {name: value}))
        assert (
            verdict in {INVALID, (401, "INVALID_ACCOUNT_ID")} if name == "accountId" else verdict == INVALID
        )


@pytest.mark.parametrize(
    "extra",
    [{"status": "SUCCESS"}, {"approved": True}, {"fee": "-5"}, {"__proto__": {"a": [1, None]}}],
    ids=str,
)
def test_what_a_client_adds_decides_nothing_and_is_not_stored(
    strict: Sandbox, trader: Trader, extra: dict[str, Any]
) -> None:
    withdraw_id = send(strict, trader.post(trader.members() | extra)).withdraw_id
    (row,) = strict.rows("SELECT * FROM withdrawals WHERE withdrawal_id = ?", int(withdraw_id))
    (kept,) = strict.rows(
        "SELECT amount, fee, net, state FROM withdrawals WHERE withdrawal_id = ?", int(withdraw_id)
    )
    assert kept == ("25500000", "0", "25500000", "held")
    assert not {"SUCCESS", "-5"} & set(row)


# ---- amounts ----

NO_AMOUNTS = {
    **dict.fromkeys(["-1", "-0", "0", "0.0", "+1", " 1", "1\n", "1_000", "1,5", "0x10", ".5", "5."], AMOUNT),
    **dict.fromkeys(["00012", "NaN", "Infinity", "1e1", "1e-05", "1e1000000", "1e999999999"], AMOUNT),
    **dict.fromkeys(["\uff11\uff12", "\u0663", "10.0000001", "0.30000000000000004", "9" * 61], AMOUNT),
    **dict.fromkeys([str(2**63), str(2**64), str(2**256), "18446744073709.551616"], AMOUNT),
    **dict.fromkeys(["9" * 4_301, "9" * 50_000, "1." + "0" * 50_000], INVALID),
}


@pytest.mark.parametrize("amount", NO_AMOUNTS, ids=lambda text: repr(text[:24]))
def test_an_amount_that_no_message_can_hold_is_refused(refused: Refused, trader: Trader, amount: str) -> None:
    members = trader.members() | {"amount": amount}
    assert refused(trader.post(members)) == NO_AMOUNTS[amount]
    normal = trader.normal_members() | {"amount": amount}
    assert refused(trader.post(normal, NORMAL_CREATE)) == NO_AMOUNTS[amount]


@pytest.mark.parametrize(
    "amount, expected",
    [
        ("9.999999", AMOUNT),
        ("0.000001", AMOUNT),
        ("1000000.000001", AMOUNT),
        ("18446744073709.551615", AMOUNT),
        ("1000.000001", BALANCE),
        ("1000000", BALANCE),
    ],
)
def test_a_signed_amount_out_of_the_limits_or_beyond_the_balance_is_refused(
    refused: Refused, trader: Trader, amount: str, expected: tuple[int, str]
) -> None:
    assert refused(trader.post(trader.members(amount=amount))) == expected
    assert trader.units() == (1_000_000_000, 0)


def test_all_of_it_can_be_withdrawn_and_then_nothing(strict: Sandbox, trader: Trader) -> None:
    trader.create(amount="1000")
    assert trader.units() == (0, 1_000_000_000)
    assert send(strict, trader.post(trader.members(amount="10"))).verdict == BALANCE


@pytest.mark.parametrize("amount, signed", [("12.03", 12_029_999), ("64.1", 64_099_999)])
def test_an_amount_that_was_signed_through_a_float_is_refused(
    refused: Refused, trader: Trader, amount: str, signed: int
) -> None:
    members = trader.members(amount=amount)
    assert refused(trader.post(members | {"l2Signature": trader.l2_signature(members, amount=signed)})) == L2


# ---- coins and addresses ----


@pytest.mark.parametrize("coin_id", ["7", "01000", "1000 ", "USDT", "\uff11\uff10\uff10\uff10", "1001", "-1"])
def test_an_unknown_coin_is_refused(refused: Refused, trader: Trader, coin_id: str) -> None:
    assert refused(trader.post(trader.members(coinId=coin_id))) == COIN


@pytest.mark.parametrize(
    "address",
    [
        EVM[:-1] + "c",
        EVM[:-1],
        EVM + "0",
        "0X" + EVM[2:],
        EVM[2:],
        "0x" + "0" * 40,
        "0x" + "1".rjust(40, "0"),
        "token contract",
        "hot wallet",
        EVM.replace("a", "\u0430", 1),
        EVM[:9] + "\u200b" + EVM[9:],
        EVM + "\u200f",
        EVM + "\u00a0",
        " " + EVM,
        EVM + "\n",
        "0\uff58" + EVM[2:],
        "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS",
    ],
)
def test_an_address_that_cannot_be_paid_is_refused(
    strict: Sandbox, refused: Refused, trader: Trader, address: str
) -> None:
    hot_wallet = next(row["hot_wallet"] for row in strict.facts["assets"] if row["network"] == "ethereum")
    meant = {"token contract": strict.contract("USDT"), "hot wallet": hot_wallet}.get(address, address)
    members = trader.members() | {"ethAddress": meant}
    if meant.startswith("0x") and len(meant) == 42 and meant.isascii():
        members["l2Signature"] = trader.l2_signature(members)
    assert refused(trader.post(members)) == ADDRESS


@pytest.mark.parametrize("address", [EVM, "USDC", "0x", "0X{}", "{}0", "short"])
def test_another_token_than_the_coins_is_refused(
    strict: Sandbox, refused: Refused, trader: Trader, address: str
) -> None:
    own = strict.contract("USDT")
    meant = {"USDC": strict.contract("USDC"), "short": own[:-1], "0X{}": "0X" + own[2:]}.get(
        address, address.format(own)
    )
    # The layer 2 message does not say which token: its signature is right.
    assert refused(trader.post(trader.members(erc20Address=meant))) == TOKEN


# ---- ids, nonces, times ----


@pytest.mark.parametrize("client_id", ["a,b", "a&b", "a=b", "a\nb", "\t", "\x7f", "\x85", "x" * 129])
def test_a_client_id_that_no_list_or_signed_text_can_hold_is_refused(
    refused: Refused, trader: Trader, client_id: str
) -> None:
    assert refused(trader.post(trader.members(clientWithdrawId=client_id))) == CLIENT_ID


@pytest.mark.parametrize("client_id", ["a", "x" * 128, "ж", "🙂", "a b", "0", "A-b_c.d:e/1"])
def test_any_other_client_id_will_do(trader: Trader, client_id: str) -> None:
    withdraw_id = trader.create(clientWithdrawId=client_id)
    found = trader.look(
        "/api/v1/private/withdraw/getWithdrawByClientWithdrawId", clientWithdrawIdList=client_id
    )
    assert [(row["id"], row["clientWithdrawId"]) for row in found] == [(withdraw_id, client_id)]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda nonce: str(nonce + 1),
        lambda nonce: str(nonce + 2**32),
        lambda nonce: f"0{nonce}",
        lambda nonce: f"+{nonce}",
        lambda nonce: f"{nonce}.0",
        hex,
        lambda nonce: "x",
    ],
    ids=["next", "aliased", "leading zero", "plus", "fraction", "hexadecimal", "letter"],
)
def test_a_nonce_that_is_not_the_client_ids_is_refused(
    refused: Refused, trader: Trader, wrong: Callable[[int], str]
) -> None:
    members = trader.members()
    nonce = nonce_of(members["clientWithdrawId"])
    assert refused(trader.post(members | {"l2Nonce": wrong(nonce)})) == NONCE
    if wrong(nonce) == str(nonce + 1):
        signed = members | {
            "l2Nonce": str(nonce + 1),
            "l2Signature": trader.l2_signature(members, nonce=nonce + 1),
        }
        assert refused(trader.post(signed)) == NONCE


def expiries(now: int) -> dict[str, str]:
    return {
        "past": str(now - 1),
        "now": str(now),
        "within a day": str(now + DAY_MS - 60_000),
        "in seconds": str((now + 14 * DAY_MS) // 1000),
        "zero": "0",
        "negative": "-1",
        "fraction": f"{now + 14 * DAY_MS}.0",
        "leading zero": f"0{now + 14 * DAY_MS}",
        "exponent": "1e13",
        "full-width": "\uff11" * 13,
        "beyond the message": str(2**32 * HOUR_MS),
        "beyond 64 bits": str(2**63),
    }


@pytest.mark.parametrize("name", expiries(0))
def test_an_expiry_too_near_or_that_no_message_can_hold_is_refused(
    refused: Refused, trader: Trader, name: str
) -> None:
    expires = expiries(now_ms())[name]
    members = trader.members() | {"l2ExpireTime": expires}
    if expires.isascii() and expires.isdecimal() and int(expires) < 2**32 * HOUR_MS:
        members["l2Signature"] = trader.l2_signature(members)
    assert refused(trader.post(members)) == EXPIRY


@pytest.mark.parametrize("ahead_ms", [DAY_MS + 60_000, 14 * DAY_MS, 3653 * DAY_MS])
def test_any_later_expiry_will_do_and_need_be_no_full_hour(trader: Trader, ahead_ms: int) -> None:
    expires = (now_ms() + ahead_ms) // HOUR_MS * HOUR_MS + 1
    assert trader.create(l2ExpireTime=str(expires + HOUR_MS))


# ---- the signature of layer 2 ----


@pytest.mark.parametrize(
    "wrong",
    [
        lambda sign: sign[:-1],
        lambda sign: sign + "0",
        lambda sign: sign + "0" * 64,
        lambda sign: "g" + sign[1:],
        lambda sign: "\uff11" * 128,
    ],
    ids=["127 digits", "129 digits", "three words", "letter", "full-width"],
)
def test_signatures_of_another_shape_are_refused(
    refused: Refused, trader: Trader, wrong: Callable[[str], str]
) -> None:
    members = trader.members()
    assert refused(trader.post(members | {"l2Signature": wrong(members["l2Signature"])})) == L2
    assert refused(trader.post(members | {"riskSignature": wrong("1" * 128)})) == RISK
    normal = trader.normal_members()
    assert refused(trader.post(normal | {"l2Signature": wrong(normal["l2Signature"])}, NORMAL_CREATE)) == L2


@pytest.mark.parametrize(
    "wrong",
    [
        lambda r, s: (0, s),
        lambda r, s: (r, 0),
        lambda r, s: (r, N),
        lambda r, s: (r + 2**251 + 17 * 2**192 + 1, s),
        lambda r, s: (r, s + N),
        lambda r, s: (r ^ 1, s),
        lambda r, s: (r, s ^ 2**200),
        lambda r, s: (s, r),
    ],
    ids=["r = 0", "s = 0", "s = n", "r + p", "s + n", "a bit of r", "a bit of s", "s and r"],
)
def test_a_layer_2_signature_with_other_numbers_is_refused(
    refused: Refused, trader: Trader, wrong: Callable[[int, int], tuple[int, int]]
) -> None:
    members = trader.members()
    r, s = wrong(int(members["l2Signature"][:64], 16), int(members["l2Signature"][64:], 16))
    assert refused(trader.post(members | {"l2Signature": f"{r:064x}{s:064x}"})) == L2


def test_another_keys_layer_2_signature_is_refused(refused: Refused, trader: Trader) -> None:
    members = trader.members()
    by_another = Trader(trader.customer, trader.account_id, StarkKey(987654321), trader.address)
    assert refused(trader.post(members | {"l2Signature": by_another.l2_signature(members)})) == L2


def test_a_withdrawals_signature_does_not_serve_for_a_second_one(refused: Refused, trader: Trader) -> None:
    first, second = trader.members(), trader.members()
    assert refused(trader.post(second | {"l2Signature": first["l2Signature"]})) == L2
