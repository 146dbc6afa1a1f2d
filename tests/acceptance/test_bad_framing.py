"""Bad HTTP, sent to a real server: refused and closed, the handler not called, nothing stored."""

from __future__ import annotations

import select
import threading
import time
from contextlib import closing

import pytest

from tests.acceptance.raw_http import APPLY, Answer, Connection, apply_body, apply_request, claims, head
from tests.acceptance.sandbox_process import Sandbox

pytestmark = pytest.mark.xdist_group("strict")

BAD_REQUEST, TOO_LARGE = 400, 413


def framed(
    strict: Sandbox, *lines: bytes, without: tuple[bytes, ...] = (), body: bytes | None = None
) -> bytes:
    """A sound, signed request with header lines left out or added, however malformed."""
    signed = apply_body(strict)
    sound = {name: value for name, value in claims(strict.new_key(), signed).items() if name not in without}
    request = b"POST " + APPLY + b" HTTP/1.1\r\n"
    request += b"".join(name + b": " + value + b"\r\n" for name, value in sound.items())
    return request + b"".join(lines) + b"\r\n" + (signed if body is None else body)


def closed_with(strict: Sandbox, raw: bytes, seconds: list[float]) -> Answer:
    """Send it; the answer must be the last thing on the connection."""
    before = strict.stored()
    with closing(Connection(strict.port)) as connection:
        connection.send(raw)
        answer = connection.answer()
        assert connection.socket.recv(1) == b""
    seconds.append(answer.seconds)
    assert answer.closed
    assert strict.stored() == before
    return answer


LENGTH = (b"Content-Length",)
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "lines, without, body",
    [
        ((CHUNKED,), (), None),
        ((b"Content-Length: 3\r\n",), (), None),
        ((b"Content-Length: 20\r\n", b"Content-Length: 20\r\n"), LENGTH, None),
        ((b"Content-Length: +4\r\n",), LENGTH, None),
        ((b"Content-Length: 4, 4\r\n",), LENGTH, None),
        ((b"Content-Length: -1\r\n",), LENGTH, None),
        ((CHUNKED,), LENGTH, b"0x1\r\n{\r\n0\r\n\r\n"),
        ((CHUNKED,), LENGTH, b"1;ext=1\r\n{\r\n0\r\n\r\n"),
        ((CHUNKED,), LENGTH, b"1\r\n{\r\n0\r\nX-BM-SIGN: 00\r\n\r\n"),
        ((CHUNKED,), LENGTH, b"1\n{\n0\n\n"),
        ((b"Transfer-Encoding : chunked\r\n",), LENGTH, b"0\r\n\r\n"),
        ((b"Transfer-Encoding: gzip, chunked\r\n",), LENGTH, b"0\r\n\r\n"),
        ((b"X-Bare: line feed\n",), (), None),
        ((b"X-BM-SIGN: 00\r\n",), (), None),
        ((b"x-bm-key: other\r\n",), (), None),
        ((b"X-BM-TIMESTAMP: 1\r\n",), (), None),
        ((b"X-Folded: one\r\n two\r\n",), (), None),
        ((b"X-NUL: \x00\r\n",), (), None),
        ((b"no colon\r\n",), (), None),
        ((b"Host: other\r\n",), (), None),
        ((), (b"Host",), None),
    ],
    ids=[
        "length and chunked",
        "two lengths",
        "two equal lengths",
        "signed length",
        "list of lengths",
        "negative length",
        "chunk size with 0x",
        "chunk extension",
        "signature as a trailer",
        "chunk with bare LF",
        "blank before the colon",
        "coding before chunked",
        "bare LF",
        "signature twice",
        "key twice",
        "timestamp twice",
        "folded line",
        "NUL",
        "no colon",
        "two hosts",
        "no host",
    ],
)
def test_a_message_with_two_readings_is_refused_and_the_connection_closed(
    strict: Sandbox,
    seconds: list[float],
    lines: tuple[bytes, ...],
    without: tuple[bytes, ...],
    body: bytes | None,
) -> None:
    answer = closed_with(strict, framed(strict, *lines, without=without, body=body), seconds)
    assert answer.verdict == (BAD_REQUEST, 60000)


@pytest.mark.parametrize(
    "request_line",
    [
        b"POST http://127.0.0.1" + APPLY + b" HTTP/1.1",
        b"POST  " + APPLY + b" HTTP/1.1",
        b"POST " + APPLY + b" HTTP/1.1 ",
        b"POST " + APPLY,
        b"POST * HTTP/1.1",
    ],
)
def test_another_form_of_request_line_is_refused(
    strict: Sandbox, seconds: list[float], request_line: bytes
) -> None:
    raw = apply_request(strict.new_key(), apply_body(strict))
    altered = raw.replace(b"POST " + APPLY + b" HTTP/1.1", request_line, 1)
    assert closed_with(strict, altered, seconds).status == BAD_REQUEST


@pytest.mark.parametrize(
    "lines",
    [[b"X-%d: 1\r\n" % number for number in range(20_000)], [b"X-Long: " + b"x" * 70_000 + b"\r\n"]],
    ids=["20,000 headers", "70 KB header"],
)
def test_a_head_beyond_the_limits_is_refused(
    strict: Sandbox, seconds: list[float], lines: list[bytes]
) -> None:
    assert closed_with(strict, framed(strict, *lines), seconds).status == 431


def test_a_body_of_65_kib_and_one_byte_is_refused_before_it_is_read(
    strict: Sandbox, seconds: list[float]
) -> None:
    announced = framed(strict, b"Content-Length: 65537\r\n", without=LENGTH, body=b"")
    assert closed_with(strict, announced, seconds).verdict == (TOO_LARGE, 60000)


def test_100_mb_in_chunks_are_refused_at_64_kib_and_then_cut(strict: Sandbox) -> None:
    before, chunk = strict.stored(), b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    with closing(Connection(strict.port)) as connection:
        connection.send(framed(strict, CHUNKED, without=LENGTH, body=b""))
        connection.send(chunk * 3)
        answer = connection.answer()
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            connection.send(chunk * 3_000)
    assert (answer.status, answer.closed) == (TOO_LARGE, True)
    assert strict.stored() == before


def test_of_two_pipelined_requests_the_second_is_refused(strict: Sandbox) -> None:
    before = strict.stored()
    first = apply_request(strict.new_key(), apply_body(strict, amount="0.5"))
    second = apply_request(strict.new_key(), apply_body(strict))
    with closing(Connection(strict.port)) as connection:
        connection.send(first + second)
        read = b"".join(iter(lambda: connection.socket.recv(65_536), b""))
    assert (read.count(b"HTTP/1.1 400"), read.count(b"HTTP/1.1 ")) == (2, 2)
    assert [b'"code":60005' in read, b'"code":1000' in read] == [True, False]
    assert strict.stored() == before


def test_a_foreign_host_is_no_matter_because_it_is_not_signed(strict: Sandbox) -> None:
    key, body = strict.new_key(), apply_body(strict, amount="0.5")
    headers = claims(key, body) | {b"Host": b"api-cloud.bitmart.com"}
    with closing(Connection(strict.port)) as connection:
        assert connection.exchange(head(APPLY, tuple(headers.items())) + body).verdict == (400, 60005)


@pytest.mark.timeout(60)
def test_a_head_and_a_body_that_trickle_in_are_cut_after_10_and_15_seconds(strict: Sandbox) -> None:
    before = strict.stored()
    raw = apply_request(strict.new_key(), apply_body(strict))
    whole_head = raw.index(b"\r\n\r\n") + 4
    took_s: dict[str, float] = {}
    trickles = [
        threading.Thread(target=_trickle, args=(strict, raw[:20], raw[20:], took_s, "head")),
        threading.Thread(target=_trickle, args=(strict, raw[:whole_head], raw[whole_head:], took_s, "body")),
    ]
    for trickle in trickles:
        trickle.start()
    for trickle in trickles:
        trickle.join()
    assert 9 < took_s["head"] < 14
    assert 14 < took_s["body"] < 20
    assert strict.stored() == before


def _trickle(strict: Sandbox, begun: bytes, rest: bytes, took_s: dict[str, float], name: str) -> None:
    """Send `begun`, then a byte whenever 2.5 seconds have passed without an answer, which must be a 408."""
    began_s = time.monotonic()
    with closing(Connection(strict.port)) as connection:
        connection.send(begun)
        for place in range(len(rest)):
            if select.select([connection.socket], [], [], 2.5)[0]:
                break
            connection.send(rest[place : place + 1])
        answer = connection.answer()
    if (answer.status, answer.closed) == (408, True):
        took_s[name] = time.monotonic() - began_s
