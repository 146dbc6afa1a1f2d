"""A fake venue behind a real port of this machine, with the fake admin API that a sandbox has beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.main import main
from tests.client.fake_bitmart import KEY, MEMO, SECRET, FakeBitmart

TOKEN = "admin-canary-9d20"


@dataclass
class Site:
    """The fake's address, what it answers, and files that name it; toml and sandbox_json are BitMart's.

    fake: has `answer(method, target, headers, body)`.
    """

    fake: Any
    base_url: str
    folder: Path
    insides: list[dict[str, Any]] = field(default_factory=list)

    @property
    def toml(self) -> str:
        path = self.folder / "penstock.toml"
        (self.folder / "secret").write_text(SECRET + "\n")
        path.write_text(
            f'[bitmart]\nbase_url = "{self.base_url}"\napi_key = "{KEY}"\n'
            'api_secret = {file = "secret"}\nmemo = {env = "A_MEMO"}\n'
        )
        return str(path)

    @property
    def sandbox_json(self) -> str:
        path = self.folder / "sandbox.json"
        bitmart = {"api_key": KEY, "api_secret": SECRET, "memo": MEMO}
        path.write_text(
            json.dumps(
                {
                    "base_url": self.base_url,
                    "admin": {"token": TOKEN},
                    "assets": [{"asset": "USDT", "network": "ethereum", "decimals": 6, "confirmations": 12}],
                    "venues": {"bitmart": bitmart},
                }
            )
        )
        return str(path)


@contextmanager
def serving(fake: Any, folder: Path) -> Iterator[Site]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        found = Site(fake, f"http://127.0.0.1:{server.server_port}", folder)
        server.site = found  # type: ignore[attr-defined]
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(5)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("A_MEMO", MEMO)
    with serving(FakeBitmart(), tmp_path) as found:
        yield found


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        if self.path.startswith("/admin/v1/withdrawals/"):
            known = self.headers["Authorization"] == f"Bearer {TOKEN}"
            inside = site.insides.pop(0) if len(site.insides) > 1 else site.insides[0]
            self._write(200 if known else 401, {}, json.dumps(inside).encode())
            return
        self._answer(site)

    def do_POST(self) -> None:
        self._answer(self.server.site)  # type: ignore[attr-defined]

    def _answer(self, site: Site) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        try:
            status, headers, text = site.fake.answer(self.command, self.path, dict(self.headers), body)
        except ConnectionResetError:
            self.close_connection = True
            return
        self._write(status, headers, text)

    def _write(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Ran:
    """What a command left: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def penstock(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command in this process."""

    def run(*argv: str) -> Ran:
        code = main(argv)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
