"""A customer's server on loopback: real sockets, one behaviour after the other, and a memory of what arrived."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

PAUSE_S = 0.02
"""Between the bytes of an answer that trickles."""


@dataclass(frozen=True)
class Arrived:
    """One complete request. headers: names in lower case. sni: the name the TLS client asked for."""

    line: str
    headers: dict[str, str]
    body: bytes
    sni: str | None


Behave = Callable[["Receiver", socket.socket], None]


def answers(status: str, *headers: str, body: bytes = b"") -> Behave:
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""))
    return lambda _receiver, connection: connection.sendall(head.encode() + body)


def drops(_receiver: Receiver, _connection: socket.socket) -> None:
    """Takes the request and closes without a word."""


def hangs(receiver: Receiver, _connection: socket.socket) -> None:
    """Says nothing until the test lets go."""
    receiver.hanging.release()
    receiver.released.wait(30)


def trickles(first: bytes, then: bytes) -> Behave:
    """Sends `first`, then one byte after the other until the test lets go or the other side has gone."""

    def behave(receiver: Receiver, connection: socket.socket) -> None:
        connection.sendall(first)
        receiver.hanging.release()
        while not receiver.released.wait(PAUSE_S):
            connection.sendall(then)

    return behave


@dataclass
class Receiver:
    """Listens until closed. script: how the next requests are met; the last behaviour stays."""

    script: list[Behave] = field(default_factory=lambda: [answers("200 OK")])
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.connections = 0
        self.hanging = threading.Semaphore(0)
        self.released = threading.Event()
        self.got_one = threading.Semaphore(0)
        self._sni: str | None = None
        if self.tls is not None:
            self.tls.sni_callback = self._remember_sni
        self._listening = socket.create_server((self.host, 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hook"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def _remember_sni(self, _connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self._sni = name

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(10)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # The other side may hang up at any moment: that is what these tests are about.
        with contextlib.suppress(OSError), connection:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                behave = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if arrived := read_request(connection, self._sni):
                    self.arrived.append(arrived)
                    self.got_one.release()
                    behave(self, connection)


def read_request(connection: socket.socket, sni: str | None) -> Arrived | None:
    """None where the other side closed before it had sent everything."""
    text = b""
    while b"\r\n\r\n" not in text:
        if not (part := connection.recv(65_536)):
            return None
        text += part
    head, _, body = text.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
    while len(body) < int(headers["content-length"]):
        if not (part := connection.recv(65_536)):
            return None
        body += part
    return Arrived(line, headers, body, sni)


@contextlib.contextmanager
def receiving(
    *script: Behave, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    with Receiver(list(script) or [answers("200 OK")], host, tls) as receiver:
        yield receiver
