"""Requests answered without ASGI: read as the parser behind them would read them, and kept to the same rules."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.server.direct import Made, Running, answer_bytes, header_lines, keeps_alive
from penstock.server.framing import FramingGuard, Limits, PlainHead, SingleHeaders
from penstock.server.heads import HeadReader, read_plain_head
from penstock.server.protocol import plain_refusal, strict_protocol
from penstock.venues.venue import Reply
from tests.api.test_framing import HOST, POST, H, chunked, get
from tests.api.test_protocol import BIG, Served, body_of, one_answer, serving, status, to_the_end

JSON = ((b"content-type", b"application/json"),)
QUICK = Limits(head_deadline_s=0.2, body_deadline_s=0.2, idle_s=0.3, stall_s=0.2, linger_s=0.2)


class Parsed:
    """What httptools, which uvicorn parses with, finds in a message."""

    def __init__(self, message: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = self.body = b""
        self.keeps_alive = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(message)
        found = httptools.parse_url(self.url)
        self.path, self.query = found.path, found.query or b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_headers_complete(self) -> None:
        self.keeps_alive = bool(self.parser.should_keep_alive())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_body(self, body: bytes) -> None:
        self.body += body


_names = st.sampled_from(
    [b"X-BM-KEY", b"Accept", b"x", b"Content-Type", b"CLOUD-EXCHANGE", b"Te", b"~!#$%&'*+.^_`|"]
)
_values = st.binary(max_size=12).map(lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F))
_blanks = st.sampled_from([b"", b" ", b"\t", b"  "])
_targets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=20)


@given(
    st.sampled_from([b"GET", b"POST"]),
    _targets.map(lambda text: b"/a" + text.encode()),
    st.dictionaries(_names, st.tuples(_blanks, _values, _blanks), max_size=5),
    st.binary(max_size=20),
)
def test_an_ordinary_message_reads_as_the_parser_behind_reads_it(
    method: bytes, target: bytes, fields: dict[bytes, tuple[bytes, bytes, bytes]], body: bytes
) -> None:
    lines = [b"%b:%b%b%b\r\n" % (name, *value) for name, value in fields.items()]
    head = b"%b %b HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n" % (
        method,
        target,
        HOST,
        b"".join(lines),
        len(body),
    )
    plain = read_plain_head(head + body, Limits())
    if plain is None:
        return
    parsed = Parsed(head + body)
    path, _, query = plain.target.partition(b"?")
    assert (plain.method, path, query) == (parsed.parser.get_method(), parsed.path, parsed.query)
    assert list(plain.by_name.items()) == parsed.headers
    assert (head + body)[plain.size :] == parsed.body
    assert HeadReader(Limits(), SingleHeaders()).read(bytearray(head)) is not None
    kept = keeps_alive(plain)
    assert kept is None or kept is parsed.keeps_alive


@pytest.mark.parametrize(
    "line, kept",
    [
        (b"", True),
        (b"Connection: keep-alive\r\n", True),
        (b"connection: Keep-Alive\r\n", True),
        (b"Connection: close\r\n", False),
        (b"Connection: Close\r\n", None),
        (b"Connection: keep-alive, close\r\n", None),
        (b"Connection: te\r\n", None),
    ],
)
def test_whether_a_connection_is_kept_is_said_only_where_it_is_plain(line: bytes, kept: bool | None) -> None:
    head = read_plain_head(b"GET / HTTP/1.1\r\n" + HOST + line + b"\r\n", Limits())
    assert head is not None
    assert keeps_alive(head) is kept
    if kept is not None:
        assert kept is Parsed(b"GET / HTTP/1.1\r\n" + HOST + line + b"\r\n").keeps_alive


@pytest.mark.parametrize(
    "line",
    [
        b"Proxy-Connection: close",
        b"Upgrade: h2c",
        b"Expect: 100-continue",
        b"X: a ",
        b"X: a\t",
        b"Host: other",
    ],
)
def test_what_asks_for_anything_unusual_is_no_ordinary_head(line: bytes) -> None:
    assert read_plain_head(get(H, line), Limits()) is None


def test_the_guard_tells_which_messages_are_ordinary() -> None:
    guard = FramingGuard(Limits(), SingleHeaders())
    message = POST + b"Content-Length: 2\r\n\r\nab"
    for segments in ([message], [message[:-1], b"b"], [message[:-2], b"a", b"b"]):
        given_out = [guard.feed(segment) for segment in segments]
        assert given_out[-1] == message
        assert guard.plain is not None
        assert message[guard.plain.size :] == b"ab"
        guard.answered()
    for segments in (
        [message[:9], message[9:]],
        [POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"ab")],
    ):
        assert [guard.feed(segment) for segment in segments][-1]
        assert guard.plain is None
        guard.answered()


def test_an_answer_is_written_whole_and_no_header_can_bring_another_line() -> None:
    made: Made = (Reply(200, JSON, b"{}"), ((b"x-left", b"7"),))
    head = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/json\r\nx-left: 7\r\ncontent-length: 2\r\n"
    assert answer_bytes(made, b"date: today\r\n", keep_alive=True) == head + b"\r\n{}"
    assert answer_bytes(made, b"date: today\r\n", keep_alive=False) == head + b"connection: close\r\n\r\n{}"
    with pytest.raises(ValueError, match="line end"):
        header_lines([(b"x", b"a\r\ny: b")])


@dataclass
class Direct:
    """Answers POSTs with what came, "busy" at once; what it waits for is set from the test's thread."""

    asked: list[tuple[bytes, bytes, str]] = field(default_factory=list)
    ended: list[bytes] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(
        self, head: PlainHead, body: bytes, client_ip: str
    ) -> Coroutine[Any, Any, Made] | Made | None:
        if head.method != b"POST":
            return None
        self.asked.append((head.target, body, client_ip))
        if body == b"busy":
            return Reply(503, JSON, b"come again"), ()
        if body == b"holds the loop":
            self.begun.set()
            return Reply(201 if self.go_on.wait(5) else 500, JSON, b""), ()
        return self._answering(body)

    async def _answering(self, body: bytes) -> Made:
        if body == b"fails":
            raise RuntimeError("a bug")
        if body == b"bad header":
            return Reply(200, ((b"x", b"a\nb"),), b""), ()
        if body == b"turns":
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if body in (b"waits", b"is given up"):
            self.begun.set()
            try:
                await asyncio.get_running_loop().run_in_executor(None, self.go_on.wait, 10)
            finally:
                self.ended.append(body)
        return Reply(201, JSON, body * 2), ((b"x-more", b"1"),)


@contextmanager
def direct_serving(limits: Limits | None = None, loop: str = "uvloop") -> Iterator[tuple[Served, Direct]]:
    direct = Direct()
    with serving(strict_protocol(limits or Limits(), plain_refusal, direct=direct), loop) as served:
        try:
            yield served, direct
        finally:
            direct.go_on.set()


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Served, Direct]]:
    with direct_serving(loop=request.param) as found:
        yield found


def post(body: bytes, *lines: bytes, length: int | None = None) -> bytes:
    head = b"".join(line + b"\r\n" for line in lines)
    return POST + head + b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length) + body


def test_one_connection_takes_both_ways_in_any_order(both: tuple[Served, Direct]) -> None:
    served, direct = both
    direct.asked.clear()
    served.app.calls.clear()
    with closing(served.connect()) as connection:
        for body in (b"ab", b"turns"):
            connection.sendall(post(body))
            answer = one_answer(connection)
            assert answer.startswith(b"HTTP/1.1 201 Created\r\ndate: ")
            assert b"\r\ncontent-type: application/json\r\nx-more: 1\r\n" in answer
            assert body_of(answer) == body * 2
            connection.sendall(get(H))
            assert status(one_answer(connection)) == 200
            connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body))
            assert body_of(one_answer(connection)) == body
            connection.sendall(post(b"", length=2))
            connection.sendall(b"cd")
            assert body_of(one_answer(connection)) == b"cdcd"
    target = b"/account/v1/withdraw/apply"
    assert [ask[1] for ask in direct.asked] == [b"ab", b"cd", b"turns", b"cd"]
    assert {(ask[0], ask[2]) for ask in direct.asked} == {(target, "127.0.0.1")}
    assert [method for method, _, _ in served.app.calls] == ["GET", "POST"] * 2


def test_a_request_turned_away_leaves_the_connection_in_step(both: tuple[Served, Direct]) -> None:
    busy = post(b"busy")
    with closing(both[0].connect()) as connection:
        for segments in ([busy], [busy[:-4], busy[-4:]], [busy]):
            for segment in segments:
                connection.sendall(segment)
                if segment is not segments[-1]:
                    both[0].exchange(get(H, b"Connection: close"))  # so the server has read it by itself
            answer = one_answer(connection)
            assert (status(answer), body_of(answer)) == (503, b"come again")
            assert b"connection: close" not in answer
            connection.sendall(post(b"ab"))
            assert body_of(one_answer(connection)) == b"abab"
        connection.sendall(busy + post(b"ab"))
        turned_away, _, refused = to_the_end(connection).partition(b"come again")
        assert (status(turned_away), status(refused)) == (503, 400)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_an_answer_leaves_before_the_next_request_of_the_same_turn_is_looked_at(loop: str) -> None:
    with (
        direct_serving(loop=loop) as (served, direct),
        closing(served.connect()) as before,
        closing(served.connect()) as first,
        closing(served.connect()) as second,
    ):
        for connection in (before, first, second):  # so that all of them are read in one turn below
            connection.sendall(post(b"ab"))
            assert status(one_answer(connection)) == 201
        before.sendall(post(b"holds the loop"))
        assert direct.begun.wait(5)
        first.sendall(post(b"busy"))
        second.sendall(post(b"holds the loop"))
        direct.go_on.set()
        direct.go_on.clear()
        assert status(one_answer(first)) == 503
        direct.go_on.set()
        assert [status(one_answer(before)), status(one_answer(second))] == [201, 201]


def test_a_client_turned_away_that_asks_to_close_is_obeyed(both: tuple[Served, Direct]) -> None:
    answer = both[0].exchange(post(b"busy", b"Connection: close"))
    assert (status(answer), body_of(answer)) == (503, b"come again")
    assert b"\r\nconnection: close\r\n" in answer


def test_a_client_that_asks_to_close_is_obeyed(both: tuple[Served, Direct]) -> None:
    answer = both[0].exchange(post(b"ab", b"Connection: close"))
    assert b"\r\nconnection: close\r\n" in answer
    assert body_of(answer) == b"abab"


@pytest.mark.parametrize("first", [b"ab", b"turns"], ids=["answered at once", "answered later"])
def test_of_two_pipelined_requests_the_first_is_answered_and_the_second_refused(
    both: tuple[Served, Direct], first: bytes
) -> None:
    served, direct = both
    direct.asked.clear()
    answer = served.exchange(post(first) + post(b"second"))
    answered, found, refusal = answer.partition(first * 2 + b"HTTP/1.1 400 ")
    assert found
    assert status(answered) == 201
    assert b"connection: close\r\n" in refusal
    assert [body for _, body, _ in direct.asked] == [first]


def test_a_bug_is_answered_with_500_and_the_connection_closed(both: tuple[Served, Direct]) -> None:
    for body in (b"fails", b"bad header"):
        answer = both[0].exchange(post(body))
        assert status(answer) == 500
        assert b"\r\nconnection: close\r\n" in answer


def test_a_client_may_close_its_sending_side_and_still_reads_the_answer() -> None:
    with direct_serving() as (served, direct), closing(served.connect()) as connection:
        connection.sendall(post(b"waits"))
        connection.shutdown(1)
        assert direct.begun.wait(5)
        served.exchange(get(H, b"Connection: close"))
        direct.go_on.set()
        answer = to_the_end(connection)
        assert body_of(answer) == b"waits" * 2
        assert b"\r\nconnection: close\r\n" in answer


def test_what_a_client_left_behind_is_finished_and_written_nowhere() -> None:
    with direct_serving() as (served, direct):
        connection = served.connect()
        connection.sendall(post(b"waits"))
        assert direct.begun.wait(5)
        connection.close()
        direct.go_on.set()
        # The server reads in order; what it took before this is ended when its end is heard.
        while not direct.ended:
            assert status(served.exchange(post(b"ab", b"Connection: close"))) == 201
        assert direct.ended == [b"waits"]


def test_a_stopping_server_waits_for_what_is_being_answered() -> None:
    with direct_serving() as (served, direct), closing(served.connect()) as connection:
        connection.sendall(post(b"waits"))
        assert direct.begun.wait(5)
        served.server.should_exit = True
        while served.server.servers[0].is_serving():
            direct.begun.wait(0.01)
        direct.go_on.set()
        answer = to_the_end(connection)
        assert status(answer) == 201
        assert b"\r\nconnection: close\r\n" in answer


def test_what_takes_too_long_when_a_server_stops_is_given_up() -> None:
    with direct_serving() as (served, direct), closing(served.connect()) as connection:
        served.server.config.timeout_graceful_shutdown = 1
        connection.sendall(post(b"is given up"))
        assert direct.begun.wait(5)
        served.server.should_exit = True
        assert status(to_the_end(connection)) == 500
        assert direct.ended == [b"is given up"]


def test_an_answer_waits_for_a_client_that_has_not_read_the_one_before(both: tuple[Served, Direct]) -> None:
    served, direct = both
    direct.asked.clear()
    with closing(served.connect()) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")
        first = connection.recv(20)
        connection.sendall(post(b"ab", b"Connection: close"))
        # The server reads in order, so once this other connection is answered it has the request above.
        while not direct.asked:
            served.exchange(get(H, b"Connection: close"))
        answers = first + to_the_end(connection)
    big, _, small = answers.rpartition(b"HTTP/1.1 201 ")
    assert body_of(big) == BIG
    assert body_of(small) == b"abab"


@pytest.mark.parametrize("ending", ["with an answer", "with an error", "cancelled", "given up"])
def test_whatever_is_waited_for_a_request_is_finished_once(ending: str) -> None:
    made: Made = (Reply(200, (), b""), ())
    finished: list[Made | None] = []

    async def play() -> None:
        future: asyncio.Future[Made] = asyncio.get_running_loop().create_future()

        async def answering() -> Made:
            return await future

        running = Running(answering(), lambda _running, given: finished.append(given))
        running.step()
        assert finished == []
        if ending == "with an answer":
            future.set_result(made)
        elif ending == "with an error":
            future.set_exception(RuntimeError("a bug"))
        elif ending == "cancelled":
            future.cancel()
        else:
            running.cancel()
            future.set_result(made)
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(play())
    assert finished == ([made] if ending == "with an answer" else [None])


def test_deadlines_hold_for_the_next_request() -> None:
    with direct_serving(QUICK) as (served, _), closing(served.connect()) as connection:
        connection.sendall(post(b"ab"))
        assert status(one_answer(connection)) == 201
        connection.sendall(post(b"a", length=2))
        assert status(to_the_end(connection)) == 408
    with direct_serving(QUICK) as (served, _), closing(served.connect()) as connection:
        connection.sendall(post(b"ab"))
        assert status(one_answer(connection)) == 201
        assert to_the_end(connection) == b"", "idling ends without a word"
