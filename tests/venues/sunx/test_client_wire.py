from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.commands import AnswerChallenge, Withdraw
from penstock.core.queries import Account, FindChallenge, FindDeposits, FindWithdrawals
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.secret import Secret
from penstock.core.views import KeyView
from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.sandbox_account import Recipient
from penstock.venues.sunx import client_replies as replies
from penstock.venues.sunx import client_requests as requests
from penstock.venues.sunx.client_wallet import WalletKey
from penstock.venues.sunx.sandbox import sandbox_account
from penstock.venues.sunx.wallet import read_signature, signer
from penstock.venues.venue import Ask, Request
from tests.venues.sunx.world import (
    ACCOUNT,
    CATALOGUE,
    CONTENT,
    ED_PUBLIC,
    ED_SEED,
    KEY,
    NONCE,
    NOW_MS,
    SECRET,
    VENUE,
    WALLET,
    WALLET_KEY,
    a_challenge,
    answered,
    make_key,
    outcome,
    route_of,
    tron_signature,
)

GOLDEN = Path(__file__).parent / "golden"
HMAC = requests.Credentials(KEY, Secret.of(SECRET))
_NO_PASSWORD = serialization.NoEncryption()


def pem(key: Any) -> str:
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _NO_PASSWORD)
    return text.decode()


ED_PEM = pem(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(ED_SEED)))
ED = requests.Credentials(KEY, Secret.of(ED_PEM))
ED_KEY = make_key(secret=f"ed25519:{ED_PUBLIC}".encode())
BOTH = [(HMAC, make_key()), (ED, ED_KEY)]


def arrives(sent: OutgoingRequest, host: str = "api.sunx.io") -> Request:
    path, _, query = sent.target.partition("?")
    assert path == sent.path
    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers]
    return Request(
        sent.method,
        path,
        query.encode(),
        [(b"host", host.encode()), *headers],
        sent.body,
        "127.0.0.1",
        NOW_MS,
    )


def question(sent: OutgoingRequest, key: KeyView | None = None, host: str = "api.sunx.io") -> object:
    asked = outcome(arrives(sent, host), key)
    assert isinstance(asked, Ask), asked
    return asked.question


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def an_application(credentials: requests.Credentials = HMAC, now_ms: int = NOW_MS) -> OutgoingRequest:
    return requests.apply(
        credentials, now_ms, address=WALLET, currency="usdt", chain="trc20usdt", amount="8.799999"
    )


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("credentials, key", BOTH, ids=["HMAC", "Ed25519"])
def test_each_request_arrives_as_it_was_meant(credentials: requests.Credentials, key: KeyView) -> None:
    application = question(an_application(credentials), key)
    assert isinstance(application, Withdraw)
    assert (application.address, application.amount) == (WALLET, 8_799_999)
    confirmation = requests.confirm(credentials, NOW_MS, nonce=NONCE, signature="0x00")
    assert question(confirmation, key) == FindChallenge(ACCOUNT, "sunx", NONCE)
    page = requests.records(
        credentials, NOW_MS, requests.Operation.WITHDRAW, size=50, currency="usdt", start=9
    )
    assert question(page, key) == FindWithdrawals(
        ACCOUNT, 50, venue="sunx", assets=("USDT",), by_number=True, before=10
    )
    upwards = requests.records(
        credentials,
        NOW_MS,
        requests.Operation.DEPOSIT,
        size=1,
        start=9,
        direction=requests.Direction.ASCENDING,
    )
    assert question(upwards, key) == FindDeposits(ACCOUNT, 1, ascending=True, after=8)
    assert question(requests.balance(credentials, NOW_MS), key) == Account(ACCOUNT)


def test_the_published_signatures_are_made_to_the_letter() -> None:
    assert an_application().target.endswith("&Signature=WShtaSFjDln6aqTsdiXAh%2FJCvOXyrxDBwxMGSYUmSOw%3D")
    records = requests.records(HMAC, NOW_MS, requests.Operation.WITHDRAW, size=50, currency="usdt")
    assert "&Signature=6MRUZyMljg5vYpKdrO72X97ImgXUriXV1EkMtbL4eKk%3D" in records.target
    assert requests.balance(HMAC, NOW_MS).target.endswith("ZZFYgg3Whevbwy3QGoZHEbzpKnnoZggGX1bqoZ%2BKhFQ%3D")
    assert an_application(ED).target.endswith(
        "tME7%2Fqbp%2BtwQo4cZFln0v%2F14lMH8UT6HbbdcGXt9I88bZQPSj7iDnFsnjdPb4hKOQCtJoa5sLdkdakzwV4YzDg%3D%3D"
    )


def test_the_signed_text_is_told_and_names_the_host_the_request_goes_to() -> None:
    local = requests.Credentials(KEY, Secret.of(SECRET), host="127.0.0.1")
    sent = an_application(local)
    assert sent.signed_text.startswith("POST\n127.0.0.1\n/sunperp/dw/withdraw/apply\nAccessKeyId=")
    assert "&Signature=4Gb6%2BUMZGE7Hl4dubOyVs4au%2FtHmv8%2Fcno2%2FjP%2BV2nc%3D" in sent.target
    assert isinstance(question(sent, host="127.0.0.1:8080"), Withdraw)


def test_only_wallet_calls_bear_the_tenants_header() -> None:
    assert dict(an_application().headers) == {
        "CLOUD-EXCHANGE": "6X2K9L4V1C",
        "Content-Type": "application/json",
    }
    assert requests.balance(HMAC, NOW_MS).headers == ()


def test_the_time_is_that_of_the_second() -> None:
    assert "Timestamp=2026-11-21T06%3A00%3A00" in an_application(now_ms=NOW_MS + 999).target


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_any_key_id_and_currency_survive_signing_and_reading(text: str) -> None:
    sent = requests.records(
        requests.Credentials(text, Secret.of(SECRET)), NOW_MS, requests.Operation.DEPOSIT, size=1
    )
    assert isinstance(question(sent, make_key(key_id=text)), FindDeposits)


@pytest.mark.parametrize("amount", ["1e5", "-1", "", " 1", "1.", ".5", "0x1", "NaN", "1\n", "１"])  # noqa: RUF001
def test_an_amount_that_is_no_plain_text_is_never_sent(amount: str) -> None:
    with pytest.raises(ValueError, match="plain decimal text"):
        requests.apply(HMAC, NOW_MS, address=WALLET, currency="usdt", chain="trc20usdt", amount=amount)


def test_neither_secret_nor_signature_shows() -> None:
    sent = an_application(ED)
    for text in (repr(HMAC), repr(ED), repr(sent), str(HMAC), str(sent)):
        assert SECRET not in text
        assert "PRIVATE" not in text
        assert "tME7" not in text
    assert repr(sent) == "OutgoingRequest(POST /sapi/v1/sunperp/dw/withdraw/apply?***)"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
)
def test_a_pem_text_that_is_no_ed25519_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="secret key") as caught:
        requests.Credentials(KEY, Secret.of(text))
    assert "AAAA" not in str(caught.value)


# --- replies ---------------------------------------------------------------------------------------------------------


def test_the_servers_replies_are_read() -> None:
    assert replies.read_quote(200, golden("apply")) == replies.Quote(NONCE, CONTENT, NOW_MS + 120_000)
    assert replies.read_order(200, golden("confirm")) == replies.Order(41, replies.OrderStatus.PROCESSING)
    paid, rejected, waiting, sent = replies.read_records(200, golden("records_withdraw"))
    assert (paid.id, paid.amount, paid.fee, paid.state) == (
        41,
        Decimal("8.799999"),
        Decimal("1.2"),
        "confirmed",
    )
    assert (paid.tx_hash, waiting.tx_hash, sent.tx_hash) == ("ab" * 32, "", "cd" * 32)
    assert (rejected.amount, rejected.error_msg) == (10**17, 'taken back: "wrong" address')
    deposit, internal, _ = replies.read_records(200, golden("records_deposit"))
    assert (deposit.amount, deposit.state, internal.sub_type) == (59, "safe", "FAST")
    assert replies.read_records(200, golden("records_none")) == ()
    balance = replies.read_balance(200, golden("balance"))
    assert balance.details == (replies.BalanceDetail("USDT", Decimal(100), Decimal("90.000001")),)
    assert balance.server_ms == NOW_MS


def test_a_balance_in_the_wallet_groups_envelope_is_read_too() -> None:
    body = (
        b'{"status":"ok","data":{"details":[{"currency":"USDT","equity":"2","available":"1.5","extra":1}]}}'
    )
    assert replies.read_balance(200, body) == replies.Balance(
        (replies.BalanceDetail("USDT", Decimal(2), Decimal("1.5")),), None
    )


def test_a_refusal_keeps_code_and_text() -> None:
    reply = VENUE.refuse(
        Refused(RefusalCode.CHALLENGE_EXPIRED), route_of("POST", "/sapi/v1/sunperp/dw/withdraw/confirm")
    )
    with pytest.raises(VenueError) as caught:
        replies.read_order(reply.status, reply.body)
    assert (caught.value.code, caught.value.message) == (
        "dw-withdraw-nonce-expired",
        "The nonce has expired.",
    )
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize(
    "body, code",
    [
        (b'{"status":"error","err-code":"invalid-amount","err-msg":"no"}', "invalid-amount"),
        (b'{"status":"error","error-code":"a","err-code":"b"}', "a"),
        (b'{"code":1002,"message":"unauthorized"}', "1002"),
        (b'{"status":"maintain"}', "maintain"),
        (b'{"status":"error"}', ""),
        (b'{"status":"OK","data":{"order-id":1,"status":"Processing"}}', ""),
        (b'{"data":{"order-id":1,"status":"Processing"}}', ""),
    ],
)
def test_every_envelope_but_a_success_is_an_error(body: bytes, code: str) -> None:
    with pytest.raises(VenueError) as caught:
        replies.read_order(200, body)
    assert caught.value.code == code
    assert caught.value.outcome_unknown is (code == "")


@pytest.mark.parametrize(
    "status, body",
    [
        (502, b"<html>Bad Gateway</html>"),
        (200, b""),
        (200, b"null"),
        (200, b"[]"),
        (200, b'{"status":"ok","data":{"order-id":'),
        (200, b'{"status":"ok"}'),
        (200, b'{"status":"ok","data":{}}'),
        (200, b'{"status":"ok","data":{"order-id":0,"status":"Processing"}}'),
        (200, b'{"status":"ok","data":{"order-id":-1,"status":"Processing"}}'),
        (200, b'{"status":"ok","data":{"order-id":"41","status":"Processing"}}'),
        (200, b'{"status":"ok","data":{"order-id":true,"status":"Processing"}}'),
        (200, b'{"status":"ok","data":{"order-id":41,"status":"Great"}}'),
        (500, b'{"status":"ok","data":{"order-id":41,"status":"Processing"}}'),
        (500, b'{"status":"error","error-code":"base-system-error","error-msg":"System error"}'),
        (503, b'{"status":"maintain"}'),
    ],
)
def test_what_is_neither_yes_nor_no_leaves_a_confirmation_open(status: int, body: bytes) -> None:
    with pytest.raises(VenueError) as caught:
        replies.read_order(status, body)
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("nonce", ["", "a b", "A" * 65, "a,b"])
def test_a_quote_with_a_strange_nonce_is_not_read(nonce: str) -> None:
    body = json.dumps({"status": "ok", "data": {"nonce": nonce, "content": "", "expired-at": 1}}).encode()
    with pytest.raises(VenueError, match="nonce"):
        replies.read_quote(200, body)


@pytest.mark.parametrize("amount", [b"NaN", b'"NaN"', b'"Infinity"', b"1e999", b'"x"', b"null", b"true"])
def test_an_amount_that_is_none_is_not_read(amount: bytes) -> None:
    body = golden("records_withdraw").replace(b"8.799999", amount, 1)
    with pytest.raises(VenueError):
        replies.read_records(200, body)


def test_an_amount_with_an_exponent_is_exact() -> None:
    body = golden("records_withdraw").replace(b"8.799999", b"1e-05", 1)
    assert replies.read_records(200, body)[0].amount == Decimal("0.00001")


def test_a_state_nobody_knows_is_not_read() -> None:
    with pytest.raises(VenueError, match="sparkling"):
        replies.read_records(200, golden("records_withdraw").replace(b"confirmed", b"sparkling"))


# --- the sandbox's account -------------------------------------------------------------------------------------------


def test_the_sandboxs_account_can_sign_for_the_one_address_in_its_book() -> None:
    made = sandbox_account(
        lambda label: label.encode().ljust(32, b"."), CATALOGUE, (), Recipient("1", "a@b.example", "+1 2")
    )
    section = made.section
    (entry,) = made.book
    assert (entry.asset, entry.network, entry.address) == ("USDT", "tron", section["wallet_address"])
    assert entry.verified
    assert section.keys() == {
        "access_key",
        "secret_key",
        "account_id",
        "wallet_address",
        "wallet_private_key",
        "currency",
        "chain",
    }
    key = make_key(key_id=made.key_id, secret=made.secret.encode())
    credentials = requests.Credentials(str(section["access_key"]), Secret.of(str(section["secret_key"])))
    sent = requests.apply(
        credentials,
        NOW_MS,
        address=str(section["wallet_address"]),
        currency=str(section["currency"]),
        chain=str(section["chain"]),
        amount="5",
    )
    assert isinstance(question(sent, key), Withdraw)
    text = CONTENT.replace(WALLET, entry.address)
    signature = tron_signature(text, str(section["wallet_private_key"]))
    read = read_signature(signature)
    assert read is not None
    assert signer(text, read) == entry.address


def test_a_confirmation_signed_by_the_client_is_valid() -> None:
    signature = WalletKey(Secret.of("0x" + WALLET_KEY)).sign(CONTENT)
    sent = requests.confirm(HMAC, NOW_MS, nonce=NONCE, signature=signature)
    asked = answered(outcome(arrives(sent)), a_challenge())
    assert isinstance(asked, Ask)
    assert isinstance(asked.question, AnswerChallenge)
    assert asked.question.valid
