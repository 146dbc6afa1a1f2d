"""edgeX from the caller's side: what only looks, and the venue's own calls."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from penstock.client import NoAnswer, Status, VenueRefused
from penstock.client.errors import BadReply
from tests.client.caller import Caller
from tests.client.edgex_caller import make_caller
from tests.client.fake_edgex import (
    ACCOUNT,
    ACCOUNT_ID,
    ACTIVE,
    ADDRESS,
    ASSET,
    AVAILABLE,
    BY_CLIENT_ID,
    BY_ID,
    CREATE,
    META,
    METADATA,
    NORMAL,
    NOW_MS,
    TOKEN,
    TRANSFER_AVAILABLE,
    TX_HASH,
    envelope,
    record,
)

WITHDRAWAL = ("USDT", "10.50", ADDRESS)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return make_caller(request.param)


@pytest.fixture
def one() -> Caller:
    """A client that stays."""
    return make_caller("sync")


def test_a_withdrawal_is_read_by_its_id(caller: Caller) -> None:
    caller.fake.listed.append(record())
    found = caller.call("withdrawal", "563516408235819790")
    assert (found.currency, found.amount, found.fee, found.net) == ("USDT", 10, 0, 10)
    assert (found.address, found.status, found.venue_status) == (ADDRESS, Status.DONE, "SUCCESS_L2_APPROVED")
    assert found.requested_at_ms == NOW_MS
    assert caller.fake.count(BY_ID) == 1


def test_a_penstock_tells_what_paid_a_withdrawal_once_it_is_done(caller: Caller) -> None:
    caller.fake.listed.append(record())
    assert caller.call("withdrawal", "563516408235819790").tx_id == TX_HASH
    caller.fake.listed[0]["status"] = "SUCCESS_CENSOR_SUCCESS"
    assert caller.call("withdrawal", "563516408235819790").tx_id == ""
    assert caller.fake.count(NORMAL) == 1


def test_at_the_venue_itself_the_two_services_have_an_id_each(caller: Caller) -> None:
    caller.base_url = "https://pro.edgex.exchange"
    caller.fake.listed.append(record())
    assert caller.call("withdrawal", "563516408235819790").tx_id == ""
    assert caller.fake.count(NORMAL) == 0


@pytest.mark.parametrize("rows", [[], [{"id": "1"}], [{"id": "563516408235819790", "l1ConfirmedTx": None}]])
def test_a_transaction_that_is_not_told_is_empty(one: Caller, rows: object) -> None:
    one.fake.listed.append(record())
    one.fake.then(NORMAL, 200, envelope(rows))
    assert one.call("withdrawal", "563516408235819790").tx_id == ""


def test_an_unknown_withdrawal_is_refused(caller: Caller) -> None:
    with pytest.raises(VenueRefused, match="no withdrawal 5"):
        caller.call("withdrawal", "5")


@pytest.mark.parametrize(
    "status, expected",
    [
        ("PENDING_CENSORING", Status.ACCEPTED),
        ("SUCCESS_CENSOR_SUCCESS", Status.PROCESSING),
        ("SUCCESS_L2_APPROVED", Status.DONE),
        ("FAILED_CENSOR_FAILURE", Status.FAILED),
        ("FAILED_L2_REJECT", Status.FAILED),
        ("FAILED_L2_REJECT_APPROVED", Status.FAILED),
        ("UNKNOWN_WITHDRAW_STATUS", Status.PROCESSING),
        ("UNRECOGNIZED", Status.PROCESSING),
    ],
)
def test_a_status_is_told_in_both_words(one: Caller, status: str, expected: Status) -> None:
    one.fake.listed.append(record(status=status))
    found = one.call("withdrawal", "563516408235819790")
    assert (found.status, found.venue_status) == (expected, status)


def test_withdrawals_are_read_page_by_page(caller: Caller) -> None:
    caller.fake.listed = [record(id=str(count), clientWithdrawId=f"c{count}") for count in range(250)]
    found = caller.call("withdrawals", "USDT", limit=230, from_ms=5, to_ms=9)
    assert [one.withdrawal_id for one in found] == [str(count) for count in range(230)]
    pages = [seen.query for seen in caller.fake.seen if seen.path == ACTIVE]
    assert [page["size"] for page in pages] == ["100", "100", "30"]
    assert {page["filterCoinIdList"] for page in pages} == {"1000"}
    assert {page["filterStartCreatedTimeInclusive"] for page in pages} == {"5"}
    # Our upper bound is included, the venue's is not.
    assert {page["filterEndCreatedTimeExclusive"] for page in pages} == {"10"}


def test_an_empty_page_in_between_is_not_the_end(one: Caller) -> None:
    one.fake.then(ACTIVE, 200, envelope({"dataList": [], "nextPageOffsetData": "0"}))
    one.fake.listed.append(record())
    assert len(one.call("withdrawals")) == 1


def test_a_page_that_leads_to_itself_ends_the_list(one: Caller) -> None:
    for _ in range(2):
        one.fake.then(ACTIVE, 200, envelope({"dataList": [record()], "nextPageOffsetData": "7"}))
    assert len(one.call("withdrawals")) == 2


def test_balances_show_what_can_be_withdrawn_and_what_is_held(caller: Caller) -> None:
    (balance,) = caller.call("balances")
    assert (balance.wallet, balance.currency) == ("collateral", "USDT")
    assert (balance.available, balance.held) == (Decimal("90.000000"), Decimal("10.000001"))


def test_fee_and_currencies_come_from_the_metadata(caller: Caller) -> None:
    fee = caller.call("fee", "1000")
    assert (fee.currency, fee.fee, fee.minimum, fee.decimals, fee.on_top) == ("USDT", 0, 5, 6, False)
    (currency,) = caller.call("currencies")
    assert (currency.currency, currency.network, currency.contract) == ("USDT", "Sepolia - Testnet", TOKEN)
    assert (currency.withdraw_enabled, currency.minimum) == (True, 5)


def test_reads_are_repeated_a_few_times(caller: Caller) -> None:
    caller.fake.then(ASSET, 500, b"")
    caller.fake.then_raise(ASSET, httpx2.ReadTimeout("slow"))
    assert caller.call("balances")
    assert caller.fake.count(ASSET) == 3
    assert caller.pauses_ms == [250, 1_000]


def test_a_read_that_goes_unanswered_says_so(caller: Caller) -> None:
    for _ in range(3):
        caller.fake.then_raise(ASSET, httpx2.ReadTimeout("slow"))
    with pytest.raises(NoAnswer):
        caller.call("balances")


@pytest.mark.parametrize("header, pause_ms", [("2", 2_000), ("999999999", 5_000), ("", 1_000), ("x", 1_000)])
def test_a_read_waits_as_long_as_it_is_told(one: Caller, header: str, pause_ms: int) -> None:
    refused = envelope(None, "RATE_LIMIT_EXCEEDED", "too many requests")
    one.fake.then(ASSET, 429, refused, **({"retry-after": header} if header else {}))
    assert one.call("balances")
    assert one.pauses_ms == [pause_ms]


def test_a_refused_read_is_not_repeated(caller: Caller) -> None:
    caller.fake.then(ASSET, 401, envelope(None, "INVALID_ACCOUNT_ID", "invalid accountId : 1"))
    with pytest.raises(VenueRefused, match="INVALID_ACCOUNT_ID"):
        caller.call("balances")
    assert caller.fake.count(ASSET) == 1


@pytest.mark.parametrize(
    "rows",
    [
        [record() | {"status": "NEW"}],
        [record() | {"amount": "NaN"}],
        [record() | {"createdTime": "soon"}],
        [record() | {"id": 5}],
        {"not": "a list"},
    ],
)
def test_a_record_that_makes_no_sense_is_a_bad_reply(one: Caller, rows: object) -> None:
    one.fake.then(BY_ID, 200, envelope(rows))
    with pytest.raises(BadReply):
        one.call("withdrawal", "563516408235819790")


def metadata_with(change: Callable[[dict[str, Any]], None]) -> bytes:
    changed = copy.deepcopy(METADATA)
    change(changed)
    return envelope(changed)


def main_net(metadata: dict[str, Any]) -> None:
    metadata["global"]["starkExChainId"] = "0xaa36a7"
    metadata["coinList"][0]["coinName"] = "USD"


def test_a_coin_with_another_name_than_its_only_token_is_found(one: Caller) -> None:
    one.fake.then(META, 200, metadata_with(main_net))
    (currency,) = one.call("currencies")
    assert (currency.currency, currency.contract) == ("USD", TOKEN)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["global"].update(starkExChainId=""),
        lambda found: found["global"].update(starkExChainId="0x1"),
        lambda found: found["multiChain"].update(chainList=[]),
        lambda found: found["multiChain"]["chainList"][1].update(tokenList=[]),
        lambda found: found["coinList"][0].update(starkExAssetId=None),
    ],
)
def test_a_coin_without_a_token_where_layer_2_settles_is_not_paid(
    one: Caller, change: Callable[[dict[str, Any]], None]
) -> None:
    one.fake.then(META, 200, metadata_with(change))
    assert one.call("currencies") == ()
    with pytest.raises(ValueError, match="it has: none"):
        one.call("withdraw", *WITHDRAWAL)


@pytest.mark.parametrize("resolution", ["0xf4241", "x", ""])
def test_a_resolution_that_makes_no_sense_pays_nothing(one: Caller, resolution: str) -> None:
    def change(found: dict[str, Any]) -> None:
        found["coinList"][0]["starkExResolution"] = resolution

    for _ in range(2):
        one.fake.then(META, 200, metadata_with(change))
    with pytest.raises((BadReply, ValueError)):
        one.call("withdraw", *WITHDRAWAL)
    assert one.fake.count(CREATE) == 0


# --- the venue's own calls -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, arguments, path, query",
    [
        ("getWithdrawById", {"withdraw_ids": "1,2"}, BY_ID, {"withdrawIdList": "1,2"}),
        ("getWithdrawById", {"withdraw_ids": ["1", "2"]}, BY_ID, {"withdrawIdList": "1,2"}),
        (
            "getWithdrawByClientWithdrawId",
            {"client_withdraw_ids": ["a b", "ж"]},
            BY_CLIENT_ID,
            {"clientWithdrawIdList": "a b,ж"},
        ),
        (
            "getActiveWithdraw",
            {"size": 5, "offset_data": "7", "coin_ids": "1000", "statuses": ["A", "B"], "before_ms": 9},
            ACTIVE,
            {
                "size": "5",
                "offsetData": "7",
                "filterCoinIdList": "1000",
                "filterStatusList": "A,B",
                "filterEndCreatedTimeExclusive": "9",
            },
        ),
        ("getWithdrawAvailableAmount", {"coin_id": "1000"}, AVAILABLE, {"coinId": "1000"}),
        ("getTransferOutAvailableAmount", {}, TRANSFER_AVAILABLE, {"coinId": "1000"}),
        ("getNormalWithdrawById", {"normal_withdraw_ids": "3"}, NORMAL, {"normalWithdrawIdList": "3"}),
        ("getNormalWithdrawById", {}, NORMAL, {}),
        ("getAccountAsset", {}, ASSET, {}),
        ("getAccountById", {}, ACCOUNT, {}),
    ],
)
def test_the_venues_own_calls_go_by_their_own_names(
    caller: Caller, name: str, arguments: dict[str, Any], path: str, query: dict[str, str]
) -> None:
    found = caller.call("call", name, **arguments)
    (seen,) = caller.fake.seen
    assert (seen.path, seen.query) == (path, {"accountId": ACCOUNT_ID} | query)
    assert found is not None


def test_public_calls_are_not_signed(caller: Caller) -> None:
    assert caller.call("call", "getServerTime") == {"timeMillis": str(NOW_MS)}
    assert caller.call("call", "getMetaData") == METADATA
    assert [seen.headers.get("x-edgex-api-signature") for seen in caller.fake.seen] == [None, None]
