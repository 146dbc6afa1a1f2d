"""What the admin API answers when it does not do what was asked: one form, and what to do next in it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable

HEADERS: Mapping[str, str] = {"cache-control": "no-store"}
"""On every answer: a key's secret is in one of them, customers' money in the others."""

_VALUES = "Correct the field and send the request again."
_CUSTOMER = "This concerns a customer's own request; no act of the operator meets it."

# The status and what to do next, for every refusal the engine knows.
REFUSALS: dict[RefusalCode, tuple[int, str]] = {
    RefusalCode.PARAMETER_INVALID: (422, f"A value is not acceptable. {_VALUES}"),
    RefusalCode.AMOUNT_MALFORMED: (422, 'Write the amount as plain decimal text, such as "12.5".'),
    RefusalCode.AMOUNT_NOT_POSITIVE: (422, "The amount must be more than zero."),
    RefusalCode.AMOUNT_PRECISION: (422, "The asset has fewer decimals; leave the further digits out."),
    RefusalCode.AMOUNT_MULTIPLE: (422, "Use a multiple of the listing's step."),
    RefusalCode.AMOUNT_TOO_SMALL: (422, "Use at least the minimum."),
    RefusalCode.AMOUNT_TOO_LARGE: (422, "Use at most the maximum."),
    RefusalCode.QUOTA_EXCEEDED: (409, _CUSTOMER),
    RefusalCode.CURRENCY_UNKNOWN: (422, "This asset is not listed on that network; see the catalogue."),
    RefusalCode.CURRENCY_UNSUPPORTED: (422, "This asset is not served; see the catalogue."),
    RefusalCode.WITHDRAWALS_CLOSED: (409, _CUSTOMER),
    RefusalCode.DEPOSITS_CLOSED: (409, "Deposits of this listing are closed; open them in the catalogue."),
    RefusalCode.TRANSFERS_CLOSED: (409, _CUSTOMER),
    RefusalCode.WALLET_UNKNOWN: (422, "Accounts have no such wallet; use one that the policy names."),
    RefusalCode.ADDRESS_INVALID: (422, "This is no address of that network; compare it with its source."),
    RefusalCode.ADDRESS_FORBIDDEN: (
        422,
        "This address must not be paid: it is a contract, or a wallet of this service.",
    ),
    RefusalCode.ADDRESS_NOT_IN_BOOK: (404, "The account has no such entry; list its addresses."),
    RefusalCode.ADDRESS_NOT_VERIFIED: (409, _CUSTOMER),
    RefusalCode.ADDRESS_COOLING_DOWN: (409, _CUSTOMER),
    RefusalCode.MEMO_INVALID: (422, "This network takes no such memo; leave it out or correct it."),
    RefusalCode.RECIPIENT_UNKNOWN: (422, _CUSTOMER),
    RefusalCode.RECIPIENT_BLOCKED: (409, _CUSTOMER),
    RefusalCode.RECIPIENT_IS_SENDER: (422, _CUSTOMER),
    RefusalCode.BALANCE_TOO_LOW: (409, "The balance does not cover it; look at the balances."),
    RefusalCode.ACCOUNT_UNKNOWN: (404, "There is no such account; check the id."),
    RefusalCode.ACCOUNT_FROZEN: (409, "The account is frozen; unfreeze it first."),
    RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW: (409, _CUSTOMER),
    RefusalCode.ACCOUNT_IN_SECURITY_HOLD: (409, _CUSTOMER),
    RefusalCode.ACCOUNT_IS_SUB_ACCOUNT: (409, _CUSTOMER),
    RefusalCode.KEY_FROZEN: (409, "The key is frozen; unfreeze it first."),
    RefusalCode.WITHDRAWAL_UNKNOWN: (404, "There is no such withdrawal; check the id."),
    RefusalCode.RECIPIENT_NOT_IN_BOOK: (409, _CUSTOMER),
    RefusalCode.REQUEST_ID_CONFLICT: (
        409,
        "This reference was used for another credit and stays bound to it; look before using a new one.",
    ),
    RefusalCode.REQUEST_ID_TAKEN: (409, _CUSTOMER),
    RefusalCode.EXCLUSIVE_TAKEN: (409, _CUSTOMER),
    RefusalCode.CHALLENGE_UNKNOWN: (404, _CUSTOMER),
    RefusalCode.CHALLENGE_EXPIRED: (409, _CUSTOMER),
    RefusalCode.CHALLENGE_USED: (409, _CUSTOMER),
    RefusalCode.CHALLENGE_EXHAUSTED: (409, _CUSTOMER),
    RefusalCode.RATE_UNAVAILABLE: (422, _CUSTOMER),
    RefusalCode.RATE_STALE: (409, _CUSTOMER),
    RefusalCode.NOT_NOW: (409, "The present state does not allow it; look at it, then decide again."),
    RefusalCode.ALREADY_EXISTS: (409, "It exists already; use what is there, or choose another value."),
}
assert REFUSALS.keys() == set(RefusalCode), set(RefusalCode) ^ REFUSALS.keys()


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why nothing was done. code: stable, for programs. message: what to do next.

    field: the value at fault, where there is one. detail: figures beside it, such as an asset's decimals.
    """

    code: str
    message: str
    field: str | None = None
    detail: dict[str, str] = {}


class ErrorReply(msgspec.Struct, frozen=True):
    """The body of every answer that is not 2xx."""

    error: Problem


class NotDone(Exception):
    """The request ends here with this HTTP status and problem. Carries no secret."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.problem = Problem(code, message, field)
        self.headers = headers or {}


def missing(what: str, code: str = "not_found") -> NotDone:
    return NotDone(404, code, f"There is no such {what}; check the path.")


def unacceptable(field: str, message: str) -> NotDone:
    """422: the request was readable, one value of it cannot be taken."""
    return NotDone(422, RefusalCode.PARAMETER_INVALID.value, message, field)


def problem_of(error: Exception) -> tuple[int, Problem, Mapping[str, str]] | None:
    """(HTTP status, problem, further headers) of an expected error; None for a bug, which must surface."""
    match error:
        case NotDone():
            return error.status, error.problem, error.headers
        case Refused():
            status, message = REFUSALS[error.code]
            # As text: an id among them passes 2**53.
            detail = {name: str(value) for name, value in error.detail.items()}
            field = detail.pop("field", None)
            return status, Problem(error.code.value, message, field, detail), {}
        case Unavailable():
            message = "Nothing was done. Send the same request again in a moment."
            return 503, Problem("unavailable", message), {"retry-after": "1"}
        case InDoubt():
            message = "It is not known whether this was done. Look at the present state before repeating it."
            return 500, Problem("in_doubt", message), {}
        case _:
            return None
