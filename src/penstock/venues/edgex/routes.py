"""edgeX's routes: what each asks of the caller, and how often it may be called.

Source: edgeX docs, "Withdraw API", "Asset API", "Account API", "Transfer API" and "Meta Data API". The venue publishes
no rate limits; those here are assumed.
"""

from __future__ import annotations

import msgspec

from penstock.venues.venue import Level, Limit, Route, Scope

READS = Limit(50, 1, Scope.ACCOUNT, bucket="edgex.reads")
CREATIONS = Limit(10, 1, Scope.ACCOUNT, bucket="edgex.creations")
PUBLIC = Limit(50, 1, Scope.IP, bucket="edgex.public")


def _public(path: str) -> Route:
    return Route("GET", path, Level.NONE, PUBLIC)


def _look(path: str) -> Route:
    return Route("GET", path, Level.SIGNED, READS, permission="read", offloaded=True)


def _create(path: str) -> Route:
    return Route("POST", path, Level.SIGNED, CREATIONS, permission="withdraw", offloaded=True)


SERVER_TIME = _public("/api/v1/public/meta/getServerTime")
META_DATA = _public("/api/v1/public/meta/getMetaData")

WITHDRAW_BY_ID = _look("/api/v1/private/withdraw/getWithdrawById")
WITHDRAW_BY_CLIENT_ID = _look("/api/v1/private/withdraw/getWithdrawByClientWithdrawId")
ACTIVE_WITHDRAW = _look("/api/v1/private/withdraw/getActiveWithdraw")
WITHDRAW_AVAILABLE = _look("/api/v1/private/withdraw/getWithdrawAvailableAmount")
CREATE_WITHDRAW = _create("/api/v1/private/withdraw/createWithdraw")

ACCOUNT_ASSET = _look("/api/v1/private/account/getAccountAsset")
ACCOUNT_BY_ID = _look("/api/v1/private/account/getAccountById")
# Both official SDKs ask here for what can be withdrawn.
TRANSFER_AVAILABLE = _look("/api/v1/private/transfer/getTransferOutAvailableAmount")
NORMAL_WITHDRAW_BY_ID = _look("/api/v1/private/assets/getNormalWithdrawById")
CREATE_NORMAL_WITHDRAW = _create("/api/v1/private/assets/createNormalWithdraw")

CALLS: tuple[Route, ...] = (
    SERVER_TIME,
    META_DATA,
    WITHDRAW_BY_ID,
    WITHDRAW_BY_CLIENT_ID,
    ACTIVE_WITHDRAW,
    WITHDRAW_AVAILABLE,
    CREATE_WITHDRAW,
    ACCOUNT_ASSET,
    ACCOUNT_BY_ID,
    TRANSFER_AVAILABLE,
    NORMAL_WITHDRAW_BY_ID,
    CREATE_NORMAL_WITHDRAW,
)
# The official Python SDK asks for //api/... when its base URL ends in a slash, and signs /api/... all the same.
ROUTES = CALLS + tuple(msgspec.structs.replace(route, path="/" + route.path) for route in CALLS)
