"""Client processes race withdraw, approve, decline and cancel on few accounts, on each database (race.py).

In full 32 of them for two minutes each; short 10 for some seconds (tests/size.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.acceptance.one_listing import UNIT
from tests.acceptance.race import base_of, race
from tests.acceptance.race_clients import ACTS, SHARERS, Tickets, wish
from tests.acceptance.race_model import Judge, Told
from tests.acceptance.race_rows import Stored, Withdrawal
from tests.acceptance.race_world import OPENING_USD, Prepared, prepare
from tests.size import sized

SECONDS, CLIENTS = sized((4, 10), (120, 32))
VERIFY_EVERY_S = sized(1, 15)
OPENING = OPENING_USD * UNIT


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("race"))


@pytest.mark.xdist_group("race")
@pytest.mark.timeout(sized(120, 400))
@pytest.mark.parametrize(
    "database, isolation",
    [("sqlite", ""), ("postgresql", "read committed"), ("postgresql", "serializable")],
    ids=["sqlite", "read-committed", "serializable"],
)
def test_each_id_has_one_winner_and_no_balance_is_overdrawn(
    prepared: Prepared,
    database: str,
    isolation: str,
    record_property: Callable[[str, object], None],
) -> None:
    with base_of(database, isolation) as base:
        outcome = race(prepared, base, seconds=SECONDS, clients=CLIENTS, verify_every_s=VERIFY_EVERY_S)
    assert not outcome.faults, outcome.faults[:20]
    figures = outcome.figures
    assert len(outcome.verified) >= 3, "never while they raced"
    # It was a race, and each way for one to end was seen.
    for name in (
        "ids_shared",
        "decisions_contested",
        "withdraw_refused",
        "decide_refused",
        "given_back",
        "confirmed",
    ):
        assert figures.get(name, 0) > 0, figures
    counted = ("ids_won", "ids_shared", "decisions_contested", "given_back", "confirmed")
    record_property("tally", {name.replace("_", " "): figures[name] for name in counted})


# ---- the judge can tell right from wrong -----------------------------------------------------------------------------

SPENT, BACK = 50_000_001, 60_000_002


def _asked(wanted: str, units: int, known: str, heard: str = "done") -> Told:
    told = {"account": 0, "venue": "alphapo", "id": wanted, "units": units, "heard": heard, "known": known}
    return {"kind": "withdraw", **told}


def _acted(withdrawal: int, act: str, actor: str, heard: str = "done") -> Told:
    return {"kind": "decide", "withdrawal": withdrawal, "act": act, "actor": actor, "heard": heard}


def _row(number: int, wanted: str, units: int, state: str) -> Withdrawal:
    return Withdrawal(100 + number, 0, "alphapo", str(number), wanted, "spot", units, units - 3, state)


def _sound() -> Judge:
    """Two withdrawals, one approved and paid and one cancelled, and a deposit."""
    told = [
        _asked("a", SPENT, "1"),
        _asked("a", SPENT, "", "refused"),
        _asked("b", BACK, "2"),
        _acted(101, "approve", "ann"),
        _acted(102, "cancel", "bob"),
        _acted(102, "approve", "ann", "refused"),
        {
            "kind": "deposit",
            "account": 0,
            "wallet": "spot",
            "reference": "race-1",
            "units": 7,
            "heard": "done",
        },
        {"kind": "look", "account": 0, "lowest": "0.000000"},
    ]
    rows = [_row(1, "a", SPENT, "confirmed"), _row(2, "b", BACK, "cancelled")]
    stored = Stored(rows, {(0, "spot"): (OPENING + 7 - SPENT, 0)})
    stored.deposits.update(["race-1", "opening-1-spot"])
    stored.decisions += [(101, "approve", "ann"), (102, "cancel", "bob")]
    stored.paid[101] = 1
    stored.received[0] = SPENT - 3
    return Judge(told, stored)


def test_a_sound_end_has_no_faults() -> None:
    assert _sound().faults() == []


def _second_winner(told: list[Told], stored: Stored) -> None:
    told.append(_asked("a", SPENT, "3"))
    stored.withdrawals.append(_row(3, "a", SPENT, "awaiting_approval"))
    stored.balances[0, "spot"] = (OPENING + 7 - 2 * SPENT, SPENT)


def _untold_winner(told: list[Told], stored: Stored) -> None:
    told[2]["heard"] = "refused"


def _lost_winner(told: list[Told], stored: Stored) -> None:
    del stored.withdrawals[1]


def _other_amount(told: list[Told], stored: Stored) -> None:
    stored.withdrawals[0] = replace(stored.withdrawals[0], units=SPENT + 1)


def _second_decision(told: list[Told], stored: Stored) -> None:
    told.append(_acted(102, "decline", "cyd"))
    stored.decisions.append((102, "decline", "cyd"))


def _approved_twice(told: list[Told], stored: Stored) -> None:
    told.append(_acted(101, "approve", "cyd"))
    stored.decisions.append((101, "approve", "cyd"))


def _decision_without_trace(told: list[Told], stored: Stored) -> None:
    told.append(_acted(101, "cancel", "cyd"))


def _decision_of_a_loser(told: list[Told], stored: Stored) -> None:
    told[4]["heard"] = "refused"


def _paid_unapproved(told: list[Told], stored: Stored) -> None:
    del told[3]
    del stored.decisions[0]


def _paid_though_cancelled(told: list[Told], stored: Stored) -> None:
    stored.paid[102] = 1
    stored.received[0] += BACK - 3


def _paid_twice(told: list[Told], stored: Stored) -> None:
    stored.paid[101] = 2
    stored.received[0] *= 2


def _paid_too_much(told: list[Told], stored: Stored) -> None:
    stored.received[0] += 1


def _money_kept(told: list[Told], stored: Stored) -> None:
    stored.balances[0, "spot"] = (OPENING + 7 - SPENT - BACK, 0)


def _money_made(told: list[Told], stored: Stored) -> None:
    stored.balances[0, "spot"] = (OPENING + 8 - SPENT, 0)


def _credited_twice(told: list[Told], stored: Stored) -> None:
    stored.deposits["race-1"] += 1


def _below_zero(told: list[Told], stored: Stored) -> None:
    told[-1]["lowest"] = "-0.000001"


@pytest.mark.parametrize(
    "spoil, complaint",
    [
        (_second_winner, "was won more than once"),
        (_untold_winner, "nobody was told of"),
        (_lost_winner, "and is not there"),
        (_other_amount, "was accepted for"),
        (_second_decision, "was decided more than once"),
        (_approved_twice, "was decided more than once"),
        (_decision_without_trace, "was done and left no trace"),
        (_decision_of_a_loser, "was done and nobody was told"),
        (_paid_unapproved, "decided None"),
        (_paid_though_cancelled, "paid 1 times"),
        (_paid_twice, "paid 2 times"),
        (_paid_too_much, "on the chain, by its payments"),
        (_money_kept, "should be"),
        (_money_made, "should be"),
        (_credited_twice, "was credited 2 times"),
        (_below_zero, "below zero was seen"),
    ],
)
def test_whatever_is_wrong_is_found(spoil: Callable[[list[Told], Stored], None], complaint: str) -> None:
    judge = _sound()
    spoil(judge.told, judge.stored)
    faults = Judge(judge.told, judge.stored).faults()
    assert any(complaint in fault for fault in faults), faults


@pytest.mark.parametrize("happened", [True, False])
def test_what_nobody_knew_may_have_happened_or_not(happened: bool) -> None:
    judge = _sound()
    judge.told.append(_asked("c", BACK, "", "doubt"))
    judge.told.append(_acted(103, "cancel", "cyd", "doubt"))
    if happened:
        judge.stored.withdrawals.append(_row(3, "c", BACK, "cancelled"))
        judge.stored.decisions.append((103, "cancel", "cyd"))
    assert Judge(judge.told, judge.stored).faults() == []


def test_sharers_ask_for_one_id_in_turns() -> None:
    keys = [{"api_key": "k", "api_secret": "s", "memo": "m"}]
    account = {"address": "0x" + "1" * 40, "alphapo": keys, "bitmart": keys, "zoomex": keys}
    tickets = Tickets(1)
    wishes = [wish(account, *tickets.take(0)) for _ in range(6 * SHARERS)]
    ids = [wanted.id for wanted in wishes]
    assert ids == [f"race{number}" for number in range(6) for _ in range(SHARERS)]
    assert {wanted.venue for wanted in wishes} == {"alphapo", "bitmart", "zoomex"}
    same_bytes = {wanted.raw for wanted in wishes[SHARERS : 2 * SHARERS]}
    assert (wishes[SHARERS].venue, len(same_bytes)) == ("bitmart", 1)
    assert set(ACTS) == {"approve", "decline", "cancel"}
