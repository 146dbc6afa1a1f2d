"""Opening a stored ledger for reading alone, named as on the command line."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from penstock.core.catalogue import Catalogue
from penstock.core.time import SystemClock
from penstock.engine.rules import Policy, Rules
from penstock.store.reader import Reader
from penstock.store.sqlite.connection import StoreUnusable
from penstock.store.sqlite.reader import SqliteReader
from penstock.store.sqlite.store import DATABASE_NAME


@contextmanager
def open_ledger(target: Path | str) -> Generator[Reader]:
    """A reader of a state directory (a path) or of a database named by URL ("sqlite:PATH").

    It knows no listings and no policy, so it answers what is stored and no venue's query that needs them.
    Raises StoreUnusable when there is no database.
    """
    if isinstance(target, str) and not target.startswith("sqlite:"):
        raise StoreUnusable(f"{target}: only sqlite:PATH is known")
    path = target / DATABASE_NAME if isinstance(target, Path) else Path(target.removeprefix("sqlite:"))
    reader = SqliteReader(path, Rules(Catalogue([], [], []), Policy()), SystemClock())
    try:
        yield reader
    finally:
        reader.close()
