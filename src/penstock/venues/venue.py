"""What the gate and a venue say to each other. A venue is pure: bytes and values in, values and bytes out.

The gate's line for one request:

    route = the one whose method and raw path match       else venue.not_found() / venue.wrong_method()
    who = venue.authenticate(request, route, look_up)     a Reply: count it by IP and by venue.claimed_key()
    usage = limiter.charge(route.limit, who or IP)        over: venue.rate_limited(abusive)
    ask = venue.read(request, route, who)                 a Reply ends it; on signed routes this comes before
                                                          the limiter: a repeated command is not charged
    answer = engine or reader, asked with ask.question
    reply = ask.write(answer)                             may be a further Ask: look something up, then act on it
    headers = reply.headers + venue.limit_headers(usage, now_ms)

Counts by IP that a route shares with others are taken before authentication, all others after it.
`read`, the engine and `write` raise core.refusals.Refused: venue.refuse(it, route). InDoubt: venue.in_doubt(route).
Unavailable: venue.unavailable(route).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from penstock.core.catalogue import Catalogue, Network
from penstock.core.commands import CustomerCommand
from penstock.core.queries import Query
from penstock.core.rates import Rates
from penstock.core.refusals import Refused
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import KeyView, WithdrawalView

Headers = tuple[tuple[bytes, bytes], ...]
LookUpKey = Callable[[str], KeyView | None]
"""Key id to key, None when there is none. Another venue's key may come back: the venue checks that."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request, complete and within the gate's limits.

    path: as it stood on the wire, not percent-decoded, without the query. query: the bytes after "?".
    headers: names in lower case, in the order sent, doubles included. client_ip: who connected. now_ms: wall
    clock at arrival. known: what `by_name` gives, where it was made already.
    """

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    client_ip: str
    now_ms: UnixMs
    known: dict[bytes, bytes] | None = None

    def by_name(self) -> dict[bytes, bytes]:
        """Headers by name, to be read only; of one that came twice, the last. As long as `headers` if none did."""
        return dict(self.headers) if self.known is None else self.known


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
    ACCOUNT = "account"


class Limit(msgspec.Struct, frozen=True):
    """At most `count` requests in `window_s` seconds, for each caller of `scope`.

    bucket: "" counts the route alone; routes that name the same bucket share one count. ban_s: how long a caller who
    went over is refused everything; 0: until the window ends.
    """

    count: int
    window_s: int
    scope: Scope
    bucket: str = ""
    ban_s: int = 0


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What the limiter says after counting a request: `used` of `limit.count`, this one included.

    resets_in_ms: until the window ends, 0 while it has not begun. refused: this request is one too many.
    """

    used: int
    limit: Limit
    resets_in_ms: int = 0
    refused: bool = False


class Route(msgspec.Struct, frozen=True):
    """One method on one exact raw path. permission: what the key must hold ("read", "withdraw") or None.

    limit: the one that `limit_headers` tells of. shared: further limits that count this route together with others.
    offloaded: authenticating and reading take long enough (a curve's signature) to be done beside the event loop.
    """

    method: str
    path: str
    level: Level
    limit: Limit
    permission: str | None = None
    sub_accounts: bool = True
    """Whether a sub-account's key may call it."""
    shared: tuple[Limit, ...] = ()
    offloaded: bool = False


class Ask(msgspec.Struct, frozen=True, gc=False):
    """What the venue wants to know or done, and how to say the answer.

    write: takes the answer that `question` documents (a command: views.Accepted); may raise Refused. Instead of a
    Reply it may return the next Ask: one that needs to know something before it can say what is to be done.
    question None: nothing, and write takes None. For work that is to be done only once the request was counted.
    """

    question: CustomerCommand | Query | None
    write: Callable[..., Reply | Ask]


CheckAddress = Callable[[Network, str, str], str]
"""(network, address, memo) to the canonical address, always the same for the same three.

Raises Refused: ADDRESS_INVALID, ADDRESS_FORBIDDEN or MEMO_INVALID.
"""


@dataclass(frozen=True, slots=True)
class World:
    """What a venue is given of the world; every call is quick, does no IO and is safe from several threads.

    check_address: the address rules of the chains. new_trace: a fresh random UUID (version 4) as text.
    now_ms: wall clock, for the times that replies carry.
    """

    catalogue: Catalogue
    check_address: CheckAddress
    new_trace: Callable[[], str]
    now_ms: Callable[[], UnixMs]
    rates: Rates


class Callback(msgspec.Struct, frozen=True):
    """A call to the customer's own server about one state change, signed and ready to be posted."""

    headers: Headers
    body: bytes


WriteCallback = Callable[[WithdrawalView, State, State | None, KeyView], Callback | None]
"""(the withdrawal as it stands, the state entered, the state before it, the key that signs) to what is posted.

None where the venue tells nothing of this change, because in its words nothing changed.
"""


class KeyFault(msgspec.Struct, frozen=True):
    """Why no signature could ever fit a key. field: key_id, secret or passphrase. needed: what it has to be; never
    what it was.
    """

    field: str
    needed: str


CheckKey = Callable[[str, str, str], KeyFault | None]
"""(key id, secret, passphrase) of a key to be made to what is wrong with it; None where its owner can use it.

A venue has one where a key is not just any text. It does not find out whether the owner holds the other half.
"""


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

    def limit_headers(self, usage: Usage, now_ms: UnixMs, /) -> Headers: ...

    def refuse(self, refused: Refused, route: Route, /) -> Reply: ...

    def in_doubt(self, route: Route, /) -> Reply:
        """The outcome is unknown; the text tells the caller to ask before trying again."""
        ...

    def unavailable(self, route: Route, /) -> Reply:
        """Nothing was done; trying again later is safe."""
        ...

    def not_found(self, request: Request, look_up: LookUpKey, /) -> Reply:
        """No route has this path."""
        ...

    def wrong_method(self, request: Request, /) -> Reply: ...

    def malformed(self) -> Reply:
        """HTTP that no venue reads (framing, doubled headers), for the gate's own 400."""
        ...

    def too_large(self) -> Reply: ...

    def rate_limited(self, route: Route, usage: Usage, /, *, abusive: bool) -> Reply:
        """usage: of the limit that was hit. abusive: the caller kept on after being told, or keeps failing
        authentication.
        """
        ...
