from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.server.rate import NS_PER_S, GcraLimiter, WindowLimiter, client_scope

# Quarters of a second, so that steps meet the edges of windows and generations often.
STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from([0, 0, 0, 1, 2, 5, 7, 13]).map(lambda n: n * NS_PER_S // 4)
    ),
    max_size=60,
)


def test_one_too_many_in_a_window_is_refused_wherever_the_window_begins() -> None:
    limiter = WindowLimiter(limit=8, window_s=2)
    start = 7 * NS_PER_S - 1
    uses = [limiter.take("key", start + n) for n in range(9)]
    assert [use.used for use in uses] == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert [use.allowed for use in uses] == [True] * 8 + [False]


def test_excess_is_counted_within_its_window_only() -> None:
    limiter = WindowLimiter(limit=1, window_s=1)
    assert [limiter.take("key", n).over_by for n in range(4)] == [0, 1, 2, 3]
    assert limiter.take("key", NS_PER_S - 1).over_by == 4
    assert limiter.take("key", NS_PER_S).allowed


def test_a_key_does_not_use_up_another_key_s_window() -> None:
    limiter = WindowLimiter(limit=1, window_s=2)
    limiter.take("a", 0)
    assert not limiter.take("a", 1).allowed
    assert limiter.take("b", 1).allowed


def test_a_use_tells_what_the_venue_writes_in_its_headers() -> None:
    use = WindowLimiter(limit=12, window_s=2).take("key", 0)
    assert (use.used, use.limit, use.window_s) == (1, 12, 2)


@given(STEPS)
def test_forgetting_idle_keys_never_changes_a_window(steps: list[tuple[str, int]]) -> None:
    limiter = WindowLimiter(limit=3, window_s=2)
    windows: dict[str, tuple[int, int]] = {}
    now_ns = 0
    for key, later_ns in steps:
        now_ns += later_ns
        start_ns, count = windows.get(key, (now_ns, 0))
        if now_ns >= start_ns + 2 * NS_PER_S:
            start_ns, count = now_ns, 0
        windows[key] = (start_ns, count + 1)
        use = limiter.take(key, now_ns)
        assert (use.allowed, use.over_by) == (count < 3, max(count - 2, 0))


@given(STEPS)
def test_forgetting_idle_keys_never_changes_an_even_rate(steps: list[tuple[str, int]]) -> None:
    limiter = GcraLimiter(2, NS_PER_S, burst=3)
    due: dict[str, int] = {}
    now_ns = 0
    for key, later_ns in steps:
        now_ns += later_ns
        due_ns = max(due.get(key, 0), now_ns)
        wait_ns = max(due_ns - NS_PER_S - now_ns, 0)
        if wait_ns == 0:
            due[key] = due_ns + NS_PER_S // 2
        assert limiter.wait_ns(key, now_ns) == wait_ns
        assert limiter.take(key, now_ns) == wait_ns


def test_a_key_still_waiting_when_keys_are_forgotten_goes_on_waiting() -> None:
    quarter_s = NS_PER_S // 4
    limiter = GcraLimiter(2, NS_PER_S, burst=3)
    limiter.take("other", 0)
    for _ in range(3):
        limiter.take("key", 5 * quarter_s)
    assert limiter.take("key", 6 * quarter_s) == quarter_s


def test_a_burst_passes_and_then_one_event_an_interval() -> None:
    limiter = GcraLimiter(10, NS_PER_S, burst=5)
    assert [limiter.take("ip", 0) for _ in range(6)] == [0, 0, 0, 0, 0, NS_PER_S // 10]
    assert limiter.take("ip", NS_PER_S // 10 - 1) == 1
    assert limiter.take("ip", NS_PER_S // 10) == 0
    assert limiter.take("ip", NS_PER_S // 10) > 0


def test_events_over_the_limit_do_not_prolong_the_wait() -> None:
    limiter = GcraLimiter(1, NS_PER_S, burst=1)
    limiter.take("ip", 0)
    for _ in range(1_000):
        limiter.take("ip", 1)
    assert limiter.take("ip", NS_PER_S) == 0


def test_a_window_s_edge_gives_no_double_burst_to_an_even_rate() -> None:
    limiter = GcraLimiter(144, 3 * NS_PER_S, burst=1)
    passed = sum(limiter.take("key", now_ns) == 0 for now_ns in range(0, 3 * NS_PER_S, NS_PER_S // 1_000))
    assert passed <= 144


@pytest.mark.parametrize(
    "limiter", [GcraLimiter(1, NS_PER_S, burst=1, keys_max=100), WindowLimiter(1, 1, keys_max=100)]
)
def test_memory_is_bounded_under_ever_new_keys(limiter: GcraLimiter | WindowLimiter) -> None:
    for number in range(10_000):
        limiter.take(number, number)
        assert len(limiter) <= 100


def test_a_busy_key_survives_a_flood_of_new_ones_smaller_than_half_the_cap() -> None:
    limiter = WindowLimiter(1, 10, keys_max=100)
    limiter.take("busy", 0)
    for number in range(60):
        limiter.take(number, number)
    assert not limiter.take("busy", 100).allowed


@pytest.mark.parametrize(
    "host, scope",
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_sources_are_counted_by_what_one_customer_is_given(host: str, scope: str) -> None:
    assert client_scope(host) == scope
