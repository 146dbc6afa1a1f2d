"""Withdrawals in the operator's hands: what is shown of them, people's decisions, and telling the outside again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.core.acts import RecordOpening
from penstock.core.amounts import Units
from penstock.core.commands import ClaimLane, FeeRule, LaneStep, Plan, RecordDelivery
from penstock.core.ids import WithdrawalId
from penstock.core.intents import SimulatedIntent, encode_intent
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.engine.rules import Policy
from penstock.store.verify import verify
from tests.api.admin_world import ADDRESS, NOW_MS, OTHER_ADDRESS, World, open_world

DECISIONS = [("approve", None), ("decline", {"reason": "not by phone"}), ("cancel", None)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as made:
        yield made


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[World]:
    """A world in which no withdrawal is paid before somebody approves it: its assets have no price."""
    with open_world(tmp_path, Policy(approval_from_usd=1)) as made:
        yield made


def balance(world: World, account: str) -> tuple[str, str]:
    """(available, held) of what a withdrawal of 100 USDT out of 500 concerns."""
    ((of_usdt),) = world.send("GET", f"/accounts/{account}/balances")["balances"]
    return of_usdt["available"], of_usdt["held"]


def planned(world: World, withdrawal_id: str) -> None:
    """What a worker commits before it asks the signer."""
    store = world.store
    store.submit(RecordOpening("test", "ETH", "ethereum", Units(10**18), "gas")).result(10)
    store.submit(ClaimLane("ethereum", OTHER_ADDRESS, "worker", 60_000, 0)).result(10)
    lane = world.store.reader().lane("ethereum", OTHER_ADDRESS)
    assert lane is not None
    step = LaneStep("ethereum", OTHER_ADDRESS, "worker", lane.epoch)
    intent = SimulatedIntent("ethereum", OTHER_ADDRESS, 0, ADDRESS, "", "USDT", "99000000", 10)
    plan = Plan(step, WithdrawalId(int(withdrawal_id)), 0, encode_intent(intent).decode(), 40)
    store.submit(plan).result(10)


def test_an_approved_withdrawal_goes_on_to_be_paid(waiting: World) -> None:
    account = waiting.account()
    made = waiting.withdrawal(account)
    assert waiting.store.reader().to_plan("ethereum", 10) == []
    story = waiting.send("POST", f"/withdrawals/{made}/approve", x_actor="ada")
    assert [change["state_after"] for change in story["history"]] == ["held", "awaiting_approval", "approved"]
    assert story == waiting.send("GET", f"/withdrawals/{made}")
    assert [str(row.withdrawal_id) for row in waiting.store.reader().to_plan("ethereum", 10)] == [made]
    assert balance(waiting, account) == ("400", "100")
    act = waiting.audit()[0]
    assert (act.actor, act.act, act.subject) == ("ada", "Approve", f"withdrawal/{made}")


def test_a_declined_withdrawal_gives_its_money_back_and_says_why(waiting: World) -> None:
    account = waiting.account()
    made = waiting.withdrawal(account)
    story = waiting.send("POST", f"/withdrawals/{made}/decline", {"reason": "not by phone"})
    assert (story["withdrawal"]["state"], story["withdrawal"]["reason"]) == (
        "rejected",
        "declined: not by phone",
    )
    assert balance(waiting, account) == ("500", "0")
    assert json.loads(waiting.audit()[0].detail)["reason"] == "not by phone"
    assert verify(waiting.store.reader()).ok


def test_a_cancelled_withdrawal_gives_its_money_back(waiting: World) -> None:
    account = waiting.account()
    made = waiting.withdrawal(account)
    assert waiting.send("POST", f"/withdrawals/{made}/cancel")["withdrawal"]["state"] == "cancelled"
    assert balance(waiting, account) == ("500", "0")
    assert waiting.audit()[0].act == "Cancel"
    assert verify(waiting.store.reader()).ok


@pytest.mark.parametrize("decision, body", DECISIONS[1:])
def test_a_withdrawal_that_waits_for_nobody_can_still_be_taken_back(
    world: World, decision: str, body: object
) -> None:
    account = world.account()
    made = world.withdrawal(account)
    world.send("POST", f"/withdrawals/{made}/{decision}", body)
    assert balance(world, account) == ("500", "0")


@pytest.mark.parametrize("decision, body", DECISIONS)
def test_what_was_decided_is_not_decided_again(waiting: World, decision: str, body: object) -> None:
    made = waiting.withdrawal(waiting.account())
    waiting.send("POST", f"/withdrawals/{made}/cancel")
    assert waiting.refusal("POST", f"/withdrawals/{made}/{decision}", body) == (409, "not_now", None)
    refused = waiting.ask("POST", f"/withdrawals/{made}/{decision}", body).json()["error"]
    assert refused["detail"] == {"state": "cancelled"}


@pytest.mark.parametrize("decision, body", DECISIONS)
def test_a_withdrawal_with_a_nonce_is_out_of_peoples_hands(world: World, decision: str, body: object) -> None:
    account = world.account()
    made = world.withdrawal(account)
    planned(world, made)
    assert world.refusal("POST", f"/withdrawals/{made}/{decision}", body) == (409, "not_now", None)
    assert balance(world, account) == ("400", "100")


def test_only_what_waits_can_be_approved(world: World) -> None:
    made = world.withdrawal(world.account())
    assert world.refusal("POST", f"/withdrawals/{made}/approve") == (409, "not_now", None)


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "x" * 201}, {"reason": 1}])
def test_a_withdrawal_is_not_declined_without_a_reason(waiting: World, body: object) -> None:
    made = waiting.withdrawal(waiting.account())
    refused = waiting.refusal("POST", f"/withdrawals/{made}/decline", body)
    assert refused == (422, "parameter_invalid", "reason")


@pytest.mark.parametrize("decision, body", DECISIONS)
def test_an_unknown_withdrawal_is_404(world: World, decision: str, body: object) -> None:
    refused = world.refusal("POST", f"/withdrawals/77/{decision}", body)
    assert refused == (404, "withdrawal_unknown", None)


def ids(world: World, query: str) -> list[str]:
    return [each["withdrawal_id"] for each in world.send("GET", f"/withdrawals{query}")["withdrawals"]]


def test_those_that_wait_for_approval_are_listed_newest_first(waiting: World) -> None:
    account = waiting.account()
    key = waiting.funded(account)
    first, second, third = (waiting.withdrawal(account, key, request_id=f"r-{n}") for n in range(3))
    waiting.send("POST", f"/withdrawals/{second}/approve")
    assert ids(waiting, "?state=awaiting_approval") == [third, first]
    assert ids(waiting, "?state=awaiting_approval&limit=1") == [third]
    assert ids(waiting, "?state=approved") == [second]
    assert ids(waiting, "?state=in_doubt") == []


@pytest.mark.parametrize("kind", ["", "&state=awaiting_approval", "&account_id={}"])
def test_a_list_is_read_page_by_page_whatever_comes_in_meanwhile(waiting: World, kind: str) -> None:
    account = waiting.account()
    key = waiting.funded(account)
    made = [waiting.withdrawal(account, key, request_id=f"r-{n}", amount=Units(10**7)) for n in range(5)]
    asked = f"?limit=2{kind.format(account)}"
    assert ids(waiting, asked) == [made[4], made[3]]
    waiting.withdrawal(account, key, request_id="late", amount=Units(10**7))
    assert ids(waiting, f"{asked}&before={made[3]}") == [made[2], made[1]]
    assert ids(waiting, f"{asked}&before={made[1]}") == [made[0]]
    assert ids(waiting, f"{asked}&before={made[0]}") == []


@pytest.mark.parametrize("before", ["", "x", "-1", "9223372036854775808"])
def test_a_list_goes_on_from_an_id_only(world: World, before: str) -> None:
    refused = world.refusal("GET", f"/withdrawals?before={before}")
    assert refused == (422, "parameter_invalid", "before")


def test_a_list_is_of_one_state_or_of_one_account(world: World) -> None:
    for query in ("state=paid", "state=", "state=held&account_id=7"):
        assert world.refusal("GET", f"/withdrawals?{query}") == (422, "parameter_invalid", "state")


def test_those_that_wait_are_found_by_their_index(waiting: World) -> None:
    waiting.withdrawal(waiting.account())
    reader = waiting.store.reader()
    connection: Any = reader._connection()  # type: ignore[attr-defined]
    seen: list[tuple[str, Any]] = []
    connection.exec_trace = lambda _cursor, sql, bound: seen.append((sql, bound)) or True
    assert len(reader.withdrawals_in(State.AWAITING_APPROVAL, 10)) == 1
    connection.exec_trace = None
    ((sql, bound),) = seen
    plan = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bound)]
    assert plan == ["SEARCH withdrawals USING INDEX withdrawals_awaiting (withdrawal_id<?)"]


def test_what_the_customer_called_it_is_shown(world: World) -> None:
    made = world.withdrawal(
        world.account(), business='{"a":1}', request_id="pay-7", numbered=True, remark="Büro"
    )
    seen = world.send("GET", f"/withdrawals/{made}")["withdrawal"]
    assert (seen["request_id"], seen["number"], seen["remark"]) == ("pay-7", 1, "Büro")


def test_an_id_that_is_not_the_customers_own_is_not_shown(world: World) -> None:
    seen = world.send("GET", f"/withdrawals/{world.withdrawal(world.account())}")["withdrawal"]
    assert (seen["request_id"], seen["number"]) == ("", 0)


def test_without_a_conversion_one_asset_is_debited_and_paid(world: World) -> None:
    seen = world.send("GET", f"/withdrawals/{world.withdrawal(world.account())}")["withdrawal"]
    assert (seen["asset"], seen["debit_asset"]) == ("USDT", "USDT")
    assert (seen["rate"], seen["rate_origin"], seen["rate_at_ms"]) == ("", "", None)


def converted(world: World, numerator: int, denominator: int) -> Any:
    """100 EUR turned into USDT and paid, the fee of 1 USDT debited beside it."""
    account = world.account()
    key = world.funded(account)
    euros = {"asset": "EUR", "amount": "500", "reference": "bank-1"}
    world.send("POST", f"/accounts/{account}/deposits", euros)
    rate = Rate("EUR", "USDT", numerator, denominator, "table", UnixMs(NOW_MS))
    made = world.withdrawal(
        account,
        key,
        amount=Units(100_00),
        fee_rule=FeeRule.ON_TOP,
        conversion=Conversion(rate, Given.DEBITED),
    )
    return world.send("GET", f"/withdrawals/{made}")["withdrawal"]


def test_a_converted_withdrawal_shows_both_assets_and_its_rate(world: World) -> None:
    seen = converted(world, 108, 100)
    assert (seen["debit_asset"], seen["asset"]) == ("EUR", "USDT")
    # 1 USDT at 1.08 is 0.925926 EUR, rounded up to a cent.
    assert (seen["amount"], seen["fee"], seen["net"]) == ("100.93", "0.93", "108")
    assert (seen["rate"], seen["rate_origin"], seen["rate_at_ms"]) == ("1.08", "table", NOW_MS)


def test_a_rate_that_no_decimal_can_tell_is_shown_rounded_down(world: World) -> None:
    assert converted(world, 2, 3)["rate"] == "0." + "6" * 30


def test_events_show_what_was_told_and_what_is_due(waiting: World) -> None:
    made = waiting.withdrawal(waiting.account(), notify=True)
    waiting.clock.advance(1_000)
    waiting.store.submit(RecordDelivery(WithdrawalId(int(made)), 1, 0, delivered=True)).result(10)
    later = UnixMs(NOW_MS + 60_000)
    failed = RecordDelivery(WithdrawalId(int(made)), 2, 0, delivered=False, next_ms=later)
    waiting.store.submit(failed).result(10)
    events = waiting.send("GET", f"/withdrawals/{made}/events")["events"]
    assert events == [
        {
            "sequence": 1,
            "state": "held",
            "at_ms": NOW_MS,
            "due_ms": None,
            "tries": 0,
            "delivered_ms": NOW_MS + 1_000,
        },
        {
            "sequence": 2,
            "state": "awaiting_approval",
            "at_ms": NOW_MS,
            "due_ms": later,
            "tries": 1,
            "delivered_ms": None,
        },
    ]


def test_an_event_for_nobody_is_not_due(world: World) -> None:
    made = world.withdrawal(world.account())
    (event,) = world.send("GET", f"/withdrawals/{made}/events")["events"]
    assert (event["due_ms"], event["delivered_ms"]) == (None, None)


def test_an_event_is_told_once_more_as_if_it_were_new(world: World) -> None:
    made = world.withdrawal(world.account(), notify=True)
    given_up = RecordDelivery(WithdrawalId(int(made)), 1, 0, delivered=False, next_ms=None)
    world.store.submit(given_up).result(10)
    assert world.store.reader().due_events(UnixMs(NOW_MS * 2), 10) == []
    world.clock.advance(5_000)
    event = world.send("POST", f"/withdrawals/{made}/events/1/resend", x_actor="ada")
    assert (event["due_ms"], event["tries"], event["delivered_ms"]) == (NOW_MS + 5_000, 0, None)
    assert world.send("GET", f"/withdrawals/{made}/events")["events"] == [event]
    (due,) = world.store.reader().due_events(world.clock.now_ms(), 10)
    assert (str(due.withdrawal_id), due.sequence) == (made, 1)
    act = world.audit()[0]
    assert (act.actor, act.act, act.subject) == ("ada", "ResendCallback", f"withdrawal/{made}")


def test_an_event_that_never_was_is_404(world: World) -> None:
    made = world.withdrawal(world.account())
    for path in (f"/withdrawals/{made}/events/2/resend", "/withdrawals/77/events/1/resend"):
        assert world.refusal("POST", path) == (404, "not_found", None)
    assert world.refusal("GET", "/withdrawals/77/events") == (404, "withdrawal_unknown", None)
    refused = world.refusal("POST", f"/withdrawals/{made}/events/x/resend")
    assert refused == (422, "parameter_invalid", "sequence")
