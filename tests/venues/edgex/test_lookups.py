from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from penstock.core.amounts import Units
from penstock.core.ids import WithdrawalId
from penstock.core.queries import Account, Balances, FindWithdrawals
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import AccountView, BalanceView, Move
from penstock.venues.edgex import Edgex
from penstock.venues.edgex.coins import MAINNET_USD
from penstock.venues.edgex.cursors import Cursors
from penstock.venues.edgex.records import STATUSES, states_of, status_of
from penstock.venues.venue import Ask, Reply
from tests.venues.edgex.world import (
    ACCOUNT,
    ACCOUNT_ID,
    CLIENT_ID,
    NORMAL_CREATE,
    NOW_MS,
    PUBLIC_X,
    TX_HASH,
    WITHDRAW,
    WORLD,
    a_withdrawal,
    answer,
    create_members,
    data,
    extra_of,
    get,
    make_key,
    outcome,
    post,
    public,
    refusal,
)

GOLDEN = Path(__file__).parent / "golden"
BY_ID = f"{WITHDRAW}/getWithdrawById"
BY_CLIENT_ID = f"{WITHDRAW}/getWithdrawByClientWithdrawId"
ACTIVE = f"{WITHDRAW}/getActiveWithdraw"
AVAILABLE = f"{WITHDRAW}/getWithdrawAvailableAmount"
TRANSFER_AVAILABLE = "/api/v1/private/transfer/getTransferOutAvailableAmount"
ASSET = "/api/v1/private/account/getAccountAsset"
ACCOUNT_BY_ID = "/api/v1/private/account/getAccountById"
NORMAL = "/api/v1/private/assets/getNormalWithdrawById"
SERVER_TIME = "/api/v1/public/meta/getServerTime"
META_DATA = "/api/v1/public/meta/getMetaData"
INVALID = (400, "GATEWAY_PARAM_INVALID")
REQUIRED = (400, "GATEWAY_PARAM_REQUIRED")

OLDER = a_withdrawal(
    withdrawal_id=WithdrawalId(563_516_408_235_819_700),
    amount=Units(2_500_001),
    state=State.REJECTED,
    reason="the destination is on a list",
    request_id="client_withdraw_122",
    created_ms=UnixMs(NOW_MS - 60_000),
    extra=extra_of(
        create_members(clientWithdrawId="client_withdraw_122", extraType="batch", extraDataJson='{"row":1}')
    ),
)
OWNER = AccountView(
    account_id=ACCOUNT,
    account_number="876940329",
    email="",
    phone="",
    is_sub_account=False,
    may_withdraw=True,
    frozen=False,
    created_ms=UnixMs(1_730_204_434_094),
)
BALANCES = [
    BalanceView("fund", "USDT", Units(77), Units(0)),
    BalanceView("spot", "ETH", Units(10**18), Units(0)),
    BalanceView("spot", "USDT", Units(90_000_000), Units(10_000_001)),
]

ANSWERED: dict[str, tuple[str, dict[str, str], tuple[object, ...]]] = {
    "by_id": (BY_ID, {"withdrawIdList": "1,563516408235819700"}, ([OLDER],)),
    "by_client_id": (BY_CLIENT_ID, {"clientWithdrawIdList": f"{CLIENT_ID},x"}, ([a_withdrawal()],)),
    "active": (ACTIVE, {}, ([a_withdrawal(state=State.SENT), OLDER],)),
    "active_more": (
        ACTIVE,
        {"size": "1", "filterCoinIdList": "1000"},
        ([a_withdrawal(state=State.HELD), OLDER],),
    ),
    "available": (AVAILABLE, {"coinId": "1000"}, (BALANCES,)),
    "account_asset": (ASSET, {}, (OWNER, BALANCES)),
    "account_by_id": (ACCOUNT_BY_ID, {}, (OWNER,)),
    "normal_by_id": (
        NORMAL,
        {"normalWithdrawIdList": "563516408235819790"},
        ([a_withdrawal(state=State.CONFIRMED)],),
    ),
}
PUBLIC = {"server_time": SERVER_TIME, "metadata": META_DATA}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_written_byte_for_byte(name: str) -> None:
    path, parameters, values = ANSWERED[name]
    reply = answer(get(path, parameters), *values)
    assert (reply.status, reply.body) == (200, golden(name))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_answer_is_written_byte_for_byte(name: str) -> None:
    reply = outcome(public(PUBLIC[name]))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, golden(name))


def test_every_golden_file_belongs_to_a_test() -> None:
    others = {"create_withdraw", "refused"}  # in test_errors.py
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*ANSWERED, *PUBLIC, *others}


def test_the_official_sdks_path_gives_the_same_available_amount() -> None:
    reply = answer(get(TRANSFER_AVAILABLE, {"coinId": "1000"}), BALANCES)
    assert reply.body == golden("available")


def test_nothing_owned_is_zero_with_all_its_places() -> None:
    assert data(answer(get(AVAILABLE, {"coinId": "1000"}), [])) == {"availableAmount": "0.000000"}


# --- what is asked of the readers ----------------------------------------------------------------------------

FIND = FindWithdrawals(ACCOUNT, 100, venue="edgex", with_moves=True)


def asked(path: str, parameters: dict[str, str]) -> object:
    found = outcome(get(path, parameters))
    assert isinstance(found, Ask), found
    return found.question


PENDING_STATES = (
    State.CHALLENGED,
    State.HELD,
    State.AWAITING_APPROVAL,
    State.APPROVED,
    State.PLANNED,
    State.QUARANTINED,
)


@pytest.mark.parametrize(
    "path, parameters, changes",
    [
        (BY_ID, {"withdrawIdList": "2,1,2"}, {"ids": (2, 1)}),
        (BY_ID, {"withdrawIdList": str(2**63 - 1)}, {"ids": (2**63 - 1,)}),
        (BY_CLIENT_ID, {"clientWithdrawIdList": "b,a,b"}, {"request_ids": ("b", "a")}),
        (BY_CLIENT_ID, {"clientWithdrawIdList": "a=b,\x01,ж"}, {"request_ids": ("ж",)}),
        (ACTIVE, {}, {"limit": 101}),
        (ACTIVE, {"size": ""}, {"limit": 101}),
        (ACTIVE, {"size": "1"}, {"limit": 2}),
        (ACTIVE, {"size": "100"}, {"limit": 101}),
        (ACTIVE, {"filterCoinIdList": "1000,7"}, {"limit": 101, "assets": ("USDT",)}),
        (ACTIVE, {"filterStatusList": "PENDING_CENSORING"}, {"limit": 101, "states": PENDING_STATES}),
        (
            ACTIVE,
            {"filterStatusList": "SUCCESS_L2_APPROVED,FAILED_L2_REJECT_APPROVED"},
            {"limit": 101, "states": (State.CONFIRMED, State.FAILED)},
        ),
        (
            ACTIVE,
            {"filterStartCreatedTimeInclusive": "5", "filterEndCreatedTimeExclusive": "5"},
            {"limit": 101, "from_ms": UnixMs(5), "before_ms": UnixMs(5)},
        ),
        (
            ACTIVE,
            {"filterStartCreatedTimeInclusive": "0", "filterEndCreatedTimeExclusive": "", "offsetData": ""},
            {"limit": 101},
        ),
        (NORMAL, {"normalWithdrawIdList": "3"}, {"ids": (3,)}),
        (NORMAL, {"size": "10", "offsetData": "x", "filterStatusList": "y"}, {"limit": 1_000}),
    ],
)
def test_a_query_becomes_a_question(path: str, parameters: dict[str, str], changes: dict[str, Any]) -> None:
    assert asked(path, parameters) == msgspec.structs.replace(FIND, **changes)


def test_the_account_and_its_money_are_asked_for_by_account() -> None:
    assert asked(AVAILABLE, {"coinId": "1000"}) == Balances(ACCOUNT)
    assert asked(ACCOUNT_BY_ID, {}) == Account(ACCOUNT)
    assert asked(ASSET, {}) == Account(ACCOUNT)


def test_a_list_may_be_sent_as_repeats() -> None:
    query = f"accountId={ACCOUNT_ID}&withdrawIdList=1&withdrawIdList=2"
    found = outcome(get(BY_ID, query=query, signed=query))
    assert isinstance(found, Ask)
    assert found.question == msgspec.structs.replace(FIND, ids=(1, 2))


def test_ids_are_answered_in_the_order_asked_and_unknown_ones_are_missing() -> None:
    ids = f"{OLDER.withdrawal_id},5,{a_withdrawal().withdrawal_id}"
    rows = data(answer(get(BY_ID, {"withdrawIdList": ids}), [a_withdrawal(), OLDER]))
    assert [row["clientWithdrawId"] for row in rows] == ["client_withdraw_122", CLIENT_ID]
    rows = data(
        answer(
            get(BY_CLIENT_ID, {"clientWithdrawIdList": f"client_withdraw_122,5,{CLIENT_ID}"}),
            [a_withdrawal(), OLDER],
        )
    )
    assert [row["clientWithdrawId"] for row in rows] == ["client_withdraw_122", CLIENT_ID]
    assert data(answer(get(BY_ID, {"withdrawIdList": "5"}), [])) == []


MANY = ",".join(str(one) for one in range(1, 10_001))


@pytest.mark.parametrize(
    "path, parameters, expected",
    [
        (BY_ID, {}, REQUIRED),
        (BY_ID, {"withdrawIdList": ""}, REQUIRED),
        (BY_ID, {"withdrawIdList": "x"}, INVALID),
        (BY_ID, {"withdrawIdList": "1,,2"}, INVALID),
        (BY_ID, {"withdrawIdList": "01"}, INVALID),
        (BY_ID, {"withdrawIdList": "-1"}, INVALID),
        (BY_ID, {"withdrawIdList": str(2**63)}, INVALID),
        (BY_ID, {"withdrawIdList": "1" * 5_000}, INVALID),
        (BY_ID, {"withdrawIdList": MANY}, INVALID),
        (BY_ID, {"withdrawIdList": ",".join(["1"] * 101)}, INVALID),
        (BY_CLIENT_ID, {}, REQUIRED),
        (BY_CLIENT_ID, {"clientWithdrawIdList": ","}, INVALID),
        (BY_CLIENT_ID, {"clientWithdrawIdList": MANY}, INVALID),
        (BY_CLIENT_ID, {"clientWithdrawIdList": "x" * 257}, INVALID),
        (NORMAL, {"normalWithdrawIdList": "x"}, INVALID),
        (AVAILABLE, {}, REQUIRED),
        (AVAILABLE, {"coinId": "7"}, (200, "INVALID_COIN_ID")),
        (TRANSFER_AVAILABLE, {"coinId": "USDT"}, (200, "INVALID_COIN_ID")),
        (ACTIVE, {"size": "0"}, (400, "INVALID_GET_PAGE_SIZE")),
        (ACTIVE, {"size": "101"}, (400, "INVALID_GET_PAGE_SIZE")),
        (ACTIVE, {"size": "-1"}, (400, "INVALID_GET_PAGE_SIZE")),
        (ACTIVE, {"size": "\uff11\uff10"}, (400, "INVALID_GET_PAGE_SIZE")),
        (ACTIVE, {"size": "1e1"}, (400, "INVALID_GET_PAGE_SIZE")),
        (ACTIVE, {"size": " 10"}, (400, "INVALID_GET_PAGE_SIZE")),
        (ACTIVE, {"size": "1" * 5_000}, (400, "INVALID_GET_PAGE_SIZE")),
        (ACTIVE, {"filterStatusList": "SUCCESS_XXX"}, INVALID),
        (ACTIVE, {"filterStatusList": "success_l2_approved"}, INVALID),
        (ACTIVE, {"filterStatusList": "INIT"}, INVALID),
        (ACTIVE, {"filterCoinIdList": "USDT"}, INVALID),
        (ACTIVE, {"filterCoinIdList": MANY}, INVALID),
        (ACTIVE, {"filterStartCreatedTimeInclusive": "x"}, INVALID),
        (ACTIVE, {"filterStartCreatedTimeInclusive": "-1"}, INVALID),
        (ACTIVE, {"filterStartCreatedTimeInclusive": "6", "filterEndCreatedTimeExclusive": "5"}, INVALID),
        (ACTIVE, {"offsetData": "x"}, INVALID),
        (ACTIVE, {"offsetData": "é" * 32}, INVALID),
        (ACTIVE, {"offsetData": "=" * 32}, INVALID),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(
    path: str, parameters: dict[str, str], expected: tuple[int, str]
) -> None:
    assert refusal(outcome(get(path, parameters))) == expected


@pytest.mark.parametrize(
    "query",
    ["withdrawIdList=%", "withdrawIdList=%ff", "&".join(f"a{one}=1" for one in range(65)), "%ff=1"],
)
def test_a_broken_query_is_refused(query: str) -> None:
    assert refusal(outcome(get(BY_ID, query=f"{query}&accountId={ACCOUNT_ID}"))) == INVALID


def test_a_parameter_that_is_no_list_comes_once() -> None:
    query = f"accountId={ACCOUNT_ID}&size=1&size=2"
    assert refusal(outcome(get(ACTIVE, query=query, signed=query))) == INVALID


def test_filters_that_nothing_can_match_are_an_empty_page() -> None:
    for parameters in (
        {"filterStatusList": "FAILED_L2_REJECT,UNRECOGNIZED,UNKNOWN_WITHDRAW_STATUS"},
        {"filterCoinIdList": "7"},
    ):
        reply = outcome(get(ACTIVE, parameters))
        assert isinstance(reply, Reply)
        assert data(reply) == {"dataList": [], "nextPageOffsetData": ""}


# --- pages ---------------------------------------------------------------------------------------------------


def token_after(parameters: dict[str, str], key: Any = None) -> str:
    page = data(answer(get(ACTIVE, parameters), [a_withdrawal(), OLDER], key=key))
    assert len(page["dataList"]) == 1
    return page["nextPageOffsetData"]


FILTERED = {"size": "1", "filterCoinIdList": "1000", "filterStatusList": "SUCCESS_L2_APPROVED"}


def test_a_page_goes_on_after_its_last_row() -> None:
    token = token_after(FILTERED)
    question = asked(ACTIVE, FILTERED | {"offsetData": token})
    assert isinstance(question, FindWithdrawals)
    assert question.before == a_withdrawal().withdrawal_id


def test_a_page_of_another_size_may_follow() -> None:
    question = asked(ACTIVE, FILTERED | {"offsetData": token_after(FILTERED), "size": "50"})
    assert isinstance(question, FindWithdrawals)
    assert question.limit == 51


@pytest.mark.parametrize(
    "changes",
    [
        {"filterCoinIdList": ""},
        {"filterCoinIdList": "1000,1001"},
        {"filterStatusList": "PENDING_CENSORING"},
        {"filterStartCreatedTimeInclusive": "1"},
        {"filterEndCreatedTimeExclusive": "99999999999999"},
    ],
)
def test_a_token_belongs_to_its_filters(changes: dict[str, str]) -> None:
    token = token_after(FILTERED)
    assert refusal(outcome(get(ACTIVE, FILTERED | changes | {"offsetData": token}))) == INVALID


def test_a_token_belongs_to_its_account() -> None:
    token = token_after(FILTERED, make_key(account_id=8))
    assert refusal(outcome(get(ACTIVE, FILTERED | {"offsetData": token}))) == INVALID


def test_a_token_belongs_to_the_key_of_this_service() -> None:
    other = Edgex(WORLD, cursor_key=b"another key")
    token = token_after(FILTERED)
    assert refusal(outcome(get(ACTIVE, FILTERED | {"offsetData": token}), venue=other)) == INVALID


def test_every_single_bit_flip_of_a_token_is_refused() -> None:
    cursors = Cursors(b"key")
    token = cursors.write(563_516_408_235_819_790, "list").encode()
    assert cursors.read(token.decode(), "list") == 563_516_408_235_819_790
    for at in range(len(token)):
        for bit in range(8):
            flipped = token[:at] + bytes([token[at] ^ (1 << bit)]) + token[at + 1 :]
            assert cursors.read(flipped.decode("latin-1"), "list") is None


def test_the_last_page_has_no_token() -> None:
    page = data(answer(get(ACTIVE, {"size": "2"}), [a_withdrawal(), OLDER]))
    assert (len(page["dataList"]), page["nextPageOffsetData"]) == (2, "")


def test_a_page_leaves_out_what_the_readers_could_only_guess() -> None:
    signed = a_withdrawal(state=State.QUARANTINED, tx_hash=TX_HASH)
    unsigned = a_withdrawal(state=State.QUARANTINED)
    for status, expected in (("PENDING_CENSORING", unsigned), ("SUCCESS_CENSOR_SUCCESS", signed)):
        page = data(answer(get(ACTIVE, {"filterStatusList": status}), [signed, unsigned]))
        assert [row["status"] for row in page["dataList"]] == [status]
        assert status_of(expected) == status


def test_a_page_leaves_out_another_coin_of_the_same_asset() -> None:
    echo = json.loads(a_withdrawal().extra)
    other = a_withdrawal(extra=json.dumps(["2000", *echo[1:]]))
    page = data(answer(get(ACTIVE, {"filterCoinIdList": "1000"}), [other, a_withdrawal()]))
    assert [row["coinId"] for row in page["dataList"]] == ["1000"]


# --- records -------------------------------------------------------------------------------------------------


def record(**changes: object) -> dict[str, Any]:
    reply = answer(get(BY_ID, {"withdrawIdList": "563516408235819790"}), [a_withdrawal(**changes)])
    (row,) = data(reply)
    return row


def _records(views: list[Any]) -> list[dict[str, Any]]:
    return data(answer(get(ACTIVE, {}), views))["dataList"]


TRACES = ["collateralTransactionId", "censorTxId", "l2TxId"]
TIMES = ["censorTime", "l2RejectTime", "l2ApprovedTime"]
TEXTS = ["censorFailCode", "censorFailReason", "l2RejectCode", "l2RejectReason"]
# The table of the venue's docs: what each status fills besides the constants.
FILLED = {
    "PENDING_CENSORING": set(),
    "SUCCESS_CENSOR_SUCCESS": {*TRACES, "censorTime"},
    "SUCCESS_L2_APPROVED": {*TRACES, "censorTime", "l2ApprovedTime"},
    "FAILED_CENSOR_FAILURE": {"censorTxId", "censorTime", "censorFailCode", "censorFailReason"},
    "FAILED_L2_REJECT_APPROVED": {
        *TRACES,
        "censorTime",
        "l2RejectTime",
        "l2RejectCode",
        "l2RejectReason",
        "l2ApprovedTime",
    },
}


@pytest.mark.parametrize("state", State)
def test_a_record_fills_what_belongs_to_its_status(state: State) -> None:
    row = record(state=state, reason="because")
    filled = {name for name in (*TRACES, *TIMES) if row[name] != "0"}
    filled |= {name for name in TEXTS if row[name]}
    assert filled == FILLED[row["status"]]
    assert row["status"] in STATUSES
    assert all(row[name].isdigit() for name in (*TRACES, *TIMES))


def test_every_status_of_the_docs_is_written_or_said_not_to_be() -> None:
    never = {"FAILED_L2_REJECT", "UNKNOWN_WITHDRAW_STATUS", "UNRECOGNIZED"}
    written = {record(state=state)["status"] for state in State}
    assert written == set(FILLED)
    assert written | never == STATUSES


def test_times_are_those_of_the_moves() -> None:
    row = record(state=State.CONFIRMED)
    assert (row["createdTime"], row["censorTime"], row["l2ApprovedTime"]) == (
        str(NOW_MS),
        str(NOW_MS + 3_000),
        str(NOW_MS + 6_000),
    )
    row = record(state=State.FAILED)
    assert (row["censorTime"], row["l2RejectTime"], row["l2ApprovedTime"]) == (
        str(NOW_MS + 3_000),
        str(NOW_MS + 6_000),
        str(NOW_MS + 6_000),
    )
    assert record(state=State.EXPIRED)["censorTime"] == str(NOW_MS + 1_000)


def test_a_second_signing_does_not_move_the_time_of_the_first() -> None:
    moves = (
        Move(State.HELD, UnixMs(1)),
        Move(State.SIGNED, UnixMs(2)),
        Move(State.QUARANTINED, UnixMs(3)),
        Move(State.SIGNED, UnixMs(4)),
    )
    assert record(state=State.SIGNED, moves=moves)["censorTime"] == "2"


@pytest.mark.parametrize(
    "state, code", [(State.REJECTED, "REJECTED"), (State.CANCELLED, "CANCELLED"), (State.EXPIRED, "EXPIRED")]
)
def test_a_refused_withdrawal_says_why(state: State, code: str) -> None:
    row = record(state=state, reason="policy")
    assert (row["censorFailCode"], row["censorFailReason"]) == (code, "policy")


def test_the_ids_of_what_the_venue_has_inside_never_change_and_differ() -> None:
    first, later = record(state=State.SENT), record(state=State.CONFIRMED)
    assert [first[name] for name in TRACES] == [later[name] for name in TRACES]
    assert len({first["id"], *(first[name] for name in TRACES)}) == 4
    another = _records([a_withdrawal(), OLDER])[1]
    assert another["censorTxId"] != first["censorTxId"]


@pytest.mark.parametrize("state", State)
def test_states_and_statuses_say_the_same(state: State) -> None:
    for hashed in ("", TX_HASH):
        status = status_of(a_withdrawal(state=state, tx_hash=hashed))
        assert state in states_of(frozenset({status}))


def test_the_sent_text_comes_back_as_it_was() -> None:
    lower = create_members(ethAddress=create_members()["ethAddress"].lower())
    row = record(extra=extra_of(lower))
    assert row["ethAddress"] == lower["ethAddress"]
    assert row["amount"] == "10.000000"
    assert row["l2Signature"] == {
        "r": "0x" + lower["l2Signature"][:64],
        "s": "0x" + lower["l2Signature"][64:],
        "v": "",
    }


def test_a_withdrawal_of_a_coin_that_is_no_longer_served_is_still_shown() -> None:
    key = make_key()
    venue = Edgex(WORLD, cursor_key=b"k", coins=())
    found = outcome(get(BY_ID, {"withdrawIdList": "563516408235819790"}), key, venue)
    assert isinstance(found, Ask)
    reply = found.write([a_withdrawal()])
    assert isinstance(reply, Reply)
    assert (data(reply)[0]["coinId"], data(reply)[0]["amount"]) == ("1000", "10.000000")


@pytest.mark.parametrize("state", State)
def test_a_normal_withdrawal_shows_the_transaction_once_it_is_final(state: State) -> None:
    reply = answer(get(NORMAL, {}), [a_withdrawal(state=state)])
    (row,) = data(reply)
    paid = state is State.CONFIRMED
    assert row["status"].startswith("NORMAL_WITHDRAW_")
    assert row["l1ConfirmedTx"]["hash"] == (TX_HASH if paid else "")
    assert (row["l1CompletedTime"] != "0") is paid
    assert row["tradeWithdrawId"] == row["id"]


def test_a_normal_withdrawal_set_aside_after_signing_is_being_paid() -> None:
    (row,) = data(answer(get(NORMAL, {}), [a_withdrawal(state=State.QUARANTINED, tx_hash=TX_HASH)]))
    assert row["status"] == "NORMAL_WITHDRAW_PENDING_L1_CONFIRMING"


def test_a_withdrawal_without_risk_signature_shows_an_empty_one() -> None:
    made = create_members()
    members = {
        name: made[name]
        for name in ("accountId", "coinId", "amount", "ethAddress", "clientWithdrawId", "l2Signature")
    }
    members["expireTime"] = made["l2ExpireTime"]
    found = outcome(post(members, NORMAL_CREATE))
    assert isinstance(found, Ask)
    row = record(extra=found.question.extra)  # type: ignore[union-attr]
    assert row["riskSignature"] == {"r": "", "s": "", "v": ""}


# --- the account ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, status",
    [({}, "NORMAL"), ({"frozen": True}, "DISABLED"), ({"may_withdraw": False}, "DISABLED")],
)
def test_the_account_says_whether_it_may_withdraw(changes: dict[str, bool], status: str) -> None:
    view = msgspec.structs.replace(OWNER, **changes)
    assert data(answer(get(ACCOUNT_BY_ID), view))["status"] == status


def test_a_y_that_was_never_told_is_empty() -> None:
    key = make_key(secret=f"{PUBLIC_X:x}:".encode())
    account = data(answer(get(ACCOUNT_BY_ID), OWNER, key=key))
    assert (account["l2Key"], account["l2KeyYCoordinate"]) == (hex(PUBLIC_X), "")


def test_the_metadata_of_the_main_net_names_its_own_asset() -> None:
    venue = Edgex(WORLD, cursor_key=b"k", coins=(MAINNET_USD,))
    reply = outcome(public(META_DATA), venue=venue)
    assert isinstance(reply, Reply)
    coin = data(reply)["global"]["starkExCollateralCoin"]
    assert (coin["coinName"], int(coin["starkExAssetId"], 16)) == ("USD", MAINNET_USD.stark_asset_id)
    assert data(reply)["global"]["starkExChainId"] == "0x1"


def test_a_catalogue_without_the_coin_serves_none() -> None:
    venue = Edgex(WORLD, cursor_key=b"k", coins=())
    reply = outcome(public(META_DATA), venue=venue)
    assert isinstance(reply, Reply)
    found = data(reply)
    assert (found["coinList"], found["global"]["starkExCollateralCoin"]) == ([], None)
    assert found["multiChain"]["chainList"] == []


def test_a_query_encoded_by_the_standard_library_is_understood() -> None:
    parameters = {"accountId": ACCOUNT_ID, "clientWithdrawIdList": "a b,c/d"}
    found = outcome(get(BY_CLIENT_ID, parameters, query=urlencode(parameters)))
    assert isinstance(found, Ask)
    assert found.question.request_ids == ("a b", "c/d")  # type: ignore[union-attr]
