"""A ledger worth moving, and both databases read by plain SQL, without Penstock's readers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import psycopg

from penstock.core.acts import AddBookEntry, AddressKind, CreateAccount, SetCallback, SetControl
from penstock.core.amounts import Units
from penstock.core.commands import AnswerChallenge, Exchange, RecordMined, RecordSigned, Reject, Settle
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.time import ManualClock
from penstock.engine.sending_rows import AttemptRow
from penstock.store.sqlite.store import SqliteStore
from tests.store.samples import RULES, START_MS, PausingIds, Seeded, answer

ODD_TEXT = 'tab\t newline\n back\\slash quote" {brace} \\N é 漢 🦄'
"""What a format for copying might trip over."""


def make_ledger(path: Path) -> None:
    """A closed database with withdrawals paid, rejected, held, planned, signed, mined and challenged, a transfer, an
    exchange, and texts with every odd character.
    """
    clock, ids = ManualClock(START_MS), PausingIds()
    store = SqliteStore(path, RULES, clock, ids)
    seeded = Seeded(store, clock, ids)
    lane = seeded.lane()

    def planned(name: str, nonce: int) -> int:
        return answer(store, seeded.plan(seeded.withdraw(name), nonce), AttemptRow).attempt_id

    def signed(name: str, nonce: int) -> int:
        attempt = planned(name, nonce)
        seeded.run(RecordSigned(lane, attempt, bytes(range(256)), f"hash-{nonce}"))
        return attempt

    paid = signed("paid", 0)
    seeded.run(RecordMined(lane, paid, 7, "block", 1))
    seeded.run(Settle(lane, paid, 7, "block", 3, paid=True, network_fee=9))
    seeded.run(RecordMined(lane, signed("mined", 1), 8, "block", 1))
    signed("signed", 2)
    planned("planned", 3)
    seeded.run(Reject(seeded.withdraw("rejected"), ODD_TEXT))
    seeded.run(msgspec.structs.replace(seeded.order("held"), notify=True))
    seeded.run(seeded.transfer("moved", 5))
    who = (seeded.account_id, "key-0", "bitmart")
    conversion = Conversion(Rate("USDT", "TRX", 4, 1, "table", clock.now_ms()), Given.DEBITED)
    seeded.run(Exchange(*who, "exchanged", "", ("spot",), Units(10**18), conversion, numbered=True))
    for nonce in ("open", "answered"):
        marked = {"challenge_ms": 1_000_000, "exclusive": f"mark of {nonce}"}
        seeded.run(msgspec.structs.replace(seeded.order(nonce), **marked))
    seeded.run(AnswerChallenge(*who, "answered", "yes", True, ("spot",)))
    seeded.run(CreateAccount("test", "1003", master_account_id=seeded.account_id))
    remark = (ODD_TEXT, ODD_TEXT)
    seeded.run(
        AddBookEntry(
            "test", seeded.account_id, AddressKind.UNIVERSAL, "", "tron", "T2", *remark, verified=True
        )
    )
    seeded.run(SetCallback("test", seeded.account_id, "bitmart", "https://example.org/", "key-0"))
    seeded.run(SetControl("test", "network/tron", stopped=True, reason=ODD_TEXT))
    store.close()
    with closing(apsw.Connection(str(path))) as connection:
        # Kinds of rows that these rules and commands leave out.
        connection.execute("INSERT INTO quotas VALUES (?, 20000, 9007199254740993)", (seeded.account_id,))
        address = (seeded.account_id, "tron", "T3", ODD_TEXT)
        connection.execute("INSERT INTO deposit_addresses VALUES (?, ?, ?, ?)", address)


def in_sqlite(path: Path, table: str, columns: str) -> set[tuple[Any, ...]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return set(connection.execute(f"SELECT {columns} FROM {table}"))
    finally:
        connection.close()


def sqlite_columns(path: Path) -> dict[str, list[str]]:
    """Every table of a database file but that of the migrations, with its columns."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        return {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for name in names
            if name != "migrations"
        }
    finally:
        connection.close()


def in_postgres(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]


def postgres_tables(url: str) -> list[str]:
    sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    return [name for (name,) in in_postgres(url, sql)]
