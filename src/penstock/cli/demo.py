"""`penstock demo`: the main job, live. A sandbox of its own, a withdrawal through each venue's API, the ledger's
proof.

Everything runs in a temporary directory and is gone at the end, the sandbox's processes included.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

from penstock.cli.child_sandbox import running, sandbox_command
from penstock.cli.connection import Access, access_in, errors_told
from penstock.cli.inside import AdminApi, admin_api
from penstock.cli.terminal import Exit, Failure, is_terminal
from penstock.cli.timeline import Followed, live_table, news
from penstock.client import Client, Submitted

PAID_S_MAX = 40
LOOK_EVERY_S = 0.1
# Some venues take few reads a second; the ledger may be asked more often.
VENUE_LOOK_EVERY_S = 1.5
CHAIN_PACE_MS = 400

Ask = Callable[[Client, Access], Submitted]


def add_arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--chain-pace",
        type=int,
        default=CHAIN_PACE_MS,
        metavar="MS",
        help="a block of the simulated chains every MS milliseconds (default: %(default)s)",
    )


def run(_command: str, arguments: argparse.Namespace) -> int:
    # Ended from outside it must clean up too: then as if interrupted by hand.
    for ended in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ended, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="penstock-demo-") as place:
        state = Path(place) / "state"
        print("starting a sandbox with simulated chains", flush=True)
        with running(sandbox_command(state, arguments.chain_pace), state.parent / "sandbox.log") as base_url:
            print(f"sandbox at {base_url}, its state in {state}", flush=True)
            with ExitStack() as opened, errors_told():
                followed = _withdraw_all(state / "sandbox.json", opened)
                _follow(access_in("bitmart", state / "sandbox.json"), followed)
        print("sandbox stopped")
        proven = _prove(state)
    unpaid = [withdrawal.title.strip() for withdrawal in followed if not withdrawal.is_paid]
    if unpaid:
        raise Failure(f"not paid in {PAID_S_MAX} s: {', '.join(unpaid)}")
    return Exit.OK if proven else Exit.FAILED


# ---- the withdrawals --------------------------------------------------------------------------------------


def _by_bitmart(client: Client, access: Access) -> Submitted:
    entry = _entry(access.facts["addresses"], currency="USDT-ERC20", verified=True)
    return client.withdraw("USDT-ERC20", "25", entry["address"])


def _by_sunx(client: Client, access: Access) -> Submitted:
    facts = access.facts
    return client.withdraw(
        str(facts["currency"]), "12.5", str(facts["wallet_address"]), network=str(facts["chain"])
    )


def _by_zoomex(client: Client, access: Access) -> Submitted:
    entry = _entry(access.facts["addresses"], coin="USDT", chain="BSC")
    return client.withdraw("USDT", "15", entry["address"], network="BSC")


def _by_alphapo(client: Client, access: Access) -> Submitted:
    addresses = cast("dict[str, str]", access.facts["address_by_currency"])
    return client.withdraw("BTC", "100", addresses["BTC"], debit_currency="EUR", debited=True)


def _by_edgex(client: Client, access: Access) -> Submitted:
    coins = cast("list[dict[str, str]]", access.facts["coins"])
    return client.withdraw(coins[0]["coin_id"], "20", str(access.facts["eth_address"]))


ASKS: dict[str, tuple[str, Ask]] = {
    "bitmart": ("25 USDT on Ethereum", _by_bitmart),
    "sunx": ("12.5 USDT on TRON", _by_sunx),
    "zoomex": ("15 USDT on BNB chain", _by_zoomex),
    "alphapo": ("100 EUR as bitcoin", _by_alphapo),
    "edgex": ("20 USDT from layer 2", _by_edgex),
}
"""What is asked of each venue: a title, and the call of its client."""


def _entry(entries: object, **wanted: object) -> dict[str, str]:
    """The first of the sandbox's addresses that is as wanted."""
    for entry in cast("list[dict[str, str]]", entries):
        if all(entry.get(name) == value for name, value in wanted.items()):
            return entry
    raise Failure(f"the sandbox has no address with {wanted}")


def _withdraw_all(facts: Path, opened: ExitStack) -> list[Followed]:
    width = max(len(f"{venue}  {title}") for venue, (title, _) in ASKS.items())
    followed: list[Followed] = []
    for venue, (title, ask) in ASKS.items():
        access = access_in(venue, facts)
        client = opened.enter_context(access.open())
        submitted = ask(client, access)
        withdrawal = Followed(f"{venue:8} {title}".ljust(width), venue, submitted.withdrawal_id, client)
        print(f"{withdrawal.title}  accepted as {withdrawal.venue_id}", flush=True)
        followed.append(withdrawal)
    return followed


def _follow(access: Access, followed: list[Followed]) -> None:
    """Show every change until all is over, or the time is."""
    show = _live if is_terminal() else _lines
    with admin_api(access.base_url, access.admin_token) as admin, show(followed, access) as refresh:
        assert admin, "a sandbox names its token"
        _look_until_over(admin, followed, refresh)


def _look_until_over(admin: AdminApi, followed: list[Followed], refresh: Callable[[], None]) -> None:
    ends_s = time.monotonic() + PAID_S_MAX
    ask_venue_s = time.monotonic()
    ids = admin.ids_by_venue()
    while not all(withdrawal.is_over for withdrawal in followed) and time.monotonic() < ends_s:
        for withdrawal in followed:
            withdrawal.inside = admin.withdrawal(ids[(withdrawal.venue, withdrawal.venue_id)])
        if time.monotonic() >= ask_venue_s:
            ask_venue_s = time.monotonic() + VENUE_LOOK_EVERY_S
            for withdrawal in followed:
                withdrawal.status = withdrawal.client.withdrawal(withdrawal.venue_id).status
        refresh()
        time.sleep(LOOK_EVERY_S)


@contextmanager
def _live(followed: list[Followed], access: Access) -> Generator[Callable[[], None]]:
    from rich.live import Live  # noqa: PLC0415  on a terminal only

    with Live(live_table(followed, access.confirmations), auto_refresh=False) as live:
        yield lambda: live.update(live_table(followed, access.confirmations), refresh=True)


@contextmanager
def _lines(followed: list[Followed], access: Access) -> Generator[Callable[[], None]]:
    def tell() -> None:
        for withdrawal in followed:
            for line in news(withdrawal, access.confirmations):
                print(line, flush=True)

    yield tell


def _prove(state: Path) -> bool:
    """Recompute the ledger from its journal, in this process, from the files alone."""
    from penstock import service  # noqa: PLC0415  large, and needed now only

    report = service.verify(state)
    for line in report.lines:
        print(line)
    return report.ok
