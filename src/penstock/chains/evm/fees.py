"""EIP-1559 fees: what to offer, how to outbid ourselves, when fees are too high to pay. Pure; wei per gas."""

from __future__ import annotations

import msgspec

# Nodes replace a pending transaction for 10% more of both fields (geth's --txpool.pricebump and its kin).
# An eighth is clear of every rounding, and is also the most that the base fee grows per block.
BUMP_NUMERATOR = 9
BUMP_DENOMINATOR = 8


class FeeLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What we are willing to pay, in wei per gas.

    max_fee_per_gas_max: above it nothing is built or bumped. tip_min, tip_max: bounds of the node's advice.
    """

    max_fee_per_gas_max: int = 500_000_000_000
    tip_min: int = 100_000_000
    tip_max: int = 20_000_000_000


class Fees(msgspec.Struct, frozen=True):
    """The two fee fields of a transaction; the tip is never above the fee."""

    max_fee_per_gas: int
    tip: int


def quote(base_fee: int, tip_wished: int, limits: FeeLimits) -> Fees | None:
    """Fees for a transaction that should be mined soon and still be mined if the base fee doubles.

    base_fee: of the newest block. tip_wished: the node's advice. None when even the next block would cost
    more than the limits allow.
    """
    tip = min(max(tip_wished, limits.tip_min), limits.tip_max)
    if base_fee + tip > limits.max_fee_per_gas_max:
        return None
    return Fees(min(2 * base_fee + tip, limits.max_fee_per_gas_max), tip)


def bump(before: Fees, market: Fees | None, limits: FeeLimits) -> Fees | None:
    """Fees that make a node take the new transaction in place of the old one, and that the market would take.

    market: a fresh quote, or None when the market is above the limits. Both fields grow by an eighth at
    least. None when that would be above the limits; the old transaction then has to wait.
    """
    fee, tip = _eighth_more(before.max_fee_per_gas), _eighth_more(before.tip)
    if fee > limits.max_fee_per_gas_max:
        return None
    if market is not None:
        fee, tip = max(fee, market.max_fee_per_gas), max(tip, market.tip)
    assert tip <= fee, (tip, fee)
    return Fees(fee, tip)


def _eighth_more(price: int) -> int:
    return max(-(-price * BUMP_NUMERATOR // BUMP_DENOMINATOR), price + 1)
