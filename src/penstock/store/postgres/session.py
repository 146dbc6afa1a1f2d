"""One writer's connection: several statements in one round trip, and a COMMIT whose doubts are told apart.

Below psycopg's own pipeline, whose last message is a Flush: after it the server does not count the time that a
transaction stands idle (PostgreSQL's idle_in_transaction_session_timeout, seen with 16 and 18), and the locks of a
process that was stopped would hold up everybody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.generators import fetch_many, pipeline_communicate
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import wait

from penstock.store.deciding import CommitInDoubt
from penstock.store.tables import Value

Statement = tuple[str, Sequence[str]]
"""SQL with the marks $1, $2, ..., and the text that each stands for."""
Row = tuple[Value, ...]

_WAKE_S = 1.0


@dataclass(slots=True)
class Answer:
    """What came of a statement: the rows it returned; how many it returned or changed; its command tag."""

    rows: list[Row]
    count: int
    tag: str


class Session:
    """A writer's connection. psycopg's errors pass through where not said otherwise.

    Statements are prepared when they are first used, so their texts must be few.
    """

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection
        self._names: dict[str, bytes] = {}
        self._numbers = count()
        self._loading = Transformer(connection)
        self._warnings: list[str] = []
        connection.add_notice_handler(self._noticed)

    @property
    def is_lost(self) -> bool:
        """Whether the connection can be used no more."""
        return self._connection.closed

    @property
    def backend_pid(self) -> int:
        return self._connection.info.backend_pid

    def ask(self, statements: Sequence[Statement]) -> list[Answer]:
        """Run statements one after the other, in one round trip. After an error none of the later ones has run."""
        pgconn = self._connection.pgconn
        commands: deque[Callable[[], None]] = deque()
        # For each command the SQL that it prepares, "" where it runs what is prepared.
        prepares: list[str] = []
        names: dict[str, bytes] = {}
        for sql, values in statements:
            name = self._names.get(sql) or names.get(sql)
            if name is None:
                name = names[sql] = f"s{next(self._numbers)}".encode()
                commands.append(partial(pgconn.send_prepare, name, sql.encode()))
                prepares.append(sql)
            commands.append(partial(pgconn.send_query_prepared, name, [_encoded(text) for text in values]))
            prepares.append("")
        results = self._exchange(commands)
        for sql, result in zip(prepares, results, strict=True):
            if sql and result.status == ExecStatus.COMMAND_OK:
                self._names[sql] = names[sql]
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise errors.error_from_result(result, encoding="utf-8")
        return [self._answer(result) for sql, result in zip(prepares, results, strict=True) if not sql]

    def commit(self) -> None:
        """End the transaction; what it wrote is durable then.

        Raises a psycopg error that `is_definite`: nothing was committed. Else CommitInDoubt, also where the commit
        came with a warning: it was not waited for until the standby had it.
        """
        self._warnings.clear()
        try:
            (done,) = self.ask([("COMMIT", ())])
        except psycopg.Error as error:
            if not self.is_lost and is_definite(error):
                raise
            raise CommitInDoubt(f"{error.sqlstate}: {error}") from error
        if self._warnings:
            raise CommitInDoubt(self._warnings[0])
        if done.tag != "COMMIT":
            raise errors.InFailedSqlTransaction(f"COMMIT was answered with {done.tag}")

    def roll_back(self) -> None:
        if not self.is_lost:
            self.ask([("ROLLBACK", ())])

    def close(self) -> None:
        self._connection.close()

    def _exchange(self, commands: deque[Callable[[], None]]) -> list[PGresult]:
        """Send the commands and a Sync; the result of each. Raises OperationalError when the connection is lost."""
        pgconn = self._connection.pgconn
        sent = len(commands)
        commands.append(pgconn.pipeline_sync)
        try:
            pgconn.enter_pipeline_mode()
            results = wait(pipeline_communicate(pgconn, commands), pgconn.socket, _WAKE_S)
            while not results or results[-1][0].status != ExecStatus.PIPELINE_SYNC:
                results.append(_fetched(pgconn))
            pgconn.exit_pipeline_mode()
        except BaseException:
            # Where the two ends stand is not known any more.
            self._connection.close()
            raise
        assert len(results) == sent + 1, (len(results), sent)
        return [each[0] for each in results[:-1]]

    def _answer(self, result: PGresult) -> Answer:
        rows: list[Row] = []
        if result.status == ExecStatus.TUPLES_OK:
            self._loading.set_pgresult(result)
            rows = self._loading.load_rows(0, result.ntuples, tuple)
        tag = (result.command_status or b"").decode()
        return Answer(rows, result.command_tuples or 0, tag)

    def _noticed(self, notice: errors.Diagnostic) -> None:
        # "canceling wait for synchronous replication" comes as a warning beside a successful COMMIT, in the server's
        # own language and with a class of its own (01000) that says nothing; no other warning is expected there.
        if notice.severity_nonlocalized == "WARNING":
            self._warnings.append(f"{notice.sqlstate}: {notice.message_primary}")


def is_definite(error: psycopg.Error) -> bool:
    """Whether an error answered to COMMIT says that nothing was committed.

    Serialization failure, deadlock, and a constraint checked late. Not among them: 40003 and 08007, by which servers
    say that they do not know themselves.
    """
    state = error.sqlstate or ""
    return state in {"40001", "40P01"} or state.startswith("23")


def _fetched(pgconn: PGconn) -> list[PGresult]:
    """The next result that the server sends. Raises OperationalError when it sends no more."""
    fetched = wait(fetch_many(pgconn), pgconn.socket, _WAKE_S)
    if not fetched:
        raise errors.OperationalError("the connection was lost")
    return fetched


def _encoded(text: str) -> bytes:
    encoded = text.encode()
    if b"\0" in encoded:
        # libpq would end the text there, without a word.
        raise errors.DataError("PostgreSQL cannot store text with a NUL in it")
    return encoded
