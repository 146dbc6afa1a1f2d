"""One attempt to deliver a callback: one POST, to an address that was checked, in a bounded time.

Nothing is followed (no redirect), nothing kept (no connection, cookie or proxy), and only HTTP status 200 counts.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, cast

import httpx2
import msgspec

from penstock.venues.venue import Callback
from penstock.webhooks.addresses import Address, Block, TargetRefused
from penstock.webhooks.target import Resolve, Target, find_addresses, read_target, system_resolver

HTTP_OK = 200
ADDRESSES_TRIED_MAX = 3
ANSWER_BYTES_MAX = 64 * 1024
REASON_LENGTH_MAX = 200
EVENT_HEADER = b"x-penstock-event"

# The library logs every request's URL at level INFO, and a callback's URL may hold its receiver's secret.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_FAILURES = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError)
# Raised before the request's first byte is written.
_NOT_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout)


HeaderList = list[tuple[bytes, bytes]]


class _Stream(Protocol):
    def get_extra_info(self, info: str) -> object: ...


class Delivery(msgspec.Struct, frozen=True):
    """What came of an attempt. reason: "" when it was delivered, else what went wrong, for the operator's log."""

    reason: str = ""

    @property
    def delivered(self) -> bool:
        return not self.reason


class Post(Protocol):
    """Deliver once; never raises for what the receiver or the network does."""

    def __call__(self, url: str, callback: Callback, event: str) -> Delivery: ...


class Poster:
    """Sends callbacks. Calls may come from several threads.

    allowed: networks that callbacks may go to although they are not public. timeout_ms: for a whole attempt, resolving
    the name aside. trust: which certificates are believed; by default the machine's authorities.
    """

    def __init__(
        self,
        allowed: Sequence[Block],
        timeout_ms: int,
        resolve: Resolve = system_resolver,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = tuple(allowed)
        self._timeout_ms = timeout_ms
        self._resolve = resolve
        self._trust = trust or httpx2.create_ssl_context(trust_env=False)

    def post(self, url: str, callback: Callback, event: str) -> Delivery:
        """Post the callback to `url`. event: what the header EVENT_HEADER says, the same at every attempt.

        After a failure the receiver may have got it all the same.
        """
        try:
            target = read_target(url)
            addresses = find_addresses(target, self._allowed, self._resolve)
        except TargetRefused as refused:
            return Delivery(str(refused))
        headers = [
            *callback.headers,
            (b"host", target.host_header),
            (b"user-agent", b"penstock"),
            # Uncompressed, so that a small answer cannot grow into a large one here.
            (b"accept-encoding", b"identity"),
            (b"connection", b"close"),
            (EVENT_HEADER, event.encode()),
        ]
        return self._send(target, addresses[:ADDRESSES_TRIED_MAX], headers, callback.body)

    def _send(
        self, target: Target, addresses: Sequence[Address], headers: HeaderList, body: bytes
    ) -> Delivery:
        reason = ""
        timeout_s = self._timeout_ms / 1_000
        # Half the time is for connecting to all of them and half for their TLS handshakes: neither can be cut.
        timeout = httpx2.Timeout(timeout_s, connect=timeout_s / 2 / len(addresses))
        with _Cutter(timeout_s) as cutter:
            for address in addresses:
                try:
                    status = self._exchange(target, address, headers, body, timeout, cutter)
                except _NOT_CONNECTED as error:
                    reason = _told(error)
                except _FAILURES as error:
                    reason = _told(error)
                    break
                else:
                    return Delivery("" if status == HTTP_OK else f"HTTP status {status}")
            return Delivery(f"no answer within {self._timeout_ms} ms" if cutter.is_late else reason)

    def _exchange(
        self,
        target: Target,
        address: Address,
        headers: HeaderList,
        body: bytes,
        timeout: httpx2.Timeout,
        cutter: _Cutter,
    ) -> int:
        """The status that the receiver at this address answers with."""
        # A client of its own for every exchange: a connection kept open for one name must never serve another that
        # has the same address.
        with (
            httpx2.Client(
                verify=self._trust,
                timeout=timeout,
                limits=httpx2.Limits(max_connections=1, max_keepalive_connections=0),
                follow_redirects=False,
                trust_env=False,
            ) as client,
            client.stream(
                "POST",
                target.at(address),
                headers=headers,
                content=body,
                extensions={"sni_hostname": target.host.rstrip("."), "trace": cutter.watch},
            ) as response,
        ):
            status = response.status_code
            _take_rest(response)
            return status


def _take_rest(response: httpx2.Response) -> None:
    """Let the receiver finish its answer, within limits: cutting it off could look like a failure over there."""
    seen = 0
    with contextlib.suppress(*_FAILURES):
        for part in response.iter_raw():
            seen += len(part)
            if seen > ANSWER_BYTES_MAX:
                return


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:REASON_LENGTH_MAX]


class _Cutter:
    """Ends whatever connection there is when the time is up: the library's own timeout begins anew at every byte."""

    def __init__(self, after_s: float) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(after_s, self._cut)
        self._timer.daemon = True
        self.is_late = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def watch(self, event: str, seen: Mapping[str, object]) -> None:
        """Called by the library at each step of an exchange."""
        if event not in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            return
        connection = cast("_Stream", seen["return_value"]).get_extra_info("socket")
        assert isinstance(connection, socket.socket)
        with self._lock:
            self._socket = connection
            if self.is_late:
                _end(connection)

    def _cut(self) -> None:
        with self._lock:
            self.is_late = True
            if self._socket is not None:
                _end(self._socket)


def _end(connection: socket.socket) -> None:
    # It may have been closed in this very moment. The plain socket's method, since that of a TLS socket would first
    # forget that it is encrypted, while another thread still writes to it.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
