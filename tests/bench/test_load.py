"""The load generator counts what a server really answers, whatever form the answers come in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from penstock.bench.load import Load

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
MS = 1_000_000


def answer(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


OK = answer("200 OK", b'{"code":1000,"trace":"t","message":"OK","data":{"withdraw_id":"1"}}')
TOO_MANY = answer(
    "429 Too Many Requests", b'{"code":30013,"trace":"t","message":"Request too many requests","data":{}}'
)


@contextmanager
def server(answers: list[list[bytes]]) -> Iterator[tuple[str, int]]:
    """Gives one connection these answers, each in its segments, and closes it behind the last."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            for segments in answers:
                if not connection.recv(4_096):
                    return
                for segment in segments:
                    connection.sendall(segment)

    serving = threading.Thread(target=serve)
    serving.start()
    with listening:
        yield listening.getsockname()
        serving.join(10)


def loaded(answers: list[list[bytes]], requests: int, measured_ms: int = 60_000) -> Load:
    with server(answers) as address:
        load = Load(address, 1, [REQUEST] * requests, lambda: 0)
        load.run(0, measured_ms * MS)
    return load


def test_accepted_and_refused_answers_are_told_apart() -> None:
    load = loaded([[OK], [TOO_MANY], [OK]], requests=3)
    assert (load.accepted, load.others, load.lost) == (2, {"429 30013": 1}, 0)
    assert len(load.latencies_ns) == 2
    assert all(latency > 0 for latency in load.latencies_ns)


def test_an_answer_in_pieces_is_one_answer() -> None:
    pieces = [OK[:9], OK[9:40], OK[40:-1], OK[-1:]]
    assert loaded([pieces, [OK]], requests=2).accepted == 2


def test_an_answer_that_is_not_the_venues_is_an_error_without_a_code() -> None:
    assert loaded([[answer("503 Service Unavailable", b"<html>")]], requests=1).others == {"503": 1}


def test_a_success_code_under_another_status_is_not_an_acceptance() -> None:
    load = loaded([[answer("500 Internal Server Error", b'{"code":1000,"message":"OK"}')]], requests=1)
    assert (load.accepted, load.others) == (0, {"500 1000": 1})


def test_a_connection_that_breaks_leaves_its_request_lost_and_not_refused() -> None:
    load = loaded([[OK], [OK[:-5]]], requests=5)
    assert (load.accepted, load.lost, load.others) == (1, 1, {})


def test_running_out_of_requests_is_told() -> None:
    assert loaded([[OK], [OK]], requests=2).exhausted
    assert not loaded([[OK]] * 3, requests=3, measured_ms=0).exhausted


def test_what_is_answered_behind_the_measured_part_counts_as_accepted_and_not_as_measured() -> None:
    load = loaded([[OK]] * 3, requests=9, measured_ms=0)
    assert load.began is not None
    assert load.ended is not None
    assert load.accepted == 2
    assert load.ended.accepted - load.began.accepted == 1
