"""The front's side of a link: commands of one turn of the event loop leave together, readers are local."""

from __future__ import annotations

import asyncio
import socket

import msgspec
import structlog

from penstock.core.commands import Command
from penstock.core.queries import Query
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.views import Accepted, KeyView
from penstock.store.link.counting import Take, Taken
from penstock.store.link.told import Told
from penstock.store.link.wire import (
    Asked,
    Frames,
    Nothing,
    Numbered,
    Outcomes,
    frame_commands,
    raised,
    read_outcomes,
)
from penstock.store.reader import Reader

WAITING_MAX = 4_096
READ_BYTES = 64 * 1024
SENT_AT_ONCE = 16
"""Commands leave in parts of this size, so that the store begins with the first while we still read the last."""

_log = structlog.get_logger(__name__)


class RemoteStore:
    """An AsyncStore (store/store.py) whose writer is in another process. For one event loop.

    When the link is lost, what waits is in doubt and what comes later is unavailable.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._connection: socket.socket | None = None
        self._frames = Frames()
        self._number = 0
        self._waiting: dict[int, Told] = {}
        self._outgoing: Numbered = []
        self._unsent = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.keys_generation = 0
        self.lost = asyncio.Event()

    async def open(self, connection: socket.socket) -> None:
        """Start talking over a connected socket."""
        self._loop = asyncio.get_running_loop()
        connection.settimeout(0)
        self._connection = connection
        self._loop.add_reader(connection, self._hear)

    async def execute(self, command: Command) -> object:
        """As Store.execute. Raises Unavailable at once when too many wait already or the writer is gone."""
        return await self._asked(command)

    def _asked(self, asked: Asked) -> Told:
        """Put on its way. Raises Unavailable as `execute`."""
        if self._connection is None or self._loop is None:
            raise Unavailable("the store's process is not there")
        if len(self._waiting) >= WAITING_MAX:
            raise Unavailable("too many commands wait for the store")
        self._number = number = self._number + 1
        future = Told(loop=self._loop)
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

    def catch_up(self) -> None:
        """Send what is to be sent and take what has come, now and not in the loop's next turn. Waits for nothing."""
        self._flush()
        self._hear()

    def _flush(self) -> None:
        numbered, self._outgoing = self._outgoing, []
        if not numbered or self._connection is None:
            return
        waiting = bool(self._unsent)
        self._unsent += frame_commands(numbered)
        if not waiting and not self._send() and self._loop is not None:
            self._loop.add_writer(self._connection, self._send_rest)

    def _send(self) -> bool:
        """Send as much as the connection takes: whether that is all, or all that ever will be."""
        if self._connection is None:
            return True
        try:
            del self._unsent[: self._connection.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._lose()
            return True
        return not self._unsent

    def _send_rest(self) -> None:
        if self._send() and self._connection is not None and self._loop is not None:
            self._loop.remove_writer(self._connection)

    def _hear(self) -> None:
        if self._connection is None:
            return
        try:
            data = self._connection.recv(READ_BYTES)
            frames = self._frames.feed(data)
            heard = [read_outcomes(body) for body in frames]
        except BlockingIOError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("the link to the store's process broke", reason=str(error))
            self._lose()
            return
        for outcomes in heard:
            self._tell(outcomes)
        if not data:
            self._lose()

    def _tell(self, outcomes: Outcomes) -> None:
        self.keys_generation = outcomes.keys_generation
        for number, answer in outcomes.outcomes:
            waiting = self._waiting.pop(number, None)
            if waiting is None:
                continue
            if isinstance(answer, Accepted):  # what nearly every one is
                waiting.tell(answer)
            else:
                waiting.tell(None if isinstance(answer, Nothing) else answer, raised(answer))

    def _lose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._loop is not None:
            self._loop.remove_reader(connection)
            self._loop.remove_writer(connection)
            connection.close()
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.tell(None, InDoubt("the store's process ended before it answered"))
        self.lost.set()
