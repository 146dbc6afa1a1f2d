"""The gate: one ASGI entry. Exact-path look-up, authentication, rate limit, then the venue and the engine.

Framing, sizes and deadlines of HTTP itself are `protocol.py`'s; here a request is whole and well-formed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import structlog

from penstock.core.commands import Transfer, Withdraw
from penstock.core.points import point
from penstock.core.refusals import InDoubt, Refused, Unavailable
from penstock.core.time import Clock
from penstock.core.views import Accepted, KeyView
from penstock.server.keys import KeyDirectory
from penstock.server.rate import NS_PER_S, GcraLimiter, WindowLimiter, client_scope
from penstock.server.refused import RefusedRequests
from penstock.server.repeats import Outcome, Repeats, request_key
from penstock.store.store import AsyncStore
from penstock.venues.venue import Ask, Headers, Level, Reply, Request, Route, Scope, Usage, Venue

Scope_ = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope_, Receive, Send], Awaitable[None]]

READER_THREADS = 2
ABUSE_FACTOR = 20
"""A caller refused this many times a window's limit, in one window, is told in the venue's harsher words."""
CLAIMED_CHARACTERS_MAX = 128
"""Of a key id that failed authentication, this much is counted by; the sender chose how long it is."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A route with its venue and its limiter."""

    venue: Venue
    route: Route
    limiter: WindowLimiter


class Gate:
    """Serves the venues' routes. Anything else is answered in the form of the venue whose paths it resembles.

    failed_auth_per_minute: failed authentications from one source, and apart from that under one key id,
    before further ones are answered in the venue's harsher words; None: never. Only failures are: a valid
    signature is never turned away for what others tried from its address or under its key id.
    """

    def __init__(
        self,
        venues: Iterable[Venue],
        store: AsyncStore,
        clock: Clock,
        failed_auth_per_minute: int | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keys = KeyDirectory(store, clock)
        self._refused = RefusedRequests()
        self._repeats = Repeats()
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")
        self._routes: dict[bytes, dict[str, Served]] = {}
        self._by_first_segment: dict[bytes, Venue] = {}
        self._fallback: Venue | None = None
        for venue in venues:
            self._add(venue)
        self._failures: tuple[GcraLimiter, GcraLimiter] | None = None
        if failed_auth_per_minute is not None:
            count, period_ns = failed_auth_per_minute, 60 * NS_PER_S
            self._failures = (
                GcraLimiter(count, period_ns, burst=count),
                GcraLimiter(count, period_ns, burst=count),
            )

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
        except Exception:  # noqa: BLE001 - logged
            # The boundary: whatever went wrong, the caller hears that the outcome is unknown, never "failed".
            _log.exception("request failed", path=request.path)
            return served.venue.in_doubt(), ()

    async def _serve(self, served: Served, request: Request) -> tuple[Reply, Headers]:
        venue, route = served.venue, served.route
        now_ms = self._clock.monotonic_ms()
        now_ns = now_ms * 1_000_000
        source = client_scope(request.client_ip)
        who = venue.authenticate(request, route, self._keys.look_up)
        if isinstance(who, Reply):
            blocked = self._count_failure(source, venue.claimed_key(request), now_ns)
            refusal = venue.rate_limited(abusive=True) if blocked else who
            return refusal, venue.limit_headers(Usage(0, route.limit))
        point("intake.authenticated")
        counted = source if route.limit.scope is Scope.IP else _counted(who, source)
        asked = None
        if route.level is Level.SIGNED:
            # Read before it is charged, because a repeat of what runs or was accepted is not charged.
            asked = _read(venue, request, route, who)
            if isinstance(asked, Ask) and isinstance(asked.question, Withdraw | Transfer):
                key = request_key(asked.question)
                if key in self._repeats:
                    outcome = await self._repeats.outcome(key)
                    headers = venue.limit_headers(Usage(served.limiter.used(counted, now_ns), route.limit))
                    return _told(venue, asked, outcome), headers
        use = served.limiter.take(counted, now_ns)
        headers = venue.limit_headers(Usage(use.used, route.limit))
        if not use.allowed:
            return venue.rate_limited(abusive=use.over_by > ABUSE_FACTOR * use.limit), headers
        if asked is None:
            asked = _read(venue, request, route, who)
        if isinstance(asked, Reply):
            return asked, headers
        point("intake.command_read")
        return await self._ask(venue, asked, now_ms), headers

    async def _ask(self, venue: Venue, asked: Ask, now_ms: int) -> Reply:
        question = asked.question
        if isinstance(question, Withdraw | Transfer):
            return _told(venue, asked, await self._carry_out(question, now_ms))
        loop = asyncio.get_running_loop()
        try:
            return asked.write(await loop.run_in_executor(self._readers, self._store.ask, question))
        except (Refused, Unavailable, InDoubt) as error:
            return _failed(venue, error)

    def _count_failure(self, source: str, claimed: str | None, now_ns: int) -> bool:
        """Whether a failed authentication is one too many, from its source or under the key id it names."""
        if self._failures is None:
            return False
        by_source, by_key = self._failures
        blocked = by_source.take(source, now_ns) > 0
        if claimed is not None:
            blocked = by_key.take(claimed[:CLAIMED_CHARACTERS_MAX], now_ns) > 0 or blocked
        return blocked

    async def _carry_out(self, command: Withdraw | Transfer, now_ms: int) -> Outcome:
        before = self._refused.recall(command)
        if before is not None:
            return before
        point("intake.queued")
        key = request_key(command)
        self._repeats.begin(key)
        outcome: Outcome = InDoubt("the first of these requests was given up")
        try:
            outcome = cast(Accepted, await self._store.execute(command))
        except Refused as refused:
            self._refused.remember(command, refused, now_ms)
            outcome = refused
        except (Unavailable, InDoubt) as error:
            outcome = error
        finally:
            self._repeats.finish(key, outcome, now_ms)
        return outcome


def _read(venue: Venue, request: Request, route: Route, who: KeyView | None) -> Ask | Reply:
    try:
        return venue.read(request, route, who)
    except (Refused, Unavailable, InDoubt) as error:
        return _failed(venue, error)


def _told(venue: Venue, asked: Ask, outcome: Outcome) -> Reply:
    return asked.write(outcome) if isinstance(outcome, Accepted) else _failed(venue, outcome)


def _failed(venue: Venue, error: Exception) -> Reply:
    """What is neither a refusal nor known to have done nothing is in doubt."""
    match error:
        case Refused():
            return venue.refuse(error)
        case Unavailable():
            return venue.unavailable()
        case _:
            return venue.in_doubt()


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
