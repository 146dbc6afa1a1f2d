"""uvicorn as the service and its benchmark run it: the strict protocol and nothing that costs per request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import uvicorn

from penstock.server.direct import Direct
from penstock.server.gate import AsgiApp
from penstock.server.heads import Limits
from penstock.server.protocol import RefusalBody, strict_protocol

STOP_GRACE_S = 10
BACKLOG = 2_048


def make_server(app: AsgiApp, refusal_body: RefusalBody, direct: Direct | None = None) -> uvicorn.Server:
    """refusal_body: in which form the protocol's own refusals are written (server/protocol.py). direct: who answers
    ordinary requests without ASGI (server/direct.py).
    """
    config = uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType] - uvicorn's own alias is narrower than ASGI
        loop="uvloop",
        http=strict_protocol(Limits(), refusal_body, direct=direct),
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_GRACE_S,
        backlog=BACKLOG,
    )
    return uvicorn.Server(config)


def run_server(
    server: uvicorn.Server, listening: socket.socket, on_started: Callable[[], Awaitable[None]]
) -> None:
    """Run uvicorn in this thread on a listening socket until SIGTERM or SIGINT.

    on_started: awaited in the event loop once requests are taken.
    """
    start_up = server.startup

    async def started(sockets: list[socket.socket] | None = None) -> None:
        await start_up(sockets)
        if server.started:
            await on_started()

    server.startup = started  # uvicorn has no hook of its own between listening and serving
    server.run(sockets=[listening])


def end_with(server: uvicorn.Server, ended: asyncio.Event) -> asyncio.Task[None]:
    """Have the server stop once `ended` is set. Keep the returned task."""

    async def watch() -> None:
        await ended.wait()
        server.should_exit = True

    return asyncio.get_running_loop().create_task(watch())
