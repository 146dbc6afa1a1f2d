"""The client of Zoomex against the dialect, blocking and awaiting: a withdrawal is sent once, come what may."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from penstock.client import (
    OutcomeUnknown,
    RecipientKind,
    Status,
    VenueRefused,
)
from penstock.client.client import Client
from penstock.client.zoomex import ENTRY
from penstock.core.secret import Secret
from penstock.core.time import DAY_MS, ManualClock
from penstock.venues.zoomex import client_requests as requests
from tests.client.caller import Caller
from tests.client.fake_zoomex import FIRST_ID, asked
from tests.client.zoomex_caller import (
    HERE,
    MADE_ID,
    THERE,
    WITHDRAWAL,
    make_caller,
    new_envelope,
    old_envelope,
    record,
)
from tests.venues.zoomex.world import (
    COINS,
    CREATE,
    EVM_ADDRESS,
    INNER,
    KEY,
    MARKET_TIME,
    NOW_MS,
    RECORDS,
    SECRET,
    TRON_ADDRESS,
    demo_sign,
    hmac_of,
)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return make_caller(request.param)


# --- withdrawing -------------------------------------------------------------------------------------------


def test_a_withdrawal_is_one_request_signed_as_the_venues_demo_signs(caller: Caller) -> None:
    sent = caller.call("withdraw", *WITHDRAWAL)
    (seen,) = caller.fake.seen
    assert (sent.withdrawal_id, sent.request_id) == (str(FIRST_ID), MADE_ID)
    assert (seen.method, seen.path, seen.query) == ("POST", CREATE, {})
    assert asked(seen) == {
        "requestId": MADE_ID,
        "coin": "USDT",
        "chain": "TRX",
        "address": TRON_ADDRESS,
        "amount": "25.5",
    }
    said = json.loads(seen.body)
    sign = said.pop("sign")
    assert sign == demo_sign(said)
    assert (said["api_key"], said["timestamp"]) == (KEY, NOW_MS)
    assert (seen.headers["x-bapi-api-key"], seen.headers["x-bapi-sign"]) == (KEY, sign)
    assert seen.headers["x-bapi-timestamp"] == str(NOW_MS)
    assert seen.headers["x-bapi-recv-window"] == str(said["recv_window"])
    assert "x-bapi-sign-type" not in seen.headers


def test_the_callers_own_id_goes_out_as_it_is(caller: Caller) -> None:
    sent = caller.call("withdraw", *WITHDRAWAL, request_id="Mine7")
    assert sent.request_id == "Mine7"
    assert caller.fake.seen[0].members["requestId"] == "Mine7"


def test_an_id_is_made_afresh_for_each_withdrawal() -> None:
    venue = ENTRY.make({"api_key": KEY, "api_secret": Secret.of(SECRET)}, HERE, ManualClock(NOW_MS))
    made: set[str] = set()
    with Client(venue, HERE, ManualClock(NOW_MS)) as client:
        for _ in range(8):
            made.add(client.prepare(*WITHDRAWAL).payment.request_id)
    assert len(made) == 8
    assert all(text.isalnum() and text.isascii() and len(text) == 32 for text in made)


@pytest.mark.parametrize("request_id", ["a-b", "a" * 65, "a b", "é"])
def test_an_id_that_the_venue_would_refuse_sends_nothing(caller: Caller, request_id: str) -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        caller.call("withdraw", *WITHDRAWAL, request_id=request_id)
    assert not caller.fake.seen


@pytest.mark.parametrize(
    "currency, network, chain, address",
    [
        ("USDT", "TRX", "TRX", TRON_ADDRESS),
        ("USDT", "tron", "TRX", TRON_ADDRESS),
        ("USDT", "trc20", "TRX", TRON_ADDRESS),
        ("USDT", "ethereum", "ETH", EVM_ADDRESS),
        ("USDT-BSC", "ERC20", "ETH", EVM_ADDRESS),
        ("USDT-BSC", None, "BSC", EVM_ADDRESS),
    ],
)
def test_a_network_becomes_the_venues_chain_without_asking(
    caller: Caller, currency: str, network: str | None, chain: str, address: str
) -> None:
    sent = caller.call("withdraw", currency, "25.5", address, network=network)
    (seen,) = caller.fake.seen
    assert (seen.members["coin"], seen.members["chain"]) == ("USDT", chain)
    assert sent.payment.currency == f"USDT-{chain}"


def test_a_coin_with_one_chain_needs_no_network(caller: Caller) -> None:
    prepared = caller.call("prepare", "BTC", "0.1", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    assert json.loads(prepared.request.body)["chain"] == "BTC"
    assert [seen.path for seen in caller.fake.seen] == [COINS]


def test_a_coin_with_several_chains_needs_one_named(caller: Caller) -> None:
    with pytest.raises(ValueError, match="ETH, TRX, BSC"):
        caller.call("withdraw", "USDT", "25.5", TRON_ADDRESS)
    assert caller.fake.count(CREATE) == 0


def test_a_tag_goes_with_the_address(caller: Caller) -> None:
    caller.call("withdraw", "XRP-XRP", "25", "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe", memo="7001")
    assert caller.fake.seen[0].members["tag"] == "7001"


@pytest.mark.parametrize(
    "recipient, kind, area_code, said",
    [
        ("876940329", RecipientKind.ACCOUNT_NUMBER, "", {"addressType": 3}),
        ("a@example.com", RecipientKind.EMAIL, "", {"addressType": 1}),
        ("412345678", RecipientKind.PHONE, "61", {"addressType": 2, "areaCode": 61}),
    ],
)
def test_another_account_is_paid_by_its_uid_email_or_phone(
    caller: Caller, recipient: str, kind: RecipientKind, area_code: str, said: dict[str, int]
) -> None:
    sent = caller.call(
        "withdraw_to_account",
        "USDT",
        Decimal("1.5"),
        recipient,
        kind=kind,
        area_code=area_code,
        remark="a & b",
    )
    (seen,) = caller.fake.seen
    assert seen.path == INNER
    assert asked(seen) == {
        "requestId": MADE_ID,
        "coin": "USDT",
        "address": recipient,
        "amount": "1.5",
        "remark": "a & b",
        **said,
    }
    assert sent.withdrawal_id == str(FIRST_ID)


@pytest.mark.parametrize(
    "method, arguments, named",
    [
        ("withdraw", WITHDRAWAL, {"wallet": "SPOT"}),
        ("withdraw", WITHDRAWAL, {"remark": "lost"}),
        ("withdraw", WITHDRAWAL, {"debit_currency": "BTC"}),
        ("withdraw_to_account", ("USDT", "1", "412345678"), {"kind": RecipientKind.PHONE}),
        ("withdraw_to_account", ("USDT", "1", "5"), {"area_code": "61"}),
        (
            "withdraw_to_account",
            ("USDT", "1", "412345678"),
            {"kind": RecipientKind.PHONE, "area_code": "+61"},
        ),
    ],
)
def test_what_the_venue_has_no_field_for_is_refused_before_anything_is_sent(
    caller: Caller, method: str, arguments: Any, named: Any
) -> None:
    with pytest.raises(ValueError, match=r"."):
        caller.call(method, *arguments, **named)
    assert not caller.fake.seen


def test_its_one_wallet_may_be_named(caller: Caller) -> None:
    caller.call("withdraw", *WITHDRAWAL, wallet="FUND")
    assert caller.fake.count(CREATE) == 1


def test_prepare_sends_nothing_and_shows_what_is_signed(caller: Caller) -> None:
    prepared = caller.call("prepare", *WITHDRAWAL)
    assert not caller.fake.seen
    assert prepared.request.signed_text == (
        f"address={TRON_ADDRESS}&amount=25.5&api_key={KEY}&chain=TRX&coin=USDT&recv_window=60000"
        f"&requestId={MADE_ID}&timestamp={NOW_MS}"
    )
    assert json.loads(prepared.request.body)["sign"] == hmac_of(prepared.request.signed_text)
    assert SECRET not in repr(prepared)
    assert not prepared.asked_by_id


# --- answers that are lost or leave it open ----------------------------------------------------------------

DOUBTFUL_ANSWERS = [
    (504, new_envelope({}, 10000, "Server timeout")),
    (200, new_envelope({}, 10000, "Server timeout")),
    (503, new_envelope({}, 10016, "Server error")),
    (200, new_envelope({}, 131001, "service error")),
    (200, old_envelope({}, 131003, "internal error")),
    (500, new_envelope({}, 131212, "Insufficient balance")),
    (502, b"<html>Bad Gateway</html>"),
    (403, b"<html>Attention required</html>"),
    (200, b""),
    (200, b'{"retCode": 0, "ret'),
    (200, b'"\xff"'),
    (200, b"[" * 100_000),
    (200, b"null"),
    (200, b"{}"),
    (200, new_envelope({})),
    (200, new_envelope({"withdraw_id": ""})),
    (200, new_envelope({"withdraw_id": 5})),
    (500, new_envelope({"withdraw_id": "5"})),
    (302, b""),
]


def unknown_of(caller: Caller, *, taken: bool = False) -> OutcomeUnknown:
    caller.fake.then_raise(CREATE, httpx2.ReadTimeout("no answer"), after_taking_it=taken)
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    return caught.value


@pytest.mark.parametrize("status, body", DOUBTFUL_ANSWERS)
def test_an_answer_that_says_neither_yes_nor_no_is_in_doubt(caller: Caller, status: int, body: bytes) -> None:
    caller.fake.then(CREATE, status, body, location="https://elsewhere.example/")
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    assert (caller.fake.count(CREATE), len(caller.fake.seen)) == (1, 1)
    assert caught.value.http_status == status


@pytest.mark.parametrize(
    "status, envelope, code, message",
    [
        (200, new_envelope, 131212, "Insufficient balance"),
        (200, old_envelope, 10006, "Too many visits!"),
        (401, new_envelope, 10003, "API key is invalid"),
        (403, new_envelope, 10018, "IP rate limit"),
    ],
)
def test_a_refusal_keeps_the_venues_code_and_words(
    caller: Caller, status: int, envelope: Any, code: int, message: str
) -> None:
    caller.fake.then(CREATE, status, envelope({}, code, message))
    with pytest.raises(VenueRefused) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    refused = caught.value
    assert (refused.code, refused.message, refused.http_status) == (str(code), message, status)
    assert caller.fake.count(CREATE) == 1


@pytest.mark.parametrize("code", [10014, 131082])
def test_a_duplicate_is_a_no_from_a_penstock_and_leaves_it_open_at_the_venue(
    caller: Caller, code: int
) -> None:
    for url, error in ((HERE, VenueRefused), (THERE, OutcomeUnknown)):
        caller.base_url = url
        caller.fake.then(CREATE, 200, new_envelope({}, code, "duplicate"))
        with pytest.raises(error):
            caller.call("withdraw", *WITHDRAWAL)


def test_a_repeat_sends_the_very_same_bytes_and_makes_no_second_withdrawal(caller: Caller) -> None:
    unknown = unknown_of(caller, taken=True)
    caller.clock.advance(60_000)
    sent = caller.call("repeat_identical", unknown, against_penstock=True)
    first, again = (seen for seen in caller.fake.seen if seen.path == CREATE)
    assert (first.body, first.headers) == (again.body, again.headers)
    assert sent.withdrawal_id == str(FIRST_ID)
    assert len(caller.fake.records) == 1


def test_asking_again_with_the_same_id_and_content_makes_no_second_withdrawal(caller: Caller) -> None:
    unknown = unknown_of(caller, taken=True)
    caller.clock.advance(10 * 365 * DAY_MS)
    sent = caller.call("withdraw", *WITHDRAWAL, request_id=unknown.payment.request_id)
    assert sent.withdrawal_id == str(FIRST_ID)
    assert len(caller.fake.records) == 1
    with pytest.raises(VenueRefused) as caught:
        caller.call("withdraw", "USDT-TRX", "26", TRON_ADDRESS, request_id=unknown.payment.request_id)
    assert caught.value.code == "10014"


def test_the_venue_itself_is_never_sent_a_repeat(caller: Caller) -> None:
    caller.base_url = THERE
    unknown = unknown_of(caller)
    with pytest.raises(ValueError, match="resolve"):
        caller.call("repeat_identical", unknown, against_penstock=True)
    assert caller.fake.count(CREATE) == 1


def test_a_repeat_after_the_window_sends_nothing(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.clock.advance(60_001)
    with pytest.raises(OutcomeUnknown):
        caller.call("repeat_identical", unknown, against_penstock=True)
    assert caller.fake.count(CREATE) == 1


def test_a_refused_repeat_leaves_the_first_request_in_doubt(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.fake.then(CREATE, 200, new_envelope({}, 131212, "Insufficient balance"))
    with pytest.raises(OutcomeUnknown, match="131212"):
        caller.call("repeat_identical", unknown, against_penstock=True)


# --- what the records say of it ----------------------------------------------------------------------------


def test_the_records_show_what_a_lost_answer_may_have_made(caller: Caller) -> None:
    unknown = unknown_of(caller, taken=True)
    resolution = caller.call("resolve", unknown)
    assert [found.withdrawal_id for found in resolution.candidates] == [str(FIRST_ID)]
    assert not resolution.conclusive
    asked = caller.fake.seen[-1].query
    assert (asked["coin"], asked["withdrawType"]) == ("USDT", "0")
    assert int(asked["startTime"]) == NOW_MS // 1000 - 1
    assert caller.fake.count(CREATE) == 1


def test_only_what_is_alike_counts(caller: Caller) -> None:
    unknown = unknown_of(caller)
    alike = [record(withdraw_id="1"), record(withdraw_id="2", amount="24.5")]
    others = [
        record(withdraw_id="3", chain="ETH"),
        record(withdraw_id="4", amount="25"),
        record(withdraw_id="5", to_address="T" * 34),
        record(withdraw_id="6", tag="9"),
        record(withdraw_id="7", coin="USDC"),
    ]
    caller.fake.then(RECORDS, 200, old_envelope({"rows": [*others, *alike], "cursor": ""}))
    found = caller.call("resolve", unknown).candidates
    assert [one.withdrawal_id for one in found] == ["1", "2"]


def test_an_empty_history_is_proof_only_after_the_window(caller: Caller) -> None:
    unknown = unknown_of(caller)
    for later_ms in (60_000 + 30_000, 60_001 + 30_001):
        nano = str((NOW_MS + later_ms) * 1_000_000)
        caller.fake.then(MARKET_TIME, 200, new_envelope({"timeSecond": "0", "timeNano": nano}))
    early, late = caller.call("resolve", unknown), caller.call("resolve", unknown)
    assert (early.candidates, early.conclusive) == ((), False)
    assert (late.candidates, late.conclusive) == ((), True)


def test_a_history_that_does_not_end_is_no_proof(caller: Caller) -> None:
    unknown = unknown_of(caller)
    nano = str((NOW_MS + DAY_MS) * 1_000_000)
    caller.fake.then(MARKET_TIME, 200, new_envelope({"timeSecond": "0", "timeNano": nano}))
    page = old_envelope({"rows": [record(amount="1")] * 50, "cursor": "more"})
    for _ in range(100):
        caller.fake.then(RECORDS, 200, page)
    assert not caller.call("resolve", unknown).conclusive
    assert caller.fake.count(RECORDS) == 20


def test_a_lost_transfer_is_found_by_its_recipient(caller: Caller) -> None:
    caller.fake.then_raise(INNER, httpx2.ReadError("reset"), after_taking_it=True)
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw_to_account", "USDT", "1", "412345678", kind=RecipientKind.PHONE, area_code="61")
    (found,) = caller.call("resolve", caught.value).candidates
    assert (found.status, found.address) == (Status.DONE, "412345678")
    assert caller.fake.seen[-1].query["withdrawType"] == "1"


# --- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url, repeats",
    [
        (THERE, False),
        ("https://openapi-testnet.zoomex.com", False),
        (HERE, True),
        ("https://zoomex.example", True),
        ("https://notzoomex.com", True),
    ],
)
def test_the_venue_is_known_by_its_host(url: str, repeats: bool) -> None:
    clock = ManualClock(NOW_MS)
    venue = ENTRY.make({"api_key": KEY, "api_secret": Secret.of(SECRET)}, url, clock)
    unknown = unknown_of(make_caller("sync"))
    if repeats:
        assert next(venue.repeat_identical(unknown)) is not None
    else:
        with pytest.raises(ValueError, match="resolve"):
            next(venue.repeat_identical(unknown))


def test_credentials_do_not_show_their_secret() -> None:
    credentials = requests.Credentials(KEY, Secret.of(SECRET))
    assert SECRET not in repr(credentials)
    assert SECRET not in repr(requests.query_info(credentials, NOW_MS))
