"""The Python client for five venues, sync and async over one core.

    from penstock.client import connect

    with connect("bitmart", api_key=..., api_secret=..., memo=..., base_url="http://127.0.0.1:8787") as venue:
        sent = venue.withdraw("USDT", "100", "0x...", network="ethereum")
        print(venue.withdrawal(sent.withdrawal_id).status)

A withdrawal is sent once and never repeated by the client. When its answer is lost, OutcomeUnknown is
raised: ask `resolve` until it is conclusive. docs/client.md goes through it venue by venue.
"""

from __future__ import annotations

from penstock.client.async_client import AsyncClient
from penstock.client.client import Client
from penstock.client.connecting import VENUES, connect, connect_async, connect_with, entry_of
from penstock.client.errors import (
    BadReply,
    NoAnswer,
    NotOffered,
    NotSent,
    OutcomeUnknown,
    PenstockClientError,
    VenueRefused,
)
from penstock.client.options import Credential, Option, VenueEntry
from penstock.client.payments import to_account, to_address
from penstock.client.steps import SignedRequest
from penstock.client.values import (
    Balance,
    BookAddress,
    Currency,
    DepositAddress,
    Fee,
    FirstRequest,
    Payment,
    Prepared,
    Resolution,
    Status,
    Submitted,
    Withdrawal,
)
from penstock.core.commands import RecipientKind

__all__ = [
    "VENUES",
    "AsyncClient",
    "BadReply",
    "Balance",
    "BookAddress",
    "Client",
    "Credential",
    "Currency",
    "DepositAddress",
    "Fee",
    "FirstRequest",
    "NoAnswer",
    "NotOffered",
    "NotSent",
    "Option",
    "OutcomeUnknown",
    "Payment",
    "PenstockClientError",
    "Prepared",
    "RecipientKind",
    "Resolution",
    "SignedRequest",
    "Status",
    "Submitted",
    "VenueEntry",
    "VenueRefused",
    "Withdrawal",
    "connect",
    "connect_async",
    "connect_with",
    "entry_of",
    "to_account",
    "to_address",
]
