"""Moving everything from SQLite to PostgreSQL: all of it or nothing, and never two databases in service at once.

Both sides are held alone from before the first row is read until the end. The rows are copied in one transaction, read
back and compared there; the source is then marked as moved, durably, and only then the target is committed. Whenever
the process dies, a database is either as it was or complete, and the same call again goes on: before the mark nothing
has happened; between mark and commit the source is refused by every service and the target has nothing yet; after the
commit the target has everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path

from penstock.core.time import Clock
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.store.checksums import Checksum
from penstock.store.deciding import CommitInDoubt
from penstock.store.moving_source import SqliteSource
from penstock.store.moving_target import PostgresTarget
from penstock.store.unusable import StoreUnusable

ROWS_BETWEEN_NEWS = 100_000


class Step(Enum):
    """What is told on the way. READ: a target that is filled already is compared with the source alone."""

    READ = "read"
    COPIED = "copied"
    COMPARED = "compared"
    MARKED = "marked"
    COMMITTED = "committed"


Tell = Callable[[Step, str, int], None]
"""Called with a step, a table ("" for the last two steps) and its rows so far: every ROWS_BETWEEN_NEWS, and at its
end.
"""


class MoveInDoubt(Exception):
    """Whether the target was committed is not known. Neither database may be served until the move was repeated."""


def move(path: Path, url: str, clock: Clock, tell: Tell) -> list[Checksum]:
    """Copy every row of the SQLite database `path` to the PostgreSQL database `url`, and retire the first.

    A target that holds all of it, from an earlier call that was not heard to end, is compared and left so. Returns
    the checksum of each table, the same on both sides.
    Raises StoreUnusable: the target has got nothing, and the source is as it was. Raises MoveInDoubt.
    The caller holds the lock of the state directory, where `path` is in one.
    """
    with SqliteSource(path) as source, PostgresTarget(url, clock.now_ms()) as target:
        repeated = source.moved_to is not None
        if repeated and source.moved_to != target.place:
            raise StoreUnusable(f"{path} is being moved, or was, to {source.moved_to}, not to {target.place}")
        if not target.is_empty:
            if not repeated:
                raise StoreUnusable(f"{target.place} holds a ledger already; give an empty database")
            return _already_there(source, target, tell)
        sums = [_copied(source, target, row_type, tell) for row_type in ROW_TYPES]
        for row_type, wanted in zip(ROW_TYPES, sums, strict=True):
            seen = _read(row_type, target.rows(row_type), tell, Step.COMPARED)
            if not seen.agrees(wanted):
                raise StoreUnusable(f"{_difference(wanted, seen)} after the copy; nothing was moved")
        if not repeated:
            source.mark_moved(target.place, clock.now_ms())
        tell(Step.MARKED, "", 0)
        _commit(source, target)
        tell(Step.COMMITTED, "", 0)
        return sums


def _commit(source: SqliteSource, target: PostgresTarget) -> None:
    try:
        target.commit()
    except CommitInDoubt as error:
        raise MoveInDoubt(f"the commit on {target.place} was not answered cleanly: {error}") from error
    except StoreUnusable:
        source.unmark()
        raise


def _already_there(source: SqliteSource, target: PostgresTarget, tell: Tell) -> list[Checksum]:
    sums: list[Checksum] = []
    for row_type in ROW_TYPES:
        wanted = _read(row_type, source.rows(row_type), tell, Step.READ)
        seen = _read(row_type, target.rows(row_type), tell, Step.COMPARED)
        if not seen.agrees(wanted):
            raise StoreUnusable(
                f"moved to {target.place} before, which has changed since: {_difference(wanted, seen)}. "
                "It is in use, and there is nothing left to do; or it holds another ledger"
            )
        sums.append(wanted)
    return sums


def _copied(source: SqliteSource, target: PostgresTarget, row_type: type[Row], tell: Tell) -> Checksum:
    summed = Checksum(row_type)
    target.fill(row_type, _summing(source.rows(row_type), summed, tell, Step.COPIED))
    tell(Step.COPIED, summed.table, summed.rows)
    return summed


def _read(row_type: type[Row], rows: Iterable[Row], tell: Tell, step: Step) -> Checksum:
    summed = Checksum(row_type)
    for _ in _summing(rows, summed, tell, step):
        pass
    tell(step, summed.table, summed.rows)
    return summed


def _summing(rows: Iterable[Row], summed: Checksum, tell: Tell, step: Step) -> Iterator[Row]:
    """The same rows, each added to the sum as it passes."""
    for row in rows:
        summed.add(row)
        if summed.rows % ROWS_BETWEEN_NEWS == 0:
            tell(step, summed.table, summed.rows)
        yield row


def _difference(wanted: Checksum, seen: Checksum) -> str:
    return (
        f"{wanted.table} has {wanted.rows} rows with checksum {wanted.text} in the source, "
        f"{seen.rows} with {seen.text} in the target"
    )
