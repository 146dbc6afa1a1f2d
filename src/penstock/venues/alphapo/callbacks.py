"""What AlphaPo tells a merchant's own server about a withdrawal: the payload of transactions/info, signed.

Source: AlphaPo docs, "Get callbacks"; the sister platform's callbacks overview. Where it is sent, and when again, is no
venue's business.
"""

from __future__ import annotations

from penstock.core.states import State
from penstock.core.views import KeyView, WithdrawalView
from penstock.venues.alphapo.auth import KEY_HEADER, SIGNATURE_HEADER, signature
from penstock.venues.alphapo.records import Status, status_of, transaction
from penstock.venues.alphapo.replies import encode
from penstock.venues.venue import Callback


def write_callback(view: WithdrawalView, state: State, before: State | None, key: KeyView) -> Callback | None:
    """See venues.venue.WriteCallback. The bytes depend on the state entered, not on what came after it.

    A new withdrawal is `not_confirmed` to begin with, which its create answer has told already: so a payment that
    nobody has to approve is told of once, when it is confirmed. None for an exchange, which is over once answered.
    """
    if not view.address:
        return None
    told = Status.NOT_CONFIRMED if before is None else status_of(before, "")
    if status_of(state, view.reason) is told:
        return None
    body = encode(transaction(view, state))
    headers = (
        (b"Content-Type", b"application/json"),
        (KEY_HEADER.encode(), key.key_id.encode()),
        (SIGNATURE_HEADER.encode(), signature(key.secret, body)),
    )
    return Callback(headers, body)
