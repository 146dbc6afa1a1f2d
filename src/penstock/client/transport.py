"""The two drivers: they carry out the steps of a call over HTTP, one blocking, one awaiting. No rule lives
here.

Every request is sent at most once, on time limits of its own, without following redirects; an answer that
is too long or too slow counts as lost.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from penstock.client.steps import Lost, Pause, Reply, Send, SignedRequest, Steps
from penstock.core.time import Clock

T = TypeVar("T")

CONNECT_S = 5
WRITE_S = 10
READ_S = 15
ANSWER_MS_MAX = 30_000
ANSWER_BYTES_MAX = 8 * 1024 * 1024
# Servers drop idle connections after some seconds. A connection that is dropped while we write leaves the
# outcome unknown, so we let go of ours first.
KEEP_IDLE_S = 2

_SETTINGS: dict[str, Any] = {
    "timeout": httpx2.Timeout(connect=CONNECT_S, write=WRITE_S, read=READ_S, pool=CONNECT_S),
    # Uncompressed, so that a small answer cannot grow into a large one here.
    "headers": {"User-Agent": "penstock-client", "Accept-Encoding": "identity"},
    "limits": httpx2.Limits(max_connections=16, max_keepalive_connections=4, keepalive_expiry=KEEP_IDLE_S),
    # No proxy that an environment names sees what is signed.
    "trust_env": False,
}

# Raised before the first byte of the request is written. Everything else may come after it.
_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
)


def _lost(error: Exception) -> Lost:
    return Lost(
        sent=not isinstance(error, _NEVER_SENT),
        reason=f"{type(error).__name__}: {error}" if str(error) else type(error).__name__,
    )


class _Answer:
    """Collects an answer's body within its limits."""

    def __init__(self, response: httpx2.Response, clock: Clock, started_ms: int) -> None:
        self._response = response
        self._clock = clock
        self._ends_ms = started_ms + ANSWER_MS_MAX
        self._body = bytearray()

    def take(self, chunk: bytes) -> Lost | None:
        self._body += chunk
        if len(self._body) > ANSWER_BYTES_MAX:
            return Lost(sent=True, reason=f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
        if self._clock.monotonic_ms() > self._ends_ms:
            return Lost(sent=True, reason=f"the answer took longer than {ANSWER_MS_MAX // 1000} s")
        return None

    def reply(self) -> Reply:
        headers = {name.lower(): value for name, value in self._response.headers.items()}
        return Reply(self._response.status_code, headers, bytes(self._body))


class SyncDriver:
    """Blocks. Calls from several threads are safe."""

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[int], None] | None = None,
    ) -> None:
        self._clock = clock
        self._pause = pause or _wait
        self._http = httpx2.Client(base_url=base_url, transport=transport, **_SETTINGS)

    def run(self, steps: Steps[T]) -> T:
        """Carry the call out to its end; raises what the call raises.

        An interrupt while an answer is awaited passes through the call, which notes on it what it leaves in
        doubt.
        """
        answer: Reply | Lost | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as stop:
                return stop.value
            try:
                answer = self._do(step)
            except BaseException as stopped:
                steps.throw(stopped)
                raise

    def _do(self, step: Send | Pause) -> Reply | Lost | None:
        match step:
            case Send(request=request):
                return self._send(request)
            case Pause(ms=ms):
                return self._pause(ms)

    def _send(self, request: SignedRequest) -> Reply | Lost:
        started_ms = self._clock.monotonic_ms()
        try:
            with self._http.stream(
                request.method, request.target, headers=list(request.headers), content=request.body
            ) as response:
                answer = _Answer(response, self._clock, started_ms)
                for chunk in response.iter_bytes():
                    if lost := answer.take(chunk):
                        return lost
                return answer.reply()
        except (httpx2.HTTPError, OSError) as error:
            return _lost(error)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncDriver:
    """Awaits, on asyncio."""

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        pause: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._clock = clock
        self._pause = pause or _sleep
        self._http = httpx2.AsyncClient(base_url=base_url, transport=transport, **_SETTINGS)

    async def run(self, steps: Steps[T]) -> T:
        """As `SyncDriver.run`; a cancellation passes through the call like an interrupt."""
        answer: Reply | Lost | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as stop:
                return stop.value
            try:
                answer = await self._do(step)
            except BaseException as stopped:
                steps.throw(stopped)
                raise

    async def _do(self, step: Send | Pause) -> Reply | Lost | None:
        match step:
            case Send(request=request):
                return await self._send(request)
            case Pause(ms=ms):
                return await self._pause(ms)

    async def _send(self, request: SignedRequest) -> Reply | Lost:
        started_ms = self._clock.monotonic_ms()
        try:
            async with self._http.stream(
                request.method, request.target, headers=list(request.headers), content=request.body
            ) as response:
                answer = _Answer(response, self._clock, started_ms)
                async for chunk in response.aiter_bytes():
                    if lost := answer.take(chunk):
                        return lost
                return answer.reply()
        except (httpx2.HTTPError, OSError) as error:
            return _lost(error)

    async def close(self) -> None:
        await self._http.aclose()


def _wait(ms: int) -> None:
    threading.Event().wait(ms / 1000)


async def _sleep(ms: int) -> None:
    await asyncio.sleep(ms / 1000)
