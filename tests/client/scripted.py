"""What every fake venue shares: it notes each request, and answers what a test has told it, else the usual."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from penstock.core.time import UnixMs
from penstock.venues.venue import Reply, Request

Answer = tuple[int, dict[str, str], bytes]


def answer_of(reply: Reply) -> Answer:
    """A dialect's reply as a fake gives it."""
    return reply.status, {name.decode(): value.decode() for name, value in reply.headers}, reply.body


@dataclass
class Seen:
    """A request as it reached the fake. query: decoded. headers: names in lower case."""

    method: str
    path: str
    raw_query: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, method: str, target: str, headers: dict[str, str], body: bytes) -> Seen:
        parts = urlsplit(target)
        lower = {name.lower(): value for name, value in headers.items()}
        return cls(method, parts.path, parts.query, lower, body)

    def request(self, now_ms: int) -> Request:
        """As a dialect takes it."""
        pairs = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        return Request(
            self.method, self.path, self.raw_query.encode(), pairs, self.body, "127.0.0.1", UnixMs(now_ms)
        )

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @property
    def members(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Scripted:
    """`then` queues what a path answers next: a status with body, or something to raise. Otherwise: `usual`."""

    seen: list[Seen] = field(default_factory=list)
    _next: dict[str, deque[Callable[[], Answer]]] = field(default_factory=lambda: defaultdict(deque))

    def then(self, path: str, status: int, body: bytes, **headers: str) -> None:
        answer = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        self._next[path].append(lambda: answer)

    def then_raise(self, path: str, error: BaseException, *, after_taking_it: bool = False) -> None:
        """after_taking_it: the request is carried out first, and only its answer is lost."""

        def fail() -> Answer:
            if after_taking_it:
                self.usual(self.seen[-1])
            raise error

        self._next[path].append(fail)

    def count(self, path: str) -> int:
        return sum(seen.path == path for seen in self.seen)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        seen = Seen.of(method, target, headers, body)
        self.check(seen)
        self.seen.append(seen)
        queued = self._next[seen.path]
        return queued.popleft()() if queued else self.usual(seen)

    def check(self, seen: Seen) -> None:
        """What no request may be wrong in, whatever is answered."""

    def usual(self, seen: Seen) -> Answer:
        raise NotImplementedError
