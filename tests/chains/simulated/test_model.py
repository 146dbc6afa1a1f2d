"""A machine that does everything at random, against three laws: money is conserved, a nonce is used once,
and after any reorganisation the chain comes to the same end.
"""

from __future__ import annotations

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.chains.chain import Mined
from penstock.chains.simulated.node import NodeRefused, NodeSilent
from penstock.chains.simulated.transaction import decode, transaction_hash
from tests.chains.simulated.network import RECEIVER, Net, address, payment, sign

NUMBERS = st.integers(1, 2)


class SimulatedNetwork(RuleBasedStateMachine):
    """Two senders who also pay each other, and everything a script can do."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net()
        self.offered: list[bytes] = []

    @rule(
        number=NUMBERS,
        nonce=st.integers(0, 4),
        units=st.integers(0, 700),
        fee=st.integers(900, 3_000),
        asset=st.sampled_from(["USDT", "TRX"]),
        to=st.sampled_from([RECEIVER, address(1), address(2)]),
    )
    def pay(self, number: int, nonce: int, units: int, fee: int, asset: str, to: str) -> None:
        raw = sign(payment(nonce=nonce, units=units, fee=fee, number=number, asset=asset, to=to), number)
        self.offered.append(raw)
        with contextlib.suppress(NodeRefused, NodeSilent):
            self.net.node.submit(raw)

    @precondition(lambda self: self.offered)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        raw = data.draw(st.sampled_from(self.offered))
        with contextlib.suppress(NodeRefused, NodeSilent):
            self.net.node.submit(raw)

    @rule(ms=st.integers(0, 4_000))
    def wait(self, ms: int) -> None:
        self.net.clock.advance(ms)

    @rule(depth=st.integers(1, 5), vanish=st.booleans())
    def reorganise(self, depth: int, *, vanish: bool) -> None:
        self.net.script.reorg(depth, vanish=vanish)

    @rule()
    def reorganise_and_converge(self) -> None:
        # Whatever goes back to the mempool comes again in the same order, so the end is the same.
        self.net.script.resume_mining()
        self.net.script.set_fee_floor(0)
        self.net.blocks(1)
        before = self.net.node.balances(), self.net.node.totals()
        hashes = [found.hash for found in self.net.node.payments()]
        self.net.script.reorg(3)
        self.net.blocks(1)
        assert sorted(found.hash for found in self.net.node.payments()) == sorted(hashes)
        if len({decode(raw)[1] for raw in self.offered}) == 1:
            assert (self.net.node.balances(), self.net.node.totals()) == before

    @rule(
        order=st.sampled_from(["fail_next", "stick_next", "drop_next", "pause_mining", "resume_mining"]),
    )
    def order(self, order: str) -> None:
        getattr(self.net.script, order)()

    @rule(fee=st.integers(0, 2_000))
    def move_the_fee_floor(self, fee: int) -> None:
        self.net.script.set_fee_floor(fee)

    @rule(number=NUMBERS, units=st.integers(0, 100))
    def fund(self, number: int, units: int) -> None:
        self.net.node.fund(address(number), "USDT", units)

    @precondition(lambda self: self.offered)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.net.script.drop(transaction_hash(data.draw(st.sampled_from(self.offered))))

    @invariant()
    def money_is_conserved(self) -> None:
        sums: dict[str, int] = {}
        for (_, asset), units in self.net.node.balances().items():
            assert units >= 0
            sums[asset] = sums.get(asset, 0) + units
        assert sums == {asset: minted - burned for asset, (minted, burned) in self.net.node.totals().items()}

    @invariant()
    def each_nonce_is_used_once_and_none_is_left_out(self) -> None:
        for number in (1, 2):
            used = [found.nonce for found in self.net.node.payments() if found.sender == address(number)]
            assert used == list(range(self.net.node.next_nonce(address(number))))

    @invariant()
    def what_is_paid_is_what_was_signed(self) -> None:
        height = self.net.chain.head().height
        for found in self.net.node.payments():
            assert 0 < found.height <= height
            raw = next(raw for raw in self.offered if transaction_hash(raw) == found.hash)
            located = self.net.chain.locate(found.hash, decode(raw)[0])
            assert isinstance(located, Mined)
            assert located.paid == found.paid
            assert located.confirmations == height - found.height + 1


SimulatedNetwork.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestSimulatedNetwork = SimulatedNetwork.TestCase
