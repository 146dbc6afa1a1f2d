"""What the client must know of a venue before it can speak to it: one entry per venue, in the venue's own module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from penstock.client.venue import Venue
from penstock.core.secret import Secret
from penstock.core.time import Clock

SignContent = Callable[[str], str]
"""Text to be signed to its signature: a wallet that keeps its key to itself."""

Credential = str | Secret | SignContent


@dataclass(frozen=True, slots=True)
class Option:
    """A keyword of `connect`, a name in a configuration file, and (in capitals) in the environment.

    secret: arrives as a Secret and is never shown. required: without it nothing can be sent. help: for people.
    in_code_only: a function, which no file and no environment can hold.
    """

    name: str
    help: str
    secret: bool = False
    required: bool = True
    in_code_only: bool = False


@dataclass(frozen=True, slots=True)
class VenueEntry:
    """base_url: the venue's own. hosts: the ends of host names at which the venue itself answers.

    make: (credentials by option name, base_url, clock) to the venue; raises ValueError for what cannot be used.
    An option that was not given is missing from the mapping; a secret one is a Secret or a callable.

    For people at the command line, "" where there is nothing to say: advice: the venue's error code to what can
    be done about it, half a line, in lower case; for the ones with an obvious next step only. afterwards: what
    follows the first request where the venue quotes first. when_lost: what can be done here after a lost answer,
    beside looking at the history, or in place of it where the venue is asked by id; "{request_id}" stands for
    the id.
    """

    name: str
    base_url: str
    hosts: tuple[str, ...]
    options: tuple[Option, ...]
    make: Callable[[Mapping[str, Credential], str, Clock], Venue]
    advice: Mapping[str, str] = field(default_factory=dict[str, str])
    afterwards: str = ""
    when_lost: str = ""

    def answers_at(self, base_url: str) -> bool:
        """Whether the venue itself is there, which promises nothing about repeats, and no Penstock."""
        return (urlsplit(base_url).hostname or "").endswith(self.hosts)


def text_of(credentials: Mapping[str, Credential], name: str) -> str:
    """A credential that is not secret, "" where it was not given. Raises ValueError for another kind."""
    value = credentials.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")  # noqa: TRY004  one kind of error for unusable settings
    return value


def secret_of(credentials: Mapping[str, Credential], name: str) -> Secret:
    """A secret credential, the empty one where it was not given. Raises ValueError for another kind."""
    value = credentials.get(name, Secret(b""))
    if not isinstance(value, Secret):
        raise ValueError(f"{name} must be text")  # noqa: TRY004  as above
    return value
