"""Reading SQLite beside the writer: one read-only connection per thread."""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import apsw

from penstock.core.time import Clock
from penstock.engine.row import Row
from penstock.engine.rules import Rules
from penstock.store.dialect import Binding
from penstock.store.selecting import SelectingReader
from penstock.store.sqlite.connection import open_reader
from penstock.store.sqlite.statements import SqliteDialect, table
from penstock.store.tables import Value

R = TypeVar("R", bound=Row)


class SqliteReader(SelectingReader):
    """A Reader (store/reader.py). Connections open on first use in each thread and close with `close`."""

    def __init__(self, path: Path, rules: Rules, clock: Clock) -> None:
        super().__init__(SqliteDialect(), rules, clock)
        self._path = path
        self._local = threading.local()
        self._opened: list[apsw.Connection] = []
        self._lock = threading.Lock()

    @property
    def reads_at_once(self) -> bool:
        return True

    def close(self) -> None:
        with self._lock:
            for connection in self._opened:
                connection.close(force=True)
            self._opened.clear()

    @contextmanager
    def snapshot(self) -> Generator[None]:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")

    def rows(self, row_type: type[R]) -> Iterator[R]:
        known = table(row_type)
        sql = f"{known.select} ORDER BY {', '.join(row_type.KEY)}"
        for values in self._connection().execute(sql):
            yield known.decode(values)

    def _select(self, row_type: type[R], where: str, bindings: tuple[Binding, ...]) -> list[R]:
        known = table(row_type)
        # The dialect binds lists as text.
        bound = cast("tuple[Value, ...]", bindings)
        return [
            known.decode(values) for values in self._connection().execute(f"{known.select} {where}", bound)
        ]

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = open_reader(self._path)
            self._local.connection = connection
            with self._lock:
                self._opened.append(connection)
        return connection
