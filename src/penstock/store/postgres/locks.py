"""Which rows a batch locks before it reads: few, in one order for everybody, and enough to cover all that it changes.

An account's row stands for everything of the account's that a command may change, whether it exists yet or not:
balances, quotas, counters, requests, challenges, the book, keys, withdrawals. A lane's row stands for its nonces and
attempts. The house has no account row, so each of its balances stands for itself; so does each event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from penstock.core.acts import SetControl
from penstock.core.commands import ClaimLane, Command, Exchange, RecordDelivery, Withdraw
from penstock.engine.row import Row
from penstock.engine.rows import AccountRow, ApiKeyRow, BalanceRow, BookRow, OutboxRow, WithdrawalRow
from penstock.engine.rules import HOUSE_ACCOUNT
from penstock.engine.sending_rows import AttemptRow, ControlRow, LaneRow, NonceRow
from penstock.engine.snapshot import Needs, Snapshot
from penstock.store.postgres.session import Statement
from penstock.store.postgres.statements import Key, table

LOCKED: tuple[type[Row], ...] = (LaneRow, AccountRow, BalanceRow, OutboxRow)
"""In this order, and each by its key."""

OWNED = (WithdrawalRow, AttemptRow, BookRow)
"""What is asked for by a key that does not say whose it is: the row has to be seen first."""


def must_be_seen_first(command: Command) -> bool:
    """Whether what `command` locks does not follow from itself alone."""
    return not isinstance(command, Withdraw | Exchange | ClaimLane | RecordDelivery)


class Locks:
    """Keys to lock, by row type among LOCKED. every_lane: lock all lanes instead of some."""

    def __init__(self, *, every_lane: bool = False) -> None:
        self.keys: dict[type[Row], set[Key]] = {row_type: set() for row_type in LOCKED}
        self.every_lane = every_lane

    def add_needs(self, needs: Needs) -> None:
        """What the keys of needed rows say by themselves."""
        for row_type, keys in needs.rows.items():
            first = row_type.KEY[0]
            if row_type is BalanceRow:
                for key in keys:
                    if key[0] == HOUSE_ACCOUNT:
                        self.keys[BalanceRow].add(key)
                    else:
                        self.keys[AccountRow].add(key[:1])
            elif first == "account_id":
                self.keys[AccountRow].update((key[0],) for key in keys)
            elif row_type is LaneRow or row_type is NonceRow:
                self.keys[LaneRow].update(key[:2] for key in keys)
            elif row_type is OutboxRow:
                self.keys[OutboxRow] |= keys
        self.keys[AccountRow].update((account_id,) for account_id, _ in needs.book)
        self.keys[LaneRow].update((network, sender) for network, sender, _ in needs.attempts_at)

    def add_rows(self, rows: Iterable[Row]) -> None:
        """What rows that were seen say."""
        for row in rows:
            match row:
                case AccountRow() | ApiKeyRow() | BookRow() | WithdrawalRow():
                    self.keys[AccountRow].add((row.account_id,))
                case AttemptRow():
                    self.keys[LaneRow].add((row.network, row.sender))
                case _:
                    pass

    def without(self, held: Locks) -> Locks:
        """What is not among `held`."""
        left = Locks(every_lane=self.every_lane and not held.every_lane)
        for row_type, keys in self.keys.items():
            left.keys[row_type] = keys - held.keys[row_type]
        return left

    def add(self, more: Locks) -> None:
        self.every_lane = self.every_lane or more.every_lane
        for row_type, keys in more.keys.items():
            self.keys[row_type] |= keys

    def statements(self) -> list[tuple[type[Row], set[Key], Statement]]:
        """What to ask, in order: the type, the keys it makes known, the locking SELECT."""
        asked: list[tuple[type[Row], set[Key], Statement]] = []
        for row_type in LOCKED:
            keys, known = self.keys[row_type], table(row_type)
            if row_type is LaneRow and self.every_lane:
                asked.append((row_type, keys, known.locked_whole()))
            elif keys:
                asked.append((row_type, keys, known.by_keys(keys, lock=True)))
        return asked


def locks_every_lane(commands: Sequence[Command]) -> bool:
    """A stop waits for whoever is about to plan, sign or send, and then nobody can who has not seen it."""
    return any(isinstance(command, SetControl) for command in commands)


def rewritten(snapshot: Snapshot, stored: Mapping[type[Row], Iterable[Key]]) -> dict[type[Row], list[Row]]:
    """Locked rows to be written again as they are, because something changed that others read behind their lock.

    At SERIALIZABLE a transaction sees what was committed before it began to wait for a lock, and goes on with that
    where the locked row itself has not changed: a withdrawal would still see a key that was frozen meanwhile. Where the
    row has a new version, it has to begin again.
    """
    accounts = {
        (row.account_id,)
        for row_type in (ApiKeyRow, BookRow)
        for row in snapshot.writes(row_type)
        if isinstance(row, ApiKeyRow | BookRow)
    }
    again: dict[type[Row], list[Row]] = {}
    if accounts:
        again[AccountRow] = _unchanged(
            snapshot, AccountRow, accounts.intersection(stored.get(AccountRow, ()))
        )
    if snapshot.writes(ControlRow):
        again[LaneRow] = _unchanged(snapshot, LaneRow, stored.get(LaneRow, ()))
    return again


def _unchanged(snapshot: Snapshot, row_type: type[Row], keys: Iterable[Key]) -> list[Row]:
    changed = snapshot.changed.get(row_type, {})
    rows = (snapshot.get(row_type, *key) for key in keys if key not in changed)
    return [row for row in rows if row is not None]
