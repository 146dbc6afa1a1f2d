"""The example of the README, as it stands there, on a sandbox as the README starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.sandbox_process import running_sandbox
from tests.nodes import ROOT

EXAMPLE_LINES_MAX = 22


def example() -> str:
    (found,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    return str(found)


def test_the_example_is_short() -> None:
    assert example().count("\n") <= EXAMPLE_LINES_MAX


@pytest.mark.timeout(120)
def test_the_example_prints_ok_and_the_transaction(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--chain-pace", "100") as sandbox:
        sandbox.state.with_name("sandbox-state").symlink_to(sandbox.state)
        ran = subprocess.run(
            [sys.executable, "-c", example()],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        status, tx_hash = ran.stdout.split()
        ((state, stored),) = sandbox.rows("SELECT state, tx_hash FROM withdrawals")
        assert (status, state, tx_hash) == ("ok", "confirmed", stored)
