"""What a batch of commands needs to see, loaded before anything is decided, and the rows decided so far.

Two steps: `Needs` collects keys from commands (the store loads them with a fixed number of queries), then the
`Snapshot` answers. Asking a snapshot for something that was never loaded is a bug and raises KeyError: a
decision can never rest on a row that merely was not looked up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, cast

from penstock.core.commands import RecipientKind
from penstock.core.ids import AccountId
from penstock.engine.rows import ROW_TYPES, AccountRow, AttemptRow, BookRow, ControlRow, Row

Key = tuple[int | str, ...]
R = TypeVar("R", bound=Row)


class Needs:
    """Keys to load, by kind of look-up.

    rows: primary keys by row type. book: (account, address). recipients: (kind, value). attempts_at:
    (network, sender, nonce) of which every attempt is wanted. Controls are few and always loaded whole.
    """

    __slots__ = ("attempts_at", "book", "recipients", "rows")

    def __init__(self) -> None:
        self.rows: dict[type[Row], set[Key]] = {}
        self.book: set[tuple[int, str]] = set()
        self.recipients: set[tuple[RecipientKind, str]] = set()
        self.attempts_at: set[tuple[str, str, int]] = set()

    def row(self, row_type: type[Row], *key: int | str) -> None:
        wanted = self.rows.get(row_type)
        if wanted is None:
            self.rows[row_type] = {key}
        else:
            wanted.add(key)


class Snapshot:
    """Rows by primary key, and the three other look-ups; rows decided in this batch replace loaded ones."""

    __slots__ = ("_attempts_at", "_book", "_recipients", "_rows")

    def __init__(self) -> None:
        self._rows: dict[type[Row], dict[Key, Row | None]] = {row_type: {} for row_type in ROW_TYPES}
        self._book: dict[tuple[int, str], dict[int, BookRow]] = {}
        self._recipients: dict[tuple[RecipientKind, str], AccountId | None] = {}
        self._attempts_at: dict[tuple[str, str, int], dict[int, AttemptRow]] = {}

    # --- filled by the store ---

    def loaded(self, row_type: type[Row], wanted: Iterable[Key], found: Iterable[Row]) -> None:
        """Everything `wanted` is known now: as the row found, or as absent."""
        table = self._rows[row_type]
        for key in wanted:
            table.setdefault(key, None)
        for row in found:
            table[row.key] = row

    def loaded_book(self, wanted: Iterable[tuple[int, str]], found: Iterable[BookRow]) -> None:
        for key in wanted:
            self._book.setdefault(key, {})
        for row in found:
            self.put(row)

    def loaded_recipients(
        self, wanted: Iterable[tuple[RecipientKind, str]], found: Iterable[AccountRow]
    ) -> None:
        for key in wanted:
            self._recipients.setdefault(key, None)
        for row in found:
            self.put(row)

    def loaded_attempts(self, wanted: Iterable[tuple[str, str, int]], found: Iterable[AttemptRow]) -> None:
        for key in wanted:
            self._attempts_at.setdefault(key, {})
        for row in found:
            self.put(row)

    def missing(self, needs: Needs) -> bool:
        """Whether `needs` names anything not loaded yet; what is loaded already is taken out of it."""
        for row_type, keys in needs.rows.items():
            keys.difference_update(self._rows[row_type])
        needs.book.difference_update(self._book)
        needs.recipients.difference_update(self._recipients)
        needs.attempts_at.difference_update(self._attempts_at)
        return any(needs.rows.values()) or bool(needs.book or needs.recipients or needs.attempts_at)

    # --- asked by the rules ---

    def get(self, row_type: type[R], *key: int | str) -> R | None:
        """The row, or None where there is none. KeyError: nobody asked the store for it."""
        return cast("R | None", self._rows[row_type][key])

    def known(self, row_type: type[R], *key: int | str) -> R | None:
        """Like `get`, but None also where it was not loaded: for collecting further needs only."""
        return cast("R | None", self._rows[row_type].get(key))

    def book(self, account_id: int, address: str) -> Iterable[BookRow]:
        """The account's entries for this very address, removed ones included."""
        return self._book[(account_id, address)].values()

    def recipient(self, kind: RecipientKind, value: str) -> AccountId | None:
        return self._recipients[(kind, value)]

    def known_recipient(self, kind: RecipientKind, value: str) -> AccountId | None:
        return self._recipients.get((kind, value))

    def attempts_at(self, network: str, sender: str, nonce: int) -> list[AttemptRow]:
        return list(self._attempts_at[(network, sender, nonce)].values())

    def stopped(self, name: str) -> bool:
        control = cast("ControlRow | None", self._rows[ControlRow].get((name,)))
        return control is not None and control.stopped

    # --- written by decisions ---

    def put(self, row: Row) -> None:
        """Make `row` what later decisions of the batch see."""
        self._rows[type(row)][row.key] = row
        if isinstance(row, BookRow):
            self._book.setdefault((row.account_id, row.address), {})[row.entry_id] = row
        elif isinstance(row, AccountRow):
            for kind, value in (
                (RecipientKind.ACCOUNT_NUMBER, row.account_number),
                (RecipientKind.EMAIL, row.email),
                (RecipientKind.PHONE, row.phone),
            ):
                if value is not None:
                    self._recipients[(kind, value)] = row.account_id
        elif isinstance(row, AttemptRow):
            self._attempts_at.setdefault((row.network, row.sender, row.nonce), {})[row.attempt_id] = row
