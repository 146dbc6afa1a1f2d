"""The front's side of a link, with a socket in place of the store's process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import pytest

from penstock.core.commands import Withdraw
from penstock.core.ids import WithdrawalId
from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.core.views import Accepted
from penstock.store.link.remote import SENT_AT_ONCE, RemoteStore
from penstock.store.link.told import Told
from penstock.store.link.wire import Frames, Numbered, frame_outcomes, read_commands
from penstock.store.reader import Reader
from tests.unit.gate_world import NOW_MS, run, withdraw


class Core:
    """The other end."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._frames = Frames()

    def commands(self) -> Numbered:
        """What has come so far."""
        self.connection.setblocking(False)
        found: Numbered = []
        try:
            while data := self.connection.recv(1 << 20):
                for body in self._frames.feed(data):
                    found += read_commands(body)
        except BlockingIOError:
            pass
        return found

    def tell(self, *outcomes: tuple[int, object], generation: int = 0) -> None:
        self.connection.setblocking(True)
        self.connection.sendall(frame_outcomes(generation, outcomes))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Core]]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    with ours, theirs:
        yield ours, Core(theirs)


Play = Callable[[RemoteStore, Core], Awaitable[None]]


def playing(ends: tuple[socket.socket, Core], play: Play) -> None:
    async def opened() -> None:
        store = RemoteStore(cast("Reader", None))
        await store.open(ends[0])
        await play(store, ends[1])

    run(opened)


def accepted(number: int) -> Accepted:
    return Accepted(WithdrawalId(number), NOW_MS, repeated=False)


def asking(store: RemoteStore, *names: str) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(store.execute(withdraw(name))) for name in names]


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_every_command_gets_its_own_answer(ends: tuple[socket.socket, Core]) -> None:
    async def play(store: RemoteStore, core: Core) -> None:
        tasks = asking(store, "a", "b", "c", "d")
        await turns()
        numbers = {cast("Withdraw", asked).request_id: number for number, asked in core.commands()}
        core.tell((numbers["c"], accepted(3)), (numbers["a"], accepted(1)))
        core.tell(
            (numbers["b"], Refused(RefusalCode.PARAMETER_INVALID)),
            (numbers["d"], Unavailable("no")),
            generation=7,
        )
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert (found[0], found[2]) == (accepted(1), accepted(3))
        assert isinstance(found[1], Refused)
        assert isinstance(found[3], Unavailable)
        assert store.keys_generation == 7

    playing(ends, play)


def test_catching_up_sends_and_hears_without_a_turn_of_the_loop(ends: tuple[socket.socket, Core]) -> None:
    async def play(store: RemoteStore, core: Core) -> None:
        running = store.execute(withdraw("a"))
        told = running.send(None)  # type: ignore[attr-defined]
        assert isinstance(told, Told)
        heard: list[object] = []
        told.at_once = lambda settled: heard.append(settled.result())
        assert core.commands() == []
        store.catch_up()
        ((number, _),) = core.commands()
        store.catch_up()  # nothing has come: it waits for nothing
        assert heard == []
        core.tell((number, accepted(1)))
        store.catch_up()
        assert heard == [accepted(1)]

    playing(ends, play)


def test_whoever_fails_on_an_answer_keeps_it_from_nobody_else(ends: tuple[socket.socket, Core]) -> None:
    async def play(store: RemoteStore, core: Core) -> None:
        running = [store.execute(withdraw(name)) for name in "ab"]
        first, second = (cast("Told", each.send(None)) for each in running)  # type: ignore[attr-defined]
        heard: list[object] = []
        first.at_once = lambda _: 1 / 0
        second.at_once = lambda settled: heard.append(settled.result())
        store.catch_up()
        core.tell(*((number, accepted(number)) for number, _ in core.commands()))
        store.catch_up()
        assert heard == [accepted(2)]

    playing(ends, play)


def test_what_the_connection_does_not_take_at_once_follows_in_order(ends: tuple[socket.socket, Core]) -> None:
    async def play(store: RemoteStore, core: Core) -> None:
        names = [f"{number}" * 200 for number in range(20 * SENT_AT_ONCE)]
        tasks = asking(store, *names)
        await turns()
        found = core.commands()
        assert 0 < len(found) < len(names)
        while len(found) < len(names):
            await turns(1)
            found += core.commands()
        assert [cast("Withdraw", asked).request_id for _, asked in found] == names
        core.tell(*((number, accepted(number)) for number, _ in found))
        assert await asyncio.gather(*tasks) == [accepted(number) for number, _ in found]

    playing(ends, play)


@pytest.mark.parametrize("ending", ["closed", "nonsense", "too long"])
def test_with_a_broken_link_what_waits_is_in_doubt_and_what_comes_unavailable(
    ends: tuple[socket.socket, Core], ending: str
) -> None:
    async def play(store: RemoteStore, core: Core) -> None:
        (task,) = asking(store, "a")
        await turns()
        if ending == "closed":
            core.connection.close()
        else:
            core.connection.sendall(b"\0\0\0\2[}" if ending == "nonsense" else b"\xff" * 8)
        with pytest.raises(InDoubt):
            await task
        assert store.lost.is_set()
        with pytest.raises(Unavailable):
            await store.execute(withdraw("b"))
        store.catch_up()

    playing(ends, play)


def test_a_command_given_up_is_not_told() -> None:
    async def play() -> None:
        told = Told()
        told.at_once = lambda _: 1 / 0
        told.cancel()
        told.tell(accepted(1))
        assert told.cancelled()

    run(play)
