"""What the client of Zoomex reads, from the dialect and from replies as the venue words them."""

from __future__ import annotations

from decimal import Decimal

import httpx2
import msgspec
import pytest

from penstock.client import (
    BadReply,
    NoAnswer,
    NotOffered,
    Status,
    VenueRefused,
)
from penstock.client.zoomex_reading import PIECE_MS
from penstock.core.secret import Secret
from penstock.core.states import State
from penstock.core.time import DAY_MS, UnixMs
from penstock.venues.zoomex import client_replies as replies
from penstock.venues.zoomex import client_requests as requests
from penstock.venues.zoomex.replies import STATUSES
from tests.client.caller import Caller
from tests.client.fake_zoomex import FIRST_ID
from tests.client.zoomex_caller import (
    WITHDRAWAL,
    make_caller,
    new_envelope,
    old_envelope,
    record,
)
from tests.venues.zoomex.world import (
    ASSETS,
    KEY,
    NOW_MS,
    RECORDS,
    SECRET,
    TRON_ADDRESS,
    WALLET_BALANCE,
    demo_sign,
)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return make_caller(request.param)


def test_one_withdrawal_is_told(caller: Caller) -> None:
    caller.call("withdraw", *WITHDRAWAL)
    found = caller.call("withdrawal", str(FIRST_ID))
    assert (found.venue, found.withdrawal_id, found.currency) == ("zoomex", str(FIRST_ID), "USDT-TRX")
    assert (found.amount, found.fee, found.net) == (Decimal("26.5"), Decimal(1), Decimal("25.5"))
    assert (found.status, found.venue_status) == (Status.ACCEPTED, "Pending Review")
    assert found.requested_at_ms == NOW_MS
    assert caller.fake.seen[-1].query["withdrawType"] == "2"


def test_a_withdrawal_that_is_not_there_is_said_so(caller: Caller) -> None:
    with pytest.raises(VenueRefused, match="no withdrawal 5"):
        caller.call("withdrawal", "5")
    with pytest.raises(ValueError, match="number"):
        caller.call("withdrawal", "abc")


@pytest.mark.parametrize("state", State)
def test_every_status_of_the_venue_is_one_of_the_clients(caller: Caller, state: State) -> None:
    caller.call("withdraw", *WITHDRAWAL)
    (view,) = caller.fake.records
    caller.fake.records = [msgspec.structs.replace(view, state=state)]
    found = caller.call("withdrawal", str(FIRST_ID))
    assert found.venue_status == STATUSES[state]
    ends = {State.CONFIRMED, State.REJECTED, State.CANCELLED, State.EXPIRED, State.FAILED}
    assert found.status.is_final == (state in ends)
    assert (found.status is Status.DONE) == (state is State.CONFIRMED)


def test_withdrawals_are_read_page_by_page(caller: Caller) -> None:
    for number in range(120):
        caller.call("withdraw", *WITHDRAWAL, request_id=f"r{number}")
    found = caller.call("withdrawals", limit=110)
    assert [one.withdrawal_id for one in found] == [str(FIRST_ID + n) for n in range(119, 9, -1)]
    assert caller.fake.count(RECORDS) == 3
    assert caller.call("withdrawals", "USDT-ETH") == ()
    assert len(caller.call("withdrawals", "USDT-TRX", limit=1000)) == 120
    assert caller.call("withdrawals", "BTC") == ()


def test_a_long_time_is_asked_for_in_pieces_that_miss_and_repeat_nothing(caller: Caller) -> None:
    made_ms = [
        0,
        1_000,
        PIECE_MS - 1_000,
        PIECE_MS,
        PIECE_MS + 1_000,
        2 * PIECE_MS,
        3 * PIECE_MS,
        99 * DAY_MS,
    ]
    for number, at_ms in enumerate(made_ms):
        caller.clock.at_ms = NOW_MS + at_ms
        caller.call("withdraw", *WITHDRAWAL, request_id=f"r{number}")
    caller.clock.at_ms = NOW_MS + 100 * DAY_MS
    every = caller.call("withdrawals", from_ms=NOW_MS)
    assert [one.requested_at_ms - NOW_MS for one in every] == made_ms[::-1]
    some = caller.call("withdrawals", from_ms=NOW_MS + 1_000, to_ms=NOW_MS + 2 * PIECE_MS)
    assert [one.requested_at_ms - NOW_MS for one in some] == made_ms[5:0:-1]
    newest = caller.call("withdrawals", limit=2, from_ms=NOW_MS)
    assert [one.requested_at_ms - NOW_MS for one in newest] == made_ms[:5:-1]
    for seen in caller.fake.seen:
        if "endTime" in seen.query:
            assert int(seen.query["endTime"]) - int(seen.query["startTime"]) <= 30 * 86_400


def test_more_years_than_can_be_asked_for_send_nothing(caller: Caller) -> None:
    with pytest.raises(ValueError, match="days"):
        caller.call("withdrawals", from_ms=0)
    assert not caller.fake.seen


def test_what_a_clock_ahead_of_ours_made_is_told_too(caller: Caller) -> None:
    caller.call("withdraw", *WITHDRAWAL)
    (view,) = caller.fake.records
    caller.fake.records = [msgspec.structs.replace(view, created_ms=UnixMs(NOW_MS + 5_000))]
    assert len(caller.call("withdrawals", from_ms=NOW_MS - DAY_MS)) == 1


def test_balances_are_those_of_two_wallets(caller: Caller) -> None:
    fund, spot = caller.call("balances")
    assert (fund.wallet, fund.currency, fund.available, fund.held) == ("fund", "USDT", Decimal("2.5"), 1)
    assert (spot.wallet, spot.currency, spot.available) == ("spot", "BTC", Decimal("1.23456789"))


def test_a_fee_is_on_top(caller: Caller) -> None:
    fee = caller.call("fee", "USDT", network="tron")
    assert (fee.currency, fee.fee, fee.minimum, fee.decimals) == ("USDT-TRX", 1, 5, 6)
    assert fee.on_top
    assert caller.call("fee", "BTC").currency == "BTC-BTC"
    for name in ("USDT", "USDT-DOGE", "DOGE"):
        with pytest.raises(ValueError, match="lists no single"):
            caller.call("fee", name)


def test_currencies_are_coins_on_chains(caller: Caller) -> None:
    listed = {one.currency: one for one in caller.call("currencies")}
    assert {"BTC-BTC", "USDT-ETH", "USDT-TRX", "USDT-BSC"} <= listed.keys()
    assert (listed["USDT-BSC"].withdraw_enabled, listed["USDT-BSC"].deposit_enabled) == (True, False)
    assert (listed["USDT-TRX"].fee, listed["USDT-TRX"].minimum) == (1, 5)
    assert (listed["USDT-TRX"].coin, listed["USDT-TRX"].network) == ("USDT", "TRX")


def test_a_deposit_address_is_on_one_chain(caller: Caller) -> None:
    found = caller.call("deposit_address", "USDT", network="TRC20")
    assert (found.currency, found.address) == ("USDT-TRX", TRON_ADDRESS)
    with pytest.raises(ValueError, match="ETH, TRX"):
        caller.call("deposit_address", "USDT")
    with pytest.raises(VenueRefused, match="no deposit address"):
        caller.call("deposit_address", "USDT", network="BSC")


def test_there_is_no_address_book_to_read(caller: Caller) -> None:
    with pytest.raises(NotOffered, match="address book"):
        caller.call("addresses")
    assert not caller.fake.seen


def test_the_venues_own_calls_go_by_their_own_names(caller: Caller) -> None:
    (account,) = caller.call("call", "wallet_balance", account_type="UNIFIED", coin="BTC,ETH")
    assert [(line.coin, line.wallet_balance) for line in account.coin] == [("BTC", "1"), ("ETH", "0")]
    assert caller.fake.seen[-1].headers["x-bapi-sign-type"] == "2"
    assert "sign" not in caller.fake.seen[-1].query
    assert caller.call("call", "market_time") == NOW_MS
    assert caller.call("call", "query_asset_info", account_type="SPOT").status == "ACCOUNT_STATUS_NORMAL"
    assert [coin.coin for coin in caller.call("call", "query_info", coin="BTC")] == ["BTC"]
    assert len(caller.call("call", "deposit_query_address", coin="USDT")) == 2
    page = caller.call("call", "deposit_query_record", coin="USDT", chain="TRX", from_s=NOW_MS // 1000)
    assert [(row.coin, row.amount, row.status) for row in page.rows] == [("USDT", "59", "1")]


def test_reading_is_signed_in_the_style_of_the_pages(caller: Caller) -> None:
    caller.call("balances")
    for seen in caller.fake.seen:
        said = dict(seen.query)
        sign = said.pop("sign")
        assert (sign, sign) == (demo_sign(said), seen.headers["x-bapi-sign"])
        assert seen.body == b""


def test_a_signed_target_stays_out_of_what_is_shown(caller: Caller) -> None:
    prepared = caller.call("prepare", *WITHDRAWAL)
    request = requests.query_info(requests.Credentials(KEY, Secret.of(SECRET)), NOW_MS)
    sign = dict(request.headers)["X-BAPI-SIGN"]
    assert sign in request.target
    assert sign not in repr(request)
    assert dict(prepared.request.headers)["X-BAPI-SIGN"] not in repr(prepared)


def test_a_reader_told_to_wait_waits_as_long_as_it_is_told(caller: Caller) -> None:
    for resets_ms in (NOW_MS + 700, NOW_MS + 3_600_000):
        caller.fake.then(
            ASSETS,
            200,
            new_envelope({}, 10006, "Too many visits!"),
            x_bapi_limit_reset_timestamp=str(resets_ms),
        )
    caller.call("balances")
    assert caller.pauses_ms == [700, 5_000]


def test_a_lost_read_is_asked_for_again_and_then_given_up(caller: Caller) -> None:
    caller.fake.then_raise(ASSETS, httpx2.ReadTimeout("slow"))
    caller.fake.then(ASSETS, 502, b"<html>")
    assert len(caller.call("balances")) == 2
    assert caller.pauses_ms == [250, 1_000]
    for _ in range(3):
        caller.fake.then_raise(ASSETS, httpx2.ReadTimeout("slow"))
    with pytest.raises(NoAnswer):
        caller.call("balances")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        old_envelope({"rows": [record(status="Unheard of")], "cursor": ""}),
        old_envelope({"rows": [record(amount="NaN")], "cursor": ""}),
        old_envelope({"rows": [record(create_time="soon")], "cursor": ""}),
        old_envelope({"rows": [{}], "cursor": ""}),
        old_envelope(None),
    ],
)
def test_a_reply_that_makes_no_sense_is_said_to_be_unreadable(caller: Caller, body: bytes) -> None:
    caller.fake.then(RECORDS, 200, body)
    with pytest.raises(BadReply):
        caller.call("withdrawals")
    assert caller.fake.count(RECORDS) == 1


def test_a_reading_refusal_is_told_once(caller: Caller) -> None:
    caller.fake.then(WALLET_BALANCE, 200, new_envelope({}, 10010, "Unmatched IP"))
    with pytest.raises(VenueRefused) as caught:
        caller.call("call", "wallet_balance")
    assert (caught.value.code, len(caller.fake.seen)) == ("10010", 1)


def test_the_venues_own_sample_record_is_read() -> None:
    """Without withdraw_type, and with the words of the enumeration."""
    body = old_envelope({"rows": [record(status="Transferred successfully", tx_id="ab")], "cursor": ""})
    (row,) = replies.read_records(200, body).rows
    assert (row.withdraw_type, row.status, row.tx_id) == (None, "Transferred successfully", "ab")
