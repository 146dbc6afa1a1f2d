"""edgeX for a client: requests in `client_requests`, replies in `client_replies`, under one name."""

from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.edgex.auth import WINDOW_MS
from penstock.venues.edgex.client_replies import (
    CoinFacts,
    Collateral,
    Page,
    Record,
    Status,
    read_anything,
    read_coins,
    read_collateral,
    read_normal_records,
    read_page,
    read_records,
    read_server_time,
    read_withdraw_id,
)
from penstock.venues.edgex.client_requests import (
    Credentials,
    account_asset,
    account_by_id,
    active_withdraw,
    checked_address,
    checked_client_id,
    create_withdraw,
    meta_data,
    normal_withdraw_by_id,
    server_time,
    transfer_available,
    withdraw_available,
    withdraw_by_client_id,
    withdraw_by_id,
)
from penstock.venues.edgex.l2 import nonce_of
from penstock.venues.edgex.messages import read_long
from penstock.venues.edgex.stark import read_private_key, read_signature

__all__ = [
    "WINDOW_MS",
    "CoinFacts",
    "Collateral",
    "Credentials",
    "OutgoingRequest",
    "Page",
    "Record",
    "Status",
    "VenueError",
    "account_asset",
    "account_by_id",
    "active_withdraw",
    "checked_address",
    "checked_client_id",
    "create_withdraw",
    "meta_data",
    "nonce_of",
    "normal_withdraw_by_id",
    "read_anything",
    "read_coins",
    "read_collateral",
    "read_long",
    "read_normal_records",
    "read_page",
    "read_private_key",
    "read_records",
    "read_server_time",
    "read_signature",
    "read_withdraw_id",
    "server_time",
    "transfer_available",
    "withdraw_available",
    "withdraw_by_client_id",
    "withdraw_by_id",
]
