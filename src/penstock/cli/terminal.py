"""What every command shares towards the person at the terminal: exit codes, failures that say what to do
next, tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from enum import IntEnum
from typing import NoReturn


class Exit(IntEnum):
    """What the process returns. Stable: scripts read it."""

    OK = 0
    FAILED = 1
    """Refused, or failed: nothing is under way."""
    USAGE = 2
    UNKNOWN = 3
    """A withdrawal was sent and its outcome is not known."""


MASKED_CHARACTERS_MIN = 8
"""Of a shorter secret, the part that stays would be most of it."""

EXIT_CODES = """exit codes:
  0  done
  1  refused or failed; nothing is under way
  2  the command line or a setting is wrong; nothing was sent
  3  a withdrawal was sent and its outcome is unknown: do not send it again, look first"""


class Failure(Exception):
    """Ends a command. what: one sentence; then: what the person can do about it, "" for nothing."""

    def __init__(self, what: str, then: str = "", *, code: Exit = Exit.FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.then = then
        self.code = code

    def tell(self) -> int:
        """Write it to standard error; returns the exit code."""
        print(f"penstock: {self.what}", file=sys.stderr)
        if self.then:
            print(f"  next: {self.then}", file=sys.stderr)
        return self.code


def usage(what: str, then: str = "") -> NoReturn:
    """The command line or a setting is wrong."""
    raise Failure(what, then, code=Exit.USAGE)


@contextmanager
def database_told() -> Generator[None]:
    """Turn what is wrong with a database into a failure. Loads the store."""
    from penstock.store.sqlite.connection import StoreUnusable  # noqa: PLC0415  help does without the store

    try:
        yield
    except StoreUnusable as error:
        usage(
            str(error),
            "look at the place that was given: the service's state directory, or its database's URL",
        )


def is_terminal() -> bool:
    return sys.stdout.isatty()


Cell = str | int | bool | Decimal | None


def cell(value: Cell) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Columns as wide as they must be, for people and for awk alike: no cell is ever empty."""
    lines = [
        [heading.replace(" ", "_") for heading in headings],
        *([cell(value) for value in row] for row in rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def facts(pairs: Mapping[str, Cell]) -> str:
    """One "name  value" a line; what is not known is left out."""
    width = max(map(len, pairs), default=0)
    return "\n".join(
        f"  {name.ljust(width)}  {cell(value)}" for name, value in pairs.items() if value not in {None, ""}
    )


def masked(secret: str) -> str:
    """Enough to recognise it by, nothing to use it with."""
    return secret[:4] + "***" if len(secret) >= MASKED_CHARACTERS_MIN else "***"


def as_json(value: object) -> str:
    """One JSON document; amounts stay text."""
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=2)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} has no place in the output")
