"""Where a command finds the venue and the credentials, and how the client's errors are told.

--from-env reads PENSTOCK_<VENUE>_*; --config reads a TOML file with one table per venue, or the
`sandbox.json` that a sandbox writes. A TOML file names where its secrets are, it never holds them:

    [bitmart]
    base_url = "https://penstock.example"
    api_key = "..."
    api_secret = {env = "BITMART_SECRET"}
    memo = {file = "bitmart.memo"}
"""

from __future__ import annotations

import argparse
import json
import os
import tomllib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from penstock.cli.terminal import Exit, Failure, usage
from penstock.client import (
    Client,
    NoAnswer,
    NotSent,
    OutcomeUnknown,
    PenstockClientError,
    VenueRefused,
    connect,
)

VENUES = ("bitmart",)
CONFIG_BYTES_MAX = 1024 * 1024
SECRET_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Access:
    """One venue account.

    admin_token, confirmations: from a sandbox's own file only, else empty. confirmations: how many make a
    payment final, by network. facts: what else a sandbox's file says of the venue.
    """

    venue: str
    base_url: str
    api_key: str
    api_secret: str = field(repr=False)
    memo: str = field(repr=False)
    admin_token: str = field(default="", repr=False)
    confirmations: Mapping[str, int] = field(default_factory=dict[str, int])
    facts: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    def open(self) -> Client:
        """Raises Failure for settings that no client takes."""
        try:
            return connect(
                "bitmart",
                api_key=self.api_key,
                api_secret=self.api_secret,
                memo=self.memo,
                base_url=self.base_url,
            )
        except ValueError as error:
            usage(str(error), "correct the setting; `penstock withdraw --help` shows where it is read from")


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--venue", choices=VENUES, default=VENUES[0], help="whose API is spoken (default: %(default)s)"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--from-env",
        action="store_true",
        help="take PENSTOCK_<VENUE>_API_KEY, _API_SECRET, _MEMO and _BASE_URL from the environment",
    )
    source.add_argument(
        "--config", type=Path, metavar="FILE", help="a TOML file with a [<venue>] table, or a sandbox.json"
    )


def access_of(arguments: argparse.Namespace) -> Access:
    """What the arguments name. Raises Failure, which never shows a secret."""
    venue: str = arguments.venue
    config: Path | None = arguments.config
    if arguments.from_env:
        return _from_environment(venue, os.environ)
    if config is not None:
        return access_in(venue, config)
    return usage("it is not said where the credentials are", "add --from-env, or --config FILE")


def _from_environment(venue: str, environment: Mapping[str, str]) -> Access:
    prefix = f"PENSTOCK_{venue.upper()}_"
    missing = [
        prefix + name for name in ("API_KEY", "API_SECRET", "MEMO") if not environment.get(prefix + name)
    ]
    if missing:
        usage(f"not set in the environment: {', '.join(missing)}", "export them, or use --config FILE")
    return Access(
        venue,
        environment.get(prefix + "BASE_URL", ""),
        environment[prefix + "API_KEY"],
        environment[prefix + "API_SECRET"],
        environment[prefix + "MEMO"],
    )


def read_table(path: Path) -> dict[str, object]:
    """A JSON or TOML file as a table. Raises Failure."""
    try:
        with path.open("rb") as file:
            text = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        usage(f"{path} cannot be read: {error.strerror}", "give the path of a TOML file or of a sandbox.json")
    if len(text) > CONFIG_BYTES_MAX:
        usage(f"{path} is larger than {CONFIG_BYTES_MAX} bytes")
    try:
        if text.lstrip().startswith(b"{"):
            found: object = json.loads(text)
            return cast("dict[str, object]", found)
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        # The parser's own words may quote the text, and the text may hold what must not be shown.
        usage(f"{path} is neither valid TOML nor valid JSON")


def access_in(venue: str, path: Path) -> Access:
    """The venue's account in a TOML file or a sandbox.json. Raises Failure."""
    table = read_table(path)
    venues = table.get("venues")
    if isinstance(venues, dict):
        return _from_sandbox(venue, path, table, cast("dict[str, object]", venues))
    section = table.get(venue)
    if not isinstance(section, dict):
        usage(f"{path} has no table [{venue}]", f"add [{venue}] with base_url, api_key, api_secret and memo")
    settings = cast("dict[str, object]", section)
    unknown = settings.keys() - {"base_url", "api_key", "api_secret", "memo"}
    if unknown:
        usage(f"{path} [{venue}] has unknown settings: {', '.join(sorted(unknown))}")
    return Access(
        venue,
        _text(settings, "base_url", path, default=""),
        _text(settings, "api_key", path),
        _secret(settings, "api_secret", path),
        _secret(settings, "memo", path),
    )


def _from_sandbox(venue: str, path: Path, table: dict[str, object], venues: dict[str, object]) -> Access:
    """A sandbox's keys move play money only, so its file holds them."""
    section, admin = venues.get(venue), table.get("admin")
    if not isinstance(section, dict):
        usage(f"{path} has no account for {venue}")
    settings = cast("dict[str, object]", section)
    token = cast("dict[str, object]", admin).get("token", "") if isinstance(admin, dict) else ""
    return Access(
        venue,
        _text(table, "base_url", path),
        _text(settings, "api_key", path),
        _text(settings, "api_secret", path),
        _text(settings, "memo", path),
        str(token),
        _confirmations(table.get("assets")),
        settings,
    )


def _confirmations(assets: object) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in cast("list[object]", assets) if isinstance(assets, list) else []:
        match entry:
            case {"network": str(network), "confirmations": int(confirmations)}:
                found[network] = confirmations
            case _:
                continue
    return found


def _text(table: Mapping[str, object], name: str, path: Path, default: str | None = None) -> str:
    value = table.get(name, default)
    if not isinstance(value, str):
        usage(f"{path}: {name} must be text")
    return value


def _secret(table: Mapping[str, object], name: str, path: Path) -> str:
    match table.get(name):
        case {"env": str(variable)}:
            value = os.environ.get(variable, "")
            return value or usage(f"{path}: {name} is taken from {variable}, which is not set")
        case {"file": str(place)}:
            return _secret_file(path.parent / place, name)
        case _:
            return usage(
                f"{path}: {name} must say where it is kept, not what it is",
                f'write {name} = {{env = "NAME"}} or {name} = {{file = "PATH"}}',
            )


def _secret_file(place: Path, name: str) -> str:
    try:
        with place.open("rb") as file:
            return file.read(SECRET_BYTES_MAX).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        usage(f"{name} cannot be read from {place}", "give a readable UTF-8 text file")


@contextmanager
def errors_told() -> Generator[None]:
    """Turn the client's errors into failures that say what to do next."""
    try:
        yield
    except OutcomeUnknown as error:
        raise Failure(str(error), "penstock withdrawals list", code=Exit.UNKNOWN) from None
    except VenueRefused as error:
        raise Failure(str(error), _ADVICE.get(error.code, "")) from None
    except (NotSent, NoAnswer) as error:
        raise Failure(str(error), "check the base URL and whether it is up, then try again") from None
    except PenstockClientError as error:
        raise Failure(str(error), "check that the base URL is the venue's, or a Penstock's") from None
    except ValueError as error:
        raise Failure(str(error), code=Exit.USAGE) from None


_CHECK_KEY = "check the key, its secret and its memo"
# BitMart's error table: the ones with an obvious next step.
_ADVICE = {
    "30002": _CHECK_KEY,
    "30005": _CHECK_KEY,
    "30007": "set this machine's clock",
    "30010": "add this machine's address to the key's allow-list",
    "30012": "use a key that may withdraw",
    "30013": "wait some seconds, then try again",
    "60002": "`penstock addresses` shows the names of currencies; or give --network",
    "60007": "add the address to the account's address book; `penstock addresses` shows it",
    "60008": "`penstock balance` shows what there is",
    "60014": "give the memo that stands in the address book; `penstock addresses` shows it",
    "60015": "verify the address in the account's address book first",
}
