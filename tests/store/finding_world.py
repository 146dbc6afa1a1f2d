"""Withdrawals, deposits and their history of every kind, put into a database as they are."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import apsw
import msgspec

from penstock.core.ids import AccountId
from penstock.core.states import State
from penstock.core.time import ManualClock, UnixMs
from penstock.engine.row import Row
from penstock.engine.rows import CounterRow, DepositRow, HistoryRow, RequestRow, WithdrawalRow
from penstock.store.postgres import statements as postgres
from penstock.store.postgres.connection import open_session
from penstock.store.postgres.store import PostgresStore
from penstock.store.reader import Reader
from penstock.store.sqlite import statements as sqlite
from penstock.store.sqlite.store import SqliteStore
from tests.postgres import database
from tests.store.samples import RULES, PausingIds

replace = msgspec.structs.replace

MINE, OTHER = AccountId(1), AccountId(2)
VENUES = ("one", "two")
ASSETS = ("USDT", "TRX", "BTC")
NETWORKS = ("tron", "ethereum", "")
TEXTS = tuple(f"r{at}" for at in range(12))
HASHES = ("0xa", "0xb", "0xc")
IDS = range(1_000, 1_160)
TIMES = range(100, 130)


def any_withdrawal(rng: random.Random, withdrawal_id: int, numbers: dict[int, int]) -> WithdrawalRow:
    account = rng.choice((MINE, MINE, OTHER))
    kind = rng.choice(("chain", "chain", "transfer", "exchange"))
    numbered = rng.random() < 0.6
    if numbered:
        numbers[account] = numbers.get(account, 0) + 1
    values: dict[str, Any] = {
        "withdrawal_id": withdrawal_id,
        "account_id": account,
        "venue": rng.choice(VENUES),
        "asset": rng.choice(ASSETS),
        "network": rng.choice(NETWORKS),
        "wallet": "spot",
        "amount": 10**25 + withdrawal_id,
        "fee": 1,
        "net": 10**25 + withdrawal_id - 1,
        "address": "T-address" if kind == "chain" else "",
        "memo": "",
        "recipient": "1002" if kind == "transfer" else "",
        "recipient_id": None,
        "book_entry_id": None,
        "remark": "",
        "state": rng.choice(tuple(State)),
        "reason": "",
        "steps": 1,
        "attempt_id": None,
        "tx_hash": rng.choice(("", *HASHES)) if kind == "chain" else "",
        "confirmations": 0,
        # Out of order of the ids now and then, as with a clock that was set.
        "created_ms": rng.choice(TIMES),
        "updated_ms": 200,
        "debit_asset": "USDT",
        "rate": "",
        "number": numbers[account] if numbered else 0,
        "request_id": rng.choice(("", *TEXTS)),
        "extra": "",
        "notify": False,
    }
    return WithdrawalRow(**values)


def _deposit(rng: random.Random, at: int) -> DepositRow:
    internal = rng.random() < 0.4
    reference = (
        f"transfer/{at}" if internal else rng.choice((f"chain/{at}", f"Transfer/{at}", f"transfe{at}"))
    )
    return DepositRow(
        reference=reference,
        deposit_id=at,
        account_id=rng.choice((MINE, OTHER)),
        asset=rng.choice(ASSETS),
        network=rng.choice(NETWORKS),
        wallet="spot",
        amount=10**25,  # type: ignore[arg-type]
        address="",
        tx_id=rng.choice(("", *HASHES)),
        created_ms=UnixMs(rng.choice(TIMES)),
    )


def all_rows() -> tuple[list[WithdrawalRow], list[DepositRow], list[Row]]:
    rng, numbers = random.Random(7), dict[int, int]()
    withdrawals, rows = [], list[Row]()
    asked: set[tuple[int, str, str]] = set()
    for withdrawal_id in IDS:
        row = any_withdrawal(rng, withdrawal_id, numbers)
        if (row.account_id, row.venue, row.request_id) in asked:
            row = replace(row, request_id="")
        asked.add((row.account_id, row.venue, row.request_id))
        # One known by its signature alone is remembered too: by the signature, which no filter may find.
        known_by = row.request_id or rng.choice((f"signature {withdrawal_id}", f"{withdrawal_id}"))
        rows.append(RequestRow(row.account_id, row.venue, known_by, "", row.withdrawal_id, UnixMs(0)))
        if rng.random() < 0.3:
            mark = (row.account_id, f"{row.venue}/exclusive", rng.choice(TEXTS))
            if mark not in asked:
                asked.add(mark)
                rows.append(RequestRow(*mark, "", row.withdrawal_id, UnixMs(0)))
        states = rng.sample(tuple(State), rng.randint(1, 4))
        rows += [
            HistoryRow(row.withdrawal_id, at, "", state.value, "", UnixMs(at))
            for at, state in enumerate(states, 1)
        ]
        withdrawals.append(row)
    rows += [CounterRow(AccountId(account), used) for account, used in numbers.items()]
    return withdrawals, [_deposit(rng, at) for at in range(1, 120)], rows


def insert(path: Path, rows: Iterable[Row]) -> None:
    """Write into the SQLite database as the store would, whatever the rows say."""
    connection = apsw.Connection(str(path))
    with connection:
        for row in rows:
            known = sqlite.table(type(row))
            connection.execute(known.insert, known.encode(row))
    connection.close()


@contextmanager
def sqlite_with(path: Path, rows: Iterable[Row]) -> Iterator[Reader]:
    """A reader of a new SQLite database that holds the rows."""
    store = SqliteStore(path, RULES, ManualClock(0), PausingIds())
    insert(path, rows)
    yield store.reader()
    store.close()


@contextmanager
def postgres_with(rows: Iterable[Row]) -> Iterator[Reader]:
    """A reader of a new PostgreSQL database that holds the rows."""
    with database() as url:
        store = PostgresStore(url, RULES, ManualClock(0), PausingIds())
        session = open_session(url)
        session.ask([postgres.table(row_type).insert(list(group)) for row_type, group in groupby(rows, type)])
        session.close()
        yield store.reader()
        store.close()
