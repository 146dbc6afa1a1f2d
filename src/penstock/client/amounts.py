"""Amounts between text and numbers: digits in, the same digits out, never by way of a float."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation

AMOUNT_CHARACTERS_MAX = 100

Amount = str | Decimal | int
"""Text or Decimal, or a whole number; a float is a TypeError."""

EXACT = Context(prec=120)
"""To add and subtract in: Python's default of 28 digits would round a large amount of an 18-decimal coin."""


def amount_text(amount: Amount) -> str:
    """The amount as the plain decimal text that goes on the wire: "0.00001", never "1E-5".

    Raises TypeError for a float (its digits are not what was written down) and a bool, ValueError for
    anything that is not a positive decimal number.
    """
    if isinstance(amount, bool) or not isinstance(amount, str | Decimal | int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"amount must be text, Decimal or int, never {type(amount).__name__}")
    if isinstance(amount, str):
        whole, point, fraction = amount.partition(".")
        digits = whole + fraction
        plain = digits.isascii() and digits.isdigit() and whole != "" and (fraction != "" or not point)
        if not plain or len(amount) > AMOUNT_CHARACTERS_MAX:
            raise ValueError(f"amount is not a plain decimal number: {amount[:64]!r}")
        text = amount
    else:
        if isinstance(amount, Decimal) and (
            not amount.is_finite() or abs(amount.adjusted()) > AMOUNT_CHARACTERS_MAX
        ):
            raise ValueError(f"amount is not a number that can be paid: {amount}")
        # Not f"{amount:f}" for both: an int would be written by way of a float.
        text = f"{amount:f}" if isinstance(amount, Decimal) else str(amount)
    if text.startswith("-") or not text.strip("0."):
        raise ValueError(f"amount must be above zero: {text[:64]}")
    return text


def read_amount(told: str | Decimal) -> Decimal:
    """An amount of a reply. Raises ValueError for what is no number, NaN and Infinity among it."""
    try:
        number = Decimal(told)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"not an amount: {str(told)[:64]!r}")
    return number
