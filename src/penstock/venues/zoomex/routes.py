"""Zoomex's routes: what each asks of the caller, how often it may be called, and how its replies are wrapped.

Source: Zoomex docs, "Rate Limit" and the page of each endpoint. Own transfers and the unified account's withdrawable
amount are not served: docs/venues/zoomex.md says why.
"""

from __future__ import annotations

from enum import StrEnum

from penstock.venues.venue import Level, Limit, Route, Scope

IP_LIMIT = Limit(600, 5, Scope.IP, bucket="zoomex-ip", ban_s=600)
"""The whole address, over all endpoints: 600 requests in 5 s, then HTTP 403 for ten minutes."""


class Family(StrEnum):
    """How an endpoint wraps its replies; errors come in the same wrapping (assumed)."""

    OLD = "old"
    """ret_code, ret_msg, ext_code, result, ext_info, time_now."""
    NEW = "new"
    """retCode, retMsg, result, retExtInfo ({}), time."""
    NEW_BARE = "new_bare"
    """As NEW, with null in retExtInfo, as the two withdraw calls have it."""


def _private(method: str, path: str, limit: Limit, *, permission: str, sub_accounts: bool = True) -> Route:
    return Route(
        method,
        path,
        Level.SIGNED,
        limit,
        permission=permission,
        sub_accounts=sub_accounts,
        shared=(IP_LIMIT,),
    )


CREATE = _private(
    "POST",
    "/private/v1/asset/withdraw/create",
    Limit(1, 1, Scope.ACCOUNT),
    permission="withdraw",
    sub_accounts=False,
)
INNER_CREATE = _private(
    "POST",
    "/private/v1/asset/withdraw/inner-create",
    Limit(1, 1, Scope.ACCOUNT),
    permission="withdraw",
    sub_accounts=False,
)
WITHDRAW_RECORDS = _private(
    "GET",
    "/private/v1/asset/withdraw/query-record",
    Limit(300, 60, Scope.ACCOUNT),
    permission="read",
    sub_accounts=False,
)
COINS = _private("GET", "/private/v1/asset/coin/query-info", Limit(5, 1, Scope.ACCOUNT), permission="read")
DEPOSIT_ADDRESSES = _private(
    "GET", "/private/v1/asset/deposit/query-address", Limit(30, 60, Scope.ACCOUNT), permission="read"
)
DEPOSIT_RECORDS = _private(
    "GET", "/private/v1/asset/deposit/query-record", Limit(300, 60, Scope.ACCOUNT), permission="read"
)
# Its limit is not documented (assumed).
ASSETS = _private(
    "GET",
    "/cloud/trade/v3/asset/transfer/query-asset-info",
    Limit(60, 60, Scope.ACCOUNT),
    permission="read",
)
WALLET_BALANCE = _private(
    "GET", "/cloud/trade/v3/account/wallet-balance", Limit(10, 1, Scope.ACCOUNT), permission="read"
)
# Public, and without a documented limit of its own: it shows the address's.
MARKET_TIME = Route(
    "GET", "/cloud/trade/v3/market/time", Level.NONE, Limit(600, 5, Scope.IP), shared=(IP_LIMIT,)
)

ROUTES: tuple[Route, ...] = (
    CREATE,
    INNER_CREATE,
    WITHDRAW_RECORDS,
    COINS,
    DEPOSIT_ADDRESSES,
    DEPOSIT_RECORDS,
    ASSETS,
    WALLET_BALANCE,
    MARKET_TIME,
)

FAMILIES: dict[str, Family] = {
    CREATE.path: Family.NEW_BARE,
    INNER_CREATE.path: Family.NEW_BARE,
    WITHDRAW_RECORDS.path: Family.OLD,
    COINS.path: Family.OLD,
    DEPOSIT_ADDRESSES.path: Family.OLD,
    DEPOSIT_RECORDS.path: Family.OLD,
    ASSETS.path: Family.NEW,
    WALLET_BALANCE.path: Family.NEW,
    MARKET_TIME.path: Family.NEW,
}
assert FAMILIES.keys() == {route.path for route in ROUTES}
