"""The simulated node: one network's chain and mempool behind a lock, moved by the clock whenever somebody
asks.

It stands for a node that somebody else runs: it trusts nothing it is sent, keeps its own state, and knows
nothing of withdrawals. No thread of its own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

import msgspec

from penstock.chains.simulated import blocks
from penstock.chains.simulated.faults import Faults, outcome_of
from penstock.chains.simulated.transaction import (
    InvalidTransaction,
    decode,
    double_sha256,
    intent_of,
    transaction_hash,
)
from penstock.chains.simulated.world_file import Record, World, WorldFile
from penstock.core.intents import SimulatedIntent
from penstock.core.time import Clock

POOL_MAX = 10_000
FEE_FLOOR = 1_000
REPLACEMENT_PERCENT = 110
"""A replacement pays at least this share of the fee it replaces (as go-ethereum's transaction pool asks)."""


class NodeRefused(Exception):
    """The node says why it does not take a transaction; it has not taken it."""


class NodeSilent(Exception):
    """The node did not answer. Whether it took what was sent is not known."""


class Receipt(msgspec.Struct, frozen=True):
    """What a mined transaction did. paid: the transfer took place. fee: charged in either case."""

    height: int
    block_hash: str
    paid: bool
    reason: str
    fee: int
    asset: str
    to: str
    memo: str
    units: int


class Payment(msgspec.Struct, frozen=True):
    """A mined transaction as seen from outside. paid: False for one that was mined and failed."""

    hash: str
    height: int
    sender: str
    nonce: int
    to: str
    memo: str
    asset: str
    units: int
    fee: int
    paid: bool


class Place(msgspec.Struct, frozen=True):
    """Where a transaction stands: in a block when there is a receipt. height: of the best block."""

    height: int
    known: bool
    receipt: Receipt | None


class SimulatedNode:
    """One simulated network. Balances, nonces and blocks are the node's own; money comes in by `fund` only.

    path: the file it lives in, or None for memory. An existing file goes on as it was: its seed, genesis
    and block time stand, whatever is given here. genesis_ms: by default the clock's time at creation.
    Raises WorldInUse when another process has the file, ValueError when the file belongs to another network.
    """

    def __init__(
        self,
        network: str,
        native: str,
        clock: Clock,
        *,
        seed: int = 0,
        block_ms: int = 1_000,
        genesis_ms: int | None = None,
        path: str | None = None,
        faults: Faults | None = None,
    ) -> None:
        assert block_ms > 0, block_ms
        self.network, self.native = network, native
        self._clock = clock
        self._faults = faults or Faults()
        self._lock = threading.Lock()
        self._file = WorldFile(path)
        with self._lock, self._file.transaction():
            world = self._file.load()
            if world is None:
                genesis_ms = clock.now_ms() if genesis_ms is None else genesis_ms
                world = World(network, native, seed, genesis_ms, block_ms, FEE_FLOOR)
                self._file.set_anchor(0, double_sha256(f"genesis {network} {seed}".encode()))
                self._file.save(world)
        if (world.network, world.native) != (network, native):
            self._file.close()
            raise ValueError(f"{path} holds {world.network} with {world.native}, not {network} with {native}")

    def close(self) -> None:
        """Nothing is lost without it."""
        with self._lock:
            self._file.close()

    # What a client asks over the wire; each may find the node silent.

    def height(self) -> int:
        with self._asked() as world:
            return world.height

    def suggested_fee(self) -> int:
        """The fee that gets a transaction into the next block now."""
        with self._asked() as world:
            return world.fee_floor

    def next_nonce(self, sender: str) -> int:
        with self._asked():
            return self._file.next_nonce(sender)

    def nonce_at(self, sender: str, height: int) -> int:
        """How many transactions of `sender` stand in blocks up to `height` (0 when it is negative)."""
        with self._asked():
            return self._file.next_nonce(sender) - self._file.count_mined_above(sender, height)

    def balance(self, holder: str, asset: str) -> int:
        with self._asked():
            return self._file.balance(holder, asset)

    def submit(self, raw: bytes) -> str:
        """Offer signed bytes; returns the hash the node says they have. Bytes it knows already are welcome.

        Raises NodeRefused for a bad signature, an old nonce, too little money or too low a replacement fee,
        and NodeSilent, after which the bytes may have been taken or not.
        """
        try:
            intent, sender = decode(raw)
        except InvalidTransaction as error:
            raise NodeRefused(str(error)) from error
        tx_hash = transaction_hash(raw)
        with self._asked() as world:
            if self._file.record(tx_hash):
                return tx_hash
            self._check(world, intent, sender)
            world.arrivals += 1
            outcome = outcome_of(self._faults, world.planned, world.seed, world.arrivals)
            if not (outcome.silent or outcome.drop):
                self._take(world, raw, intent, stuck=outcome.stick, doomed=outcome.fail)
        if outcome.silent or outcome.lose_answer:
            raise NodeSilent("no answer")
        return double_sha256(raw + b"lie").hex() if outcome.lie else tx_hash

    def locate(self, tx_hash: str) -> Place:
        with self._asked() as world:
            record = self._file.record(tx_hash)
            if record is None or record.height is None:
                return Place(height=world.height, known=record is not None, receipt=None)
            intent = intent_of(record.raw)
            receipt = Receipt(
                height=record.height,
                block_hash=blocks.block_hash(self._file, world, record.height),
                paid=bool(record.paid),
                reason=record.reason,
                fee=record.fee,
                asset=intent.asset,
                to=intent.to,
                memo=intent.memo,
                units=int(intent.units),
            )
            return Place(height=world.height, known=True, receipt=receipt)

    # What the sandbox and tests see or do from outside the chain; never silent.

    def fund(self, holder: str, asset: str, units: int) -> None:
        """The faucet: `units` of new money, outside any block, so that no reorganisation takes it back."""
        assert units >= 0, units
        with self.moment():
            self._file.add_balance(holder, asset, units)
            self._file.add_totals(asset, minted=units)

    def fund_once(self, holder: str, asset: str, units: int) -> bool:
        """As `fund`, unless `holder` ever had any of `asset`: for opening balances, safe to repeat."""
        with self.moment():
            if self._file.has_balance(holder, asset):
                return False
            self._file.add_balance(holder, asset, units)
            self._file.add_totals(asset, minted=units)
            return True

    def balances(self) -> dict[tuple[str, str], int]:
        """Every balance, by (holder, asset): what a check against the ledger scans."""
        with self.moment():
            return self._file.balances()

    def totals(self) -> dict[str, tuple[int, int]]:
        """(minted, burned) of each asset: minted - burned is always the sum of its balances."""
        with self.moment():
            return self._file.totals()

    def payments(self) -> list[Payment]:
        """All that stands in blocks, in order, failed ones too: what a check of "paid once" scans."""
        with self.moment():
            return [_payment(record) for record in reversed(self._file.mined_above(-1))]

    def block_hash(self, height: int) -> str:
        with self.moment() as world:
            return blocks.block_hash(self._file, world, height)

    def mempool(self) -> list[str]:
        """Hashes that wait."""
        with self.moment():
            return [record.hash for record in self._file.pooled()]

    def forget(self, tx_hash: str) -> bool:
        """Drop a waiting transaction; False when it does not wait."""
        with self.moment():
            record = self._file.record(tx_hash)
            if record is None or record.height is not None:
                return False
            self._file.forget(tx_hash)
            return True

    def reorganise(self, depth: int, *, vanish: bool = False) -> None:
        """See blocks.reorganise. depth: at least 1; a depth beyond the genesis block stops there."""
        assert depth >= 1, depth
        with self.moment() as world:
            blocks.reorganise(self._file, world, depth, vanish=vanish)

    @contextlib.contextmanager
    def moment(self) -> Generator[World]:
        """The chain as of now, for changes to its own numbers; all that is done inside is one commit."""
        with self._lock, self._file.transaction():
            world = self._file.load()
            assert world is not None, "the constructor saved one"
            blocks.advance(self._file, world, self._clock.now_ms(), self._faults)
            yield world
            self._file.save(world)

    @contextlib.contextmanager
    def _asked(self) -> Generator[World]:
        with self.moment() as world:
            if self._clock.now_ms() < world.planned.silent_until_ms:
                raise NodeSilent("no answer")
            yield world

    def _check(self, world: World, intent: SimulatedIntent, sender: str) -> None:
        if intent.network != self.network:
            raise NodeRefused(f"signed for {intent.network}, this is {self.network}")
        if intent.nonce < self._file.next_nonce(sender):
            raise NodeRefused("nonce too low")
        replaced = self._file.pooled_at(sender, intent.nonce)
        if replaced and intent.fee * 100 < replaced.fee * REPLACEMENT_PERCENT:
            raise NodeRefused("replacement transaction underpriced")
        if not replaced and self._file.pool_size() >= POOL_MAX:
            raise NodeRefused("transaction pool is full")
        units = int(intent.units)
        native_due = intent.fee + (units if intent.asset == world.native else 0)
        if self._file.balance(sender, world.native) < native_due or (
            self._file.balance(sender, intent.asset) < units
        ):
            raise NodeRefused("insufficient funds")

    def _take(self, world: World, raw: bytes, intent: SimulatedIntent, *, stuck: bool, doomed: bool) -> None:
        replaced = self._file.pooled_at(intent.sender, intent.nonce)
        if replaced:
            self._file.forget(replaced.hash)
            # A replacement leaves the jam, but pays no better: what fails, fails at any fee.
            stuck, doomed = False, doomed or replaced.doomed
        self._file.put(
            Record(
                hash=transaction_hash(raw),
                raw=raw,
                sender=intent.sender,
                nonce=intent.nonce,
                fee=intent.fee,
                arrival=world.arrivals,
                stuck=stuck,
                doomed=doomed,
            )
        )


def _payment(record: Record) -> Payment:
    assert record.height is not None, record.hash
    intent = intent_of(record.raw)
    return Payment(
        hash=record.hash,
        height=record.height,
        sender=record.sender,
        nonce=record.nonce,
        to=intent.to,
        memo=intent.memo,
        asset=intent.asset,
        units=int(intent.units),
        fee=record.fee,
        paid=bool(record.paid),
    )
