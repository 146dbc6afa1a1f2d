"""The whole service under random faults, from one seed: payments happen once or not at all.

SEED=123 replays one walk exactly; SEEDS=1000 runs so many from SEED (or 1) on. A failure names its seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from penstock.chains.simulated.faults import Faults
from penstock.core.acts import FreezeAccount, RemoveBookEntry, SetControl
from penstock.core.ids import WithdrawalId
from penstock.core.refusals import Refused
from penstock.core.states import State
from penstock.core.views import Accepted
from penstock.engine.sending_rows import AttemptRow, LaneRow
from penstock.engine.transitions import TRANSITIONS
from penstock.signer.messages import Reason
from penstock.workers.chain_worker import run_pass
from penstock.workers.lane import Lane
from tests.simulation.deployment import BLOCK_MS, RECEIVERS, Deployment

STEPS = 60
CHECK_EVERY = 6
_first = int(os.environ.get("SEED", "1"))
_count = int(os.environ.get("SEEDS", "1" if "SEED" in os.environ else "16"))
SEEDS = range(_first, _first + _count)


@dataclass
class Walk:
    """One run of the service: at each step something happens to it, then its worker makes a pass."""

    service: Deployment
    rng: random.Random
    ordered: dict[str, tuple[WithdrawalId, int]] = field(default_factory=dict)
    abandoned: list[Lane] = field(default_factory=list)
    raw_of: dict[int, bytes] = field(default_factory=dict)
    steps: int = STEPS

    def acts(self) -> list[tuple[int, Callable[[], None]]]:
        """What may happen, and how often."""
        return [
            (30, self.order),
            (8, self.repeat),
            (8, self.crash),
            (4, self.wake_an_abandoned_worker),
            (5, self.reorganise),
            (4, self.silence_node),
            (4, self.silence_signer),
            (4, self.lose_signer_answers),
            (3, self.stop_or_start),
            (3, self.change_book),
            (2, self.freeze_or_thaw),
            (4, self.let_time_pass),
            (3, self.jam),
        ]

    def run(self) -> None:
        acts = self.acts()
        for step in range(self.steps):
            self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()
            run_pass(self.service.lane)
            self.service.clock.advance(self.rng.choice((0, BLOCK_MS // 2, BLOCK_MS, 2 * BLOCK_MS)))
            if step % CHECK_EVERY == 0:
                self.check()
        self.calm_down()

    def calm_down(self) -> None:
        """Every fault stops, so everything must come to its end."""
        service = self.service
        service.node._faults = Faults()
        service.signer.silent = service.signer.loses_answers = False
        service.signer.refuses = lambda _: None
        service.script.set_fee_floor(1_000)
        service.run(SetControl("test", "sending", stopped=False))
        service.run(SetControl("test", "network/tron", stopped=False))
        service.clock.advance(service.pace.lease_ms + 60_000)
        service.run_until_final()
        self.check()
        service.check_settled()
        lane = service.store.reader().lane("tron", service.sender)
        assert isinstance(lane, LaneRow)
        assert not lane.quarantine

    def check(self) -> None:
        service = self.service
        service.check()
        for attempt in service.store.reader().rows(AttemptRow):
            # Every attempt is kept, with the very bytes it was given first.
            if attempt.raw is not None:
                assert self.raw_of.setdefault(attempt.attempt_id, attempt.raw) == attempt.raw
        assert set(service.node.offered if hasattr(service.node, "offered") else ()) <= set(
            self.raw_of.values()
        )
        for row in service.rows():
            trace = service.states(row.withdrawal_id)
            assert all(State(after) in TRANSITIONS[State(before)] for before, after in pairwise(trace))
        assert len(service.rows()) == len(self.ordered)

    # --- what can happen ---

    def order(self) -> None:
        number = len(self.ordered)
        asset = self.rng.choice(("USDT", "USDT", "TRX"))
        self._ask(f"request-{number}", 5_000_000 + number, asset, self.rng.randrange(len(RECEIVERS)))

    def repeat(self) -> None:
        if self.ordered:
            request_id = self.rng.choice(sorted(self.ordered))
            before = self.ordered[request_id]
            answer = self.service.run(self.service.order(request_id, 1))
            assert isinstance(answer, Accepted)
            assert (answer.repeated, answer.withdrawal_id, answer.accepted_ms) == (True, *before)

    def _ask(self, request_id: str, amount: int, asset: str, receiver: int) -> None:
        try:
            answer = self.service.run(self.service.order(request_id, amount, asset, receiver))
        except Refused:
            return
        assert isinstance(answer, Accepted)
        self.ordered[request_id] = (answer.withdrawal_id, answer.accepted_ms)

    def crash(self) -> None:
        """The worker dies, or sleeps; another one starts with nothing but what is stored."""
        self.abandoned.append(self.service.lane)
        self.service.lane = self.service.new_lane()
        if self.rng.random() < 0.7:
            self.service.clock.advance(self.service.pace.lease_ms)

    def wake_an_abandoned_worker(self) -> None:
        if self.abandoned:
            run_pass(self.rng.choice(self.abandoned))

    def reorganise(self) -> None:
        # Below finality: with five confirmations a fork of four blocks undoes nothing that is settled.
        self.service.script.reorg(self.rng.randint(1, 4), vanish=self.rng.random() < 0.5)

    def silence_node(self) -> None:
        self.service.script.silence(self.rng.choice((500, 3_000)))

    def silence_signer(self) -> None:
        self.service.signer.silent = not self.service.signer.silent

    def lose_signer_answers(self) -> None:
        self.service.signer.loses_answers = not self.service.signer.loses_answers

    def stop_or_start(self) -> None:
        name = self.rng.choice(("sending", "network/tron"))
        self.service.run(SetControl("test", name, stopped=self.rng.random() < 0.4))

    def change_book(self) -> None:
        service, at = self.service, self.rng.randrange(len(RECEIVERS))
        service.run(RemoveBookEntry("test", service.account_id, service.entries[at]))
        run_pass(service.lane)
        service.entries[at] = service.add_address(RECEIVERS[at])

    def freeze_or_thaw(self) -> None:
        for frozen in (True, False):
            self.service.run(FreezeAccount("test", self.service.account_id, frozen=frozen))
            run_pass(self.service.lane)

    def let_time_pass(self) -> None:
        self.service.clock.advance(self.rng.choice((10_000, 60_000)))

    def jam(self) -> None:
        self.service.script.set_fee_floor(self.rng.choice((1_000, 1_500, 3_000)))
        unwanted = str(4_000_000 + self.rng.randrange(len(self.ordered) + 1))
        self.service.signer.refuses = lambda intent: Reason.DAY_LIMIT if intent.units == unwanted else None


@pytest.mark.parametrize("seed", SEEDS)
def test_every_withdrawal_is_paid_once_or_not_at_all(deploy: Callable[..., Deployment], seed: int) -> None:
    rng = random.Random(seed)
    faults = Faults(
        silent=rng.choice((0, 150)),
        lose_answer=rng.choice((0, 150)),
        drop=rng.choice((0, 150)),
        stick=rng.choice((0, 150)),
        fail=rng.choice((0, 150)),
        reorg=rng.choice((0, 200)),
        reorg_depth_max=4,
    )
    Walk(deploy(seed=seed, faults=faults), rng).run()
