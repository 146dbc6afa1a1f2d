"""The front's side of a link: commands of one turn of the event loop leave together, readers are local."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from penstock.core.commands import Command
from penstock.core.queries import Query
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.views import Accepted, KeyView
from penstock.store.link.counting import Take, Taken
from penstock.store.link.wire import Asked, Frames, Nothing, Numbered, frame_commands, raised, read_outcomes
from penstock.store.reader import Reader

WAITING_MAX = 4_096
SENT_AT_ONCE = 16
"""Commands leave in parts of this size, so that the store begins with the first while we still read the last."""


class RemoteStore(asyncio.Protocol):
    """An AsyncStore (store/store.py) whose writer is in another process. For one event loop.

    When the link is lost, what waits is in doubt and what comes later is unavailable.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._transport: asyncio.WriteTransport | None = None
        self._frames = Frames()
        self._number = 0
        self._waiting: dict[int, asyncio.Future[object]] = {}
        self._outgoing: Numbered = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.keys_generation = 0
        self.lost = asyncio.Event()

    async def open(self, connection: socket.socket) -> None:
        """Start talking over a connected socket."""
        self._loop = asyncio.get_running_loop()
        await self._loop.create_connection(lambda: self, sock=connection)

    async def execute(self, command: Command) -> object:
        """As Store.execute. Raises Unavailable at once when too many wait already or the writer is gone."""
        return await self._asked(command)

    def _asked(self, asked: Asked) -> asyncio.Future[object]:
        """Put on its way. Raises Unavailable as `execute`."""
        if self._transport is None or self._loop is None:
            raise Unavailable("the store's process is not there")
        if len(self._waiting) >= WAITING_MAX:
            raise Unavailable("too many commands wait for the store")
        self._number = number = self._number + 1
        future: asyncio.Future[object] = self._loop.create_future()
        self._waiting[number] = future
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append((number, asked))
        if len(self._outgoing) >= SENT_AT_ONCE:
            self._flush()
        return future

    async def take(self, take: Take) -> Taken:
        """Have a request counted for all processes. Raises Unavailable; InDoubt when the store's process ended."""
        taken = await self._asked(take)
        assert isinstance(taken, Taken), taken
        return taken

    def reader(self) -> Reader:
        return self._reader

    def ask(self, query: Query) -> object:
        return self._reader.ask(query)

    def find_key(self, key_id: str) -> KeyView | None:
        return self._reader.find_key(key_id)

    def _flush(self) -> None:
        numbered, self._outgoing = self._outgoing, []
        if numbered and self._transport is not None:
            self._transport.write(frame_commands(numbered))

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's, so an isinstance check would refuse them.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        for body in self._frames.feed(data):
            told = read_outcomes(body)
            self.keys_generation = told.keys_generation
            for number, answer in told.outcomes:
                future = self._waiting.pop(number, None)
                if future is None or future.done():
                    continue
                if isinstance(answer, Accepted):
                    future.set_result(answer)
                    continue
                error = raised(answer)
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(None if isinstance(answer, Nothing) else answer)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(InDoubt("the store's process ended before it answered"))
        self.lost.set()
