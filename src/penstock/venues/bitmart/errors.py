"""BitMart's error codes with their HTTP statuses and texts, and which of them each refusal becomes.

Source: BitMart spot docs, "Error Code" (2025 copy). The texts are the venue's, spelling included, because
clients match on them. `docs/venues/bitmart.md` says which codes are never sent and why.
"""

from __future__ import annotations

import msgspec

from penstock.core.refusals import RefusalCode, Refused


class WireError(msgspec.Struct, frozen=True):
    """One error as it goes out. message may hold one %s, filled with the refusal's detail called `shows`."""

    code: int
    status: int
    message: str
    shows: str = ""

    def text(self, detail: dict[str, str | int]) -> str:
        return self.message % detail.get(self.shows, "") if self.shows else self.message


class Rejected(Exception):
    """Internal to this venue: the request ends with `error`, which is no refusal that the core knows."""

    def __init__(self, error: WireError) -> None:
        super().__init__(error.message)
        self.error = error


# --- gateway ---------------------------------------------------------------------------------------------
NOT_FOUND = WireError(30000, 404, "Not found")
KEY_EMPTY = WireError(30001, 401, "Header X-BM-KEY is empty")
KEY_UNKNOWN = WireError(30002, 401, "Header X-BM-KEY not found")
KEY_FROZEN = WireError(30003, 401, "Header X-BM-KEY has frozen")
SIGN_EMPTY = WireError(30004, 401, "Header X-BM-SIGN is empty")
SIGN_WRONG = WireError(30005, 401, "Header X-BM-SIGN is wrong")
TIMESTAMP_EMPTY = WireError(30006, 401, "Header X-BM-TIMESTAMP is empty")
TIMESTAMP_NOT_LONG = WireError(30006, 401, "Header X-BM-TIMESTAMP must be long type")
TIMESTAMP_RANGE = WireError(30007, 401, "Header X-BM-TIMESTAMP range. Within a minute")
IP_FORBIDDEN = WireError(
    30010,
    403,
    "IP is forbidden. We recommend enabling IP whitelist for API trading. After that reauth your account",
)
KEY_EXPIRED = WireError(30011, 403, "Header X-BM-KEY over expire time")
KEY_NOT_PERMITTED = WireError(30012, 403, "Header X-BM-KEY is forbidden to request it")
TOO_MANY = WireError(30013, 429, "Request too many requests")
UNAVAILABLE = WireError(30014, 503, "Service unavailable")
BANNED = WireError(
    30017,
    418,
    "Your account request is temporarily rejected due to violation of current limiting rules, "
    "please contact customer service",
)
NOT_JSON = WireError(30018, 503, "Request Body requires JSON format")

# --- funding account ---------------------------------------------------------------------------------------
INVALID_REQUEST = WireError(
    60000,
    400,
    "Invalid request (maybe the body is empty, or the int parameter passes string data)",
)
TOO_LARGE = WireError(60000, 413, INVALID_REQUEST.message)
WALLET_UNKNOWN = WireError(60001, 400, "Asset account type does not exist")
CURRENCY_UNKNOWN = WireError(60002, 400, "currency does not exist")
DEPOSITS_CLOSED = WireError(
    60003,
    400,
    "Currency has been closed recharge channel, if there is any problem, please consult customer service",
)
WITHDRAWALS_CLOSED = WireError(
    60004,
    400,
    "Currency has been closed withdraw channel, if there is any problem, please consult customer service",
)
TOO_SMALL = WireError(60005, 400, "Minimum amount is %s", shows="minimum")
TOO_PRECISE = WireError(60006, 400, "Maximum withdraw precision is %s", shows="precision")
NOT_IN_BOOK = WireError(60007, 400, "Only withdrawals from added addresses are allowed")
BALANCE_TOO_LOW = WireError(60008, 400, "Balance not enough")
BEYOND_LIMIT = WireError(60009, 400, "Beyond the limit")
RECORD_UNKNOWN = WireError(60010, 400, "Withdraw id or deposit id not found")
ADDRESS_INVALID = WireError(60011, 400, "Address is not valid")
CURRENCY_UNSUPPORTED = WireError(
    60012,
    400,
    "This action is not supported in this currency(If IOTA, HLX recharge and withdraw calls are prohibited)",
)
NOT_A_MULTIPLE = WireError(
    60013,
    400,
    "The withdrawal amount must be an integral multiple of %s",
    shows="multiple",
)
MEMO_WRONG = WireError(60014, 400, "Please check your memo")
NOT_VERIFIED = WireError(
    60015,
    400,
    "This address is not verified. Please add and verify this address on the client",
)
MAY_NOT_WITHDRAW = WireError(60021, 403, "Your account is not allowed to withdraw")
SECURITY_HOLD = WireError(60022, 403, "No withdrawals for 24 hours")
SUB_ACCOUNT_FORBIDDEN = WireError(60026, 403, "Sub-account does not have permission to operate")
ACCOUNT_UNAVAILABLE = WireError(60028, 403, "Account status is unavailable")
WRONG_METHOD = WireError(60030, 405, "Method Not Allowed")
WRONG_MEDIA = WireError(60031, 415, "Unsupported Media Type")
IN_DOUBT = WireError(
    60051,
    500,
    "Internal Server Error. The outcome is unknown: send the identical signed request again within a minute, "
    "or look at the withdrawal history, before you create another one",
)
RECIPIENT_UNKNOWN = WireError(60053, 403, "please check The Email/PhoneNumber/BitMart ID And try again")
SUB_ACCOUNT_MAY_NOT_WITHDRAW = WireError(60054, 403, "Sub-account does not support withdraw")
TRANSFERS_CLOSED = WireError(60056, 403, "This currency withdrawal is suspended")
RECIPIENT_BLOCKED = WireError(60057, 403, "User status is not available")
ACCOUNT_FROZEN = WireError(
    60063,
    403,
    "Account is frozen due to security policies. Please contact customer service",
)
QUOTA_EXCEEDED = WireError(
    60064,
    403,
    "Exceed daily withdrawal quota, for your safety, please wait 24 hours and try again",
)
RECIPIENT_IS_SENDER = WireError(60065, 403, "The withdrawal user and the target user cannot be the same")
DEFAULT_RANGE = WireError(
    60066,
    400,
    "Please notice the default startTime and endTime to make sure that time interval is within 0-90 days",
)
RANGE_TOO_LONG = WireError(
    60067,
    400,
    "If both startTime and endTimeare sent, time between startTimeand endTimemust be less than 90 days.",
)
NOT_POSITIVE = WireError(61000, 400, "Amount must be greater than 0")
DUPLICATE = WireError(61004, 400, "Duplicate requests (such as using an existing requestNo)")

REFUSALS: dict[RefusalCode, WireError] = {
    RefusalCode.PARAMETER_INVALID: INVALID_REQUEST,
    RefusalCode.AMOUNT_MALFORMED: INVALID_REQUEST,
    RefusalCode.AMOUNT_NOT_POSITIVE: NOT_POSITIVE,
    RefusalCode.AMOUNT_PRECISION: TOO_PRECISE,
    RefusalCode.AMOUNT_MULTIPLE: NOT_A_MULTIPLE,
    RefusalCode.AMOUNT_TOO_SMALL: TOO_SMALL,
    RefusalCode.AMOUNT_TOO_LARGE: BEYOND_LIMIT,
    RefusalCode.QUOTA_EXCEEDED: QUOTA_EXCEEDED,
    RefusalCode.CURRENCY_UNKNOWN: CURRENCY_UNKNOWN,
    RefusalCode.CURRENCY_UNSUPPORTED: CURRENCY_UNSUPPORTED,
    RefusalCode.WITHDRAWALS_CLOSED: WITHDRAWALS_CLOSED,
    RefusalCode.DEPOSITS_CLOSED: DEPOSITS_CLOSED,
    RefusalCode.TRANSFERS_CLOSED: TRANSFERS_CLOSED,
    RefusalCode.WALLET_UNKNOWN: WALLET_UNKNOWN,
    RefusalCode.ADDRESS_INVALID: ADDRESS_INVALID,
    RefusalCode.ADDRESS_FORBIDDEN: ADDRESS_INVALID,
    RefusalCode.ADDRESS_NOT_IN_BOOK: NOT_IN_BOOK,
    RefusalCode.ADDRESS_NOT_VERIFIED: NOT_VERIFIED,
    # The venue has no cool-down on addresses; to its clients the entry is not there yet.
    RefusalCode.ADDRESS_COOLING_DOWN: NOT_IN_BOOK,
    RefusalCode.MEMO_INVALID: MEMO_WRONG,
    RefusalCode.RECIPIENT_UNKNOWN: RECIPIENT_UNKNOWN,
    RefusalCode.RECIPIENT_BLOCKED: RECIPIENT_BLOCKED,
    RefusalCode.RECIPIENT_IS_SENDER: RECIPIENT_IS_SENDER,
    RefusalCode.BALANCE_TOO_LOW: BALANCE_TOO_LOW,
    # The venue's own 60050 travels with HTTP 500, by which a client takes the outcome for unknown. It is not.
    RefusalCode.ACCOUNT_UNKNOWN: ACCOUNT_UNAVAILABLE,
    RefusalCode.ACCOUNT_FROZEN: ACCOUNT_FROZEN,
    RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW: MAY_NOT_WITHDRAW,
    RefusalCode.ACCOUNT_IN_SECURITY_HOLD: SECURITY_HOLD,
    RefusalCode.ACCOUNT_IS_SUB_ACCOUNT: SUB_ACCOUNT_MAY_NOT_WITHDRAW,
    RefusalCode.KEY_FROZEN: KEY_FROZEN,
    RefusalCode.WITHDRAWAL_UNKNOWN: RECORD_UNKNOWN,
    RefusalCode.RECIPIENT_NOT_IN_BOOK: RECIPIENT_UNKNOWN,
    RefusalCode.REQUEST_ID_CONFLICT: DUPLICATE,
    RefusalCode.REQUEST_ID_TAKEN: DUPLICATE,
    # The rest belongs to other venues' commands and is never met here.
    RefusalCode.EXCLUSIVE_TAKEN: DUPLICATE,
    RefusalCode.CHALLENGE_UNKNOWN: INVALID_REQUEST,
    RefusalCode.CHALLENGE_EXPIRED: INVALID_REQUEST,
    RefusalCode.CHALLENGE_USED: INVALID_REQUEST,
    RefusalCode.CHALLENGE_EXHAUSTED: INVALID_REQUEST,
    RefusalCode.RATE_UNAVAILABLE: UNAVAILABLE,
    RefusalCode.RATE_STALE: UNAVAILABLE,
    RefusalCode.NOT_NOW: UNAVAILABLE,
    RefusalCode.ALREADY_EXISTS: DUPLICATE,
}
assert REFUSALS.keys() == set(RefusalCode)


def wire_error(refused: Refused) -> tuple[WireError, str]:
    """The error a refusal becomes, and its text."""
    error = REFUSALS[refused.code]
    return error, error.text(refused.detail)
