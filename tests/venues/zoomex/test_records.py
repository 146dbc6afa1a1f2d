from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from penstock.core.amounts import Units
from penstock.core.ids import WithdrawalId
from penstock.core.queries import Account, FindDeposits, FindWithdrawals
from penstock.core.states import State
from penstock.core.time import DAY_MS, UnixMs
from penstock.core.views import DepositView, KeyView, WithdrawalView
from penstock.venues.venue import Ask, Reply, Request
from penstock.venues.zoomex.replies import STATUSES
from tests.venues.zoomex.world import (
    ACCOUNT,
    DEPOSITS,
    ME,
    NOW_MS,
    RECORDS,
    RIPPLE_ADDRESS,
    TRON_ADDRESS,
    answer,
    both,
    by_headers,
    by_parameters,
    demo_sign,
    make_key,
    outcome,
    raw,
    refusal,
)

GOLDEN = Path(__file__).parent / "golden"
ID = 380_000_000_000_000_001
TX_HASH = "ab" * 32
NOW_S = NOW_MS // 1000
MONTH_S = 30 * 86_400


def a_withdrawal(**changes: object) -> WithdrawalView:
    fields: dict[str, object] = {
        "withdrawal_id": WithdrawalId(ID),
        "account_id": ACCOUNT,
        "venue": "zoomex",
        "asset": "USDT",
        "network": "tron",
        "wallet": "fund",
        "amount": Units(26_500_000),
        "fee": Units(1_000_000),
        "net": Units(25_500_000),
        "address": TRON_ADDRESS,
        "memo": "",
        "recipient": "",
        "state": State.CONFIRMED,
        "reason": "",
        "tx_hash": TX_HASH,
        "confirmations": 19,
        "created_ms": NOW_MS,
        "updated_ms": UnixMs(NOW_MS + 61_005),
        "request_id": "req0001",
        "debit_asset": "USDT",
    }
    return WithdrawalView(**(fields | changes))  # type: ignore[arg-type]


def a_transfer(**changes: object) -> WithdrawalView:
    fields: dict[str, object] = {
        "withdrawal_id": ID + 1,
        "network": "",
        "amount": 1_000_000,
        "fee": 0,
        "net": 1_000_000,
        "address": "",
        "recipient": "876940329",
        "tx_hash": "",
        "confirmations": 0,
    }
    return a_withdrawal(**(fields | changes))


def a_deposit(**changes: object) -> DepositView:
    fields: dict[str, object] = {
        "deposit_id": ID + 2,
        "account_id": ACCOUNT,
        "asset": "USDT",
        "network": "tron",
        "wallet": "fund",
        "amount": Units(59_000_000),
        "address": TRON_ADDRESS,
        "tx_id": "cd" * 32,
        "created_ms": UnixMs(NOW_MS + 999),
    }
    return DepositView(**(fields | changes))  # type: ignore[arg-type]


TAGGED = a_withdrawal(
    withdrawal_id=ID + 3,
    asset="XRP",
    network="ripple",
    amount=20_250_000,
    fee=250_000,
    net=20_000_000,
    address=RIPPLE_ADDRESS,
    memo="7001",
    state=State.HELD,
    tx_hash="",
)
PHONE = a_transfer(withdrawal_id=ID + 4, recipient="+61 412345678", remark="rent")


def query_of(request: Request, key: KeyView | None = None) -> FindWithdrawals:
    """What query-record asks for once the account is known."""
    asked = outcome(request, key)
    assert isinstance(asked, Ask)
    assert asked.question == Account(ACCOUNT)
    then = asked.write(ME)
    assert isinstance(then, Ask)
    assert isinstance(then.question, FindWithdrawals)
    return then.question


def deposits_query_of(members: dict[str, object]) -> FindDeposits:
    asked = outcome(by_parameters(DEPOSITS, members))
    assert isinstance(asked, Ask)
    assert isinstance(asked.question, FindDeposits)
    return asked.question


def rows_of(reply: Reply) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(reply.body)["result"]
    return result


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")


def test_withdrawals_are_told_byte_for_byte() -> None:
    views = [PHONE, TAGGED, a_transfer(), a_withdrawal()]
    for request in both(RECORDS, {"withdrawType": "2"}):
        assert answer(request, ME, views).body == golden("withdraw_records")


def test_deposits_are_told_byte_for_byte() -> None:
    received = a_deposit(deposit_id=ID + 5, network="", address="", tx_id="", internal=True)
    for request in both(DEPOSITS, {"type": "2"}):
        assert answer(request, [received, a_deposit()]).body == golden("deposit_records")


def test_no_rows_are_no_error() -> None:
    assert answer(by_parameters(RECORDS, {"withdrawId": "5"}), ME, []).body == golden("withdraw_records_none")


def test_without_filters_the_last_30_days_on_the_chain_are_shown() -> None:
    assert query_of(by_parameters(RECORDS, {})) == FindWithdrawals(
        account_id=ACCOUNT,
        limit=21,
        venue="zoomex",
        on_chain=True,
        from_ms=UnixMs(NOW_MS - 30 * DAY_MS),
    )


@pytest.mark.parametrize("withdraw_type, on_chain", [("0", True), ("1", False), ("2", None), ("", True)])
def test_the_type_chooses_chain_or_transfers_or_both(withdraw_type: str, on_chain: bool | None) -> None:
    for request in both(RECORDS, {"withdrawType": withdraw_type}):
        assert query_of(request).on_chain is on_chain


def test_every_filter_reaches_the_reader() -> None:
    members = {
        "withdrawId": str(ID),
        "txid": TX_HASH,
        "coin": "USDT",
        "withdrawType": 2,
        "startTime": NOW_S - 5,
        "endTime": NOW_S,
        "pageSize": 50,
    }
    asked = query_of(by_parameters(RECORDS, members))
    assert (asked.ids, asked.tx_hash, asked.assets, asked.limit) == ((ID,), TX_HASH, ("USDT",), 51)
    assert (asked.from_ms, asked.before_ms) == ((NOW_S - 5) * 1000, (NOW_S + 1) * 1000)


def test_what_shows_no_transaction_yet_is_not_found_by_it() -> None:
    asked = query_of(by_parameters(RECORDS, {"txid": TX_HASH}))
    assert asked.states is not None
    for state in State:
        shown = rows_of(answer(by_parameters(RECORDS, {}), ME, [a_withdrawal(state=state)]))
        assert (shown["rows"][0]["tx_id"] != "") == (state in asked.states)


@pytest.mark.parametrize("by", [{"withdrawId": "5"}, {"txid": "ab"}])
def test_one_withdrawal_is_found_however_old(by: dict[str, str]) -> None:
    asked = query_of(by_parameters(RECORDS, by))
    assert (asked.from_ms, asked.before_ms) == (None, None)


def test_a_number_that_no_withdrawal_can_have_finds_none() -> None:
    assert query_of(by_parameters(RECORDS, {"withdrawId": str(2**63 - 1)})).ids == (2**63 - 1,)
    assert query_of(by_parameters(RECORDS, {"withdrawId": str(2**63)})).ids == ()


@pytest.mark.parametrize(
    "times, from_s, before_s",
    [
        ({"startTime": 100}, 100, 100 + MONTH_S + 1),
        ({"endTime": NOW_S}, NOW_S - MONTH_S, NOW_S + 1),
        ({"endTime": 5}, 0, 6),
        ({"startTime": 7, "endTime": 7}, 7, 8),
        ({"startTime": 7, "endTime": 7 + MONTH_S}, 7, 8 + MONTH_S),
    ],
)
def test_times_are_seconds_both_ends_included(times: dict[str, int], from_s: int, before_s: int) -> None:
    asked = query_of(by_parameters(RECORDS, times))
    assert (asked.from_ms, asked.before_ms) == (from_s * 1000, before_s * 1000)
    found = deposits_query_of(dict(times))
    assert (found.from_ms, found.before_ms) == (from_s * 1000, before_s * 1000)


@pytest.mark.parametrize("path", [RECORDS, DEPOSITS])
@pytest.mark.parametrize(
    "members",
    [
        {"startTime": 8, "endTime": 7},
        {"startTime": 7, "endTime": 8 + MONTH_S},
        {"startTime": NOW_MS},
        {"startTime": "-1"},
        {"startTime": "1.5"},
        {"endTime": "\uff11\uff10"},
        {"pageSize": 0},
        {"pageSize": 51},
        {"pageSize": 101},
        {"pageSize": "010"},
        {"pageSize": "\uff11\uff10"},
        {"cursor": "forged"},
        {"cursor": "a&b"},
        {"coin": "a b"},
    ],
)
def test_a_filter_out_of_its_form_is_a_bad_parameter(path: str, members: dict[str, object]) -> None:
    for request in both(path, members):
        assert refusal(outcome(request)) == (200, 10001)


@pytest.mark.parametrize(
    "members", [{"withdrawType": 3}, {"withdrawId": "abc"}, {"withdrawId": "0"}, {"txid": "a-b"}]
)
def test_a_withdrawal_filter_out_of_its_form_is_a_bad_parameter(members: dict[str, object]) -> None:
    for request in both(RECORDS, members):
        assert refusal(outcome(request)) == (200, 10001)


@pytest.mark.parametrize("state", State)
def test_every_state_shows_as_a_status_of_the_venue(state: State) -> None:
    row = rows_of(answer(by_parameters(RECORDS, {}), ME, [a_withdrawal(state=state)]))["rows"][0]
    assert row["status"] == STATUSES[state]
    assert row["status"] in {
        *("Pending Review", "Pending Transfer", "Transferred successfully"),
        *("Rejected", "Cancelled", "Fail"),
    }


@pytest.mark.parametrize("state", [State.HELD, State.PLANNED, State.SIGNED, State.REJECTED, State.FAILED])
def test_no_transaction_is_shown_before_its_bytes_left_or_after_it_failed(state: State) -> None:
    row = rows_of(answer(by_parameters(RECORDS, {}), ME, [a_withdrawal(state=state)]))["rows"][0]
    assert row["tx_id"] == ""


# --- deposits ----------------------------------------------------------------------------------------------


def test_deposits_have_filters_of_their_own() -> None:
    members: dict[str, object] = {"type": 1, "chain": "TRX", "coin": "USDT", "txId": "ab", "pageSize": 1}
    assert deposits_query_of(members) == FindDeposits(
        account_id=ACCOUNT,
        limit=2,
        assets=("USDT",),
        networks=("tron",),
        tx_id="ab",
        internal=True,
    )


@pytest.mark.parametrize("kind, internal", [(None, False), (0, False), (1, True), (2, None)])
def test_the_type_of_a_deposit_chooses_where_it_came_from(kind: int | None, internal: bool | None) -> None:
    assert deposits_query_of({} if kind is None else {"type": kind}).internal is internal


def test_an_unknown_chain_has_no_deposits() -> None:
    assert deposits_query_of({"chain": "DOGE"}).networks == ()


@pytest.mark.parametrize("members", [{"type": 3}, {"txid": "ab"}, {"withdrawId": "5"}])
def test_a_deposit_filter_out_of_its_form_is_a_bad_parameter(members: dict[str, object]) -> None:
    assert refusal(outcome(by_parameters(DEPOSITS, members))) == (200, 10001)


# --- pages -------------------------------------------------------------------------------------------------


def first_page(key: KeyView | None = None, **members: object) -> str:
    """The cursor after a page of two of three."""
    views = [a_withdrawal(withdrawal_id=WithdrawalId(ID - n)) for n in range(3)]
    request = by_parameters(RECORDS, {"pageSize": 2, **members})
    page = rows_of(answer(request, ME, views, key=key))
    assert [row["withdraw_id"] for row in page["rows"]] == [str(ID), str(ID - 1)]
    return str(page["cursor"])


def test_a_page_ends_in_a_cursor_only_where_there_is_more() -> None:
    two = [a_withdrawal(), a_withdrawal(withdrawal_id=WithdrawalId(ID - 1))]
    page = rows_of(answer(by_parameters(RECORDS, {"pageSize": 2}), ME, two))
    assert (len(page["rows"]), page["cursor"]) == (2, "")
    assert first_page() != ""


def test_a_cursor_leads_to_what_is_older_than_its_page() -> None:
    asked = query_of(by_parameters(RECORDS, {"pageSize": 50, "cursor": first_page()}))
    assert (asked.before, asked.limit) == (ID - 1, 51)


def test_a_cursor_needs_no_encoding_in_a_query() -> None:
    cursor = first_page()
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert query_of(by_headers(RECORDS, query=f"cursor={cursor}")).before == ID - 1


def test_a_cursor_shows_what_the_venues_own_do() -> None:
    cursor = first_page()
    seen = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    assert (seen["minID"], seen["maxID"]) == (ID - 1, ID)


@pytest.mark.parametrize(
    "changed",
    [{"coin": "BTC"}, {"withdrawType": 2}, {"startTime": NOW_S}, {"endTime": NOW_S}, {"txid": "ab"}],
)
def test_a_cursor_is_bound_to_its_filters(changed: dict[str, object]) -> None:
    members = {"cursor": first_page(), **changed}
    assert refusal(outcome(by_parameters(RECORDS, members))) == (200, 10001)
    again = {"cursor": first_page(**changed), **changed}
    assert isinstance(outcome(by_parameters(RECORDS, again)), Ask)


def test_a_cursor_is_bound_to_its_list() -> None:
    assert refusal(outcome(by_parameters(DEPOSITS, {"cursor": first_page()}))) == (200, 10001)


def test_a_cursor_is_bound_to_its_account() -> None:
    request = by_parameters(RECORDS, {"cursor": first_page()})
    assert refusal(outcome(request, make_key(account_id=8))) == (200, 10001)


def test_a_cursor_is_bound_to_its_key() -> None:
    members = {"cursor": first_page(), "api_key": "another", "timestamp": str(NOW_MS)}
    query = urlencode(members | {"sign": demo_sign(members, "another secret")}).encode()
    another = make_key(key_id="another", secret=b"another secret")
    assert refusal(outcome(raw(RECORDS, query=query), another)) == (200, 10001)


def test_no_changed_cursor_is_taken() -> None:
    cursor = first_page()
    for at in range(len(cursor)):
        for other in "A0_":
            changed = cursor[:at] + other + cursor[at + 1 :]
            asked = outcome(by_headers(RECORDS, query=f"cursor={changed}"))
            # The last character holds bits that mean nothing: the same cursor may be written in two ways.
            if isinstance(asked, Ask):
                assert at == len(cursor) - 1 or changed == cursor
            else:
                assert refusal(asked) == (200, 10001)


@pytest.mark.parametrize(
    "inside",
    [
        b"{}",
        b'{"minID":1,"maxID":2,"mark":"x"}',
        b'{"minID":1,"maxID":2,"mark":"\xc3\xa9"}',
        b'{"minID":%d,"maxID":2,"mark":"x"}' % 10**60,
        b'{"minID":-1,"maxID":2,"mark":"x"}',
        b"\xff",
        b"null",
    ],
)
def test_a_made_up_cursor_is_refused(inside: bytes) -> None:
    cursor = base64.urlsafe_b64encode(inside).rstrip(b"=").decode()
    assert refusal(outcome(by_parameters(RECORDS, {"cursor": cursor}))) == (200, 10001)


def test_deposits_have_pages_too() -> None:
    views = [a_deposit(deposit_id=ID - n) for n in range(2)]
    request = by_parameters(DEPOSITS, {"pageSize": 1})
    cursor = rows_of(answer(request, views))["cursor"]
    assert deposits_query_of({"cursor": cursor}).before == ID
