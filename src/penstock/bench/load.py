"""The load generator's loop: N connections, each waiting for its answer before it sends the next request.

One thread, epoll, ready bytes. It shares the machine with the server it measures, so what it does per
answer is as little as tells an accepted request from any other.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

ACCEPTED = b'"code":1000,'
"""What only BitMart's acceptances hold."""
_ACCEPTED_STATUSES = (b"HTTP/1.1 200 ", b"HTTP/1.1 201 ")
STALLED_S = 10
SEGMENT_BYTES_MAX = 65_536
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CODE = re.compile(rb'"(?:code|retCode|error-code|error|errors)": ?[{"]*([\w -]+)')


class Connection:
    """One client. held: the beginning of an answer that has not come whole. number: of the request under way.

    busy: whether one is, where the loop that uses it says so.
    """

    __slots__ = ("busy", "held", "number", "receive", "send", "sent_ns", "socket")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=STALLED_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)
        self.send = self.socket.send
        self.receive = self.socket.recv
        self.held = b""
        self.sent_ns = 0
        self.number = 0
        self.busy = False

    def answer(self) -> bytes | None:
        """Take what has come: an answer if that completes one. Raises ConnectionError where the connection is gone."""
        try:
            segment = self.receive(SEGMENT_BYTES_MAX)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ConnectionError from error
        if not segment:
            raise ConnectionError
        if self.held:
            segment = self.held + segment
        if not is_whole(segment):
            self.held = segment
            return None
        self.held = b""
        return segment


class Mark(msgspec.Struct, frozen=True):
    """Where the run stood at one moment. latencies: how many were noted."""

    at_ns: int
    latencies: int
    accepted: int
    loader_cpu_ns: int
    server_cpu_ns: int


class Load:
    """One run. After `run`: `latencies_ns` of accepted requests in the order answered, `began` and `ended`
    around the measured part, `others` (answers that were not acceptances, by status and code), `lost`
    (requests in flight on a connection that broke or stalled: their outcome is unknown), `exhausted` (the
    ready requests ran out).

    accepted: what only an acceptance holds. keep: given the number of each accepted request, counted from 0 in
    the order sent, and the whole answer.
    """

    def __init__(
        self,
        address: tuple[str, int],
        clients: int,
        requests: Iterable[bytes],
        server_cpu_ns: Callable[[], int],
        accepted: bytes = ACCEPTED,
        keep: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self._requests = enumerate(requests)
        self._marker = accepted
        self._keep = keep
        self._server_cpu_ns = server_cpu_ns
        self._poll = select.epoll()
        self._connections: dict[int, Connection] = {}
        for _ in range(clients):
            connection = Connection(address)
            self._connections[connection.socket.fileno()] = connection
            self._poll.register(connection.socket.fileno(), select.EPOLLIN)
        self._ends_ns = 0
        self._measured_ns = 0
        self._sending = True
        self.latencies_ns: list[int] = []
        self.others: Counter[str] = Counter()
        self.accepted = 0
        self.lost = 0
        self.exhausted = False
        self.began: Mark | None = None
        self.ended: Mark | None = None

    def run(self, warm_ns: int, measured_ns: int) -> None:
        """Load the server: `warm_ns` that do not count, then `measured_ns` that do, then wait for what is
        in flight.
        """
        self._measured_ns = measured_ns
        self._ends_ns = time.monotonic_ns() + warm_ns
        for connection in tuple(self._connections.values()):
            self._send_next(connection, time.monotonic_ns())
        while self._connections:
            events = self._poll.poll(STALLED_S)
            if not events:
                self._lose_all()
            for descriptor, _ in events:
                self._answer(self._connections[descriptor])
        if self.began is None:
            self.began = self._mark(time.monotonic_ns())
        if self.ended is None:
            self.ended = self._mark(time.monotonic_ns())

    def _answer(self, connection: Connection) -> None:
        """Take what has come on `connection`; if that completes an answer, note it and send the next."""
        try:
            segment = connection.answer()
        except ConnectionError:
            self._lose(connection)
            return
        if segment is None:
            return
        now_ns = time.monotonic_ns()
        if is_acceptance(segment, self._marker):
            self.accepted += 1
            if self._keep is not None:
                self._keep(connection.number, segment)
            self.latencies_ns.append(now_ns - connection.sent_ns)
        else:
            self.others[outcome(segment)] += 1
        if now_ns >= self._ends_ns:
            self._next_part(now_ns)
        self._send_next(connection, now_ns)

    def _send_next(self, connection: Connection, now_ns: int) -> None:
        numbered = next(self._requests, None) if self._sending else None
        if numbered is None:
            if self._sending:
                self.exhausted = True
                self._sending = False
                self._end(now_ns)
            self._close(connection)
            return
        connection.number, request = numbered
        connection.sent_ns = now_ns
        try:
            # A request fits an empty socket buffer whole, and the buffer is empty: the last request was
            # answered.
            assert connection.send(request) == len(request)
        except OSError:
            self._lose(connection)

    def _next_part(self, now_ns: int) -> None:
        if self.began is None:
            self.began = self._mark(now_ns)
            self._ends_ns = now_ns + self._measured_ns
        elif self._sending:
            self._sending = False
            self._end(now_ns)

    def _end(self, now_ns: int) -> None:
        if self.began is not None and self.ended is None:
            self.ended = self._mark(now_ns)

    def _mark(self, now_ns: int) -> Mark:
        return Mark(
            now_ns, len(self.latencies_ns), self.accepted, time.process_time_ns(), self._server_cpu_ns()
        )

    def _lose(self, connection: Connection) -> None:
        self.lost += 1
        self._close(connection)

    def _lose_all(self) -> None:
        for connection in tuple(self._connections.values()):
            self._lose(connection)

    def _close(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        self._poll.unregister(descriptor)
        del self._connections[descriptor]
        connection.socket.close()


def is_acceptance(answer: bytes, marker: bytes) -> bool:
    """marker: what only an acceptance holds."""
    return marker in answer and answer.startswith(_ACCEPTED_STATUSES)


def is_whole(answer: bytes) -> bool:
    """Whether `answer` is one whole HTTP answer with a length; a connection carries one at a time."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(answer, 0, end + 2)
    return length is not None and len(answer) >= end + 4 + int(length[1])


def outcome(answer: bytes) -> str:
    """As "429 30013": the HTTP status, and the venue's code if the body has one."""
    code = _CODE.search(answer)
    return answer[9:12].decode("ascii", "replace") + (f" {code[1].decode()}" if code else "")
