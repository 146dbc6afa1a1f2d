"""The gate: one ASGI entry. Exact-path look-up, authentication, rate limit, then the venue and the engine.

Framing, sizes and deadlines of HTTP itself are `protocol.py`'s; here a request is whole and well-formed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from penstock.core.commands import AnswerChallenge, CustomerCommand, Exchange, Transfer, Withdraw
from penstock.core.points import point
from penstock.core.queries import FindChallenge
from penstock.core.refusals import InDoubt, Refused, Unavailable
from penstock.core.time import Clock
from penstock.core.views import Accepted, KeyView
from penstock.server.counting import NS_PER_MS, Counter, Counting, OwnCounter, counted_key
from penstock.server.direct import Answering, Made
from penstock.server.heads import PlainHead
from penstock.server.keys import KEPT_MS, KeyDirectory
from penstock.server.rate import NS_PER_S, GcraLimiter, client_scope
from penstock.server.refused import RefusedRequests
from penstock.server.repeats import Outcome, Repeats, request_key
from penstock.server.room import Room
from penstock.server.table import RouteTable, Served
from penstock.store.store import AsyncStore
from penstock.venues.venue import Ask, Headers, Level, Reply, Request, Route, Usage, Venue

Scope_ = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope_, Receive, Send], Awaitable[None]]

READER_THREADS = 2
VERIFIER_THREADS = 2
VERIFYING_MAX = 512
"""Requests that may wait for a verifier; a further one is told at once to come again later."""
IN_FLIGHT_MAX = 256
"""As many as one commit takes: more at the store would only wait there."""
CLAIMED_CHARACTERS_MAX = 128
"""Of a key id that failed authentication, this much is counted by; the sender chose how long it is."""

# Tuples, because a union that isinstance is given is made anew each time, and walked slowly.
_REPEATED = (Withdraw, Transfer, Exchange)
_COMMANDS = (Withdraw, Transfer, Exchange, AnswerChallenge)

_log = structlog.get_logger(__name__)


class Gate:
    """Serves the venues' routes. Anything else is answered in the form of the venue whose paths it resembles.

    failed_auth_per_minute: failed authentications from one source, and apart from that under one key id,
    before further ones are answered in the venue's harsher words; None: never. Only failures are: a valid
    signature is never turned away for what others tried from its address or under its key id.
    limit_by_ip: whether the limits that a venue's routes share are counted for each source address. counter: who counts
    requests against the venues' limits; None: this process alone. keys_kept_ms: how long a key is used as it was read
    (server/keys.py). in_flight_max: with so many authenticated requests unanswered, a further one is told at once to
    come again later, before anything is computed for it, so that no long queue forms. catch_up: as Room's
    (server/room.py).
    """

    def __init__(
        self,
        venues: Iterable[Venue],
        store: AsyncStore,
        clock: Clock,
        failed_auth_per_minute: int | None = None,
        *,
        limit_by_ip: bool = True,
        counter: Counter | None = None,
        keys_kept_ms: int | None = KEPT_MS,
        in_flight_max: int = IN_FLIGHT_MAX,
        catch_up: Callable[[], None] | None = None,
    ) -> None:
        self._counter: Counter = counter or OwnCounter()
        self._table = RouteTable(venues, limit_by_ip=limit_by_ip)
        self._store = store
        self._clock = clock
        self._keys = KeyDirectory(store, clock, keys_kept_ms)
        self._refused = RefusedRequests()
        self._repeats = Repeats()
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")
        self._verifiers = ThreadPoolExecutor(VERIFIER_THREADS, thread_name_prefix="verifier")
        self._verifying = 0
        self._room = Room(in_flight_max, clock, catch_up)
        self._failures: tuple[GcraLimiter, GcraLimiter] | None = None
        if failed_auth_per_minute is not None:
            count, period_ns = failed_auth_per_minute, 60 * NS_PER_S
            self._failures = (
                GcraLimiter(count, period_ns, burst=count),
                GcraLimiter(count, period_ns, burst=count),
            )

    def venue_for(self, path: bytes) -> Venue:
        """The venue in whose form an answer to this path is written: the one that has the nearest paths."""
        return self._table.venue_for(path)

    def close(self) -> None:
        self._readers.shutdown(wait=True)
        self._verifiers.shutdown(wait=True, cancel_futures=True)

    async def __call__(self, scope: Scope_, receive: Receive, send: Send) -> None:
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False):
            message = await receive()
            body += message.get("body", b"")
        if message["type"] == "http.disconnect":
            return
        reply, extra = await self._answer(scope, body)
        await send_reply(send, reply, extra)
        point("intake.answer_handed_over")

    def answers(self, head: PlainHead, body: bytes, client_ip: str) -> Answering | Made | None:
        """A Direct (server/direct.py) for every route of every venue."""
        path, _, query = head.target.partition(b"?")
        served = self._table.find(head.method, path)
        if served is None:
            return None
        if not self._room.is_left():
            return served.venue.unavailable(served.route), ()
        route, now_ms = served.route, self._clock.now_ms()
        return self._made(
            served,
            Request(
                route.method,
                route.path,
                query,
                list(head.by_name.items()),
                body,
                client_ip,
                now_ms,
                head.by_name,
            ),
        )

    async def _answer(self, scope: Scope_, body: bytes) -> Made:
        path: bytes = scope["raw_path"]
        methods = self._table.methods(path)
        served = methods.get(scope["method"])
        client = scope["client"]
        request = Request(
            method=scope["method"],
            path=path.decode("latin-1") if served is None else served.route.path,
            query=scope["query_string"],
            headers=scope["headers"],
            body=body,
            client_ip=client[0] if client else "",
            now_ms=self._clock.now_ms(),
        )
        if served is not None:
            return await self._made(served, request)
        if not methods:
            return self.venue_for(path).not_found(request, self._keys.look_up), ()
        return next(iter(methods.values())).venue.wrong_method(request), ()

    async def _made(self, served: Served, request: Request) -> Made:
        point("intake.request_read")
        if self._room.is_full():
            return served.venue.unavailable(served.route), ()
        try:
            made = await self._serve(served, request)
        except (Unavailable, InDoubt):
            # Nothing but counting raises these here, and then nothing was asked of the engine yet.
            made = served.venue.unavailable(served.route), ()
        except Exception:  # noqa: BLE001 - logged
            # The boundary: whatever went wrong, the caller hears that the outcome is unknown, never "failed".
            _log.exception("request failed", path=request.path)
            made = served.venue.in_doubt(served.route), ()
        point("intake.answer_ready")
        return made

    async def _serve(self, served: Served, request: Request) -> Made:
        venue, route = served.venue, served.route
        now_ms = self._clock.monotonic_ms()
        source = client_scope(request.client_ip)
        usage = served.unused
        reply = await self._over(served, served.before, source, None, now_ms) if served.before else None
        if reply is None and route.offloaded and self._verifying >= VERIFYING_MAX:
            reply = venue.unavailable(route)
        if reply is None:
            if route.offloaded:
                who, asked = await self._verified(venue, route, request)
            else:
                who, asked = self._understood(venue, route, request)
            if isinstance(who, Reply):
                blocked = self._count_failure(source, venue.claimed_key(request), now_ms)
                reply = venue.rate_limited(route, usage, abusive=True) if blocked else who
            else:
                point("intake.authenticated")
                # Not before: verifiers have a queue of their own, which must not keep other venues out.
                self._room.in_flight += 1
                try:
                    reply, usage = await self._serve_known(served, request, source, who, asked, now_ms)
                finally:
                    self._room.in_flight -= 1
        return reply, venue.limit_headers(usage, request.now_ms)

    def _understood(
        self, venue: Venue, route: Route, request: Request
    ) -> tuple[KeyView | Reply | None, Ask | Reply | None]:
        """Who calls and, on signed routes, what for. Read before it is charged, because a repeat is not charged."""
        who = venue.authenticate(request, route, self._keys.look_up)
        if isinstance(who, Reply) or route.level is not Level.SIGNED:
            return who, None
        return who, _read(venue, request, route, who)

    async def _serve_known(
        self,
        served: Served,
        request: Request,
        source: str,
        who: KeyView | None,
        asked: Ask | Reply | None,
        now_ms: int,
    ) -> tuple[Reply, Usage]:
        venue, route = served.venue, served.route
        counted = counted_key(route.limit.scope, who, source)
        if isinstance(asked, Ask) and self._is_repeat(asked):
            reply = await self._ask(venue, route, asked, now_ms)
            return reply, Usage(self._counter.used(served.own, counted, now_ms), route.limit)
        usage, abusive = await self._counter.take(served.own, counted, now_ms)
        if usage.refused:
            return venue.rate_limited(route, usage, abusive=abusive), usage
        over = await self._over(served, served.after, source, who, now_ms) if served.after else None
        if over is not None:
            return over, usage
        if asked is None:
            asked = _read(venue, request, route, who)
        if isinstance(asked, Reply):
            return asked, usage
        point("intake.command_read")
        return await self._ask(venue, route, asked, now_ms), usage

    async def _over(
        self,
        served: Served,
        countings: tuple[Counting, ...],
        source: str,
        who: KeyView | None,
        now_ms: int,
    ) -> Reply | None:
        """Count a request against limits that routes share: the refusal of the first that is hit."""
        for counting in countings:
            key = counted_key(counting.limit.scope, who, source)
            usage, abusive = await self._counter.take(counting, key, now_ms)
            if usage.refused:
                return served.venue.rate_limited(served.route, usage, abusive=abusive)
        return None

    async def _verified(
        self, venue: Venue, route: Route, request: Request
    ) -> tuple[KeyView | Reply | None, Ask | Reply | None]:
        """Authenticate and read beside the event loop: for signatures that cost more than a request should."""
        # The directory of keys belongs to this thread, so the one key that can be asked for is looked up here.
        claimed = venue.claimed_key(request)
        known = None if claimed is None else self._keys.look_up(claimed)

        def look_up(key_id: str) -> KeyView | None:
            return known if key_id == claimed else None

        def verify() -> tuple[KeyView | Reply | None, Ask | Reply | None]:
            who = venue.authenticate(request, route, look_up)
            return who, None if isinstance(who, Reply) else _read(venue, request, route, who)

        self._verifying += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._verifiers, verify)
        finally:
            self._verifying -= 1

    def _is_repeat(self, asked: Ask) -> bool:
        """Whether a request is on its way already, or was accepted a moment ago."""
        command = asked.question
        return isinstance(command, _REPEATED) and command.repeatable and request_key(command) in self._repeats

    async def _ask(self, venue: Venue, route: Route, asked: Ask, now_ms: int) -> Reply:
        while True:
            question = asked.question
            try:
                if isinstance(question, _COMMANDS):
                    answer = await self._carry_out(question, now_ms)
                elif question is None:
                    answer = None
                elif isinstance(question, FindChallenge) and self._store.reader().reads_at_once:
                    answer = self._store.ask(question)
                else:
                    loop = asyncio.get_running_loop()
                    answer = await loop.run_in_executor(self._readers, self._store.ask, question)
                reply = asked.write(answer)
            except (Refused, Unavailable, InDoubt) as error:
                return _failed(venue, route, error)
            if isinstance(reply, Reply):
                return reply
            asked = reply

    def _count_failure(self, source: str, claimed: str | None, now_ms: int) -> bool:
        """Whether a failed authentication is one too many, from its source or under the key id it names."""
        if self._failures is None:
            return False
        by_source, by_key = self._failures
        now_ns = now_ms * NS_PER_MS
        blocked = by_source.take(source, now_ns) > 0
        if claimed is not None:
            blocked = by_key.take(claimed[:CLAIMED_CHARACTERS_MAX], now_ns) > 0 or blocked
        return blocked

    async def _carry_out(self, command: CustomerCommand, now_ms: int) -> object:
        """The engine's answer. Raises Refused, Unavailable or InDoubt."""
        before = self._refused.recall(command)
        if before is not None:
            raise before
        point("intake.queued")
        key = None
        if isinstance(command, _REPEATED) and command.repeatable:
            key = request_key(command)
            if key in self._repeats:
                return _answered(await self._repeats.outcome(key))
            self._repeats.begin(key)
        outcome: Outcome = InDoubt("the first of these requests was given up")
        try:
            answer = await self._store.execute(command)
            if isinstance(answer, Accepted):
                outcome = answer
        except Refused as refused:
            self._refused.remember(command, refused, now_ms)
            outcome = refused
            raise
        except (Unavailable, InDoubt) as error:
            outcome = error
            raise
        finally:
            if key is not None:
                self._repeats.finish(key, outcome, now_ms)
        return answer


def _read(venue: Venue, request: Request, route: Route, who: KeyView | None) -> Ask | Reply:
    try:
        return venue.read(request, route, who)
    except (Refused, Unavailable, InDoubt) as error:
        return _failed(venue, route, error)


def _answered(outcome: Outcome) -> Accepted:
    """Raises what the outcome is where it is no answer."""
    if isinstance(outcome, Accepted):
        return outcome
    raise outcome


def _failed(venue: Venue, route: Route, error: Exception) -> Reply:
    """What is neither a refusal nor known to have done nothing is in doubt."""
    match error:
        case Refused():
            return venue.refuse(error, route)
        case Unavailable():
            return venue.unavailable(route)
        case _:
            return venue.in_doubt(route)


async def send_reply(send: Send, reply: Reply, extra: Headers = ()) -> None:
    """Write a reply as ASGI messages, with its length."""
    length = (b"content-length", b"%d" % len(reply.body))
    headers = [*reply.headers, *extra, length]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
