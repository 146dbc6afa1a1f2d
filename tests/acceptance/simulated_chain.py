"""What a simulated chain holds, read from its own file beside the running sandbox: not what the service says of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw

from tests.acceptance.sandbox_process import Sandbox


def chain_units(sandbox: Sandbox, network: str, holder: str, asset: str) -> int:
    """The balance of an address, in the smallest units that the asset has on this chain."""
    with _copied(sandbox, network) as chain:
        found = chain.execute("SELECT units FROM balances WHERE holder = ? AND asset = ?", (holder, asset))
        return sum(int(units) for (units,) in found)


def is_paid(sandbox: Sandbox, network: str, tx_hash: str) -> bool:
    """Whether the transaction stands in a block and moved what it says."""
    with _copied(sandbox, network) as chain:
        sql = "SELECT paid FROM transactions WHERE hash = ? AND height IS NOT NULL"
        return [bool(paid) for (paid,) in chain.execute(sql, (tx_hash,))] == [True]


def payments(sandbox: Sandbox, network: str) -> Counter[tuple[str, int]]:
    """Every payment that stands in a block and moved what it says, as (receiver in lower case, units)."""
    with _copied(sandbox, network) as chain:
        mined = list(chain.execute("SELECT raw FROM transactions WHERE height IS NOT NULL AND paid"))
    intents = [json.loads(raw)["intent"] for (raw,) in mined]
    return Counter((str(intent["to"]).lower(), int(intent["units"])) for intent in intents)


def offered(sandbox: Sandbox, network: str) -> int:
    """How many transactions the chain has ever taken, mined or waiting."""
    with _copied(sandbox, network) as chain:
        ((count,),) = chain.execute("SELECT count(*) FROM transactions")
        return int(str(count))


@contextlib.contextmanager
def _copied(sandbox: Sandbox, network: str) -> Iterator[apsw.Connection]:
    """The chain's file belongs to the service alone while it runs, so it is copied while everything stands still."""
    name = f"{network}.db"
    with tempfile.TemporaryDirectory() as place:
        with _standing_still(sandbox):
            for path in (sandbox.state / "chains").glob(f"{name}*"):
                shutil.copy(path, place)
        with closing(apsw.Connection(str(Path(place) / name))) as chain:
            yield chain


@contextlib.contextmanager
def _standing_still(sandbox: Sandbox) -> Iterator[None]:
    process = sandbox.process
    if process is None or process.poll() is not None:
        yield
        return
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)
