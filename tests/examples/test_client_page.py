"""docs/client.md: its examples as they stand there, on a sandbox as the page starts it; its tables and its settings."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.cli.connection import access_in
from penstock.client import VENUES, entry_of
from penstock.core.secret import Secret
from tests.acceptance.sandbox_process import Sandbox, running_sandbox
from tests.client.sample_accounts import CREDENTIALS
from tests.nodes import ROOT

pytestmark = pytest.mark.xdist_group("client-page")

PAGE = (ROOT / "docs" / "client.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PREAMBLE = EXAMPLES[0]


def examples_of(venue: str) -> list[str]:
    return [
        example for example in EXAMPLES if f'connect("{venue}"' in example or f'    "{venue}",' in example
    ]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("client-page")
    with running_sandbox(folder, "--chain-pace", "100") as running:
        running.state.with_name("sandbox-state").symlink_to(running.state)
        yield running


def run(sandbox: Sandbox, text: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", text],
        cwd=sandbox.state.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.split()


@pytest.mark.parametrize("venue", VENUES)
def test_the_example_of_a_venue_withdraws(sandbox: Sandbox, venue: str) -> None:
    (example,) = examples_of(venue)
    assert run(sandbox, PREAMBLE + example)[-1] in {"accepted", "processing", "done"}


def test_paying_once_gives_the_withdrawals_id(sandbox: Sandbox) -> None:
    (pay_once,) = (example for example in EXAMPLES if "def pay_once" in example)
    (bitmart,) = examples_of("bitmart")
    used = (
        bitmart.partition("    sent =")[0]
        + '    print(pay_once(bitmart, "USDT-ERC20", "25", to["address"]))\n'
    )
    (withdrawal_id,) = run(sandbox, PREAMBLE + pay_once + used)
    assert sandbox.rows(f"SELECT COUNT(*) FROM withdrawals WHERE withdrawal_id = {int(withdrawal_id)}") == [
        (1,)
    ]


def test_the_calls_of_one_venue_are_listed(sandbox: Sandbox) -> None:
    (listing,) = (example for example in EXAMPLES if "extra_calls" in example)
    (zoomex,) = examples_of("zoomex")
    # Without its withdrawal: Zoomex takes one a second.
    connected = zoomex.partition("    sent =")[0] + "    pass\n"
    assert run(sandbox, PREAMBLE + connected + listing)


def test_the_table_of_credentials_is_the_venues_options() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| ?(.*?) ?\|$", PAGE, re.MULTILINE)
    told = {
        venue: [re.findall(r"`(\w+)`", cell) for cell in cells] for venue, *cells in rows if venue in VENUES
    }
    assert told == {
        venue: [
            [option.name for option in entry_of(venue).options if option.required is required]
            for required in (True, False)
        ]
        for venue in VENUES
    }


@pytest.mark.parametrize("venue", VENUES)
def test_the_settings_of_the_page_make_a_client(
    venue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    path = tmp_path / "venues.toml"
    path.write_text(settings)
    (section,) = re.findall(rf"^\[{venue}\]\n(.*?)(?:^\[|\Z)", settings, re.DOTALL | re.MULTILINE)
    for name, kind, place in re.findall(r'^(\w+) = \{(env|file) = "(.+)"\}$', section, re.MULTILINE):
        if kind == "env":
            monkeypatch.setenv(place, CREDENTIALS[venue][name])
        else:
            (tmp_path / place).write_text(CREDENTIALS[venue][name])
    access = access_in(venue, path)
    kept = {name for name, value in access.credentials.items() if isinstance(value, Secret)}
    assert (
        kept
        == {option.name for option in entry_of(venue).options if option.secret} & access.credentials.keys()
    )
    with access.open() as client:
        assert client.venue == venue
