"""Opening PostgreSQL with the settings our promises rest on, each read back.

What is lost with which setting: PostgreSQL's manual, "Write Ahead Log" and "Replication" settings, and
docs/decisions/0018-postgresql-by-locked-batches.md. With fsync, full_page_writes and synchronous_commit on nothing is
lost that was acknowledged; with a synchronous standby named, not even with the primary's machine.
"""

from __future__ import annotations

from typing import Any

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import IntLoader

from penstock.store.postgres.session import Session
from penstock.store.unusable import StoreUnusable

VERSION_MIN, VERSION_MAX_TRIED = 14, 18
LOCK_TIMEOUT_MS = 5_000
IDLE_TIMEOUT_MS = 10_000
"""A process that was stopped in the middle of a batch loses its transaction, so that its locks hold up nobody."""

PRIMARY: dict[str, str | int] = {"target_session_attrs": "read-write"}
"""For `connect`: of several hosts, the one that takes writes. A standby may be behind what was answered."""

_DEFAULTS: dict[str, str | int] = {
    "application_name": "penstock",
    "connect_timeout": 5,
    # Without these a primary that vanished from the network is noticed after a quarter of an hour.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
BY_INDEX = {
    # Every statement has an index that it is meant to go along. What the planner would rather do while a table is
    # small, or before it has figures about it, must not be kept as it grows.
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    # Costs that were put up so high would have every statement compiled.
    "jit": "off",
}
_SESSION: dict[str, str] = {
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS),
    "plan_cache_mode": "force_generic_plan",
    **BY_INDEX,
}
_READ_BACK = (
    "fsync",
    "full_page_writes",
    "server_encoding",
    "server_version_num",
    "synchronous_commit",
    "synchronous_standby_names",
)

_log = structlog.get_logger(__name__)


def open_session(url: str) -> Session:
    """Connect for writing. Raises StoreUnusable for settings that could lose money, psycopg.OperationalError when
    nobody answers.
    """
    connection = connect(url, PRIMARY, _SESSION)
    try:
        check_settings(_settings(connection))
    except BaseException:
        connection.close()
        raise
    return Session(connection)


def connect(
    url: str, defaults: dict[str, str | int], settings: dict[str, str]
) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect with what the URL says, `defaults` where it says nothing, and run-time `settings`.

    Settings that the server does not know are passed over. Raises StoreUnusable for a URL that is none.
    """
    try:
        said = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise StoreUnusable(f"the database's URL cannot be read: {error}") from error
    connection = psycopg.connect(
        **{**_DEFAULTS, **defaults, **said, "client_encoding": "utf8"},  # type: ignore[arg-type]
        autocommit=True,
    )
    # Amounts are integers of any size, never Decimals.
    connection.adapters.register_loader("numeric", IntLoader)
    try:
        connection.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value) "
            "JOIN pg_settings USING (name)",
            (list(settings), list(settings.values())),
        )
    except BaseException:
        connection.close()
        raise
    return connection


def _settings(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, str]:
    found = connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(_READ_BACK),)
    )
    return dict(found.fetchall())


def check_settings(settings: dict[str, str]) -> None:
    """Raises StoreUnusable unless the server keeps what it acknowledged. settings: by name, as in pg_settings."""
    version = int(settings["server_version_num"]) // 10_000
    if version < VERSION_MIN:
        raise StoreUnusable(f"PostgreSQL {version} is too old: {VERSION_MIN} or newer is needed")
    if version > VERSION_MAX_TRIED:
        _log.warning("this PostgreSQL is newer than any tried", version=version, tried=VERSION_MAX_TRIED)
    for name in ("fsync", "full_page_writes"):
        if settings[name] != "on":
            raise StoreUnusable(
                f"{name} is {settings[name]}: a crash could lose or tear what was acknowledged"
            )
    if settings["server_encoding"] != "UTF8":
        raise StoreUnusable(f"the database's encoding is {settings['server_encoding']}; UTF8 is needed")
    commit, standbys = settings["synchronous_commit"], settings["synchronous_standby_names"]
    # "local" and "remote_write" wait for the local flush, which is all there is without a standby.
    enough = {"on", "remote_apply"} if standbys else {"on", "remote_apply", "local", "remote_write"}
    if commit not in enough:
        where = f" with synchronous_standby_names = '{standbys}'" if standbys else ""
        raise StoreUnusable(f"synchronous_commit is {commit}{where}: acknowledged withdrawals could be lost")
