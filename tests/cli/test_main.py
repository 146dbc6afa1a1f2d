"""The entry point as a process: it starts quickly, explains itself, and ends with the documented codes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]
COMMANDS = (
    *("withdraw", "withdrawals", "balance", "addresses", "call"),
    *("sandbox", "serve", "worker", "verify", "migrate", "bench", "demo"),
)


def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PENSTOCK, *argv],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], **environment},
    )


def cpu_ms_of_help() -> int:
    """Processor time, not the wall's: the other tests share this machine's cores."""
    child = subprocess.Popen([*PENSTOCK, "--help"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return round((usage.ru_utime + usage.ru_stime) * 1000)


def test_help_takes_less_than_150_ms() -> None:
    assert statistics.median(cpu_ms_of_help() for _ in range(10)) < 150


def test_help_loads_no_service_and_no_client() -> None:
    code = (
        "import sys; from penstock.cli.main import main; main(['--help']); "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "{'httpx2', 'msgspec', 'rich', 'apsw', 'uvicorn', 'asyncio'}], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stderr.strip() == "[]"


def test_help_names_every_command_and_every_exit_code() -> None:
    ran = run("--help")
    assert ran.returncode == 0
    assert all(f"\n    {command}" in ran.stdout for command in COMMANDS)
    assert all(f"\n  {code}  " in ran.stdout for code in range(4))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    ran = run(command, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "exit codes:" in ran.stdout


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("fly",),
        ("withdraw",),
        ("withdraw", "--currency", "BTC", "--amount", "1", "--address", "a", "--to-account", "b"),
        ("withdraw", "--currency", "BTC", "--amount", "1.5x", "--address", "a", "--from-env"),
        ("withdraw", "--currency", "BTC", "--amount", "1", "--address", "a"),
        ("withdraw", "--currency", "BTC", "--amount", "1", "--address", "a", "--from-env", "--debited"),
        ("withdraw", "--currency", "BTC", "--amount", "1", "--to-account", "a", "--from-env", "--memo", "5"),
        (
            "withdraw",
            "--currency",
            "BTC",
            "--amount",
            "1",
            "--address",
            "a",
            "--from-env",
            "--area-code",
            "61",
        ),
        ("balance", "--venue", "elsewhere", "--from-env"),
        ("call", "name", "no field", "--from-env"),
        ("call", "name", "field:={", "--from-env"),
        ("balance",),
        ("balance", "--from-env"),
        ("balance", "--config", "nowhere.toml"),
        ("sandbox", "--port", "70000", "--state", "x"),
        ("verify", "--state", "nowhere"),
        ("serve", "--config", "nowhere"),
        ("migrate", "--from", "sqlite:nowhere", "--to", "postgresql://127.0.0.1/x"),
        ("bench", "intake", "--clients", "0"),
    ],
)
def test_a_wrong_command_line_ends_with_2(argv: tuple[str, ...]) -> None:
    ran = run(*argv)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" not in ran.stderr
    assert "penstock" in ran.stderr


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("penstock 0.")


def test_the_environment_names_the_account() -> None:
    ran = run(
        "balance",
        "--from-env",
        PENSTOCK_BITMART_API_KEY="k",
        PENSTOCK_BITMART_API_SECRET="canary-1",
        PENSTOCK_BITMART_MEMO="canary-2",
        PENSTOCK_BITMART_BASE_URL="http://127.0.0.1:9",
    )
    assert ran.returncode == 1
    assert "was not reached" in ran.stderr
    assert "canary" not in ran.stderr


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    log = tmp_path / "errors"
    with log.open("w") as errors:
        child = subprocess.Popen([*PENSTOCK, "--help"], stdout=subprocess.PIPE, stderr=errors)
        assert child.stdout is not None
        child.stdout.close()
        child.wait(30)
    assert "Traceback" not in log.read_text()
