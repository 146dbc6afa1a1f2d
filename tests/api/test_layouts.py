"""Heads that come again and again are read by an expression made for them, and as the same heads."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.server.heads import Limits, read_plain_head
from penstock.server.layouts import COUNTED_MAX, LAYOUTS_MAX, LEARNT_AFTER, Layout, Layouts

NAMES = (b"Host", b"X-Key", b"content-length", b"Accept", b"x!*+.$")
LAYOUT = Layout(NAMES, Limits())

SOUND = (b"h:80", b"a b:c", b"12", b"", b"\xff")
VALUES = (
    *(b"", b"a", b"a  b:c", b"\xff", b"7", b"0", b"12", b"012", b"1x", b"-1", b"99999", b"9" * 30),
    *(b"h:80", b"[::1]:8", b"h h", b"h:123456", b"\x00", b"\x7f", b"a\rb", b"a\nb", b"a\r\n b"),
)
BLANKS = (b"", b" ", b"\t ")
REQUEST_LINES = (
    *(b"POST /a HTTP/1.1", b"GET /a?b=%20:c HTTP/1.1", b"GET /a#b HTTP/1.1", b"PULL /a HTTP/1.1"),
    *(b"GET /a HTTP/1.0", b"GET a HTTP/1.1", b"GET  /a HTTP/1.1", b"GET /a HTTP/1.1\r\n"),
)


def message(request_line: bytes, lines: list[tuple[bytes, bytes]]) -> bytes:
    return request_line + b"\r\n" + b"".join(b"%b:%b\r\n" % line for line in lines) + b"\r\nrest"


def test_a_layout_reads_a_head_as_it_is_read_without_one() -> None:
    heads = [message(line, list(zip(NAMES, SOUND, strict=True))) for line in REQUEST_LINES]
    for at, value, before, behind in product(range(len(NAMES)), VALUES, BLANKS, BLANKS):
        values = [*SOUND[:at], before + value + behind, *SOUND[at + 1 :]]
        heads.append(message(REQUEST_LINES[0], list(zip(NAMES, values, strict=True))))
    found = [LAYOUT.read(head) for head in heads]
    assert found == [read_plain_head(head, Limits()) for head in heads]
    assert None in found
    assert sum(each is not None for each in found) > 100


@given(
    st.lists(
        st.tuples(st.sampled_from([*NAMES, b"host", b"Expect", b"X-key", b"X-Key "]), st.just(b"7")),
        max_size=6,
    )
)
def test_a_layout_reads_no_head_of_another(lines: list[tuple[bytes, bytes]]) -> None:
    found = LAYOUT.read(message(REQUEST_LINES[0], lines))
    assert (found is not None) is (tuple(name for name, _ in lines) == NAMES)


def head_of(*names: bytes, length: int = 0) -> bytes:
    lines = b"".join(b"%b: v\r\n" % name for name in names)
    return b"POST /a HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n" % (lines, length)


def test_the_limits_of_a_head_and_of_a_body_hold_for_a_layout_too() -> None:
    limits = Limits(head_bytes_max=80, body_bytes_max=10)
    layout = Layout((b"Host", b"x", b"Content-Length"), limits)
    assert layout.read(head_of(b"x", length=10)) is not None
    assert layout.read(head_of(b"x", length=11)) is None
    assert layout.read(head_of(b"x").replace(b"Host: h", b"Host: " + b"h" * 40)) is None


def test_a_layout_is_learnt_when_it_has_come_often() -> None:
    layouts = Layouts(Limits())
    found = [layouts.read(head_of(b"X-Key")) for _ in range(LEARNT_AFTER + 1)]
    plain = read_plain_head(head_of(b"X-Key"), Limits())
    assert [each for each, _ in found] == [plain] * (LEARNT_AFTER + 1)
    assert [layout is None for _, layout in found] == [True] * (LEARNT_AFTER - 1) + [False, False]
    layout = found[-1][1]
    assert layout is not None
    assert layout.read(head_of(b"X-Key")) == plain
    assert layout.read(head_of(b"x-key")) is None
    assert layouts.read(b"POST /a HTTP/1.1\r\n\r\n") == (None, None)


@pytest.mark.parametrize("kinds", [LAYOUTS_MAX + 3, COUNTED_MAX + 1])
def test_strangers_cannot_have_any_number_of_layouts_learnt(kinds: int) -> None:
    """In turns, so that those beyond what is counted are forgotten before any has come often enough."""
    layouts = Layouts(Limits())
    learnt = 0
    for _ in range(LEARNT_AFTER + 1):
        learnt = sum(layouts.read(head_of(b"x-%d" % kind))[1] is not None for kind in range(kinds))
    assert learnt == (LAYOUTS_MAX if kinds < COUNTED_MAX else 0)
