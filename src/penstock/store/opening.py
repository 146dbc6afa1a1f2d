"""Opening the store and the readers of a service, on the database that its settings name."""

from __future__ import annotations

from pathlib import Path

import msgspec

from penstock.core.ids import Ids
from penstock.core.time import Clock
from penstock.engine.rules import Rules
from penstock.store.ledger import POSTGRESQL
from penstock.store.reader import ClosingReader
from penstock.store.sqlite.reader import SqliteReader
from penstock.store.sqlite.store import DATABASE_NAME, SqliteStore
from penstock.store.store import LinkedStore


class Place(msgspec.Struct, frozen=True):
    """Where the database is. url: "" for SQLite in the state directory, else "postgresql://...".

    isolation: of PostgreSQL's transactions. writers: its writing connections in one process.
    """

    state_dir: str
    url: str = ""
    isolation: str = "READ COMMITTED"
    writers: int = 1

    def __repr__(self) -> str:
        # A URL may hold a password.
        return f"Place(state_dir={self.state_dir!r}, url={'***' if self.url else ''!r})"

    @property
    def is_postgresql(self) -> bool:
        return self.url.startswith(POSTGRESQL)


def open_store(place: Place, rules: Rules, clock: Clock, ids: Ids) -> LinkedStore:
    """The one writer of a SQLite file, or one of any number on a PostgreSQL. Raises StoreUnusable."""
    if not place.is_postgresql:
        return SqliteStore(Path(place.state_dir) / DATABASE_NAME, rules, clock, ids)
    # psycopg takes a while to import, and most services have no need of it.
    from penstock.store.postgres.store import PostgresStore  # noqa: PLC0415

    return PostgresStore(place.url, rules, clock, ids, writers=place.writers, isolation=place.isolation)


def open_reader(place: Place, rules: Rules, clock: Clock) -> ClosingReader:
    """Readers beside the writer. Raises StoreUnusable."""
    if not place.is_postgresql:
        return SqliteReader(Path(place.state_dir) / DATABASE_NAME, rules, clock)
    from penstock.store.postgres.reader import PostgresReader  # noqa: PLC0415

    return PostgresReader(place.url, rules, clock)
