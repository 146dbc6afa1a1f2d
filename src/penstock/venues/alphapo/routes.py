"""AlphaPo's routes: what each asks of the caller, and how often it may be called.

Source: AlphaPo docs, "Endpoints"; the only published limit is that of exchange/calculate. What is not listed here
answers 404 to whoever is authenticated, as the venue does for an unknown path.
"""

from __future__ import annotations

from penstock.venues.venue import Level, Limit, Route, Scope

BASE = "/api/v2"

_LIMIT = Limit(100, 1, Scope.KEY)
"""Ours: the venue publishes none."""
_CALCULATE_LIMIT = Limit(30, 60, Scope.IP, ban_s=60)


def _post(path: str, permission: str, limit: Limit = _LIMIT) -> Route:
    return Route("POST", BASE + path, Level.SIGNED, limit, permission=permission)


PING = Route("GET", BASE + "/ping", Level.NONE, Limit(100, 1, Scope.IP))
WITHDRAWAL = _post("/withdrawal/crypto", "withdraw")
TRANSACTION = Route("GET", BASE + "/transactions/info", Level.SIGNED, _LIMIT, permission="read")
ACCOUNTS = _post("/accounts/list", "read")
CURRENCIES = _post("/currencies/list", "read")
PAIRS = _post("/currencies/pairs", "read")
RATES = _post("/currencies/rates", "read")
TAKE_ADDRESS = _post("/addresses/take", "read")
CALCULATE = _post("/exchange/calculate", "read", _CALCULATE_LIMIT)
EXCHANGE_FIXED = _post("/exchange/fixed", "withdraw")
EXCHANGE_NOW = _post("/exchange/now", "withdraw")

ROUTES: tuple[Route, ...] = (
    PING,
    WITHDRAWAL,
    TRANSACTION,
    ACCOUNTS,
    CURRENCIES,
    PAIRS,
    RATES,
    TAKE_ADDRESS,
    CALCULATE,
    EXCHANGE_FIXED,
    EXCHANGE_NOW,
)

UNKNOWN = Route("", "", Level.SIGNED, _LIMIT)
"""What a caller of a path that does not exist must pass before it is told so."""
