"""SunX for a client: requests, replies, the content and the wallet's signature over it, under one name."""

from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.sunx.client_replies import (
    Balance,
    BalanceDetail,
    Order,
    OrderStatus,
    Quote,
    Record,
    State,
    read_balance,
    read_order,
    read_quote,
    read_records,
)
from penstock.venues.sunx.client_requests import (
    Credentials,
    Direction,
    Operation,
    apply,
    balance,
    confirm,
    records,
)
from penstock.venues.sunx.client_wallet import WalletKey
from penstock.venues.sunx.content import read_content
from penstock.venues.sunx.wallet import read_signature, signer

__all__ = [
    "Balance",
    "BalanceDetail",
    "Credentials",
    "Direction",
    "Operation",
    "Order",
    "OrderStatus",
    "OutgoingRequest",
    "Quote",
    "Record",
    "State",
    "VenueError",
    "WalletKey",
    "apply",
    "balance",
    "confirm",
    "read_balance",
    "read_content",
    "read_order",
    "read_quote",
    "read_records",
    "read_signature",
    "records",
    "signer",
]
