"""The side that is moved to: a PostgreSQL database that is filled in one transaction, so whole or not at all."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import LiteralString, Self, TypeVar, cast

import msgspec
import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo

from penstock.core.time import UnixMs
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.store.postgres.connection import Session, connect, open_session
from penstock.store.postgres.schema import migrate
from penstock.store.postgres.statements import table
from penstock.store.unusable import StoreUnusable

R = TypeVar("R", bound=Row)

APPLICATION_NAME = "penstock migrate"
ROWS_AT_ONCE = 5_000
_SERVICE_NAME = "penstock"
_SESSION = {
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "5000",
    # A machine that vanishes in the middle must not hold the tables until the system's two hours are over.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_RUNNING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
)
_RELATIONS = """
SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY relname
"""
"""Tables, views and sequences where ours would stand, but for those of extensions, which many keep there."""


class PostgresTarget:
    """A database in which our tables are locked, made where they were missing; until `commit` nobody sees any of it.

    place: its server and name as the URL gives them, without a password. is_empty: whether there is no row yet.
    Raises StoreUnusable when it cannot be used, when a service runs on it, and when it holds what is not ours.
    """

    def __init__(self, url: str, now_ms: UnixMs) -> None:
        with _told():
            try:
                named = make_conninfo(url, application_name=APPLICATION_NAME)
            except psycopg.ProgrammingError as error:
                raise StoreUnusable("the database's URL cannot be read") from error
            open_session(named).close()  # for its checks of the server's settings
            self._connection = connect(named, {"target_session_attrs": "read-write"}, _SESSION)
            try:
                self._session = Session(self._connection)
                self.place = _place(self._connection)
                self._open(now_ms)
                self.is_empty = not any(map(self._has_rows, ROW_TYPES))
            except BaseException:
                self._connection.close()
                raise

    def fill(self, row_type: type[Row], rows: Iterable[Row]) -> None:
        """Add rows to a table. Raises StoreUnusable when one of them cannot be kept."""
        known = table(row_type)
        sql = cast("LiteralString", f"COPY {known.name} ({known.columns}) FROM STDIN")
        with _told(known.name), self._connection.cursor().copy(sql) as copy:
            for row in rows:
                copy.write_row(msgspec.structs.astuple(row))

    def rows(self, row_type: type[R]) -> Iterator[R]:
        """Every row of a table, in no order. Raises StoreUnusable when one cannot be read."""
        known = table(row_type)
        with _told(known.name), self._connection.cursor(f"rows_of_{known.name}") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            for values in cursor.execute(cast("LiteralString", known.select)):
                yield known.decode(values)

    def commit(self) -> None:
        """Make the rows durable and let services in.

        Raises CommitInDoubt when that may or may not have happened, StoreUnusable when it certainly has not.
        """
        with _told():
            for row_type in ROW_TYPES:
                self._run(f"ANALYZE {row_type.TABLE}")
            self._session.commit()

    def close(self) -> None:
        """Give up what was not committed."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, now_ms: UnixMs) -> None:
        running = self._connection.execute(_RUNNING, (_SERVICE_NAME,)).fetchone()
        if running is not None and running[0]:
            raise StoreUnusable(f"{running[0]} connections of a Penstock to {self.place}; stop it")
        self._run(_BEGIN)
        found = [str(name) for (name,) in self._connection.execute(_RELATIONS)]
        if found and "migrations" not in found:
            raise StoreUnusable(f"{self.place} holds other tables: {', '.join(found[:5])}; give an empty one")
        try:
            migrate(self._connection, now_ms)
        except errors.UndefinedColumn as error:
            raise StoreUnusable(f"{self.place} holds other tables: its migrations are not ours") from error
        tables = ", ".join(row_type.TABLE for row_type in ROW_TYPES)
        self._run(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")

    def _has_rows(self, row_type: type[Row]) -> bool:
        sql = cast("LiteralString", f"SELECT EXISTS (SELECT FROM {row_type.TABLE})")
        return self._connection.execute(sql).fetchone() == (True,)

    def _run(self, sql: str) -> None:
        self._connection.execute(cast("LiteralString", sql))


def _place(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    """The whole list of hosts, so that a place has one name whichever of them is the primary now."""
    said = connection.info.get_parameters()
    host = ",".join(said[name] for name in ("host", "hostaddr") if said.get(name)) or "this machine"
    port = f" port {said['port']}" if said.get("port") else ""
    return f"postgresql {connection.info.dbname!r} on {host}{port}"


@contextmanager
def _told(table_name: str = "") -> Generator[None]:
    """Turn the driver's errors, and rows that are none, into StoreUnusable."""
    where = f"{table_name}: " if table_name else ""
    try:
        yield
    except errors.LockNotAvailable as error:
        raise StoreUnusable("somebody else has the tables of the target locked") from error
    except psycopg.DataError as error:
        raise StoreUnusable(f"{where}PostgreSQL cannot keep a row: {error}") from error
    except psycopg.Error as error:
        raise StoreUnusable(f"{where}the target failed: {error}") from error
    except (ValueError, TypeError) as error:
        raise StoreUnusable(f"{where}a row cannot be read back: {error}") from error
