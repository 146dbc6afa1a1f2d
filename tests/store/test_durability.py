"""What was acknowledged survives `kill -9`: promise P7."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from penstock.core.states import State
from penstock.core.time import ManualClock
from penstock.engine.rows import ChallengeRow, RequestRow, WithdrawalRow
from penstock.store.sqlite.store import SqliteStore
from penstock.store.verify import verify
from tests.store.acknowledging_child import ANSWER
from tests.store.samples import RULES, START_MS, PausingIds, Seeded

ROOT = Path(__file__).parents[2]
ACKNOWLEDGED_BEFORE_THE_KILL = (1, 40, 150, 400)


def _kill_after(path: Path, number: int, count: int, what: str = "withdrawals") -> dict[str, int]:
    """Let the child acknowledge `count` withdrawals, kill it, and return all it had acknowledged by then."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.acknowledging_child", str(path), str(number), what],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child.stdout as lines:
        assert lines.readline() == b"ready\n"
        said = [lines.readline() for _ in range(count)]
        os.kill(child.pid, signal.SIGKILL)
        said += lines.read().splitlines(keepends=True)
    child.wait(10)
    # The last line may have been cut in two by the kill; a cut line acknowledged nothing.
    whole = [line.decode().split() for line in said if line.endswith(b"\n")]
    return {request_id: int(withdrawal_id) for request_id, withdrawal_id in whole}


def test_everything_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    path, clock = tmp_path / "penstock.db", ManualClock(START_MS)
    store = SqliteStore(path, RULES, clock, PausingIds())
    Seeded(store, clock, PausingIds())
    store.close()
    acknowledged: dict[str, int] = {}
    for number, count in enumerate(ACKNOWLEDGED_BEFORE_THE_KILL):
        acknowledged |= _kill_after(path, number, count)
        assert len(acknowledged) >= count
        store = SqliteStore(path, RULES, clock, PausingIds())
        stored = {row.request_id: row.withdrawal_id for row in store.reader().rows(RequestRow)}
        report = verify(store.reader())
        store.close()
        assert acknowledged.items() <= stored.items()
        assert report.ok, report.lines()


def test_every_answer_acknowledged_holds_its_money_after_kill_9_and_every_other_holds_none(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "penstock.db", ManualClock(START_MS)
    store = SqliteStore(path, RULES, clock, PausingIds())
    Seeded(store, clock, PausingIds())
    store.close()
    acknowledged: dict[str, int] = {}
    for number, count in enumerate(ACKNOWLEDGED_BEFORE_THE_KILL):
        acknowledged |= _kill_after(path, number, count, "answers")
        store = SqliteStore(path, RULES, clock, PausingIds())
        states = {row.withdrawal_id: row.state for row in store.reader().rows(WithdrawalRow)}
        answers = {row.nonce: row.answer for row in store.reader().rows(ChallengeRow)}
        report = verify(store.reader())
        store.close()
        assert {states[each] for each in acknowledged.values()} == {State.HELD}
        assert {answers[each] for each in acknowledged} == {ANSWER}
        assert list(states.values()).count(State.HELD) == list(answers.values()).count(ANSWER)
        assert report.ok, report.lines()
