"""Numbered SQL per database, forward only, and what has been run of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources

from penstock.store.unusable import StoreUnusable

Migration = tuple[int, str, str]
"""(number, name, SQL)"""

MOVED = 1_000_000
"""The number of no migration: under it stands, in place of a checksum, where the rows of the whole database have gone.
A program that does not know this takes the database for a newer one's, and refuses it as well.
"""


def migrations(database: str) -> list[Migration]:
    """Every migration of a database ("sqlite", "postgres"), in order."""
    folder = resources.files("penstock.store") / "migrations" / database
    found: list[Migration] = []
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.name.endswith(".sql"):
            number, _, name = item.name.removesuffix(".sql").partition("_")
            found.append((int(number), name, item.read_text()))
    return found


def checksum_of(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def still_to_run(done: Mapping[int, str], wanted: Sequence[Migration]) -> list[Migration]:
    """Those of `wanted` that have not run. done: checksums of those that have, by number.

    Raises StoreUnusable when one of these has changed since, the database is newer than `wanted`, or it was MOVED.
    """
    if MOVED in done:
        raise StoreUnusable(
            f"the database is retired: it was, or is being, moved to {done[MOVED]} (docs/operate/migrate.md)"
        )
    if done and max(done) > max(number for number, _, _ in wanted):
        raise StoreUnusable("the database was made by a newer Penstock; use that one")
    for number, name, sql in wanted:
        if number in done and done[number] != checksum_of(sql):
            raise StoreUnusable(
                f"migration {number:04}_{name} differs from the one this database was made with"
            )
    return [migration for migration in wanted if migration[0] not in done]
