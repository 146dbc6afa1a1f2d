"""The gate's memories: what runs or was accepted, unknown keys, failed authentication."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

import pytest

from penstock.core.ids import WithdrawalId
from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView
from penstock.server import keys
from penstock.server.gate import Gate
from penstock.server.keys import KeyDirectory
from penstock.server.remembered import Remembered
from penstock.server.repeats import Repeats
from tests.venues.bitmart.world import APPLY, KEY, NOW_MS, VENUE, apply_body, make_key, post

REQUEST = (1, "bitmart", "1:abc", "")


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000

    def now_ms(self) -> UnixMs:
        return NOW_MS

    def monotonic_ms(self) -> int:
        return self.ms


class Store:
    """Accepts every command once `opened` is set, or raises what it is told to."""

    def __init__(self, raising: Exception | None = None) -> None:
        self.keys_generation = 0
        self.raising = raising
        self.executed = 0
        self.looked_up: list[str] = []
        self.opened = asyncio.Event()

    def find_key(self, key_id: str) -> KeyView | None:
        self.looked_up.append(key_id)
        return make_key() if key_id == KEY else None

    def reader(self) -> object:
        return object()

    async def execute(self, command: object) -> object:
        self.executed += 1
        await self.opened.wait()
        if self.raising is not None:
            raise self.raising
        return Accepted(WithdrawalId(self.executed), UnixMs(0), repeated=False)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def scope(request: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": request.method,
        "raw_path": request.path.encode(),
        "query_string": request.query,
        "headers": request.headers,
        "client": (request.client_ip, 1),
    }


async def asked(gate: Gate, request: Any) -> int:
    """The status of the answer."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await gate(scope(request), receive, send)
    return int(sent[0]["status"])


def statuses(store: Store, clock: Clock, requests: list[Any], **settings: Any) -> list[int]:
    async def at_once() -> list[int]:
        gate = Gate([VENUE], store, clock, **settings)
        running = [asyncio.create_task(asked(gate, request)) for request in requests]
        await asyncio.sleep(0)
        store.opened.set()
        done = await asyncio.gather(*running)
        gate.close()
        return done

    return asyncio.run(at_once())


def test_identical_requests_at_once_reach_the_store_once_and_are_charged_once() -> None:
    store = Store()
    request = post(apply_body())
    assert statuses(store, Clock(), [request] * 100) == [200] * 100
    assert store.executed == 1


@pytest.mark.parametrize(
    "raising, status",
    [
        (Refused(RefusalCode.BALANCE_TOO_LOW), 400),
        (Unavailable("full"), 503),
        (InDoubt("lost"), 500),
        (RuntimeError("a bug"), 500),
    ],
)
def test_those_who_joined_hear_the_same_failure(raising: Exception, status: int) -> None:
    store = Store(raising)
    assert statuses(store, Clock(), [post(apply_body())] * 9) == [status] * 9
    assert store.executed == 1


def test_distinct_requests_are_each_charged() -> None:
    requests = [post(apply_body(amount=str(100 + number))) for number in range(9)]
    assert statuses(Store(), Clock(), requests) == [200] * APPLY.limit.count + [429]


def test_failures_are_counted_by_source_and_by_key_and_never_block_a_valid_signature() -> None:
    wrong = [post(apply_body(), signed="0" * 64) for _ in range(4)]
    assert statuses(Store(), Clock(), [*wrong, post(apply_body())], failed_auth_per_minute=3) == [
        *[401] * 3,
        418,
        200,
    ]


def test_a_failed_request_is_the_next_ones_to_try() -> None:
    async def run() -> None:
        repeats = Repeats()
        repeats.begin(REQUEST)
        assert REQUEST in repeats
        repeats.finish(REQUEST, Unavailable("full"), 0)
        assert REQUEST not in repeats

    asyncio.run(run())


def test_one_who_gives_up_waiting_takes_nothing_from_the_others() -> None:
    async def run() -> None:
        repeats, accepted = Repeats(), Accepted(WithdrawalId(7), UnixMs(0), repeated=False)
        repeats.begin(REQUEST)
        first, second = (asyncio.create_task(repeats.outcome(REQUEST)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        repeats.finish(REQUEST, accepted, 0)
        assert await second is accepted
        assert await repeats.outcome(REQUEST) is accepted

    asyncio.run(run())


def test_what_is_remembered_is_forgotten_by_age_and_by_number() -> None:
    memory: Remembered[str, int] = Remembered(kept_ms=100, generation_max=2)
    memory.put("a", 1, 0)
    memory.put("b", 2, 99)
    assert (memory.get("a"), memory.get("b")) == (1, 2)
    memory.put("c", 3, 100)
    assert memory.get("a") == 1
    memory.put("d", 4, 200)
    assert (memory.get("a"), memory.get("c")) == (None, 3)
    for number in range(10):
        memory.put(str(number), number, 200)
    assert len(memory) <= 4


def directory(clock: Clock) -> tuple[Store, Callable[[str], KeyView | None]]:
    store = Store()
    return store, KeyDirectory(store, clock).look_up


def test_an_unknown_key_is_looked_up_once_until_something_changes() -> None:
    clock = Clock()
    store, look_up = directory(clock)
    assert [look_up("guess") for _ in range(3)] == [None] * 3
    assert store.looked_up == ["guess"]
    store.keys_generation += 1
    look_up("guess")
    clock.ms += keys.KEPT_MS
    look_up("guess")
    assert store.looked_up == ["guess"] * 3


def test_whoever_is_alone_keeps_keys_until_it_hears_of_a_change() -> None:
    clock, store = Clock(), Store()
    look_up = KeyDirectory(store, clock, None).look_up
    for _ in range(3):
        clock.ms += 10 * keys.KEPT_MS
        assert look_up(KEY) is not None
        assert look_up("guess") is None
    assert store.looked_up == [KEY, "guess"]
    store.keys_generation += 1
    look_up(KEY)
    look_up("guess")
    assert store.looked_up == [KEY, "guess"] * 2


class FarStore(Store):
    """Behind a network: as many keys as are asked for at once are one trip. gone: keys that were deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()
        self.trips: list[list[str]] = []

    def reader(self) -> object:
        return self

    def find_key(self, key_id: str) -> KeyView | None:
        return self.find_keys([key_id]).get(key_id)

    def find_keys(self, key_ids: Collection[str]) -> dict[str, KeyView]:
        self.trips.append(list(key_ids))
        return {key_id: make_key() for key_id in key_ids if key_id not in self.gone}


def test_keys_that_grew_old_are_read_again_together_and_only_those_that_are_still_asked_for() -> None:
    clock, store = Clock(), FarStore()
    look_up = KeyDirectory(store, clock).look_up
    names = [f"key-{number}" for number in range(5)]
    assert all(look_up(name) for name in names)
    assert store.trips == [[name] for name in names]
    clock.ms += keys.KEPT_MS
    store.gone = {"key-3"}
    store.trips.clear()
    assert [look_up(name) is not None for name in ("key-1", "key-0", "key-3")] == [True, True, False]
    assert [sorted(trip) for trip in store.trips] == [names, ["key-3"]]
    clock.ms += keys.KEPT_MS
    store.trips.clear()
    look_up("key-0")
    assert [sorted(trip) for trip in store.trips] == [["key-0", "key-1"]]


def test_guesses_take_bounded_room_and_push_no_real_key_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "UNKNOWN_MAX", 3)
    store, look_up = directory(Clock())
    assert look_up(KEY) is not None
    for number in range(20):
        look_up(f"guess {number}")
    look_up("x" * 1_000)
    look_up("x" * 1_000)
    assert look_up(KEY) is not None
    assert store.looked_up.count(KEY) == 1
    assert store.looked_up.count("x" * 1_000) == 2


def test_an_outcome_is_not_shared_between_two_accounts() -> None:
    other = (2, *REQUEST[1:])

    async def run() -> None:
        repeats = Repeats()
        repeats.begin(REQUEST)
        repeats.finish(REQUEST, Accepted(WithdrawalId(7), UnixMs(0), repeated=False), 0)
        assert other not in repeats

    asyncio.run(run())
