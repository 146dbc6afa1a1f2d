"""Kill everything at each named moment; what the node shows afterwards is each withdrawal paid once or not at
all.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from penstock.cli.main import main
from penstock.core.points import POINTS
from penstock.process import SEND_BEFORE_STORE
from tests.acceptance import crash_proof as proof
from tests.acceptance.crash_world import Prepared, World, start_sandbox
from tests.acceptance.process_groups import READY_S_MAX, kill_group, ready_url
from tests.nodes import anvil

CALLBACK_POINTS = {"callback.posted", "callback.recorded"}
"""Killed at in test_callback_crash.py: what happens after them is told again, and moves no money."""
PATIENT_MS = 600_000
HASTY_MS = 300
"""How long a payment may wait for a block before its fee is raised: never in these tests, or soon."""


@dataclass(frozen=True)
class Case:
    """Die at the n-th time that `point` is reached.

    counted: from when: "start", before the "requests", or after their "answers".
    """

    point: str
    n: int = 1
    counted: str = "requests"

    @property
    def is_bump(self) -> bool:
        """Whether a fee must rise to get there: then no block comes before."""
        return self.point.startswith("bump.")

    def __str__(self) -> str:
        return f"{self.point}:{self.n}"


CASES = (
    Case("intake.request_read"),
    Case("intake.request_read", 3),
    Case("intake.authenticated", 2),
    Case("intake.command_read", 3),
    Case("intake.queued"),
    Case("intake.answer_ready"),
    Case("intake.answer_handed_over", 2),
    # One batch takes the requests, then come plan, signed bytes, sent, mined and settled, and lease renewals
    # between.
    Case("store.batch_taken"),
    Case("store.batch_begun", 2),
    Case("store.batch_loaded", 3),
    Case("store.batch_decided", 4),
    Case("store.batch_written", 5),
    *(Case("store.before_commit", n) for n in range(1, 7)),
    *(Case("store.committed", n) for n in range(1, 7)),
    Case("store.answered"),
    Case("worker.lane_claimed", 2, "answers"),
    Case("worker.work_found"),
    Case("worker.nonce_chosen", 2),
    Case("worker.intent_built", 3),
    Case("worker.plan_queued"),
    Case("worker.planned"),
    Case("worker.checked"),
    Case("worker.before_sign", 2),
    Case("signer.request_read"),
    Case("signer.signed", 3),
    Case("signer.logged"),
    Case("signer.logged", 2),
    Case("signer.answered", 3),
    Case("worker.bytes_received", 2),
    Case("worker.bytes_checked", 3),
    Case("worker.signed_stored"),
    Case("worker.before_send"),
    Case("worker.before_send", 2),
    Case("worker.sent"),
    Case("worker.sent", 3),
    Case("worker.sent_recorded"),
    Case("worker.located", 2),
    Case("worker.mined_seen", 2),
    Case("worker.mined_recorded"),
    Case("worker.final_seen"),
    Case("worker.before_settle", 2),
    Case("worker.settled"),
    Case("worker.settled", 3),
    Case("worker.pass_done", 3, "answers"),
    Case("bump.due"),
    Case("bump.intent_built"),
    Case("bump.planned"),
    Case("bump.signed"),
    Case("bump.stored"),
    Case("bump.sent"),
    Case("bump.sent", 2),
    Case("start.store_opened", counted="start"),
    Case("start.signer_started", counted="start"),
    Case("start.lanes_checked", counted="start"),
    Case("start.ready", counted="start"),
)


class Worlds:
    """The worlds of one test process: each takes one case after the other, until one fails in it."""

    def __init__(self, prepared: Prepared, stack: ExitStack) -> None:
        self._prepared = prepared
        self._stack = stack
        self._open: dict[int, World] = {}

    def running(self, bump_after_ms: int) -> World:
        """A world with its service up and nothing under way."""
        world = self._open.get(bump_after_ms)
        if world is None or not world.whole:
            if world is not None:
                world.kill()
            world = self._open[bump_after_ms] = self.new(bump_after_ms)
            assert world.start(), world.log()
        return world

    def new(self, bump_after_ms: int) -> World:
        # Not pytest's folder: its paths are too long for the signer's socket.
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-")))
        world = World(self._prepared, self._stack.enter_context(anvil(mining=False)), folder, bump_after_ms)
        self._stack.callback(world.kill)
        world.open()
        return world


@pytest.fixture(scope="module")
def worlds(prepared: Prepared) -> Iterator[Worlds]:
    with ExitStack() as stack:
        yield Worlds(prepared, stack)


def die(world: World, case: Case) -> None:
    """Ask for the withdrawals and have every process killed at the case's moment; nothing else may end them."""
    if case.counted == "requests":
        world.command_death(str(case))
    world.ask_all()
    if case.counted == "answers":
        world.command_death(str(case))
    if case.counted == "start":
        world.await_states("sent", "confirmed", mining=False)
        world.kill()
        world.command_death(str(case))
        assert not world.start()
    assert world.await_crash(mining=not case.is_bump) == -signal.SIGKILL, world.log()
    assert world.died_at() == str(case)
    world.kill()


def recover(world: World) -> int:
    """Start again and finish; how many of the withdrawals just asked for there are.

    Everybody repeats the very same request, except that the last customer gives up when no answer came.
    """
    assert world.start(), world.log()
    for asked in world.asked:
        if asked.withdrawal_id is not None or asked is not world.asked[-1]:
            before = asked.withdrawal_id
            asked.withdrawal_id = world.repeat(asked)
            assert before in (None, asked.withdrawal_id), "the answer to the same request changed"
    world.await_states("confirmed", mining=True)
    stored = {str(known): int(net) for known, net in world.read("SELECT withdrawal_id, net FROM withdrawals")}
    acknowledged = {
        asked.withdrawal_id: asked.net for asked in world.asked if asked.withdrawal_id is not None
    }
    assert acknowledged.items() <= stored.items(), "an acknowledged withdrawal is not what was asked for"
    new = Counter(stored.values()) - Counter(world.nets)
    assert new <= Counter(asked.net for asked in world.asked), "more withdrawals than were asked for"
    world.nets = list(stored.values())
    return new.total()


def test_every_named_point_is_killed_at() -> None:
    assert {case.point for case in CASES} | CALLBACK_POINTS == set(POINTS)
    assert len(POINTS) >= 40


@pytest.mark.parametrize("case", CASES, ids=str)
def test_killed_there_it_pays_once_or_not_at_all(
    case: Case,
    worlds: Worlds,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    world = worlds.running(HASTY_MS if case.is_bump else PATIENT_MS)
    world.whole = False
    die(world, case)
    assert proof.unstored(world) == []
    paid = recover(world)
    assert proof.wrongly_paid(world) == []
    assert proof.wrong_nonces(world) == []
    assert proof.wrong_signatures(world.state / "signer" / "signer.log") == []
    assert proof.illegal_histories(world) == []
    assert main(["verify", "--state", str(world.state)]) == 0, capsys.readouterr().out
    world.whole = True
    record_property("tally", {"kills": 1, "paid exactly once": paid, "not at all": len(world.asked) - paid})


def test_sending_before_storing_is_caught(worlds: Worlds) -> None:
    world = worlds.new(PATIENT_MS)
    world.switches = {SEND_BEFORE_STORE: "1"}
    assert world.start(), world.log()
    die(world, Case("worker.sent"))
    assert len(proof.unstored(world)) == 1


def seeded(state: Path) -> dict[str, int]:
    """How much of everything a sandbox begins with is there."""
    tables = ("accounts", "api_keys", "book", "deposits", "deposit_addresses", "balances", "postings")
    with contextlib.closing(apsw.Connection(str(state / "penstock.db"))) as database:
        return {name: next(database.execute(f"SELECT count(*) FROM {name}"))[0] for name in tables}


@pytest.mark.parametrize("crash_at", ["start.store_opened:1", "store.before_commit:2", "store.committed:2"])
def test_a_sandbox_killed_while_it_is_seeded_is_completed_by_the_next_start(
    crash_at: str, prepared: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    with anvil(mining=False) as node:
        killed = start_sandbox(state, node, crash_at)
        assert ready_url(killed) == ""
        assert killed.wait(READY_S_MAX) == -signal.SIGKILL
        kill_group(killed)
        again = start_sandbox(state, node)
        try:
            assert ready_url(again)
        finally:
            kill_group(again)
    assert seeded(state) == seeded(prepared.state)
    assert main(["verify", "--state", str(state)]) == 0, capsys.readouterr().out
