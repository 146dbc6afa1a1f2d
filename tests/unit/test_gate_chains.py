"""Answers that lead to further questions, requests that are joined or not, and who answers for an unknown path."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable

import pytest

from penstock.core.commands import AnswerChallenge, CustomerCommand
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.queries import Account, Balances, FindChallenge, Query
from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.core.views import Accepted, AnswerRejected, KeyView
from penstock.venues.venue import Ask, Limit, Reply, Request, Route, Scope
from tests.unit.gate_world import (
    NOW_MS,
    Answer,
    Asked,
    Plain,
    Store,
    World,
    reply,
    route,
    run,
    send,
    withdraw,
)

ME = AccountId(1)
ANSWER = AnswerChallenge(ME, "k1", "plain", "n", "yes", True, ("spot",))


def _says(answer: object) -> Reply:
    assert isinstance(answer, Accepted)
    return reply(200, str(answer.withdrawal_id))


class Chain:
    """Reads every request as one question after the other, and says the last answer.

    all_asked: set once `count` requests have come to their last question.
    """

    def __init__(self, *questions: Query | CustomerCommand) -> None:
        self._questions = questions
        self._asked = 0
        self.count = 0
        self.all_asked = asyncio.Event()

    def __call__(self, _request: Request, _route: Route, _key: KeyView | None) -> Ask:
        return self._ask(0)

    def _ask(self, at: int) -> Ask:
        if at < len(self._questions) - 1:
            return Ask(self._questions[at], lambda _: self._ask(at + 1))
        self._asked += 1
        if self._asked == self.count:
            self.all_asked.set()
        return Ask(self._questions[at], _says)


def _played(
    reading: Callable[[Request, Route, KeyView | None], Ask | Reply],
    store: Store,
    count: int = 1,
    limit: Limit | None = None,
) -> list[Answer]:
    """The answers to so many equal requests at once. Of several chains none is decided before all are at their end."""
    answers: list[Answer] = []

    async def play() -> None:
        world = World(Plain((route("/a", limit or Limit(1_000, 1, Scope.KEY)),), reading), store=store)
        held = isinstance(reading, Chain) and count > 1
        if held:
            store.opened.clear()
            reading.count = count
        running = [asyncio.create_task(send(world.gate, Asked("/a"))) for _ in range(count)]
        if held:
            await reading.all_asked.wait()
            store.opened.set()
        answers.extend(await asyncio.gather(*running))
        world.gate.close()

    run(play)
    return answers


# --- one question after the other ---


def test_an_answer_may_lead_to_a_further_question_until_there_is_a_reply() -> None:
    store = Store()
    asked = Chain(Account(ME), Balances(ME), ANSWER, FindChallenge(ME, "plain", "n"), withdraw())
    (answer,) = _played(asked, store)
    assert (answer.status, answer.text) == (200, "2")
    assert store.executed == [ANSWER, withdraw()]


def test_each_answer_is_handed_to_the_question_s_own_writer() -> None:
    store, seen = Store(lambda _: AnswerRejected(remaining=3)), []

    def reading(_request: Request, _route: Route, _key: KeyView | None) -> Ask:
        return Ask(Account(ME), lambda account: (seen.append(account), Ask(ANSWER, rejected))[1])

    def rejected(answer: object) -> Reply:
        seen.append(answer)
        return reply(200)

    assert _played(reading, store)[0].status == 200
    assert seen == [Account(ME), AnswerRejected(remaining=3)]


def test_a_chain_of_questions_is_one_request_to_the_limits() -> None:
    asked = Chain(Account(ME), Balances(ME), withdraw())
    (answer,) = _played(asked, Store(), limit=Limit(1, 1, Scope.KEY))
    assert (answer.status, answer.usage) == (200, "1 of 1, 1000 ms, 0")


def _raises(error: Exception) -> Callable[[object], object]:
    def refuse(_: object) -> object:
        raise error

    return refuse


ERRORS = [
    (Refused(RefusalCode.BALANCE_TOO_LOW), 400),
    (Unavailable("full"), 503),
    (InDoubt("lost"), 500),
    (RuntimeError("a bug"), 500),
]


@pytest.mark.parametrize("error,status", ERRORS)
def test_what_a_writer_raises_between_two_questions_ends_the_request(error: Exception, status: int) -> None:
    store, fail = Store(), _raises(error)
    answer = _played(lambda *_: Ask(Account(ME), fail), store)[0]  # type: ignore[arg-type, return-value]
    assert (answer.status, store.executed) == (status, [])


@pytest.mark.parametrize("error,status", ERRORS)
def test_what_the_engine_raises_at_the_end_of_a_chain_ends_the_request(error: Exception, status: int) -> None:
    store = Store(_raises(error))
    assert _played(Chain(Account(ME), withdraw()), store)[0].status == status
    assert len(store.executed) == 1


# --- joined, or not ---

COUNT = 8


@pytest.mark.parametrize("before", [(), (Account(ME),), (Account(ME), Balances(ME))])
def test_equal_requests_at_once_are_one_command_however_many_questions_come_before_it(
    before: tuple[Query, ...],
) -> None:
    store = Store()
    answers = _played(Chain(*before, withdraw()), store, COUNT)
    assert [(answer.status, answer.text) for answer in answers] == [(200, "1")] * COUNT
    assert len(store.executed) == 1


@pytest.mark.parametrize("before", [(), (Account(ME),)])
@pytest.mark.parametrize("error,status", ERRORS)
def test_those_who_joined_hear_how_the_first_one_failed(
    before: tuple[Query, ...], error: Exception, status: int
) -> None:
    answers = _played(Chain(*before, withdraw()), Store(_raises(error)), 3)
    assert [answer.status for answer in answers] == [status] * 3


@pytest.mark.parametrize("refusing", [True, False])
def test_what_follows_a_command_s_answer_is_done_for_those_who_joined_as_well(refusing: bool) -> None:
    def after(accepted: Accepted) -> Ask:
        if refusing:
            raise Refused(RefusalCode.NOT_NOW)
        return Ask(Account(ME), lambda _: reply(200, str(accepted.withdrawal_id)))

    async def play() -> None:
        world = World(Plain((route("/a"),), lambda *_: Ask(withdraw(), after)))
        world.store.opened.clear()
        running = [asyncio.create_task(send(world.gate, Asked("/a"))) for _ in range(COUNT)]
        await asyncio.sleep(0)
        world.store.opened.set()
        answers = [(answer.status, answer.text) for answer in await asyncio.gather(*running)]
        again = await send(world.gate, Asked("/a"))
        assert [*answers, (again.status, again.text)] == [(400, "not_now") if refusing else (200, "1")] * (
            COUNT + 1
        )
        assert len(world.store.executed) == 1
        world.gate.close()

    run(play)


class _OnceOnly:
    """A store's own rule: an id is good for one answer."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self, _: object) -> object:
        self.taken += 1
        if self.taken > 1:
            raise Refused(RefusalCode.REQUEST_ID_TAKEN)
        return Accepted(WithdrawalId(1), NOW_MS, repeated=False)


@pytest.mark.parametrize("before", [(), (Account(ME),)])
def test_requests_that_get_one_answer_only_are_not_joined_but_left_to_the_engine(
    before: tuple[Query, ...],
) -> None:
    store = Store(_OnceOnly())
    answers = _played(Chain(*before, withdraw(repeatable=False)), store, COUNT)
    assert [answer.status for answer in answers] == [200] + [400] * (COUNT - 1)
    assert len(store.executed) == COUNT


def test_each_of_them_is_charged() -> None:
    store = Store(_OnceOnly())
    answers = _played(Chain(withdraw(repeatable=False)), store, COUNT, Limit(3, 1, Scope.KEY))
    assert [answer.status for answer in answers] == [200, 400, 400, *[429] * (COUNT - 3)]


def test_answers_to_a_challenge_are_not_joined_each_is_the_engine_s_to_count() -> None:
    store = Store()
    answers = _played(Chain(ANSWER), store, COUNT)
    assert [answer.status for answer in answers] == [200] * COUNT
    assert len(store.executed) == COUNT


def test_two_business_contents_under_one_id_are_not_joined() -> None:
    contents = iter(('{"amount":"5"}', '{"amount":"6"}'))
    store = Store()
    answers = _played(lambda *_: Ask(withdraw(business=next(contents)), _says), store, 2)
    assert [answer.text for answer in answers] == ["1", "2"]


def test_a_refused_request_with_an_id_may_be_tried_again_at_once() -> None:
    refusals = iter((True, False))

    def execute(_: object) -> object:
        if next(refusals):
            raise Refused(RefusalCode.BALANCE_TOO_LOW)
        return None

    async def play() -> None:
        world = World(Plain((route("/a"),), Chain(withdraw())), store=Store(execute))
        assert await world.statuses(Asked("/a"), Asked("/a")) == [400, 200]
        world.gate.close()

    run(play)


def test_a_refused_request_known_by_its_signature_alone_stays_refused_and_a_quote_does_not() -> None:
    for command, statuses in (
        (withdraw(business=""), [400, 400]),
        (withdraw(business="", challenge_ms=1_000), [400, 200]),
    ):
        refusals = iter((True, False))

        def execute(_: object, refusals: object = refusals) -> object:
            if next(refusals):  # type: ignore[call-overload]
                raise Refused(RefusalCode.BALANCE_TOO_LOW)
            return None

        async def play(command: CustomerCommand = command, statuses: list[int] = statuses) -> None:
            world = World(Plain((route("/a"),), Chain(command)), store=Store(execute))
            assert await world.statuses(Asked("/a"), Asked("/a")) == statuses
            world.gate.close()

        run(play)


# --- whose words ---

ONE = Plain((route("/api/one/withdraw"), route("/api/one/list")), name="one")
TWO = Plain((route("/api/two/withdraw"), route("/sapi/v1/a")), name="two")
THREE = Plain((route("/api/two/deep/er/path"), route("/")), name="three")


@pytest.mark.parametrize(
    "path,name",
    [
        ("/api/one/nothing", "one"),
        ("/api/one", "one"),
        ("/api/one/withdraw/", "one"),
        ("/api/two/nothing", "two"),
        ("/api/two/deep/nothing", "three"),
        ("/sapi/v2", "two"),
        ("/sapi/v1/a/b/c/d", "two"),
        ("/api/nothing", "one"),
        ("/apis/one", "one"),
        ("/API/two/withdraw", "one"),
        ("/api//two", "one"),
        ("/api/%74wo/withdraw", "one"),
        ("/", "three"),
        ("*", "one"),
        ("", "one"),
    ],
)
def test_an_unknown_path_is_answered_by_the_venue_with_the_nearest_ones(path: str, name: str) -> None:
    async def play() -> None:
        world = World(ONE, TWO, THREE)
        method = "GET" if path == "/" else "POST"
        answer = await send(world.gate, Asked(path, method=method))
        assert (answer.status, answer.text) == (405 if path == "/" else 404, name)
        world.gate.close()

    run(play)


def test_a_known_path_by_another_method_is_answered_by_its_own_venue() -> None:
    async def play() -> None:
        world = World(ONE, TWO)
        answer = await send(world.gate, Asked("/api/two/withdraw", method="DELETE"))
        assert (answer.status, answer.text) == (405, "two")
        world.gate.close()

    run(play)


def test_one_path_served_twice_is_a_mistake_that_stops_the_start() -> None:
    with pytest.raises(AssertionError, match="served twice"):
        World(ONE, Plain((route("/api/one/list"),), name="four"))


def test_an_unknown_path_of_thousands_of_segments_costs_little() -> None:
    async def play() -> None:
        world = World(ONE, TWO, THREE)
        path = "/api/two" + "/x" * 8_000
        await send(world.gate, Asked(path))
        tracemalloc.start()
        answer = await send(world.gate, Asked(path))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (answer.status, answer.text) == (404, "two")
        assert peak < 2_000_000
        world.gate.close()

    run(play)
