"""Requests counted for several fronts: the thread that counts for them, and the gate that asks it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.time import ManualClock, UnixMs
from penstock.server.counting import ABUSE_FACTOR, SharedCounter
from penstock.service.counts import MemoryCounts
from penstock.store.link.counting import CountKeeper, Take, Taken
from penstock.venues.venue import Limit, Scope
from tests.unit.gate_world import Answer, Asked, Plain, World, route, run

WAIT_S = 10.0


def take(who: str, limit: int = 2, ban_ms: int = 0) -> Take:
    return Take("bucket", who, limit, 60_000, ban_ms)


@dataclass
class Heard:
    """A link that keeps what it is told."""

    wanted: int
    outcomes: list[tuple[int, object]] = field(default_factory=list)
    whole: threading.Event = field(default_factory=threading.Event)

    def answer(self, outcomes: Sequence[tuple[int, object]]) -> None:
        self.outcomes += outcomes
        if len(self.outcomes) >= self.wanted:
            self.whole.set()

    def all(self) -> list[tuple[int, object]]:
        assert self.whole.wait(WAIT_S), self.outcomes
        return self.outcomes

    __hash__ = object.__hash__


@dataclass
class Counting:
    """Counts as MemoryCounts does; `fail` says what is raised instead. Waits until `go` is set."""

    counts: MemoryCounts
    fail: list[Exception] = field(default_factory=list)
    batches: list[list[Take]] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    closed: int = 0

    def take(self, takes: Sequence[Take]) -> list[Taken]:
        self.batches.append(list(takes))
        self.begun.set()
        assert self.go.wait(WAIT_S)
        if self.fail:
            raise self.fail.pop(0)
        return self.counts.take(takes)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(UnixMs(1_800_000_000_000))


@pytest.fixture
def counting(clock: ManualClock) -> Counting:
    return Counting(MemoryCounts(clock))


@pytest.fixture
def keeper(counting: Counting) -> Iterator[CountKeeper]:
    made = CountKeeper(counting)
    yield made
    counting.go.set()
    made.close()


# --- the thread that counts ---


def test_what_waits_is_counted_together_and_each_link_hears_its_own(
    keeper: CountKeeper, counting: Counting
) -> None:
    first, one, other = Heard(1), Heard(2), Heard(2)
    keeper.submit(first, [(7, take("c"))])
    assert counting.begun.wait(WAIT_S)
    keeper.submit(one, [(1, take("a")), (2, take("b"))])
    keeper.submit(other, [(1, take("a")), (2, take("a"))])
    counting.go.set()
    assert first.all() == [(7, Taken(1, 0, 60_000))]
    assert one.all() == [(1, Taken(1, 0, 60_000)), (2, Taken(1, 0, 60_000))]
    assert other.all() == [(1, Taken(2, 0, 60_000)), (2, Taken(2, 1, 60_000))]
    assert [[each.who for each in batch] for batch in counting.batches] == [["c"], ["a", "b", "a", "a"]]


@pytest.mark.parametrize("failure", [Unavailable("no database"), ValueError("a bug")])
def test_where_nothing_can_be_counted_everybody_hears_unavailable_and_the_next_are_counted(
    keeper: CountKeeper, counting: Counting, failure: Exception
) -> None:
    counting.go.set()
    counting.fail.append(failure)
    failed, later = Heard(2), Heard(1)
    keeper.submit(failed, [(1, take("a")), (2, take("b"))])
    assert [(number, type(outcome)) for number, outcome in failed.all()] == [
        (1, Unavailable),
        (2, Unavailable),
    ]
    keeper.submit(later, [(3, take("a"))])
    assert later.all() == [(3, Taken(1, 0, 60_000))]


def test_closing_ends_the_counts(counting: Counting) -> None:
    CountKeeper(counting).close()
    assert counting.closed == 1


# --- counts in memory ---


def test_one_limit_counts_each_key_by_itself_and_each_bucket_too(clock: ManualClock) -> None:
    counts = MemoryCounts(clock)
    takes = [take("a"), take("b"), Take("other", "a", 2, 60_000, 0), take("a"), take("a")]
    assert [(taken.used, taken.over_by) for taken in counts.take(takes)] == [
        (1, 0),
        (1, 0),
        (1, 0),
        (2, 0),
        (2, 1),
    ]


def test_a_ban_lasts_from_the_first_request_too_many(clock: ManualClock) -> None:
    counts = MemoryCounts(clock)

    def ask() -> Taken:
        return counts.take([take("a", limit=1, ban_ms=90_000)])[0]

    assert ask() == Taken(1, 0, 60_000)
    clock.advance(59_999)
    assert ask() == Taken(1, 1, 90_000)
    clock.advance(89_999)
    assert ask() == Taken(1, 2, 1)
    clock.advance(1)
    assert ask() == Taken(1, 0, 60_000)


# --- the gate ---


def at_the_gate(
    answer: Callable[[Take], Taken], *requests: Asked, limit: Limit
) -> tuple[list[Answer], World]:
    """What a front says whose requests are counted elsewhere, by `answer`."""

    async def counted(asked: Take) -> Taken:
        return answer(asked)

    found: list[Answer] = []
    worlds: list[World] = []

    async def play() -> None:
        world = World(Plain((route("/a", limit),)), counter=SharedCounter(counted))
        worlds.append(world)
        for request in requests:
            found.extend(await world.at_once(request))
        world.gate.close()

    run(play)
    return found, worlds[0]


def test_the_gate_asks_with_the_limit_s_own_figures_and_tells_what_it_hears() -> None:
    asked: list[Take] = []

    def answer(one: Take) -> Taken:
        asked.append(one)
        return Taken(3, 0, 1_500)

    limit = Limit(5, 2, Scope.ACCOUNT, ban_s=600)
    (told,), _ = at_the_gate(answer, Asked("/a"), limit=limit)
    assert asked == [Take("plain POST /a", "1", 5, 2_000, 600_000)]
    assert (told.status, told.usage) == (200, "3 of 5, 1500 ms, 0")


def test_whoever_was_over_elsewhere_is_refused_here_and_the_stubborn_in_harsher_words() -> None:
    over = iter([0, 1, ABUSE_FACTOR * 5, ABUSE_FACTOR * 5 + 1])
    requests = [Asked("/a")] * 4
    told, _ = at_the_gate(lambda _: Taken(5, next(over), 900), *requests, limit=Limit(5, 2, Scope.KEY))
    assert [answer.status for answer in told] == [200, 429, 429, 418]


@pytest.mark.parametrize("error", [Unavailable("no database"), InDoubt("the store's process ended")])
def test_what_cannot_be_counted_is_not_carried_out(error: Exception) -> None:
    def fail(_: Take) -> Taken:
        raise error

    (told,), world = at_the_gate(fail, Asked("/a"), limit=Limit(5, 2, Scope.KEY))
    assert (told.status, world.store.executed) == (503, [])
