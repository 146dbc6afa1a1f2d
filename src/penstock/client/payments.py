"""From a caller's arguments to a `Payment`: what is wrong at any venue is refused here."""

from __future__ import annotations

from typing import TypedDict

from penstock.client.amounts import Amount, amount_text
from penstock.client.values import Payment
from penstock.core.commands import RecipientKind


class AddressDetails(TypedDict, total=False):
    """What else `to_address` takes, for editors and type checkers."""

    network: str | None
    memo: str
    wallet: str
    remark: str
    request_id: str
    debit_currency: str
    debited: bool


class AccountDetails(TypedDict, total=False):
    """What else `to_account` takes, as above."""

    kind: RecipientKind
    area_code: str
    network: str | None
    wallet: str
    remark: str
    request_id: str


def to_address(
    currency: str,
    amount: Amount,
    address: str,
    *,
    network: str | None = None,
    memo: str = "",
    wallet: str = "",
    remark: str = "",
    request_id: str = "",
    debit_currency: str = "",
    debited: bool = False,
) -> Payment:
    """What `withdraw` is asked for, its currency and network as the caller names them.

    Raises TypeError or ValueError for what is wrong at any venue.
    """
    text = amount_text(amount)
    check_given(currency=currency, address=address)
    return Payment(
        currency,
        text,
        address=address,
        memo=memo,
        wallet=wallet,
        remark=remark,
        request_id=request_id,
        network=network or "",
        debit_currency=debit_currency,
        debited=debited,
    )


def to_account(
    currency: str,
    amount: Amount,
    recipient: str,
    *,
    kind: RecipientKind = RecipientKind.ACCOUNT_NUMBER,
    area_code: str = "",
    network: str | None = None,
    wallet: str = "",
    remark: str = "",
    request_id: str = "",
) -> Payment:
    """What `withdraw_to_account` is asked for; as `to_address`."""
    text = amount_text(amount)
    check_given(currency=currency, recipient=recipient)
    return Payment(
        currency,
        text,
        recipient=recipient,
        recipient_kind=kind,
        area_code=area_code,
        wallet=wallet,
        remark=remark,
        request_id=request_id,
        network=network or "",
    )


def check_given(**fields: str) -> None:
    """Raises TypeError for a field that is not text, ValueError for an empty one."""
    for name, text in fields.items():
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{name} must be text, not {type(text).__name__}")
        if not text:
            raise ValueError(f"{name} is empty")
