"""The guard of tests/conftest.py, shown to hold."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

# RFC 5737, TEST-NET-1: never routed, so nothing is sent even if the guard were broken.
NOT_THIS_MACHINE = "192.0.2.1"


@pytest.fixture
def udp() -> socket.socket:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        yield opened


def test_connecting_to_another_machine_is_refused(udp: socket.socket) -> None:
    with pytest.raises(Exception, match="this machine only"):
        udp.connect((NOT_THIS_MACHINE, 9))


def test_sending_to_another_machine_is_refused(udp: socket.socket) -> None:
    with pytest.raises(Exception, match="this machine only"):
        udp.sendto(b"x", (NOT_THIS_MACHINE, 9))


def test_looking_up_another_name_is_refused() -> None:
    with pytest.raises(Exception, match="this machine only"):
        socket.getaddrinfo("example.invalid", 443)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1]), timeout=5).close()


def test_unix_sockets_are_reached(tmp_path: Path) -> None:
    place = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(place)
        server.listen()
        client.connect(place)
