"""SunX against a running sandbox: quoted, signed by a wallet, confirmed, paid on the chain, and found in the records.

What is sent is built by `sunx_requests`, from the venue's pages alone. Bad input is in `test_sunx_bad_inputs`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.acceptance.on_demand import holding_sandbox, in_parallel, killed_half_way, pay_all
from tests.acceptance.raw_http import Answer, Connection
from tests.acceptance.reply_shapes import golden, golden_names, shape
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.simulated_chain import chain_units, is_paid
from tests.acceptance.sunx_requests import (
    APPLY,
    BALANCE,
    CONFIRM,
    RECORDS,
    VENUE_HOST,
    ApiKey,
    Call,
    Wallet,
    canonical,
    digest,
    prehash,
    signed_path,
)
from tests.acceptance.sunx_trader import FEE_UNITS, Trader, code, data, new_trader, stored, told, verdict

pytestmark = pytest.mark.xdist_group("sunx")

VERIFICATION = "Signature not valid: Verification failure [校验失败]"
WALLET_WRONG, NONCE_WRONG, NONCE_USED = (
    "dw-withdraw-signature-error",
    "dw-withdraw-nonce-invalid",
    "dw-withdraw-nonce-used",
)
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1 (SEC 2, section 2.4.1)."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Takes withdrawals in, and sends them only where a test asks for it."""
    with holding_sandbox(tmp_path_factory.mktemp("sunx")) as started:
        yield started


@pytest.fixture
def trader(own: Sandbox) -> Trader:
    return new_trader(own)


# ---- the page's vectors ----

KEY = ApiKey("sunx-test-access-key-01", "sunx-test-secret-key-01")
SEED = "afd6890a687c757a9a1b47489b9d4ec0f063779ad9eb6c4480f48c5214c4724e"
ED_KEY = ApiKey(KEY.access_key, "", Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SEED)))
WALLET = Wallet("760d9efc563cf12ab3a6bf847dc8688ce546ee3d03e90d3562345239290cbbaf")
TIMESTAMP = "2026-11-21T06:00:00"
PAGE = {"currency": "usdt", "direct": "next", "size": "50", "type": "withdraw"}
NOTED = {"note": "a b+c/d*(1)~é", "type": "deposit"}
VECTORS = {
    "A": (KEY, "POST", VENUE_HOST, APPLY, {}, "WShtaSFjDln6aqTsdiXAh/JCvOXyrxDBwxMGSYUmSOw="),
    "B": (KEY, "POST", "127.0.0.1", APPLY, {}, "4Gb6+UMZGE7Hl4dubOyVs4au/tHmv8/cno2/jP+V2nc="),
    "C": (KEY, "POST", "127.0.0.1:8080", APPLY, {}, "ZXR0aAEaCPsR44C1VpGBne/5EpKBDKlvj+IO8u6ue3E="),
    "D": (KEY, "POST", VENUE_HOST, CONFIRM, {}, "brwB6eG6yhmxn2DWpziJVtTQalaLY20reRL/GQWD3pM="),
    "E": (KEY, "GET", VENUE_HOST, RECORDS, PAGE, "6MRUZyMljg5vYpKdrO72X97ImgXUriXV1EkMtbL4eKk="),
    "F": (KEY, "GET", VENUE_HOST, BALANCE, {}, "ZZFYgg3Whevbwy3QGoZHEbzpKnnoZggGX1bqoZ+KhFQ="),
    "I": (KEY, "GET", VENUE_HOST, RECORDS, NOTED, "DMJY9sEieAGR6jKF4pKj9fgMwE0yPQ3yCp5Lvefc7JA="),
    "H": (
        ED_KEY,
        "POST",
        VENUE_HOST,
        APPLY,
        {"SignatureMethod": "Ed25519"},
        "tME7/qbp+twQo4cZFln0v/14lMH8UT6HbbdcGXt9I88bZQPSj7iDnFsnjdPb4hKOQCtJoa5sLdkdakzwV4YzDg==",
    ),
}
QUOTED = (
    "address:TJkMU8oTHPTxQnM3Vd5UFP4FnLnRvruZjf,currency:usdt,chain:trc20usdt,amount:8.799999,"
    "fee:0,nonce:85A6B8F36D591055"
)
SAMPLE = (
    "address:TN1F755kgPevmwJZLUqbSaLfMmnVEz1EbV,currency:usdt,chain:trc20usdt,amount:8.799999,"
    "fee:1.2,nonce:85A6B8F36D591055"
)
W1 = (
    "0xf2483adea72ce03e73bbb01f44271248112f1bd5edd2792bcdfb24ee69a569e1"
    "2e75a9ae34e63b1549efb3b9e891f968113db066714bba51e034d92b33305e411b"
)
W2 = (
    "0xbb1ac7ae81d10d9b24a9014aabfd53cedec7161263ce09c05edd40cea91f9515"
    "4d644eca618aacc78dc7413c111183ebd6fd35a4e6338ba0b9b798decfb9d18a1c"
)
W3 = (
    "0xcd8c7212c586b25a76407df73315f0f1f046c612d2d6ccc12014e0965fd9b00f"
    "6c21bbb9f3d6c5cbb82c978093133a077e8ba696ccfaae24bf5b34f5199745151c"
)
W4 = (
    "0x047163107ace8584d99ee75ff231bc5d396a1b468510c144d0084ac9838c7f93"
    "2feadeb51d8dba55f7ffc29c33553b496cccb4297f7dca7305106bf0b2a8f4751c"
)


@pytest.mark.parametrize("name", VECTORS)
def test_what_signs_here_makes_the_published_signatures(name: str) -> None:
    key, method, host, path, more, expected = VECTORS[name]
    claimed = {
        "AccessKeyId": key.access_key,
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": TIMESTAMP,
    }
    assert key.signature(prehash(method, host, signed_path(path), canonical(claimed | more))) == expected


def test_what_signs_here_makes_the_published_wallet_signatures() -> None:
    assert WALLET.address == "TJkMU8oTHPTxQnM3Vd5UFP4FnLnRvruZjf"
    assert digest(QUOTED).hex() == "da922e56a2b6d69f978724bbdbed2a8441f1f6ae887812f8fba0f5a0232fedb1"
    assert (WALLET.by_hand(QUOTED), WALLET.by_eth_account(QUOTED)) == (W1, W1)
    assert (WALLET.by_hand(SAMPLE), WALLET.by_eth_account(SAMPLE)) == (W2, W2)
    assert (WALLET.as_ethereum_message(QUOTED), WALLET.by_the_old_way(QUOTED)) == (W3, W4)


def test_the_published_requests_are_out_of_time_and_the_same_signed_now_are_taken(own: Sandbox) -> None:
    trader = new_trader(own, wallet=WALLET)
    hmac_trader = trader.with_key(key_id=KEY.access_key, secret=KEY.secret)
    assert hmac_trader.key == KEY
    late = replace(hmac_trader.apply_call(), signs_host=VENUE_HOST)
    late = replace(late, query=late.query | {"Timestamp": TIMESTAMP})
    assert late.signature(KEY) == VECTORS["A"][5]
    assert "Invalid submission time" in verdict(hmac_trader.send(late))[2]
    for name, (_, method, host, path, more, _) in VECTORS.items():
        if name in "CH":
            continue  # C needs port 8080; H is another key's
        fresh = hmac_trader.apply_call() if path == APPLY else hmac_trader.records_call(**more)
        body = b"{}" if path == CONFIRM else fresh.body
        call = replace(fresh, method=method, path=path, signs_host=host, body=body)
        answer = told(hmac_trader.send(call))
        assert answer.get("error-code") == ("validation-constraints-required" if name == "D" else None), name
    over_the_full_path = replace(hmac_trader.apply_call(), signs_host=VENUE_HOST, signs_path=APPLY)
    assert verdict(hmac_trader.send(over_the_full_path))[2] == VERIFICATION, "vector G"


@pytest.mark.parametrize("sign", [Wallet.as_ethereum_message, Wallet.by_the_old_way], ids=["W3", "W4"])
def test_a_wallet_signature_of_another_scheme_is_refused(trader: Trader, sign: Any) -> None:
    quote, before = trader.quote(), stored(trader.sandbox)
    answer = trader.send(trader.confirm_call(quote["nonce"], sign(trader.wallet, quote["content"])))
    assert (code(answer), stored(trader.sandbox)) == (WALLET_WRONG, before)
    assert trader.units()[1] == 0


# ---- from the quote to the payment ----


def ed25519_trader(trader: Trader) -> Trader:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    made = trader.with_key(secret=f"ed25519:{public}")
    return replace(made, key=ApiKey(made.key.access_key, "", private))


def test_a_quote_says_what_was_asked_with_our_fee_and_holds_nothing(trader: Trader) -> None:
    asked_ms = time.time_ns() // 1_000_000
    quote = trader.quote(amount="8.7900", currency="USDT", fee="0")
    assert list(quote) == ["nonce", "content", "expired-at"]
    nonce = quote["nonce"]
    assert (len(nonce), set(nonce) <= set("0123456789ABCDEF")) == (32, True)
    parts = f"address:{trader.wallet.address},currency:USDT,chain:trc20usdt,amount:8.7900,fee:1,nonce:{nonce}"
    assert quote["content"] == parts
    assert 0 <= quote["expired-at"] - 120_000 - asked_ms < 30_000
    assert trader.units() == (1_000_000_000, 0)
    assert trader.records() == []


@pytest.mark.parametrize("kind", ["HmacSHA256", "Ed25519"])
@pytest.mark.parametrize("sign", [Wallet.by_hand, Wallet.by_eth_account], ids=["by hand", "eth-account"])
def test_a_signed_quote_is_paid_to_the_wallet_and_found_in_the_records(
    trader: Trader, kind: str, sign: Any
) -> None:
    if kind == "Ed25519":
        trader = ed25519_trader(trader)
    assert trader.key.method == kind
    quote = trader.quote()
    order = trader.confirmed(quote, sign(trader.wallet, quote["content"]))
    assert order == {"order-id": 1, "status": "Processing"}
    assert trader.units() == (990_200_001, 9_799_999)
    ((held,),) = [trader.records(currency="usdt")]
    assert (held["id"], held["state"], held["tx-hash"]) == (1, "pass", "")
    pay_all(trader.sandbox)
    ((paid,),) = [trader.records()]
    assert (paid["id"], paid["state"], paid["amount"], paid["fee"]) == (1, "confirmed", 8.799999, 1)
    assert (paid["address"], paid["currency"], paid["chain"]) == (trader.wallet.address, "usdt", "trc20usdt")
    assert is_paid(trader.sandbox, "tron", paid["tx-hash"])
    assert chain_units(trader.sandbox, "tron", trader.wallet.address, "USDT") == 8_799_999
    assert trader.units() == (1_000_000_000 - 8_799_999 - FEE_UNITS, 0)


@pytest.mark.parametrize(
    "altered",
    [
        lambda digits: digits,
        lambda digits: "0x" + digits.upper(),
        lambda digits: digits[:-2] + {"1b": "00", "1c": "01"}[digits[-2:]],
    ],
    ids=["no 0x", "upper case", "v 0 or 1"],
)
def test_each_form_of_one_wallet_signature_confirms_and_is_one_confirmation(
    trader: Trader, altered: Any
) -> None:
    quote = trader.quote()
    signature = trader.wallet.by_hand(quote["content"])
    first = trader.confirmed(quote, altered(signature[2:]))
    assert trader.confirmed(quote, signature) == first
    assert len(trader.customer.withdrawals()) == 1


def test_the_second_form_of_a_signature_with_the_high_s_is_none(trader: Trader) -> None:
    quote = trader.quote()
    signature = trader.wallet.by_hand(quote["content"])
    low, v = int(signature[66:130], 16), signature[130:]
    high = signature[:66] + f"{GROUP_ORDER - low:064x}" + {"1b": "1c", "1c": "1b"}[v]
    assert code(trader.send(trader.confirm_call(quote["nonce"], high))) == WALLET_WRONG
    trader.confirmed(quote, signature)


def test_what_an_operator_takes_back_is_a_rejected_record_with_its_reason(trader: Trader) -> None:
    trader.confirmed(trader.quote())
    ((withdrawal_id, _),) = trader.customer.withdrawals()
    trader.sandbox.admin("POST", f"/withdrawals/{withdrawal_id}/decline", {"reason": "not today"})
    (record,) = trader.records()
    assert (record["state"], record["error-code"]) == ("reject", "reject")
    assert "not today" in record["error-msg"]
    assert trader.units() == (1_000_000_000, 0)


def test_a_wallet_removed_after_the_confirmation_is_not_paid_and_the_money_comes_back(trader: Trader) -> None:
    trader.confirmed(trader.quote())
    book = f"/accounts/{trader.customer.account_id}/addresses"
    (entry,) = trader.sandbox.admin("GET", book)["addresses"]
    trader.sandbox.admin("DELETE", f"{book}/{entry['entry_id']}")
    pay_all(trader.sandbox)
    assert [record["state"] for record in trader.records()] == ["reject"]
    assert trader.units() == (1_000_000_000, 0)
    assert chain_units(trader.sandbox, "tron", trader.wallet.address, "USDT") == 0


# ---- replies ----


def as_numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With amount and fee as fractions: both are JSON numbers, and whether they are whole is a matter of chance."""
    assert all(type(row[name]) in (int, float) for row in rows for name in ("amount", "fee"))
    return [row | {"amount": 0.5, "fee": 0.5} for row in rows]


def test_every_reply_has_the_shape_of_its_golden_one(trader: Trader) -> None:
    poor = new_trader(trader.sandbox, usdt="0")
    quote = trader.quote()
    seen = {
        "apply": told(trader.send(trader.apply_call())),
        "confirm": {"status": "ok", "data": trader.confirmed(quote)},
        "balance": told(trader.send(trader.balance_call())),
        "balance_empty": told(poor.send(poor.balance_call())),
        "records_none": told(poor.send(poor.records_call())),
        "refused": told(trader.send(trader.apply_call(fee="7"))),
        "unsigned": told(trader.send(trader.apply_call().written("x"))),
    }
    assert {*seen, "records_deposit", "records_withdraw"} == golden_names("sunx")
    for name, reply in seen.items():
        assert shape(reply) == shape(golden("sunx", name)), name
    assert seen["balance_empty"]["data"]["equity"] == "0"


def test_every_record_has_the_shape_of_a_golden_one(trader: Trader) -> None:
    for _ in range(2):
        trader.confirmed(trader.quote())
    (first, _), _ = trader.customer.withdrawals()
    trader.sandbox.admin("POST", f"/withdrawals/{first}/decline", {"reason": "shape"})
    pay_all(trader.sandbox)
    pinned = {row["state"]: row for row in as_numbers(golden("sunx", "records_withdraw")["data"])}
    records = as_numbers(trader.records())
    assert [record["state"] for record in records] == ["reject", "confirmed"]
    for record in records:
        assert shape(record) == shape(pinned[record["state"]])
    deposits = as_numbers(trader.records(type="deposit"))
    assert shape(deposits) == shape(as_numbers(golden("sunx", "records_deposit")["data"]))


def test_records_are_paged_both_ways_and_belong_to_their_account_alone(trader: Trader) -> None:
    other = new_trader(trader.sandbox)
    for _ in range(3):
        trader.confirmed(trader.quote())
    other.confirmed(other.quote())

    def ids(**parameters: str) -> list[int]:
        return [row["id"] for row in trader.records(**parameters)]

    assert (ids(), ids(direct="next"), ids(size="2")) == ([1, 2, 3], [3, 2, 1], [1, 2])
    assert (ids(direct="prev", **{"from": "2"}), ids(direct="next", **{"from": "2"})) == ([2, 3], [2, 1])
    assert (ids(currency="trx"), len(other.records())) == ([], 1)


def test_the_balance_counts_what_is_held_as_equity_and_asks_for_no_tenant(trader: Trader) -> None:
    trader.confirmed(trader.quote())
    answer = told(trader.send(replace(trader.balance_call(), headers=())))
    assert (answer["code"], answer["message"]) == (200, "Success")
    (detail,) = answer["data"]["details"]
    assert (detail["equity"], detail["available"]) == ("1000", "990.200001")
    assert {detail["withdraw_available"], answer["data"]["available_margin"]} == {"990.200001"}


# ---- one nonce, one payment ----


def test_64_applies_of_one_second_carry_one_signature_and_are_64_quotes_that_hold_nothing(
    trader: Trader,
) -> None:
    request, answers = trader.apply_call().signed(trader.key), list[Answer]()
    in_parallel(64, lambda: answers.append(trader.send(request)))
    assert len({data(answer)["nonce"] for answer in answers}) == 64
    assert (trader.units(), trader.records()) == ((1_000_000_000, 0), [])


def test_64_confirmations_a_kill_half_way_and_all_again_are_one_payment(trader: Trader) -> None:
    quote = trader.quote()
    call = trader.confirm_call(quote["nonce"], trader.wallet.by_hand(quote["content"]))
    call = replace(call, signs_host=VENUE_HOST)  # the port changes with the restart
    request, answers = call.signed(trader.key), list[Answer]()

    killed_half_way(trader.sandbox, 64, 20, lambda: answers.append(trader.send(request)))
    in_parallel(64, lambda: answers.append(trader.send(request)))
    assert len(answers) >= 64 + 20
    assert [data(answer) for answer in answers] == [{"order-id": 1, "status": "Processing"}] * len(answers)
    pay_all(trader.sandbox)
    assert [state for _, state in trader.customer.withdrawals()] == ["confirmed"]
    assert chain_units(trader.sandbox, "tron", trader.wallet.address, "USDT") == 8_799_999
    assert trader.units() == (1_000_000_000 - 8_799_999 - FEE_UNITS, 0)
    assert trader.confirmed(quote) == {"order-id": 1, "status": "Processing"}
    assert trader.sandbox.verified().startswith("verify: ok")


def test_a_used_nonce_answers_nothing_else_and_a_foreign_or_unknown_one_nothing_at_all(
    trader: Trader,
) -> None:
    other, quote = new_trader(trader.sandbox), trader.quote()
    signature = trader.wallet.by_hand(quote["content"])
    before = stored(trader.sandbox)
    assert code(other.send(other.confirm_call(quote["nonce"], signature))) == NONCE_WRONG
    assert code(trader.send(trader.confirm_call("0" * 32, signature))) == NONCE_WRONG
    assert stored(trader.sandbox) == before
    trader.confirmed(quote)
    before = stored(trader.sandbox)
    wrong = trader.wallet.by_hand(quote["content"].replace("8.799999", "9.799999"))
    assert code(trader.send(trader.confirm_call(quote["nonce"], wrong))) == NONCE_USED
    assert code(other.send(other.confirm_call(quote["nonce"], signature))) == NONCE_WRONG
    assert stored(trader.sandbox) == before


@pytest.mark.parametrize("member", ["address", "currency", "chain", "amount", "fee", "nonce"])
def test_a_signature_over_a_changed_content_confirms_nothing(trader: Trader, member: str) -> None:
    quote = trader.quote()
    said = dict(part.split(":") for part in quote["content"].split(","))
    said[member] = said[member][:-1] + ("1" if said[member][-1] != "1" else "2")
    changed = ",".join(f"{name}:{value}" for name, value in said.items())
    answer = trader.send(trader.confirm_call(quote["nonce"], trader.wallet.by_hand(changed)))
    assert (code(answer), trader.units()[1]) == (WALLET_WRONG, 0)
    trader.confirmed(quote)


def test_five_wrong_signatures_close_a_nonce_and_the_right_one_comes_too_late(trader: Trader) -> None:
    quote, stranger = trader.quote(), new_trader(trader.sandbox).wallet
    calls = [trader.confirm_call(quote["nonce"], stranger.by_hand(quote["content"])) for _ in range(5)]
    assert [code(trader.send(call)) for call in calls] == [WALLET_WRONG] * 5
    right = trader.confirm_call(quote["nonce"], trader.wallet.by_hand(quote["content"]))
    assert (code(trader.send(right)), trader.units()) == (NONCE_WRONG, (1_000_000_000, 0))


# ---- what is signed ----


@pytest.mark.parametrize(
    "signed",
    [VENUE_HOST, "API.SUNX.IO", "127.0.0.1", "127.0.0.1:{port}", "shop.example", "shop.example:8443"],
)
def test_a_signature_counts_for_the_venues_host_and_for_the_one_the_request_names(
    trader: Trader, signed: str
) -> None:
    signed = signed.format(port=trader.sandbox.port)
    named = "Shop.Example:8443" if signed.startswith("shop") else trader.host
    data(trader.send(replace(trader.apply_call(), host=named, signs_host=signed)))


@pytest.mark.parametrize("signed", ["shop.example", "api.sunx.io.example", "127.0.0.1:1", "localhost", "0"])
def test_a_signature_for_any_other_host_is_wrong(trader: Trader, signed: str) -> None:
    forwarded = ((b"CLOUD-EXCHANGE", b"6X2K9L4V1C"), (b"X-Forwarded-Host", signed.encode()))
    call = replace(trader.apply_call(), signs_host=signed, headers=forwarded)
    assert verdict(trader.send(call))[2] == VERIFICATION


def flipped(text: bytes, places: random.Random) -> bytes:
    """One bit of it changed."""
    place = places.randrange(len(text))
    return text[:place] + bytes([text[place] ^ 1 << places.randrange(8)]) + text[place + 1 :]


def read_as(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))


def test_no_changed_bit_of_a_signed_query_is_let_through(trader: Trader) -> None:
    call, places = trader.records_call(currency="usdt", size="7"), random.Random(39)
    raw = call.signed(trader.key)
    target = raw.split(b" ")[1]
    path, _, query = target.partition(b"?")
    for _ in range(200):
        changed = flipped(query, places)
        if read_as(changed) == read_as(query):
            continue  # %3a is what %3A is
        answer = trader.send(raw.replace(target, path + b"?" + changed, 1))
        if answer.status != 400:  # that is one with a byte that no request line may hold
            assert code(answer) in {"api-signature-not-valid", "login-required"}, changed
    assert len(data(trader.send(raw))) == 0


def test_no_changed_bit_of_a_wallet_signature_confirms(trader: Trader) -> None:
    places = random.Random(40)
    for _ in range(10):
        quote = trader.quote()
        signature = bytes.fromhex(trader.wallet.by_hand(quote["content"])[2:])
        for _ in range(4):
            call = trader.confirm_call(quote["nonce"], flipped(signature, places).hex())
            assert code(trader.send(call)) == WALLET_WRONG
    assert trader.units() == (1_000_000_000, 0)
    trader.confirmed(quote)


# ---- keys and limits ----


def test_a_key_does_what_it_may_and_comes_from_where_it_may(trader: Trader) -> None:
    reads, pays = trader.with_key(permissions=["read"]), trader.with_key(permissions=["withdraw"])
    bound = trader.with_key(allowed_ips=["127.0.0.2"])
    before = stored(trader.sandbox)
    for answer in (
        reads.send(reads.apply_call()),
        reads.send(reads.confirm_call("0" * 32, "0x")),
        pays.send(pays.records_call()),
        pays.send(pays.balance_call()),
    ):
        assert verdict(answer)[2].endswith("API key has no permission [API Key没有权限]")
    assert verdict(bound.send(bound.apply_call()))[2].endswith("Incorrect IP address [IP地址错误]:127.0.0.1")
    assert stored(trader.sandbox) == before
    assert reads.records() == []
    data(pays.send(pays.apply_call()))
    data(bound.send(bound.apply_call(), source="127.0.0.2"))


def test_a_sub_account_sees_its_deposits_and_withdraws_nothing(trader: Trader) -> None:
    from_master = {"master_account_id": str(trader.customer.account_id)}
    sub = new_trader(trader.sandbox, usdt="5", **from_master)
    assert [row["amount"] for row in sub.records(type="deposit")] == [5]
    for call in (sub.apply_call(), sub.records_call(), sub.confirm_call("0" * 32, "0x")):
        assert verdict(sub.send(call))[2].endswith("API key has no permission [API Key没有权限]")


def test_every_counted_reply_tells_the_accounts_limit_whichever_key_asks(trader: Trader) -> None:
    second = trader.with_key()
    limits = {
        (144, 3000): [trader.apply_call(), trader.confirm_call("0" * 32, "0x")],
        (72, 3000): [trader.balance_call()],
        (20, 2000): [trader.records_call()],
    }
    for (count, interval_ms), calls in limits.items():
        for call in calls:
            headers = trader.send(call).headers
            assert headers["ratelimit-limit"] == str(count)
            assert headers["ratelimit-interval"] == str(interval_ms)
            assert int(headers["ratelimit-remaining"]) < count
            assert 0 < int(headers["ratelimit-reset"]) - time.time_ns() // 1_000_000 <= interval_ms
            assert ("x-hb-ratelimit-requests-remain" in headers) is (count == 20)

    def second_goes_on_where_the_first_was(asked: Callable[[Trader], Call]) -> bool:
        answers = [who.send(asked(who)) for who in (trader, second)]
        first, then = [int(answer.headers["ratelimit-remaining"]) for answer in answers]
        return then == first - 1

    for asked in (Trader.records_call, Trader.apply_call):
        # Between two calls of a busy machine a window may end; not between each two.
        assert any(second_goes_on_where_the_first_was(asked) for _ in range(3))


def until_one_too_many(trader: Trader, request: bytes) -> list[Answer]:
    """The answers, the last of which says so. On a busy machine a window may end before it is full."""
    with closing(Connection(trader.sandbox.port)) as connection:
        answers = [connection.exchange(request)]
        while answers[-1].status == 200 and len(answers) < 2_000:
            answers.append(connection.exchange(request))
    assert verdict(answers[-1])[:2] == (429, "base-request-exceed-frequency-limit")
    assert answers[-2].headers["ratelimit-remaining"] == answers[-1].headers["ratelimit-remaining"] == "0"
    return answers


def test_the_21st_look_at_the_records_within_two_seconds_is_one_too_many(trader: Trader) -> None:
    forged = trader.records_call().written("x")
    assert {verdict(trader.send(forged))[2] for _ in range(25)} == {VERIFICATION}
    answers = until_one_too_many(trader, trader.records_call().signed(trader.key))
    assert len(answers) > 20
    assert answers[0].headers["x-hb-ratelimit-requests-remain"] == "19"


def test_the_145th_call_within_three_seconds_is_one_too_many_and_quotes_nothing(trader: Trader) -> None:
    before = stored(trader.sandbox)
    answers = until_one_too_many(trader, trader.apply_call(amount="0.5").signed(trader.key))
    assert len(answers) > 144
    assert answers[0].headers["ratelimit-remaining"] == "143"
    assert stored(trader.sandbox) == before
