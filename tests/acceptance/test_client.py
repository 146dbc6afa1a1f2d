"""Every call of penstock.client and the commands built on it, against a real sandbox process."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from penstock.client import AsyncClient, Client, Status, VenueRefused, connect, connect_async
from tests.acceptance.process_groups import PENSTOCK
from tests.acceptance.sandbox_process import LOOK_EVERY_S, Sandbox

pytestmark = pytest.mark.xdist_group("client")

PAID_S_MAX = 30.0


def settings(sandbox: Sandbox) -> dict[str, str]:
    """With a key of its own, so that no other test uses up its rate limit."""
    return {"base_url": sandbox.url, **sandbox.new_key()}


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with connect("bitmart", **settings(sandbox)) as opened:
        yield opened


def test_a_withdrawal_and_its_list_and_balance_agree(sandbox: Sandbox, client: Client) -> None:
    address = sandbox.entry("USDT-ERC20")["address"]
    before = next(line for line in client.balances() if (line.currency, line.wallet) == ("USDT", "spot"))
    sent = client.withdraw("USDT", Decimal("61.5"), address, network="ethereum")
    ends_s = time.monotonic() + PAID_S_MAX
    while not (paid := client.withdrawal(sent.withdrawal_id)).status.is_final and time.monotonic() < ends_s:
        time.sleep(6 * LOOK_EVERY_S)
    assert (paid.status, paid.amount, paid.net) == (Status.DONE, Decimal("61.5"), Decimal("58.5"))
    assert paid in client.withdrawals("USDT")
    after = next(line for line in client.balances() if (line.currency, line.wallet) == ("USDT", "spot"))
    assert before.available - after.available >= Decimal("61.5")


def test_fee_currencies_addresses_and_deposit_address_are_read(sandbox: Sandbox, client: Client) -> None:
    assert client.fee("USDT-ERC20").fee == Decimal(3)
    assert {"USDT-ERC20", "BTC", "XRP"} <= {line.currency for line in client.currencies()}
    verified = {line.address for line in client.addresses() if line.verified}
    assert {sandbox.entry("BTC")["address"], sandbox.entry("XRP")["address"]} <= verified
    assert client.deposit_address("XRP").memo == "90001"


def test_the_awaiting_client_does_all_of_it_too(sandbox: Sandbox) -> None:
    async def use(opened: AsyncClient) -> tuple[Any, ...]:
        sent = await opened.withdraw_to_account("USDT-ERC20", 10, sandbox.bitmart["recipient_cid"])
        with pytest.raises(VenueRefused, match="60008"):
            await opened.withdraw("BTC", "999", sandbox.entry("BTC")["address"])
        return (
            await opened.withdrawal(sent.withdrawal_id),
            await opened.withdrawals("USDT"),
            await opened.balances(),
            await opened.fee("USDT-ERC20"),
            await opened.currencies(),
            await opened.addresses(),
            await opened.deposit_address("USDT-ERC20"),
        )

    async def opening() -> tuple[Any, ...]:
        async with connect_async("bitmart", **settings(sandbox)) as opened:
            return await use(opened)

    moved, listed, balances, fee, currencies, addresses, deposit = asyncio.run(opening())
    assert (moved.status, moved.amount) == (Status.DONE, Decimal(10))
    assert moved in listed
    assert all((balances, currencies, addresses))
    assert (fee.fee, deposit.address[:2]) == (Decimal(3), "0x")


# ---- the command line ----


def run(sandbox: Sandbox, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PENSTOCK, *argv, "--config", str(sandbox.state / "sandbox.json")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def to_the_book(sandbox: Sandbox, amount: str) -> tuple[str, ...]:
    address = sandbox.entry("USDT-ERC20")["address"]
    return ("--asset", "USDT", "--network", "ethereum", "--amount", amount, "--address", address)


def test_a_dry_run_sends_nothing_and_shows_no_secret(sandbox: Sandbox) -> None:
    ran = run(sandbox, "withdraw", *to_the_book(sandbox, "77.25"), "--dry-run")
    assert (ran.returncode, "77.25" in ran.stdout) == (0, True), ran.stderr
    assert sandbox.bitmart["api_secret"] not in ran.stdout + ran.stderr
    assert sandbox.rows("SELECT count(*) FROM withdrawals WHERE amount = '77250000'") == [(0,)]


def test_a_withdrawal_is_made_watched_listed_and_shown(sandbox: Sandbox) -> None:
    made = run(sandbox, "withdraw", *to_the_book(sandbox, "88.25"), "--yes", "--watch")
    assert made.returncode == 0, made.stderr
    ((withdrawal_id, tx_hash, state),) = sandbox.rows(
        "SELECT withdrawal_id, tx_hash, state FROM withdrawals WHERE amount = '88250000'"
    )
    assert state == "confirmed"
    assert str(withdrawal_id) in made.stdout
    assert tx_hash in made.stdout
    listed = run(sandbox, "withdrawals", "list", "--currency", "USDT")
    assert str(withdrawal_id) in listed.stdout
    shown = run(sandbox, "withdrawals", "show", str(withdrawal_id))
    assert tx_hash in shown.stdout, shown.stderr
    assert all(step in shown.stdout for step in ("held", "planned", "signed", "sent", "confirmed"))


def test_balances_and_addresses_are_printed(sandbox: Sandbox) -> None:
    balances = json.loads(run(sandbox, "balance", "--json").stdout)
    assert {"BTC", "USDT"} <= {line["currency"] for line in balances}
    assert sandbox.entry("BTC")["address"] in run(sandbox, "addresses").stdout


def test_a_refusal_is_an_exit_code_and_one_clear_line(sandbox: Sandbox) -> None:
    ran = run(sandbox, "withdraw", *to_the_book(sandbox, "0.5"), "--yes")
    assert ran.returncode != 0
    assert "60005" in ran.stderr or "Minimum amount" in ran.stderr
    assert "Traceback" not in ran.stderr
