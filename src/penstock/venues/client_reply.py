"""What the venues' `client_replies` share: how a venue's no, or a reply that is none of its own, is told."""

from __future__ import annotations

from http import HTTPStatus


class VenueError(Exception):
    """The venue said no, or nothing that can be read.

    code: the venue's, as a number or text; 0 or "" where the reply was none of the venue's (a proxy's page, a cut
    answer). trace: its own name for the request, "" for none.
    """

    def __init__(self, code: int | str, message: str, http_status: int, trace: str = "") -> None:
        super().__init__(f"{code or 'unreadable'}: {message} (HTTP {http_status})")
        self.code = code
        self.message = message
        self.http_status = http_status
        self.trace = trace

    @property
    def outcome_unknown(self) -> bool:
        """Whether a create may have been carried out all the same: then ask, and never call it failed."""
        return not self.code or self.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR
