"""What `penstock worker` refuses before it starts anything: a database or a chain that nobody else would see."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.service import run_worker

SETTINGS = """\
state_dir = "{state}"

{database}

[[assets]]
code = "ETH"
name = "Ether"
scale = 18

[[networks]]
code = "ethereum"
family = "evm"
native = "ETH"
confirmations = 2
chain = {chain}

[[listings]]
asset = "ETH"
network = "ethereum"
decimals = 18
fee = "0"
minimum = "1"
precision = 6
"""
REAL = '{ type = "evm", rpc_url = "http://127.0.0.1:1", chain_id = 1 }'


@pytest.mark.parametrize(
    "database, chain, complaint",
    [
        ("", REAL, "database.url: a worker of its own needs PostgreSQL"),
        (
            '[database]\nurl = "postgresql:///nowhere"',
            '{ type = "simulated" }',
            "networks: ethereum is simulated",
        ),
    ],
)
def test_a_worker_that_would_work_for_itself_alone_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], database: str, chain: str, complaint: str
) -> None:
    config = tmp_path / "penstock.toml"
    config.write_text(SETTINGS.format(state=tmp_path / "state", database=database, chain=chain))
    assert run_worker(config) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert told.err.startswith(f"penstock: {complaint}")
    assert not (tmp_path / "state").exists()
