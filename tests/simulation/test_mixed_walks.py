"""The whole service under random faults, with everything that venues may ask and people may decide mixed in.

SEED and SEEDS as in test_random_walks.py.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

import msgspec
import pytest

from penstock.chains.simulated.faults import Faults
from penstock.core.acts import Approve, Cancel, CreditDeposit, Decline, SetControl
from penstock.core.amounts import Units
from penstock.core.commands import AnswerChallenge, Command, Exchange, FeeRule
from penstock.core.ids import WithdrawalId
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.views import Accepted, AnswerRejected
from penstock.engine.rows import BalanceRow
from penstock.engine.rules import Policy
from penstock.workers.sweeper import sweep
from tests.simulation.deployment import FEE, RECEIVERS, Deployment
from tests.simulation.test_random_walks import SEEDS, Walk

replace = msgspec.structs.replace

LIFE_MS = 120_000
STEPS = 120
BTC = 10**9
SCALES = {"USDT": 6, "TRX": 6, "BTC": 8}
POLICY = Policy(approval_from_usd=450_000_000)
"""Four and a half dollars: about half of what is asked for waits."""


@dataclass(frozen=True)
class Asked:
    """What was asked for and what it debits, worked out here: no figure is the service's own."""

    debit_asset: str
    amount: int
    asset: str
    net: int
    receiver: str


@dataclass
class MixedWalk(Walk):
    """A walk with quotes and their answers, conversions, exchanges, decisions and restarts."""

    asked: dict[WithdrawalId, Asked] = field(default_factory=dict)
    quotes: dict[str, int] = field(default_factory=dict)
    """Until when each quote may be answered."""
    answered: dict[str, Accepted] = field(default_factory=dict)
    exchanged: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def acts(self) -> list[tuple[int, Callable[[], None]]]:
        return [
            *((weight, act) for weight, act in super().acts() if act != self.order),
            (24, self.order_anyhow),
            (14, self.answer),
            (5, self.exchange),
            (14, self.decide),
            (5, self.sweep),
            (3, self.restart),
            (8, self.start_again),
        ]

    # --- what can happen ---

    def order_anyhow(self) -> None:
        """A payment by any fee rule, in any asset, quoted or not, inside or outside the book, converted or not."""
        number, rng = len(self.ordered), self.rng
        net, asset, fee_rule = (
            4_000_000 + number,
            rng.choice(("USDT", "USDT", "TRX")),
            rng.choice(tuple(FeeRule)),
        )
        receiver = rng.randrange(len(RECEIVERS))
        given = net + (FEE if fee_rule is FeeRule.INSIDE else 0)
        asked = Asked(asset, net + (0 if fee_rule is FeeRule.NONE else FEE), asset, net, RECEIVERS[receiver])
        conversion = None
        if rng.random() < 0.3:
            conversion = self._conversion("BTC", asset, Given.RECEIVED)
            buys = self._buys(conversion.rate)
            fee = 0 if fee_rule is FeeRule.NONE else ceil(FEE / buys)
            given, asked = net, Asked("BTC", ceil(net / buys) + fee, asset, net, RECEIVERS[receiver])
        quoted = rng.random() < 0.3
        order = replace(
            self.service.order(f"request-{number}", given, asset, receiver),
            fee_rule=fee_rule,
            conversion=conversion,
            any_address=rng.random() < 0.5,
            notify=rng.random() < 0.5,
            numbered=rng.random() < 0.5,
            challenge_ms=LIFE_MS if quoted else 0,
        )
        accepted = self._taken(order, order.request_id)
        if accepted is not None:
            assert (accepted.amount, accepted.net) == (asked.amount, asked.net)
            assert (accepted.state is State.CHALLENGED) == quoted
            self.asked[accepted.withdrawal_id] = asked
            if quoted:
                self.quotes[order.request_id] = self.service.clock.at_ms + LIFE_MS

    def answer(self) -> None:
        if not self.quotes:
            return
        nonce, valid = self.rng.choice(list(self.quotes)[-5:]), self.rng.random() < 0.8
        command = AnswerChallenge(
            self.service.account_id, "key-1", "bitmart", nonce, "signature", valid, ("spot", "fund")
        )
        in_time = self.service.clock.at_ms <= self.quotes[nonce]
        outcome = self._outcome(command)
        if isinstance(outcome, Refused):
            self.seen[outcome.code.value] += 1
            wrong_after = nonce in self.answered and not valid
            assert (outcome.code is RefusalCode.CHALLENGE_USED) == wrong_after
            assert nonce not in self.answered or wrong_after
            assert outcome.code is not RefusalCode.CHALLENGE_EXPIRED or not in_time
            return
        if isinstance(outcome, AnswerRejected):
            assert not valid
            return
        assert isinstance(outcome, Accepted)
        first = self.answered.setdefault(nonce, outcome)
        assert valid
        assert (outcome.withdrawal_id, outcome.number) == (first.withdrawal_id, first.number)
        assert outcome.repeated == (outcome is not first)
        assert outcome.repeated or in_time
        self.seen["answered again" if outcome.repeated else "answered"] += 1

    def exchange(self) -> None:
        rng, number = self.rng, len(self.ordered)
        source, target = rng.sample(sorted(SCALES), 2)
        conversion = self._conversion(source, target, rng.choice(tuple(Given)))
        amount = rng.choice((1, 999, 10_000))
        command = Exchange(
            self.service.account_id,
            "key-1",
            "bitmart",
            f"request-{number}",
            "",
            ("spot",),
            Units(amount),
            conversion,
        )
        buys = self._buys(conversion.rate)
        bought = conversion.given is Given.RECEIVED
        debit, received = (ceil(amount / buys), amount) if bought else (amount, floor(amount * buys))
        accepted = self._taken(command, command.request_id)
        if accepted is not None:
            assert (accepted.state, accepted.amount, accepted.net) == (State.CONFIRMED, debit, received)
            self.exchanged[source] -= debit
            self.exchanged[target] += received

    def decide(self) -> None:
        """Somebody approves, declines or cancels, in time or not."""
        if not self.asked:
            return
        withdrawal_id = self.rng.choice(list(self.asked)[-8:])
        row = self.service.row(withdrawal_id)
        decisions: list[tuple[Command, set[State], State]] = [
            (Approve("ops", withdrawal_id), {State.AWAITING_APPROVAL}, State.APPROVED),
            (Decline("ops", withdrawal_id, "odd"), UNPLANNED, State.REJECTED),
            (Cancel("ops", withdrawal_id), UNPLANNED, State.CANCELLED),
        ]
        command, allowed, after = self.rng.choices(decisions, (3, 1, 1))[0]
        if row.state in allowed:
            self.service.run(command)
            assert self.service.row(withdrawal_id).state is after
            self.seen[after.value] += 1
        else:
            with pytest.raises(Refused) as refused:
                self.service.run(command)
            assert refused.value.code is RefusalCode.NOT_NOW

    def sweep(self) -> None:
        self.seen["expired"] += sweep(self.service.store, self.service.clock)

    def restart(self) -> None:
        # An older lane of this process would still hold the store that is closed now.
        self.abandoned.clear()
        self.service.restart()

    def start_again(self) -> None:
        # A stopped network also takes nothing in; that would make for a dull walk.
        self.service.run(SetControl("test", "network/tron", stopped=False))

    # --- sums ---

    def _conversion(self, source: str, target: str, given: Given) -> Conversion:
        numerator, denominator = (self.rng.choice((1, 7, 90_000, 10**12 + 39)) for _ in range(2))
        at_ms = self.service.clock.now_ms()
        return Conversion(Rate(source, target, numerator, denominator, "table", at_ms), given)

    def _buys(self, rate: Rate) -> Fraction:
        coins = Fraction(rate.numerator, rate.denominator)
        return coins * 10 ** SCALES[rate.target] / 10 ** SCALES[rate.source]

    def _outcome(self, command: Command) -> object:
        future = self.service.store.submit(command)
        return future.exception(10) or future.result(10)

    def _taken(self, command: Command, request_id: str) -> Accepted | None:
        accepted = self._outcome(command)
        if isinstance(accepted, Refused):
            self.seen[accepted.code.value] += 1
            return None
        assert isinstance(accepted, Accepted)
        assert not accepted.repeated
        self.ordered[request_id] = (accepted.withdrawal_id, accepted.accepted_ms)
        self.seen["taken"] += 1
        return accepted

    def check(self) -> None:
        super().check()
        service = self.service
        states = {row.withdrawal_id: row.state for row in service.rows()}
        held: dict[str, int] = defaultdict(int)
        for withdrawal_id, asked in self.asked.items():
            if states[withdrawal_id] not in NOTHING_HELD:
                held[asked.debit_asset] += asked.amount
        for row in service.store.reader().rows(BalanceRow):
            if row.account_id:
                assert row.held == held[row.asset], row
        for nonce in self.quotes.keys() - self.answered.keys():
            assert states[self.ordered[nonce][0]] in {State.CHALLENGED, State.EXPIRED}

    def calm_down(self) -> None:
        """Whoever waits for people gets a yes; what nobody answered runs out."""
        self.service.clock.advance(LIFE_MS + 1)
        self.sweep()
        for row in self.service.rows():
            if row.state is State.AWAITING_APPROVAL:
                self.service.run(Approve("ops", row.withdrawal_id))
        super().calm_down()
        self._compare_with_the_chain()

    def _compare_with_the_chain(self) -> None:
        """What the customer has left is what came in, less what the chain shows as paid for him."""
        service = self.service
        shown = {
            (payment.to, payment.asset, payment.units) for payment in service.node.payments() if payment.paid
        }
        for asset in SCALES:
            spent = sum(
                asked.amount
                for asked in self.asked.values()
                if asked.debit_asset == asset and (asked.receiver, asked.asset, asked.net) in shown
            )
            row = service.store.reader().row(BalanceRow, service.account_id, asset, "spot")
            assert row is not None
            came_in = BTC if asset == "BTC" else service.deposit
            assert (row.available, row.held) == (came_in + self.exchanged[asset] - spent, 0), asset


UNPLANNED = {State.HELD, State.AWAITING_APPROVAL, State.APPROVED}
NOTHING_HELD = {
    State.CHALLENGED,
    State.EXPIRED,
    State.CONFIRMED,
    State.REJECTED,
    State.CANCELLED,
    State.FAILED,
}


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_asked_and_decided_is_paid_once_or_given_back_once(
    deploy: Callable[..., Deployment], seed: int, record_property: Callable[[str, object], None]
) -> None:
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
    service = deploy(seed=seed, faults=faults, policy=POLICY)
    service.run(CreditDeposit("test", service.account_id, "spot", "BTC", "", Units(BTC), "first BTC"))
    walk = MixedWalk(service, rng, steps=STEPS)
    walk.run()
    record_property("tally", dict(walk.seen))
    assert walk.seen["taken"] > 5, walk.seen
