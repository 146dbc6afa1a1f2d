"""Several stores with several writers each, racing on few accounts of one database."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from penstock.core.acts import (
    Approve,
    Cancel,
    CreateAccount,
    CreditDeposit,
    Decline,
    FreezeAccount,
    FreezeKey,
    ReleaseQuarantine,
    SetControl,
)
from penstock.core.amounts import Units
from penstock.core.commands import ClaimLane, LaneStep, Quarantine, RecordDelivery, RecordSent, Reject
from penstock.core.ids import AttemptId, TimeOrderedIds
from penstock.core.refusals import Refused
from penstock.core.states import State
from penstock.core.time import ManualClock
from penstock.core.views import Accepted
from penstock.engine.rows import (
    AccountRow,
    BalanceRow,
    DepositRow,
    HistoryRow,
    OutboxRow,
    RequestRow,
    WithdrawalRow,
)
from penstock.engine.rules import Policy, Rules
from penstock.engine.sending_rows import AttemptRow, LaneRow
from penstock.store.postgres.store import ISOLATIONS, PostgresStore, share_of
from penstock.store.verify import verify
from tests.postgres import database
from tests.store.samples import DEPOSIT, RULES, SENDER, START_MS, PausingIds, Seeded, answer

THREADS = 8
STEPS = 60
# No asset of the sample catalogue has a price, so everything waits for approval.
APPROVING = Rules(RULES.catalogue, Policy(approval_from_usd=1))


class Deployment:
    """One database, opened as several processes would. The seeded store is the first of them."""

    def __init__(self, url: str, isolation: str, rules: Rules = RULES) -> None:
        self.clock, ids = ManualClock(START_MS), PausingIds()
        self.stores = [PostgresStore(url, rules, self.clock, ids, isolation=isolation)]
        self.seeded = Seeded(self.stores[0], self.clock, ids)
        self.stores += [
            PostgresStore(url, rules, self.clock, TimeOrderedIds(node), writers=2, isolation=isolation)
            for node in (2, 3)
        ]

    def close(self) -> None:
        for store in self.stores:
            store.close()


@pytest.fixture
def url() -> Iterator[str]:
    with database() as made:
        yield made


@pytest.fixture(params=ISOLATIONS)
def deployed(request: pytest.FixtureRequest, url: str) -> Iterator[Deployment]:
    made = Deployment(url, request.param)
    yield made
    made.close()


def _outcome(future: Future[object]) -> object:
    return future.exception(60) or future.result(0)


def _codes(outcomes: list[object]) -> Counter[str]:
    return Counter(str(each.code) if isinstance(each, Refused) else type(each).__name__ for each in outcomes)


def _together(deployed: Deployment, *commands: Any) -> list[object]:
    """Each command by another store, all started at once."""
    barrier = threading.Barrier(len(commands))

    def ask(at: int) -> object:
        barrier.wait(10)
        return _outcome(deployed.stores[at % len(deployed.stores)].submit(commands[at]))

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(ask, range(len(commands))))


def _check(deployed: Deployment) -> None:
    report = verify(deployed.seeded.store.reader())
    assert report.ok, report.lines()


def test_one_request_sent_to_every_process_at_once_is_one_withdrawal(deployed: Deployment) -> None:
    for at in range(10):
        outcomes = _together(deployed, *[deployed.seeded.order(f"r{at}")] * 9)
        assert _codes(outcomes) == {"Accepted": 9}
        assert len({each.withdrawal_id for each in outcomes}) == 1  # type: ignore[attr-defined]
        assert sorted(each.repeated for each in outcomes) == [False] + [True] * 8  # type: ignore[attr-defined]
    assert deployed.seeded.balance(deployed.seeded.account_id) == (DEPOSIT - 1_000, 1_000)
    _check(deployed)


def test_no_two_processes_spend_the_same_money(deployed: Deployment) -> None:
    half = DEPOSIT // 2
    outcomes = _together(deployed, *(deployed.seeded.order(f"r{at}", half) for at in range(6)))
    assert _codes(outcomes) == {"Accepted": 2, "balance_too_low": 4}
    _check(deployed)


def test_transfers_against_each_other_keep_every_unit_and_all_go_through(deployed: Deployment) -> None:
    seeded = deployed.seeded
    answer(seeded.store, seeded.transfer("first", 10_000), Accepted)

    def back(name: str) -> object:
        transfer = seeded.transfer(name, 7, "1001")
        return msgspec.structs.replace(transfer, account_id=seeded.other_id, key_id="key-1")

    for at in range(10):
        both = [seeded.transfer(f"there {at}", 5), back(f"back {at}"), seeded.transfer(f"more {at}", 1)]
        assert _codes(_together(deployed, *both, *both)) == {"Accepted": 6}
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 10_000 + 10, 0)
    assert seeded.balance(seeded.other_id) == (10_000 - 10, 0)
    _check(deployed)


def test_a_freeze_that_was_answered_lets_nothing_through_any_more(deployed: Deployment) -> None:
    """Whoever sees the freeze as done never sees a later withdrawal, however the two were racing."""
    seeded = deployed.seeded
    for at in range(12):
        acts = (
            FreezeAccount("test", seeded.account_id, frozen=True),
            FreezeKey("test", "key-0", frozen=True),
        )
        freeze = acts[at % 2]
        others = [deployed.stores[side].submit(seeded.order(f"{at}/{side}")) for side in (1, 2)]
        answer(deployed.stores[0], freeze, object)
        known = {row.request_id for row in seeded.store.reader().rows(RequestRow)}
        outcomes = [_outcome(future) for future in others]
        later = {row.request_id for row in seeded.store.reader().rows(RequestRow)} - known
        assert not later, "a withdrawal was committed after the freeze had been answered"
        assert all(isinstance(each, Accepted | Refused) for each in outcomes)
        answer(deployed.stores[0], msgspec.structs.replace(freeze, frozen=False), object)
    _check(deployed)


def test_a_stop_that_was_answered_lets_nothing_be_planned_any_more(deployed: Deployment) -> None:
    seeded = deployed.seeded
    deployed.seeded.lane()
    for at in range(8):
        plan = seeded.plan(seeded.withdraw(f"r{at}"), at, fee=1, ceiling=1)
        planned = deployed.stores[1 + at % 2].submit(plan)
        answer(deployed.stores[0], SetControl("test", "sending", stopped=True), object)
        known = len(list(seeded.store.reader().rows(AttemptRow)))
        outcome = _outcome(planned)
        assert len(list(seeded.store.reader().rows(AttemptRow))) == known
        answer(deployed.stores[0], SetControl("test", "sending", stopped=False), object)
        if isinstance(outcome, Refused):
            answer(deployed.stores[0], plan, AttemptRow)
    _check(deployed)


def test_a_credit_an_account_and_a_control_are_made_once(deployed: Deployment) -> None:
    seeded = deployed.seeded
    credit = CreditDeposit("test", seeded.other_id, "spot", "USDT", "tron", Units(9), "twice")
    assert _codes(_together(deployed, *[credit] * 6)) == {"DepositRow": 6}
    assert seeded.balance(seeded.other_id) == (9, 0)
    opened = _codes(_together(deployed, *[CreateAccount("test", "4711")] * 6))
    assert opened == {"AccountRow": 1, "already_exists": 5}
    stop = SetControl("test", "network/tron", stopped=False)
    assert _codes(_together(deployed, *[stop] * 6)) == {"ControlRow": 6}
    _check(deployed)


def test_one_of_several_workers_gets_a_new_lane(deployed: Deployment) -> None:
    claims = [ClaimLane("tron", SENDER, f"worker {at}", 60_000, 0) for at in range(6)]
    outcomes = _together(deployed, *claims)
    assert _codes(outcomes) == {"LaneRow": 1, "not_now": 5}
    (won,) = [each for each in outcomes if isinstance(each, LaneRow)]
    assert deployed.seeded.store.reader().lane("tron", SENDER) == won


def test_a_worker_that_slept_past_its_lease_can_do_nothing_more(deployed: Deployment) -> None:
    """Its commands are decided by the row that is locked with them, by whichever process they come to."""
    seeded = deployed.seeded
    old = seeded.plan(seeded.withdraw("a"), 0)
    deployed.clock.advance(2_000_000)
    claimed = answer(deployed.stores[1], ClaimLane("tron", SENDER, "new", 60_000, 0), LaneRow)
    new = msgspec.structs.replace(old, lane=LaneStep("tron", SENDER, "new", claimed.epoch))
    outcomes = _together(deployed, old, new, old, new, old, new)
    assert _codes(outcomes)["AttemptRow"] == 1
    assert all(isinstance(each, Refused) for each in outcomes[::2])
    assert len(list(seeded.store.reader().rows(AttemptRow))) == 1
    _check(deployed)


def test_two_workers_that_took_over_in_turn_plan_each_nonce_once(deployed: Deployment) -> None:
    seeded = deployed.seeded
    first = [seeded.plan(seeded.withdraw(f"r{at}"), at, fee=1, ceiling=1) for at in range(12)]
    deployed.clock.advance(2_000_000)
    for at, plan in enumerate(first):
        steps = [_taken_over(deployed, f"worker {at}/{side}") for side in range(3)]
        plans = [msgspec.structs.replace(plan, lane=step) for step in steps]
        assert _codes(_together(deployed, *plans)) == {"AttemptRow": 1, "not_now": 2}
    _check(deployed)


def _taken_over(deployed: Deployment, owner: str) -> LaneStep:
    deployed.clock.advance(60_000)
    row = answer(deployed.stores[1], ClaimLane("tron", SENDER, owner, 1_000, 0), LaneRow)
    return LaneStep("tron", SENDER, owner, row.epoch)


def test_an_event_is_recorded_as_told_by_one_process(deployed: Deployment) -> None:
    seeded = deployed.seeded
    withdrawal_id = answer(
        seeded.store, msgspec.structs.replace(seeded.order("a"), notify=True), Accepted
    ).withdrawal_id
    told = RecordDelivery(withdrawal_id, 1, 0, delivered=False, next_ms=None)
    assert _codes(_together(deployed, *[told] * 6)) == {"NoneType": 1, "not_now": 5}
    (event,) = [row for row in seeded.store.reader().rows(OutboxRow) if row.withdrawal_id == withdrawal_id]
    assert event.tries == 1


class Race:
    """Threads that do whatever they draw, on the same accounts, ids and withdrawals."""

    def __init__(self, deployed: Deployment, seed: int) -> None:
        self.deployed, self.seeded = deployed, deployed.seeded
        self.accepted: dict[str, set[int]] = defaultdict(set)
        self.decided: dict[int, list[str]] = defaultdict(list)
        self.codes: Counter[str] = Counter()
        self.seed = seed

    def run(self) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._thread, range(THREADS)))

    def _thread(self, number: int) -> None:
        rng = random.Random(self.seed * 100 + number)
        makers = (self._ask, self._ask, self._move, self._decide, self._decide, self._freeze, self._credit)
        for _ in range(STEPS):
            store = rng.choice(self.deployed.stores)
            command, heard = rng.choice(makers)(rng)
            outcome = _outcome(store.submit(command))
            assert isinstance(outcome, Refused) or not isinstance(outcome, Exception), (command, outcome)
            self.codes[str(outcome.code) if isinstance(outcome, Refused) else type(command).__name__] += 1
            heard(outcome)

    def _account(self, rng: random.Random) -> dict[str, Any]:
        which = rng.randrange(2)
        return {"account_id": (self.seeded.account_id, self.seeded.other_id)[which], "key_id": f"key-{which}"}

    def _ask(self, rng: random.Random) -> tuple[Any, Any]:
        name = f"r{rng.randrange(120)}"
        command = msgspec.structs.replace(self.seeded.order(name, 1_000), **self._account(rng))
        return command, self._heard(f"{command.account_id}/{name}")

    def _move(self, rng: random.Random) -> tuple[Any, Any]:
        name, account = f"t{rng.randrange(60)}", self._account(rng)
        recipient = "1001" if account["key_id"] == "key-1" else "1002"
        command = msgspec.structs.replace(self.seeded.transfer(name, 500, recipient), **account)
        return command, self._heard(f"{command.account_id}/{name}")

    def _heard(self, name: str) -> Any:
        def heard(outcome: object) -> None:
            if isinstance(outcome, Accepted):
                self.accepted[name].add(outcome.withdrawal_id)

        return heard

    def _decide(self, rng: random.Random) -> tuple[Any, Any]:
        known = sorted(self.accepted.copy().items())
        if not known:
            return self._ask(rng)
        withdrawal_id: Any = min(rng.choice(known)[1])
        kinds: tuple[Any, ...] = (
            Approve("test", withdrawal_id),
            Cancel("test", withdrawal_id),
            Decline("test", withdrawal_id, "no"),
            Reject(withdrawal_id, "no"),
        )
        command = rng.choice(kinds)

        def heard(outcome: object) -> None:
            if not isinstance(outcome, Refused):
                self.decided[withdrawal_id].append(type(command).__name__)

        return command, heard

    def _freeze(self, rng: random.Random) -> tuple[Any, Any]:
        frozen = rng.random() < 0.2
        return FreezeAccount("test", self._account(rng)["account_id"], frozen), lambda _: None

    def _credit(self, rng: random.Random) -> tuple[Any, Any]:
        reference = f"d{rng.randrange(30)}"
        account = self.seeded.other_id
        return CreditDeposit("test", account, "spot", "USDT", "tron", Units(900), reference), lambda _: None


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("seed", [1, 2])
def test_whoever_races_on_few_accounts_every_unit_and_every_id_has_one_owner(
    url: str, isolation: str, seed: int
) -> None:
    deployed = Deployment(url, isolation, APPROVING)
    race = Race(deployed, seed)
    race.seeded.run(race.seeded.book_entry(race.seeded.other_id))
    race.run()
    reader = race.seeded.store.reader()
    stored = {f"{row.account_id}/{row.request_id}": row.withdrawal_id for row in reader.rows(RequestRow)}
    assert {name: {found} for name, found in stored.items()} == race.accepted
    rows = {row.withdrawal_id: row for row in reader.rows(WithdrawalRow)}
    last = {
        "Approve": State.APPROVED,
        "Cancel": State.CANCELLED,
        "Decline": State.REJECTED,
        "Reject": State.REJECTED,
    }
    for withdrawal_id, decisions in race.decided.items():
        assert rows[withdrawal_id].state in {last[decision] for decision in decisions}
        # An approved one may still be given back, once; and nothing is approved or given back twice.
        assert len(decisions) <= 1 + ("Approve" in decisions), decisions
        assert decisions.count("Approve") <= 1
        steps = [step for step in reader.rows(HistoryRow) if step.withdrawal_id == withdrawal_id]
        assert len(steps) == 2 + len(decisions)
    credited = [row for row in reader.rows(DepositRow) if row.reference.startswith("d")]
    assert len(credited) == len({row.reference for row in credited}) > 5
    gone = sum(row.amount for row in rows.values() if row.state is not State.CONFIRMED and _open(row))
    left = [row for row in reader.rows(BalanceRow) if row.account_id]
    assert sum(row.held for row in left) == gone
    assert sum(row.available + row.held for row in left) == DEPOSIT + 900 * len(credited)
    assert all(row.available >= 0 and row.held >= 0 for row in left)
    for wanted in ("Withdraw", "Transfer", "Approve", "Cancel", "not_now", "account_frozen", "CreditDeposit"):
        assert race.codes[wanted], race.codes
    _check(deployed)
    deployed.close()


def _open(row: WithdrawalRow) -> bool:
    return row.state in (State.HELD, State.AWAITING_APPROVAL, State.APPROVED)


def test_the_commands_of_one_account_and_of_one_lane_go_to_one_writer() -> None:
    shares = defaultdict(set)
    step = LaneStep("tron", SENDER, "w", 1)
    for at in range(1, 400):
        account: Any = (at << 22) | (7 << 12)
        shares[account].add(share_of(FreezeAccount("t", account, frozen=True), 4))
        shares[account].add(share_of(CreditDeposit("t", account, "", "", "", Units(1), ""), 4))
    assert all(len(share) == 1 for share in shares.values())
    counts = Counter(next(iter(share)) for share in shares.values())
    assert all(counts[writer] > 60 for writer in range(4)), counts
    steps: list[Any] = [
        ClaimLane("tron", SENDER, "w", 1, 0),
        RecordSent(step, AttemptId(1)),
        Quarantine("tron", SENDER, "why"),
        ReleaseQuarantine("test", "tron", SENDER, 1),
    ]
    assert len({share_of(command, 4) for command in steps}) == 1


def test_commands_that_come_over_a_link_are_queued_all_or_none(url: str) -> None:
    clock = ManualClock(START_MS)
    store = PostgresStore(url, RULES, clock, TimeOrderedIds(2), writers=3)
    numbered = [(at, CreateAccount("test", str(5_000 + at))) for at in range(3)]
    link = _Link()
    store.submit_from(link, numbered)  # type: ignore[arg-type]
    assert link.done.wait(10)
    assert sorted(link.heard) == [0, 1, 2]
    assert all(isinstance(row, AccountRow) for row in link.heard.values())
    store.close()


class _Link:
    def __init__(self) -> None:
        self.heard: dict[int, object] = {}
        self.done = threading.Event()

    def answer(self, outcomes: Any) -> None:
        self.heard.update(outcomes)
        if len(self.heard) == 3:
            self.done.set()
