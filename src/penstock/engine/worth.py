"""What a withdrawal debits, costs and pays: the three amounts, by fee rule and rate."""

from __future__ import annotations

from math import lcm

import msgspec

from penstock.core.amounts import Units, format_units
from penstock.core.catalogue import Listing
from penstock.core.commands import FeeRule, Withdraw
from penstock.core.limits import check_amount
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.refusals import RefusalCode, Refused
from penstock.engine.rules import Moment, Rules


class Worth(msgspec.Struct, frozen=True, gc=False):
    """amount: debited, fee included; fee; both in debit_asset. net: paid. rate: encoded, "" without a conversion."""

    debit_asset: str
    amount: Units
    fee: Units
    net: Units
    rate: str = ""


def worth_of(command: Withdraw, listing: Listing, moment: Moment, rules: Rules) -> Worth:
    """Fix the amounts of a withdrawal. Raises Refused: what limits.check_amount says, or what `check_rate` says."""
    scale = rules.catalogue.scale(command.asset)
    if command.conversion is not None:
        return _converted(command, command.conversion, listing, moment, rules)
    given = command.amount
    inside = command.fee_rule is FeeRule.INSIDE
    check_amount(listing, scale, given, fee_inside=inside)
    if inside:
        return Worth(command.asset, given, listing.fee, Units(given - listing.fee))
    fee = listing.fee if command.fee_rule is FeeRule.ON_TOP else Units(0)
    return Worth(command.asset, Units(given + fee), fee, given)


def _converted(
    command: Withdraw, conversion: Conversion, listing: Listing, moment: Moment, rules: Rules
) -> Worth:
    rate = conversion.rate
    check_rate(rate, moment, rules)
    if rate.target != command.asset:
        raise Refused(RefusalCode.RATE_UNAVAILABLE, source=rate.source, target=command.asset)
    source_scale, scale = rules.catalogue.scale(rate.source), rules.catalogue.scale(command.asset)
    debit, net = both_sides(command.amount, conversion, source_scale, scale)
    if conversion.given is Given.DEBITED:
        # The listing pays in steps; what is below one stays with the ledger.
        step = lcm(10 ** (scale - listing.precision), listing.multiple or 1)
        net = Units(net - net % step)
        if net == 0 < debit:
            raise Refused(RefusalCode.AMOUNT_TOO_SMALL, minimum=format_units(listing.minimum, scale))
    check_amount(listing, scale, net, fee_inside=False)
    # There is no "inside" between two assets: whatever is charged is debited beside the rest.
    charged = Units(0) if command.fee_rule is FeeRule.NONE else listing.fee
    fee = rate.debited(charged, source_scale, scale)
    return Worth(rate.source, Units(debit + fee), fee, net, rate.encoded())


def both_sides(
    amount: Units, conversion: Conversion, source_scale: int, target_scale: int
) -> tuple[Units, Units]:
    """(debited, received) of a conversion without fee, the side not given rounded against the customer."""
    if conversion.given is Given.DEBITED:
        return amount, conversion.rate.received(amount, source_scale, target_scale)
    return conversion.rate.debited(amount, source_scale, target_scale), amount


def check_rate(rate: Rate, moment: Moment, rules: Rules) -> None:
    """Raises Refused: RATE_UNAVAILABLE for a pair that cannot be exchanged, RATE_STALE for a rate not of now."""
    assets = rules.catalogue.assets
    known = rate.source in assets and rate.target in assets and rate.source != rate.target
    if not known or rate.numerator <= 0 or rate.denominator <= 0:
        raise Refused(RefusalCode.RATE_UNAVAILABLE, source=rate.source, target=rate.target)
    if abs(moment.now_ms - rate.at_ms) > rules.policy.rate_age_max_ms:
        raise Refused(RefusalCode.RATE_STALE, source=rate.source, target=rate.target)
