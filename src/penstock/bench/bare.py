"""The HTTP server of the service with nothing behind it: what the same machine answers when there is no work.

`python -m penstock.bench.bare`; prints `ready http://127.0.0.1:P`; SIGTERM stops it.
"""

from __future__ import annotations

import socket
import sys

from penstock.server.direct import Answering, Made
from penstock.server.gate import Receive, Scope_, Send, send_reply
from penstock.server.heads import PlainHead
from penstock.server.http import BACKLOG, make_server
from penstock.server.protocol import plain_refusal
from penstock.venues.venue import Reply

# As long as the service's own answer to an accepted withdrawal.
BODY = (
    b'{"code":1000,"trace":"886fb6ae-456b-4654-b4e0-d681ac05cea1","message":"OK",'
    b'"data":{"withdraw_id":"382516413185695744"}}'
)
_REPLY = Reply(200, ((b"content-type", b"application/json"),), BODY)


async def _answer() -> Made:
    return _REPLY, ()


def answer_nothing(_head: PlainHead, _body: bytes, _client_ip: str) -> Answering:
    """The same acceptance for whatever comes, unread; as directly as the service answers (server/direct.py)."""
    return _answer()


async def decline(_scope: Scope_, _receive: Receive, send: Send) -> None:
    """What is not ordinary is not measured."""
    await send_reply(send, Reply(501, (), b""))


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    sys.stdout.write(f"ready http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    make_server(decline, plain_refusal, answer_nothing).run(sockets=[listening])


if __name__ == "__main__":
    main()
