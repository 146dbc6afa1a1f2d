"""The drivers' limits on an answer that does not end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from penstock.client.steps import Lost, Pause, Reply, Send, SignedRequest, Steps
from penstock.client.transport import ANSWER_MS_MAX, AsyncDriver, SyncDriver
from penstock.core.time import ManualClock

BASE_URL = "http://127.0.0.1:9"


class Dripping(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A byte every ten seconds, for ever."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.given = 0

    def _byte(self) -> bytes:
        self._clock.advance(10_000)
        self.given += 1
        return b" "

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self._byte()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield self._byte()


def one_request() -> Steps[Lost | Reply | None]:
    yield Pause(0)
    return (yield Send(SignedRequest("GET", "/", (), b"")))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_answer_that_drips_is_given_up_in_time(kind: str) -> None:
    clock = ManualClock(0)
    stream = Dripping(clock)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=stream))

    async def awaited() -> Lost | Reply | None:
        driver = AsyncDriver(BASE_URL, clock, transport=transport)
        try:
            return await driver.run(one_request())
        finally:
            await driver.close()

    if kind == "async":
        lost = asyncio.run(awaited())
    else:
        with SyncDriver(BASE_URL, clock, transport=transport) as driver:
            lost = driver.run(one_request())
    assert isinstance(lost, Lost)
    assert lost.sent
    assert stream.given == ANSWER_MS_MAX // 10_000 + 1
