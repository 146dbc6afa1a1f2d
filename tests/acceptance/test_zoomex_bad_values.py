"""Amounts, addresses, tags and recipients that Zoomex's API must refuse, sent to a real server: the code each gets.

Nothing is sent to any chain here, so that nothing is written but what requests cause.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.calls import Call
from tests.acceptance.customers import nothing_taken_in
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.zoomex_codes import (
    AMOUNT,
    BALANCE,
    BOOK,
    BUSINESS,
    CLOSED,
    NOBODY,
    ONESELF,
    PARAMETER,
    PRECISION,
    SIGN,
    SIZE,
    TAG_UNWANTED,
    TOO_NEW,
)
from tests.acceptance.zoomex_requests import (
    CREATE,
    INNER_CREATE,
    POSTS,
    Payer,
    as_json,
    by_headers,
    demo,
    new_payer,
    send,
    send_refused,
    signed,
)

pytestmark = pytest.mark.xdist_group("strict")

Refused = Callable[[Call], tuple[int, int]]
ENOUGH = 1_000_000_000


@pytest.fixture(scope="module")
def standing(strict: Sandbox) -> Payer:
    """For what fails before it is counted against the account's limits."""
    return new_payer(strict)


@pytest.fixture
def payer(strict: Sandbox) -> Payer:
    """With a limit of its own."""
    return new_payer(strict)


@pytest.fixture
def refused(strict: Sandbox, seconds: list[float]) -> Iterator[Refused]:
    """Send a bad request. Nothing may be stored for it, it is no 500, and the connection stays sane."""
    with nothing_taken_in(strict):
        yield lambda call: send_refused(strict, call, seconds)


# ---- types and ids ----


@pytest.mark.parametrize("value", [True, False, ["20"], {"a": "20"}, None, "", 1.5], ids=repr)
@pytest.mark.parametrize("name", ["requestId", "coin", "addressType", "address", "amount"])
def test_a_member_of_another_type_is_a_bad_parameter(
    strict: Sandbox, refused: Refused, payer: Payer, name: str, value: object
) -> None:
    if (name, value) == ("amount", 1.5):
        return  # a number is taken for an amount, as the venue's clients send one
    members = payer.inner_create(payer.customer.number) | {name: value}
    assert refused(by_headers(INNER_CREATE, payer.key, members)) == PARAMETER
    # Whatever its sender thinks it signs as; of another customer, so that no limit stands in the way.
    other = new_payer(strict)
    full = signed(other.key, members | {name: str(value)})
    assert refused(as_json(INNER_CREATE, full | {name: value}, mirror=False)) in {PARAMETER, SIGN}


@pytest.mark.parametrize("kind", ["3", "1", 0, 4, -1, 3.0, "UID"], ids=repr)
def test_an_address_type_is_one_of_three_numbers(refused: Refused, payer: Payer, kind: object) -> None:
    members = payer.inner_create(payer.customer.number, addressType=kind)
    assert refused(demo(INNER_CREATE, payer.key, members)) == PARAMETER


@pytest.mark.parametrize(
    "request_id", ["", "a" * 65, "a_b", "a-b", "a b", "é", "\uff11", "🙂", 123, True, {}], ids=repr
)
@pytest.mark.parametrize("path", POSTS)
def test_a_request_id_is_one_to_64_letters_and_digits(
    refused: Refused, payer: Payer, path: str, request_id: object
) -> None:
    members = payer.create() if path == CREATE else payer.inner_create(payer.customer.number)
    assert refused(by_headers(path, payer.key, members | {"requestId": request_id})) == PARAMETER


# ---- amounts ----

NO_AMOUNTS = {
    **dict.fromkeys(
        ["-1", "-0", "0", "0.0", "+1", "1_000", "1,5", "0x10", ".5", "5.", "00012", "NaN"], AMOUNT
    ),
    **dict.fromkeys(["\uff11\uff12\uff13", "\u0663", "1e2", "1e1000000", "1e999999999", "9" * 120], AMOUNT),
    **dict.fromkeys([" 1", "1\n", "", "9" * 4_301, "9" * 50_000, "1." + "0" * 50_000], PARAMETER),
    **dict.fromkeys(["0.30000000000000004", "20.0000001"], PRECISION),
    **dict.fromkeys(["9.999999", "0.000001", "3", "1000000.000001"], SIZE),
    **dict.fromkeys([str(2**63), str(2**64), "9" * 54], SIZE),
    **dict.fromkeys(["1000", "997.000001", "1000000"], BALANCE),
}


@pytest.mark.parametrize("amount", NO_AMOUNTS, ids=lambda text: repr(text[:24]))
def test_an_amount_that_cannot_be_paid_is_refused_with_its_reason(
    refused: Refused, payer: Payer, amount: str
) -> None:
    assert refused(by_headers(CREATE, payer.key, payer.create(amount=amount))) == NO_AMOUNTS[amount]
    assert payer.customer.units("USDT", "fund") == (ENOUGH, 0)


@pytest.mark.parametrize(
    "literal, expected",
    [("1e1000000", PARAMETER), ("1e60", SIZE), ("1e99", SIZE), ("-1", AMOUNT), ("1e-07", PRECISION)],
)
def test_an_amount_that_is_a_number_is_read_from_its_digits(
    refused: Refused, payer: Payer, literal: str, expected: tuple[int, int]
) -> None:
    body = json.dumps(payer.create(amount="@")).replace('"@"', literal)
    assert refused(by_headers(CREATE, payer.key, body)) == expected


@pytest.mark.parametrize("amount", ["997", "2e1", "100.000", "1e1"])
def test_all_that_covers_its_fee_and_a_number_as_sent_are_exact(
    strict: Sandbox, payer: Payer, amount: str
) -> None:
    body = json.dumps(payer.create(amount="@"))
    body = body.replace('"@"', amount if "e" in amount else f'"{amount}"')
    made = send(strict, by_headers(CREATE, payer.key, body)).withdraw_id
    units = {"997": 997, "2e1": 20, "100.000": 100, "1e1": 10}[amount] * 1_000_000
    assert strict.rows("SELECT net, fee FROM withdrawals WHERE withdrawal_id = ?", int(made)) == [
        (str(units), "3000000")
    ]
    assert payer.customer.units("USDT", "fund") == (ENOUGH - units - 3_000_000, units + 3_000_000)


# ---- coins, chains, addresses, tags ----


@pytest.mark.parametrize("coin", ["usdt", "\uff35\uff33\uff24\uff34", "USDТ", "DOGE", "USD\u200bT"])  # noqa: RUF001
def test_a_coin_that_only_looks_like_ours_does_not_exist(refused: Refused, payer: Payer, coin: str) -> None:
    assert refused(demo(CREATE, payer.key, payer.create(coin=coin))) == BUSINESS
    assert refused(demo(INNER_CREATE, payer.key, payer.inner_create("162119744", coin=coin))) == BUSINESS


@pytest.mark.parametrize("chain", ["ERC20", "eth", "ethereum", "\uff25\uff34\uff28", "BTC", "DOGE"])
def test_a_chain_that_the_coin_does_not_have_is_refused(refused: Refused, payer: Payer, chain: str) -> None:
    assert refused(demo(CREATE, payer.key, payer.create(chain=chain))) == BUSINESS


def test_a_closed_chain_is_said_to_be_closed(refused: Refused, payer: Payer) -> None:
    members = payer.create(chain="SOL", address="8ZTDss24t2XUMX2WS21TjQATtWeaztsKD4HYpDPLTr9W")
    assert refused(demo(CREATE, payer.key, members)) == CLOSED


EVM = "0x8304eC68CeB2aE737dAE5b73FA67F0ccB84865C3"


@pytest.mark.parametrize(
    "chain, address, expected",
    [
        ("ETH", EVM[:-1] + "c", BUSINESS),
        ("ETH", EVM[:-1], BUSINESS),
        ("ETH", EVM + "0", BUSINESS),
        ("ETH", "0X" + EVM[2:], BUSINESS),
        ("ETH", "0x" + "0" * 40, BUSINESS),
        ("ETH", "0x" + "1".rjust(40, "0"), BUSINESS),
        ("ETH", "token contract", BUSINESS),
        ("ETH", "hot wallet", BUSINESS),
        ("ETH", EVM.replace("a", "\u0430", 1), BUSINESS),
        ("ETH", EVM + "\u200f", BUSINESS),
        ("ETH", EVM + "\u00a0", BUSINESS),
        ("ETH", " " + EVM, PARAMETER),
        ("ETH", EVM + "\n", PARAMETER),
        ("ETH", EVM + "&x=1", PARAMETER),
        ("ETH", EVM, BOOK),
        ("TRX", EVM, BUSINESS),
        ("TRX", "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXs", BUSINESS),
        ("TRX", "41" + "00" * 20, BUSINESS),
        ("TRX", "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS", BOOK),
    ],
)
def test_an_address_that_cannot_be_paid_is_refused(
    strict: Sandbox, refused: Refused, payer: Payer, chain: str, address: str, expected: tuple[int, int]
) -> None:
    hot_wallet = next(row["hot_wallet"] for row in strict.facts["assets"] if row["network"] == "ethereum")
    meant = {"token contract": strict.contract("USDT"), "hot wallet": hot_wallet}.get(address, address)
    assert refused(by_headers(CREATE, payer.key, payer.create(chain=chain, address=meant))) == expected


@pytest.mark.parametrize(
    "entry, expected",
    [
        ({"verified": False}, BOOK),
        ({"usable_from_ms": 4_000_000_000_000}, TOO_NEW),
        ({"network": "bsc"}, BOOK),
        ({"asset": "USDC"}, BOOK),
        (None, BOOK),
    ],
    ids=["unverified", "cooling down", "of another chain", "of another coin", "removed"],
)
def test_an_address_that_is_not_usable_from_the_book_is_refused(
    strict: Sandbox, refused: Refused, payer: Payer, entry: dict[str, Any] | None, expected: tuple[int, int]
) -> None:
    address = "0x" + "1a" * 20
    entry_id = payer.customer.list_address(address, **(entry or {}))
    if entry is None:
        strict.admin("DELETE", f"/accounts/{payer.customer.account_id}/addresses/{entry_id}")
    assert refused(demo(CREATE, payer.key, payer.create(address=address))) == expected


def test_another_customers_address_is_not_in_the_book(
    refused: Refused, payer: Payer, standing: Payer
) -> None:
    assert refused(demo(CREATE, payer.key, payer.create(address=standing.address))) == BOOK


@pytest.mark.parametrize(
    "tag, expected",
    [
        (None, BUSINESS),
        ("", BUSINESS),
        ("7002", BUSINESS),
        ("007", BUSINESS),
        ("4294967296", BUSINESS),
        ("7001\n", PARAMETER),
        ("7" * 4_096, PARAMETER),
        (7001, PARAMETER),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_tag_that_is_missing_malformed_or_not_the_books_is_refused(
    refused: Refused, payer: Payer, tag: object, expected: tuple[int, int]
) -> None:
    address = "rUAmRDgxsLWKNgdbJQkbvkYz6k7nyGjd9j"
    payer.customer.list_address(address, asset="XRP", network="ripple", memo="7001")
    payer.customer.credit("XRP", "100", wallet="fund", network="ripple")
    members = payer.create(coin="XRP", chain="XRP", address=address, amount="25", tag=tag)
    assert refused(by_headers(CREATE, payer.key, members)) == expected


def test_a_tag_is_refused_where_the_chain_takes_none(refused: Refused, payer: Payer) -> None:
    assert refused(demo(CREATE, payer.key, payer.create(tag="7"))) == TAG_UNWANTED


@pytest.mark.parametrize("tag", ["", None], ids=repr)
def test_an_empty_tag_is_no_tag(strict: Sandbox, payer: Payer, tag: str | None) -> None:
    members = {**payer.create(), "tag": tag}
    assert send(strict, by_headers(CREATE, payer.key, members)).code == 0


# ---- recipients ----


@pytest.mark.parametrize(
    "form, expected",
    [
        ({"addressType": 2, "address": "412345678"}, PARAMETER),
        ({"addressType": 2, "address": "412345678", "areaCode": "+61"}, PARAMETER),
        ({"addressType": 2, "address": "412345678", "areaCode": "0061"}, PARAMETER),
        ({"addressType": 2, "address": "+61412345678", "areaCode": 61}, PARAMETER),
        ({"addressType": 2, "address": "412345679", "areaCode": 61}, BOOK),
        ({"addressType": 1, "address": "friend@sandbox.example\r\nBcc: x@y.example"}, PARAMETER),
        ({"addressType": 1, "address": "friend@s\u0430ndbox.example"}, PARAMETER),
        ({"addressType": 1, "address": "friend@b\u00fccher.example"}, PARAMETER),
        ({"addressType": 1, "address": "friend"}, PARAMETER),
        ({"addressType": 1, "address": "Friend@sandbox.example"}, BOOK),
        ({"addressType": 1, "address": "friend@sandbox.example", "remark": "x" * 51}, PARAMETER),
        ({"addressType": 3, "address": "0876940330"}, PARAMETER),
        ({"addressType": 3, "address": "876940330 "}, PARAMETER),
        ({"addressType": 3, "address": "friend@sandbox.example"}, PARAMETER),
        ({"addressType": 3, "address": "876940330"}, BOOK),
        ({"addressType": 3, "address": "123456"}, NOBODY),
        ({"addressType": 3, "address": "oneself"}, ONESELF),
    ],
    ids=str,
)
def test_a_recipient_that_cannot_be_paid_is_refused(
    refused: Refused, payer: Payer, form: dict[str, Any], expected: tuple[int, int]
) -> None:
    own = payer.customer.number
    for listed in ("123456", own):
        payer.customer.list_recipient("account_number", listed)
    payer.customer.list_recipient("email", "friend@sandbox.example")
    meant = form | ({"address": own} if form["address"] == "oneself" else {})
    assert refused(by_headers(INNER_CREATE, payer.key, payer.inner_create("0", **meant))) == expected


def test_an_unverified_recipient_is_not_in_the_book(strict: Sandbox, refused: Refused, payer: Payer) -> None:
    body = {"kind": "recipient", "address": "876940330", "memo": "account_number"}
    strict.admin("POST", f"/accounts/{payer.customer.account_id}/addresses", body)
    assert refused(demo(INNER_CREATE, payer.key, payer.inner_create("876940330"))) == BOOK


def test_a_frozen_account_pays_nobody(refused: Refused, payer: Payer) -> None:
    payer.customer.freeze()
    assert refused(demo(CREATE, payer.key, payer.create())) == (200, 131092)
