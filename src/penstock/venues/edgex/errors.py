"""edgeX's error codes with their HTTP statuses and texts, and which of them each refusal becomes.

The venue publishes no list. The GATEWAY_ codes, INVALID_API_KEY, INVALID_ACCOUNT_ID, ACCOUNT_ID_WHITELIST_ERROR,
INVALID_GET_PAGE_SIZE and RATE_LIMIT_EXCEEDED were seen at the venue or stand in its docs; the others are made in their
style. `docs/venues/edgex.md` marks each.
"""

from __future__ import annotations

import msgspec

from penstock.core.refusals import RefusalCode, Refused

VALUE_CHARACTERS_MAX = 64
"""Of a value that is shown back, at most this much: the caller chose how long it is."""


class WireError(msgspec.Struct, frozen=True):
    """One error as it goes out.

    text: the venue's style puts the value in question behind it, `invalid coinId : 7`. field: the parameter that
    errorParam names, "" for none. shows: which detail of a refusal holds the value.
    """

    code: str
    status: int
    text: str
    field: str = ""
    shows: str = ""


class Rejected(Exception):
    """Internal to this venue: the request ends with `error`, which is no refusal that the core knows.

    value: what was wrong with it, as it came; None where the text says it all.
    """

    def __init__(self, error: WireError, value: str | None = None) -> None:
        super().__init__(error.code)
        self.error = error
        self.value = None if value is None else value[:VALUE_CHARACTERS_MAX]


def _invalid(field: str, code: str, status: int = 200, shows: str = "") -> WireError:
    return WireError(code, status, f"invalid {field}", field, shows)


def header_required(name: str) -> WireError:
    return WireError("GATEWAY_HEADER_REQUIRED", 400, f"header required : '{name}'")


def param_required(name: str) -> WireError:
    return WireError("GATEWAY_PARAM_REQUIRED", 400, f"param required : '{name}'", name)


def param_invalid(name: str) -> WireError:
    return _invalid(name, "GATEWAY_PARAM_INVALID", 400)


# --- gateway and authentication ----------------------------------------------------------------------------
HEADER_DOUBLED = WireError("GATEWAY_PARAM_INVALID", 400, "a header of the signature came twice")
NOT_READABLE = WireError("GATEWAY_PARAM_INVALID", 400, "invalid request")
BODY_NOT_READABLE = WireError("GATEWAY_PARAM_INVALID", 400, "invalid body : one JSON object is required")
QUERY_NOT_READABLE = WireError("GATEWAY_PARAM_INVALID", 400, "invalid query")
TOO_LARGE = WireError("GATEWAY_PARAM_INVALID", 413, "invalid body : too large")
WRONG_MEDIA = WireError("GATEWAY_PARAM_INVALID", 415, "invalid content type : application/json is required")
NOT_FOUND = WireError("GATEWAY_NOT_FOUND", 404, "not found")
WRONG_METHOD = WireError("GATEWAY_METHOD_NOT_ALLOWED", 405, "method not allowed")
IN_DOUBT = WireError(
    "GATEWAY_INTERNAL_ERROR",
    500,
    "internal error. The outcome is unknown: ask getWithdrawByClientWithdrawId, or send the same clientWithdrawId with "
    "the same content again, before you create another one",
)
UNAVAILABLE = WireError("SERVICE_UNAVAILABLE", 503, "service unavailable, nothing was done. Try again later")
TOO_MANY = WireError("RATE_LIMIT_EXCEEDED", 429, "too many requests")
API_KEY_UNKNOWN = _invalid("apiKey", "INVALID_API_KEY", 401)
ACCOUNT_UNKNOWN = _invalid("accountId", "INVALID_ACCOUNT_ID", 401)
NOT_ENABLED = WireError(
    "ACCOUNT_ID_WHITELIST_ERROR",
    403,
    "accountId '%s' not in whitelist. Please contact administrator for access.",
)
TIMESTAMP_INVALID = WireError("INVALID_TIMESTAMP", 401, "invalid timestamp")
SIGNATURE_WRONG = WireError("SIGNATURE_ERROR", 401, "signature error")
NOT_PERMITTED = WireError("PERMISSION_DENIED", 403, "permission denied")

# --- parameters and rules ----------------------------------------------------------------------------------
PAGE_SIZE = _invalid("size", "INVALID_GET_PAGE_SIZE", 400)
COIN = _invalid("coinId", "INVALID_COIN_ID", shows="currency")
AMOUNT = _invalid("amount", "INVALID_AMOUNT")
AMOUNT_TOO_SMALL = WireError("INVALID_AMOUNT", 200, "amount below the minimum", shows="minimum")
AMOUNT_TOO_LARGE = WireError("INVALID_AMOUNT", 200, "amount above the maximum", shows="maximum")
AMOUNT_STEP = WireError("INVALID_AMOUNT", 200, "amount is no multiple of the step")
ETH_ADDRESS = _invalid("ethAddress", "INVALID_ETH_ADDRESS", shows="address")
ERC20_ADDRESS = _invalid("erc20Address", "INVALID_ERC20_ADDRESS")
CLIENT_WITHDRAW_ID = _invalid("clientWithdrawId", "INVALID_CLIENT_WITHDRAW_ID")
L2_NONCE = _invalid("l2Nonce", "INVALID_L2_NONCE")
L2_EXPIRE_TIME = _invalid("l2ExpireTime", "INVALID_L2_EXPIRE_TIME")
EXPIRE_TIME = _invalid("expireTime", "INVALID_L2_EXPIRE_TIME")
L2_SIGNATURE = _invalid("l2Signature", "INVALID_L2_SIGNATURE")
RISK_SIGNATURE = _invalid("riskSignature", "INVALID_RISK_SIGNATURE")
ID_TAKEN = WireError(
    "DUPLICATE_CLIENT_WITHDRAW_ID",
    200,
    "clientWithdrawId was used with other content",
    "clientWithdrawId",
    "request_id",
)
NONCE_COLLISION = WireError(
    "L2_NONCE_COLLISION",
    200,
    "another withdrawal with another clientWithdrawId has this l2Nonce, nothing was done. Use another clientWithdrawId",
    "l2Nonce",
    "mark",
)
BALANCE_TOO_LOW = WireError("INSUFFICIENT_BALANCE", 200, "insufficient balance, available", shows="available")
ACCOUNT_ABNORMAL = WireError("ACCOUNT_STATUS_ABNORMAL", 200, "account status abnormal")
CLOSED = WireError("WITHDRAW_CLOSED", 200, "withdrawals of this coin are closed")
QUOTA_EXCEEDED = WireError("WITHDRAW_LIMIT_EXCEEDED", 200, "the daily limit of withdrawals is used up")
RECORD_UNKNOWN = WireError("WITHDRAW_NOT_FOUND", 200, "withdrawal not found")

REFUSALS: dict[RefusalCode, WireError] = {
    RefusalCode.PARAMETER_INVALID: NOT_READABLE,
    RefusalCode.AMOUNT_MALFORMED: AMOUNT,
    RefusalCode.AMOUNT_NOT_POSITIVE: AMOUNT,
    RefusalCode.AMOUNT_PRECISION: AMOUNT_STEP,
    RefusalCode.AMOUNT_MULTIPLE: AMOUNT_STEP,
    RefusalCode.AMOUNT_TOO_SMALL: AMOUNT_TOO_SMALL,
    RefusalCode.AMOUNT_TOO_LARGE: AMOUNT_TOO_LARGE,
    RefusalCode.QUOTA_EXCEEDED: QUOTA_EXCEEDED,
    RefusalCode.CURRENCY_UNKNOWN: COIN,
    RefusalCode.CURRENCY_UNSUPPORTED: COIN,
    RefusalCode.WITHDRAWALS_CLOSED: CLOSED,
    RefusalCode.ADDRESS_INVALID: ETH_ADDRESS,
    RefusalCode.ADDRESS_FORBIDDEN: ETH_ADDRESS,
    RefusalCode.BALANCE_TOO_LOW: BALANCE_TOO_LOW,
    RefusalCode.ACCOUNT_UNKNOWN: ACCOUNT_ABNORMAL,
    RefusalCode.ACCOUNT_FROZEN: ACCOUNT_ABNORMAL,
    RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW: ACCOUNT_ABNORMAL,
    RefusalCode.ACCOUNT_IN_SECURITY_HOLD: ACCOUNT_ABNORMAL,
    RefusalCode.ACCOUNT_IS_SUB_ACCOUNT: ACCOUNT_ABNORMAL,
    # The key was frozen after the request had passed authentication.
    RefusalCode.KEY_FROZEN: ACCOUNT_ABNORMAL,
    RefusalCode.WITHDRAWAL_UNKNOWN: RECORD_UNKNOWN,
    RefusalCode.REQUEST_ID_CONFLICT: ID_TAKEN,
    RefusalCode.REQUEST_ID_TAKEN: ID_TAKEN,
    RefusalCode.EXCLUSIVE_TAKEN: NONCE_COLLISION,
    RefusalCode.NOT_NOW: UNAVAILABLE,
    # The rest belongs to other venues' commands and is never met here.
    RefusalCode.DEPOSITS_CLOSED: CLOSED,
    RefusalCode.TRANSFERS_CLOSED: CLOSED,
    RefusalCode.WALLET_UNKNOWN: NOT_READABLE,
    RefusalCode.ADDRESS_NOT_IN_BOOK: ETH_ADDRESS,
    RefusalCode.ADDRESS_NOT_VERIFIED: ETH_ADDRESS,
    RefusalCode.ADDRESS_COOLING_DOWN: ETH_ADDRESS,
    RefusalCode.MEMO_INVALID: NOT_READABLE,
    RefusalCode.RECIPIENT_UNKNOWN: NOT_READABLE,
    RefusalCode.RECIPIENT_BLOCKED: NOT_READABLE,
    RefusalCode.RECIPIENT_IS_SENDER: NOT_READABLE,
    RefusalCode.RECIPIENT_NOT_IN_BOOK: NOT_READABLE,
    RefusalCode.CHALLENGE_UNKNOWN: NOT_READABLE,
    RefusalCode.CHALLENGE_EXPIRED: NOT_READABLE,
    RefusalCode.CHALLENGE_USED: NOT_READABLE,
    RefusalCode.CHALLENGE_EXHAUSTED: NOT_READABLE,
    RefusalCode.RATE_UNAVAILABLE: UNAVAILABLE,
    RefusalCode.RATE_STALE: UNAVAILABLE,
    RefusalCode.ALREADY_EXISTS: ID_TAKEN,
}
assert REFUSALS.keys() == set(RefusalCode)


def wire_error(refused: Refused) -> tuple[WireError, str | None]:
    """The error a refusal becomes, and the value to show with it."""
    error = REFUSALS[refused.code]
    shown = refused.detail.get(error.shows) if error.shows else None
    return error, None if shown is None else str(shown)[:VALUE_CHARACTERS_MAX]
