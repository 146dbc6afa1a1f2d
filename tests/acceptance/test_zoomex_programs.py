"""Programs that Zoomex's users have, unchanged but for the host: the venue's published script, and PyPI's pybit."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from tests.acceptance.customers import Customer, open_account
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.zoomex_requests import COINS, INNER_CREATE, RECORDS, WALLET_BALANCE, Payer, new_payer

pytestmark = pytest.mark.xdist_group("paying")

PROGRAMS = Path(__file__).parent / "programs"
VENUE = "https://openapi-testnet.zoomex.com"


@pytest.fixture
def payer(paying: Sandbox) -> Payer:
    return new_payer(paying)


@pytest.fixture
def friend(paying: Sandbox, payer: Payer) -> Customer:
    """An account that the payer may pay."""
    opened = open_account(paying)
    payer.customer.list_recipient("account_number", opened.number)
    return opened


# ---- the venue's own script ----


def run(program: str, folder: Path, payer: Payer, address: str = "") -> tuple[int, dict[str, Any]]:
    """Run it as a process of its own, the host changed and the user's words filled in; what it printed."""
    text = (PROGRAMS / f"{program}.py").read_text()
    for printed, meant in (
        (VENUE, payer.customer.sandbox.url),
        ("your key", payer.key.api_key),
        ("your secret", payer.key.secret),
        ("your address", address),
    ):
        text = text.replace(printed, meant)
    script = folder / f"{program}.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    printed_lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    return int(printed_lines["response status"]), ast.literal_eval(printed_lines["response info"])


def test_the_venues_own_script_pays_another_account(tmp_path: Path, payer: Payer, friend: Customer) -> None:
    status, made = run("zoomex_inner_create", tmp_path, payer, friend.number)
    assert (status, made["retCode"], made["retMsg"], made["retExtInfo"]) == (200, 0, "success", None)
    ((withdrawal_id, state),) = payer.customer.withdrawals()
    assert (made["result"], state) == ({"withdraw_id": str(withdrawal_id)}, "confirmed")
    assert friend.units("USDT", "fund") == (1_000_000, 0)
    assert payer.customer.units("USDT", "fund") == (999_000_000, 0)
    status, found = run("zoomex_query_record", tmp_path, payer)
    assert (status, found["ret_code"], found["ret_msg"]) == (200, 0, "OK")
    (row,) = found["result"]["rows"]
    assert (row["withdraw_id"], row["amount"]) == (str(withdrawal_id), "1")
    assert (row["status"], row["to_address"]) == ("Transferred successfully", friend.number)


def test_the_venues_own_script_prints_a_refusal_and_pays_nobody(
    tmp_path: Path, paying: Sandbox, payer: Payer
) -> None:
    stranger = open_account(paying)
    status, refused = run("zoomex_inner_create", tmp_path, payer, stranger.number)
    assert (status, refused["retCode"], refused["result"]) == (200, 131093, {})
    assert (payer.customer.withdrawals(), stranger.units("USDT", "fund")) == ([], (0, 0))


# ---- pybit ----


@contextmanager
def pybit(payer: Payer, url: str | None = None, **settings: Any) -> Iterator[HTTP]:
    session = HTTP(api_key=payer.key.api_key, api_secret=payer.key.secret, **settings)
    session.endpoint = payer.customer.sandbox.url if url is None else url
    try:
        yield session
    finally:
        session.client.close()


def get(session: HTTP, path: str, **query: Any) -> Any:
    return session._submit_request("GET", session.endpoint + path, query, auth=True)


def post(session: HTTP, path: str, body: dict[str, Any]) -> Any:
    # It changes what it is given.
    return session._submit_request("POST", session.endpoint + path, dict(body), auth=True)


def test_pybit_pays_another_account_and_reads_its_record(payer: Payer, friend: Customer) -> None:
    with pybit(payer) as session:
        asked = payer.inner_create(friend.number, amount="2.5")
        made = post(session, INNER_CREATE, asked)
        found = get(session, RECORDS, coin="USDT", withdrawType=2, pageSize=50)
        assert post(session, INNER_CREATE, asked)["result"] == made["result"]
        (row,) = found["result"]["rows"]
        assert (row["withdraw_id"], row["amount"]) == (made["result"]["withdraw_id"], "2.5")
        (coin,) = get(session, COINS, coin="USDT")["result"]["rows"]
        assert coin["coin"] == "USDT"
        (wallet,) = get(session, WALLET_BALANCE, accountType="UNIFIED")["result"]["list"]
        assert wallet["accountType"] == "UNIFIED"
    assert friend.units("USDT", "fund") == (2_500_000, 0)


def test_pybit_raises_the_venues_code_for_a_refusal(payer: Payer, friend: Customer) -> None:
    with pybit(payer) as session:
        with pytest.raises(InvalidRequestError) as refused:
            post(session, INNER_CREATE, payer.inner_create(friend.number, amount="100000"))
        assert refused.value.status_code == 131212
        with pytest.raises(FailedRequestError) as unknown:
            get(session, "/private/v1/asset/withdraw/cancel")
        assert unknown.value.status_code == 404
    assert payer.customer.withdrawals() == []


def test_pybit_waits_out_a_limit_and_its_retries_never_pay_twice(payer: Payer, friend: Customer) -> None:
    began_s = time.monotonic()
    with pybit(payer) as session:
        made = [
            post(session, INNER_CREATE, payer.inner_create(friend.number, amount=amount))["result"]
            for amount in ("1", "2", "4")
        ]
    # Two of the three were one too many in their second at first; on a machine that stands still, fewer.
    assert time.monotonic() - began_s > 1
    paid = [{"withdraw_id": str(number)} for number, _ in payer.customer.withdrawals()]
    assert paid == made
    assert friend.units("USDT", "fund") == (7_000_000, 0)


@contextmanager
def losing_the_first_answer(url: str) -> Iterator[tuple[str, list[bytes]]]:
    """A way to the server on which the first answer is lost; yields its URL, and each request that went through."""
    host, _, port = url.removeprefix("http://").partition(":")
    requests_seen: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def relay() -> None:
            for turn in range(2):
                client, _ = listening.accept()
                with closing(client), closing(socket.create_connection((host, int(port)))) as server:
                    asked = _message(client)
                    requests_seen.append(asked)
                    server.sendall(asked)
                    answer = _message(server)
                    if turn:
                        client.sendall(answer)

        thread = threading.Thread(target=relay)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", requests_seen
        thread.join(10)


def _message(connection: socket.socket) -> bytes:
    """One HTTP message with a Content-Length."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65_536)
    whole_head, _, body = read.partition(b"\r\n\r\n")
    lengths = [line for line in whole_head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2])
    while len(body) < length:
        body += connection.recv(65_536)
    return whole_head + b"\r\n\r\n" + body


def test_pybit_told_to_try_again_after_a_lost_answer_pays_once(payer: Payer, friend: Customer) -> None:
    asked = payer.inner_create(friend.number, amount="3")
    with (
        losing_the_first_answer(payer.customer.sandbox.url) as (url, sent),
        pybit(payer, url, force_retry=True, retry_delay=0) as session,
    ):
        made = post(session, INNER_CREATE, asked)
    assert [asked["requestId"].encode() in request for request in sent] == [True, True]
    ((withdrawal_id, _),) = payer.customer.withdrawals()
    assert made["result"] == {"withdraw_id": str(withdrawal_id)}
    assert friend.units("USDT", "fund") == (3_000_000, 0)


def test_pybit_without_retries_hears_of_the_lost_answer_and_its_repeat_pays_once(
    payer: Payer, friend: Customer
) -> None:
    asked = payer.inner_create(friend.number, amount="5")
    with (
        losing_the_first_answer(payer.customer.sandbox.url) as (url, _),
        pybit(payer, url) as session,
    ):
        with pytest.raises(requests.exceptions.ConnectionError):
            post(session, INNER_CREATE, asked)
        post(session, INNER_CREATE, asked)
    assert len(payer.customer.withdrawals()) == 1
    assert friend.units("USDT", "fund") == (5_000_000, 0)
