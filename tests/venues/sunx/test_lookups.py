from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from penstock.core.amounts import Units
from penstock.core.queries import Account, Balances, FindDeposits, FindWithdrawals
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, AccountView, BalanceView, DepositView, WithdrawalView
from penstock.venues.sunx.replies import STATES
from penstock.venues.venue import Ask, Reply
from tests.venues.sunx.world import (
    ACCOUNT,
    APPLY,
    BALANCE,
    CONFIRM,
    CONTENT,
    NONCE,
    NOW_MS,
    RECORDS,
    WALLET,
    a_challenge,
    a_withdrawal,
    answered,
    apply_members,
    error,
    get,
    make_key,
    outcome,
    post,
    signed,
    told,
    tron_signature,
)

GOLDEN = Path(__file__).parent / "golden"
FORMAT = (200, "validation-format-error")

REJECTED = a_withdrawal(
    number=42,
    state=State.REJECTED,
    reason='taken back: "wrong" address',
    tx_hash="",
    amount=Units(10**23 + 1_200_000),
    net=Units(10**23),
)
WAITING = a_withdrawal(number=43, state=State.SIGNED, tx_hash="0x" + "cd" * 32)
SENT = a_withdrawal(number=44, state=State.SENT, tx_hash="0x" + "cd" * 32)
DEPOSIT = DepositView(
    deposit_id=380_000_000_000_000_003,
    account_id=ACCOUNT,
    asset="USDT",
    network="tron",
    wallet="spot",
    amount=Units(59_000_000),
    address=WALLET,
    tx_id="ef" * 32,
    created_ms=NOW_MS,
)
FROM_ANOTHER_ACCOUNT = DepositView(
    deposit_id=380_000_000_000_000_002,
    account_id=ACCOUNT,
    asset="ETH",
    network="",
    wallet="spot",
    amount=Units(10**10),
    address="",
    tx_id="",
    created_ms=NOW_MS,
    internal=True,
)
ON_ETHEREUM = DepositView(
    deposit_id=380_000_000_000_000_001,
    account_id=ACCOUNT,
    asset="ETH",
    network="ethereum",
    wallet="spot",
    amount=Units(1),
    address="0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf",
    tx_id="0x" + "12" * 32,
    created_ms=NOW_MS,
)
ACCOUNT_FACTS = AccountView(
    account_id=ACCOUNT,
    account_number="620418837",
    email="",
    phone="",
    is_sub_account=False,
    may_withdraw=True,
    frozen=False,
    created_ms=UnixMs(1_790_000_000_000),
)
BALANCES = [
    BalanceView("fund", "USDT", Units(5_000_000), Units(0)),
    BalanceView("spot", "ETH", Units(10**18), Units(0)),
    BalanceView("spot", "USDT", Units(90_000_001), Units(9_999_999)),
]

SIGNATURE = tron_signature(CONTENT)
ACCEPTED = Accepted(380_000_000_000_000_001, UnixMs(NOW_MS), repeated=False, number=41, state=State.HELD)
ANSWERED = {
    "apply": (post(APPLY, apply_members()), [ACCEPTED]),
    "confirm": (post(CONFIRM, {"nonce": NONCE, "signature": SIGNATURE}), [a_challenge(), ACCEPTED]),
    "records_withdraw": (get(RECORDS, type="withdraw"), [[a_withdrawal(), REJECTED, WAITING, SENT]]),
    "records_deposit": (get(RECORDS, type="deposit"), [[DEPOSIT, FROM_ANOTHER_ACCOUNT, ON_ETHEREUM]]),
    "records_none": (get(RECORDS, type="withdraw"), [[]]),
    "balance": (get(BALANCE), [ACCOUNT_FACTS, BALANCES]),
    "balance_empty": (get(BALANCE), [ACCOUNT_FACTS, []]),
    "refused": (post(APPLY, apply_members(fee="7")), []),
    "unsigned": (post(APPLY, {}, extra={"SignatureVersion": "1"}), []),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_written_byte_for_byte(name: str) -> None:
    request, answers = ANSWERED[name]
    reply = answered(outcome(request), *answers)
    assert isinstance(reply, Reply)
    assert reply.headers == ((b"content-type", b"application/json"),)
    expected = (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")
    assert (reply.status, reply.body.decode()) == (200, expected.decode())


def test_every_golden_file_belongs_to_a_test() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ANSWERED)


@pytest.mark.parametrize("name", ["apply", "confirm", "records_withdraw", "records_deposit"])
def test_a_success_of_the_wallet_group_bears_nothing_that_its_clients_take_for_an_error(name: str) -> None:
    assert json.loads((GOLDEN / f"{name}.json").read_bytes()).keys() == {"status", "data"}


# --- records ---------------------------------------------------------------------------------------------------------


def withdrawals(**fields: object) -> FindWithdrawals:
    shared: dict[str, object] = {"limit": 100, "venue": "sunx", "by_number": True, "ascending": True}
    return FindWithdrawals(ACCOUNT, **(shared | fields))  # type: ignore[arg-type]


def deposits(**fields: object) -> FindDeposits:
    return FindDeposits(ACCOUNT, **({"limit": 100, "ascending": True} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parameters, question",
    [
        ({"type": "withdraw"}, withdrawals()),
        ({"type": "withdraw", "currency": "", "from": "", "size": "", "direct": ""}, withdrawals()),
        ({"type": "withdraw", "direct": "prev", "from": "41"}, withdrawals(after=40)),
        ({"type": "withdraw", "direct": "prev", "from": "0"}, withdrawals(after=-1)),
        ({"type": "withdraw", "direct": "next"}, withdrawals(ascending=False)),
        ({"type": "withdraw", "direct": "next", "from": "41"}, withdrawals(ascending=False, before=42)),
        ({"type": "withdraw", "size": "1"}, withdrawals(limit=1)),
        ({"type": "withdraw", "size": "500"}, withdrawals(limit=500)),
        ({"type": "withdraw", "currency": "usdt"}, withdrawals(assets=("USDT",))),
        ({"type": "withdraw", "currency": "Eth"}, withdrawals(assets=("ETH",))),
        ({"type": "withdraw", "nobody": "asked"}, withdrawals()),
        ({"type": "deposit"}, deposits()),
        (
            {"type": "deposit", "direct": "next", "from": "9223372036854775806", "size": "7"},
            deposits(ascending=False, before=2**63 - 1, limit=7),
        ),
        ({"type": "deposit", "from": "5", "currency": "usdt"}, deposits(after=4, assets=("USDT",))),
    ],
)
def test_a_page_of_records_becomes_a_question(parameters: dict[str, str], question: object) -> None:
    asked = outcome(get(RECORDS, **parameters))
    assert isinstance(asked, Ask), asked
    assert asked.question == question


@pytest.mark.parametrize(
    "changes, expected, text",
    [
        ({"type": ""}, (200, "validation-constraints-required"), "Field is missing: type."),
        ({"type": "Withdraw"}, FORMAT, "Format Error: type."),
        ({"type": "all"}, FORMAT, "Format Error: type."),
        *[
            ({"size": size}, FORMAT, "Format Error: size.")
            for size in ("0", "501", "-1", "１０", "1e2", " 1", "1.0", "9" * 30)  # noqa: RUF001
        ],
        *[
            ({"from": start}, FORMAT, "Format Error: from.")
            for start in ("-1", "x", "9223372036854775807", "9" * 30, "+1")
        ],
        *[({"direct": way}, FORMAT, "Format Error: direct.") for way in ("up", "PREV", "desc")],
        ({"currency": "doge"}, (200, "base-currency-error"), "The currency is invalid"),
        ({"currency": "ｕｓｄｔ"}, (200, "base-currency-error"), "The currency is invalid"),  # noqa: RUF001
    ],
)
def test_a_parameter_that_is_none_is_refused(
    changes: dict[str, str], expected: tuple[int, str], text: str
) -> None:
    reply = outcome(get(RECORDS, **({"type": "withdraw"} | changes)))
    assert error(reply) == expected
    assert told(reply) == text


def test_a_sub_account_sees_deposits_only() -> None:
    sub = make_key(is_sub_account=True)
    assert isinstance(outcome(get(RECORDS, type="deposit"), sub), Ask)
    assert error(outcome(get(RECORDS, type="withdraw"), sub)) == (200, "api-signature-not-valid")
    assert isinstance(outcome(get(BALANCE), sub), Ask)


def record_of(view: WithdrawalView) -> dict[str, object]:
    reply = answered(outcome(get(RECORDS, type="withdraw")), [view])
    assert isinstance(reply, Reply)
    (record,) = json.loads(reply.body, parse_float=Decimal)["data"]
    assert isinstance(record, dict)
    return record


@pytest.mark.parametrize("state", State)
def test_every_state_is_one_of_the_venues(state: State) -> None:
    record = record_of(a_withdrawal(state=state, reason="why"))
    assert record["state"] == STATES[state][0]
    assert ("error-msg" in record) is (record["state"] in {"reject", "wallet-reject", "failed"})


@pytest.mark.parametrize(
    "state", [State.HELD, State.AWAITING_APPROVAL, State.APPROVED, State.PLANNED, State.SIGNED]
)
def test_no_hash_is_told_before_the_bytes_were_offered_to_a_node(state: State) -> None:
    assert record_of(a_withdrawal(state=state, tx_hash="ab" * 32))["tx-hash"] == ""


@pytest.mark.parametrize("state", [State.IN_DOUBT, State.QUARANTINED])
def test_what_may_still_be_paid_is_not_told_as_over(state: State) -> None:
    assert record_of(a_withdrawal(state=state))["state"] == "wallet-transfer"


@pytest.mark.parametrize(
    "net, written", [(1, "0.000001"), (10**23, "100000000000000000"), (1_500_000, "1.5"), (7_000_000, "7")]
)
def test_amounts_are_numbers_without_exponents(net: int, written: str) -> None:
    reply = answered(outcome(get(RECORDS, type="withdraw")), [a_withdrawal(net=Units(net))])
    assert isinstance(reply, Reply)
    assert f'"amount":{written},"fee":1.2,'.encode() in reply.body


def test_records_need_the_tenants_header_and_the_balance_does_not() -> None:
    bare = signed("GET", RECORDS, extra={"type": "withdraw"}, headers=())
    assert error(outcome(bare)) == (200, "login-required")
    assert isinstance(outcome(signed("GET", BALANCE, headers=())), Ask)


# --- balance ---------------------------------------------------------------------------------------------------------


def test_the_balance_asks_for_the_account_and_then_for_what_it_holds() -> None:
    first = outcome(get(BALANCE))
    assert isinstance(first, Ask)
    assert first.question == Account(ACCOUNT)
    second = answered(first, ACCOUNT_FACTS)
    assert isinstance(second, Ask)
    assert second.question == Balances(ACCOUNT)
