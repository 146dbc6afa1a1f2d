"""The open loop sends when a request is due, whatever became of those before it, and counts from then."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from penstock.bench.open_load import NS_PER_MS, OpenLoad

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


def answer(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


OK = answer("200 OK", b'{"code":1000,"trace":"t","message":"OK","data":{"withdraw_id":"1"}}')
BUSY = answer("503 Service Unavailable", b'{"code":30014,"message":"Service unavailable","data":{}}')


class Serving:
    """Answers the nth request, over all connections, with what `answers` says; b"" closes the connection."""

    def __init__(self, answers: Callable[[int], bytes]) -> None:
        self._answers = answers
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._told, self._tell = socket.socketpair()
        self._chosen = selectors.DefaultSelector()
        self._chosen.register(self._listening, selectors.EVENT_READ)
        self._chosen.register(self._told, selectors.EVENT_READ)
        self.requests = 0

    @property
    def address(self) -> tuple[str, int]:
        return self._listening.getsockname()

    def run(self) -> None:
        while True:
            for key, _ in self._chosen.select():
                if key.fileobj is self._told:
                    return
                if key.fileobj is self._listening:
                    self._chosen.register(self._listening.accept()[0], selectors.EVENT_READ)
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._serve(key.fileobj)

    def _serve(self, connection: socket.socket) -> None:
        if not connection.recv(4_096):
            self._chosen.unregister(connection)
            connection.close()
            return
        said = self._answers(self.requests)
        self.requests += 1
        if said:
            connection.sendall(said)
        else:
            self._chosen.unregister(connection)
            connection.close()

    def end(self) -> None:
        self._tell.send(b"x")

    def close(self) -> None:
        for connection in list(self._chosen.get_map().values()):
            assert isinstance(connection.fileobj, socket.socket)
            connection.fileobj.close()
        self._chosen.close()
        self._tell.close()


@contextmanager
def serving(answers: Callable[[int], bytes]) -> Iterator[Serving]:
    made = Serving(answers)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield made
    finally:
        made.end()
        thread.join(10)
        made.close()


def offered(
    answers: Callable[[int], bytes],
    due_ms: list[int],
    *,
    connections: int = 4,
    warm_ms: int = 0,
    measured_ms: int = 300,
    patience_ms: int = 10_000,
) -> OpenLoad:
    with serving(answers) as server:
        due_ns = [at * NS_PER_MS for at in due_ms]
        requests = [REQUEST] * len(due_ms)
        load = OpenLoad(server.address, connections, requests, due_ns, lambda: 0, patience_ms * NS_PER_MS)
        load.run(warm_ms * NS_PER_MS, measured_ms * NS_PER_MS)
    return load


def test_every_request_leaves_not_before_its_time_and_each_answer_is_counted_from_then() -> None:
    load = offered(lambda _: OK, [0, 20, 40, 60])
    assert (load.offered, load.sent, load.accepted, load.in_time) == (4, 4, 4, 4)
    assert len(load.accepted_ns) == len(load.seen_ns) == len(load.lag_ns) == 4
    assert min(load.lag_ns) >= 0
    assert all(
        whole >= seen >= answered > 0
        for whole, seen, answered in zip(load.accepted_ns, load.seen_ns, load.answered_ns, strict=True)
    )


def test_what_is_due_in_the_warm_part_is_sent_and_not_counted() -> None:
    load = offered(lambda _: OK, [0, 10, 120, 130, 140], warm_ms=100, measured_ms=150)
    assert (load.accepted, load.offered, len(load.accepted_ns)) == (5, 3, 3)


def test_acceptances_and_other_answers_are_told_apart() -> None:
    load = offered(lambda number: BUSY if number % 2 else OK, [0, 10, 20, 30, 40])
    assert (load.accepted, dict(load.others)) == (3, {"503 30014": 2})
    assert len(load.refused_ns) == 2


def test_with_every_connection_busy_a_request_waits_and_its_waiting_counts() -> None:
    load = offered(lambda _: OK, [0] * 40, connections=1)
    assert (load.waited, load.accepted, load.unsent) == (39, 40, 0)
    assert load.accepted_ns == sorted(load.accepted_ns)
    assert load.accepted_ns[-1] > load.answered_ns[-1]


def test_who_finds_no_connection_in_time_turns_away() -> None:
    load = offered(lambda _: OK, [0] * 40, connections=1, patience_ms=0)
    assert (load.offered, load.accepted, load.unsent, load.lost) == (40, 1, 39, 0)


def test_a_connection_that_breaks_loses_its_request_and_another_takes_its_place() -> None:
    load = offered(lambda number: b"" if number == 1 else OK, [0, 30, 60, 90], connections=1)
    assert (load.accepted, load.lost, load.unsent) == (3, 1, 0)
