"""What the two clients share: a call is a generator of steps, and a driver carries the steps out.

A call yields `Send` and `Pause` and receives `Reply` or `Lost`; it decides everything (what to sign, what
an answer means, whether to ask again) and does no IO. `transport.py` has one driver that blocks and one
that awaits.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

from penstock.venues.client_request import OutgoingRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class SignedRequest:
    """One request, ready to be sent, byte for byte.

    target: path and query as they go on the request line. signed_text: what the signature covers, "" when
    the request carries none.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    signed_text: str = ""

    @classmethod
    def of(cls, request: OutgoingRequest) -> Self:
        """The request as a venue's wire made it."""
        return cls(request.method, request.target, request.headers, request.body, request.signed_text)

    def __repr__(self) -> str:
        # Query, headers, body and signed text stay out: whoever sees them may replay the request.
        return f"SignedRequest({self.method!r}, {self.target.partition('?')[0]!r})"


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request once. The driver never repeats it."""

    request: SignedRequest


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait `ms` milliseconds."""

    ms: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. headers: names in lower case. The body may hold the caller's own business: not in the
    repr.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """No whole answer came. sent: whether a byte of the request may have left this machine."""

    sent: bool
    reason: str


Steps = Generator[Send | Pause, Reply | Lost | None, T]
"""A call that returns T. A driver sends `Reply | Lost` back for a `Send`, None for a `Pause`."""
