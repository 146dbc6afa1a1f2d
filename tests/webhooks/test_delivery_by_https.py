"""Over TLS the address is the checked one, and name and certificate are those of the URL."""

from __future__ import annotations

import ssl
from ipaddress import ip_network

import pytest

from penstock.venues.venue import Callback
from penstock.webhooks.delivery import Poster
from tests.webhooks.certificates import Authority
from tests.webhooks.receiver import hangs, receiving, trickles

LOOPBACK = (ip_network("127.0.0.0/8"),)
CALLBACK = Callback(((b"content-type", b"application/json"),), b"{}")
NAME = "hooks.example.com"
PATIENT_MS, HASTY_MS = 10_000, 1_000


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def tls(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return authority.server(NAME, tmp_path_factory.mktemp("certificates"))


def poster(trust: ssl.SSLContext | None, timeout_ms: int = PATIENT_MS) -> Poster:
    return Poster(LOOPBACK, timeout_ms, lambda _host, _port: ["127.0.0.1"], trust)


def test_the_urls_name_is_asked_for_and_proven_at_the_checked_address(
    authority: Authority, tls: ssl.SSLContext
) -> None:
    with receiving(tls=tls) as receiver:
        url = f"https://{NAME}:{receiver.port}/hook"
        assert poster(authority.trust()).post(url, CALLBACK, "7-1").reason == ""
    (arrived,) = receiver.arrived
    assert arrived.sni == NAME
    assert arrived.headers["host"] == f"{NAME}:{receiver.port}"


def test_a_certificate_for_another_name_is_refused(authority: Authority, tls: ssl.SSLContext) -> None:
    with receiving(tls=tls) as receiver:
        url = f"https://other.example.com:{receiver.port}/hook"
        reason = poster(authority.trust()).post(url, CALLBACK, "7-1").reason
    assert "certificate" in reason.lower()
    assert receiver.arrived == []


def test_a_certificate_for_the_name_does_not_serve_its_address(
    authority: Authority, tls: ssl.SSLContext
) -> None:
    with receiving(tls=tls) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/hook"
        assert "certificate" in poster(authority.trust()).post(url, CALLBACK, "7-1").reason.lower()
    assert receiver.arrived == []


def test_an_unknown_authority_is_refused(tls: ssl.SSLContext) -> None:
    with receiving(tls=tls) as receiver:
        url = f"https://{NAME}:{receiver.port}/hook"
        assert "certificate" in poster(None).post(url, CALLBACK, "7-1").reason.lower()
    assert receiver.arrived == []


def test_a_receiver_that_trickles_over_tls_is_cut_off(authority: Authority, tls: ssl.SSLContext) -> None:
    with receiving(hangs, trickles(b"HTTP/1.1 200 OK\r\n", b"x"), tls=tls) as receiver:
        url = f"https://{NAME}:{receiver.port}/hook"
        hasty = poster(authority.trust(), HASTY_MS)
        assert [hasty.post(url, CALLBACK, "7-1").reason for _ in range(2)] == [
            f"no answer within {HASTY_MS} ms"
        ] * 2


def test_a_receiver_that_never_shakes_hands_is_given_up_in_time(authority: Authority) -> None:
    # It listens and takes the connection, but answers the TLS greeting with nothing.
    with receiving(hangs) as receiver:
        url = f"https://{NAME}:{receiver.port}/hook"
        assert not poster(authority.trust(), HASTY_MS).post(url, CALLBACK, "7-1").delivered
