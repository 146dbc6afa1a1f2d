"""Who is counted, when, together with what: buckets, sources before authentication, bans, accounts, headers."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.refusals import RefusalCode, Refused
from penstock.server.counting import ABUSE_FACTOR
from penstock.server.gate import Gate
from penstock.server.rate import NS_PER_S, WindowLimiter
from penstock.venues.venue import Ask, KeyView, Level, Limit, Reply, Request, Route, Scope
from tests.unit.gate_world import Asked, Clock, Plain, Store, World, route, run, send, withdraw

OTHER_IP = "203.0.113.8"


def _statuses(venue: Plain, *requests: Asked) -> list[int]:
    found: list[int] = []

    async def play() -> None:
        world = World(venue)
        found.extend(await world.statuses(*requests))
        world.gate.close()

    run(play)
    return found


# --- buckets ---


def test_routes_of_one_bucket_share_one_count_and_others_have_their_own() -> None:
    trade = Limit(3, 1, Scope.KEY, bucket="trade")
    venue = Plain((route("/a", trade), route("/b", trade), route("/c", Limit(3, 1, Scope.KEY))))
    requests = [Asked("/a"), Asked("/b"), Asked("/a"), Asked("/b"), Asked("/a"), Asked("/c")]
    assert _statuses(venue, *requests) == [200, 200, 200, 429, 429, 200]


def test_a_route_without_a_bucket_shares_nothing_though_its_limit_is_equal() -> None:
    limit = Limit(1, 1, Scope.KEY)
    venue = Plain((route("/a", limit), route("/b", limit)))
    assert _statuses(venue, Asked("/a"), Asked("/b"), Asked("/a"), Asked("/b")) == [200, 200, 429, 429]


def test_a_request_counts_against_its_own_limit_and_every_shared_one() -> None:
    together = Limit(4, 1, Scope.ACCOUNT, bucket="all")
    reads = Limit(2, 1, Scope.ACCOUNT, bucket="reads")
    venue = Plain(
        (route("/a", Limit(9, 1, Scope.KEY), together, reads), route("/b", Limit(9, 1, Scope.KEY), together))
    )
    requests = [Asked("/a"), Asked("/a"), Asked("/a"), Asked("/b"), Asked("/b")]
    # The third was refused by "reads", but had counted against "all" by then.
    assert _statuses(venue, *requests) == [200, 200, 429, 200, 429]
    assert [usage.limit.bucket for usage in venue.hit] == ["reads", "all"]


def test_one_bucket_with_two_limits_is_a_mistake_that_stops_the_start() -> None:
    routes = (
        route("/a", Limit(1, 1, Scope.KEY, bucket="x")),
        route("/b", Limit(2, 1, Scope.KEY, bucket="x")),
    )
    with pytest.raises(AssertionError, match="two limits"):
        World(Plain(routes))


def test_two_venues_that_name_a_bucket_alike_share_nothing() -> None:
    def limited(count: int) -> Limit:
        return Limit(count, 1, Scope.IP, bucket="ip")

    async def play() -> None:
        one = Plain((route("/one", limited(1)),), name="one")
        two = Plain((route("/two", limited(2)),), name="two")
        world = World(one, two)
        assert await world.statuses(Asked("/one"), Asked("/one"), Asked("/two"), Asked("/two")) == [
            200,
            429,
            200,
            200,
        ]

    run(play)


# --- sources, before authentication ---

BY_IP = Limit(2, 5, Scope.IP, bucket="ip")


def test_a_source_that_asks_too_often_is_turned_away_before_its_signature_is_looked_at() -> None:
    venue = Plain((route("/a", Limit(9, 1, Scope.KEY), BY_IP), route("/b", Limit(9, 1, Scope.KEY), BY_IP)))
    requests = [Asked("/a", forged=True), Asked("/b"), Asked("/a"), Asked("/a", ip=OTHER_IP)]
    assert _statuses(venue, *requests) == [401, 200, 429, 200]
    assert venue.authenticated == 3


@pytest.mark.parametrize(
    "first,second,together",
    [
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
    ],
)
def test_sources_of_one_customer_count_as_one(first: str, second: str, together: bool) -> None:
    venue = Plain((route("/a", Limit(9, 1, Scope.KEY), Limit(1, 5, Scope.IP, bucket="ip")),))
    assert _statuses(venue, Asked("/a", ip=first), Asked("/a", ip=second)) == [200, 429 if together else 200]


def test_a_key_s_limit_is_charged_by_nobody_who_only_knows_its_id() -> None:
    venue = Plain((route("/a", Limit(1, 1, Scope.KEY), Limit(1, 1, Scope.ACCOUNT, bucket="all")),))
    forged = [Asked("/a", forged=True)] * 50
    assert _statuses(venue, *forged, Asked("/a")) == [401] * 50 + [200]


def test_a_public_route_counts_its_callers_by_source() -> None:
    venue = Plain((route("/a", Limit(1, 1, Scope.KEY), level=Level.NONE),))
    requests = [Asked("/a", key=None), Asked("/a", key="k1"), Asked("/a", key=None, ip=OTHER_IP)]
    assert _statuses(venue, *requests) == [200, 429, 200]


@pytest.mark.parametrize("by_ip,statuses", [(True, [200, 200, 429, 429]), (False, [200, 200, 200, 429])])
def test_shared_limits_by_source_may_be_left_out_and_no_others_are(by_ip: bool, statuses: list[int]) -> None:
    async def play() -> None:
        account = Limit(3, 5, Scope.ACCOUNT, bucket="all")
        venue = Plain(
            (route("/a", Limit(9, 1, Scope.KEY), BY_IP, account), route("/b", Limit(2, 5, Scope.IP)))
        )
        world = World(venue, limit_by_ip=by_ip)
        assert await world.statuses(*[Asked("/a")] * 4) == statuses
        # A route's own limit is the one that its venue tells of, and stays.
        assert await world.statuses(*[Asked("/b")] * 3) == [200, 200, 429]
        world.gate.close()

    run(play)


# --- accounts and keys ---


@pytest.mark.parametrize("scope,second_key", [(Scope.ACCOUNT, 429), (Scope.KEY, 200), (Scope.IP, 429)])
@pytest.mark.parametrize("shared", [True, False])
def test_two_keys_of_one_account_share_what_is_counted_by_account(
    scope: Scope, second_key: int, shared: bool
) -> None:
    limit = Limit(2, 1, scope, bucket="all")
    venue = Plain((route("/a", Limit(9, 1, Scope.KEY), limit) if shared else route("/a", limit),))
    requests = [Asked("/a", "k1"), Asked("/a", "k1"), Asked("/a", "k2"), Asked("/a", "k1")]
    assert _statuses(venue, *requests) == [200, 200, second_key, 429]


def test_another_account_has_a_limit_of_its_own() -> None:
    venue = Plain((route("/a", Limit(1, 1, Scope.ACCOUNT)),))
    assert _statuses(venue, Asked("/a", "k1"), Asked("/a", "k2"), Asked("/a", "k3")) == [200, 429, 200]


# --- bans ---


@pytest.mark.parametrize("scope", Scope)
def test_whoever_goes_over_is_refused_for_the_whole_ban_on_every_route_of_the_bucket(scope: Scope) -> None:
    banning = Limit(2, 5, scope, bucket="all", ban_s=600)
    venue = Plain((route("/a", Limit(99, 1, Scope.KEY), banning), route("/b", banning)))

    async def play() -> None:
        world = World(venue)
        assert await world.statuses(*[Asked("/a")] * 3) == [200, 200, 429]
        # The window is long over; the ban began with the request that was one too many, and is not prolonged.
        for later_ms in (5_000, 300_000, 294_999):
            world.clock.ms += later_ms
            assert await world.statuses(Asked("/a"), Asked("/b")) == [429, 429]
        assert await world.statuses(Asked("/a", "k3", ip=OTHER_IP)) == [200]
        world.clock.ms += 1
        assert await world.statuses(*[Asked("/b")] * 3) == [200, 200, 429]
        world.gate.close()

    run(play)


def test_a_ban_is_not_forgotten_while_others_come_and_go() -> None:
    limiter = WindowLimiter(1, 1, ban_s=600)
    assert [limiter.take("banned", 0).allowed for _ in range(2)] == [True, False]
    for second in range(1, 600):
        assert limiter.take(f"other {second}", second * NS_PER_S).allowed
    assert not limiter.take("banned", 600 * NS_PER_S - 1).allowed
    assert limiter.take("banned", 600 * NS_PER_S).allowed


def test_without_a_ban_the_window_s_end_is_enough() -> None:
    async def play() -> None:
        world = World(Plain((route("/a", Limit(2, 5, Scope.KEY)),)))
        assert await world.statuses(*[Asked("/a")] * 3) == [200, 200, 429]
        world.clock.ms += 4_999
        assert await world.statuses(Asked("/a")) == [429]
        world.clock.ms += 1
        assert await world.statuses(*[Asked("/a")] * 3) == [200, 200, 429]
        world.gate.close()

    run(play)


@given(
    limit=st.integers(1, 3),
    window_s=st.integers(1, 3),
    ban_s=st.integers(0, 6),
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from((0, 0, 0, 1, 2, 5, 13))), max_size=60),
)
def test_a_ban_is_what_one_would_write_down_by_hand(
    limit: int, window_s: int, ban_s: int, steps: list[tuple[str, int]]
) -> None:
    limiter = WindowLimiter(limit, window_s, ban_s=ban_s)
    passed: dict[str, list[int]] = {"a": [], "b": []}
    began: dict[str, int] = {}
    banned_until: dict[str, int] = {}
    now = 0
    for key, quarters in steps:
        now += quarters * NS_PER_S // 4
        use = limiter.take(key, now)
        if now >= banned_until.get(key, 0) and now >= began.get(key, -(10**12)) + window_s * NS_PER_S:
            began[key], passed[key] = now, []
        allowed = len(passed[key]) < limit and now >= banned_until.get(key, 0)
        if allowed:
            passed[key].append(now)
        elif ban_s and now >= banned_until.get(key, 0):
            # One too many. Its ban takes the place of the window, which is over with it.
            banned_until[key] = now + ban_s * NS_PER_S
            began[key] = banned_until[key] - window_s * NS_PER_S
        assert (use.allowed, use.used) == (allowed, len(passed[key]))


# --- what the headers tell ---


def test_the_headers_tell_of_the_route_s_own_limit_used_left_and_when_it_ends() -> None:
    async def play() -> None:
        world = World(Plain((route("/a", Limit(2, 5, Scope.KEY)),)))
        usages = []
        for later_ms in (0, 1_500, 1, 3_499):
            world.clock.ms += later_ms
            usages.append((await send(world.gate, Asked("/a"))).usage)
        assert usages == [
            "1 of 2, 5000 ms, 0",
            "2 of 2, 3500 ms, 0",
            "2 of 2, 3499 ms, 1",
            "1 of 2, 5000 ms, 0",
        ]
        world.gate.close()

    run(play)


def test_one_who_was_not_authenticated_is_told_of_no_use() -> None:
    async def play() -> None:
        world = World(Plain((route("/a", Limit(2, 5, Scope.KEY)),)))
        await send(world.gate, Asked("/a"))
        assert (await send(world.gate, Asked("/a", forged=True))).usage == "0 of 2, 0 ms, 0"
        world.gate.close()

    run(play)


def test_a_refusal_by_a_shared_limit_still_tells_of_the_route_s_own() -> None:
    async def play() -> None:
        venue = Plain((route("/a", Limit(9, 5, Scope.KEY), Limit(1, 5, Scope.ACCOUNT, bucket="all")),))
        world = World(venue)
        await send(world.gate, Asked("/a"))
        answer = await send(world.gate, Asked("/a"))
        assert (answer.status, answer.usage) == (429, "2 of 9, 5000 ms, 0")
        (hit,) = venue.hit
        assert (hit.limit.bucket, hit.used, hit.refused, hit.resets_in_ms) == ("all", 1, True, 5_000)
        world.gate.close()

    run(play)


def test_a_ban_tells_how_long_it_still_lasts() -> None:
    async def play() -> None:
        world = World(Plain((route("/a", Limit(1, 5, Scope.KEY, ban_s=600)),)))
        await world.statuses(Asked("/a"), Asked("/a"))
        world.clock.ms += 250_000
        assert (await send(world.gate, Asked("/a"))).usage == "1 of 1, 350000 ms, 1"
        world.gate.close()

    run(play)


@pytest.mark.parametrize("shared", [True, False])
def test_one_who_keeps_on_is_told_in_harsher_words(shared: bool) -> None:
    limit = Limit(1, 5, Scope.KEY, bucket="all")
    venue = Plain((route("/a", Limit(999, 1, Scope.KEY), limit) if shared else route("/a", limit),))
    statuses = _statuses(venue, *[Asked("/a")] * (ABUSE_FACTOR + 3))
    assert statuses == [200] + [429] * ABUSE_FACTOR + [418] * 2


# --- repeats are not charged ---


def _asks_by_body(request: Request, _route: Route, key: KeyView | None) -> Ask:
    assert key is not None
    command = withdraw(request.body.decode(), account_id=key.account_id, key_id=key.key_id)
    return Ask(command, lambda accepted: Reply(200, (), str(accepted.withdrawal_id).encode()))


def test_a_repeat_gets_the_first_answer_and_costs_nothing_though_the_limit_is_used_up() -> None:
    async def play() -> None:
        limit, account = Limit(2, 5, Scope.KEY), Limit(2, 5, Scope.ACCOUNT, bucket="all")
        world = World(Plain((route("/a", limit, account),), _asks_by_body))
        first = await send(world.gate, Asked("/a", body=b"one"))
        for _ in range(9):
            again = await send(world.gate, Asked("/a", body=b"one"))
            assert (again.status, again.text) == (200, first.text)
            assert again.usage == "1 of 2, 0 ms, 0"
        assert await world.statuses(Asked("/a", body=b"two"), Asked("/a", body=b"three")) == [200, 429]
        assert (await send(world.gate, Asked("/a", body=b"one"))).status == 200
        assert len(world.store.executed) == 2
        world.gate.close()

    run(play)


def test_the_same_id_of_another_account_is_another_request() -> None:
    async def play() -> None:
        world = World(Plain((route("/a"),), _asks_by_body))
        answers = await world.at_once(*(Asked("/a", key, body=b"one") for key in ("k1", "k2", "k3")))
        # k1 and k2 are keys of one account.
        assert answers[0].text == answers[1].text != answers[2].text
        assert len(world.store.executed) == 2
        world.gate.close()

    run(play)


def test_limits_hold_when_everybody_asks_at_once() -> None:
    async def play() -> None:
        account = Limit(5, 1, Scope.ACCOUNT, bucket="all")
        world = World(Plain((route("/a", Limit(9, 1, Scope.KEY), account),), _asks_by_body))
        requests = [
            Asked("/a", key, body=f"{key} {at}".encode()) for at, key in product(range(8), ("k1", "k2"))
        ]
        answers = await world.at_once(*requests)
        assert sorted(answer.status for answer in answers) == [200] * 5 + [429] * 11
        assert len(world.store.executed) == 5
        world.gate.close()

    run(play)


def test_what_the_engine_refused_was_charged() -> None:
    def refuses(_: object) -> object:
        raise Refused(RefusalCode.BALANCE_TOO_LOW)

    async def play() -> None:
        world = World(Plain((route("/a", Limit(2, 5, Scope.KEY)),), _asks_by_body), store=Store(refuses))
        requests = [Asked("/a", body=str(at).encode()) for at in range(3)]
        assert await world.statuses(*requests) == [400, 400, 429]
        world.gate.close()

    run(play)


def test_failed_authentication_is_counted_apart_from_every_limit() -> None:
    async def play() -> None:
        venue = Plain((route("/a", Limit(2, 5, Scope.KEY)),))
        gate = Gate([venue], Store(), Clock(), failed_auth_per_minute=3)
        forged = [Asked("/a", forged=True)] * 4
        statuses = [(await send(gate, request)).status for request in (*forged, Asked("/a"), Asked("/a"))]
        assert statuses == [401, 401, 401, 418, 200, 200]
        gate.close()

    asyncio.run(play())
