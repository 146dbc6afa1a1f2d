"""`connect`: from a venue's name and credentials to a client. A venue's module is loaded when it is first
connected to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Literal, Unpack, cast, get_args, overload
from urllib.parse import urlsplit

import httpx2

from penstock.client.async_client import AsyncClient
from penstock.client.client import Client
from penstock.client.credentials import (
    AlphapoCredentials,
    BitmartCredentials,
    EdgexCredentials,
    SunxCredentials,
    ZoomexCredentials,
    checked,
    wrapped,
)
from penstock.client.options import Credential, VenueEntry
from penstock.client.venue import Venue
from penstock.core.time import Clock, SystemClock

VenueName = Literal["bitmart", "sunx", "zoomex", "alphapo", "edgex"]
Transport = httpx2.BaseTransport | None
AsyncTransport = httpx2.AsyncBaseTransport | None
Pause = Callable[[int], None] | None
AsyncPause = Callable[[int], Awaitable[None]] | None
VENUES: tuple[VenueName, ...] = get_args(VenueName)


def entry_of(venue: str) -> VenueEntry:
    """What the client knows of a venue. Loads its module `penstock.client.<venue>` and what that needs.

    Raises ValueError for a venue without a client.
    """
    if venue not in VENUES:
        raise ValueError(f"no client for venue {venue[:64]!r}; there are: {', '.join(VENUES)}")
    return cast("VenueEntry", import_module(f"penstock.client.{venue}").ENTRY)


@overload
def connect(
    venue: Literal["bitmart"],
    *,
    transport: Transport = None,
    pause: Pause = None,
    **given: Unpack[BitmartCredentials],
) -> Client: ...
@overload
def connect(
    venue: Literal["sunx"],
    *,
    transport: Transport = None,
    pause: Pause = None,
    **given: Unpack[SunxCredentials],
) -> Client: ...
@overload
def connect(
    venue: Literal["zoomex"],
    *,
    transport: Transport = None,
    pause: Pause = None,
    **given: Unpack[ZoomexCredentials],
) -> Client: ...
@overload
def connect(
    venue: Literal["alphapo"],
    *,
    transport: Transport = None,
    pause: Pause = None,
    **given: Unpack[AlphapoCredentials],
) -> Client: ...
@overload
def connect(
    venue: Literal["edgex"],
    *,
    transport: Transport = None,
    pause: Pause = None,
    **given: Unpack[EdgexCredentials],
) -> Client: ...
def connect(
    venue: str,
    *,
    base_url: str = "",
    allow_plain_http: bool = False,
    clock: Clock | None = None,
    transport: Transport = None,
    pause: Pause = None,
    **credentials: object,
) -> Client:
    """A blocking client. Opens no connection yet.

    credentials: the venue's own, as text or Secret; `entry_of(venue).options` lists them with their meaning.
    base_url: "" is the venue itself; a Penstock's is given by its operator. allow_plain_http: http is taken for
    this machine only, unless this is set: on the way, anyone could send a signed request once more. clock,
    transport, pause: stand-ins for tests.
    Raises ValueError for an unknown venue, for an unknown, missing or unusable credential (by name, never by
    value) and for an unusable URL.
    """
    # Before anything that can fail: a traceback that shows local variables must not show these.
    held = wrapped(credentials)
    clock = clock or SystemClock()
    made, url = _venue(venue, base_url, clock, held, allow_plain_http=allow_plain_http)
    return Client(made, url, clock, transport=transport, pause=pause)


def connect_with(venue: str, credentials: Mapping[str, Credential], *, base_url: str = "") -> Client:
    """As `connect`, for a venue whose name and credentials are known only when the program runs."""
    held: dict[str, object] = dict(credentials)
    clock = SystemClock()
    made, url = _venue(venue, base_url, clock, wrapped(held), allow_plain_http=False)
    return Client(made, url, clock)


@overload
def connect_async(
    venue: Literal["bitmart"],
    *,
    transport: AsyncTransport = None,
    pause: AsyncPause = None,
    **given: Unpack[BitmartCredentials],
) -> AsyncClient: ...
@overload
def connect_async(
    venue: Literal["sunx"],
    *,
    transport: AsyncTransport = None,
    pause: AsyncPause = None,
    **given: Unpack[SunxCredentials],
) -> AsyncClient: ...
@overload
def connect_async(
    venue: Literal["zoomex"],
    *,
    transport: AsyncTransport = None,
    pause: AsyncPause = None,
    **given: Unpack[ZoomexCredentials],
) -> AsyncClient: ...
@overload
def connect_async(
    venue: Literal["alphapo"],
    *,
    transport: AsyncTransport = None,
    pause: AsyncPause = None,
    **given: Unpack[AlphapoCredentials],
) -> AsyncClient: ...
@overload
def connect_async(
    venue: Literal["edgex"],
    *,
    transport: AsyncTransport = None,
    pause: AsyncPause = None,
    **given: Unpack[EdgexCredentials],
) -> AsyncClient: ...
def connect_async(
    venue: str,
    *,
    base_url: str = "",
    allow_plain_http: bool = False,
    clock: Clock | None = None,
    transport: AsyncTransport = None,
    pause: AsyncPause = None,
    **credentials: object,
) -> AsyncClient:
    """As `connect`, for asyncio."""
    held = wrapped(credentials)
    clock = clock or SystemClock()
    made, url = _venue(venue, base_url, clock, held, allow_plain_http=allow_plain_http)
    return AsyncClient(made, url, clock, transport=transport, pause=pause)


def _venue(
    venue: str, base_url: str, clock: Clock, held: dict[str, object], *, allow_plain_http: bool
) -> tuple[Venue, str]:
    entry = entry_of(venue)
    url = _checked_url(base_url or entry.base_url, allow_plain_http=allow_plain_http)
    return entry.make(checked(entry, held), url, clock), url


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
