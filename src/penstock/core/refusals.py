"""Refusals: the closed set of reasons for which a well-formed, authenticated command is not carried out.

Three kinds of errors exist. `Refused`: expected, shown to the caller, nothing was written. `Unavailable`: the world
failed and the outcome is known to be nothing. `InDoubt`: the outcome is not known; ask again with the same id. Anything
else is a bug and must surface.
"""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """Why a command was refused. Every venue's error table covers every member; checked at import."""

    PARAMETER_INVALID = "parameter_invalid"
    AMOUNT_MALFORMED = "amount_malformed"
    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    AMOUNT_PRECISION = "amount_precision"
    AMOUNT_MULTIPLE = "amount_multiple"
    AMOUNT_TOO_SMALL = "amount_too_small"
    AMOUNT_TOO_LARGE = "amount_too_large"
    QUOTA_EXCEEDED = "quota_exceeded"
    CURRENCY_UNKNOWN = "currency_unknown"
    CURRENCY_UNSUPPORTED = "currency_unsupported"
    WITHDRAWALS_CLOSED = "withdrawals_closed"
    DEPOSITS_CLOSED = "deposits_closed"
    TRANSFERS_CLOSED = "transfers_closed"
    WALLET_UNKNOWN = "wallet_unknown"
    ADDRESS_INVALID = "address_invalid"
    ADDRESS_FORBIDDEN = "address_forbidden"
    ADDRESS_NOT_IN_BOOK = "address_not_in_book"
    ADDRESS_NOT_VERIFIED = "address_not_verified"
    ADDRESS_COOLING_DOWN = "address_cooling_down"
    MEMO_INVALID = "memo_invalid"
    RECIPIENT_UNKNOWN = "recipient_unknown"
    RECIPIENT_BLOCKED = "recipient_blocked"
    RECIPIENT_IS_SENDER = "recipient_is_sender"
    BALANCE_TOO_LOW = "balance_too_low"
    ACCOUNT_UNKNOWN = "account_unknown"
    ACCOUNT_FROZEN = "account_frozen"
    ACCOUNT_MAY_NOT_WITHDRAW = "account_may_not_withdraw"
    ACCOUNT_IN_SECURITY_HOLD = "account_in_security_hold"
    ACCOUNT_IS_SUB_ACCOUNT = "account_is_sub_account"
    KEY_FROZEN = "key_frozen"
    WITHDRAWAL_UNKNOWN = "withdrawal_unknown"
    RECIPIENT_NOT_IN_BOOK = "recipient_not_in_book"
    REQUEST_ID_CONFLICT = "request_id_conflict"
    """The request id was used for something else."""
    REQUEST_ID_TAKEN = "request_id_taken"
    """The request id was used, and the venue gives no second answer."""
    EXCLUSIVE_TAKEN = "exclusive_taken"
    """Another withdrawal bears a mark that must be unique, such as an L2 nonce."""
    CHALLENGE_UNKNOWN = "challenge_unknown"
    CHALLENGE_EXPIRED = "challenge_expired"
    CHALLENGE_USED = "challenge_used"
    CHALLENGE_EXHAUSTED = "challenge_exhausted"
    """Too many invalid answers."""
    RATE_UNAVAILABLE = "rate_unavailable"
    RATE_STALE = "rate_stale"
    NOT_NOW = "not_now"
    """A worker's or operator's command met a state that has moved on, or a lease that is no longer theirs."""
    ALREADY_EXISTS = "already_exists"


class Refused(Exception):
    """Expected: the caller is told why; the command wrote nothing.

    code: the reason. detail: values for the message, such as field="amount" or minimum="1.5"; never a secret.
    """

    def __init__(self, code: RefusalCode, **detail: str | int) -> None:
        super().__init__(code.value)
        self.code = code
        self.detail: dict[str, str | int] = detail

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.detail.items())
        return f"{self.code.value} ({shown})" if shown else self.code.value


class Unavailable(Exception):
    """The world failed (a node does not answer, the queue is full) and nothing was done: try again later."""


class InDoubt(Exception):
    """The outcome is unknown (a commit or an answer was lost). Never report it as failed: look the id up."""
