"""What must hold after a crash, judged from the node's state, the crash image and the signer's log.

Nothing here asks the code under test; each check returns what it found wrong, so that a planted bug can be
shown to be found.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import apsw
from eth_utils.crypto import keccak

from tests.acceptance.crash_world import World
from tests.nodes import Anvil

TRANSFER_TOPIC = "0x" + keccak(text="Transfer(address,address,uint256)").hex()


def unstored(world: World) -> list[str]:
    """Transactions of the hot wallet that the node knows, pending or mined, whose bytes are not in the crash
    image.

    Looked at after the kill and before any restart: bytes reached a socket before their row was durable. The
    image is copied first, so that looking changes nothing of what the next start finds.
    """
    image = world.folder / "image"
    shutil.rmtree(image, ignore_errors=True)
    image.mkdir()
    for name in ("penstock.db", "penstock.db-wal"):
        if (world.state / name).exists():
            shutil.copy(world.state / name, image / name)
    database = apsw.Connection(str(image / "penstock.db"))
    stored = {
        "0x" + keccak(raw).hex()
        for (raw,) in database.execute("SELECT raw FROM attempts WHERE raw IS NOT NULL")
    }
    database.close()
    known = [*pending(world.node, world.prepared.hot_wallet), *mined(world)]
    return sorted({sent["hash"] for sent in known} - stored)


def pending(node: Anvil, sender: str) -> list[dict[str, Any]]:
    """The sender's transactions in the node's pool."""
    pools = node.ask("txpool_content")
    return [
        sent
        for pool in (pools["pending"], pools["queued"])
        for address, by_nonce in pool.items()
        if address.lower() == sender.lower()
        for sent in by_nonce.values()
    ]


def mined(world: World) -> list[dict[str, Any]]:
    """The hot wallet's transactions in the chain, block by block, from the first."""
    height = int(world.node.ask("eth_blockNumber"), 16)
    for number in range(len(world.blocks), height + 1):
        world.blocks.append(world.node.ask("eth_getBlockByNumber", hex(number), True))
    sender = world.prepared.hot_wallet.lower()
    return [
        sent for block in world.blocks for sent in block["transactions"] if sent["from"].lower() == sender
    ]


def wrongly_paid(world: World) -> list[str]:
    """Compare all that the chain ever paid with the withdrawals there are: each once to the receiver, nothing
    else.
    """
    paid = Counter(
        (log["topics"][2][-40:], int(log["data"], 16))
        for log in transfers(world)
        if _from(log, world.prepared.hot_wallet)
    )
    wanted = Counter((world.receiver[2:].lower(), net) for net in world.nets)
    wrong = [f"paid once too often: {one}" for one in paid - wanted]
    wrong += [f"not paid: {one}" for one in wanted - paid]
    balance = world.node.token_balance(world.prepared.contract, world.receiver)
    if balance != sum(world.nets):
        wrong.append(f"the receiver has {balance}, not {sum(world.nets)}")
    return wrong


def transfers(world: World) -> list[dict[str, Any]]:
    """Every Transfer log of the token since the chain began."""
    asked = {
        "fromBlock": "0x0",
        "toBlock": "latest",
        "address": world.prepared.contract,
        "topics": [TRANSFER_TOPIC],
    }
    logs: list[dict[str, Any]] = world.node.ask("eth_getLogs", asked)
    return logs


def _from(log: dict[str, Any], sender: str) -> bool:
    return str(log["topics"][1][-40:]).lower() == sender[2:].lower()


def wrong_nonces(world: World) -> list[str]:
    """The hot wallet's mined nonces are 0 to n-1, each once, and nothing of it waits."""
    sender = world.prepared.hot_wallet
    nonces = sorted(int(sent["nonce"], 16) for sent in mined(world))
    count = int(world.node.ask("eth_getTransactionCount", sender, "latest"), 16)
    wrong = [] if nonces == list(range(count)) else [f"mined nonces {nonces}, the node counts {count}"]
    return wrong + [f"still waiting: {sent['hash']}" for sent in pending(world.node, sender)]


def wrong_signatures(log: Path) -> list[str]:
    """The signer signed one payment a nonce, however often, and no payment for two nonces."""
    payments: dict[int, set[str]] = defaultdict(set)
    nonces: dict[str, set[int]] = defaultdict(set)
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry["type"] == "signed":
            intent = entry["intent"]
            payment = f"{intent['to']} {intent['value']} {intent['data']}"
            payments[intent["nonce"]].add(payment)
            nonces[payment].add(intent["nonce"])
    wrong = [
        f"nonce {nonce} was signed for {len(several)}"
        for nonce, several in payments.items()
        if len(several) > 1
    ]
    return wrong + [
        f"{payment} was signed for nonces {sorted(several)}"
        for payment, several in nonces.items()
        if len(several) > 1
    ]


def illegal_histories(world: World) -> list[str]:
    """Every withdrawal went from `held` to `confirmed` in gapless steps, each from where the last one ended."""
    wrong: list[str] = []
    steps: dict[int, list[tuple[str, str]]] = defaultdict(list)
    rows = world.read("SELECT withdrawal_id, sequence, state_before, state_after FROM history ORDER BY 1, 2")
    for withdrawal_id, sequence, before, after in rows:
        if sequence != len(steps[withdrawal_id]) + 1:
            wrong.append(f"{withdrawal_id}: step {sequence} is out of order")
        steps[withdrawal_id].append((before, after))
    for withdrawal_id, taken in steps.items():
        path = [after for _, after in taken]
        if [before for before, _ in taken] != ["", *path[:-1]] or (path[0], path[-1]) != (
            "held",
            "confirmed",
        ):
            wrong.append(f"{withdrawal_id}: {taken}")
    return wrong
