"""The lists that venues page through: filters and bounds of a query as one WHERE, by keys and never by an offset."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.core.ids import COUNTS, EPOCH_MS, NODES
from penstock.core.queries import FindDeposits, FindWithdrawals
from penstock.engine.rules import TRANSFER_REFERENCE
from penstock.store.dialect import INT64_MAX, INT64_MIN, Binding, Dialect, Page, Where


class _Conditions:
    """Conditions joined by AND, with the values they bind."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._conditions: list[str] = []
        self._bindings: list[Binding] = []

    def add(self, condition: str, *values: Binding) -> None:
        self._conditions.append(condition)
        self._bindings += values

    def one_of(self, column: str, values: Sequence[int | str] | None) -> None:
        if values is not None:
            self.add(*self._dialect.one_of(column, values))

    def between(self, query: FindWithdrawals | FindDeposits) -> None:
        """The bounds on created_ms."""
        if query.from_ms is not None:
            self.add("created_ms >= ?", query.from_ms)
        if query.before_ms is not None:
            self.add("created_ms < ?", query.before_ms)

    def walked(self, query: FindWithdrawals | FindDeposits, column: str) -> Where:
        """The account's rows in the order of `column`, those passed over that do not meet the conditions."""
        after = query.after
        if query.from_ms is not None and column != "number":
            # Nothing older has such an id, so the walk ends there and not at the account's first row.
            oldest = _oldest_id(query.from_ms) - 1
            after = oldest if after is None else max(after, oldest)
        page = Page(ascending=query.ascending, after=after, before=query.before)
        condition, bindings, order = self._dialect.walk(("account_id", query.account_id), column, page)
        where = " AND ".join([condition, *self._conditions])
        return f"WHERE {where} ORDER BY {order} LIMIT ?", (*bindings, *self._bindings, query.limit)

    def looked_up(self, query: FindWithdrawals, column: str) -> Where:
        """The rows that the conditions name one by one, then sorted.

        A database without figures about its tables would rather walk: a unary plus keeps it from using an index on the
        number behind it.
        """
        if query.after is not None:
            self.add(f"+{column} > ?", query.after)
        if query.before is not None:
            self.add(f"+{column} < ?", query.before)
        order = "ASC" if query.ascending else "DESC"
        where = " AND ".join(self._conditions)
        return f"WHERE {where} ORDER BY +{column} {order} LIMIT ?", (*self._bindings, query.limit)


def _oldest_id(from_ms: int) -> int:
    """What every id is at least whose row was made at `from_ms` or later.

    An id holds the time it was made at, which a clock that is set back leaves ahead of created_ms and never behind.
    """
    return min(max((from_ms - EPOCH_MS) * NODES * COUNTS, INT64_MIN + 1), INT64_MAX)


def where_withdrawals(query: FindWithdrawals, dialect: Dialect) -> Where:
    """The rest of a SELECT on withdrawals, and what it binds."""
    named = (query.ids, query.numbers, query.request_ids, query.tx_hash)
    is_named = any(given is not None for given in named)
    found = _Conditions(dialect)
    if is_named:
        # By the ids or the hash; by the index on accounts all of an account's rows could be walked.
        found.add("+account_id = ?", query.account_id)
    found.one_of("withdrawal_id", query.ids)
    if query.numbers is not None:
        numbered = "withdrawals", "number", query.numbers, "number > 0"
        condition, bindings = dialect.one_each(query.account_id, *numbered)
        found.add(condition, *bindings)
    elif query.by_number:
        found.add("number > 0")
    if query.request_ids is not None:
        # By way of the requests' own primary key: the withdrawals have no index on it. What is found there may be a
        # mark or a signature, so the withdrawal's own has the last word, and one without an id is not found by "".
        request_ids = tuple(given for given in query.request_ids if given)
        condition, bindings = dialect.one_each(query.account_id, "requests", "request_id", request_ids)
        found.add(condition, *bindings)
        found.one_of(dialect.unindexed("request_id"), request_ids)
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
    found.between(query)
    column = "number" if query.by_number else "withdrawal_id"
    return found.looked_up(query, column) if is_named else found.walked(query, column)


def where_deposits(query: FindDeposits, dialect: Dialect) -> Where:
    """The rest of a SELECT on deposits, and what it binds."""
    found = _Conditions(dialect)
    found.one_of("asset", query.assets)
    found.one_of("network", query.networks)
    if query.tx_id is not None:
        found.add("tx_id = ?", query.tx_id)
    if query.internal is not None:
        sign = "=" if query.internal else "<>"
        found.add(f"substr(reference, 1, ?) {sign} ?", len(TRANSFER_REFERENCE), TRANSFER_REFERENCE)
    found.between(query)
    return found.walked(query, "deposit_id")
