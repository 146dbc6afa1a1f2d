"""Canaries: secrets that must show up nowhere, at any venue; and what `connect` refuses."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from penstock.client import VENUES, Client, NotSent, OutcomeUnknown, PenstockClientError, connect
from penstock.core.time import ManualClock
from tests.client.fake_bitmart import ADDRESS, KEY, MEMO, NOW_MS, SECRET
from tests.client.sample_accounts import CANARIES, CREDENTIALS, WITHDRAWALS


def client_at(port: int, venue: Any = "bitmart") -> Client:
    return connect(
        venue,
        **CREDENTIALS[venue],
        base_url=f"http://127.0.0.1:{port}",
        clock=ManualClock(NOW_MS),
        pause=lambda _ms: None,
    )


@contextmanager
def cutting_server(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A fake on a real socket: reads a request whole, writes `answer` (perhaps half a reply), resets the
    connection.
    """
    seen: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                seen.append(connection.recv(65536))
                connection.sendall(answer)
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
                )

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1], seen
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


HALVES = [
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"code":1000',
    b"\x00\x01 no http at all\r\n\r\n",
]


@pytest.mark.parametrize("answer", HALVES)
def test_a_connection_cut_after_the_request_leaves_it_in_doubt_and_unrepeated(answer: bytes) -> None:
    with cutting_server(answer) as (port, seen), client_at(port) as client:
        with pytest.raises(OutcomeUnknown):
            client.withdraw("USDT-ERC20", "100", ADDRESS)
        assert len(seen) == 1


def test_a_closed_port_means_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with client_at(port) as client, pytest.raises(NotSent):
        client.withdraw("USDT-ERC20", "100", ADDRESS)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"])
@pytest.mark.parametrize("venue", VENUES)
def test_no_secret_shows_in_reprs_logs_or_tracebacks(
    venue: str, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sample = WITHDRAWALS[venue]
    given = (sample.currency, sample.amount, sample.address)
    with cutting_server(answer) as (port, _), client_at(port, venue) as client:
        shown = [repr(client)]
        calls: list[Any] = [
            lambda: client.withdraw(*given, network=sample.network),
            client.balances,
            lambda: client.withdrawal("1"),
        ]
        for call in calls:
            with pytest.raises(PenstockClientError) as caught:
                call()
            told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            shown += ["".join(told.format()), repr(caught.value), str(vars(caught.value))]
    shown.append(caplog.text)
    text = "\n".join(shown)
    assert "withdraw" in text
    for canary in CANARIES:
        assert canary not in text


def test_the_signature_stays_out_of_reprs() -> None:
    with client_at(9) as client:
        prepared = client.prepare("USDT-ERC20", "1", ADDRESS)
    sign = dict(prepared.request.headers)["X-BM-SIGN"]
    assert sign not in repr(prepared)
    assert sign.encode() in pickle.dumps(prepared.request)


@pytest.mark.parametrize(
    "changes",
    [
        {"venue": "elsewhere"},
        {"api_key": ""},
        {"api_key": "line\r\nbreak"},
        {"api_secret": ""},
        {"base_url": "http://penstock.example"},
        {"base_url": "ftp://127.0.0.1"},
        {"base_url": "https://user:word@host.example"},
        {"base_url": "https://host.example/?a=b"},
        {"base_url": "127.0.0.1:80"},
    ],
)
def test_unusable_settings_are_refused_without_showing_them(changes: dict[str, str]) -> None:
    settings: dict[str, Any] = {
        "venue": "bitmart",
        "api_key": KEY,
        "api_secret": SECRET,
        "memo": MEMO,
    } | changes
    with pytest.raises(ValueError, match=r".") as caught:
        connect(**settings)
    told = traceback.TracebackException.from_exception(caught.value)
    assert SECRET not in "".join(told.format())


def test_plain_http_to_another_machine_needs_the_callers_word() -> None:
    connect(
        "bitmart", api_key=KEY, api_secret=SECRET, base_url="http://penstock.example", allow_plain_http=True
    ).close()
