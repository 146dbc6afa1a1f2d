"""A transaction's last round trip, in which its last statements and COMMIT go together: what is said of it is true."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from penstock.store.deciding import CommitInDoubt
from penstock.store.postgres import connection
from penstock.store.postgres.connection import open_session
from penstock.store.postgres.session import Session, Statement
from tests.postgres import database, server

BEGIN: Statement = ("BEGIN", ())
ADD: Statement = ("INSERT INTO kept VALUES (1)", ())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with database() as made:
        with psycopg.connect(made, autocommit=True) as admin:
            admin.execute("CREATE TABLE kept (at bigint)")
            # Checked only by COMMIT.
            admin.execute("CREATE TABLE late (at bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        yield made


@pytest.fixture
def session(url: str) -> Iterator[Session]:
    made = open_session(url)
    made.ask([("TRUNCATE kept, late", ())])
    made.ask([BEGIN])
    yield made
    made.close()


def _raising(state: str) -> Statement:
    return (f"DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '{state}'; END $$", ())


def _kept(url: str) -> int:
    with psycopg.connect(url) as reader:
        (count,) = reader.execute("SELECT count(*) FROM kept").fetchone() or (0,)
    return int(count)


def test_statements_are_run_and_committed_in_one_round_trip(session: Session, url: str) -> None:
    session.commit([ADD, ADD])
    assert _kept(url) == 2


@pytest.mark.parametrize("state", ["40001", "23505", "53100", "25006"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_error_before_a_commit_that_was_sent_with_it_leaves_nothing(
    session: Session, url: str, state: str, at: int
) -> None:
    statements = [ADD, ADD]
    statements.insert(at, _raising(state))
    with pytest.raises(psycopg.Error, match="made up") as raised:
        session.commit(statements)
    assert raised.value.sqlstate == state
    session.roll_back()
    assert _kept(url) == 0
    # The connection goes on to be used.
    session.ask([BEGIN])
    session.commit([ADD])
    assert _kept(url) == 1


@pytest.mark.parametrize("state", ["40003", "08007", "08P01"])
def test_an_error_that_says_that_nobody_knows_leaves_the_commit_in_doubt(
    session: Session, state: str
) -> None:
    with pytest.raises(CommitInDoubt):
        session.commit([ADD, _raising(state)])


def test_a_constraint_that_the_commit_checks_is_a_definite_no(session: Session, url: str) -> None:
    twice: Statement = ("INSERT INTO late VALUES (1), (1)", ())
    with pytest.raises(errors.UniqueViolation):
        session.commit([ADD, twice])
    assert _kept(url) == 0


def test_text_that_cannot_be_sent_keeps_the_commit_from_being_sent(session: Session, url: str) -> None:
    with pytest.raises(errors.DataError):
        session.commit([ADD, ("SELECT $1::text", ("a\0b",))])
    session.roll_back()
    assert _kept(url) == 0


def test_a_warning_beside_the_commit_leaves_it_in_doubt(session: Session) -> None:
    warning: Statement = ("DO $$ BEGIN RAISE WARNING 'not waited for'; END $$", ())
    with pytest.raises(CommitInDoubt, match="not waited for"):
        session.commit([ADD, warning])


def test_a_connection_that_is_lost_leaves_the_commit_in_doubt(session: Session, url: str) -> None:
    server().run(f"SELECT pg_terminate_backend({session.backend_pid}, 5000)")
    with pytest.raises(CommitInDoubt):
        session.commit([ADD])
    assert session.is_lost
    assert _kept(url) == 0


def test_a_transaction_that_the_server_ended_while_it_stood_idle_is_not_in_doubt(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection._SESSION, "idle_in_transaction_session_timeout", "1")
    idle = open_session(url)
    idle.ask([BEGIN])
    while server().run(f"SELECT FROM pg_stat_activity WHERE pid = {idle.backend_pid}"):
        pass
    with pytest.raises(errors.OperationalError):
        idle.commit([ADD])
    assert idle.is_lost
