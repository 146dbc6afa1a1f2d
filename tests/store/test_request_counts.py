"""Requests counted in PostgreSQL, beside the limiter of one process, which is the model; and from several threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.ids import TimeOrderedIds
from penstock.core.refusals import Unavailable
from penstock.core.time import SystemClock
from penstock.server.rate import WindowLimiter
from penstock.store.link.counting import Take, Taken
from penstock.store.postgres import counts as module
from penstock.store.postgres.counts import PostgresCounts
from penstock.store.postgres.store import PostgresStore
from tests.postgres import database
from tests.postgres import server as postgres_server
from tests.store.samples import RULES

LIMITS = (
    # limit, window_s, ban_s
    (1, 1, 0),
    (3, 2, 0),
    (2, 1, 5),
    (4, 3, 1),
)
NS_PER_MS = 1_000_000
# So that steps meet the very end of windows and bans often.
LATER_MS = st.sampled_from([0, 0, 1, 499, 500, 999, 1_000, 1_001, 2_000, 4_999, 5_000])
BATCHES = st.lists(
    st.tuples(
        LATER_MS,
        st.lists(
            st.tuples(st.sampled_from(range(len(LIMITS))), st.sampled_from("abc")), min_size=1, max_size=12
        ),
    ),
    max_size=12,
)
# A clock that the test sets: found before the server's own, because the URL says where to look first.
CLOCK = """
CREATE TABLE test_clock (now_ms bigint NOT NULL);
INSERT INTO test_clock VALUES (0);
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
AS 'SELECT to_timestamp(now_ms / 1000.0::numeric) FROM test_clock';
"""


def take(at: int, who: str) -> Take:
    limit, window_s, ban_s = LIMITS[at]
    return Take(f"limit {at}", who, limit, window_s * 1_000, ban_s * 1_000)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a database with our tables."""
    with database() as made:
        PostgresStore(made, RULES, SystemClock(), TimeOrderedIds()).close()
        yield made


@pytest.fixture
def empty(url: str) -> str:
    run(url, "TRUNCATE request_counts")
    return url


@pytest.fixture
def counts(empty: str) -> Iterator[PostgresCounts]:
    made = PostgresCounts(empty)
    yield made
    made.close()


def run(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(sql)  # type: ignore[call-overload]
        return done.fetchall() if done.description else []


class Model:
    """The limiters of a single process."""

    def __init__(self) -> None:
        self._limiters = [WindowLimiter(limit, window_s, ban_s=ban_s) for limit, window_s, ban_s in LIMITS]

    def take(self, batch: list[tuple[int, str]], now_ms: int) -> list[Taken]:
        uses = [self._limiters[at].take(who, now_ms * NS_PER_MS) for at, who in batch]
        return [Taken(use.used, use.over_by, use.resets_in_ms) for use in uses]


@pytest.fixture(scope="module")
def timed() -> Iterator[Callable[[list[tuple[int, list[tuple[int, str]]]]], tuple[list[Taken], list[Taken]]]]:
    """Counts batches at the times that are said, in an empty table, beside the model: what the two answered."""
    with database() as plain:
        PostgresStore(plain, RULES, SystemClock(), TimeOrderedIds()).close()
        run(plain, CLOCK)
        counting = PostgresCounts(f"{plain}&options=-c%20search_path%3Dpublic%2Cpg_catalog")
        with psycopg.connect(plain, autocommit=True) as clock:

            def play(
                batches: list[tuple[int, list[tuple[int, str]]]],
            ) -> tuple[list[Taken], list[Taken]]:
                clock.execute("DELETE FROM request_counts")
                model, now_ms = Model(), 1_800_000_000_000
                found: list[Taken] = []
                expected: list[Taken] = []
                for later_ms, batch in batches:
                    now_ms += later_ms
                    clock.execute("UPDATE test_clock SET now_ms = %s", (now_ms,))
                    found += only_last_resets(batch, counting.take([take(at, who) for at, who in batch]))
                    expected += only_last_resets(batch, model.take(batch, now_ms))
                return found, expected

            yield play
        counting.close()


def only_last_resets(batch: list[tuple[int, str]], answers: list[Taken]) -> list[Taken]:
    """Requests of one key counted together are told how its window stands after them: only the last one's is judged."""
    last = {key: at for at, key in enumerate(batch)}
    return [
        answer if last[key] == at else Taken(answer.used, answer.over_by, 0)
        for at, (key, answer) in enumerate(zip(batch, answers, strict=True))
    ]


@settings(max_examples=80, deadline=None)
@given(BATCHES)
def test_the_database_counts_as_the_limiter_of_one_process_does(
    timed: Callable[[list[tuple[int, list[tuple[int, str]]]]], tuple[list[Taken], list[Taken]]],
    batches: list[tuple[int, list[tuple[int, str]]]],
) -> None:
    found, expected = timed(batches)
    assert found == expected


def test_whoever_goes_over_is_banned_from_then_on_and_free_when_the_ban_ends(
    timed: Callable[[list[tuple[int, list[tuple[int, str]]]]], tuple[list[Taken], list[Taken]]],
) -> None:
    # Two a second, then refused for 5 s.
    one = [(2, "a")]
    found, _ = timed([(0, one), (0, one), (900, one), (4_999, one), (1, one)])
    assert found == [
        Taken(1, 0, 1_000),
        Taken(2, 0, 1_000),
        Taken(2, 1, 5_000),
        Taken(2, 2, 1),
        Taken(1, 0, 1_000),
    ]


def test_of_many_threads_that_count_one_key_exactly_its_number_is_let_through(empty: str) -> None:
    threads, rounds, limit = 6, 25, 40
    ready = threading.Barrier(threads)

    def count(number: int) -> list[Taken]:
        counting = PostgresCounts(empty)
        ready.wait()
        # Each in an order of its own: locks taken in the order of the batch would be a deadlock.
        whos = ["shared", f"own {number}", *(f"other {(number + n) % threads}" for n in range(threads))]
        takes = [Take("limit", who, limit, 600_000, 0) for who in whos]
        answers = [counting.take(takes) for _ in range(rounds)]
        counting.close()
        return [taken[0] for taken in answers]

    with ThreadPoolExecutor(threads) as pool:
        shared = [taken for told in pool.map(count, range(threads)) for taken in told]
    assert Counter(taken.over_by == 0 for taken in shared) == {True: limit, False: threads * rounds - limit}
    assert sorted(taken.used for taken in shared if taken.over_by == 0) == list(range(1, limit + 1))
    assert max(taken.over_by for taken in shared) == threads * rounds - limit


def test_windows_that_are_over_are_forgotten_and_others_are_not(
    empty: str, counts: PostgresCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(empty, "INSERT INTO request_counts VALUES ('old', 'a', 0, 7), ('old', 'b', 1, 1)")
    monkeypatch.setattr(module, "FORGET_EVERY", 3)
    for who in "abc":
        assert counts.take([Take("new", who, 5, 600_000, 0)])[0].used == 1
    assert run(empty, "SELECT bucket, who FROM request_counts ORDER BY 1, 2") == [
        ("new", "a"),
        ("new", "b"),
        ("new", "c"),
    ]


def test_forgetting_waits_for_nobody(
    empty: str, counts: PostgresCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(empty, "INSERT INTO request_counts VALUES ('old', 'a', 0, 7), ('old', 'b', 1, 1)")
    monkeypatch.setattr(module, "FORGET_EVERY", 1)
    with psycopg.connect(empty) as somebody:
        somebody.execute("UPDATE request_counts SET used = 1 WHERE who = 'a'")
        assert counts.take([Take("new", "a", 5, 600_000, 0)])[0].used == 1
        somebody.rollback()
    assert run(empty, "SELECT who FROM request_counts WHERE bucket = 'old'") == [("a",)]


def test_a_database_that_was_started_anew_is_asked_again_at_once(empty: str, counts: PostgresCounts) -> None:
    one = Take("limit", "a", 5, 600_000, 0)
    counts.take([one])
    run(
        empty,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert counts.take([one])[0].used == 2


def test_without_the_database_nothing_is_counted_and_afterwards_it_is(
    empty: str, counts: PostgresCounts
) -> None:
    one = Take("limit", "a", 5, 600_000, 0)
    counts.take([one])
    name = empty.partition("@/")[2].partition("?")[0]
    running = postgres_server()
    running.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    running.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        for _ in range(2):
            with pytest.raises(Unavailable):
                counts.take([one])
    finally:
        running.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert counts.take([one])[0].used == 2


def test_a_server_whose_default_is_serializable_counts_all_the_same(empty: str) -> None:
    stricter = f"{empty}&options=-c%20default_transaction_isolation%3Dserializable"
    threads, rounds = 4, 20
    ready = threading.Barrier(threads)

    def count(_: int) -> list[int]:
        counting = PostgresCounts(stricter)
        ready.wait()
        used = [counting.take([Take("limit", "a", 1_000, 600_000, 0)])[0].used for _ in range(rounds)]
        counting.close()
        return used

    with ThreadPoolExecutor(threads) as pool:
        used = [one for told in pool.map(count, range(threads)) for one in told]
    assert sorted(used) == list(range(1, threads * rounds + 1))
