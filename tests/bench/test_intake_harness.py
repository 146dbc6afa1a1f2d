"""The harness, with a server that stores nothing standing in for the service."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from penstock.bench import intake, machine
from penstock.bench.processes import ServerFailed, ServerProcess
from penstock.bench.requests import LoadAccount
from penstock.bench.service_process import Verdict

# One after the other in one worker: they measure, and share a fixture that starts servers.
pytestmark = pytest.mark.xdist_group("bench")

KEYS = {
    "accepted_per_s",
    "p50_ms",
    "p99_ms",
    "clients",
    "seconds",
    "database",
    "verified",
    "bare_per_s",
    "ratio_bare",
    "pgbench_tps",
    "ratio_pgbench",
    "ratio",
    "loader_cpu",
    "server_cpu",
    "refused",
    "errors",
    "cores",
}
SMALL = intake.Plan(clients=2, rounds=2, warm_ms=50, measured_ms=150, accounts=10, rate_first=20_000)


class Forgetful:
    """Accepts whatever comes and stores none of it."""

    def seed(self, state: Path, accounts: int) -> list[LoadAccount]:
        state.mkdir()
        return [
            LoadAccount(f"key-{number}", "secret", "memo", "BTC", "address") for number in range(accounts)
        ]

    def command(self, state: Path) -> tuple[str, ...]:
        return (sys.executable, "-m", "penstock.bench.bare")

    def verify(self, state: Path) -> Verdict:
        return Verdict(ok=True, withdrawals=0, attempts=0, text="verify: ok (0 withdrawals)")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> intake.Outcome:
    return intake.measure(SMALL, Forgetful(), tmp_path_factory.mktemp("bench"))


def test_the_line_has_every_figure(outcome: intake.Outcome, tmp_path: Path) -> None:
    line = intake.line(SMALL, outcome, machine.look(tmp_path))
    assert line.keys() >= KEYS
    missing = {key for key in KEYS if line[key] is None}
    assert not missing
    assert line["accepted_per_s"] > 0
    assert line["p50_ms"] <= line["p99_ms"]


def test_every_part_of_every_round_is_measured(outcome: intake.Outcome) -> None:
    assert [len(parts) for parts in (outcome.bare, outcome.intake, outcome.tps)] == [2, 2, 2]
    assert all(part.accepted > 0 and not part.refused and not part.errors for part in outcome.intake)


def test_acceptances_that_are_not_stored_are_not_verified(outcome: intake.Outcome) -> None:
    assert not outcome.verified


def stored(outcome: intake.Outcome, withdrawals: int, **changes: object) -> intake.Outcome:
    verdict = Verdict(**{"ok": True, "withdrawals": withdrawals, "attempts": 0, "text": "", **changes})
    return intake.Outcome(intake=outcome.intake, stopped_by_itself=True, verdict=verdict)


def test_exactly_the_accepted_withdrawals_must_be_stored(outcome: intake.Outcome) -> None:
    accepted = sum(part.accepted_all for part in outcome.intake)
    assert stored(outcome, accepted).verified
    assert not stored(outcome, accepted - 1).verified
    assert not stored(outcome, accepted + 1).verified


def test_a_broken_ledger_a_payout_or_a_killed_server_is_not_verified(outcome: intake.Outcome) -> None:
    accepted = sum(part.accepted_all for part in outcome.intake)
    assert not stored(outcome, accepted, ok=False).verified
    assert not stored(outcome, accepted, attempts=1).verified
    killed = stored(outcome, accepted)
    killed.stopped_by_itself = False
    assert not killed.verified


def test_a_server_that_does_not_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    server = ServerProcess((sys.executable, "-c", "raise SystemExit('no room')"), tmp_path / "log")
    with pytest.raises(ServerFailed, match="no room"), server:
        pass


def test_long_runs_go_in_rounds_that_no_signature_outlives() -> None:
    for seconds in (1, 10, 29.5, 300):
        wanted = intake.plan(seconds, clients=64)
        assert wanted.rounds >= 3
        assert wanted.warm_ms + wanted.measured_ms < 15_000
        assert wanted.rounds * wanted.measured_ms >= seconds * 1_000


def test_a_database_that_cannot_be_measured_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert intake.run(1, 1, "mysql://localhost/x") == 2
    assert "SQLite" in capsys.readouterr().err
