"""What every benchmark does around its measuring: a folder on the disk to be measured, progress, lines."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

BAD_DATABASE = 2
"""The exit code for a database that cannot be measured."""


class Place:
    """A run's own folder. kept: set it to leave the folder there for a look."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.kept = False

    def say(self, text: str) -> None:
        """Progress, to stderr."""
        sys.stderr.write(f"bench {self.name}: {text}\n")
        sys.stderr.flush()


@contextmanager
def place(name: str) -> Generator[Place]:
    """An empty folder in .penstock of the working directory, removed behind the run unless it is to be kept."""
    base = Path(".penstock").resolve()
    base.mkdir(exist_ok=True)
    made = Place(name, Path(tempfile.mkdtemp(prefix="bench-", dir=base)))
    try:
        yield made
    finally:
        if made.kept:
            made.say(f"NOT verified; kept for a look: {made.folder}")
        else:
            shutil.rmtree(made.folder, ignore_errors=True)


def tell(line: Mapping[str, object]) -> None:
    """One JSON line to stdout."""
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def measurable(name: str, database: str | None) -> bool:
    """Whether a database can be measured; says so where not."""
    if database is None or database.startswith("postgres"):
        return True
    sys.stderr.write(
        f"bench {name}: {database}: only SQLite (leave --database out) and postgresql://... can be measured\n"
    )
    return False


def kind_of(database: str | None) -> str:
    return "sqlite" if database is None else "postgresql"
