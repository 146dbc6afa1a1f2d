"""Kill everything at each named moment; what the node shows afterwards is each withdrawal paid once or not at all."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.cli.main import main
from penstock.core.points import POINTS
from penstock.process import SEND_BEFORE_STORE
from tests.acceptance import crash_proof as proof
from tests.acceptance.crash_world import Prepared, World, prepare
from tests.nodes import anvil

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
    # One batch takes the requests, then come plan, signed bytes, sent, mined and settled, and lease renewals between.
    Case("store.batch_taken"),
    Case("store.batch_begun", 2),
    Case("store.batch_loaded", 3),
    Case("store.batch_decided", 4),
    Case("store.batch_written", 5),
    *(Case("store.before_commit", n) for n in range(1, 8)),
    *(Case("store.committed", n) for n in range(1, 8)),
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


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("crash"))


@pytest.fixture
def make_world(prepared: Prepared) -> Iterator[Callable[[int], World]]:
    with ExitStack() as stack:

        def make(bump_after_ms: int) -> World:
            # Not pytest's folder: its paths are too long for the signer's socket.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-")))
            world = World(prepared, stack.enter_context(anvil(mining=False)), folder, bump_after_ms)
            stack.callback(world.kill)
            world.open()
            return world

        yield make


def die(world: World, case: Case, switches: dict[str, str] | None = None) -> None:
    """Ask for the withdrawals and have every process killed at the case's moment; nothing else may end them."""
    bumps = case.point.startswith("bump.")
    if case.counted == "start":
        assert world.start(), world.log()
        world.ask_all()
        world.await_states("sent", mining=False)
        world.kill()
        world.gate.touch()
        assert not world.start(f"{case.point}:{case.n}")
    else:
        assert world.start(f"{case.point}:{case.n}", switches), world.log()
        if case.counted == "requests":
            world.gate.touch()
        world.ask_all()
        world.gate.touch()
    assert world.await_crash(mining=not bumps) == -signal.SIGKILL, world.log()
    assert world.gate.read_text() == case.point
    world.kill()


def recover(world: World) -> list[int]:
    """Start again and finish; returns the net amounts of the withdrawals that there are.

    Everybody repeats the very same request, except that the last customer gives up when no answer came.
    """
    assert world.start(), world.log()
    for asked in world.asked:
        if asked.withdrawal_id is not None or asked is not world.asked[-1]:
            before = asked.withdrawal_id
            asked.withdrawal_id = world.repeat(asked)
            assert before in (None, asked.withdrawal_id), "the answer to the same request changed"
    world.await_states("confirmed", mining=True)
    world.kill()
    stored = {str(known): int(net) for known, net in world.read("SELECT withdrawal_id, net FROM withdrawals")}
    for asked in world.asked:
        if asked.withdrawal_id is not None:
            assert stored[asked.withdrawal_id] == asked.net, "an acknowledged withdrawal is not what was asked for"
    assert len(stored) <= len(world.asked)
    return list(stored.values())


def test_every_named_point_is_killed_at() -> None:
    assert {case.point for case in CASES} == set(POINTS)
    assert len(POINTS) >= 40


@pytest.mark.parametrize("case", CASES, ids=str)
def test_killed_there_it_pays_once_or_not_at_all(
    case: Case,
    make_world: Callable[[int], World],
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    world = make_world(HASTY_MS if case.point.startswith("bump.") else PATIENT_MS)
    die(world, case)
    assert proof.unstored(world) == []
    nets = recover(world)
    assert proof.wrongly_paid(world, nets) == []
    assert proof.wrong_nonces(world) == []
    assert proof.wrong_signatures(world.state / "signer" / "signer.log") == []
    assert proof.illegal_histories(world) == []
    assert main(["verify", "--state", str(world.state)]) == 0, capsys.readouterr().out
    record_property("tally", {"kills": 1, "paid exactly once": len(nets), "not paid": len(world.asked) - len(nets)})


def test_sending_before_storing_is_caught(make_world: Callable[[int], World]) -> None:
    world = make_world(PATIENT_MS)
    die(world, Case("worker.sent"), {SEND_BEFORE_STORE: "1"})
    assert len(proof.unstored(world)) == 1
