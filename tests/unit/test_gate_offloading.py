"""Routes whose signatures are costly: verified beside the event loop, bounded, and otherwise like every other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from penstock.core.ids import AccountId
from penstock.core.queries import Account
from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.core.views import KeyView
from penstock.server import gate as gate_module
from penstock.venues.venue import Ask, Limit, LookUpKey, Reply, Request, Route, Scope
from tests.unit.gate_world import (
    Answer,
    Asked,
    Plain,
    Store,
    World,
    authenticates,
    reply,
    route,
    run,
    send,
    withdraw,
)

WAIT_S = 10
SLOW, QUICK = Asked("/slow"), Asked("/quick")


class Slow:
    """A costly verification: tells when and where it began, and goes on when it is let."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self, request: Request, look_up: LookUpKey) -> KeyView | Reply:
        if request.path == "/slow":
            self.threads.append(threading.get_ident())
            self.begun.release()
            assert self.go_on.wait(WAIT_S)
        return authenticates(request, look_up)

    async def until_begun(self, count: int = 1) -> None:
        for _ in range(count):
            assert await asyncio.get_running_loop().run_in_executor(None, self.begun.acquire, True, WAIT_S)


def _venue(
    slow: Slow, reading: Callable[..., Ask | Reply] | None = None, limit: Limit | None = None
) -> Plain:
    routes = (
        route("/slow", limit or Limit(1_000, 1, Scope.KEY), offloaded=True),
        route("/quick"),
    )
    return Plain(routes, reading, verify=slow) if reading else Plain(routes, verify=slow)


def test_a_slow_signature_delays_no_other_route_and_is_verified_on_another_thread() -> None:
    async def play() -> None:
        slow = Slow()
        world = World(_venue(slow))
        waiting = asyncio.create_task(send(world.gate, SLOW))
        await slow.until_begun()
        assert await world.statuses(*[QUICK] * 50) == [200] * 50
        assert not waiting.done()
        slow.go_on.set()
        assert (await waiting).status == 200
        assert threading.get_ident() not in slow.threads
        world.gate.close()

    run(play)


def test_reading_is_done_beside_the_loop_too_and_what_comes_after_is_not() -> None:
    threads: dict[str, int] = {}

    def reading(request: Request, _route: Route, _key: KeyView | None) -> Ask:
        threads[f"read {request.path}"] = threading.get_ident()

        def write(_: object) -> Reply:
            threads[f"write {request.path}"] = threading.get_ident()
            return reply(200)

        return Ask(withdraw(request.path), write)

    async def play() -> None:
        slow = Slow()
        slow.go_on.set()
        world = World(_venue(slow, reading))
        assert await world.statuses(SLOW, QUICK) == [200, 200]
        here = threading.get_ident()
        assert threads.pop("read /slow") != here
        assert set(threads.values()) == {here}
        world.gate.close()

    run(play)


def test_no_more_wait_for_a_verifier_than_may_and_the_rest_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate_module, "VERIFYING_MAX", 3)

    async def play() -> None:
        slow = Slow()
        venue = _venue(slow, limit=Limit(5, 1, Scope.KEY))
        world = World(venue)
        waiting = [asyncio.create_task(send(world.gate, SLOW)) for _ in range(3)]
        await slow.until_begun(gate_module.VERIFIER_THREADS)
        over = [await send(world.gate, SLOW) for _ in range(10)]
        # Told to come again, not that they ask too often: nothing was counted against anybody.
        assert over == [Answer(503, "", "0 of 5, 0 ms, 0")] * 10
        assert not any(task.done() for task in waiting)
        slow.go_on.set()
        usages = sorted(answer.usage for answer in await asyncio.gather(*waiting))
        assert usages == [f"{at} of 5, 1000 ms, 0" for at in (1, 2, 3)]
        assert await world.statuses(*[SLOW] * 3) == [200, 200, 429]
        world.gate.close()

    run(play)


@pytest.mark.parametrize("ending", ["refused", "a bug", "cancelled"])
def test_a_place_is_free_again_however_the_one_before_ended(
    monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(gate_module, "VERIFYING_MAX", 1)

    class Ending(Slow):
        def __call__(self, request: Request, look_up: LookUpKey) -> KeyView | Reply:
            found = super().__call__(request, look_up)
            if request.body == b"a bug":
                raise RuntimeError("a bug")
            return reply(401) if request.body == b"refused" else found

    async def play() -> None:
        slow = Ending()
        world = World(_venue(slow))
        waiting = asyncio.create_task(send(world.gate, SLOW._replace(body=ending.encode())))
        await slow.until_begun()
        assert await world.statuses(SLOW) == [503]
        if ending == "cancelled":
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            slow.go_on.set()
        else:
            slow.go_on.set()
            assert (await waiting).status == {"refused": 401, "a bug": 500}[ending]
        assert await world.statuses(SLOW) == [200]
        world.gate.close()

    run(play)


def test_sources_over_their_limit_take_no_place_among_those_who_wait() -> None:
    async def play() -> None:
        slow = Slow()
        slow.go_on.set()
        by_source = Limit(2, 5, Scope.IP, bucket="ip")
        venue = Plain((route("/slow", Limit(9, 1, Scope.KEY), by_source, offloaded=True),), verify=slow)
        world = World(venue)
        assert await world.statuses(*[SLOW] * 4) == [200, 200, 429, 429]
        assert len(slow.threads) == 2
        world.gate.close()

    run(play)


def test_the_verifier_knows_no_key_but_the_one_the_caller_names() -> None:
    def curious(request: Request, look_up: LookUpKey) -> KeyView | Reply:
        assert look_up("k2") is None
        found = look_up("k1")
        return reply(401) if found is None else found

    async def play() -> None:
        store = Store()
        world = World(Plain((route("/slow", offloaded=True),), verify=curious), store=store)
        assert await world.statuses(SLOW, SLOW) == [200, 200]
        assert store.looked_up == ["k1"]
        world.gate.close()

    run(play)


def test_keys_are_looked_up_on_the_loop_s_own_thread() -> None:
    class Strict(Store):
        def find_key(self, key_id: str) -> KeyView | None:
            assert threading.get_ident() == self.home
            return super().find_key(key_id)

    async def play() -> None:
        slow, store = Slow(), Strict()
        slow.go_on.set()
        store.home = threading.get_ident()  # type: ignore[attr-defined]
        world = World(_venue(slow), store=store)
        keys: list[str | None] = ["k1", "k2", "guess", None, "k3"]
        answers = await world.at_once(*(Asked("/slow", key) for key in keys))
        assert [answer.status for answer in answers] == [200, 200, 401, 401, 200]
        world.gate.close()

    run(play)


def test_a_forged_signature_is_counted_as_one_and_charged_to_nobody() -> None:
    async def play() -> None:
        slow = Slow()
        slow.go_on.set()
        world = World(_venue(slow, limit=Limit(1, 1, Scope.KEY)), failed_auth_per_minute=2)
        forged = SLOW._replace(forged=True)
        assert await world.statuses(forged, forged, forged, SLOW, SLOW) == [401, 401, 418, 200, 429]
        world.gate.close()

    run(play)


@pytest.mark.parametrize(
    "error,status",
    [
        (Refused(RefusalCode.PARAMETER_INVALID), 400),
        (Unavailable("no"), 503),
        (InDoubt("perhaps"), 500),
        (RuntimeError("a bug"), 500),
    ],
)
def test_what_reading_raises_beside_the_loop_is_told_as_on_it(error: Exception, status: int) -> None:
    def reading(*_: object) -> Ask:
        raise error

    async def play() -> None:
        slow = Slow()
        slow.go_on.set()
        world = World(_venue(slow, reading))
        assert await world.statuses(SLOW, QUICK) == [status, status]
        world.gate.close()

    run(play)


def test_equal_requests_are_joined_after_their_signatures_were_verified() -> None:
    def reading(*_: object) -> Ask:
        return Ask(withdraw(), lambda accepted: reply(200, str(accepted.withdrawal_id)))

    async def play() -> None:
        slow, store = Slow(), Store()
        slow.go_on.set()
        store.opened.clear()
        world = World(_venue(slow, reading, Limit(1, 1, Scope.KEY)), store=store)
        running = [asyncio.create_task(send(world.gate, SLOW)) for _ in range(20)]
        await slow.until_begun(20)
        store.opened.set()
        assert {(answer.status, answer.text) for answer in await asyncio.gather(*running)} == {(200, "1")}
        assert len(store.executed) == 1
        assert len(slow.threads) == 20
        world.gate.close()

    run(play)


def test_a_closed_gate_leaves_no_thread_behind() -> None:
    async def play() -> None:
        before = set(threading.enumerate())
        slow = Slow()
        slow.go_on.set()
        world = World(_venue(slow, lambda *_: Ask(Account(AccountId(1)), lambda _: reply(200))))
        assert await world.statuses(SLOW, QUICK) == [200, 200]
        assert {thread.name.partition("_")[0] for thread in set(threading.enumerate()) - before} == {
            "reader",
            "verifier",
        }
        world.gate.close()
        assert set(threading.enumerate()) <= before

    run(play)
