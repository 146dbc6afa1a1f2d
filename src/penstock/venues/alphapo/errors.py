"""AlphaPo's two forms of error, and which of them each refusal becomes.

`{"error": text, "code": code}` is about who calls and in which form; `{"errors": {field: text}}`, always HTTP 400, is
about what was asked. The words are the venue's where it published them (AlphaPo docs, "Errors"; the sister platform's
SDKs) and follow its pattern where it did not: docs/venues/alphapo.md says which.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from penstock.core.refusals import RefusalCode, Refused


class WireError(msgspec.Struct, frozen=True):
    """One error of the first form."""

    status: int
    error: str
    code: str


class FieldError(msgspec.Struct, frozen=True):
    """One sentence about a field of withdrawal/crypto. {field}: its name in words.

    text may hold one further name, `shows`, from the refusal's detail; where that is missing, `otherwise` is said.
    """

    field: str
    text: str
    shows: str = ""
    otherwise: str = ""


class Rejected(Exception):
    """Internal to this venue: the request ends with `error`, which is no refusal that the core knows."""

    def __init__(self, error: WireError) -> None:
        super().__init__(error.error)
        self.error = error


class Invalid(Exception):
    """Internal to this venue: what was asked is wrong, field by field."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(", ".join(fields))
        self.fields = dict(fields)


# --- who calls, and in which form --------------------------------------------------------------------------
NO_KEY = WireError(403, "No key header", "required_header_key")
BAD_KEY = WireError(403, "Bad key header", "bad_header_key")
NO_SIGNATURE = WireError(403, "No signature header", "required_header_signature")
BAD_SIGNATURE = WireError(403, "Bad signature header", "bad_header_signature")
BAD_CONTENT = WireError(400, "Bad content format", "bad_content_format")
TOO_LARGE = WireError(413, BAD_CONTENT.error, BAD_CONTENT.code)
IP_NOT_ALLOWED = WireError(403, "Forbidden", "ip_not_allowed")
NOT_PERMITTED = WireError(403, "Forbidden", "not_permitted")
ACCOUNT_UNAVAILABLE = WireError(403, "Forbidden", "account_unavailable")
NOT_FOUND = WireError(404, "Not found", "not_found")
WRONG_METHOD = WireError(405, "Method not allowed", "method_not_allowed")
TOO_MANY = WireError(429, "Too many requests", "too_many_requests")
UNAVAILABLE = WireError(503, "Service unavailable, nothing was done", "service_unavailable")
IN_DOUBT = WireError(
    500,
    "The outcome is unknown: ask transactions/info by foreign_id before you create another one",
    "outcome_unknown",
)

# --- what was asked ----------------------------------------------------------------------------------------
REQUIRED = "The {field} field is required."
REQUIRED_WITHOUT = "The {field} field is required when {other} is not present."
REQUIRED_WITH = "The {field} field is required when {other} is present."
ONLY_ONE = "Only one of {field} and {other} is allowed."
SELECTED_INVALID = "The selected {field} is invalid."
INVALID = "The {field} is invalid."
NOT_TEXT = "The {field} must be a string."
NOT_A_NUMBER = "The {field} must be a number."
NOT_AN_INTEGER = "The {field} must be an integer."
NOT_A_BOOLEAN = "The {field} field must be true or false."
NOT_AN_OBJECT = "The {field} must be an array."
TOO_LONG = "The {field} may not be greater than {most} characters."
TOO_SMALL = "The {field} must be at least {minimum}."
TOO_LARGE_AMOUNT = "The {field} may not be greater than {maximum}."
TOO_PRECISE = "The {field} may not have more than {precision} decimal places."
NOT_A_MULTIPLE = "The {field} must be a multiple of {multiple}."
CLOSED = "The {field} is not available at the moment."
TAKEN = "The {field} has already been taken."
NO_EXCHANGE = "Exchange is unavailable for given currencies"
NO_MONEY = "Not enough money on balance"
OVER_THE_LIMIT = "The {field} exceeds the daily withdrawal limit."


def sentence(template: str, field: str, **detail: object) -> str:
    """A template filled in; fields and other names are written in words ("foreign id")."""
    shown = {name: str(value) for name, value in detail.items()}
    if "other" in shown:
        shown["other"] = in_words(shown["other"])
    return template.format(field=in_words(field), **shown)


def in_words(field: str) -> str:
    return field.replace("_", " ")


_BAD_AMOUNT = FieldError("amount", NOT_A_NUMBER)
_TAKEN = FieldError("foreign_id", TAKEN)

REFUSALS: dict[RefusalCode, WireError | FieldError] = {
    RefusalCode.PARAMETER_INVALID: BAD_CONTENT,
    RefusalCode.AMOUNT_MALFORMED: _BAD_AMOUNT,
    RefusalCode.AMOUNT_NOT_POSITIVE: FieldError("amount", "The {field} must be greater than 0."),
    RefusalCode.AMOUNT_PRECISION: FieldError("amount", TOO_PRECISE, "precision", INVALID),
    RefusalCode.AMOUNT_MULTIPLE: FieldError("amount", NOT_A_MULTIPLE, "multiple", INVALID),
    RefusalCode.AMOUNT_TOO_SMALL: FieldError("amount", TOO_SMALL, "minimum", "The {field} is too small."),
    RefusalCode.AMOUNT_TOO_LARGE: FieldError(
        "amount", TOO_LARGE_AMOUNT, "maximum", "The {field} is too large."
    ),
    RefusalCode.QUOTA_EXCEEDED: FieldError("amount", OVER_THE_LIMIT),
    RefusalCode.CURRENCY_UNKNOWN: FieldError("currency", SELECTED_INVALID),
    RefusalCode.CURRENCY_UNSUPPORTED: FieldError("currency", SELECTED_INVALID),
    RefusalCode.WITHDRAWALS_CLOSED: FieldError("currency", CLOSED),
    RefusalCode.DEPOSITS_CLOSED: FieldError("currency", CLOSED),
    RefusalCode.TRANSFERS_CLOSED: FieldError("currency", CLOSED),
    RefusalCode.WALLET_UNKNOWN: FieldError("amount", NO_MONEY),
    RefusalCode.ADDRESS_INVALID: FieldError("address", INVALID),
    RefusalCode.ADDRESS_FORBIDDEN: FieldError("address", INVALID),
    # The venue has no address book: none of the three is met.
    RefusalCode.ADDRESS_NOT_IN_BOOK: FieldError("address", INVALID),
    RefusalCode.ADDRESS_NOT_VERIFIED: FieldError("address", INVALID),
    RefusalCode.ADDRESS_COOLING_DOWN: FieldError("address", INVALID),
    RefusalCode.MEMO_INVALID: FieldError("tag", INVALID),
    RefusalCode.BALANCE_TOO_LOW: FieldError("amount", NO_MONEY),
    RefusalCode.ACCOUNT_UNKNOWN: ACCOUNT_UNAVAILABLE,
    RefusalCode.ACCOUNT_FROZEN: ACCOUNT_UNAVAILABLE,
    RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW: ACCOUNT_UNAVAILABLE,
    RefusalCode.ACCOUNT_IN_SECURITY_HOLD: ACCOUNT_UNAVAILABLE,
    RefusalCode.ACCOUNT_IS_SUB_ACCOUNT: ACCOUNT_UNAVAILABLE,
    RefusalCode.KEY_FROZEN: BAD_KEY,
    RefusalCode.WITHDRAWAL_UNKNOWN: NOT_FOUND,
    # One that is used for something else is as taken as one that is repeated.
    RefusalCode.REQUEST_ID_CONFLICT: _TAKEN,
    RefusalCode.REQUEST_ID_TAKEN: _TAKEN,
    RefusalCode.RATE_UNAVAILABLE: FieldError("convert_to", NO_EXCHANGE),
    RefusalCode.RATE_STALE: FieldError("convert_to", NO_EXCHANGE),
    RefusalCode.NOT_NOW: UNAVAILABLE,
    RefusalCode.ALREADY_EXISTS: _TAKEN,
    # The rest belongs to other venues' commands and is never met here.
    RefusalCode.RECIPIENT_UNKNOWN: FieldError("address", INVALID),
    RefusalCode.RECIPIENT_BLOCKED: FieldError("address", INVALID),
    RefusalCode.RECIPIENT_IS_SENDER: FieldError("address", INVALID),
    RefusalCode.RECIPIENT_NOT_IN_BOOK: FieldError("address", INVALID),
    RefusalCode.EXCLUSIVE_TAKEN: _TAKEN,
    RefusalCode.CHALLENGE_UNKNOWN: BAD_CONTENT,
    RefusalCode.CHALLENGE_EXPIRED: BAD_CONTENT,
    RefusalCode.CHALLENGE_USED: BAD_CONTENT,
    RefusalCode.CHALLENGE_EXHAUSTED: BAD_CONTENT,
}
assert REFUSALS.keys() == set(RefusalCode)


def said_of(error: FieldError, refused: Refused, field: str) -> str:
    """The sentence about `field` that a refusal becomes."""
    if error.shows and error.shows not in refused.detail:
        return sentence(error.otherwise, field)
    return sentence(error.text, field, **({error.shows: refused.detail[error.shows]} if error.shows else {}))
