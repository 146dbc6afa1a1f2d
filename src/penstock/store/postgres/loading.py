"""Reading what a batch needs: locks first, then rows, so that each row read is as the last commit left it.

At READ COMMITTED every statement sees what was committed before it began. A row that is read after the lock that covers
it can therefore not change any more before this batch ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from penstock.core.commands import Command, RecipientKind
from penstock.engine.row import Row
from penstock.engine.rows import AccountRow, BookRow
from penstock.engine.sending_rows import AttemptRow, ControlRow
from penstock.engine.snapshot import Needs, Snapshot
from penstock.store.postgres.locks import LOCKED, OWNED, Locks, locks_every_lane
from penstock.store.postgres.session import Session, Statement
from penstock.store.postgres.statements import (
    TABLES,
    Key,
    accounts_named,
    attempts_at,
    book_of,
    table,
)

R = TypeVar("R", bound=Row)


class _Known(Protocol):
    """Hands rows that were read to a snapshot."""

    def __call__(self, snapshot: Snapshot, rows: list[Row], /) -> None: ...


_Asked = tuple[type[Row], Statement, _Known]
"""The type of row that a statement reads, and what to do with the rows."""


class Discovering:
    """Reads without locks, to find out what a batch will need and whose it is. Keeps both, for Loading."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.needs = Needs()
        self.rows: list[Row] = []

    def load(self, snapshot: Snapshot, needs: Needs) -> None:
        asked = [*_of_rows(needs, ()), *_of_others(needs)]
        merge(self.needs, needs)
        self.rows += _ask(self._session, (), asked, snapshot)


class Loading:
    """Reads for one batch, within its transaction, which the first reading begins.

    stored: keys of the rows that were found, by type: they are there to be updated, all others to be inserted.
    """

    def __init__(
        self, session: Session, begin: Statement, commands: Sequence[Command], seen: Discovering
    ) -> None:
        self._session = session
        self._before: list[Statement] = [begin]
        self._every_lane = locks_every_lane(commands)
        self._seen = seen
        self._held = Locks()
        self.stored: dict[type[Row], set[Key]] = {}

    @property
    def has_begun(self) -> bool:
        """Whether anything was read, and the transaction begun with it."""
        return not self._before

    def load(self, snapshot: Snapshot, needs: Needs) -> None:
        """Lock what covers `needs`, then read them. Raises psycopg's errors."""
        if self._before:
            merge(needs, self._seen.needs)
        self._see_owned(needs)
        wanted = Locks(every_lane=self._every_lane)
        wanted.add_needs(needs)
        wanted.add_rows(self._seen.rows)
        missing = wanted.without(self._held)
        self._held.add(missing)
        asked: list[_Asked] = [
            (row_type, statement, _rows_known(row_type, keys))
            for row_type, keys, statement in missing.statements()
        ]
        if not snapshot.knows_controls:
            controls = table(ControlRow)
            asked.append((ControlRow, (controls.select, ()), _controls_known))
        asked += _of_rows(needs, LOCKED, missing)
        asked += _of_others(needs)
        for row in _ask(self._session, self._before, asked, snapshot):
            self.stored.setdefault(type(row), set()).add(row.key)
        self._before = []

    def _see_owned(self, needs: Needs) -> None:
        """Look at rows without a lock whose owner nobody has seen yet; only what changed just now is among them."""
        seen = {(type(row), row.key) for row in self._seen.rows}
        unseen = Needs()
        for row_type in OWNED:
            for key in needs.rows.get(row_type, ()):
                if (row_type, key) not in seen:
                    unseen.row(row_type, *key)
        if unseen.rows:
            self._seen.load(Snapshot(), unseen)


def merge(needs: Needs, more: Needs) -> None:
    """Add `more` to `needs`."""
    for row_type, keys in more.rows.items():
        needs.rows.setdefault(row_type, set()).update(keys)
    needs.book |= more.book
    needs.recipients |= more.recipients
    needs.attempts_at |= more.attempts_at


def _ask(
    session: Session, before: Sequence[Statement], asked: Sequence[_Asked], snapshot: Snapshot
) -> list[Row]:
    """One round trip: `before`, then all that is asked. Returns every row read, which the snapshot knows then."""
    answers = session.ask([*before, *(statement for _, statement, _ in asked)])
    read: list[Row] = []
    for (row_type, _, known), answer in zip(asked, answers[len(before) :], strict=True):
        rows: list[Row] = list(map(TABLES[row_type].decode, answer.rows))
        known(snapshot, rows)
        read += rows
    return read


def _of_rows(needs: Needs, covered: Sequence[type[Row]], locked: Locks | None = None) -> list[_Asked]:
    """Rows by primary key; those that are locked just now are read by that."""
    asked: list[_Asked] = []
    for row_type, keys in needs.rows.items():
        left = keys - locked.keys[row_type] if locked is not None and row_type in covered else keys
        if left:
            asked.append((row_type, TABLES[row_type].by_keys(left), _rows_known(row_type, left)))
    return asked


def _of_others(needs: Needs) -> list[_Asked]:
    asked: list[_Asked] = []
    if needs.book:
        asked.append((BookRow, book_of(needs.book), _book_known(needs.book)))
    if needs.attempts_at:
        asked.append((AttemptRow, attempts_at(needs.attempts_at), _attempts_known(needs.attempts_at)))
    for kind in RecipientKind:
        values = [value for wanted, value in needs.recipients if wanted is kind]
        if values:
            wanted = [(kind, value) for value in values]
            asked.append((AccountRow, accounts_named(kind, values), _recipients_known(wanted)))
    return asked


def _rows_known(row_type: type[Row], keys: Iterable[Key]) -> _Known:
    return lambda snapshot, rows: snapshot.loaded(row_type, keys, rows)


def _controls_known(snapshot: Snapshot, rows: list[Row]) -> None:
    snapshot.loaded_controls(row for row in rows if isinstance(row, ControlRow))


def _book_known(wanted: Iterable[tuple[int, str]]) -> _Known:
    return lambda snapshot, rows: snapshot.loaded_book(
        wanted, (row for row in rows if isinstance(row, BookRow))
    )


def _attempts_known(wanted: Iterable[tuple[str, str, int]]) -> _Known:
    return lambda snapshot, rows: snapshot.loaded_attempts(
        wanted, (row for row in rows if isinstance(row, AttemptRow))
    )


def _recipients_known(wanted: Iterable[tuple[RecipientKind, str]]) -> _Known:
    return lambda snapshot, rows: snapshot.loaded_recipients(
        wanted, (row for row in rows if isinstance(row, AccountRow))
    )
