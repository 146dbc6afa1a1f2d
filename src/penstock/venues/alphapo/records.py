"""Core views as AlphaPo's transactions: statuses, rows, fees. From the withdrawal alone, so that it reads the same in
an answer and in a callback.

Source: AlphaPo docs, "Fetch transaction metadata" and "Transaction statuses"; the sister platform's withdrawal
callbacks.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from penstock.core.amounts import Units
from penstock.core.states import DECLINED, State
from penstock.core.views import Accepted, WithdrawalView
from penstock.venues.alphapo.echo import Echo, read_echo
from penstock.venues.alphapo.money import money, small_id
from penstock.venues.alphapo.replies import (
    ChainRow,
    Created,
    CryptoAddress,
    ExchangeRow,
    Fee,
    Money,
    Transaction,
)


class Status(StrEnum):
    """In transactions/info and callbacks."""

    PENDING = "pending"
    NOT_CONFIRMED = "not_confirmed"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    CANCELLED = "cancelled"


STATUSES: dict[State, Status] = {
    # Challenges belong to another venue.
    State.CHALLENGED: Status.NOT_CONFIRMED,
    State.HELD: Status.NOT_CONFIRMED,
    State.AWAITING_APPROVAL: Status.PENDING,
    State.APPROVED: Status.NOT_CONFIRMED,
    State.PLANNED: Status.NOT_CONFIRMED,
    State.SIGNED: Status.NOT_CONFIRMED,
    State.SENT: Status.NOT_CONFIRMED,
    # The venue confirms at the broadcast. Its word is final, and what was only broadcast may still fail.
    State.MINED: Status.NOT_CONFIRMED,
    State.IN_DOUBT: Status.NOT_CONFIRMED,
    State.QUARANTINED: Status.NOT_CONFIRMED,
    State.CONFIRMED: Status.CONFIRMED,
    State.REJECTED: Status.CANCELLED,
    State.CANCELLED: Status.DECLINED,
    State.EXPIRED: Status.CANCELLED,
    State.FAILED: Status.CANCELLED,
}
"""A rejected one that a person refused is declined: `status_of`."""
assert STATUSES.keys() == set(State)

CREATED_PENDING = "pending"
CREATED_PROCESSING = "processing"
WITHDRAWAL = "withdrawal"
WITHDRAWAL_EXCHANGE = "withdrawal_exchange"
EXCHANGE = "exchange"

_SHOWN_MONEY = frozenset({Status.NOT_CONFIRMED, Status.CONFIRMED})
_SHOWN_ERROR = frozenset({Status.DECLINED, Status.CANCELLED})
_OFFERED = frozenset(
    {State.SENT, State.MINED, State.IN_DOUBT, State.QUARANTINED, State.CONFIRMED, State.FAILED}
)
"""Where the bytes may have been seen by others, so that their hash says something."""


def status_of(state: State, reason: str) -> Status:
    if state is State.REJECTED and reason.startswith(DECLINED):
        return Status.DECLINED
    return STATUSES[state]


def created(accepted: Accepted, foreign_id: str, echo: Echo) -> Created:
    """The answer to a withdrawal that was just taken."""
    sent = money(accepted.amount - accepted.fee, echo.scales[0])
    pending = accepted.state is State.AWAITING_APPROVAL
    return Created(
        id=accepted.number,
        foreign_id=foreign_id,
        end_user_reference=echo.reference or None,
        type=_type(echo),
        status=CREATED_PENDING if pending else CREATED_PROCESSING,
        amount=sent,
        sender_amount=sent,
        sender_currency=echo.sender,
        receiver_currency=echo.receiver,
        receiver_amount=money(accepted.net, echo.scales[1]),
    )


def transaction(view: WithdrawalView, state: State | None = None) -> Transaction:
    """A withdrawal or an exchange as it stands, or as it stood when it entered `state`."""
    state = view.state if state is None else state
    echo = read_echo(view.extra)
    status = status_of(state, view.reason)
    sent = Money(echo.sender, money(view.amount - view.fee, echo.scales[0]))
    received = Money(echo.receiver, money(view.net, echo.scales[1]))
    if not view.address:
        return _exchange(view, echo, status, sent, received)
    tag = view.memo or None
    tx_hash = view.tx_hash if state in _OFFERED else ""
    rows: list[ChainRow | ExchangeRow] = [
        ChainRow(
            id=2 * view.number - 1,
            currency=echo.receiver,
            transaction_type="blockchain",
            type=WITHDRAWAL,
            address=view.address,
            tag=tag,
            amount=received.amount,
            txid=tx_hash or None,
            confirmations=str(view.confirmations if tx_hash else 0),
        )
    ]
    if echo.converted:
        rows.append(_exchange_row(view, sent, received))
    shown = status in _SHOWN_MONEY
    return Transaction(
        id=view.number,
        foreign_id=view.request_id,
        end_user_reference=echo.reference or msgspec.UNSET,
        type=_type(echo),
        crypto_address=CryptoAddress(
            small_id(view.network, view.address, view.memo), echo.receiver, view.address, tag
        ),
        currency_sent=sent if shown else msgspec.UNSET,
        currency_received=received if shown else msgspec.UNSET,
        transactions=tuple(rows),
        fees=_fees(view.fee, echo) if shown and tx_hash else (),
        error=view.reason if status in _SHOWN_ERROR else "",
        status=status.value,
    )


def _exchange(view: WithdrawalView, echo: Echo, status: Status, sent: Money, received: Money) -> Transaction:
    return Transaction(
        id=view.number,
        foreign_id=view.request_id,
        end_user_reference=echo.reference or msgspec.UNSET,
        type=EXCHANGE,
        currency_sent=sent,
        currency_received=received,
        transactions=(_exchange_row(view, sent, received),),
        fees=(),
        error="",
        status=status.value,
    )


def _exchange_row(view: WithdrawalView, sent: Money, received: Money) -> ExchangeRow:
    return ExchangeRow(
        id=2 * view.number,
        currency=sent.currency,
        currency_to=received.currency,
        transaction_type=EXCHANGE,
        type=EXCHANGE,
        amount=sent.amount,
        amount_to=received.amount,
    )


def _fees(fee: Units, echo: Echo) -> tuple[Fee, ...]:
    """In the sender's currency, beside what was sent."""
    return (Fee("mining", echo.sender, money(fee, echo.scales[0])),) if fee else ()


def _type(echo: Echo) -> str:
    return WITHDRAWAL_EXCHANGE if echo.converted else WITHDRAWAL
