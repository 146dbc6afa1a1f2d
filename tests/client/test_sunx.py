"""SunX by the client: one `withdraw` is a quote, a look at it, the wallet's signature, and one confirmation."""

from __future__ import annotations

import json
import pickle
import traceback
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from eth_account import Account as EthAccount
from eth_account.messages import SignableMessage

from penstock.client import (
    BadReply,
    NotOffered,
    OutcomeUnknown,
    Status,
    VenueRefused,
    connect,
)
from penstock.client.asking import RATE_LIMIT_PAUSE_MS_MAX, READ_TRIES_MAX
from penstock.client.sunx import ENTRY, RECORDS_MAX
from tests.client.caller import Caller
from tests.client.fake_sunx import (
    API_KEY,
    APPLY,
    BALANCE,
    CONFIRM,
    EXPIRES_MS,
    KEY,
    NONCE,
    NOW_MS,
    RECORDS,
    SECRET,
    WALLET,
    WALLET_KEY,
    balance,
    make_caller,
    ok,
    record,
    refusal,
)

WITHDRAWAL = ("usdt", "8.799999", WALLET)
CONTENT = f"address:{WALLET},currency:usdt,chain:trc20usdt,amount:8.799999,fee:1.2,nonce:{NONCE}"
OTHER_KEY = "11" * 32


def sign(content: str, key: str = WALLET_KEY) -> str:
    body = content.encode()
    message = SignableMessage(b"T", b"RON Signed Message:\n" + str(len(body)).encode(), body)
    return "0x" + str(EthAccount.sign_message(message, key).signature.hex())


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return make_caller(request.param)


def unknown_of(caller: Caller) -> OutcomeUnknown:
    caller.fake.then_raise(CONFIRM, httpx2.ReadTimeout("no answer"))
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    return caught.value


# --- withdrawing -----------------------------------------------------------------------------------------------------


def test_a_withdrawal_is_a_quote_and_one_confirmation_signed_by_the_wallet(caller: Caller) -> None:
    sent = caller.call("withdraw", *WITHDRAWAL)
    applied, confirmed = caller.fake.seen
    assert (sent.venue, sent.withdrawal_id, sent.sent_at_ms) == ("sunx", "41", NOW_MS)
    assert (applied.method, applied.path, confirmed.method, confirmed.path) == (
        "POST",
        APPLY,
        "POST",
        CONFIRM,
    )
    assert json.loads(applied.body) == {
        "address": WALLET,
        "currency": "usdt",
        "chain": "trc20usdt",
        "amount": "8.799999",
        "fee": "0",
    }
    assert json.loads(confirmed.body) == {"nonce": NONCE, "signature": sign(CONTENT)}
    for seen in (applied, confirmed):
        assert seen.headers["cloud-exchange"] == "6X2K9L4V1C"
        assert seen.query["AccessKeyId"] == KEY
        assert seen.query["Timestamp"] == "2026-11-21T06:00:00"


def test_a_function_may_hold_the_wallet_in_place_of_the_key(caller: Caller) -> None:
    asked: list[str] = []

    def sign_content(content: str) -> str:
        asked.append(content)
        return sign(content).removeprefix("0x").upper()

    caller.settings = API_KEY | {"sign_content": sign_content}
    caller.call("withdraw", *WITHDRAWAL)
    assert asked == [CONTENT]
    assert json.loads(caller.fake.seen[1].body)["signature"] == sign(CONTENT)[2:].upper()


@pytest.mark.parametrize(
    "currency, network",
    [
        ("usdt", None),
        ("USDT", None),
        ("USDT", "tron"),
        ("usdt", "TRC20"),
        ("usdt", "trc20usdt"),
        ("trc20usdt", None),
    ],
)
def test_the_one_coin_goes_by_several_names(caller: Caller, currency: str, network: str | None) -> None:
    sent = caller.call("withdraw", currency, "8.799999", WALLET, network=network)
    assert sent.payment.currency == "trc20usdt"
    body = json.loads(caller.fake.seen[0].body)
    assert (body["currency"], body["chain"]) == ("usdt", "trc20usdt")


@pytest.mark.parametrize(
    "currency, network", [("btc", None), ("usdt", "ethereum"), ("usdterc20", None), ("", "")]
)
def test_another_coin_or_network_sends_nothing(caller: Caller, currency: str, network: str | None) -> None:
    with pytest.raises(ValueError, match=r"pays usdt on trc20usdt|empty"):
        caller.call("withdraw", currency, "1", WALLET, network=network)
    assert not caller.fake.seen


def test_preparing_sends_the_quote_only_and_shows_what_is_signed_fee_included(caller: Caller) -> None:
    prepared = caller.call("prepare", *WITHDRAWAL)
    assert [seen.path for seen in caller.fake.seen] == [APPLY]
    assert json.loads(prepared.request.body) == {"nonce": NONCE, "signature": sign(CONTENT)}
    assert CONTENT in prepared.request.signed_text
    assert "POST\n127.0.0.1\n/sunperp/dw/withdraw/confirm\nAccessKeyId=" in prepared.request.signed_text
    assert (prepared.signed_at_ms, prepared.window_ends_ms) == (NOW_MS, EXPIRES_MS + 1)
    assert not prepared.asked_by_id


@pytest.mark.parametrize(
    "quoted",
    [
        {"address": "TN1F755kgPevmwJZLUqbSaLfMmnVEz1EbV"},
        {"amount": "88.799999"},
        {"amount": "8.7999990001"},
        {"amount": "8.799999,amount:1"},
        {"amount": "x"},
        {"currency": "usdc"},
        {"chain": "usdterc20"},
        {"nonce": "A" * 32},
        {"nonce": ""},
        {"fee": "free"},
        {"fee": "-1"},
        {"fee": "1.2,fee:0"},
    ],
)
def test_a_quote_for_anything_else_is_never_signed(caller: Caller, quoted: dict[str, str]) -> None:
    caller.fake.quoted = quoted

    def never(content: str) -> str:
        raise AssertionError(content)

    caller.settings = API_KEY | {"sign_content": never}
    with pytest.raises(BadReply):
        caller.call("withdraw", *WITHDRAWAL)
    assert caller.fake.count(CONFIRM) == 0


def test_an_amount_quoted_with_other_zeros_is_the_same_amount(caller: Caller) -> None:
    caller.fake.quoted = {"amount": "8.7999990"}
    caller.call("withdraw", *WITHDRAWAL)
    text = CONTENT.replace("8.799999", "8.7999990")
    assert json.loads(caller.fake.seen[1].body)["signature"] == sign(text)


def test_a_wallet_that_is_not_the_receiver_asks_for_nothing(caller: Caller) -> None:
    caller.settings = API_KEY | {"wallet_private_key": OTHER_KEY}
    with pytest.raises(ValueError, match="own wallet"):
        caller.call("withdraw", *WITHDRAWAL)
    assert not caller.fake.seen


@pytest.mark.parametrize(
    "answer", [lambda content: sign(content, OTHER_KEY), lambda _: "0x", lambda content: sign(content + " ")]
)
def test_a_function_that_signs_wrongly_confirms_nothing(caller: Caller, answer: Any) -> None:
    caller.settings = API_KEY | {"sign_content": answer}
    with pytest.raises(ValueError, match="wallet"):
        caller.call("withdraw", *WITHDRAWAL)
    assert caller.fake.count(CONFIRM) == 0


def test_a_wallet_that_declines_confirms_nothing(caller: Caller) -> None:
    def decline(_content: str) -> str:
        raise PermissionError("the owner said no")

    caller.settings = API_KEY | {"sign_content": decline}
    with pytest.raises(PermissionError):
        caller.call("withdraw", *WITHDRAWAL)
    assert caller.fake.count(CONFIRM) == 0


def test_without_a_wallet_one_can_only_look(caller: Caller) -> None:
    caller.settings = API_KEY
    assert caller.call("withdrawals")
    with pytest.raises(ValueError, match="wallet_private_key or sign_content"):
        caller.call("withdraw", *WITHDRAWAL)
    assert caller.fake.count(APPLY) == 0


@pytest.mark.parametrize(
    "named", [{"memo": "7"}, {"wallet": "spot"}, {"remark": "rent"}, {"request_id": "mine"}]
)
def test_what_the_venue_has_no_place_for_is_refused_before_anything(
    caller: Caller, named: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=next(iter(named))):
        caller.call("withdraw", *WITHDRAWAL, **named)
    assert not caller.fake.seen


@pytest.mark.parametrize(
    "method, arguments, named",
    [
        ("withdraw_to_account", ("usdt", "1", "876940329"), {}),
        ("withdraw", WITHDRAWAL, {"debit_currency": "BTC"}),
        ("fee", ("usdt",), {}),
        ("currencies", (), {}),
        ("addresses", (), {}),
        ("deposit_address", ("usdt",), {}),
    ],
)
def test_a_call_the_venue_lacks_sends_nothing(
    caller: Caller, method: str, arguments: tuple[str, ...], named: dict[str, str]
) -> None:
    with pytest.raises(NotOffered, match="sunx offers no"):
        caller.call(method, *arguments, **named)
    assert not caller.fake.seen


# --- a lost quote ----------------------------------------------------------------------------------------------------


def test_a_lost_quote_is_asked_for_again_since_it_holds_nothing(caller: Caller) -> None:
    caller.fake.then_raise(APPLY, httpx2.ReadTimeout("no answer"))
    assert caller.call("withdraw", *WITHDRAWAL).withdrawal_id == "41"
    assert (caller.fake.count(APPLY), caller.fake.count(CONFIRM)) == (2, 1)


def test_a_refused_quote_keeps_the_venues_code_and_words(caller: Caller) -> None:
    caller.fake.then(APPLY, 200, refusal("dw-insufficient-balance", "Insufficient balance."))
    with pytest.raises(VenueRefused) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    assert (caught.value.code, caught.value.message) == ("dw-insufficient-balance", "Insufficient balance.")
    assert (caller.fake.count(APPLY), caller.fake.count(CONFIRM)) == (1, 0)


@pytest.mark.parametrize(
    "header, pause_ms",
    [
        (str(NOW_MS + 1_500), 1_500),
        (str(NOW_MS - 5), 250),
        (str(NOW_MS + 10**9), RATE_LIMIT_PAUSE_MS_MAX),
        ("soon", 1_000),
    ],
)
def test_too_often_waits_for_the_end_of_the_window(caller: Caller, header: str, pause_ms: int) -> None:
    for _ in range(READ_TRIES_MAX):
        body = refusal("base-request-exceed-frequency-limit", "Frequency of requests has exceeded the limit")
        caller.fake.then(RECORDS, 429, body, ratelimit_reset=header)
    with pytest.raises(VenueRefused):
        caller.call("withdrawals")
    assert caller.pauses_ms == [pause_ms] * (READ_TRIES_MAX - 1)


# --- a lost confirmation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status, body",
    [
        (500, refusal("base-system-error", "System error")),
        (200, refusal("base-system-error", "System error")),
        (200, refusal("gateway-internal-error", "Failed to load data. Try again later.")),
        (503, b'{"status":"maintain"}'),
        (502, b"<html>Bad Gateway</html>"),
        (200, b""),
        (200, b"[" * 100_000),
        (200, b"null"),
        (200, ok({})),
        (200, ok({"order-id": 0, "status": "Processing"})),
        (200, ok({"order-id": "41", "status": "Processing"})),
        (500, ok({"order-id": 41, "status": "Processing"})),
    ],
)
def test_an_answer_that_says_neither_yes_nor_no_is_in_doubt_and_not_repeated(
    caller: Caller, status: int, body: bytes
) -> None:
    caller.fake.then(CONFIRM, status, body)
    with pytest.raises(OutcomeUnknown) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    assert caller.fake.count(CONFIRM) == 1
    assert caught.value.http_status == status
    assert (caught.value.sent_at_ms, caught.value.window_ends_ms) == (NOW_MS, EXPIRES_MS + 1)


@pytest.mark.parametrize(
    "code", ["dw-withdraw-nonce-expired", "dw-withdraw-signature-error", "api-signature-not-valid"]
)
def test_a_refused_confirmation_is_a_no(caller: Caller, code: str) -> None:
    caller.fake.then(CONFIRM, 200, refusal(code, "no"))
    with pytest.raises(VenueRefused) as caught:
        caller.call("withdraw", *WITHDRAWAL)
    assert caught.value.code == code


def test_the_same_bytes_may_be_sent_to_a_penstock_again(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.clock.advance(299_999)
    sent = caller.call("repeat_identical", unknown, against_penstock=True)
    assert sent.withdrawal_id == "41"
    first, again = (seen for seen in caller.fake.seen if seen.path == CONFIRM)
    assert (first.body, first.query) == (again.body, again.query)


def test_a_repeat_ends_with_its_timestamp(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.clock.advance(300_000)
    with pytest.raises(OutcomeUnknown, match="repeat ended"):
        caller.call("repeat_identical", unknown, against_penstock=True)
    assert caller.fake.count(CONFIRM) == 1


def test_a_repeat_that_is_refused_settles_nothing(caller: Caller) -> None:
    unknown = unknown_of(caller)
    caller.fake.then(CONFIRM, 200, refusal("dw-withdraw-nonce-expired", "The nonce has expired."))
    with pytest.raises(OutcomeUnknown, match="nonce has expired"):
        caller.call("repeat_identical", unknown, against_penstock=True)


@pytest.mark.parametrize("base_url", ["", "https://api.sunx.io", "https://API.SunX.io/"])
def test_nothing_is_repeated_at_the_venue_itself(caller: Caller, base_url: str) -> None:
    caller.base_url = base_url
    unknown = unknown_of(caller)
    with pytest.raises(ValueError, match="resolve"):
        caller.call("repeat_identical", unknown, against_penstock=True)
    assert caller.fake.count(CONFIRM) == 1


def test_the_records_show_what_a_lost_answer_may_have_made(caller: Caller) -> None:
    unknown = unknown_of(caller)
    long_ago = {"created-at": NOW_MS - 700_000}
    caller.fake.records = [
        record(id=1),
        record(id=2, state="confirmed"),
        record(id=3, amount=8.8),
        record(id=4, address="TN1F755kgPevmwJZLUqbSaLfMmnVEz1EbV"),
        record(id=5, chain="usdterc20"),
        record(id=6, **long_ago),
        record(id=7, type="deposit", state="safe"),
    ]
    resolution = caller.call("resolve", unknown)
    assert [found.withdrawal_id for found in resolution.candidates] == ["2", "1"]
    assert not resolution.conclusive


@pytest.mark.parametrize(
    "told_ms, conclusive",
    [(EXPIRES_MS, False), (EXPIRES_MS + 1 + 30_000, False), (EXPIRES_MS + 1 + 30_001, True), (None, False)],
)
def test_no_record_is_conclusive_once_the_venues_clock_has_passed_the_quotes_end(
    caller: Caller, told_ms: int | None, conclusive: bool
) -> None:
    unknown = unknown_of(caller)
    caller.fake.records = []
    caller.fake.then(BALANCE, 200, balance(told_ms))
    resolution = caller.call("resolve", unknown)
    assert (resolution.candidates, resolution.conclusive) == ((), conclusive)


@pytest.mark.parametrize("oldest_ms, conclusive", [(NOW_MS, False), (NOW_MS - 600_001, True)])
def test_records_that_do_not_reach_back_far_enough_prove_nothing(
    caller: Caller, oldest_ms: int, conclusive: bool
) -> None:
    unknown = unknown_of(caller)
    others = [record(id=2 + number, amount=1) for number in range(RECORDS_MAX)]
    caller.fake.records = [record(id=1), *others]
    caller.fake.records[1] |= {"created-at": oldest_ms}
    caller.fake.then(BALANCE, 200, balance(EXPIRES_MS + 10**6))
    resolution = caller.call("resolve", unknown)
    assert (resolution.candidates, resolution.conclusive) == ((), conclusive)


def test_an_unknown_outcome_survives_a_worker_process(caller: Caller) -> None:
    unknown = pickle.loads(pickle.dumps(unknown_of(caller)))
    assert caller.call("repeat_identical", unknown, against_penstock=True).withdrawal_id == "41"


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_withdrawal_is_read_as_it_stands(caller: Caller) -> None:
    caller.fake.records = [record(id=41, state="confirmed", **{"tx-hash": "ab" * 32}), record(id=42)]
    found = caller.call("withdrawal", "41")
    assert (found.withdrawal_id, found.currency, found.address) == ("41", "trc20usdt", WALLET)
    assert (found.amount, found.fee, found.net) == (Decimal("9.999999"), Decimal("1.2"), Decimal("8.799999"))
    assert (found.status, found.venue_status, found.tx_id) == (Status.DONE, "confirmed", "ab" * 32)


@pytest.mark.parametrize("withdrawal_id", ["40", "43"])
def test_a_withdrawal_that_is_not_there_is_a_no(caller: Caller, withdrawal_id: str) -> None:
    caller.fake.records = [record(id=41), record(id=42)]
    with pytest.raises(VenueRefused, match="no withdrawal"):
        caller.call("withdrawal", withdrawal_id)


@pytest.mark.parametrize("withdrawal_id", ["x", "-1", "４１", "1.0", " 1"])  # noqa: RUF001
def test_a_withdrawal_goes_by_its_number(caller: Caller, withdrawal_id: str) -> None:
    with pytest.raises(ValueError, match="number"):
        caller.call("withdrawal", withdrawal_id)
    assert not caller.fake.seen


@pytest.mark.parametrize(
    "state, status",
    [
        ("verifying", Status.ACCEPTED),
        ("reexamine", Status.ACCEPTED),
        ("pre-transfer", Status.PROCESSING),
        ("wallet-transfer", Status.PROCESSING),
        ("canceled", Status.CANCELLED),
        ("repealed", Status.CANCELLED),
        ("reject", Status.FAILED),
        ("confirm-error", Status.FAILED),
    ],
)
def test_each_state_is_one_of_ours(caller: Caller, state: str, status: Status) -> None:
    caller.fake.records = [record(state=state)]
    assert caller.call("withdrawal", "41").status is status


def test_withdrawals_are_the_newest_first_page_after_page(caller: Caller) -> None:
    caller.fake.records = [record(id=number) for number in range(1, 702)]
    found = caller.call("withdrawals", limit=700)
    assert [int(one.withdrawal_id) for one in found] == list(range(701, 1, -1))
    assert [seen.query.get("from") for seen in caller.fake.seen] == [None, "201"]


def test_withdrawals_between_two_times_are_looked_for(caller: Caller) -> None:
    hour_ms = 3_600_000
    caller.fake.records = [record(id=n, **{"created-at": NOW_MS + n * hour_ms}) for n in range(1, 1_200)]
    found = caller.call("withdrawals", from_ms=NOW_MS + 600 * hour_ms, to_ms=NOW_MS + 602 * hour_ms)
    assert [one.withdrawal_id for one in found] == ["602", "601", "600"]
    assert caller.fake.count(RECORDS) == 2


def test_no_withdrawals_are_no_withdrawals(caller: Caller) -> None:
    caller.fake.records = []
    assert caller.call("withdrawals", "trc20usdt") == ()
    assert caller.fake.seen[0].query["currency"] == "usdt"


def test_the_balance_is_what_is_free_and_what_is_not(caller: Caller) -> None:
    (line,) = caller.call("balances")
    assert (line.wallet, line.currency) == ("account", "USDT")
    assert (line.available, line.held) == (Decimal("90.000001"), Decimal("9.999999"))


def test_deposits_stay_reachable_under_their_own_name(caller: Caller) -> None:
    caller.fake.records = [
        record(id=7, type="deposit", state="safe"),
        record(id=8, type="deposit", state="safe"),
    ]
    assert [one.id for one in caller.call("call", "deposits", size=1)] == [8]


@pytest.mark.parametrize("state", ["sparkling", ""])
def test_a_record_that_makes_no_sense_is_a_bad_reply(caller: Caller, state: str) -> None:
    caller.fake.records = [record(state=state)]
    with pytest.raises(BadReply):
        caller.call("withdrawal", "41")


# --- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"wallet_private_key": "12"},
        {"wallet_private_key": "0" * 64},
        {"wallet_private_key": WALLET_KEY, "sign_content": sign},
        {"sign_content": "not a function"},
        {"access_key": ""},
        {"secret_key": ""},
        {"secret_key": "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"},
        {"memo": "canary"},
    ],
)
def test_unusable_credentials_are_refused_without_being_shown(changes: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"access_key": KEY, "secret_key": SECRET} | changes
    with pytest.raises(ValueError, match=r".") as caught:
        connect("sunx", **settings)
    told = "".join(traceback.TracebackException.from_exception(caught.value).format())
    assert "canary" not in told
    assert WALLET_KEY not in told


def test_neither_secret_nor_signature_shows(caller: Caller) -> None:
    prepared = caller.call("prepare", *WITHDRAWAL)
    unknown = unknown_of(caller)
    signatures = {quote(seen.query["Signature"], safe="") for seen in caller.fake.seen}
    text = "\n".join([repr(prepared), repr(unknown), str(unknown), str(vars(unknown))])
    for secret in (SECRET, WALLET_KEY, sign(CONTENT), *signatures):
        assert secret not in text


def test_the_entry_names_its_options() -> None:
    assert [
        (option.name, option.required, option.secret, option.in_code_only) for option in ENTRY.options
    ] == [
        ("access_key", True, False, False),
        ("secret_key", True, True, False),
        ("wallet_private_key", False, True, False),
        ("sign_content", False, False, True),
    ]
    assert ENTRY.base_url == "https://api.sunx.io"
