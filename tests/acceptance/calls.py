"""One HTTP request as it goes out, whichever venue it is for; a test may replace any part of it."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace

from tests.acceptance.raw_http import head

_SOURCES = itertools.cycle(f"127.0.7.{number}" for number in range(1, 251))


@dataclass(frozen=True)
class Call:
    """headers: beside Host, and Content-Length where there is a body."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def raw(self) -> bytes:
        target = self.path + (f"?{self.query}" if self.query else "")
        lines: list[tuple[bytes, bytes]] = [(b"Host", b"127.0.0.1")]
        lines += [(name.encode(), value.encode()) for name, value in self.headers]
        if self.method == "POST":
            lines.append((b"Content-Length", b"%d" % len(self.body)))
        return head(target.encode(), tuple(lines), self.method.encode()) + self.body

    def with_header(self, name: str, value: str | None) -> Call:
        """With another value of a header that it has; None leaves the header out."""
        kept = [(had, old if had != name else value) for had, old in self.headers]
        return replace(self, headers=tuple((had, text) for had, text in kept if text is not None))

    def framed(self, *lines: bytes, without: bytes = b"") -> bytes:
        """Its bytes with header lines added, however malformed, or one left out by its name in lower case."""
        whole_head, _, body = self.raw.partition(b"\r\n\r\n")
        first, *rest = whole_head.split(b"\r\n")
        sound = [line for line in rest if not (without and line.lower().startswith(without + b":"))]
        return b"\r\n".join([first, *sound]) + b"\r\n" + b"".join(lines) + b"\r\n" + body


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def next_source() -> str:
    """One address of this machine after the other: what one test sends uses up no other test's quota of its source."""
    return next(_SOURCES)
