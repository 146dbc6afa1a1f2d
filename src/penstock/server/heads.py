"""Request heads, judged before any other parser sees them.

Two readers of one grammar. `read_plain_head` takes the common case (a whole head in one segment, no name
twice, no body coding) with two regular expressions. `HeadReader` judges line by line, over any number of
segments, and says what is wrong. Whatever the first does not take, the second decides; both read the same
bytes as the same head. Framing of the body is in `framing.py` and `chunks.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

HEAD_BYTES_MAX = 16 * 1024
HEADERS_MAX = 100
BODY_BYTES_MAX = 64 * 1024
CHUNKS_MAX = 1_024
CONNECTIONS_MAX = 1_024

METHODS = (b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"PATCH", b"OPTIONS", b"TRACE")
"""Passed on, so that a route can answer 405 in its venue's form. Others are refused with 405 here."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may cost. Deadlines are seconds on the event loop's monotonic clock.

    head_deadline_s: from connecting, or from the first byte of a later head, to its empty line.
    body_deadline_s: from the empty line to the last byte of the body, however it trickles in.
    idle_s: between an answer and the next request. stall_s: how long an answer may wait for a client that
    does not read. linger_s, linger_bytes_max: how long and how much is dropped unread after a refusal, so
    that the kernel does not reset the connection before the client has read the refusal.
    """

    head_bytes_max: int = HEAD_BYTES_MAX
    headers_max: int = HEADERS_MAX
    body_bytes_max: int = BODY_BYTES_MAX
    chunks_max: int = CHUNKS_MAX
    connections_max: int = CONNECTIONS_MAX
    head_deadline_s: float = 10.0
    body_deadline_s: float = 15.0
    idle_s: float = 75.0
    stall_s: float = 15.0
    linger_s: float = 1.0
    linger_bytes_max: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class FramingRefusal:
    """Why a message is not let through. `reason` is one ASCII sentence that repeats no value sent."""

    status: int
    reason: str


class FramingRefused(Exception):
    """Raised inside the framing modules; `FramingGuard` turns it into a kept `FramingRefusal`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.refusal = FramingRefusal(status, reason)


@dataclass(frozen=True, slots=True)
class SingleHeaders:
    """Header names that may stand once in a request, lower-case: exact names and prefixes.

    A name that is signed, or that decides who asks or how the body is read, must have one meaning: with two
    values one parser takes the first, the next takes the last, a third joins them.
    """

    names: frozenset[bytes] = frozenset(
        {
            b"authorization",
            b"cloud-exchange",
            b"content-encoding",
            b"content-type",
            b"x-processing-key",
            b"x-processing-signature",
        }
    )
    prefixes: tuple[bytes, ...] = (b"x-bm-", b"x-bapi-", b"x-edgex-")

    def holds(self, name: bytes) -> bool:
        """Whether `name`, lower-case, may stand once only. What frames a message may not be left out."""
        return name in _FRAMING_NAMES or name in self.names or name.startswith(self.prefixes)


_FRAMING_NAMES = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})


@dataclass(frozen=True, slots=True)
class Head:
    """size: bytes of the head as it is passed on, its empty line included.

    content_length: bytes of the body, 0 where none is announced; None where the body comes in chunks.
    wants_continue: the client waits for `100 Continue` before it sends the body.
    """

    size: int
    content_length: int | None
    wants_continue: bool = False


_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"  # RFC 9110, section 5.6.2
# No "#": a fragment is never sent, and the URL parser behind us would cut it off unseen.
_TARGET = rb"/[!\"$-~]*+"

BLANKS = rb"[ \t]*+"
# Bytes over 0x7F pass: a signature header with an "é" in it is for the venue to answer.
VALUE = rb"[\t -~\x80-\xff]*+"
# Blanks behind a value are no part of it (RFC 9110, section 5.5), and nobody sends them.
END_OF_VALUE = rb"(?<![ \t])\r\n"
REQUEST_LINE = rb"(" + b"|".join(METHODS) + rb") (" + _TARGET + rb") HTTP/1\.1\r\n"
HOST = rb"(?:[0-9A-Za-z._~%-]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{1,5})?+"
LENGTH = rb"(?:0|[1-9][0-9]{0,18}+)"

_PLAIN_HEAD = re.compile(REQUEST_LINE + rb"((?:" + _TOKEN + rb":" + VALUE + END_OF_VALUE + rb")++)\r\n")
_FIELD = re.compile(rb"([^:\n]++):" + BLANKS + rb"([^\r]*+)\r\n")
_HOST = re.compile(HOST)
_LENGTH = re.compile(LENGTH)

_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([^ ]++) (HTTP/[0-9]\.[0-9])")
_TARGET_WHOLE = re.compile(_TARGET)
_TOKEN_WHOLE = re.compile(_TOKEN)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# These need the line reader: what they ask for is rare, and spelling matters. The last is one more word for
# Connection to some parsers, the one behind us among them.
_NOT_PLAIN = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"proxy-connection"})


class PlainHead(NamedTuple):
    """A whole head that is quite ordinary: no name comes twice, nothing frames the body but its length.

    size, content_length: bytes of the head, its empty line included, and of the body. by_name: the headers, names in
    lower case, in the order sent.
    """

    size: int
    content_length: int
    method: bytes
    target: bytes
    by_name: dict[bytes, bytes]


def read_plain_head(segment: bytes, limits: Limits) -> PlainHead | None:
    """The head where `segment` begins with a whole and quite ordinary one.

    None says nothing about the head but that `HeadReader` has to decide.
    """
    found = _PLAIN_HEAD.match(segment)
    if found is None:
        return None
    size = found.end()
    method, target, lines = found.groups()
    fields = _FIELD.findall(lines)
    values: dict[bytes, bytes] = {name.lower(): value for name, value in fields}
    count = len(fields)
    if len(values) != count or count > limits.headers_max or size > limits.head_bytes_max:
        return None
    host = values.get(b"host")
    if host is None or _HOST.fullmatch(host) is None or not _NOT_PLAIN.isdisjoint(values):
        return None
    length = values.get(b"content-length", b"0")
    if _LENGTH.fullmatch(length) is None:
        return None
    content_length = int(length)
    return (
        None
        if content_length > limits.body_bytes_max
        else PlainHead(size, content_length, method, target, values)
    )


class HeadReader:
    """Judges one head line by line as its bytes arrive in a buffer that begins with it.

    Each byte is looked at a fixed number of times however the head is cut into segments. An `Upgrade` line
    is taken out of the buffer: we speak nothing but HTTP/1.1, RFC 9110 section 7.8 lets a server ignore the
    offer, and the parser behind us would take the body for the other protocol.
    """

    __slots__ = (
        "_fields",
        "_headers",
        "_limits",
        "_line_start",
        "_scanned",
        "_seen",
        "_single",
        "_size",
        "target",
    )

    def __init__(self, limits: Limits, single: SingleHeaders) -> None:
        self._limits = limits
        self._single = single
        self._size = 0
        self._line_start = 0
        self._scanned = 0
        self._headers = -1  # the request line brings it to 0
        self._seen: set[bytes] = set()
        self._fields: dict[bytes, bytes] = {}
        self.target = b""
        """Of the request line, once that has been accepted."""

    def read(self, buffer: bytearray) -> Head | None:
        """The head, once its empty line is in `buffer`; None while it is not. Raises FramingRefused."""
        while True:
            feed = buffer.find(b"\n", self._scanned)
            if feed < 0:
                self._check_unfinished(buffer)
                return None
            line = bytes(buffer[self._line_start : feed + 1])
            self._size += len(line)
            if not line.endswith(b"\r\n"):
                raise FramingRefused(400, "a line of the head ends without CR")
            text = line[:-2]
            if _CONTROL.search(text):
                raise FramingRefused(400, "the head holds a control character")
            if self._size > self._limits.head_bytes_max:
                raise FramingRefused(431, "the head is too large")
            self._line_start = self._scanned = feed + 1
            if self._headers < 0:
                self._take_request_line(text)
            elif text:
                self._take_field(text, buffer, len(line))
            else:
                return self._finish()

    def _check_unfinished(self, buffer: bytearray) -> None:
        # A CR as the very last byte may yet be followed by its LF; anywhere else it stands alone.
        if buffer.endswith(b"\r", self._scanned):
            pending, self._scanned = buffer[self._scanned : -1], len(buffer) - 1
        else:
            pending, self._scanned = buffer[self._scanned :], len(buffer)
        if _CONTROL.search(pending):
            raise FramingRefused(400, "the head holds a control character")
        if self._size + len(buffer) - self._line_start > self._limits.head_bytes_max:
            raise FramingRefused(431, "the head is too large")

    def _take_request_line(self, text: bytes) -> None:
        found = _REQUEST_LINE.fullmatch(text)
        if found is None:
            raise FramingRefused(400, "the request line is not of the form: method, target, HTTP/1.1")
        method, target, version = found.groups()
        # Not 505 for another version nor 501 for another method: with us a 5xx means "outcome unknown".
        if version != b"HTTP/1.1":
            raise FramingRefused(400, "only HTTP/1.1 is spoken here")
        if _TARGET_WHOLE.fullmatch(target) is None:
            raise FramingRefused(400, "the request target is not a plain path that begins with a slash")
        self.target = target
        if method not in METHODS:
            raise FramingRefused(405, "this method is not known here")
        self._headers = 0

    def _take_field(self, text: bytes, buffer: bytearray, line_size: int) -> None:
        self._headers += 1
        if self._headers > self._limits.headers_max:
            raise FramingRefused(431, "there are too many header lines")
        if text[0] in b" \t":
            raise FramingRefused(400, "a header is folded over two lines")
        name, colon, value = text.partition(b":")
        if not colon:
            raise FramingRefused(400, "a header line has no colon")
        if _TOKEN_WHOLE.fullmatch(name) is None:
            raise FramingRefused(400, "a header name is empty or holds what no name may hold")
        name = name.lower()
        if name in self._seen and self._single.holds(name):
            raise FramingRefused(400, f"header {name.decode('ascii')} is there twice")
        self._seen.add(name)
        if name == b"upgrade":
            self._line_start -= line_size
            self._scanned = self._line_start
            del buffer[self._line_start : self._line_start + line_size]
        else:
            self._fields[name] = value

    def _finish(self) -> Head:
        host = self._fields.get(b"host")
        if host is None:
            raise FramingRefused(400, "there is no Host header")
        if _HOST.fullmatch(host.strip(b" \t")) is None:
            raise FramingRefused(400, "the Host header is empty or not a host")
        expect = self._fields.get(b"expect", b"").strip(b" \t").lower()
        if expect not in {b"", b"100-continue"}:
            raise FramingRefused(417, "the only expectation met here is 100-continue")
        return Head(self._line_start, self._content_length(), wants_continue=bool(expect))

    def _content_length(self) -> int | None:
        coding = self._fields.get(b"transfer-encoding")
        length = self._fields.get(b"content-length")
        if coding is not None:
            if length is not None:
                raise FramingRefused(400, "Content-Length and Transfer-Encoding are both there")
            if coding.lstrip(b" ") != b"chunked":
                raise FramingRefused(400, "the only Transfer-Encoding read here is: chunked")
            return None
        if length is None:
            return 0
        digits = length.strip(b" \t")
        if _LENGTH.fullmatch(digits) is None:
            raise FramingRefused(400, "Content-Length is not a plain number")
        if int(digits) > self._limits.body_bytes_max:
            raise FramingRefused(413, "the body is too large")
        return int(digits)
