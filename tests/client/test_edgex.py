"""edgeX from the caller's side: two signatures, one request, and an id to ask by."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from penstock.client import (
    NotOffered,
    OutcomeUnknown,
    Payment,
    Status,
    VenueRefused,
    connect,
)
from penstock.client.edgex import NONCE_PAGES_MAX, EdgexVenue
from penstock.client.errors import BadReply
from penstock.core.secret import Secret
from penstock.core.time import ManualClock
from penstock.venues.edgex import client_requests as requests
from penstock.venues.edgex.l2 import nonce_of
from tests.client.caller import Caller
from tests.client.edgex_caller import drive, make_caller
from tests.client.fake_edgex import (
    ACCOUNT_ID,
    ACTIVE,
    ADDRESS,
    BY_CLIENT_ID,
    CREATE,
    META,
    NOW_MS,
    PRIVATE_KEY,
    TIME,
    TOKEN,
    FakeEdgex,
    envelope,
    record,
)

WITHDRAWAL = ("USDT", "10.50", ADDRESS)
OWN_ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
HOUR_MS = 3_600_000


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return make_caller(request.param)


@pytest.fixture
def one() -> Caller:
    """A client that stays."""
    return make_caller("sync")


def created(fake: FakeEdgex) -> dict[str, Any]:
    (seen,) = [seen for seen in fake.seen if seen.path == CREATE]
    return seen.members


# --- the request ---------------------------------------------------------------------------------------------


def test_a_withdrawal_is_one_request_signed_twice(caller: Caller) -> None:
    sent = caller.call("withdraw", *WITHDRAWAL, request_id="mine-1")
    members = created(caller.fake)
    assert sent.withdrawal_id == "700001"
    assert (sent.request_id, sent.payment.currency) == ("mine-1", "USDT")
    assert (members["amount"], members["coinId"], members["ethAddress"]) == ("10.50", "1000", ADDRESS)
    assert (members["erc20Address"], members["clientWithdrawId"]) == (TOKEN, "mine-1")
    assert (members["extraType"], members["extraDataJson"]) == ("", "")
    expires = int(members["l2ExpireTime"])
    assert expires % HOUR_MS == 0
    assert 13 * 24 * HOUR_MS < expires - NOW_MS <= 14 * 24 * HOUR_MS
    # The fake has verified both signatures.
    assert caller.fake.count(CREATE) == 1


def test_the_client_makes_an_id_when_none_is_given_and_tells_it(caller: Caller) -> None:
    sent = caller.call("withdraw", *WITHDRAWAL)
    assert sent.request_id == created(caller.fake)["clientWithdrawId"]
    assert len(sent.request_id) == 32


@pytest.mark.parametrize("currency, network", [("1000", None), ("USDT", "ethereum"), ("1000", "11155111")])
def test_a_coin_goes_by_its_name_or_its_id(caller: Caller, currency: str, network: str | None) -> None:
    sent = caller.call("withdraw", currency, "10", ADDRESS, network=network)
    assert sent.payment.currency == "USDT"
    assert created(caller.fake)["coinId"] == "1000"


@pytest.mark.parametrize(
    "amount, text",
    [("10.000000", "10.000000"), (Decimal("1E+1"), "10"), (7, "7"), (Decimal("0.000001"), "0.000001")],
)
def test_an_amount_goes_out_as_its_exact_digits(one: Caller, amount: Any, text: str) -> None:
    one.call("withdraw", "USDT", amount, ADDRESS)
    assert created(one.fake)["amount"] == text


def test_a_lower_case_address_goes_out_as_it_was_given(one: Caller) -> None:
    one.call("withdraw", "USDT", "10", ADDRESS.lower())
    assert created(one.fake)["ethAddress"] == ADDRESS.lower()


def test_the_risk_signature_is_the_callers_or_any(one: Caller) -> None:
    one.call("withdraw", *WITHDRAWAL)
    assert int(created(one.fake)["riskSignature"], 16) > 0
    other = make_caller("sync")
    other.settings["risk_signature"] = "ab" * 64
    other.call("withdraw", *WITHDRAWAL)
    assert created(other.fake)["riskSignature"] == "ab" * 64


def test_a_payment_without_address_goes_to_the_accounts_own(caller: Caller) -> None:
    caller.settings["eth_address"] = OWN_ADDRESS
    sent = caller.call("withdraw", "USDT", "10")
    assert sent.payment.address == OWN_ADDRESS
    assert created(caller.fake)["ethAddress"] == OWN_ADDRESS


def test_an_address_that_is_named_goes_before_the_accounts_own(one: Caller) -> None:
    one.settings["eth_address"] = OWN_ADDRESS
    one.call("withdraw", *WITHDRAWAL)
    assert created(one.fake)["ethAddress"] == ADDRESS


@pytest.mark.parametrize("own", [{}, {"eth_address": OWN_ADDRESS}])
def test_an_empty_address_is_never_taken_for_the_accounts_own(one: Caller, own: dict[str, str]) -> None:
    one.settings |= own
    with pytest.raises(ValueError, match="address is empty"):
        one.call("withdraw", "USDT", "10", "")
    assert not one.fake.seen


def test_prepare_sends_only_reads_and_shows_what_is_signed(caller: Caller) -> None:
    prepared = caller.call("prepare", *WITHDRAWAL, request_id="mine-1")
    assert {seen.method for seen in caller.fake.seen} == {"GET"}
    assert prepared.asked_by_id
    assert prepared.request.signed_text.startswith(
        f"{NOW_MS}POST{CREATE}accountId={ACCOUNT_ID}&amount=10.50&"
    )
    assert (prepared.signed_at_ms, prepared.window_ends_ms) == (NOW_MS, NOW_MS + 60_001)


def test_what_never_changes_is_read_once(one: Caller) -> None:
    for _ in range(3):
        one.call("withdraw", *WITHDRAWAL)
    assert (one.fake.count(META), one.fake.count(ACTIVE), one.fake.count(CREATE)) == (1, 1, 3)


@pytest.mark.parametrize(
    "arguments, named, told",
    [
        (("DOGE", "10", ADDRESS), {}, "USDT \\(1000\\)"),
        (("BTC", "10", ADDRESS), {}, "pays out no 'BTC'"),
        (("USDT", "10", ADDRESS), {"network": "tron"}, "Sepolia - Testnet only"),
        (("USDT", "10", ADDRESS.replace("f", "F", 1)), {}, "mistyped"),
        (("USDT", "10", ADDRESS[:-1]), {}, "not an Ethereum address"),
        (("USDT", "10", "TA4Y62o6YC2Zsck9rZVGTvqW1AQ7X9zTnj"), {}, "not an Ethereum address"),
        (("USDT", "0.0000001", ADDRESS), {}, "at most 6 decimals"),
        (("USDT", str(2**64), ADDRESS), {}, "not an amount"),
        (("USDT", "10", ADDRESS), {"memo": "7"}, "no memo"),
        (("USDT", "10", ADDRESS), {"wallet": "fund"}, "collateral wallet only"),
        (("USDT", "10", ADDRESS), {"remark": "rent"}, "no remark"),
        (("USDT", "10", ADDRESS), {"debit_currency": "EUR"}, "in the coin that it debits"),
        (("USDT", "10", ADDRESS), {"request_id": "a,b"}, "a client id"),
        (("USDT", "10", ADDRESS), {"request_id": "x" * 129}, "a client id"),
    ],
)
def test_what_the_venue_has_no_words_for_sends_no_withdrawal(
    caller: Caller, arguments: tuple[str, ...], named: dict[str, str], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        caller.call("withdraw", *arguments, **named)
    assert caller.fake.count(CREATE) == 0


def test_what_the_venue_lacks_is_not_offered(caller: Caller) -> None:
    for method, arguments in (
        ("addresses", ()),
        ("deposit_address", ("USDT",)),
        ("withdraw_to_account", ("USDT", "1", "876940329")),
    ):
        with pytest.raises(NotOffered, match="edgex offers no"):
            caller.call(method, *arguments)
    assert not caller.fake.seen


# --- nonces --------------------------------------------------------------------------------------------------


def venue_with_ids(ids: list[str]) -> EdgexVenue:
    found: Iterator[str] = iter(ids)
    credentials = requests.Credentials(ACCOUNT_ID, Secret.of(PRIVATE_KEY))
    return EdgexVenue(credentials, ManualClock(NOW_MS), at_the_venue=False, new_client_id=lambda: next(found))


PAYMENT = Payment("USDT", "10", ADDRESS)


def test_an_id_whose_nonce_is_in_use_is_passed_over_before_anything_is_signed() -> None:
    # Both have the nonce 1825797848.
    assert nonce_of("w29009") == nonce_of("w116065") == 1_825_797_848
    fake = FakeEdgex(listed=[record(clientWithdrawId="w29009")])
    venue = venue_with_ids(["w116065", "w29009", "free"])
    prepared = drive(venue.prepare(PAYMENT), fake)
    assert prepared.payment.request_id == "free"
    assert "w116065" not in prepared.request.body.decode()


def test_a_nonce_claimed_by_this_client_is_in_use() -> None:
    fake = FakeEdgex()
    venue = venue_with_ids(["w29009", "w116065", "free"])
    ids = [drive(venue.prepare(PAYMENT), fake).payment.request_id for _ in range(2)]
    assert ids == ["w29009", "free"]


def test_nonces_of_all_pages_count() -> None:
    listed = [record(clientWithdrawId=f"c{count}", id=str(count)) for count in range(250)]
    fake = FakeEdgex(listed=[*listed, record(clientWithdrawId="w29009")])
    venue = venue_with_ids(["w116065", "free"])
    assert drive(venue.prepare(PAYMENT), fake).payment.request_id == "free"
    assert fake.count(ACTIVE) == 3


def test_not_more_than_so_many_pages_are_looked_through() -> None:
    class Endless(FakeEdgex):
        def _page(self, query: dict[str, str]) -> dict[str, Any]:
            return {"dataList": [], "nextPageOffsetData": str(int(query.get("offsetData", "0")) + 1)}

    fake = Endless()
    drive(venue_with_ids(["free"]).prepare(PAYMENT), fake)
    assert fake.count(ACTIVE) == NONCE_PAGES_MAX


def test_a_callers_own_id_with_a_nonce_in_use_is_refused_and_not_changed(caller: Caller) -> None:
    caller.fake.listed.append(record(clientWithdrawId="w29009"))
    with pytest.raises(ValueError, match="'w29009': choose another id"):
        caller.call("withdraw", *WITHDRAWAL, request_id="w116065")
    assert caller.fake.count(CREATE) == 0


def test_a_callers_own_id_may_be_asked_for_again(one: Caller) -> None:
    for _ in range(2):
        one.call("withdraw", *WITHDRAWAL, request_id="mine-1")
    assert one.fake.count(CREATE) == 2


def test_a_broken_source_of_ids_does_not_go_on_for_ever() -> None:
    fake = FakeEdgex(listed=[record(clientWithdrawId="same")])
    with pytest.raises(ValueError, match="source of ids"):
        drive(venue_with_ids(["same"] * 100).prepare(PAYMENT), fake)


def test_without_the_list_nothing_is_signed(caller: Caller) -> None:
    for _ in range(3):
        caller.fake.then(ACTIVE, 503, b"")
    with pytest.raises(BadReply):
        caller.call("withdraw", *WITHDRAWAL)
    assert caller.fake.count(CREATE) == 0


# --- lost answers --------------------------------------------------------------------------------------------


def unknown_of(caller: Caller) -> OutcomeUnknown:
    caller.fake.then_raise(CREATE, httpx2.ReadTimeout("no answer"))
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *WITHDRAWAL, request_id="mine-1")
    return caught.value


@pytest.mark.parametrize(
    "status, body",
    [
        (500, envelope(None, "GATEWAY_INTERNAL_ERROR", "internal error")),
        (503, envelope(None, "SERVICE_UNAVAILABLE", "later")),
        (502, b"<html>Bad Gateway</html>"),
        (403, b"<html>Attention required</html>"),
        (200, b""),
        (200, b'{"code": "SUCC'),
        (200, b'"\xff"'),
        (200, b"[" * 100_000),
        (200, b"null"),
        (200, envelope(None)),
        (200, envelope({})),
        (200, envelope({"withdrawId": ""})),
        (200, envelope({"withdrawId": 5})),
        (500, envelope({"withdrawId": "700001"})),
        (302, b""),
    ],
)
def test_an_answer_that_says_neither_yes_nor_no_is_in_doubt(caller: Caller, status: int, body: bytes) -> None:
    caller.fake.then(CREATE, status, body, location="https://elsewhere.example/")
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    assert caller.fake.count(CREATE) == 1
    assert caught.value.http_status == status


@pytest.mark.parametrize(
    "status, code, message",
    [
        (200, "INSUFFICIENT_BALANCE", "insufficient balance, available : 1.5"),
        (200, "L2_NONCE_COLLISION", "another withdrawal has this l2Nonce"),
        (200, "DUPLICATE_CLIENT_WITHDRAW_ID", "used with other content"),
        (401, "SIGNATURE_ERROR", "signature error"),
        (429, "RATE_LIMIT_EXCEEDED", "too many requests"),
    ],
)
def test_a_refusal_keeps_the_venues_code_and_words(
    caller: Caller, status: int, code: str, message: str
) -> None:
    caller.fake.then(CREATE, status, envelope(None, code, message))
    with pytest.raises(VenueRefused) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    refused = caught.value
    assert (refused.code, refused.message, refused.http_status) == (code, message, status)
    assert refused.trace == "b3086f53c2d4503f6a4790b80f0e534b"
    assert caller.fake.count(CREATE) == 1


def test_at_the_venue_itself_a_duplicate_may_be_this_very_request(caller: Caller) -> None:
    caller.base_url = "https://pro.edgex.exchange"
    caller.fake.then(CREATE, 200, envelope(None, "DUPLICATE_CLIENT_WITHDRAW_ID", "duplicate"))
    with pytest.raises(OutcomeUnknown):
        caller.call("withdraw", *WITHDRAWAL)


def test_asking_by_the_id_settles_a_lost_answer(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.fake.listed.append(record(clientWithdrawId="mine-1", id="17", status="SUCCESS_CENSOR_SUCCESS"))
    resolution = caller.call("resolve", unknown)
    assert resolution.conclusive
    (found,) = resolution.candidates
    assert (found.withdrawal_id, found.status) == ("17", Status.PROCESSING)
    assert caller.fake.seen[-1].query["clientWithdrawIdList"] == "mine-1"
    assert caller.fake.count(CREATE) == 1


def test_nothing_found_is_proof_only_after_the_window(caller: Caller) -> None:
    unknown = unknown_of(caller)
    for server_time in (NOW_MS + 60_000, NOW_MS + 90_001, NOW_MS + 90_002):
        caller.fake.then(TIME, 200, envelope({"timeMillis": str(server_time)}))
    found = [caller.call("resolve", unknown) for _ in range(3)]
    assert [one.candidates for one in found] == [(), (), ()]
    assert [one.conclusive for one in found] == [False, False, True]


def test_the_clock_is_read_before_the_records(caller: Caller) -> None:
    caller.call("resolve", unknown_of(caller))
    paths = [seen.path for seen in caller.fake.seen]
    assert paths.index(TIME) < paths.index(BY_CLIENT_ID)


def test_a_repeat_sends_the_very_same_bytes(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.clock.advance(60_000)
    sent = caller.call("repeat_identical", unknown, against_penstock=True)
    first, again = (seen for seen in caller.fake.seen if seen.path == CREATE)
    assert sent.request_id == "mine-1"
    assert (first.body, first.headers) == (again.body, again.headers)


def test_a_repeat_after_the_window_sends_nothing(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.clock.advance(60_001)
    with pytest.raises(OutcomeUnknown):
        caller.call("repeat_identical", unknown, against_penstock=True)
    assert caller.fake.count(CREATE) == 1


def test_the_venue_itself_is_never_sent_a_repeat(caller: Caller) -> None:
    caller.base_url = "https://pro.edgex.exchange"
    unknown = unknown_of(caller)
    with pytest.raises(ValueError, match="resolve"):
        caller.call("repeat_identical", unknown, against_penstock=True)
    assert caller.fake.count(CREATE) == 1


def test_a_refused_repeat_leaves_the_first_request_in_doubt(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.fake.then(CREATE, 200, envelope(None, "INSUFFICIENT_BALANCE", "too low"))
    with pytest.raises(OutcomeUnknown, match="INSUFFICIENT_BALANCE"):
        caller.call("repeat_identical", unknown, against_penstock=True)


# --- secrets and settings ------------------------------------------------------------------------------------


def test_no_secret_shows_in_reprs_or_tracebacks(one: Caller) -> None:
    shown = [repr(requests.Credentials(ACCOUNT_ID, Secret.of(PRIVATE_KEY)))]
    prepared = one.call("prepare", *WITHDRAWAL)
    shown.append(repr(prepared))
    calls: list[Callable[[], Any]] = [
        lambda: one.call("withdraw", "USDT", "0.0000001", ADDRESS),
        lambda: one.call("withdraw", *WITHDRAWAL),
    ]
    one.fake.then_raise(CREATE, httpx2.ReadTimeout("slow"))
    for call in calls:
        with pytest.raises((ValueError, OutcomeUnknown)) as caught:
            call()
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        shown += ["".join(told.format()), repr(caught.value), str(vars(caught.value))]
    text = "\n".join(shown)
    for canary in (PRIVATE_KEY, PRIVATE_KEY.lstrip("0"), str(int(PRIVATE_KEY, 16))):
        assert canary not in text
    signature = dict(prepared.request.headers)["X-edgeX-Api-Signature"]
    assert signature not in repr(prepared)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"account_id": "abc"}, "account_id"),
        ({"account_id": "0"}, "account_id"),
        ({"account_id": str(2**63)}, "account_id"),
        ({"stark_private_key": "not-hexadecimal"}, "stark_private_key"),
        ({"stark_private_key": "0x0"}, "stark_private_key"),
        ({"stark_private_key": PRIVATE_KEY + "00"}, "stark_private_key"),
        ({"risk_signature": "ab"}, "risk_signature"),
        ({"eth_address": "0x12"}, "not an Ethereum address"),
    ],
)
def test_unusable_settings_are_refused_by_name(changes: dict[str, str], told: str) -> None:
    settings = {"account_id": ACCOUNT_ID, "stark_private_key": PRIVATE_KEY} | changes
    with pytest.raises(ValueError, match=told) as caught:
        connect("edgex", **settings)  # type: ignore[arg-type]
    told_of = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in told_of.stack if "penstock/client" in frame.filename]
    shown = " ".join(f"{frame.line} {frame.locals}" for frame in ours) + str(caught.value)
    assert ours
    assert settings["stark_private_key"] not in shown
