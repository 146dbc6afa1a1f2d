"""What a process writes of an error that nobody expected."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import structlog
from penstock.process import prepare_process

def connect(url):
    raise ValueError("refused")

prepare_process()
try:
    connect("postgresql://penstock:hunter2@db-a/penstock")
except ValueError:
    structlog.get_logger().exception("pass failed", network="ethereum")
"""


def test_a_traceback_shows_lines_of_code_and_no_values() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == ""
    assert "pass failed" in done.stderr
    assert "network=ethereum" in done.stderr
    assert "Traceback" in done.stderr
    assert "ValueError: refused" in done.stderr
    assert "in connect" in done.stderr
    assert "hunter2" not in done.stderr
