"""What goes into the client and comes out of it: plain values, the same for every venue.

Amounts are `Decimal`, made from the venue's text and never from a float. `venue_*` fields keep the venue's
own words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from penstock.client.steps import SignedRequest
from penstock.core.commands import RecipientKind


def iso_time(at_ms: int) -> str:
    """Unix milliseconds as "2026-11-21T00:00:00.000Z"."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Payment:
    """What a withdrawal asks for.

    currency: the venue's name for the coin on its network ("USDT-ERC20"). amount: plain decimal text;
    `Fee.on_top` says whether the fee is inside. address, memo: on the chain; "" where another account is paid.
    recipient: the other account, with its kind. area_code: digits of the country, for a phone. wallet: which of
    the own wallets pays, "" leaves it to the venue. remark: free text. request_id: the caller's own id, under
    which the venue knows this withdrawal; "" where it takes none. network: as the caller named it, "" where
    `currency` says it. debit_currency: what leaves the balance where it is not `currency`, "" for the same;
    debited: `amount` is what leaves the balance, in debit_currency, and not what is paid out.
    """

    currency: str
    amount: str
    address: str = ""
    memo: str = ""
    recipient: str = ""
    recipient_kind: RecipientKind = RecipientKind.ACCOUNT_NUMBER
    area_code: str = ""
    wallet: str = ""
    remark: str = ""
    request_id: str = ""
    network: str = ""
    debit_currency: str = ""
    debited: bool = False

    def __str__(self) -> str:
        to = f"{self.recipient_kind.replace('_', ' ')} {self.recipient}" if self.recipient else self.address
        what = f"{self.amount} {self.currency}"
        if self.debit_currency:
            what += f" from {self.debit_currency}"
        if self.debited:
            what = f"{self.amount} {self.debit_currency} as {self.currency}"
        return f"{what} to {to}" + (f" memo {self.memo}" if self.memo else "")


class Status(StrEnum):
    """How far a withdrawal is; the venue's own value stands beside it."""

    ACCEPTED = "accepted"
    PROCESSING = "processing"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in {Status.DONE, Status.CANCELLED, Status.FAILED}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A withdrawal, signed and not sent.

    payment: with the request id that was made for it. signed_at_ms: the request's own time. window_ends_ms:
    from then on the venue refuses it as too old. asked_by_id: the venue can be asked for this withdrawal by
    payment.request_id, so that `resolve` needs no look at what is merely alike. taken_once: it cannot be asked at all,
    and takes payment.request_id once, so that the same again under the same id is how to find out.
    """

    payment: Payment
    request: SignedRequest
    signed_at_ms: int
    window_ends_ms: int
    asked_by_id: bool = False
    taken_once: bool = False


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """The request that a withdrawal begins with, signed and not sent.

    is_whole: it is all there is to send; otherwise the venue answers it with what is signed and sent next.
    """

    request: SignedRequest
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Submitted:
    """The venue took the withdrawal. sent_at_ms: the request's own time."""

    venue: str
    withdrawal_id: str
    payment: Payment
    sent_at_ms: int

    @property
    def request_id(self) -> str:
        """The caller's id, or the one the client made; "" where the venue takes none."""
        return self.payment.request_id


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawal as the venue tells it.

    amount: gross, what left the balance. net: what arrives. tx_id: "" until there is one. requested_at_ms: 0
    where the venue does not tell.
    """

    venue: str
    withdrawal_id: str
    currency: str
    amount: Decimal
    fee: Decimal
    net: Decimal
    address: str
    memo: str
    tx_id: str
    status: Status
    venue_status: str
    requested_at_ms: int

    def went_to(self, payment: Payment) -> bool:
        """Whether the address, in hexadecimal digits of any case, and the memo are the payment's."""
        same_address = self.address == payment.address or (
            payment.address[:2].lower() == "0x" and self.address.lower() == payment.address.lower()
        )
        return same_address and self.memo == payment.memo


@dataclass(frozen=True, slots=True)
class Balance:
    """wallet: the venue's word for it. held: everything of this currency that cannot be spent now."""

    wallet: str
    currency: str
    available: Decimal
    held: Decimal


@dataclass(frozen=True, slots=True)
class Fee:
    """What a withdrawal of this currency costs and must keep to.

    multiple: None when any amount will do. on_top: the fee is taken beside the amount, which arrives whole,
    and not from it.
    """

    currency: str
    fee: Decimal
    minimum: Decimal
    decimals: int
    multiple: Decimal | None
    on_top: bool = False


@dataclass(frozen=True, slots=True)
class Currency:
    """A coin on a network as the venue lists it.

    coin: the part of the name that its networks share. None: the venue does not say.
    """

    currency: str
    coin: str
    network: str
    name: str
    contract: str | None
    withdraw_enabled: bool
    deposit_enabled: bool
    fee: Decimal | None
    minimum: Decimal | None


@dataclass(frozen=True, slots=True)
class BookAddress:
    """An entry of the address book. currency, network: "" where the entry is not bound to one."""

    currency: str
    network: str
    address: str
    memo: str
    remark: str
    verified: bool
    venue_kind: str


@dataclass(frozen=True, slots=True)
class DepositAddress:
    """Where deposits of this currency go."""

    currency: str
    address: str
    memo: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the venue says about a withdrawal whose answer was lost.

    candidates: asked by its id, the withdrawal itself. Asked by its history, the withdrawals of the same
    currency, amount and destination made since it was sent, newest first; they look alike by nature: where
    you sent several, compare the ids you already know. conclusive: this is the last word. The withdrawal
    itself was found, or the venue can no longer take the request, so that an empty list means that it was
    never made. While it is False an empty list means nothing: ask again later.
    """

    candidates: tuple[Withdrawal, ...]
    conclusive: bool
