"""Where a command finds the venue and the credentials, and how the client's errors are told.

--from-env reads PENSTOCK_<VENUE>_<OPTION>; --config reads a TOML file with one table per venue, or the
`sandbox.json` that a sandbox writes. The options are the venue's own, `entry_of(venue).options`. A TOML file
names where its secrets are, it never holds them:

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

from penstock.cli.terminal import Exit, Failure, masked, usage
from penstock.client import (
    VENUES,
    Client,
    Credential,
    NoAnswer,
    NotOffered,
    NotSent,
    Option,
    OutcomeUnknown,
    PenstockClientError,
    VenueRefused,
    connect_with,
    entry_of,
)
from penstock.core.secret import Secret

CONFIG_BYTES_MAX = 1024 * 1024
SECRET_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Access:
    """One venue account.

    credentials: by option name, secret ones as Secret. admin_token, confirmations: from a sandbox's own file
    only, else empty. confirmations: how many make a payment final, by network. facts: what else a sandbox's
    file says of the venue.
    """

    venue: str
    base_url: str
    credentials: Mapping[str, Credential] = field(repr=False)
    admin_token: str = field(default="", repr=False)
    confirmations: Mapping[str, int] = field(default_factory=dict[str, int])
    facts: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    def open(self) -> Client:
        """Raises Failure for settings that no client takes."""
        try:
            return connect_with(self.venue, self.credentials, base_url=self.base_url)
        except (ValueError, TypeError) as error:
            then = "correct the setting; `penstock withdraw --help` shows where it is read from"
            raise Failure(f"{self.venue}: {error}", then, code=Exit.USAGE) from None

    @property
    def identity(self) -> tuple[str, str]:
        """Whose account it is, for people: the venue's first option and its value, masked."""
        name = entry_of(self.venue).options[0].name
        value = self.credentials.get(name, "")
        return name, masked(value) if isinstance(value, str) else masked("")


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--venue",
        choices=VENUES,
        default=VENUES[0],
        help="whose API is spoken, to the venue itself or to a Penstock (default: %(default)s)",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--from-env",
        action="store_true",
        help="credentials are in the environment, as PENSTOCK_<VENUE>_<OPTION>: PENSTOCK_BITMART_API_KEY; "
        "docs/client.md lists every venue's options",
    )
    source.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="credentials are in a TOML file with a [<venue>] table, or in a sandbox's sandbox.json",
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


def _readable(venue: str) -> dict[str, Option]:
    """The options that a file or an environment can hold."""
    return {option.name: option for option in entry_of(venue).options if not option.in_code_only}


def _from_environment(venue: str, environment: Mapping[str, str]) -> Access:
    prefix = f"PENSTOCK_{venue.upper()}_"
    options = _readable(venue)
    missing = [
        f"{prefix}{name.upper()} ({option.help})"
        for name, option in options.items()
        if option.required and not environment.get(prefix + name.upper())
    ]
    if missing:
        usage(f"not set in the environment: {', '.join(missing)}", "export them, or use --config FILE")
    credentials = {
        name: _kept(option, environment[prefix + name.upper()])
        for name, option in options.items()
        if environment.get(prefix + name.upper())
    }
    return Access(venue, environment.get(prefix + "BASE_URL", ""), credentials)


def _kept(option: Option, text: str) -> Credential:
    return Secret(text.encode(errors="surrogatepass")) if option.secret else text


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
    options = _readable(venue)
    section = table.get(venue)
    if not isinstance(section, dict):
        usage(f"{path} has no table [{venue}]", f"add [{venue}] with base_url, {', '.join(options)}")
    settings = cast("dict[str, object]", section)
    unknown = settings.keys() - {"base_url", *options}
    if unknown:
        usage(
            f"{path} [{venue}] has unknown settings: {', '.join(sorted(unknown))}",
            f"there are: base_url, {', '.join(options)}",
        )
    missing = [
        f"{name} ({option.help})"
        for name, option in options.items()
        if option.required and name not in settings
    ]
    if missing:
        usage(f"{path} [{venue}] does not say {', '.join(missing)}")
    return Access(
        venue,
        _text(settings, "base_url", path, default=""),
        {
            name: _kept(
                option, _secret(settings, name, path) if option.secret else _text(settings, name, path)
            )
            for name, option in options.items()
            if name in settings
        },
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
        {
            name: _kept(option, _text(settings, name, path))
            for name, option in _readable(venue).items()
            if option.required or name in settings
        },
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
        raise Failure(
            str(error), f"penstock withdrawals list --venue {error.venue}", code=Exit.UNKNOWN
        ) from None
    except VenueRefused as error:
        raise Failure(str(error), entry_of(error.venue).advice.get(error.code, "")) from None
    except (NotSent, NoAnswer) as error:
        raise Failure(str(error), "check the base URL and whether it is up, then try again") from None
    except NotOffered as error:
        raise Failure(str(error), code=Exit.USAGE) from None
    except PenstockClientError as error:
        raise Failure(str(error), "check that the base URL is the venue's, or a Penstock's") from None
    except ValueError as error:
        raise Failure(str(error), code=Exit.USAGE) from None
