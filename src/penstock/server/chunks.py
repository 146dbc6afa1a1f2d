"""Chunked bodies, read strictly.

RFC 9112 section 7.1 without what parsers disagree on and nobody needs: chunk extensions and trailer fields.
"""

from __future__ import annotations

import re

from penstock.server.heads import FramingRefused, Limits

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8}+)\r\n")
_SIZE_LINE_BEGUN = re.compile(rb"[0-9A-Fa-f]{1,8}+\r?+")
_SIZE_LINE_BYTES_MAX = 8 + 2


class ChunkReader:
    """Finds the end of one chunked body in a buffer that only grows.

    start: index in the buffer of the first byte after the head. Nothing is decoded: the parser behind us
    reads the same bytes again, and accepts these as we did.
    """

    __slots__ = ("_at", "_body_bytes", "_chunks", "_data_ends", "_last", "_limits")

    def __init__(self, start: int, limits: Limits) -> None:
        self._limits = limits
        self._at = start
        self._data_ends = -1  # where the running chunk's data end; -1 where a size line is due
        self._body_bytes = 0
        self._chunks = 0
        self._last = False

    def read(self, buffer: bytearray) -> int | None:
        """Index just behind the whole body, or None while it is not whole. Raises FramingRefused."""
        while True:
            if self._data_ends < 0:
                if not self._read_size_line(buffer):
                    return None
            elif not self._read_line_end(buffer):
                return None
            elif self._last:
                return self._at

    def _read_size_line(self, buffer: bytearray) -> bool:
        found = _SIZE_LINE.match(buffer, self._at)
        if found is None:
            begun = buffer[self._at : self._at + _SIZE_LINE_BYTES_MAX]
            if begun and _SIZE_LINE_BEGUN.fullmatch(begun) is None:
                raise FramingRefused(400, "a chunk size is not one to eight plain hex digits and CR LF")
            return False
        size = int(found[1], 16)
        self._body_bytes += size
        self._chunks += 1
        if self._body_bytes > self._limits.body_bytes_max:
            raise FramingRefused(413, "the body is too large")
        if self._chunks > self._limits.chunks_max:
            # Each chunk costs a turn of this loop; thousands of tiny ones are an attack on the CPU.
            raise FramingRefused(413, "the body comes in too many chunks")
        self._at = found.end()
        self._data_ends = self._at + size
        self._last = size == 0
        return True

    def _read_line_end(self, buffer: bytearray) -> bool:
        """Steps over the CR LF behind a chunk's data, or over the empty line that ends the last chunk."""
        end = buffer[self._data_ends : self._data_ends + 2]
        if not b"\r\n".startswith(end):
            if self._last:
                raise FramingRefused(400, "trailer fields are not read here")
            raise FramingRefused(400, "a chunk does not end where its size says")
        if len(end) < len(b"\r\n"):
            return False
        self._at = self._data_ends + 2
        self._data_ends = -1
        return True
