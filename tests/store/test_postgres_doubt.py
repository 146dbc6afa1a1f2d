"""Commits whose answer is lost on a real server: cut connections, killed backends, a standby that is not there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from penstock.core.acts import CreateAccount
from penstock.core.ids import TimeOrderedIds
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.time import ManualClock
from penstock.core.views import Accepted
from penstock.engine.rows import AccountRow, RequestRow
from penstock.store.postgres import connection
from penstock.store.postgres.connection import open_session
from penstock.store.postgres.session import Answer, Session, Statement
from penstock.store.postgres.store import PostgresStore
from penstock.store.verify import verify
from tests.postgres import database, server
from tests.store.cutting_proxy import CuttingProxy
from tests.store.samples import DEPOSIT, RULES, START_MS, PausingIds, Seeded

WAIT_S = 20


@pytest.fixture
def url() -> Iterator[str]:
    with database() as made:
        yield made


@pytest.fixture
def seeded(url: str) -> Iterator[Seeded]:
    clock, ids = ManualClock(START_MS), PausingIds()
    store = PostgresStore(url, RULES, clock, ids)
    yield Seeded(store, clock, ids)
    store.close()


def _outcome(future: Future[object]) -> object:
    return future.exception(WAIT_S) or future.result(0)


def _requests(seeded: Seeded) -> set[str]:
    return {row.request_id for row in seeded.store.reader().rows(RequestRow)}


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_connection_cut_at_its_commit_is_looked_up(seeded: Seeded, url: str, cut: str) -> None:
    proxy = CuttingProxy(server().folder)
    store = PostgresStore(
        proxy.url(urlsplit(url).path[1:]), RULES, seeded.clock, TimeOrderedIds(node=2), on_lost=pytest.fail
    )
    seeded.withdraw("before")
    proxy.cut = cut
    outcome = _outcome(store.submit(seeded.order("doubtful")))
    assert proxy.cuts == 1
    assert isinstance(outcome, Accepted if cut == "after" else Unavailable), outcome
    assert ("doubtful" in _requests(seeded)) == (cut == "after")
    again = _outcome(store.submit(seeded.order("doubtful")))
    assert isinstance(again, Accepted)
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 200, 200)
    assert verify(seeded.store.reader()).ok
    store.close()
    proxy.close()


def test_the_keys_count_as_changed_after_a_doubtful_commit(seeded: Seeded, url: str) -> None:
    proxy = CuttingProxy(server().folder)
    store = PostgresStore(proxy.url(urlsplit(url).path[1:]), RULES, seeded.clock, TimeOrderedIds(node=2))
    before = store.keys_generation
    proxy.cut = "after"
    outcome = _outcome(store.submit(CreateAccount("test", "7777")))
    assert isinstance(outcome, InDoubt)
    assert store.keys_generation != before
    numbers = {row.account_number for row in seeded.store.reader().rows(AccountRow)}
    assert "7777" in numbers
    store.close()
    proxy.close()


@dataclass
class Killing:
    """Kills the backend of a session at a moment of its batch."""

    moments: list[str] = field(default_factory=list)

    def opener(self, url: str) -> Session:
        session = _Killed(open_session(url)._connection)
        session.killing = self
        return session

    def strike(self, moment: str, session: Session) -> None:
        if self.moments and self.moments[0] == moment:
            del self.moments[0]
            pid = session.backend_pid
            server().run(f"SELECT pg_terminate_backend({pid}, 5000)")


class _Killed(Session):
    killing: Killing

    def ask(self, statements: Sequence[Statement]) -> list[Answer]:
        self.killing.strike("ask", self)
        return super().ask(statements)

    def commit(self, statements: Sequence[Statement] = ()) -> None:
        self.killing.strike("commit", self)
        super().commit(statements)


@pytest.mark.parametrize(
    "moments", [["ask"], ["ask", "ask"], ["commit"], ["commit", "ask"], ["ask", "commit"]]
)
def test_a_backend_that_is_killed_leaves_a_batch_done_again_or_unavailable(
    seeded: Seeded, url: str, moments: list[str]
) -> None:
    killing = Killing(list(moments))
    store = PostgresStore(url, RULES, seeded.clock, TimeOrderedIds(node=2), open_writer=killing.opener)
    outcome = _outcome(store.submit(seeded.order("a")))
    assert not killing.moments
    # Killed before its commit was sent, a batch is simply done again.
    assert isinstance(outcome, Unavailable if "commit" in moments else Accepted), outcome
    assert isinstance(_outcome(store.submit(seeded.order("a"))), Accepted)
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 100, 100)
    assert verify(seeded.store.reader()).ok
    store.close()


@contextmanager
def _standby_missing() -> Iterator[None]:
    """Every commit of the server waits for a standby that does not exist."""
    server().run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    _reloaded("nobody")
    try:
        yield
    finally:
        _standby_given_up()


def _standby_given_up() -> None:
    server().run("ALTER SYSTEM RESET synchronous_standby_names")
    _reloaded("")


def _reloaded(standbys: str) -> None:
    server().run("SELECT pg_reload_conf()")
    while server().run("SHOW synchronous_standby_names") != [(standbys,)]:
        time.sleep(0)
    # It is the checkpointer that makes commits wait, once it has come to read the settings.
    server().run("CHECKPOINT")


def _waiting(count: int = 1) -> list[int]:
    """The backends that wait for the standby, once there are so many."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        found = server().run("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        if len(found) >= count:
            return [pid for (pid,) in found]
    raise AssertionError("nobody waits for the standby")


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_that_was_not_waited_for_until_the_standby_had_it_is_not_called_done(
    seeded: Seeded, how: str
) -> None:
    with _standby_missing():
        future = seeded.store.submit(seeded.order("a"))
        (pid,) = _waiting()
        server().run(f"SELECT {how}({pid})")
        # The row can be read by now, and yet the standby does not have it: the look-up waits for it in turn.
        (second,) = _waiting()
        assert second != pid
        assert not future.done()
        _standby_given_up()
        outcome = _outcome(future)
    assert isinstance(outcome, Accepted), outcome
    assert _requests(seeded) == {"a"}


def test_a_repeated_answer_waits_for_the_standby_as_the_first_one_did(seeded: Seeded) -> None:
    """The row may be one whose own commit was not waited for."""
    first = seeded.withdraw("a")
    with _standby_missing():
        future = seeded.store.submit(seeded.order("a"))
        _waiting()
        assert not future.done()
        _standby_given_up()
        outcome = _outcome(future)
    assert isinstance(outcome, Accepted)
    assert (outcome.withdrawal_id, outcome.repeated) == (first, True)


def test_a_process_that_stands_still_within_a_batch_holds_nobody_up(
    seeded: Seeded, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection._SESSION, "idle_in_transaction_session_timeout", "200")
    ids = PausingIds()
    store = PostgresStore(url, RULES, seeded.clock, ids)
    with ids.paused():
        stopped = store.submit(seeded.order("stopped"))
        assert ids._asked.wait(WAIT_S)
        # It has its account locked now; the other writer waits until the server has ended that transaction.
        assert isinstance(_outcome(seeded.store.submit(seeded.order("other"))), Accepted)
    assert isinstance(_outcome(stopped), Accepted)
    assert seeded.balance(seeded.account_id) == (DEPOSIT - 200, 200)
    assert verify(seeded.store.reader()).ok
    store.close()
