"""The lists that venues page through: filters and bounds of a query as one WHERE, by keys and never by an offset."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.core.queries import FindDeposits, FindWithdrawals
from penstock.engine.rules import TRANSFER_REFERENCE
from penstock.store.dialect import Binding, Dialect, Where


class _Conditions:
    """Conditions joined by AND, with the values they bind.

    column: what is sorted by. few: rows are named one by one, so they are looked up and then sorted; else the account's
    rows are walked in order. A database without figures about its tables would rather walk: a unary plus keeps it from
    using an index on the number behind it.
    """

    def __init__(self, dialect: Dialect, column: str, *, few: bool = False) -> None:
        self._dialect = dialect
        self._conditions: list[str] = []
        self._bindings: list[Binding] = []
        self._column = f"+{column}" if few else column

    def add(self, condition: str, *values: Binding) -> None:
        self._conditions.append(condition)
        self._bindings += values

    def one_of(self, column: str, values: Sequence[int | str] | None) -> None:
        if values is not None:
            self.add(*self._dialect.one_of(column, values))

    def sorted(self, query: FindWithdrawals | FindDeposits) -> Where:
        """With the bounds on created_ms, and the exclusive ones on the column sorted by."""
        for condition, value in (
            ("created_ms >= ?", query.from_ms),
            ("created_ms < ?", query.before_ms),
            (f"{self._column} > ?", query.after),
            (f"{self._column} < ?", query.before),
        ):
            if value is not None:
                self.add(condition, value)
        order = "ASC" if query.ascending else "DESC"
        where = " AND ".join(self._conditions)
        return f"WHERE {where} ORDER BY {self._column} {order} LIMIT ?", (*self._bindings, query.limit)


def where_withdrawals(query: FindWithdrawals, dialect: Dialect) -> Where:
    """The rest of a SELECT on withdrawals, and what it binds."""
    named = (query.ids, query.numbers, query.request_ids, query.tx_hash)
    few = any(given is not None for given in named)
    found = _Conditions(dialect, "number" if query.by_number else "withdrawal_id", few=few)
    # The index on hashes is the one without the account.
    found.add("account_id = ?" if query.tx_hash is None else "+account_id = ?", query.account_id)
    found.one_of("withdrawal_id", query.ids)
    found.one_of("number", query.numbers)
    if query.numbers is not None or query.by_number:
        found.add("number > 0")
    if query.request_ids is not None:
        # By way of the requests' own primary key: the withdrawals have no index on it. What is found there may be a
        # mark or a signature, so the withdrawal's own has the last word.
        asked, names = dialect.one_of("r.request_id", query.request_ids)
        found.add(
            f"withdrawal_id IN (SELECT r.withdrawal_id FROM requests r WHERE {asked} AND r.account_id = ?)",
            names,
            query.account_id,
        )
        found.one_of(dialect.unindexed("request_id"), query.request_ids)
    if query.tx_hash is not None:
        found.add("tx_hash <> '' AND tx_hash = ?", query.tx_hash)
    if query.venue is not None:
        found.add("venue = ?", query.venue)
    found.one_of("asset", query.assets)
    found.one_of("network", query.networks)
    found.one_of("state", query.states)
    if query.on_chain is not None:
        # An exchange has neither an address nor a recipient, and is none of the two.
        found.add("address <> ''" if query.on_chain else "recipient <> ''")
    return found.sorted(query)


def where_deposits(query: FindDeposits, dialect: Dialect) -> Where:
    """The rest of a SELECT on deposits, and what it binds."""
    found = _Conditions(dialect, "deposit_id")
    found.add("account_id = ?", query.account_id)
    found.one_of("asset", query.assets)
    found.one_of("network", query.networks)
    if query.tx_id is not None:
        found.add("tx_id = ?", query.tx_id)
    if query.internal is not None:
        sign = "=" if query.internal else "<>"
        found.add(f"substr(reference, 1, ?) {sign} ?", len(TRANSFER_REFERENCE), TRANSFER_REFERENCE)
    return found.sorted(query)
