"""One process counts requests in its memory; once another one comes both count in the table, and nothing is lost."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.ids import TimeOrderedIds
from penstock.core.refusals import Unavailable
from penstock.core.time import SystemClock
from penstock.server.rate import WindowLimiter
from penstock.store.link.counting import CountKeeper, Take, Taken
from penstock.store.postgres import counting_alone, counts, windows
from penstock.store.postgres.counting_alone import LEASE_MS, SPARE_MS
from penstock.store.postgres.counts import PostgresCounts
from penstock.store.postgres.store import PostgresStore
from penstock.store.postgres.windows import Windows
from tests.postgres import database
from tests.store.samples import RULES

WAIT_S = 20
LIMIT = 5
NS_PER_MS = 1_000_000


class Clock:
    """The process's own clock, as a test sets it."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture(scope="module")
def made() -> Iterator[str]:
    with database() as url:
        PostgresStore(url, RULES, SystemClock(), TimeOrderedIds()).close()
        yield url


@pytest.fixture
def url(made: str) -> str:
    run(made, "TRUNCATE request_counts, request_counters")
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(counting_alone, "now_ms", clock)
    return clock


@pytest.fixture
def first(url: str) -> Iterator[PostgresCounts]:
    """A process that takes part."""
    counting = PostgresCounts(url)
    counting.tend()
    yield counting
    counting.close()


@pytest.fixture
def second(url: str) -> Iterator[PostgresCounts]:
    """Another one, which has not said so yet."""
    counting = PostgresCounts(url)
    yield counting
    counting.close()


def run(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(sql)  # type: ignore[call-overload]
        return done.fetchall() if done.description else []


def take(who: str = "a", limit: int = LIMIT) -> Take:
    return Take("limit", who, limit, 600_000, 0)


def used(taken: Sequence[Taken] | None) -> list[tuple[int, int]] | None:
    return None if taken is None else [(each.used, each.over_by) for each in taken]


def test_whoever_finds_nobody_counts_without_the_table(url: str, first: PostgresCounts) -> None:
    assert used(first.take_at_once([take(), take("b"), take()])) == [(1, 0), (1, 0), (2, 0)]
    assert used(first.take([take()])) == [(3, 0)]
    assert run(url, "SELECT count(*) FROM request_counts") == [(0,)]


def test_who_comes_second_waits_for_the_first_and_goes_on_from_its_counts(
    first: PostgresCounts, second: PostgresCounts
) -> None:
    assert used(first.take_at_once([take()] * 3)) == [(1, 0), (2, 0), (3, 0)]
    second.tend()
    assert second.take_at_once([take()]) is None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.take, [take()])
        assert used(first.take_at_once([take()])) == [(4, 0)], "the first has not heard of anybody"
        first.tend()
        assert used(waiting.result(WAIT_S)) == [(5, 0)]
    assert first.take_at_once([take()]) is None
    assert used(first.take([take()])) == [(5, 1)]
    assert used(second.take([take()])) == [(5, 2)]


def test_who_does_not_let_go_is_not_counted_beside(
    first: PostgresCounts, second: PostgresCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "TURN_S_MAX", 0.0)
    second.tend()
    with pytest.raises(Unavailable):
        second.take([take()])
    assert used(first.take_at_once([take()])) == [(1, 0)]


def test_who_is_left_alone_goes_on_from_the_table(first: PostgresCounts, second: PostgresCounts) -> None:
    for each in (second, first, second):
        each.tend()
    first.take([take()])
    second.take([take(), take()])
    second.close()
    assert first.take_at_once([take()]) is None
    first.tend()
    assert used(first.take_at_once([take()])) == [(4, 0)]


def test_what_was_counted_alone_is_found_by_the_next_process(
    first: PostgresCounts, second: PostgresCounts
) -> None:
    first.take_at_once([take(), take(), take("b", 1), take("b", 1)])
    first.close()
    second.tend()
    assert used(second.take_at_once([take(), take("b", 1)])) == [(3, 0), (1, 2)]


def test_nobody_counts_alone_for_longer_than_its_lease(clock: Clock, url: str) -> None:
    counting = PostgresCounts(url)
    counting.tend()
    clock.now_ms += LEASE_MS - SPARE_MS - 1
    assert used(counting.take_at_once([take()])) == [(1, 0)]
    clock.now_ms += 1
    assert counting.take_at_once([take()]) is None
    assert used(counting.take([take()])) == [(2, 0)], "it has to renew first, and goes on"
    counting.close()


def test_a_lease_that_was_not_renewed_is_over_for_others_and_the_counts_of_both_are_put_together(
    clock: Clock, url: str, second: PostgresCounts
) -> None:
    stopped = PostgresCounts(url)
    stopped.tend()
    stopped.take_at_once([take()] * 4)
    run(url, "UPDATE request_counters SET until_ms = 0")
    second.tend()
    assert used(second.take_at_once([take(), take("b")])) == [(1, 0), (1, 0)]
    clock.now_ms += LEASE_MS
    assert stopped.take_at_once([take()]) is None
    stopped.tend()
    second.tend()
    assert used(stopped.take([take(), take("b")])) == [(5, 0), (2, 0)]
    stopped.close()


def test_without_the_database_counting_alone_goes_on_until_the_lease_is_over(
    clock: Clock, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = PostgresCounts(url)
    counting.tend()
    run(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )

    def refused(*_: object) -> None:
        raise psycopg.OperationalError("made up")

    with monkeypatch.context() as gone:
        gone.setattr(counts, "connect", refused)
        with pytest.raises(Unavailable):
            counting.tend()
        assert used(counting.take_at_once([take()])) == [(1, 0)]
        clock.now_ms += LEASE_MS
        assert counting.take_at_once([take()]) is None
        with pytest.raises(Unavailable):
            counting.take([take()])
    assert used(counting.take([take()])) == [(2, 0)]
    counting.close()


def test_processes_that_come_and_go_let_exactly_the_limit_through(url: str) -> None:
    threads, rounds, each_time, limit = 4, 6, 10, 100
    ready = threading.Barrier(threads)

    def work(number: int) -> list[Taken]:
        ready.wait()
        heard: list[Taken] = []
        for at in range(rounds):
            counting = PostgresCounts(url)
            for _ in range(each_time):
                counting.tend()
                asked = [take("shared", limit), take(f"own {number} {at}", limit)]
                heard.append((counting.take_at_once(asked) or counting.take(asked))[0])
            counting.close()
        return heard

    with ThreadPoolExecutor(threads) as pool:
        heard = [taken for told in pool.map(work, range(threads)) for taken in told]
    total = threads * rounds * each_time
    assert Counter(taken.over_by == 0 for taken in heard) == {True: limit, False: total - limit}
    assert sorted(taken.used for taken in heard if taken.over_by == 0) == list(range(1, limit + 1))


LIMITS = ((1, 1, 0), (3, 2, 0), (2, 1, 5), (4, 3, 1))
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 499, 500, 999, 1_000, 2_000, 5_000]),
        st.sampled_from(range(len(LIMITS))),
        st.sampled_from("ab"),
    ),
    max_size=60,
)


@given(STEPS)
def test_windows_in_memory_count_as_the_limiter_of_one_process_does(
    steps: list[tuple[int, int, str]],
) -> None:
    model = [WindowLimiter(limit, window_s, ban_s=ban_s) for limit, window_s, ban_s in LIMITS]
    counting, at_ms = Windows((), 0), 0
    for later_ms, at, who in steps:
        at_ms += later_ms
        limit, window_s, ban_s = LIMITS[at]
        (found,) = counting.take([Take(str(at), who, limit, window_s * 1_000, ban_s * 1_000)], at_ms)
        expected = model[at].take(who, at_ms * NS_PER_MS)
        assert found == Taken(expected.used, expected.over_by, expected.resets_in_ms)


def test_windows_that_are_over_are_forgotten_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "PURGE_MIN", 2)
    counting = Windows([("limit", "old", 10, 3), ("limit", "new", 11, 3)], 0)
    counting._purge_at = 2
    counting.purge(10)
    assert list(counting._windows) == [("limit", "new")]


# --- the thread that looks after them ---


class Heard:
    """A link that keeps what it is told."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[int, object, str]] = queue.Queue()

    def answer(self, outcomes: Sequence[tuple[int, object]]) -> None:
        for number, outcome in outcomes:
            self.told.put((number, outcome, threading.current_thread().name))


class Tended:
    """Answers at once as long as `alone`. fail: what looking after raises."""

    def __init__(self) -> None:
        self.alone = True
        self.fail: list[Exception] = []
        self.tended = threading.Semaphore(0)

    def tend(self) -> float:
        self.tended.release()
        if self.fail:
            raise self.fail.pop()
        return 0.0

    def take_at_once(self, takes: Sequence[Take]) -> list[Taken] | None:
        return [Taken(1, 0, 0)] * len(takes) if self.alone else None

    def take(self, takes: Sequence[Take]) -> list[Taken]:
        return [Taken(2, 0, 0)] * len(takes)

    def close(self) -> None:
        """Nothing is open."""


def test_what_can_be_counted_at_once_is_and_the_rest_by_the_thread() -> None:
    counting, link = Tended(), Heard()
    keeper = CountKeeper(counting)
    keeper.submit(link, [(1, take()), (2, take())])
    here = threading.current_thread().name
    assert [link.told.get_nowait() for _ in range(2)] == [
        (1, Taken(1, 0, 0), here),
        (2, Taken(1, 0, 0), here),
    ]
    counting.alone = False
    keeper.submit(link, [(3, take())])
    assert link.told.get(timeout=WAIT_S) == (3, Taken(2, 0, 0), "count-keeper")
    keeper.close()


@pytest.mark.parametrize("failure", [Unavailable("no database"), ValueError("a bug")])
def test_counts_are_looked_after_again_when_it_failed(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.store.link.counting.TEND_AGAIN_S", 0.0)
    counting = Tended()
    counting.fail.append(failure)
    keeper = CountKeeper(counting)
    assert all(counting.tended.acquire(timeout=WAIT_S) for _ in range(3))
    keeper.close()
