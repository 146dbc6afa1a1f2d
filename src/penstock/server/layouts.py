"""Heads as programs send them: the same names in the same order, time and again.

For such a layout one regular expression is made that finds all values at once: with six headers in 2.5 µs, where
`read_plain_head` takes 4.1. It matches nothing that `read_plain_head` would not read as the same head.
"""

from __future__ import annotations

import re

from penstock.server.heads import (
    BLANKS,
    END_OF_VALUE,
    HOST,
    LENGTH,
    REQUEST_LINE,
    VALUE,
    Limits,
    PlainHead,
    read_plain_head,
)

LEARNT_AFTER = 64
"""Making an expression takes a thousand times as long as using it, and whoever sends decides how many there are."""
LAYOUTS_MAX = 64
"""For as long as the process lives; a client that comes later is read as before."""
COUNTED_MAX = 256

_SPECIAL = {b"host": HOST, b"content-length": LENGTH}


class Layout:
    """names: as they stand in a head that was read as a plain one, in the case they are sent in."""

    __slots__ = ("_limits", "_match", "_names")

    def __init__(self, names: tuple[bytes, ...], limits: Limits) -> None:
        self._limits = limits
        self._names = tuple(name.lower() for name in names)
        values = (_SPECIAL.get(name, VALUE) for name in self._names)
        lines = (
            re.escape(name) + b":" + BLANKS + b"(" + value + b")" + END_OF_VALUE
            for name, value in zip(names, values, strict=True)
        )
        self._match = re.compile(REQUEST_LINE + b"".join(lines) + rb"\r\n").match

    def read(self, segment: bytes) -> PlainHead | None:
        """As `read_plain_head`, but None also where the layout is another."""
        found = self._match(segment)
        if found is None:
            return None
        method, target, *values = found.groups()
        by_name = dict(zip(self._names, values, strict=True))
        length, size = int(by_name.get(b"content-length", 0)), found.end()
        if length > self._limits.body_bytes_max or size > self._limits.head_bytes_max:
            return None
        return PlainHead(size, length, method, target, by_name)


class Layouts:
    """Those that have come often, of all connections."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._counted: dict[tuple[bytes, ...], int] = {}
        self._learnt: dict[tuple[bytes, ...], Layout] = {}

    def read(self, segment: bytes) -> tuple[PlainHead | None, Layout | None]:
        """As `read_plain_head`; and by which layout the next head of this kind is to be read, where there is one."""
        plain = read_plain_head(segment, self._limits)
        if plain is None:
            return None, None
        names = _names_of(segment, plain)
        layout = self._learnt.get(names)
        if layout is None and len(self._learnt) < LAYOUTS_MAX:
            layout = self._count(names)
        return plain, layout

    def _count(self, names: tuple[bytes, ...]) -> Layout | None:
        counted = self._counted
        times = counted.get(names, 0) + 1
        if times < LEARNT_AFTER:
            if len(counted) >= COUNTED_MAX:
                counted.clear()
            counted[names] = times
            return None
        del counted[names]
        layout = self._learnt[names] = Layout(names, self._limits)
        return layout


def _names_of(segment: bytes, head: PlainHead) -> tuple[bytes, ...]:
    """Of a segment that begins with this head: its headers' names as they stand there."""
    lines = segment[: head.size - 4].split(b"\r\n")
    return tuple([line.partition(b":")[0] for line in lines[1:]])
