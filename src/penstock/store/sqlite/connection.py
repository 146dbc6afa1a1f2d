"""Opening SQLite with the settings our promises rest on, each read back; and the numbered migrations.

What is lost with which setting: see docs/decisions/0004-sqlite-through-apsw.md. WAL with synchronous=FULL
loses nothing that was acknowledged, on kill -9 and on power loss, as long as the disk honours flushes.
"""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw

from penstock.store.migrations import Migration, checksum_of, migrations, still_to_run
from penstock.store.unusable import StoreUnusable

SQLITE_VERSION_MIN = (3, 51, 3)
BUSY_TIMEOUT_MS = 5_000
PAGE_BYTES = 2_048
"""Half of the default: most pages that a withdrawal changes are single entries of account-keyed trees, and the log
takes whole pages. Measured: 14 KB written for each withdrawal, as against 17 with the default at the same CPU time, and
12 with half as much at a tenth more of it, for each page costs two calls of the system.
"""
WAL_AUTOCHECKPOINT_PAGES = 8_000
CACHE_KIB = 16_384
"""Kept small on purpose. Where a tree's pages are put in order, SQLite numbers one of them behind a gigabyte for a
moment (balance_nonroot in btree.c), and the commit then walks all of the cache for pages beyond the file's end: with
64 MiB of small pages that was a quarter of a writer's CPU time, until the file is larger than that gigabyte.
"""
LARGE_CACHE_KIB = 65_536
"""For a file that is larger when it is opened: the pages where thousands of accounts write are then kept."""
LARGE_BYTES = 2**30
STATEMENTS_KEPT = 512
"""As many as apsw allows. Each row that is written takes a place in its ring of prepared statements, so that the
default of 100 forgets all other statements in every batch.
"""

_SETTINGS: tuple[tuple[str, str, int | str], ...] = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
    ("mmap_size", "0", 0),
)


def check_version(version: str) -> None:
    """Raises StoreUnusable for an SQLite older than 3.51.3.

    Older ones can corrupt a database in WAL mode when a checkpoint resets the log at the wrong moment
    (SQLite release notes, 3.51.3).
    """
    if tuple(int(part) for part in version.split(".")[:3]) < SQLITE_VERSION_MIN:
        wanted = ".".join(str(part) for part in SQLITE_VERSION_MIN)
        raise StoreUnusable(
            f"SQLite {version} is too old: {wanted} or newer is needed (a WAL corruption is fixed there). "
            "Install the apsw wheel from requirements/run.txt, which brings its own SQLite."
        )


def open_writer(path: Path, vfs: str | None = None) -> apsw.Connection:
    """Open or create the database for the one writer. Raises StoreUnusable."""
    check_version(apsw.sqlite_lib_version())
    connection = apsw.Connection(str(path), vfs=vfs, statementcachesize=STATEMENTS_KEPT)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # takes effect in a new database only
    for name, value, expected in _SETTINGS:
        connection.execute(f"PRAGMA {name} = {value}")
        seen = connection.pragma(name)
        # mmap_size answers nothing at all where the build leaves memory mapping out.
        if seen != expected and not (name == "mmap_size" and seen is None):
            raise StoreUnusable(
                f"{path}: PRAGMA {name} is {seen!r} after setting {value}; refusing to run without it"
            )
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_AUTOCHECKPOINT_PAGES}")
    size = connection.pragma("page_count") * connection.pragma("page_size")
    connection.execute(f"PRAGMA cache_size = -{LARGE_CACHE_KIB if size > LARGE_BYTES else CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """Open for reading beside the writer. Raises StoreUnusable when there is no database."""
    check_version(apsw.sqlite_lib_version())
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.CantOpenError as error:
        raise StoreUnusable(
            f"{path}: no database there (start `penstock sandbox` or `penstock serve` first)"
        ) from error
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    return connection


def migrate(connection: apsw.Connection, now_ms: int, wanted: Sequence[Migration] | None = None) -> int:
    """Bring the schema up to date, each migration in its own transaction. Returns how many ran.

    wanted: as `migrations("sqlite")` gives them, which is the default.
    Raises StoreUnusable when a migration that ran before has changed since, or the database is newer.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, "
        "name TEXT NOT NULL, checksum TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT"
    )
    done = dict(connection.execute("SELECT number, checksum FROM migrations"))
    todo = still_to_run(done, migrations("sqlite") if wanted is None else wanted)
    for number, name, sql in todo:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(sql)
            values = (number, name, checksum_of(sql), now_ms)
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?, ?)", values)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    return len(todo)
