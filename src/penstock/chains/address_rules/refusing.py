"""The three refusals that address rules raise, each with a reason a person can act on."""

from __future__ import annotations

from penstock.core.refusals import RefusalCode, Refused


def invalid(reason: str) -> Refused:
    """The text is no address of this network."""
    return Refused(RefusalCode.ADDRESS_INVALID, reason=reason)


def forbidden(reason: str) -> Refused:
    """The text is an address, and money sent there would be lost or would come back to us."""
    return Refused(RefusalCode.ADDRESS_FORBIDDEN, reason=reason)


def memo_invalid(reason: str) -> Refused:
    """The memo or tag is not of the network's form, or the network has none."""
    return Refused(RefusalCode.MEMO_INVALID, reason=reason)
