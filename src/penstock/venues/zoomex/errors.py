"""Zoomex's error codes with their HTTP statuses and texts, and which of them each refusal becomes.

Source: Zoomex docs, "Error Codes" (10xxx) and "HTTP Status Code". The docs list no codes for the business of a
withdrawal; the 131xxx ones are those of the gateway that Zoomex's is made from (Bybit v5 docs, "Error Codes"), which
also stand in Zoomex's own translation file (assumed). The texts are ours, but for "Too many visits!".
"""

from __future__ import annotations

from collections import defaultdict

import msgspec

from penstock.core.refusals import RefusalCode, Refused


class WireError(msgspec.Struct, frozen=True):
    """One error as it goes out. message may hold names in braces, filled from the refusal's detail."""

    code: int
    message: str
    status: int = 200

    def text(self, detail: dict[str, str | int]) -> str:
        return self.message.format_map(defaultdict(str, detail)) if "{" in self.message else self.message


class Rejected(Exception):
    """Internal to this venue: the request ends with `error`, which is no refusal that the core knows."""

    def __init__(self, error: WireError, text: str | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.text = text


def bad_parameter(name: str) -> Rejected:
    """The parameter of that name is missing, unknown here, or not of its form."""
    # Names come from outside too: what is echoed stays short.
    return Rejected(BAD_PARAMETER, f"Request parameter error: {name[:32]}")


# --- gateway -------------------------------------------------------------------------------------------------
NOT_AUTHENTICATED = WireError(10003, "API key is invalid: no authentication parameters", 401)
MALFORMED = WireError(10001, "Request parameter error: malformed request", 400)
WRONG_METHOD = WireError(10001, "Request parameter error: wrong method", 400)
TOO_LARGE = WireError(10001, "Request parameter error: too large", 413)
BODY_ON_GET = WireError(10001, "Request parameter error: a GET must not have a body", 403)
BAD_PARAMETER = WireError(10001, "Request parameter error")
TIMESTAMP_WRONG = WireError(
    10002, "The request time exceeds the time window range: check timestamp and recv_window"
)
KEY_INVALID = WireError(10003, "API key is invalid")
SIGNATURE_WRONG = WireError(10004, "Error sign, please check your signature generation algorithm")
NOT_PERMITTED = WireError(10005, "Permission denied, please check your API key permissions")
MASTER_ONLY = WireError(10005, "Permission denied, only the master UID's API key may call this")
TOO_MANY = WireError(10006, "Too many visits!")
USER_UNKNOWN = WireError(10007, "User authentication failed")
IP_UNBOUND = WireError(10010, "Unmatched IP, please check your API key's bound IP addresses")
DUPLICATE = WireError(
    10014, "Duplicate request: requestId {request_id} was already used with another {field}"
)
NOT_FOUND = WireError(10017, "Route not found", 404)
IP_LIMIT = WireError(10018, "Exceeded the IP rate limit", 403)
# Not 200: the clients of this gateway take every 200 with a code for a definite no.
IN_DOUBT = WireError(
    10000,
    "Server timeout. The outcome is unknown: send the same requestId with the same content again, or look at "
    "withdraw/query-record, before you create another withdrawal",
    504,
)
UNAVAILABLE = WireError(10016, "Server error. Nothing was done, please try again later", 503)

# --- withdrawal ----------------------------------------------------------------------------------------------
PARAMETER_WRONG = WireError(131002, "Parameter error")
COIN_UNKNOWN = WireError(131002, "Parameter error: no such coin on that chain")
ADDRESS_INVALID = WireError(131002, "Parameter error: the address is not valid on this chain")
TAG_WRONG = WireError(131002, "Parameter error: the tag does not match the address book")
TAG_UNWANTED = WireError(131081, "This chain does not take a tag")
DEPOSITS_CLOSED = WireError(131002, "Parameter error: deposits of this coin are closed")
RECORD_UNKNOWN = WireError(131002, "Parameter error: no such record")
RECIPIENT_IS_SENDER = WireError(131075, "Internal withdrawals to yourself are not supported")
RECIPIENT_UNKNOWN = WireError(131077, "The recipient does not exist")
RECIPIENT_BLOCKED = WireError(131078, "The recipient cannot receive deposits")
SECURITY_HOLD = WireError(131089, "No withdrawals for 24 hours after a security change")
WITHDRAWALS_BANNED = WireError(131090, "This user is not allowed to withdraw")
USER_ABNORMAL = WireError(131092, "The user's status is abnormal")
NOT_IN_BOOK = WireError(131093, "The withdrawal address is not in the address book")
PLATFORM_LIMIT = WireError(131095, "The 24-hour withdrawal limit is exceeded")
TOO_SMALL = WireError(131096, "The amount is below the minimum of {minimum}")
TOO_LARGE_AMOUNT = WireError(131096, "The amount is above the maximum of {maximum}")
CLOSED = WireError(131097, "Withdrawals of this coin on this chain are closed")
ADDRESS_TOO_NEW = WireError(131098, "The withdrawal address was added too recently")
TOO_PRECISE = WireError(131210, "The amount may have {precision} decimals at most")
BALANCE_TOO_LOW = WireError(131212, "Insufficient balance")
AMOUNT_INVALID = WireError(131215, "The amount is not valid")
NOT_A_MULTIPLE = WireError(131215, "The amount must be a multiple of {multiple}")

REFUSALS: dict[RefusalCode, WireError] = {
    RefusalCode.PARAMETER_INVALID: BAD_PARAMETER,
    RefusalCode.AMOUNT_MALFORMED: AMOUNT_INVALID,
    RefusalCode.AMOUNT_NOT_POSITIVE: AMOUNT_INVALID,
    RefusalCode.AMOUNT_PRECISION: TOO_PRECISE,
    RefusalCode.AMOUNT_MULTIPLE: NOT_A_MULTIPLE,
    RefusalCode.AMOUNT_TOO_SMALL: TOO_SMALL,
    RefusalCode.AMOUNT_TOO_LARGE: TOO_LARGE_AMOUNT,
    RefusalCode.QUOTA_EXCEEDED: PLATFORM_LIMIT,
    RefusalCode.CURRENCY_UNKNOWN: COIN_UNKNOWN,
    RefusalCode.CURRENCY_UNSUPPORTED: COIN_UNKNOWN,
    RefusalCode.WITHDRAWALS_CLOSED: CLOSED,
    RefusalCode.DEPOSITS_CLOSED: DEPOSITS_CLOSED,
    RefusalCode.TRANSFERS_CLOSED: CLOSED,
    RefusalCode.WALLET_UNKNOWN: BAD_PARAMETER,
    RefusalCode.ADDRESS_INVALID: ADDRESS_INVALID,
    RefusalCode.ADDRESS_FORBIDDEN: ADDRESS_INVALID,
    RefusalCode.ADDRESS_NOT_IN_BOOK: NOT_IN_BOOK,
    # The venue knows no unverified entries: to its clients such an address is not there yet.
    RefusalCode.ADDRESS_NOT_VERIFIED: NOT_IN_BOOK,
    RefusalCode.ADDRESS_COOLING_DOWN: ADDRESS_TOO_NEW,
    RefusalCode.MEMO_INVALID: TAG_WRONG,
    RefusalCode.RECIPIENT_UNKNOWN: RECIPIENT_UNKNOWN,
    RefusalCode.RECIPIENT_BLOCKED: RECIPIENT_BLOCKED,
    RefusalCode.RECIPIENT_IS_SENDER: RECIPIENT_IS_SENDER,
    RefusalCode.RECIPIENT_NOT_IN_BOOK: NOT_IN_BOOK,
    RefusalCode.BALANCE_TOO_LOW: BALANCE_TOO_LOW,
    RefusalCode.ACCOUNT_UNKNOWN: USER_UNKNOWN,
    RefusalCode.ACCOUNT_FROZEN: USER_ABNORMAL,
    RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW: WITHDRAWALS_BANNED,
    RefusalCode.ACCOUNT_IN_SECURITY_HOLD: SECURITY_HOLD,
    RefusalCode.ACCOUNT_IS_SUB_ACCOUNT: MASTER_ONLY,
    RefusalCode.KEY_FROZEN: KEY_INVALID,
    RefusalCode.WITHDRAWAL_UNKNOWN: RECORD_UNKNOWN,
    RefusalCode.REQUEST_ID_CONFLICT: DUPLICATE,
    RefusalCode.REQUEST_ID_TAKEN: DUPLICATE,
    RefusalCode.ALREADY_EXISTS: DUPLICATE,
    RefusalCode.NOT_NOW: UNAVAILABLE,
    # The rest belongs to other venues' commands and is never met here.
    RefusalCode.EXCLUSIVE_TAKEN: DUPLICATE,
    RefusalCode.CHALLENGE_UNKNOWN: BAD_PARAMETER,
    RefusalCode.CHALLENGE_EXPIRED: BAD_PARAMETER,
    RefusalCode.CHALLENGE_USED: BAD_PARAMETER,
    RefusalCode.CHALLENGE_EXHAUSTED: BAD_PARAMETER,
    RefusalCode.RATE_UNAVAILABLE: UNAVAILABLE,
    RefusalCode.RATE_STALE: UNAVAILABLE,
}
assert REFUSALS.keys() == set(RefusalCode)


def wire_error(refused: Refused) -> tuple[WireError, str]:
    """The error a refusal becomes, and its text."""
    error = REFUSALS[refused.code]
    return error, error.text(refused.detail)
