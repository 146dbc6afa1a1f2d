"""What the race left behind, read with SQL of our own from the service's database and the simulated chain's file."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import apsw
import psycopg

from tests.acceptance.race_world import RaceWorld
from tests.acceptance.sandbox_process import DATABASE

NOBODY = 0
"""Whose a payment is that no attempt tells of."""

Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Withdrawal:
    """account: its place in the plan. known: as its venue's answers name it. units: what it debits, fee included."""

    withdrawal_id: int
    account: int
    venue: str
    known: str
    request_id: str
    wallet: str
    units: int
    net: int
    state: str


@dataclass
class Stored:
    """balances: (available, held) by account and wallet. deposits: how often each reference was credited. decisions:
    (withdrawal, act, actor) as audited. paid: payments in the chain's blocks, by withdrawal. received: what the chain
    gave to each account's address.
    """

    withdrawals: list[Withdrawal] = field(default_factory=list)
    balances: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    deposits: Counter[str] = field(default_factory=Counter)
    decisions: list[tuple[int, str, str]] = field(default_factory=list)
    paid: Counter[int] = field(default_factory=Counter)
    received: dict[int, int] = field(default_factory=dict)


def read_stored(world: RaceWorld) -> Stored:
    """Once the service has ended and everything stands still."""
    numbers = {int(one["account_id"]): number for number, one in enumerate(world.accounts)}
    with _database(world) as ask:
        stored = Stored(
            [_withdrawal(row, numbers) for row in ask(_WITHDRAWALS)],
            {
                (numbers[account_id], wallet): (int(available), int(held))
                for account_id, wallet, available, held in ask(_BALANCES)
                if account_id in numbers
            },
            Counter(reference for (reference,) in ask("SELECT reference FROM deposits")),
            [
                (int(subject.removeprefix("withdrawal/")), act.lower(), actor)
                for actor, act, subject in ask(_DECISIONS)
            ],
        )
        attempts = dict(ask(_ATTEMPTS))
    with closing(apsw.Connection(str(world.state / "chains" / "ethereum.db"))) as chain:
        for (tx_hash,) in chain.execute(
            "SELECT hash FROM transactions WHERE paid = 1 AND height IS NOT NULL"
        ):
            stored.paid[attempts.get(tx_hash, NOBODY)] += 1
        for number, one in enumerate(world.accounts):
            sql = "SELECT units FROM balances WHERE asset = 'USDT' AND lower(holder) = ?"
            stored.received[number] = sum(int(units) for (units,) in chain.execute(sql, (one["address"],)))
    return stored


_WITHDRAWALS = (
    "SELECT withdrawal_id, account_id, venue, number, request_id, wallet, amount, net, state FROM withdrawals"
)
_BALANCES = "SELECT account_id, wallet, available, held FROM balances WHERE asset = 'USDT'"
_DECISIONS = "SELECT actor, act, subject FROM audit WHERE act IN ('Approve', 'Decline', 'Cancel')"
_ATTEMPTS = "SELECT tx_hash, withdrawal_id FROM attempts WHERE tx_hash <> '' AND withdrawal_id IS NOT NULL"


def _withdrawal(row: tuple[Any, ...], numbers: dict[int, int]) -> Withdrawal:
    one, account_id, venue, number, request_id, wallet, amount, net, state = row
    known = str(number) if venue == "alphapo" else str(one)
    units = int(amount), int(net)
    return Withdrawal(one, numbers[account_id], venue, known, request_id, wallet, *units, state)


@contextlib.contextmanager
def _database(world: RaceWorld) -> Iterator[Ask]:
    if world.base.url:
        with psycopg.connect(world.base.url) as connection:
            yield lambda sql: connection.execute(sql).fetchall()  # type: ignore[call-overload]
    else:
        with closing(apsw.Connection(str(world.state / DATABASE))) as file:
            yield lambda sql: list(file.execute(sql))
