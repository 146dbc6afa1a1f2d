"""How a simulated chain moves: blocks from the passing of time, execution, and reorganisations.

Blocks without transactions cost nothing: only heights where something happened have a row ("anchor"), and the
hash of any block follows from the anchor at or below it. So a chain that slept for a month wakes at once.
"""

from __future__ import annotations

import msgspec

from penstock.chains.simulated.faults import Faults, chance
from penstock.chains.simulated.transaction import double_sha256, intent_of
from penstock.chains.simulated.world_file import Record, World, WorldFile

BLOCK_TRANSACTIONS_MAX = 500
_PERMILLE = 1_000


def advance(file: WorldFile, world: World, now_ms: int, faults: Faults) -> None:
    """Make the blocks that time owes. The result does not depend on how often or when anyone asks."""
    if world.paused_at_ms is not None:
        return
    target = (now_ms - world.genesis_ms) // world.block_ms
    while world.height < target:
        at_risk = faults.reorg > 0 and file.is_mined_above(world.height - faults.reorg_depth_max)
        ready = _ready(file, world.fee_floor)
        if not at_risk and not ready:
            world.height = target
            return
        if at_risk and chance(world.seed, f"reorg {world.height}", _PERMILLE) < faults.reorg:
            depth = 1 + chance(world.seed, f"depth {world.height}", faults.reorg_depth_max)
            reorganise(file, world, depth, vanish=bool(chance(world.seed, f"vanish {world.height}", 2)))
            ready = _ready(file, world.fee_floor)
        world.height += 1
        _mine(file, world, ready)


def block_hash(file: WorldFile, world: World, height: int) -> str:
    """64 hex digits. It changes whenever anything at or below `height` changes."""
    assert 0 <= height <= world.height, height
    return double_sha256(f"block {world.seed} {height} ".encode() + file.anchor(height)).hex()


def reorganise(file: WorldFile, world: World, depth: int, *, vanish: bool) -> None:
    """Replace the last `depth` blocks by empty ones on another branch.

    Their transactions go back to the mempool, or are forgotten when `vanish`. Money that the faucet gave
    stays.
    """
    fork = max(world.height - depth, 0)
    if fork == world.height:
        return
    for record in file.mined_above(fork):
        _undo(file, world, record)
        file.forget(record.hash)
        if not vanish:
            file.put(msgspec.structs.replace(record, height=None, position=None, paid=None, reason=""))
    file.delete_anchors_above(fork)
    world.forks += 1
    file.set_anchor(fork + 1, double_sha256(f"fork {world.forks} ".encode() + file.anchor(fork)))


def _ready(file: WorldFile, fee_floor: int) -> list[Record]:
    """What the next block takes: per sender an unbroken run of nonces, with fees at or above the floor."""
    ready: list[Record] = []
    sender, expected, blocked = "", 0, False
    for record in file.pooled():
        if record.sender != sender:
            sender, expected, blocked = record.sender, file.next_nonce(record.sender), False
        blocked = blocked or record.nonce != expected or record.stuck or record.fee < fee_floor
        if not blocked:
            ready.append(record)
            expected += 1
    return ready[:BLOCK_TRANSACTIONS_MAX]


def _mine(file: WorldFile, world: World, records: list[Record]) -> None:
    """Execute `records` in the block at world.height."""
    content = hashed = b""
    unpayable: set[str] = set()
    position = 0
    for record in records:
        if record.sender in unpayable:
            continue
        mined = _execute(file, world, record, position)
        if mined is None:
            unpayable.add(record.sender)
            file.forget(record.hash)
            continue
        file.put(mined)
        content += f"{mined.hash} {mined.paid} ".encode()
        position += 1
    if content:
        hashed = double_sha256(f"content {world.height} ".encode() + file.anchor(world.height) + content)
        file.set_anchor(world.height, hashed)


def _execute(file: WorldFile, world: World, record: Record, position: int) -> Record | None:
    """The record as mined, balances and nonce moved; None when the sender cannot pay the block for it."""
    intent, sender = intent_of(record.raw), record.sender
    units = int(intent.units)
    is_native = intent.asset == world.native
    if file.balance(sender, world.native) < record.fee + (units if is_native else 0):
        return None
    assert file.next_nonce(sender) == record.nonce, record.hash
    file.set_next_nonce(sender, record.nonce + 1)
    file.add_balance(sender, world.native, -record.fee)
    file.add_totals(world.native, burned=record.fee)
    reason = ""
    if record.doomed:
        reason = "reverted"
    elif file.balance(sender, intent.asset) < units:
        reason = "balance too low"
    else:
        file.add_balance(sender, intent.asset, -units)
        file.add_balance(intent.to, intent.asset, units)
    return msgspec.structs.replace(
        record, height=world.height, position=position, paid=not reason, reason=reason
    )


def _undo(file: WorldFile, world: World, record: Record) -> None:
    """Take one execution back; the newest one first, so that no balance goes below zero on the way."""
    intent, sender = intent_of(record.raw), record.sender
    if record.paid:
        file.add_balance(intent.to, intent.asset, -int(intent.units))
        file.add_balance(sender, intent.asset, int(intent.units))
    file.add_balance(sender, world.native, record.fee)
    file.add_totals(world.native, burned=-record.fee)
    file.set_next_nonce(sender, record.nonce)
