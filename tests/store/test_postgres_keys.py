"""API keys are read together with their accounts, any number in one round trip, on a connection that is kept."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from penstock.core.acts import CreateAccount, CreateKey
from penstock.core.refusals import Unavailable
from penstock.core.time import ManualClock
from penstock.engine.rows import AccountRow
from penstock.store.postgres import keys
from penstock.store.postgres.store import PostgresStore
from tests.postgres import database
from tests.store.samples import RULES, PausingIds

WAIT_S = 20
END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with database() as made:
        yield made


@pytest.fixture(scope="module")
def store(url: str) -> Iterator[PostgresStore]:
    """Holds the keys "one" and "two", each of an account of its own."""
    made = PostgresStore(url, RULES, ManualClock(0), PausingIds())
    for number, name in enumerate(("one", "two")):
        account = made.submit(CreateAccount("me", f"1000{number}")).result(WAIT_S)
        assert isinstance(account, AccountRow)
        key = CreateKey("me", account.account_id, "bitmart", name, f"secret of {name}", "memo", ("read",))
        made.submit(key).result(WAIT_S)
    yield made
    made.close()


def test_of_many_keys_those_that_there_are_come_back_and_are_the_same_as_one_by_one(
    store: PostgresStore,
) -> None:
    reader = store.reader()
    found = reader.find_keys(["two", "nobody's", "one"])
    assert sorted(found) == ["one", "two"]
    assert found == {key_id: reader.find_key(key_id) for key_id in ("one", "two")}
    assert found["one"].secret == b"secret of one"
    assert found["one"].account_id != found["two"].account_id
    with reader.snapshot():
        assert reader.find_keys(["two", "nobody's", "one"]) == found


def test_what_no_stored_key_can_be_is_no_key(store: PostgresStore) -> None:
    assert store.reader().find_key("a\0b") is None
    assert store.reader().find_key("nobody's") is None


def test_after_a_look_up_other_rows_are_read_from_the_database_again(store: PostgresStore) -> None:
    reader = store.reader()
    found = reader.find_key("one")
    assert found is not None
    assert reader.row(AccountRow, found.account_id) is not None


def test_a_connection_that_was_cut_is_opened_again(store: PostgresStore, url: str) -> None:
    reader = store.reader()
    assert reader.find_key("one") is not None
    with psycopg.connect(url, autocommit=True) as operator:
        operator.execute(END_CONNECTIONS)
    assert reader.find_key("one") is not None


def test_without_the_database_nobody_is_told_that_a_key_is_unknown(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise psycopg.OperationalError("made up")

    reader = store.reader()
    with monkeypatch.context() as gone:
        gone.setattr(keys, "connect", refused)
        with psycopg.connect(url, autocommit=True) as operator:
            operator.execute(END_CONNECTIONS)
        with pytest.raises(Unavailable):
            reader.find_key("one")
    assert reader.find_key("one") is not None
