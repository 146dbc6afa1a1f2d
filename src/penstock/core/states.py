"""The states of a withdrawal and of an attempt. Which moves are allowed stands in `engine/transitions.py`."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a withdrawal stands."""

    CHALLENGED = "challenged"
    """Quoted; waits for the customer's signature over the content. Holds nothing."""
    HELD = "held"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    PLANNED = "planned"
    """A nonce (or inputs) is taken."""
    SIGNED = "signed"
    """Bytes and hash are stored."""
    SENT = "sent"
    """The bytes were offered to a node."""
    MINED = "mined"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    """The chain took the transaction and did not pay; the money was given back."""
    IN_DOUBT = "in_doubt"
    QUARANTINED = "quarantined"


DECLINED = "declined"
"""What the reason of a rejected withdrawal begins with when a person refused it."""

FINAL_STATES = frozenset({State.CONFIRMED, State.REJECTED, State.CANCELLED, State.EXPIRED, State.FAILED})


class AttemptState(StrEnum):
    """Where one signed transaction stands. Attempts are kept for ever."""

    PLANNED = "planned"
    SIGNED = "signed"
    SENT = "sent"
    FINAL = "final"
    """Mined to finality, paid or not."""
    REPLACED = "replaced"
    """Another attempt with the same nonce reached finality."""
    DROPPED = "dropped"
    """Taken back before it was ever handed to the signer; its nonce is free again."""
