"""StrictProtocol in a real uvicorn server, spoken to over real loopback sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

import pytest
import uvicorn

from penstock.server.framing import Limits
from penstock.server.protocol import StrictProtocol, plain_refusal, strict_protocol
from tests.api.test_framing import BAD_CHUNKS, CHUNKED, HOST, POST, REFUSED, H, chunked, get

BIG = b"x" * 32_000_000
QUICK = Limits(head_deadline_s=0.2, body_deadline_s=0.2, idle_s=0.3, stall_s=0.2, linger_s=0.2)


@dataclass
class Echo:
    """An application that answers with the body it got, and remembers what it was called with."""

    calls: list[tuple[str, str, bytes]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: dict, receive: object, send: object) -> None:
        message = await receive()
        assert not message["more_body"], "the whole body comes at once"
        self.calls.append((scope["method"], scope["path"], message["body"]))
        self.headers = scope["headers"]
        if scope["path"] == "/held":
            await asyncio.to_thread(self.hold.wait, 10)
        body = BIG if scope["path"] == "/big" else message["body"]
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Served:
    port: int
    app: Echo
    server: uvicorn.Server

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def exchange(self, *segments: bytes) -> bytes:
        """All that comes back until the server closes."""
        with closing(self.connect()) as connection:
            for segment in segments:
                connection.sendall(segment)
            return to_the_end(connection)


def to_the_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def one_answer(connection: socket.socket) -> bytes:
    """One answer with a Content-Length, off a connection that stays open."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:80]
    return int(answer[9:12])


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


@contextmanager
def serving(protocol: type[StrictProtocol], loop: str = "uvloop") -> Iterator[Served]:
    app = Echo()
    config = uvicorn.Config(app, http=protocol, loop=loop, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Served(listener.getsockname()[1], app, server)
        finally:
            app.hold.set()
            server.should_exit = True
            thread.join(timeout=10)
            assert not thread.is_alive()


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def shared(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(StrictProtocol, request.param) as served:
        yield served


@pytest.fixture
def served(shared: Served) -> Served:
    shared.app.calls.clear()
    return shared


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def quick(request: pytest.FixtureRequest) -> Iterator[Served]:
    def in_the_venue_s_form(code: int, target: bytes, reason: str) -> tuple[bytes, bytes]:
        return b"text/plain", b"%d %b %b" % (code, target, reason.encode())

    with serving(strict_protocol(QUICK, in_the_venue_s_form), request.param) as served:
        yield served


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_head_is_answered_in_words_and_the_handler_never_called(served: Served, name: str) -> None:
    stream, expected = REFUSED[name]
    answer = served.exchange(stream)
    assert status(answer) == expected
    assert b"connection: close\r\n" in answer
    assert json.loads(body_of(answer))["error"]
    assert served.app.calls == []


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_bad_chunk_is_answered_and_the_handler_never_called(served: Served, name: str) -> None:
    stream, expected = BAD_CHUNKS[name]
    assert status(served.exchange(CHUNKED, stream)) == expected
    assert served.app.calls == []


def test_a_refusal_takes_less_than_50_ms(served: Served) -> None:
    for stream, _ in (REFUSED["20,000 headers"], REFUSED["70 KB header"], REFUSED["CL and TE"]):
        before = time.perf_counter()
        served.exchange(stream)
        assert time.perf_counter() - before < 0.05


def test_sound_requests_on_one_connection_are_all_answered(served: Served) -> None:
    with closing(served.connect()) as connection:
        for number in range(5):
            body = b"%d" % number * 400
            connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body))
            connection.sendall(body)
            assert body_of(one_answer(connection)) == body
            connection.sendall(CHUNKED + chunked(body, body))
            assert body_of(one_answer(connection)) == body * 2
    assert len(served.app.calls) == 10


def test_the_largest_body_arrives_whole(served: Served) -> None:
    body = bytes(range(256)) * 256
    with closing(served.connect()) as connection:
        connection.sendall(POST + b"Content-Length: 65536\r\n\r\n" + body)
        assert body_of(one_answer(connection)) == body


def test_a_client_that_asks_to_close_is_obeyed(served: Served) -> None:
    answer = served.exchange(POST + b"Connection: close\r\nContent-Length: 2\r\n\r\nab")
    assert body_of(answer) == b"ab"


@pytest.mark.parametrize("second", [get(H), b"GARBAGE", b"\r\n"])
def test_of_two_pipelined_requests_the_first_is_answered_and_the_second_refused(
    served: Served, second: bytes
) -> None:
    answer = served.exchange(POST + b"Content-Length: 2\r\n\r\nab" + second)
    first, found, refusal = answer.partition(b"abHTTP/1.1 400 ")
    assert found
    assert status(first) == 200
    assert b"connection: close\r\n" in refusal
    assert served.app.calls == [("POST", "/account/v1/withdraw/apply", b"ab")]


def test_a_request_sent_while_the_first_is_being_answered_is_refused(served: Served) -> None:
    served.app.hold.clear()
    with closing(served.connect()) as connection:
        connection.sendall(b"GET /held HTTP/1.1\r\n" + HOST + b"\r\n")
        connection.sendall(get(H))
        # The server reads in order, so once this other connection is answered twice it has seen both.
        for _ in range(2):
            served.exchange(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        connection.sendall(get(H) * 1_000)
        served.app.hold.set()
        answer = to_the_end(connection)
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert answer.count(b"HTTP/1.1 400 ") == 1
    assert [path for _, path, _ in served.app.calls] == ["/held", "/", "/"]


def test_100_mb_in_chunks_are_refused_without_reading_on(served: Served) -> None:
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    sent = 0
    with closing(served.connect()) as connection:
        connection.sendall(CHUNKED)
        try:
            for _ in range(1_600):
                connection.sendall(chunk)
                sent += len(chunk)
        except (BrokenPipeError, ConnectionResetError):
            assert sent < 50_000_000
        assert status(connection.recv(65_536)) == 413
    assert served.app.calls == []


def test_a_body_a_little_too_large_is_refused_and_the_connection_closed_in_order(served: Served) -> None:
    answer = served.exchange(POST + b"Content-Length: 65537\r\n\r\n", b"a" * 65_537)
    assert status(answer) == 413


def test_a_client_that_expects_it_is_told_to_continue_once(served: Served) -> None:
    with closing(served.connect()) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert served.app.calls == []
        connection.sendall(b"ab")
        answer = to_the_end(connection)
    assert status(answer) == 200
    assert b"100 Continue" not in answer


def test_a_too_large_body_is_refused_instead_of_continued(served: Served) -> None:
    assert status(served.exchange(POST + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n")) == 413


def test_an_offer_to_upgrade_is_ignored_and_the_body_arrives(served: Served) -> None:
    with closing(served.connect()) as connection:
        for offer in (b"h2c", b"websocket"):
            head = POST + b"Connection: Upgrade\r\nUpgrade: %b\r\nContent-Length: 2\r\n\r\nab" % offer
            connection.sendall(head)
            assert body_of(one_answer(connection)) == b"ab"


def test_blanks_round_a_value_are_no_part_of_it(served: Served) -> None:
    served.exchange(get(H, b"X-BM-SIGN: \t abc\t ", b"Connection: close"))
    assert (b"x-bm-sign", b"abc") in served.app.headers


def test_a_client_may_close_its_sending_side_and_still_reads_the_answer(served: Served) -> None:
    served.app.hold.clear()
    with closing(served.connect()) as connection:
        connection.sendall(b"GET /held HTTP/1.1\r\n" + HOST + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        served.exchange(get(H, b"Connection: close"))
        served.app.hold.set()
        assert status(to_the_end(connection)) == 200


def test_nothing_is_logged_for_a_request(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        served.exchange(get(H, b"Connection: close"))
        served.exchange(b"GARBAGE\r\n")
    assert caplog.records == []


def test_a_connection_without_a_request_is_cut(quick: Served) -> None:
    assert body_of(quick.exchange()).startswith(b"408 ")


@pytest.mark.parametrize("stream", [b"G", get(H)[:-2], get(H)[:-1]])
def test_a_slow_head_is_cut(quick: Served, stream: bytes) -> None:
    assert status(quick.exchange(stream)) == 408


def test_a_slow_body_is_cut_in_the_form_of_its_venue(quick: Served) -> None:
    quick.app.calls.clear()
    for stream in (POST + b"Content-Length: 9\r\n\r\nabc", CHUNKED + b"5\r\nabc", CHUNKED):
        body = body_of(quick.exchange(stream))
        assert body == b"408 /account/v1/withdraw/apply the body of the request took too long"
    assert quick.app.calls == []


@pytest.mark.parametrize("begun", [b"", POST + b"Content-Length: 9000\r\n\r\n"], ids=["head", "body"])
def test_a_byte_now_and_then_buys_no_time(quick: Served, begun: bytes) -> None:
    with closing(quick.connect()) as connection:
        connection.sendall(begun)
        connection.settimeout(0.02)
        before = time.monotonic()
        answer = b""
        while not answer:
            connection.sendall(b"G")
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                assert time.monotonic() - before < 2
    assert status(answer) == 408


def test_a_second_head_has_its_own_deadline_and_idling_ends_without_a_word(quick: Served) -> None:
    with closing(quick.connect()) as connection:
        connection.sendall(get(H))
        assert status(one_answer(connection)) == 200
        connection.sendall(b"GET")
        assert status(to_the_end(connection)) == 408
    with closing(quick.connect()) as connection:
        connection.sendall(get(H))
        assert status(one_answer(connection)) == 200
        assert to_the_end(connection) == b""


def test_head_and_body_have_a_deadline_each() -> None:
    limits = Limits(head_deadline_s=0.2, body_deadline_s=60, idle_s=60)
    with serving(strict_protocol(limits, plain_refusal)) as served, closing(served.connect()) as connection:
        connection.sendall(POST + b"Content-Length: 2\r\n\r\na")
        assert status(served.exchange()) == 408, "the head's 0.2 s are over"
        connection.sendall(b"b")
        assert body_of(one_answer(connection)) == b"ab"
        connection.sendall(b"GET")
        assert b"the head of the request took too long" in to_the_end(connection)
    limits = Limits(head_deadline_s=60, body_deadline_s=0.2, idle_s=60)
    with serving(strict_protocol(limits, plain_refusal)) as served:
        answer = served.exchange(POST + b"Content-Length: 2\r\n\r\na")
        assert b"the body of the request took too long" in answer


def test_an_answer_may_take_longer_than_any_deadline_for_the_request(quick: Served) -> None:
    quick.app.hold.clear()
    with closing(quick.connect()) as connection, closing(quick.connect()) as idle:
        connection.sendall(b"GET /held HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        idle.sendall(get(H))
        one_answer(idle)
        assert to_the_end(idle) == b"", "0.3 s of idling are over"
        quick.app.hold.set()
        assert status(to_the_end(connection)) == 200


def test_a_client_that_does_not_read_its_answer_is_cut(quick: Served) -> None:
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(5)
        connection.connect(("127.0.0.1", quick.port))
        connection.sendall(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")
        for _ in range(2):  # each waits for the 0.2 s of a deadline
            assert status(quick.exchange()) == 408
        assert len(to_the_end(connection)) < len(BIG)


def test_a_bad_body_is_refused_in_the_form_of_its_venue(quick: Served) -> None:
    answer = quick.exchange(POST + b"Content-Length: 65537\r\n\r\n")
    assert b"content-type: text/plain\r\n" in answer
    assert body_of(answer) == b"413 /account/v1/withdraw/apply the body is too large"


def test_connections_beyond_the_cap_are_refused_and_the_others_served() -> None:
    limits = replace(Limits(), connections_max=2)
    with serving(strict_protocol(limits, plain_refusal)) as served:
        with closing(served.connect()) as one, closing(served.connect()) as two:
            for connection in (one, two):
                connection.sendall(get(H))
                assert status(one_answer(connection)) == 200
            refused = served.exchange()
            assert status(refused) == 503
            assert b"retry-after: " in refused
            one.sendall(get(H))
            assert status(one_answer(one)) == 200
        assert len(served.app.calls) == 3
