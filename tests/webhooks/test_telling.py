"""One event at a time: at least once, in order, signed, by the schedule, whatever fails."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from enum import Enum

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.ids import WithdrawalId
from penstock.core.points import arm
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.states import State
from penstock.core.time import ManualClock
from penstock.core.views import KeyView, WithdrawalView
from penstock.venues.venue import Callback, WriteCallback
from penstock.webhooks.delivery import Delivery
from penstock.webhooks.settings import RETRY_MINUTES
from penstock.webhooks.telling import Telling
from tests.webhooks.outbox import SECRET, START_MS, STATES, TOLD, VENUE, Outbox, told, write

URL = "https://hooks.example.com/hook"


class Killed(BaseException):
    """The process ends here."""


class Fault(Enum):
    NONE = "none"
    REFUSED = "the receiver answers 500 and forgets"
    ANSWER_LOST = "the receiver takes it, and its answer is lost"
    KILLED_AFTER_POST = "killed between the POST and the record"
    KILLED_AFTER_RECORD = "killed after the record"
    STORE_BUSY = "the store takes the outcome the second time only"
    STORE_IN_DOUBT = "the store says it does not know"


class FaultyWorld:
    """Outbox, a receiver in memory and a teller; each attempt meets the next fault, and none once they are used up."""

    def __init__(self, *faults: Fault, retry_minutes: tuple[int, ...] = RETRY_MINUTES) -> None:
        self.clock = ManualClock(START_MS)
        self.outbox = Outbox(self.clock)
        self.account = self.outbox.add_account(1, URL)
        self.faults = list(faults)
        self.retry_minutes = retry_minutes
        self.posted: list[tuple[int, int, int]] = []
        self.taken: list[Callback] = []
        self.stopping = threading.Event()
        self.telling = self.new_telling()

    def new_telling(self, writer: WriteCallback | None = write) -> Telling:
        writers = {} if writer is None else {VENUE: writer}
        return Telling(self.outbox, writers, self.post, self.clock, self.retry_minutes, self.stopping, 0)

    def post(self, url: str, callback: Callback, event: str) -> Delivery:
        assert url == URL
        number, sequence = map(int, event.split("-"))
        self.posted.append((number, sequence, self.clock.at_ms))
        fault = self.faults.pop(0) if self.faults else Fault.NONE
        if fault is Fault.REFUSED:
            return Delivery("HTTP status 500")
        self.taken.append(callback)
        match fault:
            case Fault.ANSWER_LOST:
                return Delivery("no answer")
            case Fault.KILLED_AFTER_POST:
                arm(lambda name: self._die(name, "callback.posted"))
            case Fault.KILLED_AFTER_RECORD:
                arm(lambda name: self._die(name, "callback.recorded"))
            case Fault.STORE_BUSY:
                self.outbox.unavailable = [Unavailable("queue full"), TimeoutError()]
            case Fault.STORE_IN_DOUBT:
                self.outbox.unavailable = [InDoubt()]
            case _:
                pass
        return Delivery()

    @staticmethod
    def _die(seen: str, at: str) -> None:
        if seen == at:
            arm(None)
            raise Killed

    def tell_due(self) -> int:
        """Tell everything that is due now; a killed process is followed by a new one. How many events were due."""
        due = self.outbox.due_events(self.clock.now_ms(), 1_000)
        for event in due:
            try:
                self.telling.tell(event)
            except Killed:
                self.telling = self.new_telling()
        return len(due)

    def run(self) -> None:
        """Until nothing is left to be told, however many days that takes."""
        while still := self.outbox.open_events():
            if not self.tell_due():
                now_ms = self.clock.at_ms
                self.clock.at_ms = min(
                    event.due_ms for event in still if event.due_ms and event.due_ms > now_ms
                )

    def bodies(self) -> list[bytes]:
        return [callback.body for callback in self.taken]


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm(None)


def test_every_change_is_told_once_and_in_order_when_nothing_fails() -> None:
    world = FaultyWorld()
    for number in range(3):
        world.outbox.add_withdrawal(world.account, number)
    world.run()
    assert told(world.bodies()) == dict.fromkeys(range(3), TOLD)
    assert {event.delivered_ms for event in world.outbox.events()} == {START_MS}


@given(st.lists(st.sampled_from(list(Fault)), max_size=60), st.integers(1, 4), st.integers(1, len(STATES)))
def test_whatever_fails_each_event_is_told_at_least_once_in_order_and_signed(
    faults: list[Fault], withdrawals: int, states: int
) -> None:
    world = FaultyWorld(*faults)
    for number in range(withdrawals):
        world.outbox.add_withdrawal(world.account, number, states)
    world.run()
    arm(None)
    posts: dict[int, list[int]] = defaultdict(list)
    for number, sequence, _ in world.posted:
        posts[number].append(sequence)
    for sequences in posts.values():
        assert sequences == sorted(sequences), "a later change was told before an earlier one was done with"
    given_up = {event.key for event in world.outbox.events() if event.delivered_ms is None}
    heard = {(number, sequence) for number, sequence, _ in world.posted}
    wanted = {event.key for event in world.outbox.events() if event.state is not State.SIGNED}
    assert heard == wanted
    for number, sequence in given_up:
        assert posts[number].count(sequence) > len(RETRY_MINUTES)
    statuses = told(world.bodies())
    for event in world.outbox.events():
        if event.state is not State.SIGNED and event.key not in given_up:
            assert event.state.value in statuses[event.withdrawal_id]
    for callback in world.taken:
        signed = hmac.new(SECRET, callback.body, hashlib.sha512).hexdigest()
        assert dict(callback.headers)[b"x-signature"] == signed.encode()


def test_a_receiver_that_is_never_there_is_tried_by_the_schedule_and_then_given_up() -> None:
    world = FaultyWorld(*[Fault.REFUSED] * 13)
    world.outbox.add_withdrawal(world.account, 1, states=2)
    with structlog.testing.capture_logs() as logs:
        world.run()
    at = [at_ms for _, sequence, at_ms in world.posted if sequence == 1]
    assert [(later - earlier) // 60_000 for earlier, later in itertools.pairwise(at)] == list(RETRY_MINUTES)
    assert told(world.bodies()) == {1: ["approved"]}, "what comes after it is told all the same"
    given_up = [entry for entry in logs if entry["event"] == "callback given up"]
    assert [(entry["withdrawal_id"], entry["sequence"], entry["tries"]) for entry in given_up] == [(1, 1, 13)]
    assert len([entry for entry in logs if entry["event"] == "callback not delivered"]) == 12


def test_killed_after_the_post_the_same_callback_comes_once_more() -> None:
    world = FaultyWorld(Fault.KILLED_AFTER_POST)
    world.outbox.add_withdrawal(world.account, 1, states=1)
    world.run()
    assert told(world.bodies()) == {1: ["held", "held"]}


def test_killed_after_the_record_it_does_not() -> None:
    world = FaultyWorld(Fault.KILLED_AFTER_RECORD)
    world.outbox.add_withdrawal(world.account, 1, states=1)
    world.run()
    assert told(world.bodies()) == {1: ["held"]}


@pytest.mark.parametrize("fault", [Fault.STORE_BUSY, Fault.STORE_IN_DOUBT])
def test_an_outcome_that_the_store_does_not_take_is_offered_again_and_not_posted_again(fault: Fault) -> None:
    world = FaultyWorld(fault)
    world.outbox.add_withdrawal(world.account, 1, states=1)
    world.run()
    assert told(world.bodies()) == {1: ["held"]}
    assert len(world.outbox.records) == 1


def test_at_the_services_end_an_outcome_that_is_not_taken_is_let_go() -> None:
    world = FaultyWorld()
    world.outbox.add_withdrawal(world.account, 1, states=1)
    world.outbox.unavailable = [Unavailable("closed")]
    world.stopping.set()
    world.tell_due()
    assert world.outbox.open_events()


def test_an_outcome_that_somebody_else_recorded_first_changes_nothing() -> None:
    world = FaultyWorld()
    world.outbox.add_withdrawal(world.account, 1, states=1)
    (event,) = world.outbox.due_events(world.clock.now_ms(), 10)
    assert world.telling.tell(event)
    assert world.telling.tell(event)
    assert len(world.outbox.records) == 1


def test_the_venue_is_told_the_state_entered_and_the_one_before_it() -> None:
    world = FaultyWorld()
    world.outbox.add_withdrawal(world.account, 1, states=3)
    world.run()
    changes = [(said["before"], said["status"]) for said in map(json.loads, world.bodies())]
    assert changes == [(None, "held"), ("held", "approved"), ("approved", "planned")]


def test_without_a_callback_an_event_counts_as_told_and_nothing_is_sent() -> None:
    world = FaultyWorld()
    silent = world.outbox.add_account(2, "")
    world.outbox.add_withdrawal(silent, 1)
    unset = world.outbox.add_account(3, URL)
    del world.outbox.callbacks[unset]
    world.outbox.add_withdrawal(unset, 2)
    world.run()
    assert world.posted == []
    assert all(event.delivered_ms == START_MS for event in world.outbox.events())


def test_a_venue_without_callbacks_sends_nothing() -> None:
    world = FaultyWorld()
    world.telling = world.new_telling(writer=None)
    world.outbox.add_withdrawal(world.account, 1)
    world.run()
    assert world.posted == []
    assert all(event.delivered_ms == START_MS for event in world.outbox.events())


def test_a_key_that_is_gone_is_waited_for() -> None:
    world = FaultyWorld()
    world.outbox.add_withdrawal(world.account, 1, states=1)
    key = world.outbox.keys.pop("key-1")
    assert world.tell_due()
    assert (world.posted, world.outbox.open_events()[0].tries) == ([], 1)
    world.outbox.keys["key-1"] = key
    world.run()
    assert told(world.bodies()) == {1: ["held"]}


def test_a_bug_in_a_venues_writer_costs_its_event_alone_and_is_logged() -> None:
    def broken(view: WithdrawalView, entered: State, before: State | None, key: KeyView) -> Callback | None:
        if view.withdrawal_id == 1:
            raise ZeroDivisionError
        return write(view, entered, before, key)

    world = FaultyWorld(retry_minutes=(1,))
    world.telling = world.new_telling(broken)
    for number in (1, 2):
        world.outbox.add_withdrawal(world.account, number, states=1)
    with structlog.testing.capture_logs() as logs:
        world.run()
    assert told(world.bodies()) == {2: ["held"]}
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"].count("callback not sent") == 2


def test_what_cannot_be_read_now_is_no_failed_attempt() -> None:
    class Unreadable(Outbox):
        def withdrawal(self, withdrawal_id: WithdrawalId) -> WithdrawalView | None:
            raise Unavailable("no connection")

    world = FaultyWorld()
    world.outbox.add_withdrawal(world.account, 1, states=1)
    (event,) = world.outbox.due_events(world.clock.now_ms(), 10)
    telling = Telling(
        Unreadable(world.clock), {VENUE: write}, world.post, world.clock, RETRY_MINUTES, world.stopping, 0
    )
    with pytest.raises(Unavailable):
        telling.tell(event)
    assert world.outbox.records == []


def test_nothing_secret_is_logged() -> None:
    world = FaultyWorld(*[Fault.REFUSED] * 2, retry_minutes=(1,))
    world.outbox.add_withdrawal(world.account, 1, states=1)
    with structlog.testing.capture_logs() as logs:
        world.run()
    assert len(logs) == 2
    assert SECRET.decode() not in str(logs)
    assert URL not in str(logs)
