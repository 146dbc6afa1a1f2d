"""Opening a stored ledger for reading alone, named as on the command line."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from penstock.core.catalogue import Catalogue
from penstock.core.time import SystemClock
from penstock.engine.rules import Policy, Rules
from penstock.store.reader import Reader
from penstock.store.sqlite.reader import SqliteReader
from penstock.store.sqlite.store import DATABASE_NAME
from penstock.store.unusable import StoreUnusable

POSTGRESQL = ("postgresql://", "postgres://")
"""What the URL of a PostgreSQL database begins with."""
_RULES = Rules(Catalogue([], [], []), Policy())


@contextmanager
def open_ledger(target: Path | str) -> Generator[Reader]:
    """A reader of a state directory (a path) or of a database named by URL ("sqlite:PATH", "postgresql://...").

    It knows no listings and no policy, so it answers what is stored and no venue's query that needs them.
    Raises StoreUnusable when there is no database.
    """
    if isinstance(target, str) and target.startswith(POSTGRESQL):
        # psycopg takes a while to import, and most ledgers are files.
        from penstock.store.postgres.reader import PostgresReader  # noqa: PLC0415

        reader = PostgresReader(target, _RULES, SystemClock(), from_standby=True)
        try:
            reader.check()
        except BaseException:
            reader.close()
            raise
    elif isinstance(target, Path):
        reader = SqliteReader(target / DATABASE_NAME, _RULES, SystemClock())
    elif target.startswith("sqlite:"):
        reader = SqliteReader(Path(target.removeprefix("sqlite:")), _RULES, SystemClock())
    else:
        raise StoreUnusable(f"{target}: only sqlite:PATH and postgresql://... are known")
    try:
        yield reader
    finally:
        reader.close()
