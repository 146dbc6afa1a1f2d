"""What a batch of commands needs to see, loaded before anything is decided, and the rows decided so far.

Two steps: `Needs` collects keys from commands (the store loads them with a fixed number of queries), then the
`Snapshot` answers. Asking a snapshot for something that was never loaded is a bug and raises KeyError: a
decision can never rest on a row that merely was not looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable
from typing import Any, ClassVar, TypeVar, cast

from penstock.core.commands import RecipientKind
from penstock.core.ids import AccountId
from penstock.core.states import State
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rows import (
    AccountRow,
    ApiKeyRow,
    BalanceRow,
    BookRow,
    ChallengeRow,
    CounterRow,
    QuotaRow,
    WithdrawalRow,
)
from penstock.engine.sending_rows import AttemptRow, ControlRow

Key = tuple[int | str, ...]
R = TypeVar("R", bound=Row)
K = TypeVar("K")


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


KEPT_TYPES: tuple[type[Row], ...] = (AccountRow, ApiKeyRow, BalanceRow, QuotaRow, CounterRow, ControlRow)
"""Rows asked for again and again, by every withdrawal of an account."""
KEPT_ROWS_MAX = 100_000
AWAITED_MAX = 50_000
"""Quotes that are kept until they are answered: some 60 MB."""
WRITE_ONLY_TYPES = tuple(row_type for row_type in ROW_TYPES if row_type.WRITE_ONLY)


class Snapshot:
    """Rows by primary key, and the three other look-ups; rows decided in this batch replace loaded ones.

    A store whose database nobody else writes may use one snapshot for many batches: `begin` then keeps the rows of
    KEPT_TYPES, the address book, and the quotes that wait for an answer, which are by construction what the last commit
    wrote. Whenever that is not certain, `forget`.
    """

    __slots__ = ("_attempts_at", "_awaited", "_book", "_recipients", "_rows", "appended", "changed")

    def __init__(self) -> None:
        self._rows: dict[type[Row], dict[Key, Row | None]] = {}
        self._book: dict[tuple[int, str], dict[int, BookRow]] = {}
        self.changed: dict[type[Row], dict[Key, Row]] = {}
        self.forget()

    def forget(self) -> None:
        """Know nothing any more."""
        self._rows = {row_type: {} for row_type in ROW_TYPES}
        self._book = {}
        self._awaited: dict[type[Row], dict[Key, Row]] = {ChallengeRow: {}, WithdrawalRow: {}}
        self.changed = {}
        self.begin()

    def begin(self) -> None:
        """Start a batch: forget what was decided, and all that is not worth keeping."""
        self._keep_awaited()
        kept = {row_type: self._rows[row_type] for row_type in KEPT_TYPES}
        if len(self._book) + sum(map(len, kept.values())) > KEPT_ROWS_MAX:
            kept, self._book = {}, {}
        self._rows = {row_type: kept.get(row_type, {}) for row_type in ROW_TYPES}
        self._recipients: dict[tuple[RecipientKind, str], AccountId | None] = {}
        self._attempts_at: dict[tuple[str, str, int], dict[int, AttemptRow]] = {}
        self.changed = {}
        self.appended: dict[type[Row], list[Row]] = {row_type: [] for row_type in WRITE_ONLY_TYPES}

    def _keep_awaited(self) -> None:
        """Of what was written, keep what its customer is to answer soon."""
        if len(self._awaited[ChallengeRow]) > AWAITED_MAX:
            self._awaited = {ChallengeRow: {}, WithdrawalRow: {}}
        for row_type, awaited in self._awaited.items():
            waits = _WAITS[row_type]
            for key, row in self.changed.get(row_type, {}).items():
                if waits(row):
                    awaited[key] = row
                elif key in awaited:
                    del awaited[key]

    def writes(self, row_type: type[Row]) -> Collection[Row]:
        """What the batch's decisions wrote of this type, the last version of each row."""
        if row_type.WRITE_ONLY:
            return self.appended[row_type]
        return self.changed.get(row_type, {}).values()

    @property
    def knows_controls(self) -> bool:
        """Whether the controls were loaded (they are loaded whole, so any one of them tells)."""
        return _CONTROLS_LOADED in self._rows[ControlRow]

    # --- filled by the store ---

    def loaded_controls(self, found: Iterable[ControlRow]) -> None:
        self.loaded(ControlRow, (_CONTROLS_LOADED,), found)

    def loaded(self, row_type: type[Row], wanted: Iterable[Key], found: Iterable[Row]) -> None:
        """Everything `wanted` is known now: as the row found, or as absent. What this batch decided stands."""
        table = self._rows[row_type]
        for key in wanted:
            table.setdefault(key, None)
        decided = self.changed.get(row_type, {})
        for row in found:
            key = row.key
            table[key] = decided.get(key, row)

    def loaded_book(self, wanted: Iterable[tuple[int, str]], found: Iterable[BookRow]) -> None:
        for key in wanted:
            self._book.setdefault(key, {})
        for row in found:
            current = cast("BookRow", self.changed.get(BookRow, {}).get(row.key, row))
            self._rows[BookRow][row.key] = current
            self._book[(row.account_id, row.address)][row.entry_id] = current

    def loaded_recipients(
        self, wanted: Iterable[tuple[RecipientKind, str]], found: Iterable[AccountRow]
    ) -> None:
        for key in wanted:
            self._recipients.setdefault(key, None)
        for row in found:
            current = cast("AccountRow", self.changed.get(AccountRow, {}).get(row.key, row))
            self._rows[AccountRow][row.key] = current
            self._name_recipient(current)

    def loaded_attempts(self, wanted: Iterable[tuple[str, str, int]], found: Iterable[AttemptRow]) -> None:
        for key in wanted:
            self._attempts_at.setdefault(key, {})
        for row in found:
            current = cast("AttemptRow", self.changed.get(AttemptRow, {}).get(row.key, row))
            self._rows[AttemptRow][row.key] = current
            self._attempts_at[(row.network, row.sender, row.nonce)][row.attempt_id] = current

    def missing(self, needs: Needs) -> bool:
        """Whether `needs` names anything not loaded yet; what is loaded already is taken out of it."""
        # Not by set difference: that walks the whole of the larger side, and much is kept.
        needs.rows = {row_type: _unknown(keys, self._rows[row_type]) for row_type, keys in needs.rows.items()}
        needs.book = _unknown(needs.book, self._book)
        needs.recipients = _unknown(needs.recipients, self._recipients)
        needs.attempts_at = _unknown(needs.attempts_at, self._attempts_at)
        return any(needs.rows.values()) or bool(needs.book or needs.recipients or needs.attempts_at)

    # --- asked by the rules ---

    def get(self, row_type: type[R], *key: int | str) -> R | None:
        """The row, or None where there is none. KeyError: nobody asked the store for it."""
        return cast("R | None", self._rows[row_type][key])

    def known(self, row_type: type[R], *key: int | str) -> R | None:
        """Like `get`, but None also where it was not loaded: for collecting further needs only."""
        table = self._rows[row_type]
        if key not in table and row_type in self._awaited and key in self._awaited[row_type]:
            table[key] = self._awaited[row_type][key]
        return cast("R | None", table.get(key))

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
        """Make `row` what later decisions of the batch see, and what the store writes."""
        row_type = type(row)
        if row_type.WRITE_ONLY:
            self.appended[row_type].append(row)
            return
        key = row.key
        self._rows[row_type][key] = row
        changed = self.changed.get(row_type)
        if changed is None:
            changed = self.changed[row_type] = {}
        changed[key] = row
        follow = _FOLLOWED.get(row_type)
        if follow is not None:
            follow(self, row)

    def _follow_book(self, row: BookRow) -> None:
        # Only where the whole of it was loaded: a part would pass for the whole.
        entries = self._book.get((row.account_id, row.address))
        if entries is not None:
            entries[row.entry_id] = row

    def _follow_attempt(self, row: AttemptRow) -> None:
        attempts = self._attempts_at.get((row.network, row.sender, row.nonce))
        if attempts is not None:
            attempts[row.attempt_id] = row

    def _name_recipient(self, row: AccountRow) -> None:
        for kind, value in (
            (RecipientKind.ACCOUNT_NUMBER, row.account_number),
            (RecipientKind.EMAIL, row.email),
            (RecipientKind.PHONE, row.phone),
        ):
            if value is not None:
                self._recipients[(kind, value)] = row.account_id

    FOLLOWED: ClassVar[dict[type[Row], Callable[[Snapshot, Any], None]]] = {
        BookRow: _follow_book,
        AttemptRow: _follow_attempt,
        AccountRow: _name_recipient,
    }


_WAITS: dict[type[Row], Callable[[Any], bool]] = {
    ChallengeRow: lambda challenge: not challenge.closed,
    WithdrawalRow: lambda withdrawal: withdrawal.state is State.CHALLENGED,
}


def _unknown(wanted: set[K], known: Container[K]) -> set[K]:
    return {key for key in wanted if key not in known}


_CONTROLS_LOADED: Key = ("",)
"""A name no control has: present in the table once all controls were loaded."""
_FOLLOWED = Snapshot.FOLLOWED
