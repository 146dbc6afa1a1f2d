"""A callback's URL is read strictly and resolved once, and every address of its host is judged."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from penstock.webhooks.addresses import TargetRefused
from penstock.webhooks.target import find_addresses, read_target, system_resolver

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Names:
    """A resolver that knows what it is told, and counts."""

    def __init__(self, *addresses: str, error: Exception | None = None) -> None:
        self.addresses = addresses
        self.error = error
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        if self.error is not None:
            raise self.error
        return list(self.addresses)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com/x",
        "//hooks.example.com/x",
        "ftp://hooks.example.com/x",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/",
        "https://",
        "https:///x",
        "https://user:word@hooks.example.com/",
        "https://user@hooks.example.com/",
        "https://hooks.example.com/#top",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:65536/",
        "https://hooks.example.com:-1/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nHost: x",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hööks.example.com/",
        "https://hooks%2eexample.com/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://1.2.3.256/",
        "https://hooks.example.com/" + "a" * 2_048,
    ],
)
def test_a_url_that_could_be_read_in_two_ways_or_says_too_much_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        read_target(url)


@pytest.mark.parametrize(
    "url, host, port",
    [
        ("https://hooks.example.com", "hooks.example.com", 443),
        ("HTTPS://HOOKS.example.com:8443/a%2Fb?token=x", "hooks.example.com", 8443),
        ("http://localhost:80/", "localhost", 80),
        ("https://xn--hks-sna.example.com/", "xn--hks-sna.example.com", 443),
        ("https://[2606:4700::1111]:444/", "2606:4700::1111", 444),
        ("https://203.0.113.9/x", "203.0.113.9", 443),
    ],
)
def test_an_ordinary_url_gives_the_host_and_port_to_resolve(url: str, host: str, port: int) -> None:
    target = read_target(url)
    assert (target.host, target.port) == (host, port)


def test_the_path_survives_the_change_of_host_byte_for_byte() -> None:
    target = read_target("https://hooks.example.com:8443/a%2Fb//c;d?token=x%20y&z=1+2")
    moved = target.at(ip_address("2606:4700::1111"))
    assert moved.raw_path == b"/a%2Fb//c;d?token=x%20y&z=1+2"
    assert (moved.host, moved.port) == ("2606:4700::1111", 8443)
    assert target.host_header == b"hooks.example.com:8443"


def test_a_target_does_not_show_its_path() -> None:
    assert "canary" not in repr(read_target("https://hooks.example.com/canary"))


def test_the_host_is_resolved_once_with_its_port() -> None:
    names = Names("8.8.8.8", "2606:4700::1111", "8.8.8.8")
    found = find_addresses(read_target("https://hooks.example.com:444/"), (), names)
    assert [str(address) for address in found] == ["8.8.8.8", "2606:4700::1111"]
    assert names.asked == [("hooks.example.com", 444)]


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "not an address"]
)
@pytest.mark.parametrize("first", [True, False])
def test_one_inner_address_among_public_ones_refuses_them_all(inner: str, first: bool) -> None:
    names = Names(*((inner, "8.8.8.8") if first else ("8.8.8.8", inner)))
    with pytest.raises(TargetRefused):
        find_addresses(read_target("https://hooks.example.com/"), (), names)


def test_without_encryption_only_an_allowed_network_is_called() -> None:
    target = read_target("http://hooks.example.com/")
    assert find_addresses(target, LOOPBACK, Names("127.0.0.1", "::1"))
    for addresses in (("8.8.8.8",), ("127.0.0.1", "8.8.8.8")):
        with pytest.raises(TargetRefused, match="https only"):
            find_addresses(target, LOOPBACK, Names(*addresses))


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
def test_a_name_that_does_not_resolve_is_a_reason(error: Exception) -> None:
    with pytest.raises(TargetRefused, match="does not resolve"):
        find_addresses(read_target("https://hooks.example.com/"), (), Names(error=error))


def test_a_name_without_addresses_is_a_reason() -> None:
    with pytest.raises(TargetRefused, match="no address"):
        find_addresses(read_target("https://hooks.example.com/"), (), Names())


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "https://[::1]/"])
def test_the_machines_own_resolver_gives_addresses_that_are_judged(url: str) -> None:
    with pytest.raises(TargetRefused, match="is loopback"):
        find_addresses(read_target(url), (), system_resolver)
    assert find_addresses(read_target(url), LOOPBACK, system_resolver)
