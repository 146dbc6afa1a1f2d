"""`penstock bench start`: how long `penstock --help` takes, beside an interpreter that does nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from penstock.bench.aims import Aim, judged
from penstock.bench.figures import median, milliseconds, ratio
from penstock.bench.run import tell

RUNS = 20
IMPORT_RUNS = 5
SHOWN = 8
AIMS = (Aim("help_ms", at_most=150.0),)
_IMPORT = re.compile(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", re.MULTILINE)
_NOTHING = (sys.executable, "-c", "pass")


def program() -> tuple[str, ...]:
    """The command as it is installed beside this interpreter; where it is not, its module."""
    installed = Path(sys.executable).parent / "penstock"
    return (
        (sys.executable, str(installed))
        if installed.is_file()
        else (sys.executable, "-m", "penstock.cli.main")
    )


def took_ns(command: Sequence[str]) -> int:
    """Wall time of one run, from starting the process to its end. Raises CalledProcessError where it fails."""
    began_ns = time.monotonic_ns()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic_ns() - began_ns


def slowest_imports(said: Sequence[str], shown: int = SHOWN) -> dict[str, int]:
    """From what several runs of `python -X importtime` wrote: each module's own time in us, the least of them, since
    a noisy neighbour only ever adds; the slowest modules first.
    """
    own: dict[str, int] = {}
    for each in said:
        for self_us, name in _IMPORT.findall(each):
            own[name] = min(int(self_us), own.get(name, int(self_us)))
    return dict(sorted(own.items(), key=lambda pair: -pair[1])[:shown])


def _import_times(command: Sequence[str]) -> str:
    return subprocess.run(
        (command[0], "-X", "importtime", *command[1:]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    ).stderr


def run(runs: int = RUNS) -> int:
    """Measure, and write one JSON line to stdout. In turns, after one run of each that is not counted. Returns 0."""
    command = (*program(), "--help")
    took_ns(command)
    took_ns(_NOTHING)
    helped: list[int] = []
    nothing: list[int] = []
    for _ in range(runs):
        helped.append(took_ns(command))
        nothing.append(took_ns(_NOTHING))
    told: dict[str, object] = {
        "bench": "start",
        "compared": "`penstock --help` and `python -c pass` in turns, from starting the process to its end",
        "help_ms": milliseconds(median(helped), 1),
        "help_min_ms": milliseconds(min(helped), 1),
        "help_max_ms": milliseconds(max(helped), 1),
        "nothing_ms": milliseconds(median(nothing), 1),
        "ratio_nothing": ratio(median(helped), median(nothing)),
        "slowest_imports_us": slowest_imports([_import_times(command) for _ in range(IMPORT_RUNS)]),
        "runs": runs,
    }
    tell(judged(told, AIMS))
    return 0
