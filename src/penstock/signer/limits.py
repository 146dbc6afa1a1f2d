"""What the signer will sign: bounds that stand in its own configuration, and reading an intent against them.

Pure. An intent is somebody else's claim: it is taken apart here and refused unless every part is within
bounds. Which nonces are taken, and how much went out in a day, is the guard's part.
"""

from __future__ import annotations

import re
from typing import Annotated, NoReturn

import msgspec

from penstock.chains.evm.addresses import RESERVED_BELOW, is_checksummed
from penstock.core.intents import EvmIntent, Intent, SimulatedIntent
from penstock.signer.messages import Reason, SignerRefused

Amount = Annotated[str, msgspec.Meta(pattern=r"\A(0|[1-9][0-9]{0,77})\Z")]
"""Decimal text of a smallest unit: JSON and TOML readers elsewhere lose digits beyond 2**53 or 2**63."""

NATIVE = ""
"""Stands for the network's own coin where a token's contract would stand."""

NUMBER_MAX = 2**63 - 1
UNITS_BELOW = 2**256
GAS_MIN = 21_000  # what any Ethereum transaction costs (yellow paper, appendix G, Gtransaction)
TEXT_MAX = 256

_UNITS = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
# ERC-20: the first four bytes of keccak256("transfer(address,uint256)"), then two 32-byte words.
_TRANSFER = re.compile(r"0xa9059cbb0{24}([0-9a-f]{40})([0-9a-f]{64})", re.ASCII)


class AssetLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """payment_max: units in one payment. day_max: units in any 24 hours; None: no such bound."""

    payment_max: Amount
    day_max: Amount | None = None


class FeeLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of the network fee, in the coin's smallest unit.

    total_max: of one transaction (on EVM gas times max fee per gas). per_gas_max: on EVM, of the max fee per
    gas.
    """

    total_max: Amount
    per_gas_max: Amount = "0"


class EvmLimits(msgspec.Struct, frozen=True, tag="evm", tag_field="kind", forbid_unknown_fields=True):
    """An EVM network.

    key: which of the configured keys pays.
    contracts: token contracts by EIP-55 address; no other is ever called.
    native: bounds of payments in the coin itself; None forbids them.
    fee: of a first transaction for a nonce; replacement_fee: of one that replaces it.
    fee_day_max: fees (ceilings, not what was burnt) in any 24 hours.
    """

    key: str
    chain_id: int
    gas_max: int
    fee: FeeLimits
    replacement_fee: FeeLimits
    contracts: dict[str, AssetLimits] = {}
    native: AssetLimits | None = None
    fee_day_max: Amount | None = None


class SimulatedLimits(
    msgspec.Struct, frozen=True, tag="simulated", tag_field="kind", forbid_unknown_fields=True
):
    """A simulated network; `assets` by their code. The rest as in EvmLimits."""

    key: str
    fee: FeeLimits
    replacement_fee: FeeLimits
    assets: dict[str, AssetLimits] = {}
    fee_day_max: Amount | None = None


NetworkLimits = EvmLimits | SimulatedLimits


class Payment(msgspec.Struct, frozen=True):
    """What leaves. asset: a contract, an asset's code or NATIVE. units: 0 for an empty one to oneself."""

    asset: str
    units: int


def refuse(reason: Reason, detail: str) -> NoReturn:
    """Raises SignerRefused."""
    raise SignerRefused(reason, detail)


def resource_of(intent: Intent) -> str:
    """What no two payments may share, as text: the sender's nonce on one chain.

    On EVM the chain's id and not our name for it, since one chain may be configured under two names.
    """
    match intent:
        case EvmIntent():
            return _resource(str(intent.chain_id), intent.sender, intent.nonce)
        case SimulatedIntent():
            return _resource(intent.network, intent.sender, intent.nonce)


def resource_at(network: str, limits: NetworkLimits, sender: str, nonce: int) -> str:
    """The same for a nonce of the network's own key, without an intent."""
    return _resource(str(limits.chain_id) if isinstance(limits, EvmLimits) else network, sender, nonce)


def _resource(chain: str, sender: str, nonce: int) -> str:
    # An EVM sender begins with 0x and a simulated one never does, so the two kinds cannot meet.
    return f"{chain}:{sender}:{nonce}"


def payment_of(intent: Intent) -> Payment:
    """What it pays. Raises SignerRefused for anything but a plain payment or an empty one to oneself."""
    match intent:
        case EvmIntent():
            return _evm_payment(intent)
        case SimulatedIntent():
            return _simulated_payment(intent)


def check_fields(intent: Intent, limits: NetworkLimits, sender: str) -> None:
    """Who signs, on which chain, in which form. Raises SignerRefused.

    sender: the address of the network's key.
    """
    match intent, limits:
        case EvmIntent(), EvmLimits():
            if intent.chain_id != limits.chain_id:
                refuse(Reason.WRONG_CHAIN, f"chain id {intent.chain_id}, not {limits.chain_id}")
            if not is_checksummed(intent.to) or int(intent.to, 16) < RESERVED_BELOW:
                refuse(Reason.FIELD_INVALID, "`to` is not an EIP-55 address that somebody can hold")
            if intent.data == "0x" and intent.to in limits.contracts:
                refuse(Reason.SHAPE_FORBIDDEN, "coin sent to a token contract would be lost")
        case SimulatedIntent(), SimulatedLimits():
            if any(len(text) > TEXT_MAX for text in (intent.to, intent.memo, intent.asset)):
                refuse(Reason.FIELD_INVALID, f"a text is longer than {TEXT_MAX}")
        case _:
            refuse(Reason.WRONG_KIND, f"{intent.network} does not take such transactions")
    if intent.sender != sender:
        refuse(Reason.WRONG_SENDER, f"{intent.sender[:64]!r} is not the address of this network's key")
    if not 0 <= intent.nonce <= NUMBER_MAX:
        refuse(Reason.FIELD_INVALID, "nonce is out of range")


def check_payment(payment: Payment, limits: NetworkLimits) -> AssetLimits | None:
    """Hold one payment against its asset's bounds; returns these, None for an empty payment.

    Raises SignerRefused.
    """
    if payment.units == 0:
        return None
    if isinstance(limits, SimulatedLimits):
        allowed = limits.assets.get(payment.asset)
    else:
        allowed = limits.native if payment.asset == NATIVE else limits.contracts.get(payment.asset)
    if allowed is None:
        refuse(Reason.ASSET_NOT_ALLOWED, f"{payment.asset or 'the coin itself'!r} is not listed for payments")
    if payment.units > int(allowed.payment_max):
        refuse(Reason.PAYMENT_TOO_LARGE, f"{payment.units} units, at most {allowed.payment_max}")
    return allowed


def _evm_payment(intent: EvmIntent) -> Payment:
    value = _units(intent.value, "value")
    if intent.data == "0x":
        if value == 0 and intent.to != intent.sender:
            refuse(Reason.SHAPE_FORBIDDEN, "an empty payment to another")
        return Payment(NATIVE, value)
    found = _TRANSFER.fullmatch(intent.data)
    if found is None or value != 0 or int(found[1], 16) < RESERVED_BELOW or int(found[2], 16) == 0:
        refuse(Reason.SHAPE_FORBIDDEN, "a contract call must be a plain ERC-20 transfer of more than nothing")
    if found[1] == intent.to[2:].lower():
        refuse(Reason.SHAPE_FORBIDDEN, "tokens sent to their own contract would be lost")
    return Payment(intent.to, int(found[2], 16))


def _simulated_payment(intent: SimulatedIntent) -> Payment:
    units = _units(intent.units, "units")
    if units == 0 and (intent.to != intent.sender or intent.memo):
        refuse(Reason.SHAPE_FORBIDDEN, "an empty payment to another")
    if units and not intent.to:
        refuse(Reason.SHAPE_FORBIDDEN, "a payment to nobody")
    return Payment(intent.asset, units)


def _units(text: str, field: str) -> int:
    if not _UNITS.fullmatch(text) or int(text) >= UNITS_BELOW:
        refuse(Reason.FIELD_INVALID, f"{field} is not a plain decimal in range")
    return int(text)


def check_fees(intent: Intent, limits: NetworkLimits, *, replacement: bool) -> None:
    """Hold the fees against the ceiling of a first transaction or of a replacement. Raises SignerRefused."""
    allowed = limits.replacement_fee if replacement else limits.fee
    if isinstance(intent, EvmIntent):
        assert isinstance(limits, EvmLimits)
        if not GAS_MIN <= intent.gas <= limits.gas_max:
            refuse(Reason.FEE_TOO_HIGH, f"gas {intent.gas}, allowed {GAS_MIN} to {limits.gas_max}")
        if not 0 <= intent.max_priority_fee_per_gas <= intent.max_fee_per_gas <= NUMBER_MAX:
            refuse(Reason.FIELD_INVALID, "priority fee and max fee per gas are out of order or range")
        if intent.max_fee_per_gas > int(allowed.per_gas_max):
            refuse(
                Reason.FEE_TOO_HIGH,
                f"max fee per gas {intent.max_fee_per_gas}, at most {allowed.per_gas_max}",
            )
    elif not 0 <= intent.fee <= NUMBER_MAX:
        refuse(Reason.FIELD_INVALID, "fee is out of range")
    if intent.fee_ceiling() > int(allowed.total_max):
        refuse(Reason.FEE_TOO_HIGH, f"fee of up to {intent.fee_ceiling()}, at most {allowed.total_max}")


def check_replacement(intent: Intent, last: Intent) -> None:
    """`intent`, the same payment as `last` (the dearest so far), may stand in its place: every fee is above.

    On EVM the gas may not fall, or the replacement could run dry where the first would not. Raises
    SignerRefused.
    """
    if isinstance(intent, EvmIntent) and isinstance(last, EvmIntent):
        higher = (
            intent.gas >= last.gas
            and intent.max_fee_per_gas > last.max_fee_per_gas
            and intent.max_priority_fee_per_gas > last.max_priority_fee_per_gas
        )
    else:
        higher = intent.fee_ceiling() > last.fee_ceiling()
    if not higher:
        refuse(Reason.FEE_NOT_HIGHER, f"a replacement for nonce {intent.nonce} must raise every fee")
