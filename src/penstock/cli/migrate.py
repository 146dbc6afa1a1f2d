"""`penstock migrate`: thin; what it does stands in `penstock.store.moving`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli.terminal import Exit, Failure, usage

if TYPE_CHECKING:
    from penstock.store.moving import Step

SQLITE = "sqlite:"
POSTGRESQL = ("postgresql://", "postgres://")
DATABASE_NAME = "penstock.db"


def add_arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="sqlite:PLACE",
        help="the state directory, or a database file; nothing else may have it open",
    )
    parser.add_argument(
        "--to",
        dest="target",
        required=True,
        metavar="postgresql:URL",
        help="an empty PostgreSQL database, as in the setting database.url",
    )


def run(_command: str, arguments: argparse.Namespace) -> int:
    path = _source(arguments.source)
    target: str = arguments.target
    if not target.startswith(POSTGRESQL):
        usage("--to must begin with postgresql://", "only SQLite to PostgreSQL is known")
    from penstock.core.time import SystemClock  # noqa: PLC0415  help does without the store
    from penstock.store.moving import move  # noqa: PLC0415

    with _failures_told(), _alone(path):
        sums = move(path, target, SystemClock(), _tell)
    for summed in sums:
        print(f"{summed.table:<18} {summed.rows:>12} rows  {summed.text}")
    print(
        f"migrate: ok ({sum(summed.rows for summed in sums)} rows in {len(sums)} tables, the same on both sides)"
    )
    return Exit.OK


def _source(text: str) -> Path:
    """The database file meant by "sqlite:PLACE"."""
    if not text.startswith(SQLITE):
        usage("--from must begin with sqlite:", "only SQLite to PostgreSQL is known")
    # Followed to its end: the lock is beside the file itself.
    path = Path(text.removeprefix(SQLITE)).resolve()
    path = path / DATABASE_NAME if path.is_dir() else path
    if not path.is_file():
        usage(
            f"{path} is not a file", "give the directory that --state was given, or state_dir of the settings"
        )
    return path


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Hold the state directory that the file belongs to; a snapshot under another name belongs to none."""
    from penstock.process import LockedState, prepare_process  # noqa: PLC0415

    with LockedState(path.parent) if path.name == DATABASE_NAME else nullcontext():
        prepare_process()
        yield


@contextmanager
def _failures_told() -> Generator[None]:
    from penstock.config import SettingsInvalid  # noqa: PLC0415
    from penstock.store.moving import MoveInDoubt  # noqa: PLC0415
    from penstock.store.unusable import StoreUnusable  # noqa: PLC0415

    try:
        yield
    except (SettingsInvalid, StoreUnusable) as error:
        raise Failure(str(error)) from error
    except MoveInDoubt as error:
        raise Failure(str(error), "run the same command again, before anything is started") from error
    except KeyboardInterrupt:
        raise Failure("stopped", "run the same command again") from None


def _tell(step: Step, table: str, rows: int) -> None:
    # Nobody need listen: a pipe that was closed must not end the move between its last two steps.
    with suppress(BrokenPipeError):
        print(f"{step.value:<9} {table:<18} {rows:>12}" if table else step.value, file=sys.stderr, flush=True)
