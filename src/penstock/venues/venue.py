"""What the gate and a venue say to each other. A venue is pure: bytes and values in, values and bytes out.

The gate's line for one request:

    route = the one whose method and raw path match       else venue.not_found() / venue.wrong_method()
    who = venue.authenticate(request, route, look_up)     a Reply: count it by IP and by venue.claimed_key()
    usage = limiter.charge(route.limit, who or IP)        over: venue.rate_limited(abusive)
    ask = venue.read(request, route, who)                 a Reply ends it; on signed routes this comes before
                                                          the limiter: a repeated command is not charged
    answer = engine or reader, asked with ask.question
    reply = ask.write(answer)
    headers = reply.headers + venue.limit_headers(usage)

`read`, the engine and `write` raise core.refusals.Refused: venue.refuse(it). InDoubt: venue.in_doubt().
Unavailable: venue.unavailable().
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from penstock.core.commands import Transfer, Withdraw
from penstock.core.queries import Query
from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.core.views import KeyView

Headers = tuple[tuple[bytes, bytes], ...]
LookUpKey = Callable[[str], KeyView | None]
"""Key id to key, None when there is none. Another venue's key may come back: the venue checks that."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request, complete and within the gate's limits.

    path: as it stood on the wire, not percent-decoded, without the query. query: the bytes after "?".
    headers: names in lower case, in the order sent, doubles included. client_ip: who connected. now_ms: wall
    clock at arrival.
    """

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    client_ip: str
    now_ms: UnixMs


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What goes back. headers hold content-type and the venue's own; the server adds length and date."""

    status: int
    headers: Headers
    body: bytes


class Level(StrEnum):
    """What a route asks of the caller."""

    NONE = "none"
    KEYED = "keyed"
    """A known key; no signature is looked at."""
    SIGNED = "signed"


class Scope(StrEnum):
    """Whom a rate limit counts."""

    IP = "ip"
    KEY = "key"


class Limit(msgspec.Struct, frozen=True):
    """At most `count` requests in `window_s` seconds, for each caller of `scope` and each route."""

    count: int
    window_s: int
    scope: Scope


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What the limiter says after counting a request: `used` of `limit.count`, this one included."""

    used: int
    limit: Limit


class Route(msgspec.Struct, frozen=True):
    """One method on one exact raw path. permission: what the key must hold ("read", "withdraw") or None."""

    method: str
    path: str
    level: Level
    limit: Limit
    permission: str | None = None
    sub_accounts: bool = True
    """Whether a sub-account's key may call it."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """What the venue wants to know or done, and how to say the answer.

    write: takes the answer that `question` documents (a command: views.Accepted); may raise Refused.
    """

    question: Withdraw | Transfer | Query
    write: Callable[..., Reply]


class Venue(Protocol):
    """A dialect. All calls are synchronous, do no IO and are safe from several threads."""

    @property
    def name(self) -> str: ...

    @property
    def routes(self) -> tuple[Route, ...]: ...

    def authenticate(self, request: Request, route: Route, look_up: LookUpKey) -> KeyView | Reply | None:
        """Who calls: a key whose signature (where the route asks for one) is verified; None on public routes.

        A Reply is the refusal. Nothing has been counted against the key then.
        """
        ...

    def claimed_key(self, request: Request) -> str | None:
        """The key id the caller names, verified or not: for counting failed authentication."""
        ...

    def read(self, request: Request, route: Route, key: KeyView | None) -> Ask | Reply:
        """Understand an authenticated request. Raises Refused."""
        ...

    def limit_headers(self, usage: Usage) -> Headers: ...

    def refuse(self, refused: Refused) -> Reply: ...

    def in_doubt(self) -> Reply:
        """The outcome is unknown; the text tells the caller to ask before trying again."""
        ...

    def unavailable(self) -> Reply:
        """Nothing was done; trying again later is safe."""
        ...

    def not_found(self) -> Reply: ...

    def wrong_method(self) -> Reply: ...

    def malformed(self) -> Reply:
        """HTTP that no venue reads (framing, doubled headers), for the gate's own 400."""
        ...

    def too_large(self) -> Reply: ...

    def rate_limited(self, *, abusive: bool) -> Reply:
        """abusive: the caller kept on after being told, or keeps failing authentication."""
        ...
