"""What must have come of the race, from what its clients were told alone: plain dictionaries beside the stored rows.

An answer of "done" is a fact, one of "refused" or "nothing" means that nothing happened, and only where the answer itself
said that nobody knows may the database have it either way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import psycopg

from tests.acceptance.race_clients import DONE, DOUBT, FEE_UNITS, UNIT
from tests.acceptance.race_world import APPROVAL_FROM_USD, OPENING_USD, RaceWorld
from tests.acceptance.sandbox_process import DATABASE

Told = dict[str, Any]
GIVEN_BACK = {"decline": "rejected", "cancel": "cancelled"}
WALLETS = {"alphapo": "spot", "bitmart": "spot", "zoomex": "fund"}
ON_ITS_WAY = {"held", "approved", "planned", "signed", "sent", "mined"}
FAULTS_SHOWN = 20


@dataclass(frozen=True)
class Withdrawal:
    """A stored row. account: its place in the plan. known: by which its venue's answers name it."""

    withdrawal_id: int
    account: int
    venue: str
    known: str
    id: str
    wallet: str
    units: int
    fee: int
    state: str


@dataclass
class Stored:
    """What the database and the chain hold once everything stands still.

    approvals: the actors by withdrawal; declined: the given reasons. paid: payments on the chain by withdrawal. received: what the
    chain gave to each account's address.
    """

    withdrawals: list[Withdrawal] = field(default_factory=list)
    balances: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    deposits: Counter[str] = field(default_factory=Counter)
    approvals: dict[int, list[str]] = field(default_factory=dict)
    over: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    paid: Counter[int] = field(default_factory=Counter)
    received: dict[int, int] = field(default_factory=dict)


def read_stored(world: RaceWorld) -> Stored:
    """Read with SQL of our own, after the service has ended."""
    numbers = {int(one["account_id"]): number for number, one in enumerate(world.accounts)}
    stored = Stored()
    with _open(world) as ask:
        rows = ask(
            "SELECT withdrawal_id, account_id, venue, number, request_id, wallet, amount, fee, state FROM withdrawals"
        )
        for one, account, venue, number, request_id, wallet, amount, fee, state in rows:
            known = str(number) if venue == "alphapo" else str(one)
            stored.withdrawals.append(
                Withdrawal(
                    one, numbers[account], venue, known, request_id, wallet, int(amount), int(fee), state
                )
            )
        for account, wallet, available, held in ask(
            "SELECT account_id, wallet, available, held FROM balances WHERE asset = 'USDT'"
        ):
            if account in numbers:
                stored.balances[numbers[account], wallet] = (int(available), int(held))
        for (reference,) in ask("SELECT reference FROM deposits"):
            stored.deposits[reference] += 1
        for one, state, detail in ask("SELECT withdrawal_id, state_after, detail FROM history"):
            if detail.startswith("approved by "):
                stored.approvals.setdefault(one, []).append(detail.removeprefix("approved by "))
            if state in GIVEN_BACK.values():
                stored.over.setdefault(one, []).append((state, detail))
        attempts = dict(
            ask("SELECT tx_hash, withdrawal_id FROM attempts WHERE withdrawal_id IS NOT NULL AND tx_hash <> ''")
        )
    with closing(apsw.Connection(str(world.state / "chains" / "ethereum.db"))) as chain:
        for (tx_hash,) in chain.execute("SELECT hash FROM transactions WHERE paid = 1 AND height IS NOT NULL"):
            # What no attempt tells of counts under 0, which is nobody's.
            stored.paid[attempts.get(tx_hash, 0)] += 1
        for number, one in enumerate(world.accounts):
            sql = "SELECT units FROM balances WHERE asset = 'USDT' AND lower(holder) = ?"
            stored.received[number] = sum(int(units) for (units,) in chain.execute(sql, (one["address"],)))
    return stored


class _open:  # noqa: N801 - used as a function
    def __init__(self, world: RaceWorld) -> None:
        self._world = world

    def __enter__(self) -> Callable[[str], list[Sequence[Any]]]:
        if self._world.base.url:
            self._connection: Any = psycopg.connect(self._world.base.url)
            return lambda sql: self._connection.execute(sql).fetchall()
        self._connection = apsw.Connection(str(self._world.state / DATABASE))
        return lambda sql: list(self._connection.execute(sql))

    def __exit__(self, *_: object) -> None:
        self._connection.close()
