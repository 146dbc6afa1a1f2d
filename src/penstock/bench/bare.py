"""The HTTP server of the service with nothing behind it: what the same machine answers when there is no work.

`python -m penstock.bench.bare`; prints `ready http://127.0.0.1:P`; SIGTERM stops it.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from penstock.server.http import BACKLOG, make_server
from penstock.server.protocol import plain_refusal

# As long as the service's own answer to an accepted withdrawal.
BODY = (
    b'{"code":1000,"trace":"886fb6ae-456b-4654-b4e0-d681ac05cea1","message":"OK",'
    b'"data":{"withdraw_id":"382516413185695744"}}'
)
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}
_BODY = {"type": "http.response.body", "body": BODY}


async def answer_nothing(_scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own types
    """An ASGI application that gives the same acceptance to whatever comes, unread."""
    await send(_START)
    await send(_BODY)


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    sys.stdout.write(f"ready http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    make_server(answer_nothing, plain_refusal).run(sockets=[listening])


if __name__ == "__main__":
    main()
