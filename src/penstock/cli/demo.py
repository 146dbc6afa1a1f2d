"""`penstock demo`: the main job, live. A sandbox of its own, three withdrawals through BitMart's API, the
ledger's proof.

Everything runs in a temporary directory and is gone at the end, the sandbox's processes included.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from penstock.cli.connection import Access, access_in, errors_told
from penstock.cli.inside import AdminApi
from penstock.cli.terminal import Exit, Failure, is_terminal
from penstock.cli.timeline import Followed, live_table, news
from penstock.client import BookAddress, Client, Currency, Submitted

READY_S_MAX = 30
PAID_S_MAX = 40
STOP_S_MAX = 15
LOOK_EVERY_S = 0.1
# The venue's API takes 8 such reads in 2 s; the ledger may be asked more often.
VENUE_LOOK_EVERY_S = 1.5
CHAIN_PACE_MS = 400
LOG_TAIL_LINES = 20


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
        with running(_sandbox_command(state, arguments.chain_pace), state.parent / "sandbox.log") as base_url:
            print(f"sandbox at {base_url}, its state in {state}", flush=True)
            access = access_in("bitmart", state / "sandbox.json")
            with access.open() as client, errors_told():
                followed = _withdraw_all(client, access)
                _follow(client, access, followed)
        print("sandbox stopped")
        proven = _prove(state)
    unpaid = [withdrawal.title.strip() for withdrawal in followed if not withdrawal.is_paid]
    if unpaid:
        raise Failure(f"not paid in {PAID_S_MAX} s: {', '.join(unpaid)}")
    return Exit.OK if proven else Exit.FAILED


# ---- the sandbox, as a child ------------------------------------------------------------------------------


def _sandbox_command(state: Path, chain_pace_ms: int) -> list[str]:
    state.mkdir()
    command = [sys.executable, "-m", "penstock.cli.main", "sandbox", "--port", str(_free_port())]
    return [*command, "--state", str(state), "--chain-pace", str(chain_pace_ms)]


@contextmanager
def running(command: list[str], log: Path) -> Generator[str]:
    """Run a sandbox; yields its base URL, and leaves no process behind whatever happens inside.

    log: where its standard error goes. Raises Failure with the log's end when it does not come up.
    """
    with log.open("wb") as errors:
        # A session of its own: an interrupt at the terminal then reaches the demo only, which stops it in
        # order.
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            yield _ready(child, log)
        finally:
            _stop(child)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _ready(child: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for the line "ready URL"."""
    assert child.stdout is not None
    ends_s = time.monotonic() + READY_S_MAX
    text, what = b"", f"was not ready after {READY_S_MAX} s"
    while (left_s := ends_s - time.monotonic()) > 0:
        readable, _, _ = select.select([child.stdout], [], [], left_s)
        if not readable:
            break
        chunk = os.read(child.stdout.fileno(), 4096)
        if not chunk:
            what = "ended before it was ready"
            break
        text += chunk
        for line in text.splitlines(keepends=True):
            if line.startswith(b"ready ") and line.endswith(b"\n"):
                return line.split()[1].decode()
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
    raise Failure(f"the sandbox {what}\n{tail}")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """In order if it can, by force if it must; nothing of its session is left."""
    child.terminate()
    try:
        child.communicate(timeout=STOP_S_MAX)
    except subprocess.TimeoutExpired:
        print(f"the sandbox did not stop in {STOP_S_MAX} s and is killed", file=sys.stderr)
    # It is the leader of its session, so its id names the group of everything it started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout:
        child.stdout.close()


# ---- the withdrawals --------------------------------------------------------------------------------------


def _withdraw_all(client: Client, access: Access) -> list[Followed]:
    """USDT on Ethereum, bitcoin, and a transfer to another account."""
    listed = {currency.currency: currency for currency in client.currencies()}
    usdt = _book_entry(client.addresses(), listed, "USDT", "ERC20")
    bitcoin = _book_entry(client.addresses(), listed, "BTC", "BTC")
    asks: list[tuple[str, Callable[[], Submitted]]] = [
        (
            "25 USDT on Ethereum",
            lambda: client.withdraw(usdt.currency, "25", usdt.address, memo=usdt.memo),
        ),
        (
            "0.01 BTC on Bitcoin",
            lambda: client.withdraw(bitcoin.currency, Decimal("0.01"), bitcoin.address, memo=bitcoin.memo),
        ),
        (
            "10 USDT to an account",
            lambda: client.withdraw_to_account(usdt.currency, 10, str(access.facts["recipient_cid"])),
        ),
    ]
    width = max(len(title) for title, _ in asks)
    followed = [Followed(title.ljust(width), ask().withdrawal_id) for title, ask in asks]
    for withdrawal in followed:
        print(f"{withdrawal.title}  accepted as {withdrawal.withdrawal_id}", flush=True)
    return followed


def _book_entry(
    entries: tuple[BookAddress, ...], listed: dict[str, Currency], coin: str, network: str
) -> BookAddress:
    """A verified entry of the address book that may receive this."""
    for entry in entries:
        currency = listed.get(entry.currency)
        if (
            entry.verified
            and currency
            and currency.coin == coin
            and network in {currency.network, entry.network}
        ):
            return entry
    raise Failure(f"the sandbox's address book has no verified {coin} address on {network}")


def _follow(client: Client, access: Access, followed: list[Followed]) -> None:
    """Show every change until all is over, or the time is."""
    admin = AdminApi.at(access.base_url, access.admin_token)
    show = _live if is_terminal() else _lines
    try:
        with show(followed, access) as refresh:
            _look_until_over(client, admin, followed, refresh)
    finally:
        admin.close()


def _look_until_over(
    client: Client, admin: AdminApi, followed: list[Followed], refresh: Callable[[], None]
) -> None:
    ends_s = time.monotonic() + PAID_S_MAX
    ask_venue_s = time.monotonic()
    while not all(withdrawal.is_over for withdrawal in followed) and time.monotonic() < ends_s:
        for withdrawal in followed:
            withdrawal.inside = admin.withdrawal(withdrawal.withdrawal_id)
        if time.monotonic() >= ask_venue_s:
            ask_venue_s = time.monotonic() + VENUE_LOOK_EVERY_S
            for withdrawal in followed:
                withdrawal.status = client.withdrawal(withdrawal.withdrawal_id).status
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
