"""A short run of the real benchmark on the real service. Not a word of speed: the tests share the cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.bench import intake, machine
from penstock.bench.service_process import Sandbox
from tests.bench.test_intake_harness import KEYS

pytestmark = pytest.mark.xdist_group("bench")

# 4 clients go at most some 3,000 a second here, and a key may apply 8 times in 2 s.
SMALL = intake.Plan(clients=4, rounds=1, warm_ms=200, measured_ms=1_000, accounts=2_000, rate_first=10_000)


def test_a_short_run_gives_every_figure_and_a_verified_ledger(tmp_path: Path) -> None:
    outcome = intake.measure(SMALL, Sandbox(), tmp_path)
    line = intake.line(SMALL, outcome, machine.look(tmp_path))
    assert not {key for key in KEYS if line.get(key) is None}
    assert line["verified"] is True, outcome.verdict
    assert line["stored"] == line["accepted"] > 0
    assert line["refused"] == {}
    assert line["errors"] == {"lost": 0}
