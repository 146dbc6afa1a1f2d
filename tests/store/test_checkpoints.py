"""The log stays short, by a thread beside the writer or without it, and nothing that was taken depends on either."""

from __future__ import annotations

import shutil
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from penstock.core.acts import CreateAccount
from penstock.core.time import ManualClock
from penstock.engine.rows import AccountRow
from penstock.store.sqlite import checkpoints, connection
from penstock.store.sqlite.checkpoints import Checkpoints
from penstock.store.sqlite.connection import open_writer
from penstock.store.sqlite.store import SqliteStore
from penstock.store.verify import verify
from tests.store.samples import RULES, START_MS, PausingIds, Seeded

FORCED_FRAMES = 600
FRAME_BYTES = connection.PAGE_BYTES + 24
"""SQLite, "Database File Format", section 4.1: each page in the log has a header of 24 bytes."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, frames in (("COPY", 60), ("RENEW", 120), ("LITTLE", 40), ("FORCED", FORCED_FRAMES)):
        monkeypatch.setattr(checkpoints, f"{name}_FRAMES", frames)


class Logged:
    """A seeded store whose log can be looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        clock, ids = ManualClock(START_MS), PausingIds()
        self.store = SqliteStore(path, RULES, clock, ids)
        self.seeded = Seeded(self.store, clock, ids)
        self.taken = 0

    def take(self) -> None:
        self.taken += 1
        self.seeded.run(CreateAccount("test", str(2_000_000 + self.taken)))

    @property
    def began(self) -> int:
        """How often the log was begun anew: the checkpoint sequence number in its header (section 4.1)."""
        header = self.path.with_name(self.path.name + "-wal").read_bytes()[:32]
        return int(struct.unpack(">8I", header)[3])

    def log_bytes(self) -> int:
        return self.path.with_name(self.path.name + "-wal").stat().st_size


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Logged]:
    made = Logged(tmp_path / "penstock.db")
    yield made
    made.store.close()


def test_the_log_is_begun_anew_again_and_again_and_never_grows_long(logged: Logged) -> None:
    while logged.began < 3 and logged.taken < 3_000:
        logged.take()
    assert logged.began >= 3
    # The last commit may pass the mark.
    assert logged.log_bytes() < (FORCED_FRAMES + 100) * FRAME_BYTES
    assert verify(logged.store.reader()).ok


def test_without_the_thread_the_writer_copies_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoints, "_work", lambda _: None)
    logged = Logged(tmp_path / "penstock.db")
    while logged.began < 2 and logged.taken < 3_000:
        logged.take()
    assert logged.began == 2
    assert logged.log_bytes() < (FORCED_FRAMES + 100) * FRAME_BYTES
    logged.store.close()


def test_a_thread_that_cannot_open_the_database_is_no_reason_to_refuse_anything(tmp_path: Path) -> None:
    path, tried = tmp_path / "other.db", threading.Event()

    def refuse() -> apsw.Connection:
        tried.set()
        raise apsw.CantOpenError("no file is left to be had")

    watched = open_writer(path)
    kept = Checkpoints(refuse)
    kept.watch(watched)
    watched.execute("CREATE TABLE t (x)")
    while not tried.is_set():
        watched.execute("INSERT INTO t VALUES (randomblob(5000))")
    stored = watched.execute("SELECT count(*) FROM t").fetchone()
    assert stored is not None
    kept.close()
    watched.close()
    assert apsw.Connection(str(path)).execute("SELECT count(*) FROM t").fetchone() == stored


def test_an_image_of_the_files_between_any_two_commits_has_all_that_was_taken(
    logged: Logged, tmp_path: Path
) -> None:
    """With `copying` held nothing moves from the log into the database: as after a kill at that moment."""
    before = len(list(logged.store.reader().rows(AccountRow)))
    for _ in range(6):
        while True:
            began = logged.began
            logged.take()
            if logged.began != began or logged.taken % 50 == 0:
                break
        image = tmp_path / f"image-{logged.taken}"
        image.mkdir()
        with logged.store.checkpoints.copying:
            for name in ("penstock.db", "penstock.db-wal"):
                shutil.copy(logged.path.with_name(name), image / name)
        found = SqliteStore(image / "penstock.db", RULES, ManualClock(START_MS), PausingIds())
        assert len(list(found.reader().rows(AccountRow))) == before + logged.taken
        assert verify(found.reader()).ok
        found.close()


def test_what_waits_for_the_log_gets_it_and_the_thread_goes_on_behind_it(logged: Logged) -> None:
    with logged.store.checkpoints.copying:
        for _ in range(40):
            logged.take()
    began = logged.began
    while logged.began == began and logged.taken < 3_000:
        logged.take()
    assert logged.began > began
