"""The lists that venues page through: filters and bounds of a query as one WHERE, by keys and never by an offset."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from penstock.core.queries import FindDeposits, FindWithdrawals
from penstock.engine.rules import TRANSFER_REFERENCE
from penstock.store.sqlite.statements import Value

Where = tuple[str, tuple[Value, ...]]


class _Conditions:
    """Conditions joined by AND, with the values they bind."""

    def __init__(self, account_id: int) -> None:
        self._conditions = ["account_id = ?"]
        self._bindings: list[Value] = [account_id]

    def add(self, condition: str, *values: Value) -> None:
        self._conditions.append(condition)
        self._bindings += values

    def one_of(self, column: str, values: Sequence[int | str] | None) -> None:
        if values is not None:
            self.add(f"{column} IN (SELECT value FROM json_each(?))", msgspec.json.encode(values).decode())

    def bounds(self, column: str, query: FindWithdrawals | FindDeposits) -> None:
        """created_ms, and the exclusive bounds on the column sorted by."""
        for condition, value in (
            ("created_ms >= ?", query.from_ms),
            ("created_ms < ?", query.before_ms),
            (f"{column} > ?", query.after),
            (f"{column} < ?", query.before),
        ):
            if value is not None:
                self.add(condition, value)

    def sorted_by(self, column: str, query: FindWithdrawals | FindDeposits) -> Where:
        order = "ASC" if query.ascending else "DESC"
        where = " AND ".join(self._conditions)
        return f"WHERE {where} ORDER BY {column} {order} LIMIT ?", (*self._bindings, query.limit)


def where_withdrawals(query: FindWithdrawals) -> Where:
    """The rest of a SELECT on withdrawals, and what it binds."""
    column = "number" if query.by_number else "withdrawal_id"
    found = _Conditions(query.account_id)
    found.one_of("withdrawal_id", query.ids)
    found.one_of("number", query.numbers)
    if query.numbers is not None or query.by_number:
        found.add("number > 0")
    if query.request_ids is not None:
        # By way of the requests' own primary key: the withdrawals have no index on it.
        found.add(
            "withdrawal_id IN (SELECT r.withdrawal_id FROM json_each(?) AS want CROSS JOIN requests r "
            "ON r.request_id = want.value AND r.account_id = ? AND r.venue = withdrawals.venue)",
            msgspec.json.encode(query.request_ids).decode(),
            query.account_id,
        )
        found.one_of("request_id", query.request_ids)
    if query.tx_hash is not None:
        found.add("tx_hash <> '' AND tx_hash = ?", query.tx_hash)
    if query.venue is not None:
        found.add("venue = ?", query.venue)
    found.one_of("asset", query.assets)
    found.one_of("network", query.networks)
    found.one_of("state", query.states)
    if query.on_chain is not None:
        found.add("address <> ''" if query.on_chain else "address = ''")
    found.bounds(column, query)
    return found.sorted_by(column, query)


def where_deposits(query: FindDeposits) -> Where:
    """The rest of a SELECT on deposits, and what it binds."""
    found = _Conditions(query.account_id)
    found.one_of("asset", query.assets)
    found.one_of("network", query.networks)
    if query.tx_id is not None:
        found.add("tx_id = ?", query.tx_id)
    if query.internal is not None:
        sign = "=" if query.internal else "<>"
        found.add(f"substr(reference, 1, ?) {sign} ?", len(TRANSFER_REFERENCE), TRANSFER_REFERENCE)
    found.bounds("deposit_id", query)
    return found.sorted_by("deposit_id", query)
