"""One writer's connection: several statements in one round trip, and a COMMIT whose doubts are told apart.

Below psycopg's own pipeline, whose last message is a Flush: after it the server does not count the time that a
transaction stands idle (PostgreSQL's idle_in_transaction_session_timeout, seen with 16 and 18), and the locks of a
process that was stopped would hold up everybody. It also waits for the socket and sends once for each command; a wait
is where other threads take the interpreter away, so here a round trip has one or two, however many commands it has.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from penstock.store.deciding import CommitInDoubt
from penstock.store.tables import Value

Statement = tuple[str, Sequence[str]]
"""SQL with the marks $1, $2, ..., and the text that each stands for."""
Row = tuple[Value, ...]


@dataclass(slots=True)
class Answer:
    """What came of a statement: the rows it returned; how many it returned or changed; its command tag."""

    rows: list[Row]
    count: int
    tag: str


@dataclass(slots=True)
class _Sent:
    """prepares: for each command that was sent the SQL that it prepares, "" where it runs what is prepared. names: by
    SQL, of what is prepared.
    """

    prepares: list[str] = field(default_factory=list)
    names: dict[str, bytes] = field(default_factory=dict)


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
        answers, error = self._run(statements)
        if error is not None:
            raise error
        return answers

    def commit(self, statements: Sequence[Statement] = ()) -> None:
        """Run statements and end the transaction behind them, in one round trip; what it wrote is durable then.

        Raises what a statement failed with, or a psycopg error of COMMIT that `is_definite`: nothing was committed.
        Else CommitInDoubt: where the connection was lost, whatever had been answered until then; and where the commit
        came with a warning, for it was not waited for until the standby had it.
        """
        self._warnings.clear()
        try:
            answers, error = self._run([*statements, ("COMMIT", ())])
        except Exception as lost:
            if isinstance(lost.__cause__, errors.IdleInTransactionSessionTimeout):
                # The server's last word: it had ended the transaction before any of this came.
                raise
            raise CommitInDoubt(str(lost)) from lost
        if error is not None:
            # Behind an error nothing is run, and so not COMMIT; unless the server does not know itself.
            if is_definite(error) or (len(answers) < len(statements) and not is_unknown(error)):
                raise error
            raise CommitInDoubt(f"{_state(error)}: {error}") from error
        if self._warnings:
            raise CommitInDoubt(self._warnings[0])
        if answers[-1].tag != "COMMIT":
            raise errors.InFailedSqlTransaction(f"COMMIT was answered with {answers[-1].tag}")

    def roll_back(self) -> None:
        if not self.is_lost:
            self.ask([("ROLLBACK", ())])

    def close(self) -> None:
        self._connection.close()

    def _run(self, statements: Sequence[Statement]) -> tuple[list[Answer], Exception | None]:
        """Run statements in one round trip: the answers of those that ran, and what the next one failed with.

        Raises psycopg's OperationalError when the connection is lost.
        """
        sent, failed = _Sent(), None
        with self._exchange() as pgconn:
            try:
                failed = self._send(pgconn, statements, sent)
            except psycopg.OperationalError:
                # Where the connection is lost, first to what the server has said about it.
                if pgconn.status != ConnStatus.BAD:
                    raise
            results = self._received(pgconn, len(sent.prepares))
        answers: list[Answer] = []
        for sql, result in zip(sent.prepares, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                failed = _error(result)
                break
            if sql:
                self._names[sql] = sent.names[sql]
            else:
                answers.append(self._answer(result))
        return answers, failed

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

    def _send(self, pgconn: PGconn, statements: Sequence[Statement], sent: _Sent) -> Exception | None:
        """Send statements and a Sync, in one piece as far as the socket takes it. Returns why one could not be made;
        then neither it nor any behind it was sent.
        """
        failed: Exception | None = None
        for sql, values in statements:
            try:
                bound = [_encoded(text) for text in values]
            except Exception as error:  # noqa: BLE001 - raised when the two ends are in step again
                failed = error
                break
            name = self._names.get(sql) or sent.names.get(sql)
            if name is None:
                name = sent.names[sql] = f"s{next(self._numbers)}".encode()
                pgconn.send_prepare(name, sql.encode())
                sent.prepares.append(sql)
            pgconn.send_query_prepared(name, bound)
            sent.prepares.append("")
        pgconn.pipeline_sync()
        while pgconn.flush():
            # The server may have to get rid of answers before it takes more.
            ((_, ready),) = self._poll(select.POLLIN | select.POLLOUT)
            if ready & ~select.POLLOUT:
                pgconn.consume_input()
        return failed

    def _received(self, pgconn: PGconn, count: int) -> list[PGresult]:
        """The result of each of `count` commands, once the Sync behind them was answered.

        Raises OperationalError when the connection is lost; its cause is what the server said last, if it did.
        """
        results: list[PGresult] = []
        ended = False
        while True:
            while pgconn.is_busy():
                self._poll(select.POLLIN)
                try:
                    pgconn.consume_input()
                except psycopg.OperationalError:
                    # What comes next says so in its turn, behind what the server has said before.
                    break
            result = pgconn.get_result()
            if result is not None:
                if result.status == ExecStatus.PIPELINE_SYNC:
                    assert len(results) == count, (len(results), count)
                    return results
                results.append(result)
            elif ended:
                # Once behind each result, and again only where nothing will follow any more.
                said = [_error(each) for each in results if each.status == ExecStatus.FATAL_ERROR]
                raise errors.OperationalError("the connection was lost") from (said[0] if said else None)
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


def is_definite(error: Exception) -> bool:
    """Whether an error answered to COMMIT says that nothing was committed.

    Serialization failure, deadlock, and a constraint checked late.
    """
    state = _state(error)
    return state in {"40001", "40P01"} or state.startswith("23")


def is_unknown(error: Exception) -> bool:
    """Whether an error says that its sender, which may be a proxy, does not know what became of the transaction."""
    state = _state(error)
    return state == "40003" or state.startswith("08")


def _error(result: PGresult) -> psycopg.Error:
    return errors.error_from_result(result, encoding="utf-8")


def _state(error: Exception) -> str:
    return (error.sqlstate or "") if isinstance(error, psycopg.Error) else ""


def _encoded(text: str) -> bytes:
    encoded = text.encode()
    if b"\0" in encoded:
        # libpq would end the text there, without a word.
        raise errors.DataError("PostgreSQL cannot store text with a NUL in it")
    return encoded
