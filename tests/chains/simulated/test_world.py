"""The chain as a world of its own: the same seed gives the same chain, and a kill loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from penstock.chains.simulated.faults import Faults
from penstock.chains.simulated.node import NodeRefused, NodeSilent, SimulatedNode
from penstock.chains.simulated.world_file import WorldInUse
from penstock.core.time import ManualClock
from tests.chains.simulated.network import Net, address, payment, sign

ALL_FAULTS = Faults(silent=100, lose_answer=100, drop=100, lie=100, stick=100, fail=100, reorg=300)


def live(net: Net, asks_between: int) -> list[str]:
    """Forty payments of two senders, some twice, in 40 blocks; asking more or less often in between."""
    for step in range(40):
        for number in (1, 2):
            try:
                net.node.submit(
                    sign(payment(nonce=step // 2, fee=1_000 + 200 * (step % 2), number=number), number)
                )
            except (NodeRefused, NodeSilent):
                continue
        if step == 20:
            net.script.reorg(4)
        for _ in range(asks_between):
            net.clock.advance(1_000 // asks_between)
            net.node.height()
        net.clock.advance(1_000 % asks_between if asks_between else 1_000)
    return [net.node.block_hash(height) for height in range(net.node.height() + 1)]


def test_the_same_seed_and_script_make_the_same_chain_however_often_it_is_asked() -> None:
    chains = [live(Net(options={"seed": 7, "faults": ALL_FAULTS}), asks) for asks in (0, 1, 4, 7)]
    assert len(chains[0]) == 41
    assert chains[1:] == chains[:1] * 3


def test_another_seed_makes_another_chain() -> None:
    first, second = (live(Net(options={"seed": seed, "faults": ALL_FAULTS}), 0) for seed in (7, 8))
    assert not set(first) & set(second)


def test_the_faults_of_a_seed_do_not_lose_money() -> None:
    net = Net(options={"seed": 7, "faults": ALL_FAULTS})
    live(net, 0)
    assert conserved(net.node)
    assert any(found.paid for found in net.node.payments())


def conserved(node: SimulatedNode) -> bool:
    sums: dict[str, int] = {}
    for (_, asset), units in node.balances().items():
        sums[asset] = sums.get(asset, 0) + units
    return sums == {asset: minted - burned for asset, (minted, burned) in node.totals().items()}


def whole(net: Net) -> list[object]:
    heights = range(net.node.height() + 1)
    return [
        net.node.balances(),
        net.node.totals(),
        net.node.payments(),
        net.node.mempool(),
        [net.node.block_hash(height) for height in heights],
        [net.node.next_nonce(address(number)) for number in (1, 2)],
    ]


def test_a_reopened_file_goes_on_as_if_it_had_never_been_closed(tmp_path: Path) -> None:
    options: dict[str, object] = {"seed": 7, "faults": ALL_FAULTS}
    kept = Net(options=options)
    reopened = Net(options=options, path=str(tmp_path / "tron.db"))
    for net in (kept, reopened):
        live(net, 0)
        net.script.fail_next(2)
        net.script.stick_next()
    reopened.node.close()
    reopened.options = {"seed": 999, "faults": ALL_FAULTS}
    reopened.open()
    assert whole(reopened) == whole(kept)
    assert live(reopened, 0) == live(kept, 0)
    assert whole(reopened) == whole(kept)


def test_a_pause_outlives_a_restart(tmp_path: Path) -> None:
    net = Net(path=str(tmp_path / "tron.db"))
    net.script.pause_mining()
    net.node.close()
    net.open()
    net.blocks(10)
    assert net.node.height() == 0
    net.script.resume_mining()
    net.blocks(1)
    assert net.node.height() == 1


_CHILD = """
import sys, time
from penstock.core.time import ManualClock
from tests.chains.simulated.network import Net, payment, sign
net = Net(ManualClock(1_800_000_000_000), path=sys.argv[1])
net.node.submit(sign(payment()))
net.blocks(3)
net.node.submit(sign(payment(nonce=1)))
print(net.node.height(), flush=True)
sys.stdin.read()
"""


def test_only_one_process_has_the_file_and_a_kill_loses_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "tron.db")
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, path],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "3\n"
        with pytest.raises(WorldInUse):
            SimulatedNode("tron", "TRX", ManualClock(0), path=path)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(timeout=30)
    node = SimulatedNode("tron", "TRX", ManualClock(1_800_000_000_000), path=path)
    assert node.height() == 3
    assert [(found.height, found.nonce) for found in node.payments()] == [(1, 0)]
    assert len(node.mempool()) == 1
    assert conserved(node)
    node.close()


def test_an_existing_file_is_closed_to_others_from_the_moment_it_is_opened(tmp_path: Path) -> None:
    path = str(tmp_path / "tron.db")
    SimulatedNode("tron", "TRX", ManualClock(0), path=path).close()
    first = SimulatedNode("tron", "TRX", ManualClock(0), path=path)
    with pytest.raises(WorldInUse):
        SimulatedNode("tron", "TRX", ManualClock(0), path=path)
    first.close()
    SimulatedNode("tron", "TRX", ManualClock(0), path=path).close()


def test_an_opening_balance_is_given_once(tmp_path: Path) -> None:
    net = Net(path=str(tmp_path / "tron.db"))
    assert net.node.fund_once("hot", "USDT", 50)
    net.node.close()
    net.open()
    assert not net.node.fund_once("hot", "USDT", 50)
    assert net.node.balance("hot", "USDT") == 50
    assert conserved(net.node)


def test_many_threads_may_ask_and_send_at_once(net: Net) -> None:
    raws = [
        sign(payment(nonce=nonce, number=number, units=1), number) for nonce in range(40) for number in (1, 2)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(net.node.submit, raws))
        net.blocks(1)
        assert set(pool.map(lambda _: net.node.height(), range(50))) == {1}
    assert len(net.node.payments()) == 80
    assert conserved(net.node)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "tron.db")
    SimulatedNode("tron", "TRX", ManualClock(0), path=path).close()
    with pytest.raises(ValueError, match="holds tron"):
        SimulatedNode("bitcoin", "BTC", ManualClock(0), path=path)
