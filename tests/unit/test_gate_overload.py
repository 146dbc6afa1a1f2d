"""More requests than can be stored: the rest is told so at once, and those that were let in are answered."""

from __future__ import annotations

import asyncio
import threading

from penstock.core.ids import WithdrawalId
from penstock.core.views import Accepted, KeyView
from penstock.server.direct import Made, Running
from penstock.server.heads import Limits, read_plain_head
from penstock.server.room import BUSY_FOR_MS, LOOKED_AFTER
from penstock.store.link.told import Told
from penstock.venues.venue import Ask, LookUpKey, Reply, Request
from tests.unit.gate_world import (
    NOW_MS,
    ROOMY,
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


class ToldStore(Store):
    """Keeps what becomes of its commands, to be told by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Told] = []

    async def execute(self, command: object) -> object:
        self.executed.append(command)
        told = Told()
        self.told.append(told)
        return await told

    def accept(self) -> None:
        """Have the oldest answered."""
        told = self.told.pop(0)
        told.tell(Accepted(WithdrawalId(1), NOW_MS, repeated=False))


class Asking:
    """Asks without ASGI. statuses: of the answers in the order given; in_flight: who was let in and has none."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.statuses: list[int] = []
        self.in_flight = 0

    def __call__(self, *numbers: int) -> None:
        for number in numbers:
            body = b"%d" % number
            head = read_plain_head(b"POST /withdraw HTTP/1.1\r\nHost: h\r\nkey: k1\r\n\r\n", Limits())
            assert head is not None
            answering = self._world.gate.answers(head, body, "192.0.2.1")
            if isinstance(answering, tuple):
                self.statuses.append(answering[0].status)
            elif answering is not None:
                self.in_flight += 1
                Running(answering, self._finish).step()

    def _finish(self, _running: Running, made: Made | None) -> None:
        assert made is not None
        self.in_flight -= 1
        self.statuses.append(made[0].status)


def test_answers_that_have_come_are_given_before_a_request_is_turned_away() -> None:
    async def play() -> None:
        store = ToldStore()
        ask = Asking(World(a_venue(), store=store, in_flight_max=1, catch_up=store.accept))
        ask(1)
        assert (ask.statuses, ask.in_flight) == ([], 1)
        ask(2)
        assert (ask.statuses, ask.in_flight) == ([200], 1)

    run(play)


def test_where_many_are_turned_away_it_is_seen_now_and_again_whether_there_is_room() -> None:
    async def play() -> None:
        looks: list[int] = []
        ask: Asking
        world = World(
            a_venue(),
            store=ToldStore(),
            in_flight_max=1,
            catch_up=lambda: looks.append(len(ask.statuses)),
        )
        ask = Asking(world)
        ask(*range(2 * LOOKED_AFTER + 2))
        assert looks == [0, LOOKED_AFTER, 2 * LOOKED_AFTER]
        assert ask.statuses == [503] * (2 * LOOKED_AFTER + 1)

    run(play)


def test_while_requests_are_turned_away_fewer_are_let_in() -> None:
    async def play() -> None:
        store = ToldStore()
        world = World(a_venue(), store=store, in_flight_max=8)
        ask = Asking(world)
        ask(*range(9))
        assert (ask.statuses, ask.in_flight) == ([503], 8)
        for number in range(10, 14):
            store.accept()
            ask(number)
        assert (ask.statuses, ask.in_flight) == ([503] + [200, 503] * 4, 4)
        store.accept()
        ask(20, 21)
        assert (ask.statuses[-2:], ask.in_flight) == ([200, 503], 4)
        world.clock.ms += BUSY_FOR_MS - 1
        ask(22)
        assert (ask.statuses[-1], ask.in_flight) == (503, 4)
        world.clock.ms += BUSY_FOR_MS
        ask(*range(30, 35))
        assert (ask.statuses[-2:], ask.in_flight) == ([503, 503], 8)

    run(play)
