"""One POST to a real socket: what counts as delivered, and how everything else ends in time."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from penstock.venues.venue import Callback
from penstock.webhooks.delivery import Poster
from penstock.webhooks.target import Resolve
from tests.webhooks.receiver import Behave, Receiver, answers, drops, hangs, receiving, trickles

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
CALLBACK = Callback(
    ((b"content-type", b"application/json"), (b"X-Processing-Signature", b"ab12")),
    b'{"id": 1, "s": "\xc3\xa9"}',
)
PATIENT_MS, HASTY_MS = 10_000, 1_000


def poster(timeout_ms: int = PATIENT_MS, resolve: Resolve | None = None) -> Poster:
    return Poster(LOOPBACK, timeout_ms, resolve or (lambda host, _port: [host]))


def post(receiver: Receiver, timeout_ms: int = PATIENT_MS) -> str:
    return poster(timeout_ms).post(receiver.url, CALLBACK, "7-1").reason


def test_status_200_is_delivered_and_every_byte_arrives_as_written() -> None:
    with receiving() as receiver:
        assert poster().post(f"{receiver.url}?token=a%2Fb", CALLBACK, "7-1").delivered
    (arrived,) = receiver.arrived
    assert arrived.line == "POST /hook?token=a%2Fb HTTP/1.1"
    assert arrived.body == CALLBACK.body
    assert arrived.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": str(len(CALLBACK.body)),
        "content-type": "application/json",
        "user-agent": "penstock",
        "x-penstock-event": "7-1",
        "x-processing-signature": "ab12",
    }


@pytest.mark.parametrize(
    "status", ["201 Created", "204 No Content", "404 Not Found", "429 Too Many", "500 Oops", "503 Later"]
)
def test_any_other_status_is_not(status: str) -> None:
    with receiving(answers(status, body=b"OK")) as receiver:
        assert post(receiver) == f"HTTP status {status[:3]}"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(status: str) -> None:
    with receiving() as other, receiving(answers(status, f"Location: {other.url}")) as receiver:
        assert post(receiver) == f"HTTP status {status[:3]}"
        assert other.connections == 0


def test_status_200_counts_although_its_body_never_ends() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    with receiving(trickles(head, b".")) as receiver:
        assert post(receiver, HASTY_MS) == ""


def test_status_200_counts_although_its_body_is_broken_or_enormous() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk"
    squeezed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx"
    script: list[Behave] = [
        lambda _receiver, connection: connection.sendall(chunked),
        lambda _receiver, connection: connection.sendall(squeezed),
        answers("200 OK", body=bytes(32 * 1024 * 1024)),
    ]
    with receiving(*script) as receiver:
        assert [post(receiver) for _ in script] == ["", "", ""]


def test_of_an_answer_only_a_little_is_taken() -> None:
    sent = 0

    def pours(_receiver: Receiver, connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while sent < 1_000_000_000:
            sent += connection.send(bytes(64 * 1024))

    with receiving(pours) as receiver:
        assert post(receiver) == ""
    # The rest is what the machine's own buffers hold.
    assert sent < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "behave",
    [
        hangs,
        trickles(b"", b"H"),
        trickles(b"HTTP/1.1 200 OK\r\n", b"x"),
        trickles(b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    ],
)
def test_a_receiver_that_gives_no_status_in_time_is_cut_off(behave: Behave) -> None:
    # Each byte that trickles begins the library's own timeout anew.
    with receiving(behave) as receiver:
        reason = post(receiver, HASTY_MS)
        assert receiver.hanging.acquire(timeout=5)
    assert reason == f"no answer within {HASTY_MS} ms"


def test_a_connection_dropped_without_a_word_is_not_delivered() -> None:
    with receiving(drops) as receiver:
        assert post(receiver).startswith("RemoteProtocolError")
        assert len(receiver.arrived) == 1


def test_an_answer_that_is_no_http_is_not_delivered() -> None:
    with receiving(lambda _receiver, connection: connection.sendall(b"220 mail ready\r\n\r\n")) as receiver:
        assert post(receiver).startswith("RemoteProtocolError")


def test_a_closed_port_is_not_delivered() -> None:
    with receiving() as receiver:
        url = receiver.url
    assert poster().post(url, CALLBACK, "7-1").reason.startswith("ConnectError")


def test_a_reason_never_shows_the_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with receiving(answers("500 Oops"), drops) as receiver:
        reasons = [poster().post(f"{receiver.url}/canary", CALLBACK, "7-1").reason for _ in range(2)]
    reasons.append(poster().post("http://user:canary@127.0.0.1/canary", CALLBACK, "7-1").reason)
    reasons.append(poster().post("http://127.0.0.1:1/canary", CALLBACK, "7-1").reason)
    assert all(reasons)
    assert "canary" not in f"{reasons} {caplog.text}"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        assert post(receiver) == ""
        assert proxy.connections == 0


def test_no_connection_is_kept_for_the_next_callback() -> None:
    with receiving() as receiver:
        same = poster()
        for _ in range(3):
            assert same.post(receiver.url, CALLBACK, "7-1").delivered
        assert receiver.connections == 3


def test_a_cookie_is_not_brought_back() -> None:
    with receiving(answers("200 OK", "Set-Cookie: a=b; Path=/")) as receiver:
        same = poster()
        for _ in range(2):
            assert same.post(receiver.url, CALLBACK, "7-1").delivered
        assert "cookie" not in receiver.arrived[1].headers


class Rebinding:
    """A resolver whose answer changes at every question: first what may be called, then what an attacker wants."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    def __call__(self, _host: str, _port: int) -> Sequence[str]:
        return self._answers.pop(0)


def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    with receiving(host="127.0.0.2") as receiver:
        names = Rebinding(["127.0.0.2"], ["127.0.0.3"])
        url = f"http://hooks.example.com:{receiver.port}/hook"
        assert poster(resolve=names).post(url, CALLBACK, "7-1").delivered
    assert receiver.arrived[0].headers["host"] == f"hooks.example.com:{receiver.port}"


def test_a_name_that_turns_inward_later_is_refused_then() -> None:
    with receiving() as receiver:
        names = Rebinding(["127.0.0.1"], ["10.0.0.1"])
        same = poster(resolve=names)
        url = f"http://hooks.example.com:{receiver.port}/hook"
        assert same.post(url, CALLBACK, "7-1").delivered
        assert same.post(url, CALLBACK, "7-1").reason == "10.0.0.1 is private"
        assert receiver.connections == 1


INNER = (
    "127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "2002:7f00:1::1",
    "64:ff9b::7f00:1",
    "10.0.0.1",
    "169.254.169.254",
)


@pytest.mark.parametrize("address", INNER)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_without_the_operators_leave_nothing_inner_is_connected_to(address: str, scheme: str) -> None:
    with receiving() as receiver:
        closed = Poster((), HASTY_MS, lambda _host, _port: [address])
        delivery = closed.post(f"{scheme}://hooks.example.com:{receiver.port}/", CALLBACK, "7-1")
        assert not delivery.delivered
        assert any(word in delivery.reason for word in ("loopback", "private", "metadata"))
        assert receiver.connections == 0


def test_when_one_address_does_not_answer_the_next_is_tried() -> None:
    with receiving(host="127.0.0.3") as receiver:
        names = Rebinding(["127.0.0.2", "127.0.0.3"])
        url = f"http://hooks.example.com:{receiver.port}/hook"
        assert poster(resolve=names).post(url, CALLBACK, "7-1").delivered


def test_once_a_receiver_has_the_request_no_other_address_is_tried() -> None:
    with receiving(drops, host="127.0.0.2") as first:
        second = socket.create_server(("127.0.0.3", first.port))
        second.setblocking(False)
        names = Rebinding(["127.0.0.2", "127.0.0.3"])
        url = f"http://hooks.example.com:{first.port}/hook"
        assert not poster(resolve=names).post(url, CALLBACK, "7-1").delivered
        with pytest.raises(BlockingIOError):
            second.accept()
        second.close()
    assert first.connections == 1


def test_of_many_addresses_only_a_few_are_tried() -> None:
    with receiving(host="127.0.0.9") as receiver:
        names = Rebinding([f"127.0.0.{last}" for last in range(2, 10)])
        url = f"http://hooks.example.com:{receiver.port}/hook"
        assert poster(resolve=names).post(url, CALLBACK, "7-1").reason.startswith("ConnectError")
        assert receiver.connections == 0
