"""SunX's error codes and texts, and which of them each refusal becomes.

SunX publishes no list for its wallet calls. Most texts are those of HTX, whose software it runs (HTX spot docs,
"Error Codes"), exact to the letter because clients match on them; the codes that name a nonce, a wallet
signature or a closed account are ours. docs/venues/sunx.md says which is which.
"""

from __future__ import annotations

import msgspec

from penstock.core.refusals import RefusalCode, Refused


class WireError(msgspec.Struct, frozen=True):
    """One error as it goes out. message may hold one %s, filled with the refusal's detail called `shows`."""

    code: str
    message: str
    status: int = 200
    shows: str = ""

    def filled(self, shown: str | int) -> WireError:
        """The same error with its %s replaced."""
        return WireError(self.code, self.message % shown, self.status)


class Rejected(Exception):
    """Internal to this venue: the request ends with `error`, which is no refusal that the core knows."""

    def __init__(self, error: WireError) -> None:
        super().__init__(error.message)
        self.error = error


# --- authentication --------------------------------------------------------------------------------------------------
NOT_SIGNED = WireError("login-required", "Signature is missing, or user not found")
KEY_UNKNOWN = WireError(
    "api-signature-not-valid", "Signature not valid: Incorrect Access key [Access key错误]"
)
IP_FORBIDDEN = WireError(
    "api-signature-not-valid", "Signature not valid: Incorrect IP address [IP地址错误]:%s", shows="ip"
)
TIMESTAMP_WRONG = WireError(
    "api-signature-not-valid",
    "Signature not valid: Invalid submission time or incorrect time format [无效的提交时间，或时间格式错误]",  # noqa: RUF001 - the venue's own comma
)
SIGNATURE_WRONG = WireError("api-signature-not-valid", "Signature not valid: Verification failure [校验失败]")
KEY_NOT_PERMITTED = WireError(
    "api-signature-not-valid", "Signature not valid: API key has no permission [API Key没有权限]"
)
TENANT_WRONG = WireError("login-required", "CLOUD-EXCHANGE header is invalid")

# --- the gateway -----------------------------------------------------------------------------------------------------
TOO_MANY = WireError(
    "base-request-exceed-frequency-limit",
    "Frequency of requests has exceeded the limit, please try again later",
    status=429,
)
NOT_READABLE = WireError("gateway-internal-error", "Failed to load data. Try again later.")
MALFORMED = WireError(NOT_READABLE.code, NOT_READABLE.message, status=400)
TOO_LARGE = WireError(NOT_READABLE.code, NOT_READABLE.message, status=413)
NOT_FOUND = WireError("base-not-found", "The requested resource does not exist", status=404)
WRONG_METHOD = WireError("method-not-allowed", "Method not allowed", status=405)
SYSTEM = WireError("base-system-error", "System error", status=500)
IN_DOUBT = WireError(
    SYSTEM.code,
    "System error. The outcome is unknown: send the identical confirmation again before its nonce expires, or "
    "look at the records, before you apply for another withdrawal",
    status=500,
)

# --- parameters ------------------------------------------------------------------------------------------------------
MISSING = WireError("validation-constraints-required", "Field is missing: %s.", shows="field")
FORMAT = WireError("validation-format-error", "Format Error: %s.", shows="field")
CURRENCY_UNKNOWN = WireError("base-currency-error", "The currency is invalid")
CHAIN_UNKNOWN = WireError("base-currency-chain-error", "The current currency chain does not exist")
ADDRESS_INVALID = WireError("invalid-address", "Invalid address.")
NOT_THE_WALLET = WireError("api-not-support-temp-addr", "API withdrawal does not support temporary addresses")
AMOUNT_INVALID = WireError("invalid-amount", "Paramemter `amount` is invalid.")
TOO_SMALL = WireError("dw-withdraw-min-limit", "The withdrawal amount is less than the minimum limit.")
TOO_LARGE_AN_AMOUNT = WireError("dw-withdraw-max-limit", "The withdrawal amount exceeds the maximum limit.")
FEE_WRONG = WireError("base-withdraw-fee-error", "withdrawal fee is not within limits")
BALANCE_TOO_LOW = WireError(
    "dw-insufficient-balance", "Insufficient balance. You can only transfer `%s` at most.", shows="available"
)

# --- confirming ------------------------------------------------------------------------------------------------------
NONCE_UNKNOWN = WireError("dw-withdraw-nonce-invalid", "The nonce is invalid.")
NONCE_EXPIRED = WireError("dw-withdraw-nonce-expired", "The nonce has expired.")
NONCE_USED = WireError("dw-withdraw-nonce-used", "The nonce has been used.")
WALLET_SIGNATURE_WRONG = WireError("dw-withdraw-signature-error", "The wallet signature is invalid.")

# --- the account -----------------------------------------------------------------------------------------------------
CLOSED = WireError("dw-withdraw-closed", "Withdrawals of this currency are suspended.")
ACCOUNT_CLOSED = WireError("dw-withdraw-forbidden", "The account may not withdraw.")
# Never met: they belong to other venues' commands. Like all of them, they did nothing.
NOT_OFFERED = WireError("base-operation-forbidden", "The operation is not supported.")

REFUSALS: dict[RefusalCode, WireError] = {
    RefusalCode.PARAMETER_INVALID: FORMAT,
    RefusalCode.AMOUNT_MALFORMED: FORMAT.filled("amount"),
    RefusalCode.AMOUNT_NOT_POSITIVE: AMOUNT_INVALID,
    RefusalCode.AMOUNT_PRECISION: AMOUNT_INVALID,
    RefusalCode.AMOUNT_MULTIPLE: AMOUNT_INVALID,
    RefusalCode.AMOUNT_TOO_SMALL: TOO_SMALL,
    RefusalCode.AMOUNT_TOO_LARGE: TOO_LARGE_AN_AMOUNT,
    RefusalCode.QUOTA_EXCEEDED: TOO_LARGE_AN_AMOUNT,
    RefusalCode.CURRENCY_UNKNOWN: CURRENCY_UNKNOWN,
    RefusalCode.CURRENCY_UNSUPPORTED: CHAIN_UNKNOWN,
    RefusalCode.WITHDRAWALS_CLOSED: CLOSED,
    RefusalCode.ADDRESS_INVALID: ADDRESS_INVALID,
    RefusalCode.ADDRESS_FORBIDDEN: ADDRESS_INVALID,
    # The book holds one entry, the account's own wallet; a wallet that may not be paid (yet) is not it (yet).
    RefusalCode.ADDRESS_NOT_IN_BOOK: NOT_THE_WALLET,
    RefusalCode.ADDRESS_NOT_VERIFIED: NOT_THE_WALLET,
    RefusalCode.ADDRESS_COOLING_DOWN: NOT_THE_WALLET,
    RefusalCode.MEMO_INVALID: ADDRESS_INVALID,
    RefusalCode.BALANCE_TOO_LOW: BALANCE_TOO_LOW,
    RefusalCode.ACCOUNT_UNKNOWN: ACCOUNT_CLOSED,
    RefusalCode.ACCOUNT_FROZEN: ACCOUNT_CLOSED,
    RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW: ACCOUNT_CLOSED,
    RefusalCode.ACCOUNT_IN_SECURITY_HOLD: ACCOUNT_CLOSED,
    RefusalCode.ACCOUNT_IS_SUB_ACCOUNT: KEY_NOT_PERMITTED,
    RefusalCode.KEY_FROZEN: KEY_UNKNOWN,
    RefusalCode.CHALLENGE_UNKNOWN: NONCE_UNKNOWN,
    RefusalCode.CHALLENGE_EXPIRED: NONCE_EXPIRED,
    RefusalCode.CHALLENGE_USED: NONCE_USED,
    # After too many wrong signatures the nonce is of no more use than one that never was.
    RefusalCode.CHALLENGE_EXHAUSTED: NONCE_UNKNOWN,
    RefusalCode.DEPOSITS_CLOSED: NOT_OFFERED,
    RefusalCode.TRANSFERS_CLOSED: NOT_OFFERED,
    RefusalCode.WALLET_UNKNOWN: NOT_OFFERED,
    RefusalCode.RECIPIENT_UNKNOWN: NOT_OFFERED,
    RefusalCode.RECIPIENT_BLOCKED: NOT_OFFERED,
    RefusalCode.RECIPIENT_IS_SENDER: NOT_OFFERED,
    RefusalCode.RECIPIENT_NOT_IN_BOOK: NOT_OFFERED,
    RefusalCode.WITHDRAWAL_UNKNOWN: NOT_OFFERED,
    RefusalCode.REQUEST_ID_CONFLICT: NOT_OFFERED,
    RefusalCode.REQUEST_ID_TAKEN: NOT_OFFERED,
    RefusalCode.EXCLUSIVE_TAKEN: NOT_OFFERED,
    RefusalCode.RATE_UNAVAILABLE: NOT_OFFERED,
    RefusalCode.RATE_STALE: NOT_OFFERED,
    RefusalCode.NOT_NOW: NOT_OFFERED,
    RefusalCode.ALREADY_EXISTS: NOT_OFFERED,
}
assert REFUSALS.keys() == set(RefusalCode)


def wire_error(refused: Refused) -> WireError:
    """The error a refusal becomes, its text filled in."""
    error = REFUSALS[refused.code]
    return error.filled(refused.detail.get(error.shows, "")) if error.shows else error
