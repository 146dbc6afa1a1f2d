"""Bad members of what is asked of SunX, sent to a real server: the answer each gets, and nothing stored."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.sunx_trader import (
    Refused,
    Trader,
    code,
    data,
    new_trader,
    refusing,
    stored,
    verdict,
)

pytestmark = pytest.mark.xdist_group("strict")

UNREADABLE = "gateway-internal-error"
MISSING, FORMAT = "validation-constraints-required", "validation-format-error"
AMOUNT, SMALL, LARGE = "invalid-amount", "dw-withdraw-min-limit", "dw-withdraw-max-limit"
CURRENCY, CHAIN, ADDRESS = "base-currency-error", "base-currency-chain-error", "invalid-address"
NOT_OWN, FEE, BALANCE = (
    "api-not-support-temp-addr",
    "base-withdraw-fee-error",
    "dw-insufficient-balance",
)


@pytest.fixture
def trader(strict: Sandbox) -> Trader:
    return new_trader(strict)


@pytest.fixture
def refused(trader: Trader, seconds: list[float]) -> Iterator[Refused]:
    """Send what must be refused: nothing may be stored for it, and its connection stays sane."""
    with refusing(trader, seconds) as send:
        yield send


@pytest.mark.parametrize("member", ["address", "currency", "chain", "amount", "fee"])
def test_a_member_that_is_missing_or_of_another_type_is_named(
    trader: Trader, refused: Refused, member: str
) -> None:
    for call in (trader.apply_call(**{member: None}), trader.apply_call(**{member: ""})):
        assert verdict(refused(call))[1:] == (MISSING, f"Field is missing: {member}.")
    for value in (True, False, ["1"], {"x": "1"}, "1" * 129):
        assert verdict(refused(trader.apply_call(**{member: value})))[1:] == (
            FORMAT,
            f"Format Error: {member}.",
        )
    members = json.loads(trader.apply_call().body) | {member: None}
    assert verdict(refused(trader.body_call(json.dumps(members).encode())))[1] == MISSING


@pytest.mark.parametrize(
    "nonce, signature, expected",
    [
        (None, "0x", MISSING),
        ("", "0x", MISSING),
        ("0" * 32, None, MISSING),
        ("0" * 65, "0x", FORMAT),
        ("a,b", "0x", FORMAT),
        ("nonce\n", "0x", FORMAT),
        ("é", "0x", FORMAT),
        (7, "0x", FORMAT),
        (["0"], "0x", FORMAT),
        ("0" * 32, 7, FORMAT),
        ("0" * 32, {}, FORMAT),
        ("0" * 32, "0x" * 10_000, "dw-withdraw-nonce-invalid"),
    ],
)
def test_a_malformed_confirmation_is_refused(
    trader: Trader, refused: Refused, nonce: object, signature: object, expected: str
) -> None:
    assert code(refused(trader.confirm_call(nonce, signature))) == expected


@pytest.mark.parametrize(
    "amount, expected",
    [
        *((text, FORMAT) for text in ("1e1000000", "1e999999999", "9" * 128, "1." + "0" * 120, "+1", " 1")),
        *(
            (text, FORMAT)
            for text in (
                "1\n",
                "1_000",
                "\uff11\uff12\uff13",
                "\u0663",
                "1,5",
                "0x10",
                ".5",
                "5.",
                "00012",
                "--1",
            )
        ),
        *((text, FORMAT) for text in ("-", "NaN", "1e2", "1E2", str(2**256), str(10**60))),
        *((text, AMOUNT) for text in ("-1", "-0", "0", "0.0", "8.7999999", "0.0000001")),
        *((text, SMALL) for text in ("4.999999", "0.000001", "1")),
        *((text, LARGE) for text in ("1000000.000001", str(2**63), str(2**64), str(10**59))),
        ("999.000001", BALANCE),
    ],
    ids=lambda value: str(value)[:16],
)
def test_a_bad_amount_is_refused(trader: Trader, refused: Refused, amount: str, expected: str) -> None:
    assert code(refused(trader.apply_call(amount=amount))) == expected


@pytest.mark.parametrize(
    "literal, expected",
    [
        ("1e-05", FORMAT),
        ("1e2", FORMAT),
        ("8.8e0", FORMAT),
        ("0.30000000000000004", AMOUNT),
        ("-1", AMOUNT),
        ("0", AMOUNT),
        ("9" * 128, FORMAT),
        ("9" * 129, UNREADABLE),
        ("1e999999999", UNREADABLE),
    ],
    ids=lambda value: str(value)[:16],
)
def test_an_amount_as_a_number_is_read_from_its_literal(
    trader: Trader, refused: Refused, literal: str, expected: str
) -> None:
    body = trader.apply_call(amount="AMOUNT").body.replace(b'"AMOUNT"', literal.encode())
    assert code(refused(trader.body_call(body))) == expected


def test_a_number_is_quoted_as_the_digits_that_it_stood_as(trader: Trader) -> None:
    body = trader.apply_call(amount="AMOUNT").body.replace(b'"AMOUNT"', b"100.000")
    assert ",amount:100.000,fee:1," in data(trader.send(trader.body_call(body)))["content"]


def test_all_but_the_fee_may_go_and_not_one_unit_more(strict: Sandbox) -> None:
    trader = new_trader(strict, usdt="50.5")
    answer = trader.send(trader.apply_call(amount="49.500001"))
    assert verdict(answer)[1:] == (
        BALANCE,
        "Insufficient balance. You can only transfer `49.5` at most.",
    )
    first, second = trader.quote(amount="49.5"), trader.quote(amount="49.5")
    trader.confirmed(first)
    assert trader.units() == (0, 50_500_000)
    late = trader.confirm_call(second["nonce"], trader.wallet.by_hand(second["content"]))
    assert code(trader.send(late)) == BALANCE
    assert trader.units() == (0, 50_500_000)


@pytest.mark.parametrize(
    "fee, accepted", [("0", True), ("1", True), ("0.0", True), ("1.00", True), (1, True)]
)
def test_our_own_fee_and_zero_are_taken(trader: Trader, fee: object, accepted: bool) -> None:
    assert (",fee:1,nonce:" in trader.quote(fee=fee)["content"]) is accepted


@pytest.mark.parametrize("fee", ["-5", "-0", "1.2", "0.999999", "1.0000001", "1000000"])
def test_any_other_fee_is_refused(trader: Trader, refused: Refused, fee: str) -> None:
    assert code(refused(trader.apply_call(fee=fee))) == FEE


# ---- where it goes ----


def bad_addresses(trader: Trader) -> dict[str, str]:
    own = trader.wallet.address
    hot = next(row["hot_wallet"] for row in trader.sandbox.facts["assets"] if row["network"] == "tron")
    return {
        "an Ethereum address": "0x8304eC68CeB2aE737dAE5b73FA67F0ccB84865C3",
        "bad checksum": own[:-1] + ("1" if own[-1] != "1" else "2"),
        "hexadecimal form": "41604acad4a20fed59cef64c77bdf61e240ac50e8f",
        "Bitcoin": "1HKuCLJJm17Conhr723GzqzfeA8UKa2Yk1",
        "bech32": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "zero": "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb",
        "token contract": trader.sandbox.contract("USDT", "tron"),
        "hot wallet": hot,
        "lower case": own.lower(),
        "Cyrillic": own.replace("T", "\u0422", 1),
        "zero-width space": own[:9] + "\u200b" + own[9:],
        "no-break space": own + "\u00a0",
        "right-to-left mark": own + "\u200f",
        "blank before": " " + own,
        "line feed": own + "\n",
        "two amounts": f"{own},currency:usdt,chain:trc20usdt,amount:1",
        "colon": own + ":",
    }


def test_an_address_of_another_form_or_that_nobody_withdraws_to_is_invalid(
    trader: Trader, refused: Refused
) -> None:
    for name, address in bad_addresses(trader).items():
        assert code(refused(trader.apply_call(address=address))) == ADDRESS, name


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"currency": "nope"}, CURRENCY),
        ({"currency": "trx"}, CURRENCY),
        ({"currency": "\uff35\uff33\uff24\uff34"}, CURRENCY),
        ({"currency": "usdt "}, CURRENCY),
        ({"currency": "usdt,chain:trc20usdt"}, CURRENCY),
        ({"chain": "TRC20USDT"}, CHAIN),
        ({"chain": "usdterc20"}, CHAIN),
        ({"chain": "tron"}, CHAIN),
        ({"chain": "trc20usdt,amount:1"}, CHAIN),
        ({"amount": "8,amount:1"}, FORMAT),
        ({"fee": "0,nonce:1"}, FORMAT),
    ],
    ids=str,
)
def test_another_currency_or_chain_or_a_mark_of_the_content_in_a_member_is_refused(
    trader: Trader, refused: Refused, changes: dict[str, str], expected: str
) -> None:
    assert code(refused(trader.apply_call(**changes))) == expected


def test_an_address_that_is_not_the_accounts_verified_wallet_is_refused(strict: Sandbox) -> None:
    trader, other = new_trader(strict), new_trader(strict)
    unverified, cooling, elsewhere = (new_trader(strict).wallet.address for _ in range(3))
    trader.customer.list_address(unverified, network="tron", verified=False)
    later_ms = time.time_ns() // 1_000_000 + 3_600_000
    trader.customer.list_address(cooling, network="tron", usable_from_ms=later_ms)
    trader.customer.list_address(elsewhere, network="tron", asset="TRX")
    before = stored(strict)
    for address in (other.wallet.address, unverified, cooling, elsewhere):
        assert code(trader.send(trader.apply_call(address=address))) == NOT_OWN
    assert stored(strict) == before


def test_a_wallet_removed_after_its_quote_is_not_paid_until_it_is_back(trader: Trader) -> None:
    quote = trader.quote()
    book = f"/accounts/{trader.customer.account_id}/addresses"
    (entry,) = trader.sandbox.admin("GET", book)["addresses"]
    trader.sandbox.admin("DELETE", f"{book}/{entry['entry_id']}")
    call = trader.confirm_call(quote["nonce"], trader.wallet.by_hand(quote["content"]))
    before = stored(trader.sandbox)
    assert (code(trader.send(call)), stored(trader.sandbox)) == (NOT_OWN, before)
    trader.customer.list_address(trader.wallet.address, network="tron")
    assert data(trader.send(call)) == {"order-id": 1, "status": "Processing"}


@pytest.mark.parametrize(
    "parameters, expected",
    [
        ({"type": ""}, MISSING),
        ({"type": "withdrawal"}, FORMAT),
        ({"type": "1"}, FORMAT),
        ({"size": "0"}, FORMAT),
        ({"size": "501"}, FORMAT),
        ({"size": "-1"}, FORMAT),
        ({"size": "1e1"}, FORMAT),
        ({"size": "\uff11\uff10"}, FORMAT),
        ({"size": "9" * 5_000}, FORMAT),
        ({"from": "-1"}, FORMAT),
        ({"from": str(2**64)}, FORMAT),
        ({"direct": "up"}, FORMAT),
        ({"currency": "nope"}, CURRENCY),
        ({"currency": "\uff35\uff33\uff24\uff34"}, CURRENCY),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_page_of_records_that_cannot_be_is_refused(
    trader: Trader, refused: Refused, parameters: dict[str, str], expected: str
) -> None:
    assert code(refused(trader.records_call(**parameters))) == expected
