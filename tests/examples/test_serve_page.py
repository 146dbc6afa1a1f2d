"""docs/operate/serve.md, walked through with its own two files: `penstock serve` pays a withdrawal on a real node."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.chains.evm.rpc import NodeRpc
from penstock.sandbox.evm_setup import deploy, mint, sandbox_token
from penstock.service import run_serve
from tests.acceptance.process_groups import PENSTOCK, STOP_S_MAX, kill_group, ready_url, start_group
from tests.acceptance.raw_http import Connection, apply_request
from tests.acceptance.sandbox_process import LOOK_EVERY_S
from tests.nodes import ROOT, Anvil, anvil

PAGES = ROOT / "docs" / "operate"
PLAY_SCRYPT_N = "16384"
PAID_S_MAX = 20.0
RECEIVER = "0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf"


@dataclass
class Served:
    """The page's service on folder/"state", with what an operator has in hand."""

    folder: Path
    node: Anvil
    token: str
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def write_files(self) -> None:
        """The page's files with this test's places in them; nothing else is changed."""
        settings = (PAGES / "penstock.toml").read_text()
        for before, after in (
            ('"/var/lib/penstock"', f'"{self.folder / "state"}"'),
            ('"/etc/penstock/admin-token"', f'"{self.folder / "admin-token"}"'),
            ("port = 8080", "port = 0"),
            ('"http://127.0.0.1:8545"', f'"{self.node.url}"'),
        ):
            assert settings.count(before) == 1, before
            settings = settings.replace(before, after)
        (self.folder / "penstock.toml").write_text(settings)
        (self.folder / "admin-token").write_text(self.token + "\n")
        signer = self.folder / "state" / "signer"
        signer.mkdir(mode=0o700, parents=True)
        (signer / "signer.toml").write_text((PAGES / "signer.toml").read_text())

    def make_key(self) -> None:
        command = [
            sys.executable,
            "-m",
            "penstock.signer",
            "--config",
            self.folder / "state/signer/signer.toml",
        ]
        subprocess.run(
            [*command, "--init", "--create-keys", "--scrypt-n", PLAY_SCRYPT_N], check=True, timeout=60
        )

    def start(self) -> None:
        self.process = start_group([*PENSTOCK, "serve", "--config", self.folder / "penstock.toml"], None)
        url = ready_url(self.process)
        assert url.startswith("http://127.0.0.1:"), url
        self.port = int(url.rpartition(":")[2])

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(STOP_S_MAX)

    def kill(self) -> None:
        if self.process is not None:
            kill_group(self.process)

    def admin(self, method: str, path: str, body: object = None) -> Any:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/admin/v1{path}"
        request = urllib.request.Request(url, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def hot_wallet(self) -> str:
        """As the page finds it: the sender of the network's lane, once a worker has looked at the chain."""
        ((lane,),) = [self.waited(lambda: self.admin("GET", "/lanes")["lanes"])]
        return str(lane["sender"])

    def waited(self, look: Any) -> Any:
        """What `look` gives once it gives something; the service must stay up meanwhile."""
        assert self.process is not None
        ends_s = time.monotonic() + PAID_S_MAX
        while not (seen := look()):
            assert time.monotonic() < ends_s
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.fail(f"the service ended: {self.process.wait(LOOK_EVERY_S)}")
        return seen


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with anvil("--chain-id", "1") as node:
        service = Served(tmp_path, node, secrets.token_hex(32))
        service.write_files()
        service.make_key()
        try:
            service.start()
            yield service
        finally:
            service.kill()


def put_token_at(node: Anvil, contract: str, holder: str, units: int) -> None:
    """Make the page's token contract exist on the development node, with a balance for `holder`."""
    deployer = node.ask("eth_accounts")[0]
    with NodeRpc(node.url, 1) as rpc:
        made = deploy(rpc, deployer, sandbox_token("Tether USD", "USDT", 6))
        node.ask("anvil_setCode", contract, node.ask("eth_getCode", made, "latest"))
        mint(rpc, deployer, contract, holder, units)


def open_customer(served: Served) -> dict[str, str]:
    """The page's admin calls; returns the key by the names that the venue's requests use."""
    account = served.admin("POST", "/accounts", {"account_number": "700001", "email": "ada@example.org"})
    place = f"/accounts/{account['account_id']}"
    key = served.admin("POST", f"{place}/keys", {"venue": "bitmart", "permissions": ["read", "withdraw"]})
    entry = {
        "kind": "standard",
        "asset": "USDT",
        "network": "ethereum",
        "address": RECEIVER,
        "verified": True,
    }
    served.admin("POST", f"{place}/addresses", entry)
    deposit = {"asset": "USDT", "network": "ethereum", "amount": "500", "reference": "deposit-0001"}
    served.admin("POST", f"{place}/deposits", deposit)
    served.admin("POST", "/networks/ethereum/opening", {"amount": "0.5", "reference": "gas-0001"})
    return {"api_key": key["key"]["key_id"], "api_secret": key["secret"], "memo": key["passphrase"]}


def test_the_page_leads_to_a_confirmed_withdrawal(served: Served) -> None:
    settings = tomllib.loads((PAGES / "penstock.toml").read_text())
    contract = next(row["contract"] for row in settings["listings"] if row["asset"] == "USDT")
    wallet = served.hot_wallet()
    served.node.ask("anvil_setBalance", wallet, hex(5 * 10**17))
    put_token_at(served.node, contract, wallet, 500 * 10**6)
    key = open_customer(served)

    body = json.dumps({"currency": "USDT-ERC20", "amount": "25", "address": RECEIVER}).encode()
    with closing(Connection(served.port)) as connection:
        answer = connection.exchange(apply_request(key, body))
    assert answer.verdict == (200, 1000), answer.body
    withdrawal = answer.envelope["data"]["withdraw_id"]

    def state() -> str:
        return str(served.admin("GET", f"/withdrawals/{withdrawal}")["withdrawal"]["state"])

    served.waited(lambda: state() == "mined")
    served.node.mine(100)
    served.waited(lambda: state() == "confirmed")
    assert served.node.token_balance(contract, RECEIVER) == 22 * 10**6
    assert served.stop() == 0
    verified = subprocess.run(
        [*PENSTOCK, "verify", "--state", served.folder / "state"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (verified.returncode, verified.stdout.startswith("verify: ok (")) == (0, True), verified


@pytest.mark.parametrize(
    "before, after, complaint",
    [
        ("interval_ms = 1000", "intervall_ms = 1000", "unknown field `intervall_ms` - at `$.workers`"),
        ('daily_quota_btc = "2"', 'daily_quota_btc = "2 BTC"', "policy.daily_quota_btc: "),
        ('fee = "3"', 'fee = "3.0000001"', "assets, networks and listings do not fit together"),
        ('admin_token = { file = "', 'admin_token = { file = "/nowhere', "the secret in /nowhere"),
        ('"signer/signer.toml"', '"signer.toml"', "--init --create-keys"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, complaint: str
) -> None:
    settings = (PAGES / "penstock.toml").read_text()
    settings = settings.replace('"/var/lib/penstock"', f'"{tmp_path / "state"}"')
    settings = settings.replace('"/etc/penstock/admin-token"', f'"{tmp_path / "admin-token"}"')
    assert settings.count(before) == 1
    (tmp_path / "penstock.toml").write_text(settings.replace(before, after))
    (tmp_path / "admin-token").write_text("0123456789abcdef0123456789abcdef")
    assert run_serve(tmp_path / "penstock.toml") == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1), told
    assert told.err.startswith("penstock: ")
    assert complaint in told.err
