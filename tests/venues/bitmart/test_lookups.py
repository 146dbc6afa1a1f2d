from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.core.acts import AddressKind
from penstock.core.amounts import Units
from penstock.core.ids import WithdrawalId
from penstock.core.queries import (
    Balances,
    BookEntries,
    DepositAddress,
    DepositHistory,
    DepositOrWithdrawalById,
    RemainingQuota,
    RemainingQuotaView,
    WithdrawalHistory,
)
from penstock.core.states import State
from penstock.core.time import DAY_MS, UnixMs
from penstock.core.views import BalanceView, BookEntryView, DepositAddressView, DepositView, WithdrawalView
from penstock.venues.bitmart.replies import STATUSES
from penstock.venues.bitmart.routes import ROUTES
from penstock.venues.venue import Ask, Level, Reply
from tests.venues.bitmart.world import (
    ACCOUNT,
    EVM_ADDRESS,
    NOW_MS,
    TRON_ADDRESS,
    answer,
    get,
    make_key,
    outcome,
    refusal,
)

GOLDEN = Path(__file__).parent / "golden"
CHARGE = "/account/v1/withdraw/charge"
CURRENCIES = "/account/v1/currencies"
ACCOUNT_WALLET = "/account/v1/wallet"
SPOT_WALLET = "/spot/v1/wallet"
DEPOSIT_ADDRESS = "/account/v1/deposit/address"
HISTORY = "/account/v2/deposit-withdraw/history"
DETAIL = "/account/v1/deposit-withdraw/detail"
ADDRESS_LIST = "/account/v1/withdraw/address/list"
TX_HASH = "0x" + "ab" * 32


def a_withdrawal(**changes: object) -> WithdrawalView:
    fields: dict[str, object] = {
        "withdrawal_id": WithdrawalId(380_000_000_000_000_001),
        "account_id": ACCOUNT,
        "venue": "bitmart",
        "asset": "USDT",
        "network": "ethereum",
        "wallet": "spot",
        "amount": Units(100_000_000),
        "fee": Units(1_000_000),
        "net": Units(99_000_000),
        "address": EVM_ADDRESS,
        "memo": "",
        "recipient": "",
        "state": State.CONFIRMED,
        "reason": "",
        "tx_hash": TX_HASH,
        "confirmations": 12,
        "created_ms": NOW_MS,
        "updated_ms": UnixMs(NOW_MS + 5),
    }
    return WithdrawalView(**(fields | changes))  # type: ignore[arg-type]


TRANSFER = a_withdrawal(
    withdrawal_id=380_000_000_000_000_002,
    network="",
    fee=0,
    net=100_000_000,
    address="",
    recipient="876940329",
    tx_hash="",
    confirmations=0,
)
DEPOSIT = DepositView(
    deposit_id=380_000_000_000_000_003,
    account_id=ACCOUNT,
    asset="USDT",
    network="tron",
    wallet="spot",
    amount=Units(59_000_000),
    address=TRON_ADDRESS,
    tx_id="cd" * 32,
    created_ms=NOW_MS,
)
BALANCES = [
    BalanceView("fund", "USDT", Units(2_500_000), Units(0)),
    BalanceView("fund", "XRP", Units(0), Units(20_000_000)),
    BalanceView("fund", "ETH", Units(0), Units(0)),
    BalanceView("spot", "BTC", Units(123_456_789), Units(1)),
    BalanceView("spot", "USDT", Units(900_000_000), Units(100_000_000)),
    BalanceView("spot", "XRP", Units(0), Units(0)),
]
BOOK = [
    BookEntryView(1, AddressKind.STANDARD, "USDT", "ethereum", EVM_ADDRESS, "", "cold", True, UnixMs(0)),
    BookEntryView(
        2,
        AddressKind.STANDARD,
        "XRP",
        "ripple",
        "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe",
        "7",
        "",
        False,
        UnixMs(0),
    ),
    BookEntryView(3, AddressKind.UNIVERSAL, "", "tron", TRON_ADDRESS, "", "all", True, UnixMs(0)),
    BookEntryView(4, AddressKind.EVM, "", "", EVM_ADDRESS, "", "évm", True, UnixMs(0)),
]

ANSWERED = {
    "charge": (CHARGE, b"currency=USDT-BSC_BNB", RemainingQuotaView(Units(150_000_000))),
    "account_wallet": (ACCOUNT_WALLET, b"", BALANCES),
    "account_wallet_valued": (ACCOUNT_WALLET, b"currency=USDT&needUsdValuation=true", BALANCES),
    "spot_wallet": (SPOT_WALLET, b"", BALANCES),
    "deposit_address": (
        DEPOSIT_ADDRESS,
        b"currency=USDT-TRX",
        DepositAddressView("USDT", "tron", TRON_ADDRESS, ""),
    ),
    "history_withdraw": (HISTORY, b"operation_type=withdraw&N=1000", [TRANSFER, a_withdrawal()]),
    "history_deposit": (HISTORY, b"operation_type=deposit&N=5", [DEPOSIT]),
    "detail": (DETAIL, b"id=380000000000000001", a_withdrawal(state=State.HELD, tx_hash="")),
    "detail_deposit": (DETAIL, b"id=380000000000000003", DEPOSIT),
    "address_list": (ADDRESS_LIST, b"", BOOK),
}
PUBLIC = {
    "currencies": (CURRENCIES, b""),
    "currencies_named": (CURRENCIES, b"currencies=USDT-TRX,DOGE,BTC,USDT-TRC20,USDT"),
    "server_time": ("/system/time", b""),
    "services": ("/system/service", b""),
    "spot_symbols": ("/spot/v1/symbols/details", b""),
    "contract_symbols": ("/contract/public/details", b""),
}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_written_byte_for_byte(name: str) -> None:
    path, query, value = ANSWERED[name]
    reply = answer(get(path, query), value)
    assert (reply.status, reply.body) == (200, golden(name))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_answer_is_written_byte_for_byte(name: str) -> None:
    reply = outcome(get(*PUBLIC[name], key=None))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, golden(name))


def test_every_golden_file_belongs_to_a_test() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ANSWERED) | set(PUBLIC)


@pytest.mark.parametrize(
    "path, query, question",
    [
        (CHARGE, b"currency=BTC", RemainingQuota(ACCOUNT)),
        (ACCOUNT_WALLET, b"", Balances(ACCOUNT)),
        (ACCOUNT_WALLET, b"recvWindow=5000&needUsdValuation=false", Balances(ACCOUNT)),
        (SPOT_WALLET, b"", Balances(ACCOUNT)),
        (ADDRESS_LIST, b"", BookEntries(ACCOUNT)),
        (DEPOSIT_ADDRESS, b"currency=USDT%2DERC20", DepositAddress(ACCOUNT, "USDT", "ethereum")),
        (DETAIL, b"id=42", DepositOrWithdrawalById(ACCOUNT, 42)),
        (
            HISTORY,
            b"operation_type=withdraw&N=1000",
            WithdrawalHistory(ACCOUNT, None, None, UnixMs(NOW_MS - 90 * DAY_MS), NOW_MS, 1000),
        ),
        (
            HISTORY,
            b"operation_type=deposit&N=1&currency=USDT&startTime=1589793796&endTime=1589793797",
            DepositHistory(ACCOUNT, "USDT", None, UnixMs(1_589_793_796), UnixMs(1_589_793_797), 1),
        ),
        (
            HISTORY,
            b"operation_type=withdraw&N=7&currency=USDT-ETH&startTime=&start_time=1",
            WithdrawalHistory(ACCOUNT, "USDT", "ethereum", UnixMs(NOW_MS - 90 * DAY_MS), NOW_MS, 7),
        ),
        (
            HISTORY,
            b"operation_type=withdraw&N=7&currency=BTC",
            WithdrawalHistory(ACCOUNT, "BTC", None, UnixMs(NOW_MS - 90 * DAY_MS), NOW_MS, 7),
        ),
    ],
)
def test_a_query_becomes_a_question(path: str, query: bytes, question: object) -> None:
    asked = outcome(get(path, query))
    assert isinstance(asked, Ask), asked
    assert asked.question == question


WITHDRAWALS = b"operation_type=withdraw&N=10"


@pytest.mark.parametrize(
    "path, query, expected",
    [
        (CHARGE, b"", (400, 60000)),
        (CHARGE, b"currency=", (400, 60000)),
        (CHARGE, b"currency=USDT", (400, 60002)),
        (CHARGE, b"Currency=BTC", (400, 60000)),
        (CHARGE, b"currency=BTC&currency=ETH", (400, 60000)),
        (CHARGE, b"currency=BTC&%63urrency=ETH", (400, 60000)),
        (CHARGE, b"currency=%", (400, 60000)),
        (CHARGE, b"currency=%ff", (400, 60000)),
        (CHARGE, b"&".join(b"a%d=1" % number for number in range(65)), (400, 60000)),
        (ACCOUNT_WALLET, b"currency=DOGE", (400, 60002)),
        (ACCOUNT_WALLET, b"needUsdValuation=TRUE", (400, 60000)),
        (DEPOSIT_ADDRESS, b"", (400, 60000)),
        (DEPOSIT_ADDRESS, b"currency=DOGE", (400, 60002)),
        (DEPOSIT_ADDRESS, b"currency=SHUT-ERC20", (400, 60003)),
        (DETAIL, b"", (400, 60000)),
        (DETAIL, b"id=abc", (400, 60010)),
        (DETAIL, b"id=042", (400, 60010)),
        (DETAIL, b"id=9223372036854775808", (400, 60010)),
        (DETAIL, b"id=" + b"1" * 5000, (400, 60010)),
        (HISTORY, b"", (400, 60000)),
        (HISTORY, b"operation_type=withdraw", (400, 60000)),
        (HISTORY, b"operation_type=all&N=10", (400, 60000)),
        (HISTORY, b"operation_type=withdraw&N=0", (400, 60000)),
        (HISTORY, b"operation_type=withdraw&N=1001", (400, 60000)),
        (HISTORY, b"operation_type=withdraw&N=%EF%BC%91%EF%BC%90", (400, 60000)),
        (HISTORY, b"operation_type=withdraw&N=1e2", (400, 60000)),
        (HISTORY, WITHDRAWALS + b"&currency=DOGE", (400, 60002)),
        (HISTORY, WITHDRAWALS + b"&startTime=x", (400, 60000)),
        (HISTORY, WITHDRAWALS + b"&startTime=-1", (400, 60000)),
        (HISTORY, WITHDRAWALS + b"&startTime=5&endTime=4", (400, 60000)),
        (HISTORY, WITHDRAWALS + b"&startTime=1589793796", (400, 60066)),
        (HISTORY, WITHDRAWALS + b"&startTime=%d" % (NOW_MS + 1), (400, 60066)),
        (HISTORY, WITHDRAWALS + b"&endTime=1589793796", (400, 60066)),
        (HISTORY, WITHDRAWALS + b"&startTime=0&endTime=%d" % (90 * DAY_MS), (400, 60067)),
        (CURRENCIES, b"currencies=" + b"BTC," * 20, (400, 60000)),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(
    path: str, query: bytes, expected: tuple[int, int]
) -> None:
    assert refusal(outcome(get(path, query))) == expected


def test_two_times_less_than_90_days_apart_are_taken() -> None:
    query = WITHDRAWALS + b"&startTime=0&endTime=%d" % (90 * DAY_MS - 1)
    assert isinstance(outcome(get(HISTORY, query)), Ask)


@pytest.mark.parametrize(
    "path, query, value, expected",
    [
        (DETAIL, b"id=42", None, (400, 60010)),
        (DEPOSIT_ADDRESS, b"currency=BTC", None, (400, 60012)),
    ],
)
def test_what_is_not_there_is_refused(
    path: str, query: bytes, value: object, expected: tuple[int, int]
) -> None:
    assert refusal(answer(get(path, query), value)) == expected


@pytest.mark.parametrize("path", [CHARGE, DEPOSIT_ADDRESS, HISTORY, DETAIL])
def test_a_sub_account_may_not_call_it(path: str) -> None:
    assert refusal(outcome(get(path), make_key(is_sub_account=True))) == (403, 60026)


@pytest.mark.parametrize("path", [ACCOUNT_WALLET, SPOT_WALLET, ADDRESS_LIST])
def test_a_sub_account_may_call_it(path: str) -> None:
    assert isinstance(outcome(get(path), make_key(is_sub_account=True)), Ask)


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.level is Level.KEYED], ids=lambda r: r.path
)
def test_a_keyed_endpoint_asks_for_its_permission(route: object) -> None:
    for held in ("read", "withdraw"):
        key = make_key(permissions=frozenset({held}))
        found = outcome(get(route.path), key)  # type: ignore[attr-defined]
        forbidden = isinstance(found, Reply) and refusal(found) == (403, 30012)
        assert forbidden is (held != route.permission)  # type: ignore[attr-defined]


def test_only_charge_and_apply_need_the_withdraw_permission() -> None:
    needing = {route.path for route in ROUTES if route.permission == "withdraw"}
    assert needing == {CHARGE, "/account/v1/withdraw/apply"}


@pytest.mark.parametrize("state", State)
def test_a_transaction_shows_from_the_broadcast_on(state: State) -> None:
    reply = answer(get(DETAIL, b"id=1"), a_withdrawal(state=state))
    record = json.loads(reply.body)["data"]["record"]
    assert record["status"] == STATUSES[state]
    before = state in {
        State.CHALLENGED,
        State.HELD,
        State.AWAITING_APPROVAL,
        State.APPROVED,
        State.PLANNED,
        State.SIGNED,
    }
    assert record["tx_id"] == ("" if before else TX_HASH)
