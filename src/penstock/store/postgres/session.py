"""One writer's connection: several statements in one round trip, and a COMMIT whose doubts are told apart.

Below psycopg's own pipeline, whose last message is a Flush: after it the server does not count the time that a
transaction stands idle (PostgreSQL's idle_in_transaction_session_timeout, seen with 16 and 18), and the locks of a
process that was stopped would hold up everybody. It also waits for the socket and sends once for each command; a wait
is where other threads take the interpreter away, so here a round trip has one or two, however many commands it has.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from penstock.store.deciding import CommitInDoubt
from penstock.store.tables import Value

Statement = tuple[str, Iterable[str]]
"""SQL with the marks $1, $2, ..., and the text that each stands for. Text that is made only as it is asked for is made
while the server runs the statements before.
"""
Row = tuple[Value, ...]


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
        # For each command that is sent the SQL that it prepares, "" where it runs what is prepared.
        prepares: list[str] = []
        names: dict[str, bytes] = {}
        unmade: Exception | None = None
        with self._exchange() as pgconn:
            for sql, values in statements:
                try:
                    bound = [_encoded(text) for text in values]
                except Exception as error:  # noqa: BLE001 - raised below, when the two ends are in step again
                    unmade = error
                    break
                name = self._names.get(sql) or names.get(sql)
                if name is None:
                    name = names[sql] = f"s{next(self._numbers)}".encode()
                    pgconn.send_prepare(name, sql.encode())
                    prepares.append(sql)
                pgconn.send_query_prepared(name, bound)
                prepares.append("")
                if not isinstance(values, list | tuple):
                    pgconn.flush()
            self._send(pgconn)
            results = self._received(pgconn, len(prepares))
        for sql, result in zip(prepares, results, strict=True):
            if sql and result.status == ExecStatus.COMMAND_OK:
                self._names[sql] = names[sql]
        if unmade is not None:
            raise unmade
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

    @contextmanager
    def _exchange(self) -> Generator[PGconn]:
        """Around one round trip. Whatever it raises, the connection is closed: where the ends stand is not known."""
        pgconn = self._connection.pgconn
        try:
            pgconn.enter_pipeline_mode()
            yield pgconn
            pgconn.exit_pipeline_mode()
        except BaseException:
            self._connection.close()
            raise

    def _send(self, pgconn: PGconn) -> None:
        """Send all that libpq has kept back so far, and a Sync: in one piece, as far as the socket takes it."""
        pgconn.pipeline_sync()
        while pgconn.flush():
            # The server may have to get rid of answers before it takes more.
            ((_, ready),) = self._poll(select.POLLIN | select.POLLOUT)
            if ready & ~select.POLLOUT:
                pgconn.consume_input()

    def _received(self, pgconn: PGconn, count: int) -> list[PGresult]:
        """The result of each of `count` commands, once the Sync behind them was answered.

        Raises OperationalError when the connection is lost.
        """
        results: list[PGresult] = []
        ended = False
        while True:
            while pgconn.is_busy():
                self._poll(select.POLLIN)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is not None:
                if result.status == ExecStatus.PIPELINE_SYNC:
                    assert len(results) == count, (len(results), count)
                    return results
                results.append(result)
            elif ended:
                # Once behind each result, and again only where nothing will follow any more.
                raise errors.OperationalError("the connection was lost")
            ended = result is None

    def _poll(self, events: int) -> list[tuple[int, int]]:
        waiting = select.poll()
        waiting.register(self._connection.pgconn.socket, events)
        return waiting.poll()

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


def _encoded(text: str) -> bytes:
    encoded = text.encode()
    if b"\0" in encoded:
        # libpq would end the text there, without a word.
        raise errors.DataError("PostgreSQL cannot store text with a NUL in it")
    return encoded
