"""What can be read beside the writer, on every database: what is committed, never a batch in progress."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar, runtime_checkable

from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.queries import Query
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import AttemptView, HistoryView, KeyView, WithdrawalView
from penstock.engine.row import Row
from penstock.engine.rows import CallbackRow, ChallengeRow, OutboxRow, WithdrawalRow
from penstock.engine.sending_rows import AttemptRow, AuditRow, LaneRow, NonceRow

R = TypeVar("R", bound=Row)


class Reader(Protocol):
    """Blocking reads. One reader may be used from any thread, by one at a time per connection inside."""

    @property
    def reads_at_once(self) -> bool:
        """Whether a row by its key is there in microseconds, so that handing the question to a thread costs more."""
        ...

    def ask(self, query: Query) -> object:
        """Answer a venue's query with what its docstring in core/queries.py names."""
        ...

    def find_key(self, key_id: str) -> KeyView | None: ...

    def withdrawal(self, withdrawal_id: WithdrawalId) -> WithdrawalView | None:
        """Any account's: for the operator."""
        ...

    def withdrawals(
        self, account_id: AccountId | None, limit: int, before: int | None = None
    ) -> list[WithdrawalView]:
        """Newest first, of one account or of all: for the operator. before: only those with a smaller id."""
        ...

    def withdrawals_in(self, state: State, limit: int, before: int | None = None) -> list[WithdrawalView]:
        """As `withdrawals`, any account's in this state. By an index for those that wait for approval; for another
        state the table is walked until `limit` are found.
        """
        ...

    def history(self, withdrawal_id: WithdrawalId) -> list[HistoryView]: ...

    def events(self, withdrawal_id: WithdrawalId) -> list[OutboxRow]:
        """Every event of a withdrawal and whether it was told, oldest first."""
        ...

    def attempts(self, withdrawal_id: WithdrawalId) -> list[AttemptView]: ...

    def audit(self, limit: int, before: int | None = None) -> list[AuditRow]:
        """The operators' acts, newest first; before: only those with a smaller id."""
        ...

    def stopped(self, network: str) -> bool:
        """Whether the operator stopped sending, everywhere or on this network."""
        ...

    def lane(self, network: str, sender: str) -> LaneRow | None: ...

    def to_plan(self, network: str, limit: int) -> list[WithdrawalRow]:
        """Withdrawals that wait for a nonce, oldest first."""
        ...

    def open_attempts(self, network: str, sender: str) -> list[AttemptRow]:
        """Attempts that are planned, signed or sent, by nonce, then oldest first."""
        ...

    def open_nonces(self, network: str, sender: str) -> list[NonceRow]:
        """Nonces taken or freed of which no transaction is final yet, in order."""
        ...

    def due_events(self, now_ms: UnixMs, limit: int, without: Collection[AccountId] = ()) -> list[OutboxRow]:
        """Events to be told by now, longest due first; of each withdrawal only the earliest that is still open.

        without: accounts whose events are left out, so that one account's backlog cannot hide the others.
        """
        ...

    def callback(self, account_id: AccountId, venue: str) -> CallbackRow | None: ...

    def expired_challenges(self, now_ms: UnixMs, limit: int) -> list[ChallengeRow]:
        """Challenges that can no longer be answered and whose withdrawals still wait, oldest first."""
        ...

    def row(self, row_type: type[R], *key: int | str) -> R | None:
        """One row by its primary key."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Have this thread's reads within the context see one state, whatever is committed meanwhile."""
        ...

    def rows(self, row_type: type[R]) -> Iterator[R]:
        """Every row of a table in primary-key order, one snapshot for the whole walk."""
        ...


class ClosingReader(Reader, Protocol):
    """A reader with connections of its own."""

    def close(self) -> None: ...


@runtime_checkable
class FindsTogether(Protocol):
    """A reader that asks another machine: a look-up is a round trip, for however many keys."""

    def find_keys(self, key_ids: Collection[str]) -> dict[str, KeyView]:
        """Those keys that there are."""
        ...
