"""The side that is moved away: a SQLite database held alone, so that nobody reads or writes it meanwhile."""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self, TypeVar

import apsw

from penstock.core.time import UnixMs
from penstock.engine.row import Row
from penstock.store.migrations import MOVED, migrations, still_to_run
from penstock.store.sqlite.connection import check_version
from penstock.store.sqlite.statements import table
from penstock.store.unusable import StoreUnusable

R = TypeVar("R", bound=Row)

BUSY_TIMEOUT_MS = 1_000
_SETTINGS = (
    # Before anything is read: then the whole file is locked at the first look, and stays so until it is closed. That
    # fails beside any other connection, even one that does nothing just now.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "BEGIN IMMEDIATE",
)


class SqliteSource:
    """A database file, locked from when this is made until it is closed. Everything that is read is of one state.

    moved_to: where its record says that its rows have gone; None for one that is in use.
    Raises StoreUnusable when the file is not a Penstock's, is open elsewhere, or is of another version's schema.
    """

    def __init__(self, path: Path) -> None:
        check_version(apsw.sqlite_lib_version())
        self._path = path
        try:
            self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        except apsw.CantOpenError as error:
            raise StoreUnusable(f"{path}: no database there that could be opened for writing") from error
        try:
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            for setting in _SETTINGS:
                self._connection.execute(setting)
            self.moved_to = self._check()
        except BaseException as error:
            self._connection.close(force=True)
            if isinstance(error, apsw.BusyError):
                raise StoreUnusable(f"{path} is open elsewhere; stop what uses it") from error
            if isinstance(error, apsw.Error):
                raise StoreUnusable(f"{path}: not a database of Penstock: {error}") from error
            raise

    def rows(self, row_type: type[R]) -> Iterator[R]:
        """Every row of a table, in no order. Raises StoreUnusable when one cannot be read."""
        known = table(row_type)
        try:
            for values in self._connection.execute(known.select):
                yield known.decode(values)
        except (ValueError, TypeError, apsw.Error) as error:
            raise StoreUnusable(f"{self._path}: a row of {known.name} cannot be read: {error}") from error

    def mark_moved(self, place: str, now_ms: UnixMs) -> None:
        """Note where the rows have gone: no store opens the file again from here on. Durable when this returns.

        Raises StoreUnusable when it may not be durable.
        """
        try:
            self._connection.execute(
                "INSERT INTO migrations VALUES (?, 'moved', ?, ?)", (MOVED, place, now_ms)
            )
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            raise StoreUnusable(f"{self._path}: cannot be marked as moved: {error}") from error

    def unmark(self) -> None:
        """Take back `mark_moved`, where it is certain that nothing has arrived. Raises StoreUnusable."""
        try:
            self._connection.execute("DELETE FROM migrations WHERE number = ?", (MOVED,))
        except apsw.Error as error:
            raise StoreUnusable(f"{self._path}: still marked as moved: {error}") from error

    def close(self) -> None:
        """Let go of the file. What was read is left as it was."""
        self._connection.close(force=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> str | None:
        done: dict[int, str] = dict(self._connection.execute("SELECT number, checksum FROM migrations"))
        moved_to = done.pop(MOVED, None)
        if still_to_run(done, migrations("sqlite")):
            raise StoreUnusable(
                f"{self._path} is of an older version; start this one's service on it once, and stop it again"
            )
        return moved_to
