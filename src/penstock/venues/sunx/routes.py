"""SunX's routes: what each asks of the caller, how often it may be called, and which path its signature covers.

Source: SunX docs, "Create a Withdraw Request", "Confirm a Withdraw Request", "Get Deposit & Withdraw records",
"Get Account Balance" and "Preparation" (rate limits). Limits count the account (the venue's UID), not the key.
"""

from __future__ import annotations

from penstock.venues.venue import Level, Limit, Route, Scope

PREFIX = "/sapi/v1"
_WALLET = PREFIX + "/sunperp/dw/"

CLOUD_EXCHANGE = "6X2K9L4V1C"
"""Value of the header that routes wallet calls to the tenant: a public constant, no secret (SunX docs)."""

ALL_PRIVATE = Limit(144, 3, Scope.ACCOUNT, bucket="sunx private")
ALL_READS = Limit(72, 3, Scope.ACCOUNT, bucket="sunx reads")
RECORDS_OWN = Limit(20, 2, Scope.ACCOUNT)

APPLY = Route(
    "POST",
    _WALLET + "withdraw/apply",
    Level.SIGNED,
    ALL_PRIVATE,
    permission="withdraw",
    sub_accounts=False,
)
CONFIRM = Route(
    "POST",
    _WALLET + "withdraw/confirm",
    Level.SIGNED,
    ALL_PRIVATE,
    permission="withdraw",
    sub_accounts=False,
)
RECORDS = Route(
    "GET",
    _WALLET + "query/deposit-withdraw",
    Level.SIGNED,
    RECORDS_OWN,
    permission="read",
    shared=(ALL_READS, ALL_PRIVATE),
)
BALANCE = Route(
    "GET",
    PREFIX + "/account/balance",
    Level.SIGNED,
    ALL_READS,
    permission="read",
    shared=(ALL_PRIVATE,),
)

ROUTES: tuple[Route, ...] = (APPLY, CONFIRM, RECORDS, BALANCE)


def is_wallet_call(path: str) -> bool:
    """Whether the path belongs to the wallet group, which has its own signed path and the tenant header."""
    return path.startswith(_WALLET)


def signed_path(path: str) -> str:
    """The path as it stands in the signed text: wallet calls drop "/sapi/v1", all others keep it."""
    return path.removeprefix(PREFIX) if is_wallet_call(path) else path
