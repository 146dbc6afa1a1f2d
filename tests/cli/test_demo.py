"""The demo's two parts that need no Penstock: the child it starts and always ends, and what it shows."""

from __future__ import annotations

import io
import os
import select
import sys
from pathlib import Path

import pytest
from rich.console import Console

from penstock.cli.child_sandbox import running
from penstock.cli.inside import Change, Inside, Told
from penstock.cli.terminal import Failure
from penstock.cli.timeline import Followed, live_table, news
from penstock.client import Status, connect

NOBODY = connect("bitmart", api_key="k" * 8, api_secret="s", memo="m")
"""A client that is never used."""

# A fake sandbox: it starts a child of its own, says that it is ready, and does not listen to SIGTERM.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: open(sys.argv[1] + "/asked", "w").close())
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1] + "/child", "w").write(str(child.pid))
print("starting", flush=True)
print("ready http://127.0.0.1:1", flush=True)
while True:
    time.sleep(60)
"""


def test_nothing_of_the_sandbox_is_left_even_when_the_demo_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.cli.child_sandbox.STOP_S_MAX", 1)
    demo = running([sys.executable, "-c", STUBBORN, str(tmp_path)], tmp_path / "log")
    assert demo.__enter__() == "http://127.0.0.1:1"
    child = os.pidfd_open(int((tmp_path / "child").read_text()))
    failure = ZeroDivisionError()
    assert not demo.__exit__(type(failure), failure, None)
    assert (tmp_path / "asked").exists()
    # A process's descriptor can be read once the process has ended.
    assert select.select([child], [], [], 5)[0] == [child]
    os.close(child)


def test_a_sandbox_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no room on the disk')"]
    demo = running(command, tmp_path / "log")
    with pytest.raises(Failure, match="no room on the disk"):
        demo.__enter__()


def inside(*states: str, confirmations: int = 0) -> Inside:
    before = ("", *states)
    return Inside(
        Told(7, states[-1], network="ethereum", confirmations=confirmations),
        [
            Change(number, before[number], state, "", 1_000 + 500 * number)
            for number, state in enumerate(states)
        ],
        [],
    )


def test_each_change_is_told_once() -> None:
    followed = Followed("BTC", "bitmart", "7", NOBODY)
    needed = {"ethereum": 12}
    told: list[str] = []
    for seen in (
        inside("held"),
        inside("held"),
        inside("held", "planned", "signed"),
        inside("held", "planned", "signed", "sent", "mined", confirmations=3),
        inside("held", "planned", "signed", "sent", "mined", "confirmed", confirmations=12),
    ):
        followed.inside = seen
        told += news(followed, needed)
    followed.status = Status.DONE
    told += news(followed, needed)
    assert [" ".join(line.split()) for line in told] == [
        "BTC +0.00s held",
        "BTC +0.50s planned",
        "BTC +1.00s signed",
        "BTC +1.50s sent",
        "BTC +2.00s mined",
        "BTC mined 3/12 confirmations",
        "BTC +2.50s confirmed",
        "BTC venue says done",
    ]
    assert followed.is_over
    assert followed.is_paid


def test_the_table_shows_when_each_state_was_reached() -> None:
    followed = Followed(
        "BTC", "bitmart", "7", NOBODY, inside("held", "planned", "signed", "sent", "mined", confirmations=3)
    )
    page = io.StringIO()
    Console(width=120, file=page).print(live_table([followed], {"ethereum": 12}))
    text = page.getvalue()
    for shown in ("0.00s", "0.50s", "1.00s", "1.50s", "2.00s 3/12"):
        assert shown in text
