"""Amounts: integers of an asset's smallest unit, and the only readings from and to text.

No float and no Decimal: text becomes `Units` once, in a venue, from the literal that was sent.
"""

from __future__ import annotations

import re
from typing import NewType

from penstock.core.refusals import RefusalCode, Refused

Units = NewType("Units", int)
"""A count of the smallest unit of some asset; the asset and its scale always stand beside it."""

INTEGER_DIGITS_MAX = 60
FRACTION_DIGITS_MAX = 40
SCALE_MAX = 30

_PLAIN = re.compile(r"(0|[1-9][0-9]{0,59})(?:\.([0-9]{1,40}))?", re.ASCII)
# RFC 8259 section 6, without the minus sign: an amount is never negative. The exponent has two digits at the most,
# so that nobody can make us write out a gigabyte of zeros.
_JSON_NUMBER = re.compile(r"(0|[1-9][0-9]{0,59})(?:\.([0-9]{1,60}))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)


def parse_amount(text: str, scale: int) -> Units:
    """Read a plain decimal string as smallest units, exactly.

    text: such as "8.799999"; no sign, exponent, spaces, separators or leading zeros, ASCII digits only.
    scale: digits after the point that the asset has (USDT on TRON 6, ETH 18).
    Returns units >= 0; whether zero is allowed is for the rules to say.
    Raises Refused(AMOUNT_MALFORMED) for any other text, Refused(AMOUNT_PRECISION) when digits beyond `scale`
    are not zero.
    """
    found = _PLAIN.fullmatch(text)
    if found is None:
        raise Refused(RefusalCode.AMOUNT_MALFORMED, text=text[:64])
    return _to_units(found[1], found[2] or "", 0, scale)


def parse_json_number(literal: str, scale: int) -> Units:
    """Read a JSON number literal as smallest units, exactly; `1e-05` is 0.00001.

    literal: the digits as they stood on the wire (what Python's json.dumps or ccxt wrote), never a float.
    Raises as `parse_amount` does; a minus sign is AMOUNT_MALFORMED.
    """
    found = _JSON_NUMBER.fullmatch(literal)
    if found is None:
        raise Refused(RefusalCode.AMOUNT_MALFORMED, text=literal[:64])
    return _to_units(found[1], found[2] or "", int(found[3] or "0"), scale)


def _to_units(whole: str, fraction: str, exponent: int, scale: int) -> Units:
    assert 0 <= scale <= SCALE_MAX, scale
    digits = whole + fraction
    shift = scale + exponent - len(fraction)
    if shift >= 0:
        return Units(int(digits) * 10**shift)
    kept, dropped = digits[:shift], digits[shift:]
    if dropped.strip("0"):
        raise Refused(RefusalCode.AMOUNT_PRECISION, precision=scale)
    return Units(int(kept or "0"))


def format_units(units: int, scale: int) -> str:
    """Write units as a plain decimal without trailing zeros: (8_799_999, 6) -> "8.799999", (5_000_000, 6) -> "5"."""
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(scale + 1, "0")
    whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :].rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def format_units_fixed(units: int, scale: int) -> str:
    """Write units with exactly `scale` decimals: (5_000_000, 6) -> "5.000000"."""
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(scale + 1, "0")
    return (
        f"{sign}{digits[: len(digits) - scale]}.{digits[len(digits) - scale :]}" if scale else sign + digits
    )


def rescale(units: int, scale_from: int, scale_to: int) -> Units:
    """The same amount at another scale (a ledger's 6 decimals to a chain's 18).

    Raises Refused(AMOUNT_PRECISION) when the target scale cannot express it exactly.
    """
    if scale_to >= scale_from:
        return Units(units * 10 ** (scale_to - scale_from))
    quotient, rest = divmod(units, 10 ** (scale_from - scale_to))
    if rest:
        raise Refused(RefusalCode.AMOUNT_PRECISION, precision=scale_to)
    return Units(quotient)
