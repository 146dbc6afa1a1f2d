"""uvicorn as the service and its benchmark run it: the strict protocol and nothing that costs per request."""

from __future__ import annotations

from collections.abc import Callable

import uvicorn

from penstock.core.points import point
from penstock.server.gate import Gate
from penstock.server.heads import Limits
from penstock.server.protocol import strict_protocol

STOP_GRACE_S = 10
BACKLOG = 2_048
TOO_LARGE = 413


def make_server(app: Callable[..., object], gate: Gate, host: str, port: int) -> uvicorn.Server:
    """uvicorn with the strict protocol and nothing that costs per request."""

    def refusal_body(status: int, target: bytes, reason: str) -> tuple[bytes, bytes]:
        venue = gate.venue_for(target)
        reply = venue.too_large() if status == TOO_LARGE else venue.malformed()
        content_type = next((value for name, value in reply.headers if name == b"content-type"), b"application/json")
        return content_type, reply.body

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=host,
        port=port,
        http=strict_protocol(Limits(), refusal_body),
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


def run_server(server: uvicorn.Server, on_ready: Callable[[str], None]) -> None:
    """Run uvicorn in this thread; `on_ready` is called once its socket listens."""
    started = server.startup

    async def startup(sockets: list[object] | None = None) -> None:
        await started(sockets)  # type: ignore[arg-type]
        if server.started:
            host, port = server.servers[0].sockets[0].getsockname()[:2]
            point("start.ready")
            on_ready(f"http://{host}:{port}")

    server.startup = startup  # type: ignore[method-assign]
    server.run()
