"""BitMart requests as raw bytes on a socket, signed here by hand, and what comes back.

No HTTP library: it would mend what is sent on purpose.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.acceptance.sandbox_process import Sandbox

APPLY = b"/account/v1/withdraw/apply"
ANSWER_S_MAX = 10.0
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Answer:
    """seconds: from the last byte sent to the last byte read. closed: the server ended the connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float
    closed: bool

    @property
    def envelope(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert found.keys() == {"code", "trace", "message", "data"}, found
        return dict(found)

    @property
    def verdict(self) -> tuple[int, int]:
        """(HTTP status, code)."""
        return self.status, self.envelope["code"]


class Connection:
    """One connection; source: the loopback address it comes from."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_S_MAX, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self.socket.close()

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def answer(self) -> Answer:
        """Read one answer. Raises AssertionError when the connection ends before it is whole."""
        began_s = time.monotonic()
        with self.socket.makefile("rb") as read:
            status_line = read.readline()
            assert status_line.startswith(b"HTTP/1.1 "), status_line
            headers: dict[str, str] = {}
            while (line := read.readline().rstrip(b"\r\n")) != b"":
                name, _, value = line.decode().partition(":")
                assert name.lower() not in headers, line
                headers[name.lower()] = value.strip()
            body = read.read(int(headers["content-length"]))
        assert len(body) == int(headers["content-length"])
        seconds = time.monotonic() - began_s
        closed = headers.get("connection") == "close"
        return Answer(int(status_line.split()[1]), headers, body, seconds, closed)

    def exchange(self, raw: bytes) -> Answer:
        self.send(raw)
        return self.answer()

    def assert_sane(self, answer: Answer) -> None:
        """A connection that was to be closed is; any other one still tells requests apart."""
        if answer.closed:
            assert self.socket.recv(1) == b""
        else:
            assert self.exchange(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").verdict == (404, 30000)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def signature(key: dict[str, str], timestamp: str, body: bytes) -> bytes:
    text = f"{timestamp}#{key['memo']}#".encode() + body
    return hmac.new(key["api_secret"].encode(), text, hashlib.sha256).hexdigest().encode()


def head(target: bytes, headers: Headers, method: bytes = b"POST") -> bytes:
    lines = [method + b" " + target + b" HTTP/1.1", *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def claims(key: dict[str, str], body: bytes, timestamp: str | None = None) -> dict[bytes, bytes]:
    """The headers of a sound request by name, its length included; the test changes what it wants."""
    stamp = str(now_ms()) if timestamp is None else timestamp
    return {
        b"Host": b"127.0.0.1",
        b"Content-Type": b"application/json",
        b"X-BM-KEY": key["api_key"].encode(),
        b"X-BM-TIMESTAMP": stamp.encode(),
        b"X-BM-SIGN": signature(key, stamp, body),
        b"Content-Length": b"%d" % len(body),
    }


def apply_request(key: dict[str, str], body: bytes, *, timestamp: str | None = None) -> bytes:
    """A whole, rightly signed withdraw/apply."""
    return head(APPLY, tuple(claims(key, body, timestamp).items())) + body


def apply_body(sandbox: Sandbox, **changes: object) -> bytes:
    """A withdrawal that would be accepted; a change to None leaves the member out."""
    members: dict[str, object] = {
        "currency": "USDT-ERC20",
        "amount": "20",
        "address": sandbox.entry("USDT-ERC20")["address"],
    } | changes
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


def ask(sandbox: Sandbox, raw: bytes, source: str = "127.0.0.1") -> Answer:
    """One exchange on a connection of its own, which must be sane afterwards."""
    with closing(Connection(sandbox.port, source)) as connection:
        answer = connection.exchange(raw)
        connection.assert_sane(answer)
    return answer
