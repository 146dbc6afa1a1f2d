"""`connect`: from a venue's name and credentials to a client."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Literal
from urllib.parse import urlsplit

import httpx2

from penstock.client import bitmart
from penstock.client.client import AsyncClient, Client
from penstock.core.secret import Secret
from penstock.core.time import Clock, SystemClock
from penstock.venues.bitmart import client_wire

VenueName = Literal["bitmart"]


def connect(
    venue: VenueName,
    *,
    api_key: str,
    api_secret: str | Secret,
    memo: str = "",
    base_url: str = "",
    allow_plain_http: bool = False,
    clock: Clock | None = None,
    transport: httpx2.BaseTransport | None = None,
    pause: Callable[[int], None] | None = None,
) -> Client:
    """A blocking client. Opens no connection yet.

    memo: BitMart's third credential. base_url: "" is the venue itself; a Penstock's is given by its operator.
    allow_plain_http: http is taken for this machine only, unless this is set: on the way, anyone could send a
    signed request once more. clock, transport, pause: stand-ins for tests.
    Raises ValueError for an unknown venue, an empty credential or an unusable URL.
    """
    secret = Secret.of(api_secret) if isinstance(api_secret, str) else api_secret
    del api_secret  # a traceback that shows local variables must not show this one
    clock = clock or SystemClock()
    url = _checked_url(base_url or bitmart.BASE_URL, allow_plain_http=allow_plain_http)
    return Client(
        _venue(venue, api_key, secret, memo, url, clock), url, clock, transport=transport, pause=pause
    )


def connect_async(
    venue: VenueName,
    *,
    api_key: str,
    api_secret: str | Secret,
    memo: str = "",
    base_url: str = "",
    allow_plain_http: bool = False,
    clock: Clock | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    pause: Callable[[int], Awaitable[None]] | None = None,
) -> AsyncClient:
    """As `connect`, for asyncio."""
    secret = Secret.of(api_secret) if isinstance(api_secret, str) else api_secret
    del api_secret
    clock = clock or SystemClock()
    url = _checked_url(base_url or bitmart.BASE_URL, allow_plain_http=allow_plain_http)
    return AsyncClient(
        _venue(venue, api_key, secret, memo, url, clock), url, clock, transport=transport, pause=pause
    )


def _venue(
    venue: str, api_key: str, secret: Secret, memo: str, url: str, clock: Clock
) -> bitmart.BitmartVenue:
    if venue != bitmart.NAME:
        raise ValueError(f"no client for venue {venue!r}; there is: {bitmart.NAME}")
    if not api_key or secret.matches(b""):
        raise ValueError("api_key and api_secret must not be empty")
    if not (api_key.isascii() and api_key.isprintable()):
        raise ValueError("api_key holds characters that no HTTP header can carry")
    at_the_venue = (urlsplit(url).hostname or "").endswith(".bitmart.com")
    return bitmart.BitmartVenue(
        client_wire.Credentials(api_key, secret, memo), clock, at_the_venue=at_the_venue
    )


def _checked_url(url: str, *, allow_plain_http: bool) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"base_url must look like https://host, not {url[:200]!r}")
    if parts.username or parts.password:
        raise ValueError("base_url must hold no user or password")
    if parts.scheme == "http" and not allow_plain_http and not _is_this_machine(parts.hostname):
        raise ValueError(
            "base_url must be https for another machine; allow_plain_http=True if the way there is safe"
        )
    return url.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
