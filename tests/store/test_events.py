"""Events in the store: due in order for each withdrawal, told at least once, recorded once whoever tells them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec
import pytest

from penstock.core.acts import Cancel, ResendCallback, SetCallback
from penstock.core.commands import Command, RecordDelivery
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.engine.rows import CallbackRow, OutboxRow
from penstock.store.store import Store
from penstock.store.verify import verify
from tests.store.samples import START_MS, Seeded

replace = msgspec.structs.replace
Event = tuple[str, int]
"""(request id, sequence)"""


@dataclass
class Told:
    """A seeded store, and the withdrawals in it by the name under which they were asked for."""

    seeded: Seeded
    ids: dict[str, WithdrawalId] = field(default_factory=dict)

    def ask(self, name: str, *, notify: bool = True) -> WithdrawalId:
        accepted = self.seeded.run(replace(self.seeded.order(name), notify=notify))
        assert isinstance(accepted, Accepted)
        self.ids[name] = accepted.withdrawal_id
        return accepted.withdrawal_id

    def cancel(self, name: str) -> None:
        self.seeded.run(Cancel("ops", self.ids[name]))

    def due(self, limit: int = 100, without: Collection[AccountId] = ()) -> list[Event]:
        reader = self.seeded.store.reader()
        rows = reader.due_events(self.seeded.clock.now_ms(), limit, without)
        names = {number: name for name, number in self.ids.items()}
        return [(names[row.withdrawal_id], row.sequence) for row in rows]

    def row(self, event: Event) -> OutboxRow:
        row = self.seeded.store.reader().row(OutboxRow, self.ids[event[0]], event[1])
        assert row is not None
        return row

    def told(self, event: Event, tries: int | None = None) -> RecordDelivery:
        tries = self.row(event).tries if tries is None else tries
        return RecordDelivery(self.ids[event[0]], event[1], tries, delivered=True)

    def failed(self, event: Event, in_ms: int | None = 10, tries: int | None = None) -> RecordDelivery:
        next_ms = None if in_ms is None else UnixMs(self.seeded.clock.now_ms() + in_ms)
        tries = self.row(event).tries if tries is None else tries
        return RecordDelivery(self.ids[event[0]], event[1], tries, delivered=False, next_ms=next_ms)


@pytest.fixture
def world(seeded: Seeded) -> Told:
    return Told(seeded)


def _codes(outcomes: list[object]) -> list[str]:
    return [outcome.code.value if isinstance(outcome, Refused) else repr(outcome) for outcome in outcomes]


# --- in order ---


def test_of_each_withdrawal_only_the_earliest_open_event_is_due(world: Told) -> None:
    for name in "ab":
        world.ask(name)
    world.cancel("a")
    assert world.due() == [("a", 1), ("b", 1)]
    world.seeded.run(world.told(("a", 1)))
    assert world.due() == [("a", 2), ("b", 1)]
    world.seeded.run(world.told(("a", 2)))
    world.seeded.run(world.told(("b", 1)))
    assert world.due() == []


def test_an_event_put_off_holds_back_the_later_ones_of_its_withdrawal_and_of_no_other(world: Told) -> None:
    for name in "ab":
        world.ask(name)
        world.cancel(name)
    world.seeded.run(world.failed(("a", 1), in_ms=10))
    world.seeded.run(world.told(("b", 1)))
    assert world.due() == [("b", 2)]
    world.seeded.clock.advance(9)
    assert world.due() == [("b", 2)]
    world.seeded.clock.advance(1)
    assert world.due() == [("b", 2), ("a", 1)]


def test_an_event_given_up_makes_way_for_the_next(world: Told) -> None:
    world.ask("a")
    world.cancel("a")
    world.seeded.run(world.failed(("a", 1), in_ms=None))
    assert world.due() == [("a", 2)]
    assert world.row(("a", 1)).delivered_ms is None


def test_what_is_due_for_longest_comes_first_and_no_more_than_asked_for(world: Told) -> None:
    for name in "abc":
        world.ask(name)
        world.seeded.clock.advance(5)
    world.seeded.run(world.failed(("a", 1), in_ms=1))
    assert world.due() == [("b", 1), ("c", 1)]
    world.seeded.clock.advance(1)
    assert world.due() == [("b", 1), ("c", 1), ("a", 1)]
    assert world.due(2) == [("b", 1), ("c", 1)]
    assert world.due(0) == []


def test_what_nobody_is_to_be_told_of_is_never_due(world: Told) -> None:
    world.ask("a", notify=False)
    world.cancel("a")
    world.seeded.clock.advance(10**9)
    assert world.due() == []


def test_events_of_accounts_that_are_left_out_are_not_due(world: Told) -> None:
    world.ask("a")
    assert world.due(without=[world.seeded.account_id]) == []
    assert world.due(without=[world.seeded.other_id]) == [("a", 1)]


# --- once ---


def test_one_attempt_recorded_by_two_workers_in_one_batch_counts_once(world: Told) -> None:
    for name in "abcd":
        world.ask(name)
    pairs: list[Command] = [
        world.told(("a", 1)),
        world.told(("a", 1)),
        world.failed(("b", 1)),
        world.failed(("b", 1)),
        world.told(("c", 1)),
        world.failed(("c", 1)),
        world.failed(("d", 1)),
        world.told(("d", 1)),
    ]
    assert _codes(world.seeded.together(*pairs)) == ["None", "not_now"] * 4
    assert [(world.row((name, 1)).tries, world.row((name, 1)).due_ms) for name in "abcd"] == [
        (0, None),
        (1, START_MS + 10),
        (0, None),
        (1, START_MS + 10),
    ]


def test_a_worker_that_slept_records_nothing_over_what_another_has_recorded(world: Told) -> None:
    world.ask("a")
    late = world.told(("a", 1), tries=0)
    world.seeded.run(world.failed(("a", 1)))
    world.seeded.run(world.failed(("a", 1)))
    assert _codes(world.seeded.together(late)) == ["not_now"]
    assert world.row(("a", 1)).tries == 2


def test_what_is_due_and_what_was_told_survive_a_restart(
    world: Told, open_store: Callable[[], Store]
) -> None:
    for name in "abc":
        world.ask(name)
    world.seeded.run(world.told(("a", 1)))
    world.seeded.run(world.failed(("b", 1), in_ms=10))
    world.seeded.store = open_store()
    assert world.due() == [("c", 1)]
    world.seeded.clock.advance(10)
    assert world.due() == [("c", 1), ("b", 1)]
    assert world.row(("b", 1)).tries == 1
    assert verify(world.seeded.store.reader()).ok


# --- once more ---


def test_an_event_sent_once_more_is_due_again_before_the_later_ones_of_its_withdrawal(world: Told) -> None:
    world.ask("a")
    world.cancel("a")
    world.seeded.run(world.told(("a", 1)))
    assert world.due() == [("a", 2)]
    world.seeded.run(ResendCallback("ops", world.ids["a"], 1))
    assert world.due() == [("a", 1)]
    world.seeded.run(world.told(("a", 1)))
    assert world.due() == [("a", 2)]


def test_an_event_may_be_sent_once_more_of_a_withdrawal_that_nobody_was_told_of(world: Told) -> None:
    world.ask("a", notify=False)
    world.seeded.run(ResendCallback("ops", world.ids["a"], 1))
    assert world.due() == [("a", 1)]


def test_sending_once_more_what_never_happened_is_refused(world: Told) -> None:
    with pytest.raises(Refused) as refused:
        world.seeded.run(ResendCallback("ops", world.ask("a"), 2))
    assert refused.value.code is RefusalCode.WITHDRAWAL_UNKNOWN
    assert world.due() == [("a", 1)]


# --- where to ---


def test_a_reader_finds_where_an_account_s_callbacks_go_by_venue(world: Told) -> None:
    seeded = world.seeded
    row = CallbackRow(seeded.account_id, "bitmart", "https://a.example/1", "key-0")
    assert seeded.run(SetCallback("ops", seeded.account_id, "bitmart", row.url, row.key_id)) == row
    reader = seeded.store.reader()
    assert reader.callback(seeded.account_id, "bitmart") == row
    assert reader.callback(seeded.account_id, "sunx") is None
    assert reader.callback(seeded.other_id, "bitmart") is None


# --- any order of failures, workers and restarts ---


class Receiver:
    """Takes what it is told, or does not; keeps when each event was first and last taken."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.taken = rng, defaultdict[int, list[int]](list)

    def post(self, event: OutboxRow) -> bool:
        if self.rng.random() < 0.4:
            return False
        self.taken[event.withdrawal_id].append(event.sequence)
        # The answer may be lost on its way: taken, and told again.
        return self.rng.random() < 0.8


@pytest.mark.parametrize("seed", range(6))
def test_whatever_fails_every_event_is_told_in_its_order_or_given_up(
    seeded: Seeded, open_store: Callable[[], Store], seed: int
) -> None:
    rng, world = random.Random(seed), Told(seeded)
    receiver, recorded, refused = Receiver(rng), 0, 0
    tries_max = 4
    in_hand: list[tuple[OutboxRow, bool]] = []
    for step in range(220):
        seeded.clock.advance(rng.choice((0, 1, 5)))
        if step < 60:
            world.ask(f"r{step}")
        if world.ids and rng.random() < 0.3:
            name = rng.choice(sorted(world.ids))
            seeded.together(Cancel("ops", world.ids[name]))
        if rng.random() < 0.04:
            seeded.store = open_store()
        # Two workers that know nothing of each other: each looks, tells, and only later records what came of it.
        for _ in range(2):
            due = seeded.store.reader().due_events(seeded.clock.now_ms(), 5)
            in_hand += [(event, receiver.post(event)) for event in rng.sample(due, min(len(due), 2))]
        rng.shuffle(in_hand)
        while in_hand and rng.random() < 0.7:
            event, well = in_hand.pop()
            given_up = event.tries + 1 >= tries_max
            next_ms = None if given_up else UnixMs(seeded.clock.now_ms() + rng.choice((0, 3)))
            command = RecordDelivery(event.withdrawal_id, event.sequence, event.tries, well, next_ms)
            (outcome,) = seeded.together(command)
            recorded += outcome is None
            refused += isinstance(outcome, Refused)
    assert refused > 5, "the two workers never met"
    rows = list(seeded.store.reader().rows(OutboxRow))
    assert recorded == sum(row.tries + (row.delivered_ms is not None) for row in rows)
    for row in rows:
        closed = row.due_ms is None
        assert closed == (row.delivered_ms is not None or row.tries == tries_max)
        assert row.delivered_ms is None or row.sequence in receiver.taken[row.withdrawal_id]
    for withdrawal_id, sequences in receiver.taken.items():
        firsts = [at for number, at in enumerate(sequences) if at not in sequences[:number]]
        assert firsts == sorted(firsts), (withdrawal_id, sequences)
    assert verify(seeded.store.reader()).ok
