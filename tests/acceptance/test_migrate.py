"""`penstock migrate` on a real sandbox: stopped in the middle of everything on SQLite, it goes on on PostgreSQL.

Short, blocks come three times as fast, and the lease of the process that was killed is taken from it instead of waited
for (tests/size.py).
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from penstock.cli.main import main
from penstock.client import VENUES
from tests.acceptance.process_groups import PENSTOCK
from tests.acceptance.raw_http import apply_body, apply_request, ask
from tests.acceptance.sandbox_process import Sandbox, running_sandbox
from tests.acceptance.sunx_trader import Trader, new_trader
from tests.acceptance.zoomex_requests import CREATE, Payer, demo, new_payer, send
from tests.cli.test_on_a_sandbox import asked
from tests.postgres import database
from tests.size import IN_FULL, sized

PACE = ("--chain-pace", sized("700", "2000"))
"""A payment is final after three blocks: enough to be killed in between."""
WAIT_S_MAX = 60.0
"""The lease of the process that was killed runs out in between, and another quarter of a minute is nothing."""
STATES = "SELECT state, count(*) FROM withdrawals GROUP BY state"


@dataclass
class Left:
    """A sandbox with withdrawals in every stage, and what its customers have in hand."""

    sandbox: Sandbox
    url: str
    trader: Trader
    quote: dict[str, Any]
    payer: Payer
    request_id: str
    zoomex_id: str
    """The withdrawal that came of request_id."""
    bitmart: bytes
    """A whole signed request."""
    withdraw_id: str
    """The withdrawal that came of it."""

    def penstock(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PENSTOCK, *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def migrate(self) -> subprocess.CompletedProcess[str]:
        return self.penstock("migrate", "--from", f"sqlite:{self.sandbox.state}", "--to", self.url)

    def verified(self, *where: str) -> str:
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            assert main(["verify", *where]) == 0, told.getvalue()
        return told.getvalue().splitlines()[-1]

    def stored(self, sql: str, *bindings: object) -> list[tuple[Any, ...]]:
        """From PostgreSQL."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql, bindings).fetchall()  # type: ignore[call-overload, no-any-return]

    def change(self, sql: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(sql)  # type: ignore[call-overload]

    def states(self) -> dict[str, int]:
        """From PostgreSQL, without quotes that wait or have run out."""
        return {
            state: count for state, count in self.stored(STATES) if state not in {"challenged", "expired"}
        }


def until(holds: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + WAIT_S_MAX
    while not holds():
        assert time.monotonic() < ends_s
        time.sleep(0.1)


def ask_every_venue(sandbox: Sandbox, *argv: str) -> None:
    """A withdrawal through each, from the account that the sandbox has for it. In this process: starting one takes
    longer than what it does.
    """
    for venue in VENUES:
        named = [word for name, value in asked(sandbox, venue).items() for word in (f"--{name}", value)]
        if venue == "alphapo":
            named.append("--debited")
        config = str(sandbox.state / "sandbox.json")
        assert main(["withdraw", "--venue", venue, "--config", config, "--yes", *named, *argv]) == 0, venue


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Left]:
    """Of every venue a withdrawal that is paid and one that is held, two more held, and a quote; sending is stopped."""
    with database() as url, running_sandbox(tmp_path, *PACE) as sandbox:
        trader, payer = new_trader(sandbox), new_payer(sandbox)
        ask_every_venue(sandbox)
        until(lambda: dict(sandbox.rows(STATES)).get("confirmed") == len(VENUES))
        sandbox.admin("POST", "/sending/stop", {"reason": "move"})
        ask_every_venue(sandbox)
        request = apply_request(sandbox.new_key(), apply_body(sandbox, amount="31.5"))
        withdraw_id = ask(sandbox, request).envelope["data"]["withdraw_id"]
        request_id = "9" * 20
        zoomex_id = send(sandbox, demo(CREATE, payer.key, payer.create(requestId=request_id))).withdraw_id
        yield Left(sandbox, url, trader, trader.quote(), payer, request_id, zoomex_id, request, withdraw_id)


def test_a_sandbox_that_was_killed_goes_on_where_it_was_on_postgresql(left: Left) -> None:
    sandbox, count = left.sandbox, len(VENUES)
    beside = left.migrate()
    assert (beside.returncode, beside.stdout) == (1, "")
    assert beside.stderr == (
        f"penstock: {sandbox.state} is in use by another Penstock; stop it or use another one\n"
    )
    sandbox.admin("POST", "/sending/start", {"reason": "to be killed on the way"})
    until(lambda: bool({"sent", "mined"} & dict(sandbox.rows(STATES)).keys()))
    sandbox.kill()
    before = left.verified("--state", str(sandbox.state))
    states = dict(sandbox.rows(STATES))
    # Quotes that nobody will take up wait beside the one of this test: the client's own, to show what a payment costs.
    assert states.pop("challenged") >= 1
    assert sum(states.values()) == count + count + 2
    assert states["confirmed"] < count + count + 2, "nothing was under way"

    done = left.migrate()
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[-1].startswith("migrate: ok (")
    assert left.verified("--database", left.url) == before == left.verified("--state", str(sandbox.state))
    assert left.states() == states
    _is_retired(left)

    venues = sandbox.facts["venues"]
    if not IN_FULL:
        left.change("UPDATE lanes SET lease_until_ms = 0")
    sandbox.options = (*PACE, "--database", left.url)
    sandbox.start()
    assert sandbox.facts["venues"] == venues
    _first_answers_again(left)
    assert left.trader.confirmed(left.quote)["order-id"]
    ask_every_venue(sandbox)
    counted = 3 * count + 2 + 1
    until(lambda: left.states() == {"confirmed": counted})
    _each_is_paid_once(left, counted)


def _is_retired(left: Left) -> None:
    ran = left.penstock("sandbox", "--port", "0", "--state", str(left.sandbox.state))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "penstock: the database is retired: it was, or is being, moved to postgresql 'test_" in ran.stderr
    again = left.migrate()
    assert again.returncode == 0, again
    assert again.stdout.splitlines()[-1].startswith("migrate: ok (")


def _first_answers_again(left: Left) -> None:
    """Requests that were sent before the move are answered with the withdrawals that they made then."""
    count = sum(left.states().values())
    again = ask(left.sandbox, left.bitmart)
    assert again.verdict == (200, 1000)
    assert again.envelope["data"]["withdraw_id"] == left.withdraw_id
    repeated = demo(CREATE, left.payer.key, left.payer.create(requestId=left.request_id))
    assert send(left.sandbox, repeated).withdraw_id == left.zoomex_id
    assert sum(left.states().values()) == count


def _each_is_paid_once(left: Left, counted: int) -> None:
    """Every withdrawal has one transaction of its own in a block, and no chain has a payment beside these."""
    left.sandbox.terminate()
    assert left.verified("--database", left.url).startswith("verify: ok")
    paid = left.stored("SELECT network, tx_hash FROM withdrawals WHERE state = 'confirmed'")
    assert (len(paid), set(Counter(paid).values())) == (counted, {1})
    on_chain = []
    for file in (left.sandbox.state / "chains").glob("*.db"):
        with contextlib.closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as chain:
            sql = "SELECT hash FROM transactions WHERE paid AND height IS NOT NULL"
            on_chain += [(file.stem, tx_hash) for (tx_hash,) in chain.execute(sql)]
    assert sorted(on_chain) == sorted(paid)
