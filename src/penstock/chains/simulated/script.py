"""Scripted outcomes for the operators of a sandbox and for tests: what a simulated chain shall do next."""

from __future__ import annotations

from penstock.chains.simulated.node import SimulatedNode
from penstock.core.time import Clock


class Script:
    """Orders to one node. Each is stored with the node's state, so a restart keeps those still to come.

    "Next" means the next new transaction the node is offered, whoever it pays; a resend of known bytes is
    not one.
    """

    def __init__(self, node: SimulatedNode, clock: Clock) -> None:
        self._node, self._clock = node, clock

    def fail_next(self, count: int = 1) -> None:
        """Mine it, charge its fee, and do not pay. Its replacements fail too."""
        with self._node.moment() as world:
            world.planned.fail += count

    def stick_next(self, count: int = 1) -> None:
        """Keep it in the mempool until it is replaced at a higher fee."""
        with self._node.moment() as world:
            world.planned.stick += count

    def drop_next(self, count: int = 1) -> None:
        """Say that it was taken, and forget it."""
        with self._node.moment() as world:
            world.planned.drop += count

    def lose_next_answer(self, count: int = 1) -> None:
        """Take it, and give no answer."""
        with self._node.moment() as world:
            world.planned.lose_answer += count

    def lie_next(self, count: int = 1) -> None:
        """Take it, and answer with another hash."""
        with self._node.moment() as world:
            world.planned.lie += count

    def drop(self, tx_hash: str) -> bool:
        """Forget a transaction that waits in the mempool; False when it does not wait there."""
        return self._node.forget(tx_hash)

    def reorg(self, depth: int, *, vanish: bool = False) -> None:
        """Replace the last `depth` blocks; their transactions wait again, or are forgotten when `vanish`."""
        self._node.reorganise(depth, vanish=vanish)

    def pause_mining(self) -> None:
        """Make no more blocks: the height stands still until `resume_mining`."""
        with self._node.moment() as world:
            if world.paused_at_ms is None:
                world.paused_at_ms = self._clock.now_ms()

    def resume_mining(self) -> None:
        """Go on where it stood; the time of the pause makes no blocks."""
        with self._node.moment() as world:
            if world.paused_at_ms is not None:
                world.genesis_ms += max(self._clock.now_ms() - world.paused_at_ms, 0)
                world.paused_at_ms = None

    def silence(self, for_ms: int) -> None:
        """Answer nothing for so long; the chain itself goes on."""
        with self._node.moment() as world:
            world.planned.silent_until_ms = self._clock.now_ms() + for_ms

    def set_fee_floor(self, fee: int) -> None:
        """Mine nothing below this fee: what waits with less is stuck until replaced, or the floor falls."""
        assert fee >= 0, fee
        with self._node.moment() as world:
            world.fee_floor = fee
