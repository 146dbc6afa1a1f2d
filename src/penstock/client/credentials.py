"""The keywords of `connect` for every venue, for editors and type checkers, and what is checked of credentials. The
truth is each venue's `ENTRY.options`; a test holds the keywords to it.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict, cast

from penstock.client.options import Credential, Option, SignContent, VenueEntry
from penstock.core.secret import Secret
from penstock.core.time import Clock


class Connection(TypedDict, total=False):
    """How a venue is reached, whichever it is; `connect` says more."""

    base_url: str
    allow_plain_http: bool
    clock: Clock | None


class BitmartCredentials(Connection):
    """memo: the third credential of the key."""

    api_key: str
    api_secret: str | Secret
    memo: NotRequired[str | Secret | None]


class SunxCredentials(Connection):
    """wallet_private_key or sign_content: one of them signs the content of a withdrawal."""

    access_key: str
    secret_key: str | Secret
    wallet_private_key: NotRequired[str | Secret | None]
    sign_content: NotRequired[SignContent | None]


class ZoomexCredentials(Connection):
    """Of the master account: only its key may withdraw."""

    api_key: str
    api_secret: str | Secret


class AlphapoCredentials(Connection):
    """The key pair of the merchant."""

    processing_key: str
    secret_key: str | Secret


class EdgexCredentials(Connection):
    """eth_address: where a withdrawal goes that names no address. risk_signature: 128 hexadecimal digits, where the
    venue gave one.
    """

    account_id: str
    stark_private_key: str | Secret
    eth_address: NotRequired[str | None]
    risk_signature: NotRequired[str | Secret | None]


def wrapped(credentials: dict[str, object]) -> dict[str, object]:
    """Take the credentials over and leave `credentials` empty; text comes back as Secret. Never raises."""
    held: dict[str, object] = {}
    while credentials:
        name, value = credentials.popitem()
        # What came from an environment may hold bytes that are no UTF-8; they are then wrong, not fatal.
        held[name] = Secret(value.encode(errors="surrogatepass")) if isinstance(value, str) else value
    return held


def checked(entry: VenueEntry, held: dict[str, object]) -> dict[str, Credential]:
    """What the venue is made with: options that are not secret as text, the others as Secret or callable.

    Empty text and None count as not given. Raises ValueError or TypeError that name what is unknown, missing or
    unusable, and show no value.
    """
    options = {option.name: option for option in entry.options}
    unknown = sorted(held.keys() - options)
    if unknown:
        raise ValueError(f"{entry.name} takes no {', '.join(unknown)}; it takes: {', '.join(options)}")
    given = {name: value for name, value in held.items() if not _is_empty(value)}
    missing = [option.name for option in entry.options if option.required and option.name not in given]
    if missing:
        raise ValueError(f"{entry.name} needs {', '.join(missing)}, and none may be empty")
    return {name: _usable(options[name], given[name]) for name in options if name in given}


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, Secret) and value.matches(b""))


def _usable(option: Option, value: object) -> Credential:
    if not isinstance(value, Secret):
        if callable(value):
            return cast("SignContent", value)
        raise TypeError(f"{option.name} must be text, not {type(value).__name__}")
    if option.in_code_only:
        raise ValueError(f"{option.name} must be a function")
    if option.secret:
        return value
    try:
        text = value.reveal().decode()
    except UnicodeDecodeError:
        text = "\0"
    if not (text.isascii() and text.isprintable()):
        raise ValueError(f"{option.name} holds characters that no HTTP header can carry")
    return text
