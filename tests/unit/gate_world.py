"""The gate with a venue, a store and a clock made for it: nothing in a reply but what the gate decided."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from penstock.core.amounts import Units
from penstock.core.commands import Withdraw
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.queries import Account
from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView
from penstock.server.gate import Gate
from penstock.venues.venue import Ask, Headers, Level, Limit, LookUpKey, Reply, Request, Route, Scope, Usage

NOW_MS = UnixMs(1_800_000_000_000)
ROOMY = Limit(1_000, 1, Scope.KEY)

Reading = Callable[[Request, Route, KeyView | None], Ask | Reply]


class Clock:
    """The wall stands still; what counts limits moves when told to."""

    ms = 1_000_000

    def now_ms(self) -> UnixMs:
        return NOW_MS

    def monotonic_ms(self) -> int:
        return self.ms


def key_view(key_id: str, account_id: int = 1) -> KeyView:
    return KeyView(key_id, "plain", AccountId(account_id), b"s", "", frozenset(), (), None, False, False)


KEYS = {view.key_id: view for view in (key_view("k1"), key_view("k2"), key_view("k3", account_id=2))}


@dataclass
class Store:
    """Knows KEYS, answers queries with themselves, accepts every command that `execute_as` does not refuse."""

    execute_as: Callable[[Any], object] = lambda _: None
    keys_generation: int = 0
    executed: list[Any] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.opened = asyncio.Event()
        self.opened.set()

    def find_key(self, key_id: str) -> KeyView | None:
        self.looked_up.append(key_id)
        return KEYS.get(key_id)

    async def execute(self, command: object) -> object:
        self.executed.append(command)
        number = len(self.executed)
        await self.opened.wait()
        answer = self.execute_as(command)
        return Accepted(WithdrawalId(number), NOW_MS, repeated=False) if answer is None else answer

    def ask(self, query: object) -> object:
        return query

    def reader(self) -> Store:
        return self

    @property
    def reads_at_once(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if name == "find_keys":
            raise AttributeError(name)  # keys are looked up one by one here
        raise AssertionError(name)


def reply(status: int, text: str = "") -> Reply:
    return Reply(status, (), text.encode())


def withdraw(request_id: str = "r", **changes: object) -> Withdraw:
    command = Withdraw(
        AccountId(1), "k1", "plain", request_id, "{}", "USDT", "tron", ("spot",), Units(5), "T-address", ""
    )
    return msgspec.structs.replace(command, **changes)


def asks_account(_request: Request, _route: Route, _key: KeyView | None) -> Ask:
    """What a request is about unless a test says otherwise: a look-up, answered with 200."""
    return Ask(Account(AccountId(1)), lambda _: reply(200))


def authenticates(request: Request, look_up: LookUpKey) -> KeyView | Reply:
    headers = dict(request.headers)
    found = look_up(headers.get(b"key", b"").decode())
    return reply(401) if found is None or b"forged" in headers else found


@dataclass
class Plain:
    """A venue whose requests name their key in a header, and are forged when another header says so."""

    routes: tuple[Route, ...]
    reading: Reading = asks_account
    name: str = "plain"
    verify: Callable[[Request, LookUpKey], KeyView | Reply] = authenticates
    authenticated: int = 0
    hit: list[Usage] = field(default_factory=list)

    def authenticate(self, request: Request, route: Route, look_up: LookUpKey) -> KeyView | Reply | None:
        self.authenticated += 1
        return None if route.level is Level.NONE else self.verify(request, look_up)

    def claimed_key(self, request: Request) -> str | None:
        claimed = dict(request.headers).get(b"key")
        return None if claimed is None else claimed.decode()

    def read(self, request: Request, route: Route, key: KeyView | None) -> Ask | Reply:
        return self.reading(request, route, key)

    def limit_headers(self, usage: Usage, now_ms: UnixMs, /) -> Headers:
        figures = (usage.used, usage.limit.count, usage.resets_in_ms, int(usage.refused))
        return ((b"usage", b"%d of %d, %d ms, %d" % figures),)

    def refuse(self, refused: Refused, route: Route, /) -> Reply:
        return reply(400, refused.code.value)

    def in_doubt(self, route: Route, /) -> Reply:
        return reply(500)

    def unavailable(self, route: Route, /) -> Reply:
        return reply(503)

    def not_found(self, request: Request, look_up: LookUpKey, /) -> Reply:
        return reply(404, self.name)

    def wrong_method(self, request: Request, /) -> Reply:
        return reply(405, self.name)

    def malformed(self) -> Reply:
        return reply(400)

    def too_large(self) -> Reply:
        return reply(413)

    def rate_limited(self, route: Route, usage: Usage, /, *, abusive: bool) -> Reply:
        self.hit.append(usage)
        return reply(418 if abusive else 429, usage.limit.bucket)


def route(path: str, limit: Limit = ROOMY, *shared: Limit, **changes: Any) -> Route:
    return Route("POST", path, changes.pop("level", Level.SIGNED), limit, shared=shared, **changes)


class Answer(NamedTuple):
    status: int
    text: str
    usage: str


class Asked(NamedTuple):
    """One request. key None names none; forged: its signature is not right."""

    path: str
    key: str | None = "k1"
    forged: bool = False
    ip: str = "203.0.113.7"
    body: bytes = b""
    method: str = "POST"


async def send(gate: Gate, asked: Asked) -> Answer:
    """Hand one request to the gate, as the server would."""
    headers = [] if asked.key is None else [(b"key", asked.key.encode())]
    if asked.forged:
        headers.append((b"forged", b""))
    scope = {
        "type": "http",
        "method": asked.method,
        "raw_path": asked.path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": (asked.ip, 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": asked.body, "more_body": False}

    async def keep(message: Any) -> None:
        sent.append(message)

    await gate(scope, receive, keep)
    usage = dict(sent[0]["headers"]).get(b"usage", b"").decode()
    return Answer(sent[0]["status"], sent[1]["body"].decode(), usage)


class World:
    """A gate over one store and any number of venues, for as long as one event loop runs."""

    def __init__(self, *venues: Any, store: Store | None = None, **settings: Any) -> None:
        self.clock = Clock()
        self.store = store or Store()
        self.gate = Gate(venues, self.store, self.clock, **settings)

    async def statuses(self, *requests: Asked) -> list[int]:
        """One after the other."""
        return [(await send(self.gate, request)).status for request in requests]

    async def at_once(self, *requests: Asked) -> list[Answer]:
        return await asyncio.gather(*(send(self.gate, request) for request in requests))


def run(play: Callable[[], Awaitable[None]]) -> None:
    """Play a scene on an event loop of its own."""
    asyncio.run(play())  # type: ignore[arg-type]
