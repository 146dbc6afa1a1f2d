"""The strict front of the gate: decides where each HTTP/1.1 message ends, or refuses it. No IO, no clock.

It stands before another parser and holds a message back until all of it is there and sound, so a handler
never runs for a message that turns out to be bad in its last chunk, and two parsers never disagree about a
boundary. What it holds is bounded: a head, a body and the framing of its chunks.
"""

from __future__ import annotations

from enum import IntEnum

from penstock.server.chunks import ChunkReader
from penstock.server.heads import (
    FramingRefusal,
    FramingRefused,
    Head,
    HeadReader,
    Limits,
    PlainHead,
    SingleHeaders,
)
from penstock.server.layouts import Layout, Layouts

__all__ = ["FramingGuard", "FramingRefusal", "Limits", "Phase", "PlainHead", "SingleHeaders"]

PIPELINED = FramingRefusal(400, "bytes came after a request that is not answered yet")


class Phase(IntEnum):
    """Where a connection stands."""

    IDLE = 0
    """Between messages: nothing of the next one has come."""
    HEAD = 1
    BODY = 2
    ANSWERING = 3
    """A whole message was given out; `answered()` has not been called for it."""
    REFUSED = 4
    """Nothing more is let through on this connection."""


class FramingGuard:
    """Lets whole, sound messages through, one at a time.

    Call `feed` with every segment, `answered` when an answer is out. After each `feed` look at `refusal`:
    when it is set, the connection is to be closed with it, at once if the phase before was not ANSWERING and
    no message came out of this call, else after the running answer (the bytes were pipelined).
    layouts: what all connections have learnt.
    """

    __slots__ = (
        "_buffer",
        "_chunks",
        "_head",
        "_layout",
        "_layouts",
        "_limits",
        "_reader",
        "_single",
        "phase",
        "plain",
        "refusal",
        "wants_continue",
    )

    def __init__(self, limits: Limits, single_headers: SingleHeaders, layouts: Layouts | None = None) -> None:
        self._limits = limits
        self._layouts = layouts or Layouts(limits)
        self._layout: Layout | None = None  # of the last plain head
        self._single = single_headers
        self._buffer = bytearray()
        self._reader: HeadReader | None = None
        self._head: Head | None = None
        self._chunks: ChunkReader | None = None
        self.phase = Phase.IDLE
        self.plain: PlainHead | None = None
        """The head of the message given out last, or being received, where it is quite ordinary."""
        self.refusal: FramingRefusal | None = None
        self.wants_continue = False
        """In BODY: the client asked for `100 Continue` and none of the body has come yet."""

    @property
    def target(self) -> bytes:
        """Request target of the message being received or just refused; b"" where it was not readable."""
        if self._reader is not None:
            return self._reader.target
        if self.phase is Phase.BODY:  # a plain head keeps no reader, and has passed the grammar
            return bytes(self._buffer.split(b" ", 2)[1])
        return b""

    def feed(self, segment: bytes) -> bytes:
        """Take the next bytes of the connection, at least one.

        Returns the bytes of one whole message, exactly as they came (less any `Upgrade` line), or b"" while
        none is whole. `refusal` is set where these bytes are not let through; they are then forgotten.
        """
        if self.phase is Phase.IDLE:
            layout = self._layout
            plain = None if layout is None else layout.read(segment)
            if plain is None:
                plain, self._layout = self._layouts.read(segment)
            self.plain = plain
            if plain is not None:
                if plain.size + plain.content_length == len(segment):
                    self.phase = Phase.ANSWERING
                    return segment
                self._head = Head(plain.size, plain.content_length)
                self.phase = Phase.BODY
            else:
                self._reader = HeadReader(self._limits, self._single)
                self.phase = Phase.HEAD
        elif self.phase is Phase.ANSWERING:
            self.refusal = PIPELINED
            self.phase = Phase.REFUSED
        if self.phase is Phase.REFUSED:
            return b""
        self._buffer += segment
        try:
            return self._read()
        except FramingRefused as refused:
            self.refusal = refused.refusal
            self.stop()
            return b""

    def answered(self) -> None:
        """The answer to the last message is out: the next message may come."""
        if self.phase is Phase.ANSWERING:
            self.phase = Phase.IDLE

    def stop(self) -> None:
        """Let nothing more through and forget what is held."""
        self.phase = Phase.REFUSED
        self._buffer.clear()

    def _read(self) -> bytes:
        head = self._head
        if head is None:
            assert self._reader is not None
            head = self._reader.read(self._buffer)
            if head is None:
                return b""
            self._head = head
            self.phase = Phase.BODY
            if head.content_length is None:
                self._chunks = ChunkReader(head.size, self._limits)
        self.wants_continue = head.wants_continue and len(self._buffer) == head.size
        if self._chunks is not None:
            end = self._chunks.read(self._buffer)
        else:
            end = head.size + (head.content_length or 0)
        if end is None or end > len(self._buffer):
            return b""
        return self._give_out(end)

    def _give_out(self, end: int) -> bytes:
        message = bytes(self._buffer[:end])
        self.phase = Phase.ANSWERING
        if len(self._buffer) > end:
            self.refusal = PIPELINED
            self.phase = Phase.REFUSED
        self._buffer.clear()
        self._reader = self._head = self._chunks = None
        self.wants_continue = False
        return message
