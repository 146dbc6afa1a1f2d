"""Where a simulated chain keeps itself: one SQLite file, or memory when there is no path. Rows only, no
rules.

The file is the chain's whole state, written in one database transaction per question or submission, so a
killed process goes on exactly where it was. synchronous=NORMAL: a power cut may cost the last moments of a
simulation, a kill does not. The file belongs to one process at a time; a second one that opens it is
refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Protocol, cast

import apsw
import msgspec

from penstock.chains.simulated.faults import Planned

_TABLES = """
CREATE TABLE IF NOT EXISTS world (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS anchors (height INTEGER PRIMARY KEY, digest BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS transactions (
    hash TEXT PRIMARY KEY, raw BLOB NOT NULL,
    sender TEXT NOT NULL, nonce INTEGER NOT NULL, fee INTEGER NOT NULL,
    arrival INTEGER NOT NULL, stuck INTEGER NOT NULL, doomed INTEGER NOT NULL,
    height INTEGER, position INTEGER, paid INTEGER, reason TEXT NOT NULL,
    UNIQUE (sender, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_height ON transactions (height, position);
CREATE TABLE IF NOT EXISTS balances (
    holder TEXT NOT NULL, asset TEXT NOT NULL, units TEXT NOT NULL, PRIMARY KEY (holder, asset)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS senders (
    sender TEXT PRIMARY KEY, next_nonce INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (
    asset TEXT PRIMARY KEY, minted TEXT NOT NULL, burned TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
_RECORD = "hash, raw, sender, nonce, fee, arrival, stuck, doomed, height, position, paid, reason"


class WorldInUse(Exception):
    """Another process has the chain's file open."""


class World(msgspec.Struct, forbid_unknown_fields=True):
    """The chain's own numbers. Block n stands from genesis_ms + n * block_ms on; a pause moves genesis_ms."""

    network: str
    native: str
    seed: int
    genesis_ms: int
    block_ms: int
    fee_floor: int
    height: int = 0
    arrivals: int = 0
    forks: int = 0
    paused_at_ms: int | None = None
    planned: Planned = msgspec.field(default_factory=Planned)


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A transaction the node knows; height is None while it waits in the mempool."""

    hash: str
    raw: bytes
    sender: str
    nonce: int
    fee: int
    arrival: int
    stuck: bool
    doomed: bool
    height: int | None = None
    position: int | None = None
    paid: bool | None = None
    reason: str = ""


class _Cursor(Protocol):
    def fetchall(self) -> list[tuple[object, ...]]: ...


class WorldFile:
    """Typed rows over one connection. Not thread-safe: the node's lock is around every use."""

    def __init__(self, path: str | None) -> None:
        self._db = apsw.Connection(path or ":memory:")
        try:
            self._run("PRAGMA locking_mode = EXCLUSIVE")
            self._run("PRAGMA journal_mode = WAL")
            self._run("PRAGMA synchronous = NORMAL")
            self._run(_TABLES)
        except apsw.BusyError as error:
            self._db.close()
            raise WorldInUse(f"{path} is open in another process") from error
        self._saved = ""

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; nested uses are not expected."""
        with self._db:
            yield

    def load(self) -> World | None:
        found = self._run("SELECT state FROM world")
        if not found:
            return None
        self._saved = str(found[0][0])
        return msgspec.json.decode(self._saved, type=World)

    def save(self, world: World) -> None:
        text = msgspec.json.encode(world).decode()
        if text != self._saved:
            self._run("INSERT OR REPLACE INTO world VALUES (1, ?)", text)

    def anchor(self, height: int) -> bytes:
        """Digest of the highest anchor at or below `height`; b"" when there is none."""
        found = self._run("SELECT digest FROM anchors WHERE height <= ? ORDER BY height DESC LIMIT 1", height)
        return _octets(found[0][0]) if found else b""

    def set_anchor(self, height: int, digest: bytes) -> None:
        self._run("INSERT OR REPLACE INTO anchors VALUES (?, ?)", height, digest)

    def delete_anchors_above(self, height: int) -> None:
        self._run("DELETE FROM anchors WHERE height > ?", height)

    def balance(self, holder: str, asset: str) -> int:
        found = self._run("SELECT units FROM balances WHERE holder = ? AND asset = ?", holder, asset)
        return int(str(found[0][0])) if found else 0

    def has_balance(self, holder: str, asset: str) -> bool:
        """Whether `holder` ever had any of `asset`: rows stay when they fall to zero."""
        sql = "SELECT 1 FROM balances WHERE holder = ? AND asset = ?"
        return bool(self._run(sql, holder, asset))

    def add_balance(self, holder: str, asset: str, units: int) -> None:
        """Change a balance by `units`, which may be negative; the balance may not become so."""
        after = self.balance(holder, asset) + units
        assert after >= 0, (holder, asset, after)
        self._run("INSERT OR REPLACE INTO balances VALUES (?, ?, ?)", holder, asset, str(after))

    def balances(self) -> dict[tuple[str, str], int]:
        """Every balance, by (holder, asset)."""
        rows = self._run("SELECT holder, asset, units FROM balances")
        return {(str(holder), str(asset)): int(str(units)) for holder, asset, units in rows}

    def totals(self) -> dict[str, tuple[int, int]]:
        """(minted, burned) of every asset since genesis."""
        rows = self._run("SELECT asset, minted, burned FROM totals")
        return {str(asset): (int(str(minted)), int(str(burned))) for asset, minted, burned in rows}

    def add_totals(self, asset: str, *, minted: int = 0, burned: int = 0) -> None:
        before = self.totals().get(asset, (0, 0))
        after = (asset, str(before[0] + minted), str(before[1] + burned))
        self._run("INSERT OR REPLACE INTO totals VALUES (?, ?, ?)", *after)

    def next_nonce(self, sender: str) -> int:
        found = self._run("SELECT next_nonce FROM senders WHERE sender = ?", sender)
        return _integer(found[0][0]) if found else 0

    def set_next_nonce(self, sender: str, nonce: int) -> None:
        self._run("INSERT OR REPLACE INTO senders VALUES (?, ?)", sender, nonce)

    def record(self, tx_hash: str) -> Record | None:
        return self._one("hash = ?", tx_hash)

    def pooled_at(self, sender: str, nonce: int) -> Record | None:
        return self._one("sender = ? AND nonce = ? AND height IS NULL", sender, nonce)

    def pooled(self) -> list[Record]:
        """The mempool, each sender's transactions in the order of their nonces."""
        return self._many("height IS NULL ORDER BY sender, nonce")

    def pool_size(self) -> int:
        found = self._run("SELECT count(*) FROM transactions WHERE height IS NULL")
        return _integer(found[0][0])

    def mined_above(self, height: int) -> list[Record]:
        """Mined transactions of the blocks above `height`, the last one first."""
        return self._many("height > ? ORDER BY height DESC, position DESC", height)

    def count_mined_above(self, sender: str, height: int) -> int:
        found = self._run("SELECT count(*) FROM transactions WHERE height > ? AND sender = ?", height, sender)
        return _integer(found[0][0])

    def is_mined_above(self, height: int) -> bool:
        return bool(self._run("SELECT 1 FROM transactions WHERE height > ? LIMIT 1", height))

    def put(self, record: Record) -> None:
        """Write a record anew. Raises apsw.ConstraintError when another one has its sender and nonce."""
        self.forget(record.hash)
        self._run(
            "INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *msgspec.structs.astuple(record),
        )

    def forget(self, tx_hash: str) -> None:
        self._run("DELETE FROM transactions WHERE hash = ?", tx_hash)

    def _run(self, sql: str, *values: str | float | bytes | None) -> list[tuple[object, ...]]:
        # apsw's stubs name typing's Buffer, which Python 3.11 has not; this is the one place that meets them.
        cursor = cast("_Cursor", self._db.execute(sql, values))  # pyright: ignore[reportUnknownMemberType]
        return cursor.fetchall()

    def _one(self, where: str, *values: str | int) -> Record | None:
        found = self._many(where, *values)
        return found[0] if found else None

    def _many(self, where: str, *values: str | int) -> list[Record]:
        sql = f"SELECT {_RECORD} FROM transactions WHERE {where}"  # noqa: S608  (every part is our own text)
        return [msgspec.convert(row, Record, strict=False) for row in self._run(sql, *values)]


def _integer(value: object) -> int:
    assert isinstance(value, int), value
    return value


def _octets(value: object) -> bytes:
    assert isinstance(value, bytes), value
    return value
