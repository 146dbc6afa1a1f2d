"""Rows put into a database of the benchmarks the fast way: without a commit that waits, and not through the engine."""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString, Protocol, cast

import apsw
import msgspec

from penstock.engine.row import Row
from penstock.store.opening import Place
from penstock.store.sqlite.statements import table as sqlite_table
from penstock.store.sqlite.store import DATABASE_NAME

_CACHE = "PRAGMA cache_size = -1048576"
"""A gibibyte: the trees that are not filled at their end are kept whole."""


class Bulk(Protocol):
    """Where rows go."""

    def add(self, rows: Mapping[type[Row], Sequence[Row]]) -> None:
        """Insert new rows. A row that is there already is an error, and the database is then of no more use."""
        ...


@contextmanager
def open_bulk(place: Place) -> Generator[Bulk]:
    """For a database that has its tables and that nobody else uses.

    At the end everything is on disk, as after a checkpoint. On PostgreSQL, where that happens by itself in use, the
    tables are also vacuumed and analysed; on SQLite nothing in the service does, so nothing does here.
    """
    with _postgres(place.url) if place.is_postgresql else _sqlite(place) as bulk:
        yield bulk


class _SqliteBulk:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def add(self, rows: Mapping[type[Row], Sequence[Row]]) -> None:
        for row_type, added in rows.items():
            known = sqlite_table(row_type)
            self._connection.executemany(known.insert, map(known.encode, added))


@contextmanager
def _sqlite(place: Place) -> Generator[Bulk]:
    path = Path(place.state_dir) / DATABASE_NAME
    connection = apsw.Connection(str(path))
    try:
        # No log to write everything to twice: what a crash would spoil here is made anew.
        for setting in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", _CACHE):
            connection.execute(setting)
        with connection:
            yield _SqliteBulk(connection)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _postgres(url: str) -> Generator[Bulk]:
    # psycopg takes a while to import, and most ledgers are files.
    import psycopg  # noqa: PLC0415

    from penstock.store.postgres.statements import table as postgres_table  # noqa: PLC0415

    with psycopg.connect(url) as connection:

        class _PostgresBulk:
            def add(self, rows: Mapping[type[Row], Sequence[Row]]) -> None:
                for row_type, added in rows.items():
                    known = postgres_table(row_type)
                    sql = cast("LiteralString", f"COPY {known.name} ({known.columns}) FROM STDIN")
                    with connection.cursor().copy(sql) as copy:
                        for row in added:
                            copy.write_row(msgspec.structs.astuple(row))
                connection.commit()

        connection.execute("SET synchronous_commit = off")
        yield _PostgresBulk()
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
