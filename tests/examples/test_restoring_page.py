"""The commands that docs/operate/serve.md gives for restoring an older copy, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import apsw
import pytest

from tests.nodes import ROOT

PAGE = ROOT / "docs" / "operate" / "serve.md"
TOKEN = "0xdAC17F958D2ee523a2206206994597C13D831ec7"


def _block(holding: str) -> str:
    """The one block of shell commands on the page with `holding` in it."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if holding in block)
    return textwrap.dedent(found)


def _run(commands: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose database knows the first two transactions of the signer's log, and not the third."""
    lines: list[dict[str, object]] = [
        {"type": "opening", "format": 1, "log_id": "0" * 32, "at_ms": 1, "prev": "0" * 64}
    ]
    for nonce in range(3):
        intent = {
            "network": "ethereum",
            "nonce": nonce,
            "to": TOKEN,
            "value": "0",
            "data": f"0xa9059cbb{nonce:02x}",
        }
        lines.append({"type": "signed", "intent": intent, "tx_hash": f"0x{nonce:064x}", "raw": "02"})
    (tmp_path / "signer").mkdir()
    (tmp_path / "signer" / "signer.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with apsw.Connection(str(tmp_path / "penstock.db")) as database:
        database.execute("CREATE TABLE attempts (tx_hash TEXT)")
        database.executemany("INSERT INTO attempts VALUES (?)", [(f"0x{0:064x}",), (f"0x{1:064x}",), (None,)])
    database.close()
    return tmp_path


def test_what_the_signer_knows_and_the_database_does_not_is_listed(state: Path) -> None:
    assert _run(_block("SELECT tx_hash"), state) == f"ethereum 2 {TOKEN} 0 0xa9059cbb02 0x{2:064x}\n"


def test_the_copy_can_be_read_by_its_owner_only_and_is_put_back_whole(state: Path) -> None:
    taking, putting = (
        _block(word).replace("/var/lib/penstock", str(state)) for word in ("VACUUM INTO", "mv penstock")
    )
    snapshot = state / "penstock-1.db"
    taking = taking.replace("/backup/penstock-1.db", str(snapshot)).splitlines()[0]
    _run(taking, state)
    assert snapshot.stat().st_mode & 0o777 == 0o600
    (state / "penstock.db-wal").write_bytes(b"of the lost one")
    _run(putting.replace("/backup/penstock-1.db", str(snapshot)), state)
    assert sorted(path.name for path in (state / "lost").iterdir()) == ["penstock.db", "penstock.db-wal"]
    assert (state / "penstock.db").read_bytes() == snapshot.read_bytes()
    assert (state / "penstock.db").stat().st_mode & 0o777 == 0o600
