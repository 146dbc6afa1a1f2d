"""The whole ASGI application: the venues' gate, the admin API and the health check, told apart by path prefix."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from penstock.server.gate import AsgiApp, Gate, Receive, Scope_, Send, send_reply
from penstock.venues.venue import Reply

ADMIN_PREFIX = b"/admin/"
HEALTH_PATH = b"/healthz"


def make_app(gate: Gate, admin: AsgiApp, health: Callable[[], Reply]) -> AsgiApp:
    """gate: for everything but the admin API's prefix and the health check. health: answers the latter; may block.

    Lifespan events pass unanswered.
    """

    async def app(scope: Scope_, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: bytes = scope["raw_path"]
        if path.startswith(ADMIN_PREFIX):
            await admin(scope, receive, send)
        elif path == HEALTH_PATH:
            await send_reply(send, await asyncio.to_thread(health))
        else:
            await gate(scope, receive, send)

    return app
