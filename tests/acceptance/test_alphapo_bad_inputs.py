"""Bad input to AlphaPo, sent to a real server: the answer each gets, nothing stored, the connection sane.

Broken framing is in `test_bad_framing`.
"""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.acceptance.alphapo_merchant import (
    EVM,
    Merchant,
    Refused,
    as_body,
    data,
    faults,
    members_of,
    new_merchant,
    refusing,
    turned_away,
)
from tests.acceptance.alphapo_requests import (
    ACCOUNTS,
    FIXED,
    INFO,
    NOW,
    TAKE,
    WITHDRAWAL,
    KeyPair,
    signature,
    written,
)
from tests.acceptance.bad_inputs import ENCODINGS, assert_alike_in_time
from tests.acceptance.raw_http import Connection
from tests.acceptance.sandbox_process import Sandbox

pytestmark = pytest.mark.xdist_group("strict")

SIGN, KEY = b"X-Processing-Signature", b"X-Processing-Key"
NO_KEY = (403, "required_header_key", "No key header")
BAD_KEY = (403, "bad_header_key", "Bad key header")
NO_SIGNATURE = (403, "required_header_signature", "No signature header")
BAD_SIGNATURE = (403, "bad_header_signature", "Bad signature header")
BAD_CONTENT = (400, "bad_content_format", "Bad content format")
NOT_FOUND = (404, "not_found", "Not found")
BITCOIN = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
RIPPLE = "rUAmRDgxsLWKNgdbJQkbvkYz6k7nyGjd9j"


@pytest.fixture
def merchant(strict: Sandbox) -> Merchant:
    return new_merchant(strict)


@pytest.fixture
def refused(merchant: Merchant, seconds: list[float]) -> Iterator[Refused]:
    """Send what must be refused: nothing may be stored for it, and its connection stays sane."""
    with refusing(merchant, seconds) as send:
        yield send


# ---- who asks, and where ----


@pytest.mark.parametrize("path", [WITHDRAWAL, "/nothing", "/invoices/create", "/futures/x", WITHDRAWAL + "/"])
def test_who_asks_is_judged_before_what_is_asked(merchant: Merchant, refused: Refused, path: str) -> None:
    def answer(changes: dict[bytes, bytes | None]) -> tuple[int, str, str]:
        return turned_away(refused(merchant.keys.request(path, b"not even JSON", changes=changes)))

    assert answer({KEY: None}) == answer({KEY: b""}) == answer({KEY: None, SIGN: None}) == NO_KEY
    assert answer({KEY: b"nobody"}) == answer({KEY: b"nobody", SIGN: None}) == BAD_KEY
    assert answer({SIGN: None}) == answer({SIGN: b""}) == NO_SIGNATURE
    assert answer({SIGN: b"00"}) == BAD_SIGNATURE
    assert answer({}) == (BAD_CONTENT if path == WITHDRAWAL else NOT_FOUND)


@pytest.mark.parametrize(
    "path",
    [
        "//withdrawal/crypto",
        "/./withdrawal/crypto",
        "/x/../withdrawal/crypto",
        "/x/%2e%2e/withdrawal/crypto",
        "%2Fwithdrawal/crypto",
        "/withdrawal%2Fcrypto",
        "/Withdrawal/Crypto",
        "/crypto/withdrawal_instant",
    ],
)
def test_a_path_that_is_not_the_documented_one_is_unknown(
    merchant: Merchant, refused: Refused, path: str
) -> None:
    request = merchant.keys.request(path, as_body(members_of({})))
    assert turned_away(refused(request)) == NOT_FOUND


def test_another_method_is_not_allowed(merchant: Merchant, refused: Refused) -> None:
    body = as_body(members_of({}))
    for path, method in ((WITHDRAWAL, "GET"), (WITHDRAWAL, "PUT"), (INFO, "POST"), (ACCOUNTS, "GET")):
        answer = turned_away(refused(merchant.keys.request(path, body, method)))
        assert answer == (405, "method_not_allowed", "Method not allowed")


@pytest.mark.parametrize(
    "altered",
    [
        lambda sign: base64.b64encode(bytes.fromhex(sign)),
        lambda sign: sign[:63].encode(),
        lambda sign: sign[:-1].encode(),
        lambda sign: sign.encode() + b"0",
        lambda sign: sign.encode() + "é".encode(),
        lambda sign: "é".encode() * 64,
        lambda sign: b"0x" + sign.encode(),
        lambda sign: b"A" * 8_000,
        lambda sign: sign[::-1].encode(),
    ],
    ids=range(9),
)
def test_a_signature_of_another_form_is_wrong(
    merchant: Merchant, refused: Refused, altered: Callable[[str], bytes]
) -> None:
    body = as_body(members_of({}))
    changes = {SIGN: altered(signature(merchant.keys.secret, body))}
    assert turned_away(refused(merchant.keys.request(WITHDRAWAL, body, changes=changes))) == BAD_SIGNATURE


@pytest.mark.parametrize("doubled", [KEY, SIGN])
def test_a_header_of_the_signature_that_comes_twice_is_refused(
    merchant: Merchant, refused: Refused, doubled: bytes
) -> None:
    body = as_body(members_of({}))
    sound = merchant.keys.headers(body)
    for second in (sound[doubled], b"other"):
        headers = (*sound.items(), (doubled.lower(), second))
        assert turned_away(refused(written(WITHDRAWAL, body, headers))) == BAD_CONTENT


def test_a_signature_over_anything_but_the_body_is_wrong(merchant: Merchant, refused: Refused) -> None:
    body = as_body(members_of({}))
    others = (b"", b"{}", body + b"\n", body.replace(b" ", b""), WITHDRAWAL.encode() + body)
    for other in others:
        changes = {SIGN: signature(merchant.keys.secret, other).encode()}
        assert turned_away(refused(merchant.keys.request(WITHDRAWAL, body, changes=changes))) == BAD_SIGNATURE
    strange = merchant.with_key()
    swapped = KeyPair(strange.keys.processing_key, merchant.keys.secret)
    assert turned_away(refused(swapped.request(WITHDRAWAL, body))) == BAD_SIGNATURE


def test_a_key_does_what_it_may_and_comes_from_where_it_may(merchant: Merchant, refused: Refused) -> None:
    reads, pays = merchant.with_key(permissions=["read"]), merchant.with_key(permissions=["withdraw"])
    bound, body = merchant.with_key(allowed_ips=["127.0.0.2"]), as_body(members_of({}))
    for keys, path in (
        (reads.keys, WITHDRAWAL),
        (reads.keys, NOW),
        (reads.keys, FIXED),
        (pays.keys, ACCOUNTS),
    ):
        assert turned_away(refused(keys.request(path, body)))[:2] == (403, "not_permitted")
    assert turned_away(refused(pays.info_request({"id": 1})))[:2] == (403, "not_permitted")
    assert turned_away(refused(bound.keys.request(ACCOUNTS))) == (403, "ip_not_allowed", "Forbidden")
    assert bound.send(bound.keys.request(ACCOUNTS), source="127.0.0.2").status == 200


def test_unknown_frozen_foreign_and_wrongly_signed_keys_take_alike_and_cost_the_owner_nothing(
    merchant: Merchant, strict: Sandbox
) -> None:
    foreign = strict.new_key()
    forgeries = {
        "unknown": (replace(merchant.keys, processing_key=secrets.token_hex(16)), BAD_KEY),
        "frozen": (merchant.with_key(frozen=True).keys, BAD_KEY),
        "of another venue": (KeyPair(foreign["api_key"], foreign["api_secret"]), BAD_KEY),
        "wrongly signed": (replace(merchant.keys, secret="wrong-secret"), BAD_SIGNATURE),
    }
    taken: dict[str, list[float]] = {kind: [] for kind in forgeries}
    before = strict.stored()
    with closing(Connection(strict.port)) as connection:
        for _ in range(60):
            for kind, (keys, expected) in forgeries.items():
                answer = connection.exchange(keys.request(WITHDRAWAL, as_body(members_of({}))))
                assert turned_away(answer) == expected
                taken[kind].append(answer.seconds)
        # 240 failures, more than the 100 a second that the key has, and it is let through all the same.
        assert connection.exchange(merchant.keys.request(ACCOUNTS)).status == 200
    assert_alike_in_time(taken.values())
    assert strict.stored() == before


# ---- the body ----


@pytest.mark.parametrize(
    "body",
    [
        '{"amount":"1000",%M}',
        r'{"\u0061mount":"1000",%M}',
        '{%M,"x":{"y":1,"y":2}}',
        '{%M,"x":NaN}',
        '{%M,"x":Infinity}',
        '{%M,"x":-Infinity}',
        '{%M,"x":1e400}',
        '{%M,"x":1e1000000}',
        r'{%M,"x":"\ud800"}',
        r'{%M,"x":"\u0000"}',
        "{%M} {}",
        "{%M,}",
        "{ { %M",
        "[1]",
        '"x"',
        "17",
        "true",
        "currency=BTC&amount=20",
        "[" * 60_000,
        '{"x":' * 900 + "1" + "}" * 900,
        '{%M,"x":[[[[[[[[1]]]]]]]]}',
        '{%M,"x":' + "9" * 4_301 + "}",
    ],
    ids=range(22),
)
def test_a_body_that_is_no_clean_object_is_bad_content(
    merchant: Merchant, refused: Refused, body: str
) -> None:
    whole = body.replace("%M", json.dumps(members_of({}))[1:-1]).encode()
    assert turned_away(refused(merchant.keys.request(WITHDRAWAL, whole))) == BAD_CONTENT


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_in_another_encoding_is_bad_content(
    merchant: Merchant, refused: Refused, encoding: str
) -> None:
    body = ENCODINGS[encoding](as_body(members_of({})), b"user")
    assert turned_away(refused(merchant.keys.request(WITHDRAWAL, body))) == BAD_CONTENT


@pytest.mark.parametrize(
    "media",
    [
        {b"Content-Type": b"application/x-www-form-urlencoded"},
        {b"Content-Type": b"text/plain"},
        {b"Content-Type": b"application/jsonp"},
        {b"Content-Type": None},
        {b"Content-Encoding": b"gzip"},
        {b"Content-Encoding": b"br"},
    ],
    ids=str,
)
def test_another_media_type_or_a_compressed_body_is_bad_content(
    merchant: Merchant, refused: Refused, media: dict[bytes, bytes | None]
) -> None:
    for body in (as_body(members_of({})), gzip.compress(b" " * 30_000_000)):
        assert turned_away(refused(merchant.keys.request(WITHDRAWAL, body, changes=media))) == BAD_CONTENT


def test_a_body_that_is_too_long_is_refused_before_it_is_read(merchant: Merchant) -> None:
    answer = merchant.send(merchant.keys.request(WITHDRAWAL, b" " * 65_537))
    assert turned_away(answer) == (413, "bad_content_format", "Bad content format")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null"])
def test_a_body_without_members_misses_everything(merchant: Merchant, refused: Refused, body: bytes) -> None:
    told = faults(refused(merchant.keys.request(WITHDRAWAL, body)))
    assert told == {
        "currency": "The currency field is required.",
        "foreign_id": "The foreign id field is required.",
        "address": "The address field is required.",
        "amount": "The amount field is required when amount to is not present.",
    }


def test_what_a_client_adds_decides_nothing_and_is_not_stored(merchant: Merchant) -> None:
    made = merchant.withdraw(
        status="SUCCESS", approved=True, fee="-5", id=9, type="exchange", __proto__={"admin": True}
    )
    assert (made["id"], made["status"], made["type"]) == (1, "processing", "withdrawal")
    (row,) = merchant.sandbox.rows(
        "SELECT * FROM withdrawals WHERE account_id = ?", merchant.customer.account_id
    )
    assert not {"SUCCESS", "-5"} & set(row)
    assert not any("SUCCESS" in value or "admin" in value for value in row if isinstance(value, str))


def test_a_signed_body_is_worth_nothing_again_or_on_another_route(
    merchant: Merchant, seconds: list[float]
) -> None:
    body = as_body(members_of({"foreign_id": "elsewhere"}))
    data(merchant.send(merchant.keys.request(WITHDRAWAL, body)), 201)
    with refusing(merchant, seconds) as send:
        assert faults(send(merchant.keys.request(WITHDRAWAL, body))).keys() == {"foreign_id"}
        assert faults(send(merchant.keys.request(NOW, body))).keys() >= {"sender_currency"}
        assert turned_away(send(merchant.keys.request("/withdrawal/crypto2", body))) == NOT_FOUND
        assert turned_away(send(merchant.keys.request("/../sapi/v1/x", body))) == NOT_FOUND


# ---- amounts ----

NOT_A_NUMBER = "The amount must be a number."
"""What no decimal looks like."""
MALFORMED = (
    *(
        "1e1000000",
        "1e999999999",
        "9" * 4_301,
        "1." + "0" * 50_000,
        "+1",
        " 1",
        "1\n",
        "1_000",
        "1,5",
        "0x10",
    ),
    *("\uff11\uff12\uff13", "\u0663", ".5", "5.", "00012", "--1", "-", "NaN", "1e2", "Infinity"),
)


@pytest.mark.parametrize("amount", [*MALFORMED, True, False, ["1"], {"x": 1}], ids=lambda one: str(one)[:16])
@pytest.mark.parametrize("field", ["amount", "amount_to"])
def test_an_amount_that_is_no_plain_decimal_is_no_number(
    merchant: Merchant, refused: Refused, field: str, amount: object
) -> None:
    other = {"convert_to": "USDC"} if field == "amount_to" else {}
    told = faults(refused(merchant.withdrawal(**({"amount": None, field: amount} | other))))
    assert told == {field: NOT_A_NUMBER.replace("amount", field.replace("_", " "))}


@pytest.mark.parametrize(
    "amount, expected",
    [
        ("-1", "The amount must be at least 10."),
        ("-0", "The amount must be at least 10."),
        ("0", "The amount must be at least 10."),
        ("0.0", "The amount must be at least 10."),
        ("9.999999", "The amount must be at least 10."),
        ("20.0000001", "The amount may not have more than 6 decimal places."),
        ("0.0000001", "The amount may not have more than 6 decimal places."),
        ("1000000.000001", "The amount may not be greater than 1000000."),
        (str(2**63), "The amount may not be greater than 1000000."),
        ("4998", "Not enough money on balance"),
        ("4997.000001", "Not enough money on balance"),
    ],
)
def test_an_amount_out_of_bounds_is_refused_and_never_rounded(
    merchant: Merchant, refused: Refused, amount: str, expected: str
) -> None:
    assert faults(refused(merchant.withdrawal(amount=amount))) == {"amount": expected}


@pytest.mark.parametrize("units", [2**64, 2**256, 10**60])
def test_an_amount_beyond_every_machine_word_is_only_more_than_may_be(
    merchant: Merchant, refused: Refused, units: int
) -> None:
    assert faults(refused(merchant.withdrawal(amount=str(units)))).keys() == {"amount"}
    whole, rest = divmod(units, 10**18)
    ether = {"currency": "ETH", "amount": f"{whole}.{rest:018d}"[:-10]}
    assert faults(refused(merchant.withdrawal(**ether))).keys() == {"amount"}


@pytest.mark.parametrize(
    "literal, expected",
    [
        ("1e-05", "The amount must be at least 0.001."),
        ("9.99e-4", "The amount must be at least 0.001."),
        ("0.30000000000000004", "The amount may not have more than 8 decimal places."),
        ("1e-30", "The amount may not have more than 8 decimal places."),
        ("-1", "The amount must be at least 0.001."),
        ("-0.0", "The amount must be at least 0.001."),
        ("0", "The amount must be at least 0.001."),
        ("9" * 128, NOT_A_NUMBER),
        ("1e99", "The amount exceeds the daily withdrawal limit."),
    ],
    ids=lambda value: str(value)[:16],
)
def test_an_amount_as_a_number_is_read_from_its_literal(
    merchant: Merchant, refused: Refused, literal: str, expected: str
) -> None:
    members = members_of({"currency": "BTC", "address": BITCOIN, "amount": "LITERAL"})
    body = as_body(members).replace(b'"LITERAL"', literal.encode())
    assert faults(refused(merchant.keys.request(WITHDRAWAL, body))) == {"amount": expected}


@pytest.mark.parametrize("literal, units", [("1.5e-03", 150_000), ("1e-3", 100_000), ("2E-3", 200_000)])
def test_an_exponent_that_a_client_writes_is_its_exact_value(
    merchant: Merchant, literal: str, units: int
) -> None:
    members = members_of({"currency": "BTC", "address": BITCOIN, "amount": "LITERAL", "foreign_id": literal})
    body = as_body(members).replace(b'"LITERAL"', literal.encode())
    data(merchant.send(merchant.keys.request(WITHDRAWAL, body)), 201)
    ((net,),) = merchant.sandbox.rows(
        "SELECT net FROM withdrawals WHERE account_id = ?", merchant.customer.account_id
    )
    assert int(net) == units


def test_the_smallest_number_that_python_writes_with_an_exponent_is_exchanged_exactly(
    merchant: Merchant,
) -> None:
    body = {"sender_currency": "BTC", "receiver_currency": "EUR", "sender_amount": 0.00001, "foreign_id": "e"}
    assert b"1e-05" in as_body(body)
    before = merchant.units()["BTC"][0]
    assert data(merchant.post(NOW, body), 201)["sender_amount"] == "0.00001000"
    assert before - merchant.units()["BTC"][0] == 1_000


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"amount_to": "25"}, "amount"),
        ({"amount_to": "25", "convert_to": "USDC"}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": ""}, "amount"),
        ({"amount": None, "amount_to": "25"}, "convert_to"),
        ({"convert_to": "EUR"}, "convert_to"),
        ({"convert_to": "NOPE"}, "convert_to"),
        ({"convert_to": 7}, "convert_to"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": "NOPE"}, "currency"),
        ({"currency": "usdte"}, "currency"),
        ({"currency": "USDT"}, "currency"),
        ({"currency": " USDTE"}, "currency"),
        ({"currency": "\uff35\uff33\uff24\uff34\uff25"}, "currency"),
        ({"currency": 1}, "currency"),
        ({"currency": None}, "currency"),
    ],
    ids=str,
)
def test_what_does_not_go_together_or_is_not_known_is_refused_under_its_field(
    merchant: Merchant, refused: Refused, changes: dict[str, object], field: str
) -> None:
    assert field in faults(refused(merchant.withdrawal(**changes)))


# ---- ids and references ----


@pytest.mark.parametrize(
    "value", ["123.0", "1.5", "1e2", "true", "false", "{}", "[]", '["x"]', '{"x":1}', '" "']
)
def test_an_id_that_is_no_text_or_whole_number_is_refused(
    merchant: Merchant, refused: Refused, value: str
) -> None:
    body = as_body(members_of({"foreign_id": "VALUE"})).replace(b'"VALUE"', value.encode())
    assert faults(refused(merchant.keys.request(WITHDRAWAL, body))).keys() == {"foreign_id"}


@pytest.mark.parametrize("field", ["foreign_id", "end_user_reference"])
def test_an_id_or_reference_may_have_255_characters_and_not_one_more(merchant: Merchant, field: str) -> None:
    before = merchant.sandbox.stored()
    told = faults(merchant.send(merchant.withdrawal(**{field: "x" * 256})))
    assert told == {field: f"The {field.replace('_', ' ')} may not be greater than 255 characters."}
    assert merchant.sandbox.stored() == before
    assert merchant.withdraw(**{field: "é" * 255})[field] == "é" * 255


def test_ids_are_kept_to_the_byte(merchant: Merchant) -> None:
    ids = ["a_b", "a b", "\U0001f4b8", "é", "e\u0301", "A/b\\", "'; --", "0", "007"]
    assert [merchant.withdraw(foreign_id=one)["foreign_id"] for one in ids] == ids
    assert [merchant.info(foreign_id=one)["foreign_id"] for one in ids] == ids
    assert len(merchant.states()) == len(ids)


# ---- where it goes ----


def bad_addresses(sandbox: Sandbox) -> dict[str, tuple[str, str]]:
    """Each with the currency that cannot be sent there."""
    wallets = {row["network"]: row["hot_wallet"] for row in sandbox.facts["assets"]}
    return {
        "wrong EIP-55 case": ("USDTE", EVM[:-1] + "c"),
        "39 digits": ("USDTE", EVM[:-1]),
        "0X": ("USDTE", "0X" + EVM[2:]),
        "zero": ("USDTE", "0x" + "0" * 40),
        "precompile": ("USDTE", "0x" + "1".rjust(40, "0")),
        "token contract": ("USDTE", sandbox.contract("USDT")),
        "hot wallet": ("USDTE", wallets["ethereum"]),
        "Cyrillic a": ("USDTE", EVM.replace("a", "\u0430", 1)),
        "zero-width space": ("USDTE", EVM[:9] + "\u200b" + EVM[9:]),
        "no-break space": ("USDTE", EVM + "\u00a0"),
        "an Ethereum address on TRON": ("USDTT", EVM),
        "TRON, bad checksum": ("USDTT", "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXT"),
        "TRON, hexadecimal": ("USDTT", "41604acad4a20fed59cef64c77bdf61e240ac50e8f"),
        "bech32 in mixed case": ("BTC", BITCOIN[:-1] + "T"),
        "bech32m for v0": ("BTC", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh"),
        "testnet": ("BTC", "tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc"),
        "a TRON address on Bitcoin": ("BTC", "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS"),
        "other alphabet": ("XRP", "1HKuCLJJm17Conhr723GzqzfeA8UKa2Yk1"),
    }


def test_an_address_of_another_network_or_that_nobody_withdraws_to_is_invalid(
    merchant: Merchant, refused: Refused
) -> None:
    for name, (currency, address) in bad_addresses(merchant.sandbox).items():
        told = faults(refused(merchant.withdrawal(currency=currency, address=address, amount="30")))
        assert told["address"] == "The address is invalid.", name


@pytest.mark.parametrize(
    "tag",
    [str(2**32), "007", "-1", "1.5", "1\n", " 1", "x", "9" * 200, "\uff11", 2**32, -1],
    ids=lambda value: repr(value)[:16],
)
def test_a_tag_that_is_none_is_refused(merchant: Merchant, refused: Refused, tag: object) -> None:
    request = merchant.withdrawal(currency="XRP", amount="30", address=RIPPLE, tag=tag)
    assert faults(refused(request)) == {"tag": "The tag is invalid."}


@pytest.mark.parametrize("tag", ["x" * 4_096, True, 1.5, ["1"], {}], ids=lambda value: repr(value)[:16])
def test_a_tag_of_another_type_or_length_is_refused(
    merchant: Merchant, refused: Refused, tag: object
) -> None:
    request = merchant.withdrawal(currency="XRP", amount="30", address=RIPPLE, tag=tag)
    assert faults(refused(request)).keys() == {"tag"}


def test_a_network_without_tags_takes_none_and_three_ways_to_say_so_are_one(merchant: Merchant) -> None:
    before = merchant.sandbox.stored()
    assert faults(merchant.send(merchant.withdrawal(tag="7"))) == {"tag": "The tag is invalid."}
    assert merchant.sandbox.stored() == before
    for without in (b"", b',"tag":null', b',"tag":""'):
        members = members_of({"currency": "XRP", "amount": "30", "address": RIPPLE})
        body = as_body(members)[:-1] + without + b"}"
        made = data(merchant.send(merchant.keys.request(WITHDRAWAL, body)), 201)
        assert merchant.info(id=made["id"])["crypto_address"]["tag"] is None


@pytest.mark.parametrize(
    "query",
    [
        "id=0",
        "id=-1",
        "id=1.0",
        "id=%31%30x",
        "id=\uff11",
        "id=1&id=1",
        "id=%",
        "foreign_id=%ff",
        "txid=%00",
        "id=1&txid=x",
    ],
)
def test_a_query_that_is_no_one_selector_is_refused(merchant: Merchant, refused: Refused, query: str) -> None:
    target = f"{INFO}?{query}".encode()
    raw = merchant.keys.request(INFO, b"", "GET").replace(INFO.encode(), target, 1)
    assert refused(raw).status == 400


def test_an_address_can_be_taken_only_in_a_currency_that_arrives_on_a_network(
    merchant: Merchant, refused: Refused
) -> None:
    for members in (
        {},
        {"currency": "EUR", "foreign_id": "x"},
        {"currency": "BTC"},
        {"currency": "X", "foreign_id": "x"},
    ):
        assert faults(refused(merchant.keys.request(TAKE, as_body(members))))
