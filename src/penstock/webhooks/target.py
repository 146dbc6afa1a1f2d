"""From a callback's URL to the addresses to connect to: read strictly, resolved once, every answer judged."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx2

from penstock.webhooks.addresses import Address, Block, TargetRefused, is_allowed, judge

URL_LENGTH_MAX = 2_048
PORT_MAX = 65_535
_PORTS = {"http": 80, "https": 443}
# Visible ASCII only: names in other scripts are given in their "xn--" form, so that what was set is what is called.
_VISIBLE = re.compile(r"[!-\[\]-~]+", re.ASCII)
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII)

Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) to IP addresses in the order in which to try them. Raises OSError or UnicodeError."""


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """Where a callback goes. Its path may hold the receiver's secret, so it has no repr."""

    url: httpx2.URL
    host: str
    port: int

    @property
    def encrypted(self) -> bool:
        return self.url.scheme == "https"

    @property
    def host_header(self) -> bytes:
        """The name and, where it is not the scheme's own, the port."""
        return self.url.netloc

    def at(self, address: Address) -> httpx2.URL:
        """The same URL with the address in place of the name, so that nothing is resolved again."""
        return self.url.copy_with(host=str(address))


def read_target(text: str) -> Target:
    """Read a callback's URL; for setting it as well as for calling it. Raises TargetRefused."""
    if len(text) > URL_LENGTH_MAX or not _VISIBLE.fullmatch(text):
        raise TargetRefused(
            f"a callback's URL has 1 to {URL_LENGTH_MAX} visible ASCII characters, no backslash"
        )
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        raise TargetRefused("the callback's URL cannot be read") from None
    if url.scheme not in _PORTS:
        raise TargetRefused("a callback's URL begins with https://")
    if url.userinfo:
        raise TargetRefused("a callback's URL holds no user name or password")
    if url.fragment:
        raise TargetRefused("a callback's URL has no fragment: it would not be sent")
    host = url.raw_host.decode("ascii")
    if not _HOST.fullmatch(host):
        raise TargetRefused("the host in the callback's URL cannot be read")
    port = _PORTS[url.scheme] if url.port is None else url.port
    if not 1 <= port <= PORT_MAX:
        raise TargetRefused(f"the port in the callback's URL is not from 1 to {PORT_MAX}")
    return Target(url, host, port)


def system_resolver(host: str, port: int) -> list[str]:
    """What the machine's resolver says. How long it may take is the machine's setting (resolv.conf)."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def find_addresses(target: Target, allowed: Sequence[Block], resolve: Resolve) -> list[Address]:
    """Resolve the target's host, once, and judge every address it has.

    One address that is not allowed refuses them all: a name that mixes public and inner addresses is an attack or a
    mistake. Without encryption every address must lie in an allowed network. Returns at least one, each once, in the
    resolver's order. Raises TargetRefused.
    """
    try:
        found = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise TargetRefused(f"the host does not resolve ({type(error).__name__})") from error
    addresses = list(dict.fromkeys(judge(text, allowed) for text in found))
    if not addresses:
        raise TargetRefused("the host has no address")
    if not target.encrypted:
        for address in addresses:
            if not is_allowed(address, allowed):
                raise TargetRefused(f"{address} is public: it is called by https only")
    return addresses
