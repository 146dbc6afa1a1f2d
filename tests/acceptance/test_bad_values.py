"""Bad amounts, addresses, tags and recipients, sent to a real server: the answer each gets, and nothing stored."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.acceptance.raw_http import Answer, Connection, apply_body, apply_request, ask, now_ms
from tests.acceptance.sandbox_process import Sandbox

pytestmark = pytest.mark.xdist_group("strict")

Refused = Callable[[bytes], Answer]
INVALID, NOT_POSITIVE = (400, 60000), (400, 61000)
TOO_SMALL, TOO_PRECISE, BEYOND_LIMIT, BALANCE = (400, 60005), (400, 60006), (400, 60009), (400, 60008)
UNKNOWN_CURRENCY, NOT_IN_BOOK, ADDRESS, MEMO, UNVERIFIED = (
    (400, 60002),
    (400, 60007),
    (400, 60011),
    (400, 60014),
    (400, 60015),
)
NOBODY, ONESELF, QUOTA = (403, 60053), (403, 60065), (403, 60064)
NUMBERS = itertools.count(700_000_001)
EVM = "0x8304eC68CeB2aE737dAE5b73FA67F0ccB84865C3"


def verdict(refused: Refused, strict: Sandbox, **changes: object) -> tuple[int, int]:
    return refused(apply_request(strict.new_key(), apply_body(strict, **changes))).verdict


def accepted(sandbox: Sandbox, key: dict[str, str], **changes: object) -> tuple[Any, ...]:
    """Send it; returns (address, memo, amount, state) as stored."""
    answer = ask(sandbox, apply_request(key, apply_body(sandbox, **changes)))
    assert answer.verdict == (200, 1000), answer.body
    columns = "address, memo, amount, state, recipient"
    withdraw_id = int(answer.envelope["data"]["withdraw_id"])
    return sandbox.rows(f"SELECT {columns} FROM withdrawals WHERE withdrawal_id = ?", withdraw_id)[0]


def new_account(sandbox: Sandbox, **deposits: str) -> int:
    """An account of its own with money of these assets over Ethereum."""
    number = str(next(NUMBERS))
    account_id = int(sandbox.admin("POST", "/accounts", {"account_number": number})["account_id"])
    for asset, amount in deposits.items():
        body = {
            "asset": asset,
            "network": "ethereum",
            "amount": amount,
            "reference": f"test-{number}-{asset}",
        }
        sandbox.admin("POST", f"/accounts/{account_id}/deposits", body)
    return account_id


def add_to_book(sandbox: Sandbox, account_id: int, address: str = EVM, **fields: object) -> dict[str, Any]:
    body = {"kind": "standard", "asset": "USDT", "network": "ethereum", "address": address, "verified": True}
    return dict(sandbox.admin("POST", f"/accounts/{account_id}/addresses", body | fields))


# ---- amounts ----


@pytest.mark.parametrize(
    "amount, expected",
    [
        ("1e1000000", INVALID),
        ("1e999999999", INVALID),
        ("9" * 4_301, INVALID),
        ("9" * 50_000, INVALID),
        ("1." + "0" * 50_000, INVALID),
        ("-1", NOT_POSITIVE),
        ("-0", NOT_POSITIVE),
        ("0", NOT_POSITIVE),
        ("0.0", NOT_POSITIVE),
        ("+1", INVALID),
        (" 1", INVALID),
        ("1\n", INVALID),
        ("1_000", INVALID),
        ("\uff11\uff12\uff13", INVALID),
        ("\u0663", INVALID),
        ("1,5", INVALID),
        ("0x10", INVALID),
        (".5", INVALID),
        ("5.", INVALID),
        ("00012", INVALID),
        ("--1", INVALID),
        ("-", INVALID),
        ("", INVALID),
        ("NaN", INVALID),
        ("1e2", INVALID),
        ("20.0000001", TOO_PRECISE),
        ("9.999999", TOO_SMALL),
        ("0.000001", TOO_SMALL),
        ("3", TOO_SMALL),
        ("1000000.000001", BEYOND_LIMIT),
        (str(2**63), BEYOND_LIMIT),
        (str(2**64), BEYOND_LIMIT),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_bad_amount_is_refused_as_documented(
    strict: Sandbox, refused: Refused, amount: str, expected: tuple[int, int]
) -> None:
    assert verdict(refused, strict, amount=amount) == expected


@pytest.mark.parametrize(
    "literal, expected",
    [
        ("1e1000000", INVALID),
        ("1e999999999", INVALID),
        ("9" * 4_301, INVALID),
        ("9" * 60_000, INVALID),
        ("-1", NOT_POSITIVE),
        ("0.30000000000000004", TOO_PRECISE),
        ("1e-05", TOO_SMALL),
        ("2.5", TOO_SMALL),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_amount_as_a_number_is_read_from_its_literal(
    strict: Sandbox, refused: Refused, literal: str, expected: tuple[int, int]
) -> None:
    body = apply_body(strict, amount="AMOUNT").replace(b'"AMOUNT"', literal.encode())
    assert refused(apply_request(strict.new_key(), body)).verdict == expected


@pytest.mark.parametrize("units", [2**67, 2**128, 2**192, 10**40])
def test_an_amount_beyond_every_machine_word_is_only_more_than_there_is(
    strict: Sandbox, refused: Refused, units: int
) -> None:
    whole, rest = divmod(units, 10**18)
    changes = {"currency": "ETH", "amount": f"{whole}.{rest:018d}"[:-10]}
    assert verdict(refused, strict, **changes) in {BALANCE, QUOTA}


@pytest.mark.parametrize("amount", [str(2**256), str(10**60), "9" * 78])
def test_an_amount_of_more_digits_than_any_asset_has_is_refused(
    strict: Sandbox, refused: Refused, amount: str
) -> None:
    assert verdict(refused, strict, amount=amount) in {INVALID, BEYOND_LIMIT}
    assert verdict(refused, strict, currency="ETH", amount=amount) in {INVALID, QUOTA}


@pytest.mark.parametrize("amount, units", [("100.000", 100_000_000), ("20.10", 20_100_000)])
def test_trailing_zeros_are_the_same_amount(strict: Sandbox, amount: str, units: int) -> None:
    assert int(accepted(strict, strict.new_key(), amount=amount)[2]) == units


def test_all_that_is_available_may_go_and_not_one_unit_more(strict: Sandbox) -> None:
    account_id = new_account(strict, USDT="50.5")
    add_to_book(strict, account_id)
    key, before = strict.new_key(account_id=account_id), strict.stored()
    more = ask(strict, apply_request(key, apply_body(strict, amount="50.500001")))
    assert (more.verdict, strict.stored()) == (BALANCE, before)
    accepted(strict, key, amount="50.5")
    ((available, held),) = strict.rows(
        "SELECT available, held FROM balances WHERE account_id = ? AND asset = 'USDT' AND wallet = 'spot'",
        account_id,
    )
    assert (int(available), int(held)) == (0, 50_500_000)
    again = ask(strict, apply_request(key, apply_body(strict, amount="10")))
    assert again.verdict == BALANCE


# ---- addresses and networks ----


def bad_evm(sandbox: Sandbox) -> dict[str, str]:
    hot_wallet = next(row["hot_wallet"] for row in sandbox.facts["assets"] if row["network"] == "ethereum")
    return {
        "wrong EIP-55 case": EVM[:-1] + "c",
        "39 digits": EVM[:-1],
        "41 digits": EVM + "0",
        "0X": "0X" + EVM[2:],
        "no 0x": EVM[2:],
        "zero": "0x" + "0" * 40,
        "precompile": "0x" + "1".rjust(40, "0"),
        "token contract": sandbox.contract("USDT"),
        "hot wallet": hot_wallet,
        "Cyrillic a": EVM.replace("a", "\u0430", 1),
        "zero-width space": EVM[:9] + "\u200b" + EVM[9:],
        "right-to-left mark": EVM + "\u200f",
        "no-break space": EVM + "\u00a0",
        "blank": " " + EVM,
        "new line": EVM + "\n",
        "full-width x": "0\uff58" + EVM[2:],
    }


@pytest.mark.parametrize(
    "name",
    [
        "wrong EIP-55 case",
        "39 digits",
        "41 digits",
        "0X",
        "no 0x",
        "zero",
        "precompile",
        "token contract",
        "hot wallet",
        "Cyrillic a",
        "zero-width space",
        "right-to-left mark",
        "no-break space",
        "blank",
        "new line",
        "full-width x",
    ],
)
def test_a_bad_ethereum_address_is_invalid(strict: Sandbox, refused: Refused, name: str) -> None:
    assert verdict(refused, strict, address=bad_evm(strict)[name]) == ADDRESS


def test_an_address_in_lower_case_is_the_one_in_the_book(strict: Sandbox) -> None:
    assert accepted(strict, strict.new_key(), address=EVM.lower())[0] == EVM


@pytest.mark.parametrize(
    "currency, address",
    [
        ("USDT-TRC20", "0x1F98A10a4d2Fd9eCf5d6cD6E1aC4Fc5Ef5aFcD3d"),
        ("USDT-TRC20", "0x8304eC68CeB2aE737dAE5b73FA67F0ccB84865C3"),
        ("USDT-TRC20", "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXs"),
        ("USDT-TRC20", "41" + "00" * 20),
        ("USDT-ERC20", "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS"),
        ("BTC", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3T4"),
        ("BTC", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh"),
        ("BTC", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        ("BTC", "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"),
        ("BTC", "1HKuCLJJm17Conhr723GzqzfeA8UKa2Yk2"),
    ],
)
def test_an_address_of_another_network_or_with_a_wrong_check_is_invalid(
    strict: Sandbox, refused: Refused, currency: str, address: str
) -> None:
    assert verdict(refused, strict, currency=currency, address=address) == ADDRESS


@pytest.mark.parametrize(
    "currency",
    [
        "\uff35\uff33\uff24\uff34-ERC20",
        "usdt-erc20",
        "USDT-ERC20 ",
        "USDT-\u0415RC20",
        "USDT",
        "NOPE",
        "USDT-NOPE",
        "-",
        "A" * 64,
    ],
)
def test_a_currency_that_only_looks_like_ours_does_not_exist(
    strict: Sandbox, refused: Refused, currency: str
) -> None:
    assert verdict(refused, strict, currency=currency) == UNKNOWN_CURRENCY


def test_an_address_unverified_cooling_down_anothers_or_of_another_network_is_refused(
    strict: Sandbox,
) -> None:
    mine, other = new_account(strict, USDT="1000"), new_account(strict)
    add_to_book(strict, other, EVM)
    cooling, elsewhere, unverified = (f"0x{digit * 40}" for digit in "123")
    add_to_book(strict, mine, cooling, usable_from_ms=now_ms() + 3_600_000)
    add_to_book(strict, mine, elsewhere, network="bsc")
    add_to_book(strict, mine, unverified, verified=False)
    key, before = strict.new_key(account_id=mine), strict.stored()
    asked = {EVM: NOT_IN_BOOK, cooling: NOT_IN_BOOK, elsewhere: NOT_IN_BOOK, unverified: UNVERIFIED}
    for address, expected in asked.items():
        answer = ask(strict, apply_request(key, apply_body(strict, address=address)))
        assert (address, answer.verdict) == (address, expected)
    assert strict.stored() == before


@pytest.mark.parametrize(
    "tag, expected",
    [
        ({}, MEMO),
        ({"address_memo": ""}, MEMO),
        ({"address_memo": "NULL"}, MEMO),
        ({"address_memo": "4294967296"}, MEMO),
        ({"address_memo": "007"}, MEMO),
        ({"address_memo": "7002"}, MEMO),
        ({"address_memo": "7001\n"}, INVALID),
        ({"address_memo": "7" * 4_096}, INVALID),
        ({"address_memo": 7001}, INVALID),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_tag_that_is_missing_malformed_or_not_the_books_is_refused(
    strict: Sandbox, refused: Refused, tag: dict[str, object], expected: tuple[int, int]
) -> None:
    entry = strict.entry("XRP")
    members = {"currency": "XRP", "amount": "25", "address": entry["address"], **tag}
    text = json.dumps(members).replace('"NULL"', "null")
    assert refused(apply_request(strict.new_key(), text.encode())).verdict == expected


def test_no_tag_an_empty_one_and_null_are_the_same(strict: Sandbox) -> None:
    key = strict.new_key()
    stored = [accepted(strict, key)[1], accepted(strict, key, address_memo="", amount="21")[1]]
    body = apply_body(strict, amount="22", address_memo="X").replace(b'"X"', b"null")
    assert ask(strict, apply_request(key, body)).status == 200
    assert stored == ["", ""]


# ---- recipients ----


@pytest.mark.parametrize(
    "form, expected",
    [
        ({"type": 3, "value": "412345678"}, INVALID),
        ({"type": 3, "value": "412345678", "areaCode": ""}, INVALID),
        ({"type": 3, "value": "412345678", "areaCode": "+61"}, INVALID),
        ({"type": 3, "value": "412345678", "areaCode": "0061"}, INVALID),
        ({"type": 3, "value": "+61412345678", "areaCode": "61"}, INVALID),
        ({"type": 3, "value": "412345679", "areaCode": "61"}, NOBODY),
        ({"type": 2, "value": "friend@sandbox.example\r\nBcc: x@y.example"}, INVALID),
        ({"type": 2, "value": "friend@s\u0430ndbox.example"}, INVALID),
        ({"type": 2, "value": "friend@b\u00fccher.example"}, INVALID),
        ({"type": 2, "value": "friend"}, INVALID),
        ({"type": 2, "value": "Friend@sandbox.example"}, NOBODY),
        ({"type": 1, "value": "876940329"}, ONESELF),
        ({"type": 1, "value": "123456"}, NOBODY),
        ({"type": 1, "value": "0876940330"}, INVALID),
        ({"type": 1, "value": "876940330 "}, INVALID),
        ({"type": 1}, INVALID),
        ({"value": "876940330"}, INVALID),
        ({}, INVALID),
    ],
    ids=str,
)
def test_a_bad_recipient_is_refused(
    strict: Sandbox, refused: Refused, form: dict[str, object], expected: tuple[int, int]
) -> None:
    assert verdict(refused, strict, address=None, **form) == expected


def test_with_both_forms_in_one_request_the_address_wins(strict: Sandbox) -> None:
    both = {"type": 1, "value": strict.bitmart["recipient_cid"]}
    address, _, _, state, recipient = accepted(strict, strict.new_key(), **both)
    assert (address, state, recipient) == (EVM, "held", "")


def test_a_number_as_ccxt_sends_it_is_exact(strict: Sandbox) -> None:
    body = apply_body(strict, amount="X").replace(b'"X"', b"2.000001e1")
    with closing(Connection(strict.port)) as connection:
        made = connection.exchange(apply_request(strict.new_key(), body))
    ((units,),) = strict.rows(
        "SELECT amount FROM withdrawals WHERE withdrawal_id = ?", int(made.envelope["data"]["withdraw_id"])
    )
    assert int(units) == 20_000_010
