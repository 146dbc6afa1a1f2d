"""BitMart's routes: what each asks of the caller, and how often it may be called.

Source: BitMart spot docs, "Rate Limit" and "Funding Account". Left out are the wallet transfer and deposit
account calls that only the venue's Python SDK 2.8.0 knows; they answer 30000 like every unknown path.
"""

from __future__ import annotations

from penstock.venues.venue import Level, Limit, Route, Scope

APPLY = Route(
    "POST",
    "/account/v1/withdraw/apply",
    Level.SIGNED,
    Limit(8, 2, Scope.KEY),
    permission="withdraw",
    sub_accounts=False,
)
CHARGE = Route(
    "GET",
    "/account/v1/withdraw/charge",
    Level.KEYED,
    Limit(2, 2, Scope.KEY),
    permission="withdraw",
    sub_accounts=False,
)
CURRENCIES = Route("GET", "/account/v1/currencies", Level.NONE, Limit(2, 2, Scope.IP))
ACCOUNT_WALLET = Route("GET", "/account/v1/wallet", Level.KEYED, Limit(12, 2, Scope.KEY), permission="read")
SPOT_WALLET = Route("GET", "/spot/v1/wallet", Level.KEYED, Limit(12, 2, Scope.KEY), permission="read")
DEPOSIT_ADDRESS = Route(
    "GET",
    "/account/v1/deposit/address",
    Level.KEYED,
    Limit(2, 2, Scope.KEY),
    permission="read",
    sub_accounts=False,
)
HISTORY = Route(
    "GET",
    "/account/v2/deposit-withdraw/history",
    Level.KEYED,
    Limit(8, 2, Scope.KEY),
    permission="read",
    sub_accounts=False,
)
DETAIL = Route(
    "GET",
    "/account/v1/deposit-withdraw/detail",
    Level.KEYED,
    Limit(8, 2, Scope.KEY),
    permission="read",
    sub_accounts=False,
)
ADDRESS_LIST = Route(
    "GET",
    "/account/v1/withdraw/address/list",
    Level.KEYED,
    Limit(2, 2, Scope.KEY),
    permission="read",
)
SERVER_TIME = Route("GET", "/system/time", Level.NONE, Limit(10, 1, Scope.IP))
SERVICES = Route("GET", "/system/service", Level.NONE, Limit(10, 1, Scope.IP))
SPOT_SYMBOLS = Route("GET", "/spot/v1/symbols/details", Level.NONE, Limit(12, 2, Scope.IP))
# The limit is not documented for this one; it is served only because ccxt's load_markets asks for it.
CONTRACT_SYMBOLS = Route("GET", "/contract/public/details", Level.NONE, Limit(12, 2, Scope.IP))

ROUTES: tuple[Route, ...] = (
    APPLY,
    CHARGE,
    CURRENCIES,
    ACCOUNT_WALLET,
    SPOT_WALLET,
    DEPOSIT_ADDRESS,
    HISTORY,
    DETAIL,
    ADDRESS_LIST,
    SERVER_TIME,
    SERVICES,
    SPOT_SYMBOLS,
    CONTRACT_SYMBOLS,
)
