"""Kill everything around a callback: it is told again after the restart, and never lost."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import queue
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.main import main
from tests.acceptance.crash_world import LOOK_EVERY_S, Prepared, World
from tests.acceptance.test_crash import PATIENT_MS
from tests.nodes import anvil

HEARD_S_MAX = 20
Heard = queue.Queue[tuple[dict[str, str], bytes]]


@contextmanager
def receiver() -> Iterator[tuple[str, Heard]]:
    """A customer's server: its URL, and what it was told, in order."""
    heard: Heard = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/told", heard
        finally:
            server.shutdown()
            thread.join()


def asked(world: World, method: str, path: str, headers: dict[str, str], body: object) -> dict[str, Any]:
    data = json.dumps(body).encode()
    request = urllib.request.Request(
        world.base_url + path,
        data,
        {"content-type": "application/json", **headers, **_signed(world, headers, data)},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        told: dict[str, Any] = json.loads(answer.read())
    return told


def _signed(world: World, headers: dict[str, str], data: bytes) -> dict[str, str]:
    if "authorization" in headers:
        return {}
    secret = world.prepared.venues["alphapo"]["secret_key"]
    return {"x-processing-signature": hmac.new(secret.encode(), data, hashlib.sha512).hexdigest()}


def set_callback(world: World, url: str) -> None:
    merchant = world.prepared.venues["alphapo"]
    ((account_id,),) = world.read(
        f"SELECT account_id FROM accounts WHERE account_number = '{merchant['account_id']}'"
    )
    token = (world.state / "admin-token").read_text()
    asked(
        world,
        "PUT",
        f"/admin/v1/accounts/{account_id}/callbacks/alphapo",
        {"authorization": f"Bearer {token}", "x-actor": "test"},
        {"url": url, "key_id": merchant["processing_key"]},
    )


def withdraw(world: World, foreign_id: str) -> None:
    merchant = world.prepared.venues["alphapo"]
    body = {
        "currency": "USDTE",
        "amount": "25",
        "address": merchant["address_by_currency"]["USDTE"],
        "foreign_id": foreign_id,
    }
    key = {"x-processing-key": merchant["processing_key"]}
    asked(world, "POST", "/api/v2/withdrawal/crypto", key, body)


def all_told(world: World, heard: Heard) -> list[tuple[dict[str, str], bytes]]:
    """What the customer heard, once nothing more is due."""
    assert world.process is not None
    ends_s = time.monotonic() + HEARD_S_MAX
    while world.read("SELECT 1 FROM outbox WHERE due_ms IS NOT NULL"):
        assert time.monotonic() < ends_s, world.log()
        with contextlib.suppress(subprocess.TimeoutExpired):
            world.process.wait(LOOK_EVERY_S)
    return [heard.get_nowait() for _ in range(heard.qsize())]


@pytest.mark.parametrize("point", ["callback.posted", "callback.recorded"])
def test_killed_there_the_customer_is_told_after_the_restart(
    point: str, prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        url, heard = stack.enter_context(receiver())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-")))
        world = World(prepared, stack.enter_context(anvil(mining=False)), folder, PATIENT_MS)
        stack.callback(world.kill)
        world.open()
        assert world.start(), world.log()
        set_callback(world, url)
        world.command_death(f"{point}:1")
        withdraw(world, "wd-1")
        assert world.await_crash(mining=True) == -signal.SIGKILL, world.log()
        assert world.died_at() == f"{point}:1"
        world.kill()
        assert world.start(), world.log()
        world.await_states("confirmed", mining=True)
        told = all_told(world, heard)
        secret = prepared.venues["alphapo"]["secret_key"].encode()
        for headers, body in told:
            signed = hmac.new(secret, body, hashlib.sha512).hexdigest()
            assert headers["x-processing-signature"] == signed
            assert json.loads(body)["foreign_id"] == "wd-1"
        statuses = [json.loads(body)["status"] for _, body in told]
        assert statuses == sorted(statuses, key=["not_confirmed", "confirmed"].index), statuses
        # Posted and not recorded: the same event once more. Recorded: never again.
        events = [headers["x-penstock-event"] for headers, _ in told]
        assert events.count(events[0]) == (2 if point == "callback.posted" else 1)
        assert main(["verify", "--state", str(world.state)]) == 0, capsys.readouterr().out
