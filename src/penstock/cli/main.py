"""The entry point. It knows the commands' names; a command's module is imported only when that command
runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from penstock.cli.terminal import EXIT_CODES, Exit, Failure

# command: (module, what it does)
_COMMANDS = {
    "withdraw": ("withdraw", "withdraw from an account at a venue, and watch it"),
    "withdrawals": ("withdrawals", "list withdrawals, or show the whole history of one"),
    "balance": ("holdings", "what an account at a venue holds"),
    "addresses": ("holdings", "where an account at a venue may withdraw to: its address book"),
    "call": ("calling", "run a call that one venue alone offers, or list them"),
    "sandbox": (
        "operate",
        "run a Penstock to try things on: seeded accounts, simulated chains, no real money",
    ),
    "serve": ("operate", "run a Penstock with the operator's settings"),
    "worker": ("operate", "sign and send what `penstock serve --no-workers` took in"),
    "verify": ("operate", "prove a ledger: recompute every balance and every rule from its journal"),
    "migrate": ("migrate", "move a ledger from SQLite to PostgreSQL"),
    "bench": ("bench", "measure how much a Penstock takes"),
    "demo": ("demo", "watch withdrawals through all five venues' APIs, live, on a sandbox of its own"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. argv: without the program's name; None takes the process's own. Returns the exit
    code.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = _parser(given).parse_args(given)
    except SystemExit as ended:
        # argparse has already written its help or its complaint.
        return int(ended.code or Exit.OK)
    try:
        code = _group(arguments.command).run(arguments.command, arguments)
        sys.stdout.flush()
    except Failure as failure:
        return failure.tell()
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain again while it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except KeyboardInterrupt as stopped:
        # The client notes on an interrupt whether it left a withdrawal in doubt.
        notes: list[str] = getattr(stopped, "__notes__", [])
        if not notes:
            return Failure("stopped").tell()
        return Failure("; ".join(notes), "penstock withdrawals list", code=Exit.UNKNOWN).tell()
    return code


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="penstock",
        description="Self-hosted crypto withdrawals: serve venues' APIs, or withdraw through them.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in given if not word.startswith("-")), None)
    for name, (_, what) in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + ".",
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == chosen:
            _group(name).add_arguments(name, command)
    return parser


class _Group(Protocol):
    """What a command's module offers; a module may hold several commands, so each function is told which."""

    def add_arguments(self, command: str, parser: argparse.ArgumentParser) -> None: ...

    def run(self, command: str, arguments: argparse.Namespace) -> int: ...


def _group(command: str) -> _Group:
    return cast("_Group", import_module(f"penstock.cli.{_COMMANDS[command][0]}"))


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415  only this option needs it

        print(f"penstock {version('penstock')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
