"""uvicorn's HTTP/1.1 protocol behind the framing guard, with deadlines.

uvicorn and httptools keep the parsing of sound messages, the ASGI scope and the writing of answers. This
module adds what they leave open: strict framing, slow heads and bodies cut, a cap on connections, and
refusals that say what is wrong. Nothing is logged per request. Ordinary requests that somebody answers directly
(server/direct.py) never reach them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, ClassVar, cast

import msgspec
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from penstock.core.points import point
from penstock.server.direct import Direct, Made, Running, answer_bytes, header_lines, keeps_alive
from penstock.server.framing import FramingGuard, FramingRefusal, Limits, Phase, PlainHead, SingleHeaders
from penstock.server.heads import METHODS
from penstock.server.layouts import Layouts
from penstock.venues.venue import Reply

RefusalBody = Callable[[int, bytes, str], tuple[bytes, bytes]]
"""(status, raw request target or b"" where it was not readable, reason) -> (content type, body)."""

NO_REQUEST = FramingRefusal(408, "no request came in time")
SLOW_HEAD = FramingRefusal(408, "the head of the request took too long")
SLOW_BODY = FramingRefusal(408, "the body of the request took too long")
NOT_READABLE = FramingRefusal(400, "the request cannot be read")
TOO_MANY = FramingRefusal(503, "there are too many connections")

_log = structlog.get_logger(__name__)
_NEVER = math.inf
_FAILED = Reply(500, ((b"content-type", b"text/plain; charset=utf-8"),), b"Internal Server Error")
_EXTRA_HEADERS = {
    405: b"allow: " + b", ".join(METHODS) + b"\r\n",
    503: b"retry-after: 1\r\n",
}


def plain_refusal(_status: int, _target: bytes, reason: str) -> tuple[bytes, bytes]:
    """The form of a refusal that belongs to no venue."""
    return b"application/json", msgspec.json.encode({"error": reason})


class StrictProtocol(HttpToolsProtocol):
    """One connection. For `uvicorn.Config(http=StrictProtocol)`, or as made by `strict_protocol`.

    The application is called for whole, sound messages only, and finds the whole body in its first
    `receive()`. One timer a connection: it is re-armed when it fires, not for every request.
    """

    limits: ClassVar[Limits] = Limits()
    single_headers: ClassVar[SingleHeaders] = SingleHeaders()
    layouts: ClassVar[Layouts] = Layouts(Limits())
    refusal_body: ClassVar[RefusalBody] = staticmethod(plain_refusal)
    direct: ClassVar[Direct | None] = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.access_log = False
        self._guard = FramingGuard(self.limits, self.single_headers, self.layouts)
        self._served = False  # a message has come through
        self._deadline = _NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = _NEVER
        self._linger_bytes: int | None = None  # after a refusal: how much more is dropped before the cut
        self._running: Running | None = None  # what is being answered directly
        self._keep_alive = True  # behind that answer
        self._gone = False
        self._client_ip = ""
        self._common: list[tuple[bytes, bytes]] = []  # the headers of every answer, as last written
        self._common_lines = b""

    # ---- events of the transport ----

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as uvicorn's
        super().connection_made(transport)
        # An answer leaves at once, and not behind all requests that came in the same turn of the loop.
        transport.set_write_buffer_limits(high=0)
        self._client_ip = self.client[0] if self.client else ""
        if len(self.connections) > self.limits.connections_max:
            self._refuse(TOO_MANY)
        else:
            self._set_deadline(self.limits.head_deadline_s)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._guard.stop()
        self._gone = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        guard = self._guard
        before = guard.phase
        message = guard.feed(data)
        if message:
            self._served = True
            self._deadline = _NEVER
            if guard.plain is None or not self._answers_directly(guard.plain, message):
                super().data_received(message)
            if guard.refusal is not None and self._linger_bytes is None:
                self.flow.pause_reading()
        elif guard.refusal is not None and before is Phase.ANSWERING:
            self.flow.pause_reading()  # on_response_complete writes the refusal
        elif before is Phase.REFUSED:
            self._drop(len(data))
        elif guard.refusal is not None:
            self._refuse(guard.refusal)
        elif guard.phase is not before:
            self._await_rest(guard.phase)

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]  # uvicorn narrows asyncio's
        """A client may close its sending side behind a whole request and still gets the answer."""
        if self._linger_bytes is not None:
            return False
        if self._running is not None:
            self._keep_alive = False
            return self.transport.can_write_eof()
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            return False
        cycle.keep_alive = False
        return self.transport.can_write_eof()

    def shutdown(self) -> None:
        if self._running is None:
            super().shutdown()
        else:
            self._keep_alive = False

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_deadline(self.limits.stall_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._linger_bytes is None:
            self._deadline = self._deadline_after_answer() if self._guard.phase is Phase.IDLE else _NEVER

    # ---- calls from uvicorn and httptools ----

    def on_header(self, name: bytes, value: bytes) -> None:
        # Unlike uvicorn's: trailing blanks are no part of a value (RFC 9110, section 5.5), and the
        # expectation is not noted, because the guard has the body before the application could ask for it.
        self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_response_complete(self) -> None:
        # Replaces uvicorn's: the guard lets no second request through, so there is no pipeline to go on with,
        # and idling needs no timer of its own.
        self.server_state.total_requests += 1
        self._guard.answered()
        if self.transport.is_closing():
            self._set_deadline(self.limits.stall_s)
            return
        if self._guard.refusal is not None:
            self._refuse(self._guard.refusal)
            return
        self.flow.resume_reading()
        self._deadline = self._deadline_after_answer()

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(NOT_READABLE)

    # ---- answering directly ----

    def _answers_directly(self, head: PlainHead, message: bytes) -> bool:
        """Begin to answer a message that somebody answers directly. False: nobody does, and nothing was done."""
        direct, keep_alive = type(self).direct, keeps_alive(head)
        if direct is None or keep_alive is None:
            return False
        answering = direct(head, message[head.size :], self._client_ip)
        if answering is None:
            return False
        self._keep_alive = keep_alive
        if isinstance(answering, tuple):
            self._write_made(answering)
            return True
        self._running = running = Running(answering, self._answer)
        self.tasks.add(running)  # pyright: ignore[reportArgumentType] - uvicorn counts and cancels them, no more
        running.step()
        return True

    def _answer(self, running: Running, made: Made | None) -> None:
        self.tasks.discard(running)  # pyright: ignore[reportArgumentType] - as above
        if made is None:
            self._keep_alive = False
            made = _FAILED, ()
        self._write_made(made)

    def _write_made(self, made: Made) -> None:
        if self.flow.write_paused and not self._gone:
            waiting = self.loop.create_task(self._write_when_read(made))
            self.tasks.add(waiting)
            waiting.add_done_callback(self.tasks.discard)
        else:
            self._write(made)

    async def _write_when_read(self, made: Made) -> None:
        """Write once the client has read enough of what it was sent before."""
        await self.flow.drain()
        self._write(made)

    def _write(self, made: Made) -> None:
        self._running = None
        if self._gone:
            return
        if self._common is not self.server_state.default_headers:
            self._common = self.server_state.default_headers
            self._common_lines = header_lines(self._common)
        try:
            answer = answer_bytes(made, self._common_lines, keep_alive=self._keep_alive)
        except ValueError:
            _log.exception("an answer cannot be written")
            self._keep_alive = False
            answer = answer_bytes((_FAILED, ()), self._common_lines, keep_alive=False)
        self.transport.write(answer)
        if not self._keep_alive:
            self.transport.close()
        self.on_response_complete()
        point("intake.answer_handed_over")

    # ---- deadlines ----

    def _deadline_after_answer(self) -> float:
        return self.loop.time() + self.limits.idle_s

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        self._arm(self._deadline)

    def _arm(self, at: float) -> None:
        """Have `_on_timer` called at `at` or sooner."""
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self.loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self.loop.time()
        if now < self._deadline:
            # No deadline set meanwhile can be sooner than idle_s from when it is set, but those that arm.
            self._arm(min(self._deadline, now + self.limits.idle_s))
            return
        phase = self._guard.phase
        if self.transport.is_closing() or self._linger_bytes is not None:
            self.transport.abort()
        elif phase is Phase.HEAD:
            self._refuse(SLOW_HEAD)
        elif phase is Phase.BODY:
            self._refuse(SLOW_BODY)
        elif phase is not Phase.IDLE:
            self.transport.abort()  # the client does not read its answer
        elif not self._served:
            self._refuse(NO_REQUEST)
        else:
            self.transport.close()
            self._set_deadline(self.limits.linger_s)

    def _await_rest(self, phase: Phase) -> None:
        if phase is Phase.BODY:
            self._set_deadline(self.limits.body_deadline_s)
            if self._guard.wants_continue:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif self._served:  # the first head of a connection is timed from connecting
            self._set_deadline(self.limits.head_deadline_s)

    # ---- refusing ----

    def _refuse(self, refusal: FramingRefusal) -> None:
        """Write `refusal` and close. What still comes is dropped, within the limits for lingering."""
        content_type, body = type(self).refusal_body(refusal.status, self._guard.target, refusal.reason)
        self._guard.stop()
        head = [STATUS_LINE[refusal.status]]
        head += [name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers]
        head.append(_EXTRA_HEADERS.get(refusal.status, b""))
        head.append(
            b"content-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (content_type, len(body))
        )
        self._linger_bytes = self.limits.linger_bytes_max
        self.transport.write(b"".join(head) + body)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        self._set_deadline(self.limits.linger_s)

    def _drop(self, size: int) -> None:
        if self._linger_bytes is None:
            return  # pipelined bytes while the first answer is being made; the refusal follows it
        self._linger_bytes -= size
        if self._linger_bytes < 0:
            self.transport.abort()


def strict_protocol(
    limits: Limits,
    refusal_body: RefusalBody,
    single_headers: SingleHeaders | None = None,
    direct: Direct | None = None,
) -> type[StrictProtocol]:
    """A protocol class with these limits, for `uvicorn.Config(http=...)`.

    refusal_body: the body of every refusal made here, in the form of the venue the target belongs to; it must
    not raise. single_headers: beyond the default, when a venue signs with other names. direct: who answers ordinary
    requests without ASGI; what it declines goes to the application.
    """

    class ConfiguredProtocol(StrictProtocol):
        pass

    ConfiguredProtocol.limits = limits
    ConfiguredProtocol.layouts = Layouts(limits)
    ConfiguredProtocol.refusal_body = staticmethod(refusal_body)
    ConfiguredProtocol.single_headers = single_headers or SingleHeaders()
    ConfiguredProtocol.direct = None if direct is None else staticmethod(direct)
    return ConfiguredProtocol
