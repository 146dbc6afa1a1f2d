"""What the venues' `client_requests` share: a request ready to be sent, and the check of an amount that is signed."""

from __future__ import annotations

import re

import msgspec

_PLAIN = re.compile(r"(0|[1-9][0-9]{0,59})(\.[0-9]{1,40})?", re.ASCII)


class OutgoingRequest(msgspec.Struct, frozen=True):
    """Ready to be sent as it is. query: encoded, without "?". signed_text: what the signature covers, "" without one.

    Query and headers hold keys and signatures: never log them.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    signed_text: str = ""

    @property
    def target(self) -> str:
        """Path and query, as they go on the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __repr__(self) -> str:
        return f"OutgoingRequest({self.method} {self.path}?***)"


def checked_amount(amount: str) -> str:
    """The very text given. Raises ValueError unless it is plain decimal text, such as 0.00001."""
    if _PLAIN.fullmatch(amount) is None:
        raise ValueError(f"an amount is plain decimal text, not {amount[:64]!r}")
    return amount
