from __future__ import annotations

import itertools
import time

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.server.framing import FramingGuard, Limits, Phase, SingleHeaders

HOST = b"Host: api.example\r\n"
POST = b"POST /account/v1/withdraw/apply HTTP/1.1\r\n" + HOST


def guard(limits: Limits | None = None) -> FramingGuard:
    return FramingGuard(limits or Limits(), SingleHeaders())


def fed(
    stream: bytes, size: int | None = None, limits: Limits | None = None
) -> tuple[list[bytes], int | None]:
    """Messages given out and the status of the refusal, when `stream` comes in segments of `size` bytes."""
    subject = guard(limits)
    messages = []
    for at in range(0, len(stream), size or len(stream)):
        message = subject.feed(stream[at : at + (size or len(stream))])
        if message:
            messages.append(message)
        if subject.refusal:
            break
    return messages, subject.refusal.status if subject.refusal else None


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def get(*lines: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


H = HOST[:-2]

REFUSED = {
    "CL and TE": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "TE and CL": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "two equal CLs": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400),
    "two CLs": (POST + b"Content-Length: 2\r\ncontent-length: 3\r\n\r\nabc", 400),
    "CL list": (POST + b"Content-Length: 2, 2\r\n\r\nab", 400),
    "CL with plus": (POST + b"Content-Length: +4\r\n\r\nabcd", 400),
    "CL with minus": (POST + b"Content-Length: -4\r\n\r\nabcd", 400),
    "CL in hex": (POST + b"Content-Length: 0x4\r\n\r\nabcd", 400),
    "CL with a blank inside": (POST + b"Content-Length:  4 4\r\n\r\nabcd", 400),
    "CL with leading zero": (POST + b"Content-Length: 04\r\n\r\nabcd", 400),
    "CL empty": (POST + b"Content-Length:\r\n\r\nabcd", 400),
    "CL of 5,000 digits": (POST + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400),
    "CL over the limit": (POST + b"Content-Length: 65537\r\n\r\n", 413),
    "CL of 10^18": (POST + b"Content-Length: 1000000000000000000\r\n\r\n", 413),
    "TE identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "TE gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
    "TE twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "TE in capitals": (POST + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 400),
    "TE behind a tab": (POST + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", 400),
    "TE with a blank after": (POST + b"Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 400),
    "TE with a blank before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "TE : as a short name": (POST + b"TE : trailers\r\n\r\n", 400),
    "TE behind a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "bare LF everywhere": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "bare LF in a header": (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    "bare LF at the end": (b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    "bare CR": (get(H, b"X: a\rb"), 400),
    "CR CR LF": (b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400),
    "NUL": (get(H, b"X: a\0b"), 400),
    "escape": (get(H, b"X: a\x1bb"), 400),
    "delete": (get(H, b"X: a\x7fb"), 400),
    "NUL in a name": (get(H, b"X\0: a"), 400),
    "folded signature": (get(H, b"X-BM-SIGN: a", b" b"), 400),
    "folded with a tab": (get(H, b"X: a", b"\tb"), 400),
    "fold as first line": (get(b" X: a", H), 400),
    "no colon": (get(H, b"X"), 400),
    "empty name": (get(H, b": a"), 400),
    "name with a bracket": (get(H, b"X(: a"), 400),
    "name with an é": (get(H, "X-é: a".encode()), 400),
    "HTTP/0.9": (b"GET /\r\n", 400),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", 400),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "http in small letters": (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    "HTTP/1.1 with a blank after": (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    "two blanks": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "tab for blank": (b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    "empty first line": (b"\r\n" + get(H), 400),
    "absolute form": (b"GET http://api.example/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "asterisk form": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "authority form": (b"CONNECT api.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT with a path": (b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "unknown method": (b"PROPFIND / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "fragment": (b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "target with é": ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 400),
    "target with a control byte": (b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no Host": (get(b"X: a"), 400),
    "no header": (get(), 400),
    "two Hosts": (get(H, b"host: api.example"), 400),
    "empty Host": (get(b"Host: "), 400),
    "Host of two": (get(b"Host: a, b"), 400),
    "Host with user": (get(b"Host: u@a"), 400),
    "Host with path": (get(b"Host: a/b"), 400),
    "X-BM-SIGN twice": (get(H, b"X-BM-SIGN: a", b"x-bm-sign: a"), 400),
    "X-BAPI-SIGN twice": (get(H, b"X-BAPI-SIGN: a", b"X-BAPI-SIGN: b"), 400),
    "X-edgeX-Signature twice": (get(H, b"X-edgeX-Signature: a", b"X-edgeX-Signature: b"), 400),
    "X-Processing-Signature twice": (get(H, b"X-Processing-Signature: a", b"X-Processing-Signature: a"), 400),
    "Content-Type twice": (get(H, b"Content-Type: a/b", b"Content-Type: a/b"), 400),
    "Authorization twice": (get(H, b"Authorization: a", b"Authorization: b"), 400),
    "other expectation": (get(H, b"Expect: 200-ok"), 417),
    "101 headers": (get(H, *[b"X: a"] * 100), 431),
    "20,000 headers": (get(H, *[b"X: a"] * 20_000), 431),
    "70 KB header": (get(H, b"X: " + b"a" * 70_000), 431),
    "70 KB target": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    "endless line": (b"G" * 20_000, 431),
}

CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BAD_CHUNKS = {
    "0x1": (b"0x1\r\na\r\n0\r\n\r\n", 400),
    "+1": (b"+1\r\na\r\n0\r\n\r\n", 400),
    "-1": (b"-1\r\na\r\n0\r\n\r\n", 400),
    "blank before": (b" 1\r\na\r\n0\r\n\r\n", 400),
    "blank after": (b"1 \r\na\r\n0\r\n\r\n", 400),
    "underscore": (b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n", 400),
    "empty size": (b"\r\na\r\n0\r\n\r\n", 400),
    "nine digits": (b"000000001\r\na\r\n0\r\n\r\n", 400),
    "not hex": (b"g\r\na\r\n0\r\n\r\n", 400),
    "bare LF": (b"1\na\n0\n\n", 400),
    "bare CR": (b"1\ra\r\n0\r\n\r\n", 400),
    "extension": (b"1;a=b\r\na\r\n0\r\n\r\n", 400),
    "extension on the last": (b"1\r\na\r\n0;a\r\n\r\n", 400),
    "data longer than the size": (b"1\r\nab\r\n0\r\n\r\n", 400),
    "data ended by LF": (b"1\r\na\n0\r\n\r\n", 400),
    "signature as trailer": (b"1\r\na\r\n0\r\nX-BM-SIGN: a\r\n\r\n", 400),
    "last chunk ended by LF": (b"1\r\na\r\n0\r\n\n", 400),
    "one chunk too large": (b"10001\r\n", 413),
    "4 GiB announced": (b"ffffffff\r\n", 413),
    "sum too large": (b"8000\r\n" + b"a" * 0x8000 + b"\r\n8001\r\n", 413),
    "thousands of chunks": (b"1\r\na\r\n" * 2_000, 413),
}


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_head_is_refused_however_it_is_cut(name: str, size: int | None) -> None:
    stream, status = REFUSED[name]
    assert fed(stream, size) == ([], status)


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_bad_chunk_is_refused_however_it_is_cut(name: str, size: int | None) -> None:
    stream, status = BAD_CHUNKS[name]
    assert fed(CHUNKED + stream, size) == ([], status)


def test_the_signing_names_in_the_default_have_their_duplicates_refused_together_with_configured_ones() -> (
    None
):
    subject = FramingGuard(Limits(), SingleHeaders(names=frozenset({b"x-other"}), prefixes=()))
    subject.feed(get(H, b"X-Other: a", b"X-Other: b"))
    assert subject.refusal
    subject = FramingGuard(Limits(), SingleHeaders(names=frozenset(), prefixes=()))
    subject.feed(get(H, H))
    assert subject.refusal, "what frames a message is single whatever is configured"


ACCEPTED = {
    "plain": get(H),
    "host with port": get(b"Host: 127.0.0.1:8080"),
    "IPv6 host": get(b"Host: [::1]:8080"),
    "query": b"GET /a/b?c=d&e=%20 HTTP/1.1\r\n" + HOST + b"\r\n",
    "repeated harmless header": get(H, b"Accept: a/b", b"Accept: c/d"),
    "100 headers": get(H, *[b"X: a"] * 99),
    "no blank, and blanks after": get(b"Host:api.example  ", b"X:", b"Y: \t "),
    "bytes beyond ASCII in a value": get(H, "X-BM-SIGN: é".encode()),
    "length zero": POST + b"Content-Length: 0\r\n\r\n",
    "blanks round the length": POST + b"Content-Length: \t2 \r\n\r\nab",
    "no body announced": POST + b"\r\n",
    "expectation": POST + b"Content-Length: 2\r\nExpect: 100-Continue\r\n\r\nab",
    "chunked": CHUNKED + chunked(b"abc", b"d" * 300),
    "no chunk": CHUNKED + chunked(),
    "capital hex": CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n",
    "largest body": POST + b"Content-Length: 65536\r\n\r\n" + b"a" * 65_536,
    "largest chunk": CHUNKED + chunked(b"a" * 65_536),
    "trace": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("name", ACCEPTED)
def test_a_sound_message_passes_unchanged_however_it_is_cut(name: str, size: int | None) -> None:
    assert fed(ACCEPTED[name], size) == ([ACCEPTED[name]], None)


def test_the_largest_head_passes_and_one_byte_more_does_not() -> None:
    room = 16 * 1024 - len(get(H, b"X: "))
    for size in (None, 999):
        largest = get(H, b"X: " + b"a" * room)
        assert fed(largest, size) == ([largest], None)
        assert fed(get(H, b"X: " + b"a" * (room + 1)), size) == ([], 431)


def test_the_body_limit_is_refused_before_any_of_the_body_is_there() -> None:
    assert fed(POST + b"Content-Length: 11\r\n\r\n", limits=Limits(body_bytes_max=10)) == ([], 413)


def test_an_offer_to_upgrade_is_taken_out_and_the_body_kept() -> None:
    head = POST + b"Connection: Upgrade, HTTP2-Settings\r\n%bContent-Length: 2\r\n\r\nab"
    for size in (None, 1):
        assert fed(head % b"Upgrade: h2c\r\n", size) == ([head % b""], None)


names = st.sampled_from([b"X-BM-KEY", b"X-BM-SIGN", b"Accept", b"User-Agent", b"x-9_~!", b"Cookie"])
values = st.binary(max_size=30).map(lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F))
bodies = st.binary(max_size=400)
paths = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, blacklist_characters="#"), max_size=40
).map(lambda text: b"/" + text.encode())


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    lines = [H] + [
        name + b":" + value
        for name, value in draw(st.lists(st.tuples(names, values), unique_by=lambda x: x[0]))
    ]
    if draw(st.booleans()):
        pieces = draw(st.lists(st.binary(min_size=1, max_size=60), max_size=6))
        lines.append(b"Transfer-Encoding: chunked")
        body = chunked(*pieces)
    else:
        body = draw(bodies)
        lines.append(b"Content-Length: %d" % len(body))
    lines = draw(st.permutations(lines))
    return b"POST " + draw(paths) + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % len(stream) for place in places} - {0}), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@given(messages(), st.lists(st.integers(min_value=0, max_value=10_000), max_size=12))
def test_any_sound_message_in_any_segments_passes_byte_for_byte(message: bytes, places: list[int]) -> None:
    subject = guard()
    segments = cut(message, places)
    given_out = [subject.feed(segment) for segment in segments]
    assert subject.refusal is None
    assert given_out == [b""] * (len(segments) - 1) + [message]


@given(messages())
def test_what_passes_is_read_by_the_parser_behind_as_the_same_message(message: bytes) -> None:
    class Seen:
        url = b""
        body = b""
        whole = 0

        def on_url(self, url: bytes) -> None:
            self.url += url

        def on_body(self, body: bytes) -> None:
            self.body += body

        def on_message_complete(self) -> None:
            self.whole += 1

    seen = Seen()
    parser = httptools.HttpRequestParser(seen)
    passed = guard().feed(message)
    parser.feed_data(passed)
    assert seen.whole == 1
    assert seen.url == message.split(b" ")[1]
    parsed = httptools.parse_url(seen.url)
    # A lone "?" has no query; otherwise nothing of the target is lost on the way.
    assert (parsed.path + b"?" + (parsed.query or b"")).rstrip(b"?") == seen.url.rstrip(b"?")


SOUP = st.lists(
    st.sampled_from(
        [
            *(b"GET ", b"POST ", b"/", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", HOST, get(H), POST, CHUNKED),
            *(b"\r\n", b"\n", b"\r", b" ", b":", b";", b"\0", b"\xff", b"abc", b"+1"),
            *(b"Content-Length: 3\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n"),
            *(b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\n"),
            *(b"X-BM-SIGN: a\r\n", b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n"),
        ]
    ),
    min_size=1,
    max_size=14,
).map(b"".join)


@given(SOUP, st.lists(st.integers(min_value=0, max_value=10_000), max_size=12))
def test_any_bytes_in_any_segments_get_one_verdict(stream: bytes, places: list[int]) -> None:
    def verdict(segments: list[bytes]) -> tuple[list[bytes], bool]:
        subject = guard()
        given_out = [message for segment in segments if (message := subject.feed(segment))]
        return given_out, subject.refusal is None

    assert verdict([stream]) == verdict(cut(stream, places))


@pytest.mark.parametrize("size", [None, 1])
def test_a_pipelined_request_is_refused_and_the_first_one_passes(size: int | None) -> None:
    assert fed(get(H) + get(H), size) == ([get(H)], 400)
    assert fed(CHUNKED + chunked(b"a") + b"\r\n", size) == ([CHUNKED + chunked(b"a")], 400)


def test_a_second_request_passes_once_the_first_is_answered() -> None:
    subject = guard()
    for _ in range(3):
        assert subject.feed(ACCEPTED["chunked"]) == ACCEPTED["chunked"]
        subject.answered()
        assert subject.feed(get(H)) == get(H)
        subject.answered()
    assert subject.phase is Phase.IDLE


def test_the_client_is_told_to_continue_only_while_it_waits() -> None:
    head = POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    subject = guard()
    subject.feed(head)
    assert subject.wants_continue
    subject.feed(b"a")
    assert not subject.wants_continue
    subject = guard()
    subject.feed(head + b"a")
    assert not subject.wants_continue


def test_the_target_is_known_as_soon_as_its_line_is_accepted() -> None:
    for stream in (POST, POST + b"Content-Length: 9\r\n\r\n", POST + b"Content-Length: 99999\r\n\r\n"):
        subject = guard()
        subject.feed(stream)
        assert subject.target == b"/account/v1/withdraw/apply"
    subject = guard()
    subject.feed(b"GET /secret\r\n")
    assert subject.target == b""


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 16_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 98 + b"Y: " + b"a" * 15_000,
        CHUNKED + b"1\r\na\r\n" * 1_024,
        POST + b"Content-Length: 65536\r\n\r\n" + b"a" * 65_535,
    ],
    ids=["long line", "many lines", "many chunks", "long body"],
)
def test_the_dearest_message_byte_by_byte_costs_less_than_the_cpu_a_request_may_have(stream: bytes) -> None:
    subject = guard()
    before = time.process_time()
    for at in range(len(stream)):
        subject.feed(stream[at : at + 1])
    assert subject.refusal is None
    assert (time.process_time() - before) / (len(stream) / 16_384) < 0.05, "50 ms for each 16 KiB of segments"
