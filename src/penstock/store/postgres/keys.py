"""Looking API keys up: key and account in one round trip, on a connection that plans nothing anew.

A front does this between two requests while all others wait, once for every customer whose key it does not know.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

import psycopg

from penstock.core.refusals import Unavailable
from penstock.engine.rows import AccountRow, ApiKeyRow
from penstock.store.outage import Outage
from penstock.store.postgres.arrays import TEXT, literal
from penstock.store.postgres.connection import BY_INDEX, connect
from penstock.store.postgres.session import Answer, Session, Statement
from penstock.store.postgres.statements import table

_SESSION = {
    **BY_INDEX,
    "default_transaction_read_only": "on",
    # Both tables are found by their primary keys, whatever is in them.
    "plan_cache_mode": "force_generic_plan",
}
_KEYS, _ACCOUNTS = table(ApiKeyRow), table(AccountRow)
_COLUMNS = ", ".join([*(f"k.{name}" for name in _KEYS.names), *(f"a.{name}" for name in _ACCOUNTS.names)])
# Not "a.account_id = k.account_id": see how statements.py compares a key's first column.
KEYS_AND_ACCOUNTS = (
    f"SELECT {_COLUMNS} FROM api_keys k JOIN accounts a ON a.account_id = ANY(ARRAY[k.account_id]) "
    "WHERE k.key_id = ANY($1::text[])"
)


class KeyReads:
    """Reads keys on one connection of its own, opened on first use. Any thread may; one at a time does.

    defaults: for `connect`, where the URL says nothing.
    """

    def __init__(self, url: str, defaults: dict[str, str | int]) -> None:
        self._url = url
        self._defaults = defaults
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._outage = Outage("keys cannot be read from the database", "keys can be read again")

    def read(self, key_ids: Collection[str]) -> list[tuple[ApiKeyRow, AccountRow]]:
        """Those keys that there are, each with its account. Raises Unavailable when the database is gone."""
        try:
            statement: Statement = (KEYS_AND_ACCOUNTS, (literal(TEXT, list(key_ids)),))
            with self._lock:
                answer = self._asked_again_when_lost(statement)
            self._outage.worked()
        except psycopg.DataError:
            # A NUL, which no key that is stored can have.
            return []
        except psycopg.OperationalError as error:
            self._outage.failed(str(error))
            raise Unavailable("keys cannot be read from the database") from error
        split = len(_KEYS.names)
        return [(_KEYS.decode(row[:split]), _ACCOUNTS.decode(row[split:])) for row in answer.rows]

    def close(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.close()
                self._session = None

    def _asked_again_when_lost(self, statement: Statement) -> Answer:
        """It may have stood idle while the server was started again, which is only noticed when it is used."""
        known = self._session
        if known is not None and not known.is_lost:
            try:
                return known.ask([statement])[0]
            except psycopg.OperationalError:
                if not known.is_lost:
                    raise
        self._session = None
        self._session = Session(connect(self._url, self._defaults, _SESSION))
        return self._session.ask([statement])[0]
