"""The commands through each venue's own API, on a sandbox that serves all of them: paid, watched, shown."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.client import VENUES, entry_of
from tests.acceptance.process_groups import PENSTOCK
from tests.acceptance.sandbox_process import Sandbox, running_sandbox

pytestmark = pytest.mark.xdist_group("commands")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("every-venue"), "--chain-pace", "100") as running:
        yield running
        assert running.verified().startswith("verify: ok")


def run(sandbox: Sandbox, venue: str, *argv: str) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [*PENSTOCK, *argv, "--venue", venue, "--config", str(sandbox.state / "sandbox.json")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    seeded = sandbox.facts["venues"][venue]
    for option in entry_of(venue).options:
        # BitMart's memo in the sandbox is the word "sandbox", which stands in paths too.
        if option.secret and option.name in seeded and option.name != "memo":
            assert seeded[option.name] not in ran.stdout + ran.stderr
    return ran


def asked(sandbox: Sandbox, venue: str) -> dict[str, str]:
    seeded: dict[str, Any] = sandbox.facts["venues"][venue]
    match venue:
        case "bitmart":
            to = next(at for at in seeded["addresses"] if at["verified"] and at["currency"] == "USDT-ERC20")
            return {"currency": "USDT", "network": "ethereum", "amount": "25", "address": to["address"]}
        case "sunx":
            to = {"network": "tron", "address": seeded["wallet_address"]}
            return {"currency": "usdt", "amount": "8.799999", **to}
        case "zoomex":
            to = next(at for at in seeded["addresses"] if at["coin"] == "USDT")
            return {"currency": "USDT", "network": to["chain"], "amount": "25", "address": to["address"]}
        case "alphapo":
            to = seeded["address_by_currency"]["BTC"]
            return {"currency": "BTC", "amount": "100", "debit-currency": "EUR", "address": to}
        case _:
            coin = seeded["coins"][0]["coin_id"]
            return {"currency": coin, "amount": "10", "address": seeded["eth_address"]}


def withdraw(sandbox: Sandbox, venue: str, *argv: str) -> subprocess.CompletedProcess[str]:
    named = [word for name, value in asked(sandbox, venue).items() for word in (f"--{name}", value)]
    debited = ("--debited",) if venue == "alphapo" else ()
    return run(sandbox, venue, "withdraw", *named, *debited, *argv)


@pytest.mark.parametrize("venue", VENUES)
def test_a_dry_run_shows_the_request_and_makes_nothing(sandbox: Sandbox, venue: str) -> None:
    before = sandbox.rows("SELECT COUNT(*) FROM withdrawals")
    ran = withdraw(sandbox, venue, "--dry-run", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    assert asked(sandbox, venue)["amount"] in told["body"]
    assert told["signed_text"]
    assert "***" in told["url"] + json.dumps(told["headers"]) + told["body"]
    assert sandbox.rows("SELECT COUNT(*) FROM withdrawals") == before


def test_at_edgex_no_address_means_the_accounts_own(sandbox: Sandbox) -> None:
    asked_for = asked(sandbox, "edgex")
    words = ("--currency", asked_for["currency"], "--amount", asked_for["amount"], "--dry-run", "--json")
    told = json.loads(run(sandbox, "edgex", "withdraw", *words).stdout)
    assert json.loads(told["body"])["ethAddress"] == asked_for["address"]


@pytest.mark.parametrize("venue", VENUES)
def test_a_withdrawal_is_shown_sent_watched_and_paid(sandbox: Sandbox, venue: str) -> None:
    ran = withdraw(sandbox, venue, "--yes", "--watch")
    assert ran.returncode == 0, ran.stderr
    shown = " ".join(ran.stderr.split())
    for fact in (
        f"{venue} at {sandbox.url}",
        asked(sandbox, venue)["address"],
        asked(sandbox, venue)["amount"],
    ):
        assert fact in shown
    withdrawal_id = ran.stdout.split()[1]
    told = json.loads(run(sandbox, venue, "withdrawals", "show", withdrawal_id, "--json").stdout)
    assert told["withdrawal_id"] == withdrawal_id
    assert told["status"] == "done"
    assert told["tx_id"]


@pytest.mark.parametrize("venue", VENUES)
def test_balances_are_shown_as_a_table_and_as_json(sandbox: Sandbox, venue: str) -> None:
    rows = json.loads(run(sandbox, venue, "balance", "--json").stdout)
    assert rows
    assert len(run(sandbox, venue, "balance").stdout.splitlines()) == len(rows) + 1


@pytest.mark.parametrize("argv", [("addresses",), ("withdrawals", "list")])
@pytest.mark.parametrize("venue", VENUES)
def test_a_command_works_or_says_in_one_line_that_the_venue_has_it_not(
    sandbox: Sandbox, venue: str, argv: tuple[str, ...]
) -> None:
    ran = run(sandbox, venue, *argv)
    if ran.returncode == 0:
        assert ran.stdout
    else:
        assert ran.returncode == 2
        assert ran.stderr.startswith(f"penstock: {venue} offers no ")
        assert ran.stderr.count("\n") == 1
