"""A commit that fails is in doubt until it is looked up; nothing stored is called lost, nor the reverse."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from penstock.core.amounts import Units
from penstock.core.commands import Command, Exchange
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.time import ManualClock
from penstock.core.views import Accepted
from penstock.engine.rows import RequestRow, WithdrawalRow
from penstock.store.deciding import CommitInDoubt
from penstock.store.delivery import Submission
from penstock.store.sqlite.batch import BatchRunner
from penstock.store.sqlite.connection import open_writer
from penstock.store.sqlite.recovering import SqliteBatches
from penstock.store.sqlite.store import SqliteStore
from penstock.store.verify import verify
from penstock.store.writer import Writer, exit_process
from tests.store.failing_disk import FailingDisk
from tests.store.samples import RULES, START_MS, PausingIds, Seeded

FOREVER = 10**9


class Failing:
    """A seeded store on a disk that can be broken."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "penstock.db"
        self.disk = FailingDisk()
        self.lost = 0
        self.clock, self.ids = ManualClock(START_MS), PausingIds()
        self.store = SqliteStore(
            self.path, RULES, self.clock, self.ids, vfs=self.disk.name, on_lost=self._count_loss
        )
        self.seeded = Seeded(self.store, self.clock, self.ids)
        # A reader beside the writer, as in the service: the log is then not rebuilt by opening it again.
        self.store.reader().stopped("tron")

    def _count_loss(self) -> None:
        self.lost += 1

    def requests(self) -> set[str]:
        return {row.request_id for row in self.store.reader().rows(RequestRow)}

    def after_a_crash(self, folder: Path) -> set[str]:
        """The requests in a copy of the files as they stand now, opened by another process, so to speak."""
        folder.mkdir()
        for name in ("penstock.db", "penstock.db-wal"):
            shutil.copy(self.path.with_name(name), folder / name)
        store = SqliteStore(folder / "penstock.db", RULES, self.clock, self.ids)
        found = {row.request_id for row in store.reader().rows(RequestRow)}
        assert verify(store.reader()).ok
        store.close()
        return found


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Failing]:
    made = Failing(tmp_path)
    yield made
    made.disk.break_for(0)
    made.store.close()


@pytest.mark.parametrize("call", ["xWrite", "xSync"])
def test_a_failed_commit_is_looked_up_and_a_retry_takes_the_money_once(
    failing: Failing, tmp_path: Path, call: str
) -> None:
    failing.seeded.withdraw("before")
    failing.disk.break_for(1, call)
    outcome = failing.store.submit(failing.seeded.order("doubtful")).exception(10)
    assert failing.disk.failed == 1
    assert isinstance(outcome, Unavailable)
    assert failing.requests() == {"before"}
    # What was called lost must stay lost, even when the machine goes down before anything else is written.
    assert failing.after_a_crash(tmp_path / "image") == {"before"}
    failing.seeded.withdraw("doubtful")
    assert failing.requests() == {"before", "doubtful"}
    assert verify(failing.store.reader()).ok
    assert not failing.lost


def test_every_command_of_a_batch_that_failed_gets_its_own_answer(failing: Failing) -> None:
    failing.seeded.withdraw("old")
    with failing.ids.paused():
        futures = [failing.store.submit(failing.seeded.order(name)) for name in ("a", "old", "b")]
        failing.disk.break_for(1, "xSync")
    outcomes = [future.exception(10) or future.result(10) for future in futures]
    stored = failing.requests()
    for name, outcome in zip(("a", "old", "b"), outcomes, strict=True):
        assert isinstance(outcome, Accepted) == (name in stored), (name, outcome)


def test_a_disk_that_stays_broken_leaves_everything_in_doubt_and_stops_the_service(failing: Failing) -> None:
    failing.disk.break_for(FOREVER, "xWrite", "xSync")
    outcome = failing.store.submit(failing.seeded.order("doubtful")).exception(10)
    assert isinstance(outcome, InDoubt | Unavailable)
    assert failing.lost == (1 if isinstance(outcome, InDoubt) else 0)


def test_a_flush_that_never_succeeds_again_stops_the_service(failing: Failing) -> None:
    failing.disk.break_for(FOREVER, "xSync")
    outcome = failing.store.submit(failing.seeded.order("doubtful")).exception(10)
    assert isinstance(outcome, InDoubt)
    assert failing.lost == 1


class _CommitsAndSaysNothing(BatchRunner):
    """A fake of a commit that was stored although its answer was an error."""

    def run(self, commands: object) -> list[object]:
        super().run(commands)  # type: ignore[arg-type]
        raise CommitInDoubt("the answer was lost")


def test_what_was_stored_is_never_called_lost(tmp_path: Path) -> None:
    path, clock, ids = tmp_path / "penstock.db", ManualClock(START_MS), PausingIds()
    store = SqliteStore(path, RULES, clock, ids)
    seeded = Seeded(store, clock, ids)
    runners = [_CommitsAndSaysNothing, BatchRunner]
    writer = Writer(
        SqliteBatches(
            open_writer(path),
            lambda connection: runners.pop(0)(connection, RULES, clock, ids),
            lambda: open_writer(path),
            exit_process,
        )
    )
    commands = [seeded.order("a", 10), seeded.transfer("b", 20)]
    futures: list[Future[object]] = []
    with ids.paused():
        for command in commands:
            futures.append(Future())
            writer.submit(Submission(command, futures[-1], None))
    outcomes = [future.exception(10) or future.result(10) for future in futures]
    stored = {row.request_id: row.withdrawal_id for row in store.reader().rows(RequestRow)}
    assert isinstance(outcomes[0], Accepted)
    assert outcomes[0].withdrawal_id == stored["a"]
    # The second may have come too late for the doubtful batch; then the next one took it.
    assert isinstance(outcomes[1], Accepted)
    assert outcomes[1].withdrawal_id == stored["b"]
    writer.close()
    store.close()


def test_a_conflicting_request_in_a_doubtful_batch_is_not_answered_with_the_others_withdrawal(
    tmp_path: Path,
) -> None:
    path, clock, ids = tmp_path / "penstock.db", ManualClock(START_MS), PausingIds()
    store = SqliteStore(path, RULES, clock, ids)
    seeded = Seeded(store, clock, ids)
    seeded.run(seeded.order("a", business='{"amount":"1"}'))
    runners = [_CommitsAndSaysNothing, BatchRunner]
    writer = Writer(
        SqliteBatches(
            open_writer(path),
            lambda connection: runners.pop(0)(connection, RULES, clock, ids),
            lambda: open_writer(path),
            exit_process,
        )
    )
    future: Future[object] = Future()
    writer.submit(Submission(seeded.order("a", business='{"amount":"2"}'), future, None))
    assert isinstance(future.exception(10), InDoubt)
    writer.close()
    store.close()


def _doubtful(
    tmp_path: Path, make: Callable[[Seeded], Command], *before: Callable[[Seeded], Command]
) -> object:
    """The outcome of a command whose commit succeeded and seemed to fail; beside it what is stored of it."""
    path, clock, ids = tmp_path / "penstock.db", ManualClock(START_MS), PausingIds()
    store = SqliteStore(path, RULES, clock, ids)
    seeded = Seeded(store, clock, ids)
    for earlier in before:
        seeded.run(earlier(seeded))
    runners = [_CommitsAndSaysNothing, BatchRunner]
    writer = Writer(
        SqliteBatches(
            open_writer(path),
            lambda connection: runners.pop(0)(connection, RULES, clock, ids),
            lambda: open_writer(path),
            exit_process,
        )
    )
    future: Future[object] = Future()
    writer.submit(Submission(make(seeded), future, None))
    outcome = future.exception(10) or future.result(10)
    writer.close()
    if isinstance(outcome, Accepted):
        row = store.reader().row(WithdrawalRow, outcome.withdrawal_id)
        assert row is not None
        told = (outcome.number, outcome.state, outcome.amount, outcome.fee, outcome.net)
        assert told == (row.number, row.state, row.amount, row.fee, row.net)
        assert row.amount > 0
    store.close()
    return outcome


def _exchange(seeded: Seeded) -> Exchange:
    rate = Rate("USDT", "TRX", 4, 1, "table", seeded.clock.now_ms())
    return Exchange(
        seeded.account_id,
        "key-0",
        "bitmart",
        "x",
        "",
        ("spot",),
        Units(10**18),
        Conversion(rate, Given.DEBITED),
        numbered=True,
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda seeded: msgspec.structs.replace(seeded.order("a"), numbered=True),
        lambda seeded: msgspec.structs.replace(seeded.transfer("b", 20), numbered=True),
        _exchange,
    ],
)
def test_what_was_found_after_a_failed_commit_is_told_as_it_was_decided(
    tmp_path: Path, make: Callable[[Seeded], Command]
) -> None:
    outcome = _doubtful(tmp_path, make)
    assert isinstance(outcome, Accepted)
    assert outcome.number == 1


@pytest.mark.parametrize("asked_before", [True, False])
def test_an_id_that_is_good_for_one_answer_stays_in_doubt_when_its_commit_failed(
    tmp_path: Path, asked_before: bool
) -> None:
    def once(seeded: Seeded) -> Command:
        return msgspec.structs.replace(seeded.order("a"), repeatable=False)

    earlier = [lambda seeded: seeded.order("a")] if asked_before else []
    assert isinstance(_doubtful(tmp_path, once, *earlier), InDoubt)
