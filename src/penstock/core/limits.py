"""What a listing allows of a withdrawal: pure checks that a venue and the engine both call, in one order."""

from __future__ import annotations

from penstock.core.amounts import format_units
from penstock.core.catalogue import Listing
from penstock.core.refusals import RefusalCode, Refused


def check_channel(listing: Listing) -> None:
    """Raises Refused(WITHDRAWALS_CLOSED) while the listing pays nothing out."""
    if not listing.withdraw_enabled:
        raise Refused(RefusalCode.WITHDRAWALS_CLOSED, currency=listing.asset, network=listing.network)


def check_amount(listing: Listing, scale: int, units: int, *, fee_inside: bool = True) -> None:
    """Hold an amount against the listing; both in the asset's ledger units, `scale` its decimals.

    fee_inside: the amount has to bear the fee; else the fee is debited beside it.

    Raises Refused, the first that applies: AMOUNT_NOT_POSITIVE; AMOUNT_PRECISION (detail precision, decimals
    allowed); AMOUNT_MULTIPLE (detail multiple, text); AMOUNT_TOO_SMALL (detail minimum, text), also when the
    fee would leave nothing for the receiver; AMOUNT_TOO_LARGE (detail maximum, text).
    """
    if units <= 0:
        raise Refused(RefusalCode.AMOUNT_NOT_POSITIVE)
    if listing.precision < scale and units % 10 ** (scale - listing.precision):
        raise Refused(RefusalCode.AMOUNT_PRECISION, precision=listing.precision)
    if listing.multiple is not None and units % listing.multiple:
        raise Refused(RefusalCode.AMOUNT_MULTIPLE, multiple=format_units(listing.multiple, scale))
    fee = listing.fee if fee_inside else -1
    if units < listing.minimum or units <= fee:
        least = max(listing.minimum, fee + 10 ** (scale - listing.precision))
        raise Refused(RefusalCode.AMOUNT_TOO_SMALL, minimum=format_units(least, scale))
    if listing.maximum is not None and units > listing.maximum:
        raise Refused(RefusalCode.AMOUNT_TOO_LARGE, maximum=format_units(listing.maximum, scale))
