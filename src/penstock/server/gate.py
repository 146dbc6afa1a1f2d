"""The gate: one ASGI entry. Exact-path look-up, authentication, rate limit, then the venue and the engine.

Framing, sizes and deadlines of HTTP itself are `protocol.py`'s; here a request is whole and well-formed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog

from penstock.core.commands import Transfer, Withdraw
from penstock.core.points import point
from penstock.core.refusals import InDoubt, Refused, Unavailable
from penstock.core.time import Clock
from penstock.core.views import KeyView
from penstock.server.keys import KeyDirectory
from penstock.server.rate import NS_PER_S, GcraLimiter, WindowLimiter, client_scope
from penstock.server.refused import RefusedRequests
from penstock.store.store import Store
from penstock.venues.venue import Ask, Headers, Reply, Request, Route, Scope, Usage, Venue

Scope_ = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope_, Receive, Send], Awaitable[None]]

READER_THREADS = 2
ABUSE_FACTOR = 20
"""A caller refused this many times a window's limit, in one window, is told so in the venue's harsher words."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A route with its venue and its limiter."""

    venue: Venue
    route: Route
    limiter: WindowLimiter


class Gate:
    """Serves the venues' routes. Anything else is answered in the form of the venue whose paths it resembles.

    failed_auth_per_minute: failed authentications from one source before it is turned away unheard; None: never.
    A valid signature is never turned away for failures that others made under the same key.
    """

    def __init__(
        self, venues: Iterable[Venue], store: Store, clock: Clock, failed_auth_per_minute: int | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._keys = KeyDirectory(store, clock)
        self._refused = RefusedRequests()
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")
        self._routes: dict[bytes, dict[str, Served]] = {}
        self._by_first_segment: dict[bytes, Venue] = {}
        self._fallback: Venue | None = None
        for venue in venues:
            self._add(venue)
        self._failures = None
        if failed_auth_per_minute is not None:
            period_ns = 60 * NS_PER_S
            self._failures = GcraLimiter(failed_auth_per_minute, period_ns, burst=failed_auth_per_minute)

    def _add(self, venue: Venue) -> None:
        self._fallback = self._fallback or venue
        for route in venue.routes:
            methods = self._routes.setdefault(route.path.encode(), {})
            assert route.method not in methods, f"{route.method} {route.path} is served twice"
            limit = route.limit
            methods[route.method] = Served(venue, route, WindowLimiter(limit.count, limit.window_s))
            self._by_first_segment.setdefault(_first_segment(route.path.encode()), venue)

    def venue_for(self, path: bytes) -> Venue:
        """The venue in whose form an answer to this path is written."""
        venue = self._by_first_segment.get(_first_segment(path)) or self._fallback
        assert venue is not None, "a gate without venues"
        return venue

    def close(self) -> None:
        self._readers.shutdown(wait=True)

    async def __call__(self, scope: Scope_, receive: Receive, send: Send) -> None:
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False):
            message = await receive()
            body += message.get("body", b"")
        if message["type"] == "http.disconnect":
            return
        point("intake.request_read")
        reply, extra = await self._answer(scope, body)
        point("intake.answer_ready")
        await send_reply(send, reply, extra)
        point("intake.answer_handed_over")

    async def _answer(self, scope: Scope_, body: bytes) -> tuple[Reply, Headers]:
        path: bytes = scope["raw_path"]
        methods = self._routes.get(path)
        if methods is None:
            return self.venue_for(path).not_found(), ()
        served = methods.get(scope["method"])
        if served is None:
            return next(iter(methods.values())).venue.wrong_method(), ()
        client = scope["client"]
        request = Request(
            method=scope["method"],
            path=served.route.path,
            query=scope["query_string"],
            headers=scope["headers"],
            body=body,
            client_ip=client[0] if client else "",
            now_ms=self._clock.now_ms(),
        )
        try:
            return await self._serve(served, request)
        except Exception:
            # The boundary: whatever went wrong, the caller must hear that the outcome is unknown, never "failed".
            _log.exception("request failed", path=request.path)
            return served.venue.in_doubt(), ()

    async def _serve(self, served: Served, request: Request) -> tuple[Reply, Headers]:
        venue, route = served.venue, served.route
        now_ns = self._clock.monotonic_ms() * 1_000_000
        source = client_scope(request.client_ip)
        who = venue.authenticate(request, route, self._keys.look_up)
        if isinstance(who, Reply):
            blocked = self._failures is not None and self._failures.take(source, now_ns) > 0
            return (venue.rate_limited(abusive=True) if blocked else who), venue.limit_headers(Usage(0, route.limit))
        point("intake.authenticated")
        use = served.limiter.take(source if route.limit.scope is Scope.IP else _counted(who, source), now_ns)
        headers = venue.limit_headers(Usage(use.used, route.limit))
        if not use.allowed:
            return venue.rate_limited(abusive=use.over_by > ABUSE_FACTOR * use.limit), headers
        try:
            asked = venue.read(request, route, who)
            if isinstance(asked, Reply):
                return asked, headers
            point("intake.command_read")
            return asked.write(await self._ask(asked)), headers
        except Refused as refused:
            return venue.refuse(refused), headers
        except Unavailable:
            return venue.unavailable(), headers
        except InDoubt:
            return venue.in_doubt(), headers

    async def _ask(self, asked: Ask) -> object:
        question = asked.question
        if not isinstance(question, Withdraw | Transfer):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._readers, self._store.ask, question)
        before = self._refused.recall(question)
        if before is not None:
            raise before
        point("intake.queued")
        try:
            return await self._store.execute(question)
        except Refused as refused:
            self._refused.remember(question, refused, self._clock.monotonic_ms())
            raise


def _counted(who: KeyView | None, source: str) -> str:
    return source if who is None else who.key_id


def _first_segment(path: bytes) -> bytes:
    return path.split(b"/", 2)[1] if path.startswith(b"/") else b""


async def send_reply(send: Send, reply: Reply, extra: Headers = ()) -> None:
    """Write a reply as ASGI messages, with its length."""
    length = (b"content-length", b"%d" % len(reply.body))
    headers = [*reply.headers, *extra, length]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
