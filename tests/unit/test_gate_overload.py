"""More requests than can be stored: the rest is told so at once, and those that were let in are answered."""

from __future__ import annotations

import asyncio
import threading

from penstock.core.views import KeyView
from penstock.venues.venue import Ask, LookUpKey, Reply, Request
from tests.unit.gate_world import (
    ROOMY,
    Answer,
    Asked,
    Plain,
    World,
    authenticates,
    reply,
    route,
    run,
    send,
    withdraw,
)

AT_ONCE = 3


def a_venue(**settings: object) -> Plain:
    def reading(request: Request, _route: object, _key: object) -> Ask:
        return Ask(withdraw(request.body.decode()), lambda _: reply(200))

    routes = (route("/withdraw", ROOMY), route("/slow", ROOMY, offloaded=True))
    return Plain(routes, reading, **settings)  # type: ignore[arg-type]


def ask(world: World, number: int, path: str = "/withdraw") -> asyncio.Task[Answer]:
    return asyncio.create_task(send(world.gate, Asked(path, body=b"%d" % number)))


def test_a_request_too_many_is_told_at_once_and_nothing_is_computed_for_it() -> None:
    async def play() -> None:
        venue = a_venue()
        world = World(venue, in_flight_max=AT_ONCE)
        world.store.opened.clear()
        waiting = [ask(world, number) for number in range(AT_ONCE)]
        await asyncio.sleep(0)
        refused = await asyncio.gather(*(ask(world, number) for number in range(10, 20)))
        assert {answer.status for answer in refused} == {503}
        assert (venue.authenticated, len(world.store.executed)) == (AT_ONCE, AT_ONCE)
        world.store.opened.set()
        assert [(await task).status for task in waiting] == [200] * AT_ONCE

    run(play)


def test_there_is_room_again_for_each_that_was_answered_also_after_a_bug() -> None:
    async def play() -> None:
        world = World(a_venue(), in_flight_max=AT_ONCE)
        world.store.execute_as = lambda _: 1 / 0
        for number in range(3 * AT_ONCE):
            assert (await ask(world, number)).status == 500
        world.store.execute_as = lambda _: None
        assert (await ask(world, 99)).status == 200

    run(play)


def test_those_that_wait_for_a_verifier_keep_nobody_else_out() -> None:
    released = threading.Event()

    def verify(request: Request, look_up: LookUpKey) -> KeyView | Reply:
        assert request.path != "/slow" or released.wait(10)
        return authenticates(request, look_up)

    async def play() -> None:
        world = World(a_venue(verify=verify), in_flight_max=AT_ONCE)
        slow = [ask(world, number, "/slow") for number in range(2 * AT_ONCE)]
        await asyncio.sleep(0)
        assert (await ask(world, 99)).status == 200
        released.set()
        statuses = {(await task).status for task in slow}
        assert 200 in statuses

    run(play)
