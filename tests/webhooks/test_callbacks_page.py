"""The receiver shown in docs/operate/callbacks.md runs as it stands there, and takes what the worker sends."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from penstock.venues.venue import Callback
from penstock.webhooks.delivery import Poster
from penstock.webhooks.settings import RETRY_MINUTES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operate" / "callbacks.md"

# Made with openssl and by hand, for the payload of AlphaPo docs, "Get callbacks".
SECRET = "alphapo-test-secret-01"
BODY = (
    b'{"id":2686572,"foreign_id":"wd-0001","end_user_reference":"user-42","type":"withdrawal","crypto_address":{"id":'
    b'381734,"currency":"BTC","address":"tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc","tag":null},"currency_sent":{"cur'
    b'rency":"BTC","amount":"0.00020000"},"currency_received":{"currency":"BTC","amount":"0.00020000"},"transactions":'
    b'[{"id":714670,"currency":"BTC","transaction_type":"blockchain","type":"withdrawal","address":"tb1qfdxh6gkfr0qgya'
    b'tnlkd8khcnxph9tw06n6qwjc","tag":null,"amount":"0.00020000","txid":"bb040d895ef7141ea0b06b04227d8f5dd4ee12d5b890e'
    b'6e5633f6439393a666b","confirmations":"0"}],"fees":[{"type":"mining","currency":"BTC","amount":"0.00001000"}],"er'
    b'ror":"","status":"confirmed"}'
)
SIGNATURE = (
    "ad744376f632b0f245212e425581dc89df136c8e83242bff79eb12c6c960656e"
    "95241c5734ab2039eb2bcec2970881865a73e848da80d340c490120c0227fe94"
)


@pytest.fixture
def page() -> str:
    return PAGE.read_text("utf-8")


@pytest.fixture
def shown(page: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("CALLBACK_SECRET", SECRET)
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(code, names)
    return names


@contextlib.contextmanager
def serving(handler: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_receiver_takes_a_genuine_callback_once_however_often_it_comes(
    shown: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BODY) == 700
    callback = Callback(((b"X-Processing-Signature", SIGNATURE.encode()),), BODY)
    post = Poster((ip_network("127.0.0.0/8"),), 10_000).post
    with serving(shown["Receiver"]) as url:
        assert [post(url, callback, "1-1").reason for _ in range(3)] == [""] * 3
    assert capsys.readouterr().out == "wd-0001 confirmed \n"


@pytest.mark.parametrize("signature", [SIGNATURE[:-1] + "5", "", "\u00e9"])
def test_the_receiver_refuses_what_it_cannot_trust(shown: dict[str, Any], signature: str) -> None:
    callback = Callback(((b"X-Processing-Signature", signature.encode()),), BODY)
    post = Poster((ip_network("127.0.0.0/8"),), 10_000).post
    with serving(shown["Receiver"]) as url:
        assert post(url, callback, "1-1").reason == "HTTP status 403"
    assert shown["seen"] == set()


def test_the_pages_table_of_pauses_is_the_default(page: str) -> None:
    (row,) = re.findall(r"^\| minutes \|(.*)\| given up \|$", page, re.MULTILINE)
    assert tuple(int(minutes) for minutes in row.split("|")) == RETRY_MINUTES
