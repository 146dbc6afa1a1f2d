"""The numbered migrations on PostgreSQL. Any number of processes may start at once; one of them migrates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, cast

import psycopg
from psycopg import errors

from penstock.store.migrations import Migration, checksum_of, migrations, still_to_run
from penstock.store.unusable import StoreUnusable

_TRIES_MAX = 10


def migrate(
    connection: psycopg.Connection[tuple[Any, ...]],
    now_ms: int,
    wanted: Sequence[Migration] | None = None,
) -> int:
    """Bring the schema up to date, each migration in its own transaction. Returns how many ran here.

    wanted: as `migrations("postgres")` gives them, which is the default.
    Raises StoreUnusable when a migration that ran before has changed since, or the database is newer.
    """
    wanted = migrations("postgres") if wanted is None else wanted
    _make_table(connection)
    ran = 0
    for _ in range(_TRIES_MAX):
        todo = still_to_run(
            dict(connection.execute("SELECT number, checksum FROM migrations").fetchall()), wanted
        )
        if not todo:
            return ran
        ran += _run(connection, todo[0], now_ms)
    raise StoreUnusable("other processes kept migrating this database")


def check_schema(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Raises StoreUnusable where there are no tables of ours."""
    found = connection.execute("SELECT to_regclass('migrations')").fetchone()
    if found is None or found[0] is None:
        raise StoreUnusable("no tables of Penstock in this database (start `penstock serve` on it first)")


def _make_table(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    sql = (
        "CREATE TABLE IF NOT EXISTS migrations (number bigint PRIMARY KEY, "
        "name text NOT NULL, checksum text NOT NULL, at_ms bigint NOT NULL)"
    )
    for _ in range(_TRIES_MAX):
        try:
            connection.execute(sql)
        except (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject):
            continue  # another process makes it just now, which IF NOT EXISTS does not see
        return
    raise StoreUnusable("the table of migrations cannot be made")


def _run(connection: psycopg.Connection[tuple[Any, ...]], migration: Migration, now_ms: int) -> int:
    number, name, sql = migration
    try:
        with connection.transaction():
            # First of all, so that another process that comes to this waits here until the first has committed.
            connection.execute(
                "INSERT INTO migrations VALUES (%s, %s, %s, %s)", (number, name, checksum_of(sql), now_ms)
            )
            connection.execute(cast("LiteralString", sql))
    except errors.UniqueViolation:
        return 0
    return 1
