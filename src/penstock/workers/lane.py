"""What the steps of a chain worker share: one sender on one network, and the lease under which it acts
there.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from penstock.chains.chain import Chain
from penstock.core.catalogue import Catalogue
from penstock.core.commands import ClaimLane, Command, LaneStep
from penstock.core.intents import Intent
from penstock.core.refusals import InDoubt, RefusalCode, Refused
from penstock.core.time import Clock
from penstock.engine.sending_rows import LaneRow
from penstock.store.store import Store

COMMIT_TIMEOUT_S = 30.0


class SignedBytes(Protocol):
    """raw: the transaction to store and send. tx_hash: as the signer computed it."""

    @property
    def raw(self) -> bytes: ...
    @property
    def tx_hash(self) -> str: ...


class Signer(Protocol):
    """The signing process, as a worker sees it (signer/client.py)."""

    def sign(self, intent: Intent) -> SignedBytes: ...

    def has_signed(self, network: str, nonce: int) -> bool:
        """Whether its log holds any transaction for that nonce of its key on that network."""
        ...

    def address(self, network: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker spends its time. in_flight_max: nonces open at once; more wait in `held`.

    bump_after_ms: how long a transaction may wait outside a block before its fee is raised.
    fee_ceiling_factor: how far fees may rise in all, held with the money at planning.
    """

    lease_ms: int = 15_000
    in_flight_max: int = 64
    bump_after_ms: int = 60_000
    fee_ceiling_factor: int = 4
    resend_after_ms: int = 5_000


@dataclass(slots=True)
class Lane:
    """One network's sender with everything needed to act for it.

    alone: no worker of another process can live beside this one, so a dead one's lease is taken over at once.
    unsafe_send_before_store: a switch for the crash test alone; it plants the very bug the test must find.
    """

    network: str
    sender: str
    owner: str
    chain: Chain
    signer: Signer
    store: Store
    clock: Clock
    catalogue: Catalogue
    pace: Pace
    alone: bool = False
    unsafe_send_before_store: bool = False
    held: LaneRow | None = None
    sent_at_ms: dict[int, int] = field(default_factory=dict[int, int])
    """When this process last offered each attempt's bytes. Only spares a busy node, decides nothing."""
    bump_tried_at_ms: dict[int, int] = field(default_factory=dict[int, int])
    """When this process last tried to raise the fee at each nonce; spares signer and database likewise."""

    @property
    def step(self) -> LaneStep:
        assert self.held is not None, "claim the lane first"
        return LaneStep(self.network, self.sender, self.owner, self.held.epoch)

    def claim(self) -> LaneRow:
        """Take the lease, or renew it when half of it is gone. Raises Refused(NOT_NOW), Unavailable,
        InDoubt.
        """
        row = self.store.reader().lane(self.network, self.sender)
        mine = (
            row is not None
            and self.held is not None
            and (row.owner, row.epoch) == (self.owner, self.held.epoch)
        )
        if mine and row is not None and row.lease_until_ms - self.clock.now_ms() > self.pace.lease_ms // 2:
            self.held = row
            return row
        return self._claim(self._first_nonce() if row is None else 0)

    def confirm_durable(self) -> None:
        """Return once all that was read before is as durable as what we are told of our own commits.

        A row can be seen although nobody was told that it is stored: where its commit's wait for a standby was cut
        short, it is on one machine, and gone when another takes over. A commit of our own comes after it in the log.
        Raises as `claim` does, and Refused(NOT_NOW) where the lease had ended in between: what was read must not be
        acted on then.
        """
        held = self.held
        assert held is not None, "claim the lane first"
        if self._claim(0).epoch != held.epoch:
            raise Refused(RefusalCode.NOT_NOW, lease="lost")

    def _claim(self, first_nonce: int) -> LaneRow:
        claim = ClaimLane(self.network, self.sender, self.owner, self.pace.lease_ms, first_nonce, self.alone)
        answer = self.run(claim)
        assert isinstance(answer, LaneRow)
        self.held = answer
        return answer

    def keep(self) -> None:
        """Renew the lease in the middle of long work, when half of it is gone; before that, asks nobody.

        A pass over many payments, or at a slow node, takes longer than a lease: without this its end would find the
        lane lost, as would the next one's, and nothing would ever come of either. Raises as `claim` does, and
        Refused(NOT_NOW) where the lease had ended in between.
        """
        held = self.held
        assert held is not None, "claim the lane first"
        if held.lease_until_ms - self.clock.now_ms() > self.pace.lease_ms // 2:
            return
        if self.claim().epoch != held.epoch:
            raise Refused(RefusalCode.NOT_NOW, lease="lost")

    def _first_nonce(self) -> int:
        """Where a lane begins that the database knows nothing of: at the chain's next nonce.

        Unless our signer has signed for the one before. Then the database is older than the signer's log (a backup
        from before the first payment), and what it calls unpaid may be paid. The lane then begins behind the chain,
        which quarantines it, whenever the process may die on the way.
        """
        first = self.chain.next_nonce(self.sender)
        return first - 1 if first and self.signer.has_signed(self.network, first - 1) else first

    def may_send(self) -> bool:
        """Whether new transactions may be planned, signed and sent here right now."""
        row = self.store.reader().lane(self.network, self.sender)
        return row is not None and not row.quarantine and not self.store.reader().stopped(self.network)

    def run(self, command: Command) -> object:
        """Have a command decided and committed; its answer, or what the store raises."""
        return wait(self.store.submit(command))

    def run_all(self, commands: list[Command]) -> list[object]:
        """Several in one batch, as far as the writer takes them together. Outcomes in order; exceptions as
        values.
        """
        futures = [self.store.submit(command) for command in commands]
        return [_outcome(future) for future in futures]


def wait(future: Future[object]) -> object:
    outcome = _outcome(future)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _outcome(future: Future[object]) -> object:
    """What the store answered, or raises; raises InDoubt when it is still at it: a commit may wait for a standby."""
    try:
        error = future.exception(COMMIT_TIMEOUT_S)
    except TimeoutError:
        raise InDoubt(f"no commit within {COMMIT_TIMEOUT_S:.0f} s") from None
    return future.result() if error is None else error
