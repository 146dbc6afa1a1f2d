"""A role that may not do what the store needs: told in one sentence, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from penstock.core.time import ManualClock
from penstock.engine.rows import ApiKeyRow
from penstock.store.ledger import open_ledger
from penstock.store.postgres.store import PostgresStore
from penstock.store.unusable import StoreUnusable
from penstock.store.verify import verify
from tests.postgres import database, server
from tests.store.samples import RULES, START_MS, PausingIds

ROLE = "privileges_test"


@pytest.fixture
def role() -> Iterator[str]:
    server().run(f"DROP ROLE IF EXISTS {ROLE}")
    server().run(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'unneeded'")
    yield ROLE
    server().run(f"DROP ROLE {ROLE}")


@pytest.fixture(params=["empty", "with_tables"])
def anothers(request: pytest.FixtureRequest, role: str) -> Iterator[str]:
    """The URL, as a role that owns nothing, of a database that is empty or has the superuser's tables."""
    with database() as url:
        if request.param == "with_tables":
            _open(url).close()
        with psycopg.connect(url, autocommit=True) as made:
            made.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as it is from PostgreSQL 15 on
        yield _as(role, url)


def _as(role: str, url: str) -> str:
    return url.replace("postgresql://postgres@", f"postgresql://{role}@", 1)


def _open(url: str) -> PostgresStore:
    return PostgresStore(url, RULES, ManualClock(START_MS), PausingIds())


def _tables(url: str) -> list[tuple[str, ...]]:
    known = conninfo_to_dict(url) | {"user": "postgres"}
    with psycopg.connect(make_conninfo(**known)) as connection:  # type: ignore[arg-type]
        return connection.execute(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' ORDER BY 1"
        ).fetchall()


def test_a_role_without_rights_is_told_that_it_must_own_the_database(anothers: str) -> None:
    before = _tables(anothers)
    with pytest.raises(StoreUnusable, match=r"permission denied .*it must own the database") as refused:
        _open(anothers)
    assert "\n" not in str(refused.value)
    assert _tables(anothers) == before


def test_a_reader_that_may_not_read_a_table_is_told_which(role: str) -> None:
    with database() as url:
        _open(url).close()
        with psycopg.connect(url, autocommit=True) as made:
            made.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
            with open_ledger(_as(role, url)) as reader:
                assert verify(reader).ok
            made.execute(f"REVOKE SELECT ON api_keys FROM {role}")
            with (
                open_ledger(_as(role, url)) as reader,
                pytest.raises(StoreUnusable, match="permission denied for table api_keys"),
            ):
                list(reader.rows(ApiKeyRow))
            made.execute(f"DROP OWNED BY {role}")
