"""Reading PostgreSQL beside the writers: a few read-only connections that any thread may borrow."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any, LiteralString, TypeVar, cast

import psycopg
from psycopg import IsolationLevel

from penstock.core.refusals import Unavailable
from penstock.core.time import Clock
from penstock.core.views import KeyView
from penstock.engine.rows import Row
from penstock.engine.rules import Rules
from penstock.store.dialect import Binding
from penstock.store.outage import Outage
from penstock.store.postgres.connection import BY_INDEX, PRIMARY, connect
from penstock.store.postgres.keys import KeyReads
from penstock.store.postgres.schema import check_schema
from penstock.store.postgres.statements import PostgresDialect, table
from penstock.store.selecting import SelectingReader
from penstock.store.unusable import StoreUnusable

R = TypeVar("R", bound=Row)
Connection = psycopg.Connection[tuple[Any, ...]]

CONNECTIONS = 8
WAIT_S_MAX = 5
ROWS_AT_ONCE = 2_000
_SESSION = {
    **BY_INDEX,
    "default_transaction_read_only": "on",
    # Pages come out of an index in the order they want.
    "enable_incremental_sort": "off",
    "enable_sort": "off",
    # A plan for each call: one that was made while a table was empty could be kept until the next figures are taken.
    "plan_cache_mode": "force_custom_plan",
}


class PostgresReader(SelectingReader):
    """A Reader (store/reader.py) on at most `connections`, and one more for keys, each opened on first use.

    from_standby: a standby will do, where the URL names one; else only the primary, which has all that was answered.
    Its reads raise Unavailable when the database cannot be reached, StoreUnusable when its role may not read there.
    """

    def __init__(
        self,
        url: str,
        rules: Rules,
        clock: Clock,
        *,
        connections: int = CONNECTIONS,
        from_standby: bool = False,
    ) -> None:
        super().__init__(PostgresDialect(), rules, clock)
        self._url = url
        self._defaults = {} if from_standby else PRIMARY
        self._keys = KeyReads(url, self._defaults)
        self._local = threading.local()
        self._idle: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        self._cursors = itertools.count()
        self._closed = False
        self._outage = Outage("the database cannot be read", "the database can be read again")
        for _ in range(connections):
            self._idle.put(None)

    def check(self) -> None:
        """Raises StoreUnusable unless the database can be read and has our tables."""
        try:
            with self._borrowed() as connection:
                check_schema(connection)
        except Unavailable as error:
            raise StoreUnusable(f"the database cannot be reached: {error.__cause__}") from error

    def close(self) -> None:
        """Close what is idle; a read that still runs closes its own."""
        self._closed = True
        self._keys.close()
        while not self._idle.empty():
            connection = self._idle.get()
            if connection is not None:
                connection.close()

    @contextmanager
    def snapshot(self) -> Generator[None]:
        with self._borrowed() as connection, connection.transaction():
            self._local.connection = connection
            try:
                yield
            finally:
                self._local.connection = None

    def find_key(self, key_id: str) -> KeyView | None:
        return self.find_keys((key_id,)).get(key_id)

    def find_keys(self, key_ids: Collection[str]) -> dict[str, KeyView]:
        """Those keys that there are; in one round trip, but for a snapshot, which has its own connection."""
        if self._bound is None:
            found = self._keys.read(key_ids)
            self._local.read_ahead = {(type(row), row.key): row for pair in found for row in pair}
        try:
            views = [super(PostgresReader, self).find_key(key_id) for key_id in key_ids]
        finally:
            self._local.read_ahead = None
        return {view.key_id: view for view in views if view is not None}

    def row(self, row_type: type[R], *key: int | str) -> R | None:
        read_ahead = getattr(self._local, "read_ahead", None)
        if read_ahead is not None:
            return read_ahead.get((row_type, key))
        return super().row(row_type, *key)

    def rows(self, row_type: type[R]) -> Iterator[R]:
        known = table(row_type)
        sql = f"{known.select} ORDER BY {', '.join(row_type.KEY)}"
        bound = self._bound
        with (
            self._borrowed() as connection,
            nullcontext() if bound else connection.transaction(),
            connection.cursor(f"rows_{next(self._cursors)}") as cursor,
        ):
            cursor.itersize = ROWS_AT_ONCE
            for values in cursor.execute(cast("LiteralString", sql)):
                yield known.decode(values)

    def _select(self, row_type: type[R], where: str, bindings: tuple[Binding, ...]) -> list[R]:
        known = table(row_type)
        sql = _marked(f"{known.select} {where}")
        with self._borrowed() as connection:
            try:
                return list(map(known.decode, connection.execute(sql, bindings).fetchall()))
            except psycopg.OperationalError:
                # It may have stood idle while the server was started again. A snapshot lives and dies with its own.
                if not connection.closed or connection is self._bound:
                    raise
        with self._borrowed(fresh=True) as connection:
            return list(map(known.decode, connection.execute(sql, bindings).fetchall()))

    @property
    def _bound(self) -> Connection | None:
        """The connection of this thread's snapshot."""
        return getattr(self._local, "connection", None)

    @contextmanager
    def _borrowed(self, *, fresh: bool = False) -> Generator[Connection]:
        """A connection for the time of the context. Turns errors of a lost connection into Unavailable."""
        bound = self._bound
        if bound is not None:
            yield bound
            return
        try:
            connection = self._idle.get(timeout=WAIT_S_MAX)
        except queue.Empty:
            raise Unavailable("every reading connection is busy") from None
        try:
            if fresh and connection is not None:
                connection.close()
            if connection is None or connection.closed:
                connection = None
                connection = self._open()
            yield connection
            self._outage.worked()
        except psycopg.OperationalError as error:
            if connection is not None and not connection.closed:
                raise
            self._outage.failed(str(error))
            raise Unavailable("the database cannot be read") from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise StoreUnusable(
                f"the database's role lacks a right: {error.diag.message_primary}; it needs SELECT on all tables"
            ) from error
        finally:
            if self._closed and connection is not None:
                connection.close()
            self._idle.put(None if connection is None or connection.closed else connection)

    def _open(self) -> Connection:
        connection = connect(self._url, self._defaults, _SESSION)
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return connection


@lru_cache(maxsize=1_024)
def _marked(sql: str) -> LiteralString:
    return cast("LiteralString", sql.replace("?", "%s"))
