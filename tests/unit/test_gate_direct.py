"""The gate asked directly: the same answers as over ASGI, and nothing but the venues' own routes."""

from __future__ import annotations

import pytest

from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.server.framing import Limits, PlainHead
from penstock.server.heads import read_plain_head
from penstock.venues.venue import Ask, Level, Limit, Reply, Scope
from tests.unit.gate_world import Answer, Asked, Plain, Store, World, reply, route, run, send, withdraw

IP = "203.0.113.7"


def head_of(asked: Asked) -> PlainHead:
    lines = [b"Host: api.example"]
    if asked.key is not None:
        lines.append(b"Key: " + asked.key.encode())
    if asked.forged:
        lines.append(b"Forged: yes")
    message = b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (
        asked.method.encode(),
        asked.path.encode(),
        b"\r\n".join(lines),
    )
    head = read_plain_head(message, Limits())
    assert head is not None
    return head


async def directly(world: World, asked: Asked) -> Answer | None:
    answering = world.gate.answers(head_of(asked), asked.body, asked.ip)
    if answering is None:
        return None
    made, extra = answering if isinstance(answering, tuple) else await answering
    return Answer(made.status, made.body.decode(), dict(extra).get(b"usage", b"").decode())


def a_world(store: Store | None = None) -> World:
    def reading(request: object, _route: object, _key: object) -> Ask | Reply:
        body = getattr(request, "body", b"")
        if body == b"refused":
            raise Refused(RefusalCode.PARAMETER_INVALID)
        if body == b"a bug":
            raise RuntimeError("a bug")
        return Ask(withdraw(body.decode()), lambda accepted: reply(200, str(accepted.withdrawal_id)))

    routes = (route("/withdraw", Limit(3, 1, Scope.KEY)), route("/time", level=Level.NONE))
    return World(Plain(routes, reading), store=store, failed_auth_per_minute=2)


REQUESTS = [
    Asked("/withdraw", body=b"1"),
    Asked("/withdraw", body=b"1"),
    Asked("/withdraw", forged=True),
    Asked("/withdraw", key=None),
    Asked("/withdraw", body=b"refused"),
    Asked("/withdraw", body=b"a bug"),
    Asked("/withdraw", forged=True),
    Asked("/withdraw", body=b"2"),
    Asked("/withdraw", body=b"3"),
    Asked("/withdraw", "k2", body=b"4"),
]


def test_both_ways_give_the_same_answers() -> None:
    async def play() -> None:
        one, other = a_world(), a_world()
        over_asgi = [await send(one.gate, asked) for asked in REQUESTS]
        assert [await directly(other, asked) for asked in REQUESTS] == over_asgi
        assert [answer.status for answer in over_asgi] == [200, 200, 401, 401, 400, 500, 418, 200, 429, 200]
        assert one.store.executed == other.store.executed

    run(play)


@pytest.mark.parametrize("error, status", [(Unavailable("no"), 503), (InDoubt("perhaps"), 500)])
def test_what_the_store_cannot_say_is_told_alike(error: Exception, status: int) -> None:
    def failing(_command: object) -> object:
        raise error

    async def play() -> None:
        answer = await directly(a_world(Store(failing)), REQUESTS[0])
        assert answer is not None
        assert answer.status == status

    run(play)


def test_no_other_path_or_method_is_answered_directly() -> None:
    async def play() -> None:
        world = a_world()
        for path in ("/", "/withdraw/", "/Withdraw", "/withdraw%20", "/admin/accounts", "/healthz"):
            assert await directly(world, Asked(path)) is None
        for method in ("GET", "HEAD", "PUT", "OPTIONS"):
            assert await directly(world, Asked("/withdraw", method=method)) is None
        assert await directly(world, Asked("/withdraw?a=1&b=?", body=b"1")) == Answer(
            200, "1", "1 of 3, 1000 ms, 0"
        )
        assert world.store.executed == [withdraw("1")]

    run(play)


def test_work_that_waits_for_the_counting_is_not_done_for_one_too_many() -> None:
    done: list[bytes] = []

    def reading(request: object, _route: object, _key: object) -> Ask:
        def work(nothing: object) -> Reply:
            assert nothing is None
            done.append(getattr(request, "body", b""))
            return reply(200)

        return Ask(None, work)

    async def play() -> None:
        world = World(Plain((route("/", Limit(2, 1, Scope.KEY)),), reading))
        requests = [Asked("/", body=b"%d" % number) for number in range(3)]
        assert await world.statuses(*requests) == [200, 200, 429]
        assert done == [b"0", b"1"]

    run(play)
