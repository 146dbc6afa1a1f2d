"""The Python client, sync and async over one core.

    from penstock.client import connect

    with connect("bitmart", api_key=..., api_secret=..., memo=..., base_url="http://127.0.0.1:8787") as venue:
        sent = venue.withdraw("USDT", "100", "0x...", network="ethereum")
        print(venue.withdrawal(sent.withdrawal_id).status)

A withdrawal is sent once and never repeated by the client. When its answer is lost, OutcomeUnknown is
raised: ask `resolve` until it is conclusive.
"""

from __future__ import annotations

from penstock.client.client import AsyncClient, Client
from penstock.client.connecting import connect, connect_async
from penstock.client.errors import (
    BadReply,
    NoAnswer,
    NotSent,
    OutcomeUnknown,
    PenstockClientError,
    VenueRefused,
)
from penstock.client.steps import SignedRequest
from penstock.client.values import (
    Balance,
    BookAddress,
    Currency,
    DepositAddress,
    Fee,
    Payment,
    Prepared,
    Resolution,
    Status,
    Submitted,
    Withdrawal,
)
from penstock.core.commands import RecipientKind

__all__ = [
    "AsyncClient",
    "BadReply",
    "Balance",
    "BookAddress",
    "Client",
    "Currency",
    "DepositAddress",
    "Fee",
    "NoAnswer",
    "NotSent",
    "OutcomeUnknown",
    "Payment",
    "PenstockClientError",
    "Prepared",
    "RecipientKind",
    "Resolution",
    "SignedRequest",
    "Status",
    "Submitted",
    "VenueRefused",
    "Withdrawal",
    "connect",
    "connect_async",
]
