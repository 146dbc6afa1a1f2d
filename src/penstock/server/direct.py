"""Requests answered without ASGI: no scope, no task, the answer in one write.

Where the guard has read a quite ordinary head, everything that a second parser would find is known already. Whoever
serves the request gives a coroutine that is run by hand up to the answer: a task for each request, the ASGI messages
and their events cost more than all the work on a request. What asks for anything unusual takes the way over ASGI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import lru_cache
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from penstock.server.heads import PlainHead
from penstock.store.link.told import Told
from penstock.venues.venue import Headers, Reply

Made = tuple[Reply, Headers]
"""A reply, and further headers for it."""

Answering = Coroutine[Any, Any, Made]
"""What makes a reply. May wait for futures and for nothing else: no timeout, no name, because there is no task."""

Direct = Callable[[PlainHead, bytes, str], Answering | Made | None]
"""(head, body, the peer's address) to what answers, or to the answer; None for what is not answered directly. Must not
raise.
"""

LINES_KEPT = 64

_KEEPS_ALIVE: dict[bytes | None, bool] = {
    None: True,
    b"keep-alive": True,
    b"Keep-Alive": True,
    b"close": False,
}

_log = structlog.get_logger(__name__)


def keeps_alive(head: PlainHead) -> bool | None:
    """Whether the connection outlives the answer; None where that takes more than a glance to say."""
    return _KEEPS_ALIVE.get(head.by_name.get(b"connection"))


@lru_cache(maxsize=LINES_KEPT)
def _kept_lines(headers: Headers) -> bytes:
    return header_lines(headers)


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they stand in a head. Raises ValueError for one that would end its line early."""
    lines = [b"%b: %b\r\n" % header for header in headers]
    joined = b"".join(lines)
    if joined.count(b"\n") != len(lines):
        raise ValueError("a header holds a line end")
    return joined


def answer_bytes(made: Made, common: bytes, *, keep_alive: bool) -> bytes:
    """The whole answer as it goes out. common: the lines that every answer begins with. Raises as `header_lines`."""
    reply, more = made
    return b"".join(
        (
            STATUS_LINE[reply.status],
            common,
            # A venue has a handful of these; those that tell of limits change with every request.
            _kept_lines(reply.headers),
            header_lines(more) if more else b"",
            b"content-length: %d\r\n" % len(reply.body),
            b"\r\n" if keep_alive else b"connection: close\r\n\r\n",
            reply.body,
        )
    )


class Running:
    """One request on its way, stepped through its coroutine as a task would, but from the very start.

    finish: called once, with what the coroutine gave, or None where it failed. For one event loop. Among a server's
    tasks it counts as one: `cancel` ends it.
    """

    __slots__ = ("_answering", "_ended", "_finish")

    def __init__(self, answering: Answering, finish: Callable[[Running, Made | None], None]) -> None:
        self._answering = answering
        self._finish = finish
        self._ended = False

    def step(self, _waited_for: object = None) -> None:
        """Go on until it has to wait, or to its end."""
        if self._ended:
            return
        try:
            waits_for: asyncio.Future[object] | None = self._answering.send(None)
        except StopIteration as ended:
            self._finish(self, ended.value)
            return
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the boundary of a request, logged
            _log.exception("answering a request failed")
            self._finish(self, None)
            return
        if waits_for is None:
            asyncio.get_running_loop().call_soon(self.step)
            return
        # What a future asks of whoever awaits it: asyncio.Task does the same.
        waits_for._asyncio_future_blocking = False  # pyright: ignore[reportPrivateUsage]
        if isinstance(waits_for, Told):  # an answer goes out before further requests are read
            waits_for.at_once = self.step
        else:
            waits_for.add_done_callback(self.step)

    def cancel(self, msg: str | None = None) -> None:
        """Give the request up where it waits; it is then finished as failed."""
        del msg
        self._ended = True
        self._answering.close()
        # Not at once: who cancels walks through the very set that `finish` takes this one out of.
        asyncio.get_running_loop().call_soon(self._finish, self, None)
