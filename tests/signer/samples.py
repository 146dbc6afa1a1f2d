"""What the signer's tests sign: a known key, limits that allow something of each kind, intents within."""

from __future__ import annotations

from typing import NamedTuple

from eth_account import Account

from penstock.chains.evm.addresses import checksummed
from penstock.core.intents import EvmIntent, SimulatedIntent
from penstock.signer.launch import KEY
from penstock.signer.limits import AssetLimits, EvmLimits, FeeLimits, NetworkLimits, SimulatedLimits
from penstock.signer.signatures import SigningKey

# The key is drawn from a phrase, so that looking for its bytes in outputs finds nothing by accident.
SECRET = Account.from_key("0x" + "5e" * 31 + "07").key
SIGNING_KEY = SigningKey(bytes(SECRET))
SENDER = SIGNING_KEY.evm_address
SIM_SENDER = SIGNING_KEY.simulated_address
TOKEN = checksummed("0x" + "c0" * 20)
OTHER_TOKEN = checksummed("0x" + "c1" * 20)
PAYEE = checksummed("0x" + "ab" * 20)
OTHER_PAYEE = checksummed("0x" + "cd" * 20)
CHAIN_ID = 31_337
GWEI = 10**9
ETHER = 10**18
START_MS = 1_760_000_000_000

NETWORKS: dict[str, NetworkLimits] = {
    "ethereum": EvmLimits(
        key=KEY,
        chain_id=CHAIN_ID,
        gas_max=200_000,
        fee=FeeLimits(total_max=str(10**16), per_gas_max=str(100 * GWEI)),
        replacement_fee=FeeLimits(total_max=str(3 * 10**16), per_gas_max=str(300 * GWEI)),
        contracts={TOKEN: AssetLimits(payment_max="1000000000", day_max="2500000000")},
        native=AssetLimits(payment_max=str(ETHER)),
    ),
    "tron": SimulatedLimits(
        key=KEY,
        fee=FeeLimits(total_max="1000"),
        replacement_fee=FeeLimits(total_max="5000"),
        assets={"USDT": AssetLimits(payment_max="1000000000", day_max="2500000000")},
    ),
}


def transfer(payee: str, units: int) -> str:
    """ERC-20 call data, written out here and not by the code under test."""
    return "0xa9059cbb" + "0" * 24 + payee[2:].lower() + f"{units:064x}"


BASE = EvmIntent(
    network="ethereum",
    chain_id=CHAIN_ID,
    sender=SENDER,
    nonce=0,
    to=TOKEN,
    value="0",
    data=transfer(PAYEE, 5_000_000),
    gas=65_000,
    max_fee_per_gas=20 * GWEI,
    max_priority_fee_per_gas=1 * GWEI,
)

SIM_BASE = SimulatedIntent(
    network="tron",
    sender=SIM_SENDER,
    nonce=0,
    to="sim1" + "ab" * 20,
    memo="",
    asset="USDT",
    units="5000000",
    fee=100,
)


class Case(NamedTuple):
    changed: dict[str, object]
    reason: str


EVM_REFUSALS: dict[str, Case] = {
    "another network": Case({"network": "bsc"}, "network_unknown"),
    "a network of another kind": Case({"network": "tron"}, "wrong_kind"),
    "another chain": Case({"chain_id": 1}, "wrong_chain"),
    "another sender": Case({"sender": PAYEE}, "wrong_sender"),
    "the sender in lower case": Case({"sender": SENDER.lower()}, "wrong_sender"),
    "a nonce below zero": Case({"nonce": -1}, "field_invalid"),
    "a nonce beyond 63 bits": Case({"nonce": 2**63}, "field_invalid"),
    "an unlisted contract": Case({"to": OTHER_TOKEN}, "asset_not_allowed"),
    "a contract in lower case": Case({"to": TOKEN.lower()}, "field_invalid"),
    "the zero address": Case({"to": "0x" + "0" * 40, "data": "0x", "value": "1"}, "field_invalid"),
    "no address at all": Case({"to": ""}, "field_invalid"),
    "coin with a token call": Case({"value": "1"}, "shape_forbidden"),
    "an approval": Case({"data": "0x095ea7b3" + transfer(PAYEE, 1)[10:]}, "shape_forbidden"),
    "a transfer with more behind it": Case({"data": transfer(PAYEE, 1) + "00"}, "shape_forbidden"),
    "a cut transfer": Case({"data": transfer(PAYEE, 1)[:-2]}, "shape_forbidden"),
    "a transfer of nothing": Case({"data": transfer(PAYEE, 0)}, "shape_forbidden"),
    "a transfer to the zero address": Case({"data": transfer("0x" + "0" * 40, 1)}, "shape_forbidden"),
    "a transfer to the token itself": Case({"data": transfer(TOKEN, 1)}, "shape_forbidden"),
    "call data in capitals": Case(
        {"data": transfer(PAYEE, 10).replace("a9059cbb", "A9059CBB")}, "shape_forbidden"
    ),
    "more of the token than allowed": Case({"data": transfer(PAYEE, 1_000_000_001)}, "payment_too_large"),
    "all of the token there could be": Case({"data": transfer(PAYEE, 2**256 - 1)}, "payment_too_large"),
    "more coin than allowed": Case({"to": PAYEE, "data": "0x", "value": str(ETHER + 1)}, "payment_too_large"),
    "coin to a token contract": Case({"to": TOKEN, "data": "0x", "value": "1"}, "shape_forbidden"),
    "an empty payment to another": Case({"to": PAYEE, "data": "0x"}, "shape_forbidden"),
    "an amount with a sign": Case({"to": PAYEE, "data": "0x", "value": "-1"}, "field_invalid"),
    "an amount with a leading zero": Case({"to": PAYEE, "data": "0x", "value": "01"}, "field_invalid"),
    "an amount of 257 bits": Case({"to": PAYEE, "data": "0x", "value": str(2**256)}, "field_invalid"),
    "too much gas": Case({"gas": 200_001}, "fee_too_high"),
    "too little gas for anything": Case({"gas": 20_999}, "fee_too_high"),
    "too high a fee per gas": Case({"max_fee_per_gas": 100 * GWEI + 1}, "fee_too_high"),
    "too high a fee in all": Case({"max_fee_per_gas": 90 * GWEI, "gas": 150_000}, "fee_too_high"),
    "a tip above the fee": Case({"max_priority_fee_per_gas": 20 * GWEI + 1}, "field_invalid"),
    "a tip below zero": Case({"max_priority_fee_per_gas": -1}, "field_invalid"),
}

SIM_REFUSALS: dict[str, Case] = {
    "another network": Case({"network": "solana"}, "network_unknown"),
    "a network of another kind": Case({"network": "ethereum"}, "wrong_kind"),
    "another sender": Case({"sender": "sim1" + "00" * 20}, "wrong_sender"),
    "an unlisted asset": Case({"asset": "DOGE"}, "asset_not_allowed"),
    "more than allowed": Case({"units": "1000000001"}, "payment_too_large"),
    "nothing, to another": Case({"units": "0"}, "shape_forbidden"),
    "to nobody": Case({"to": ""}, "shape_forbidden"),
    "units with an exponent": Case({"units": "1e3"}, "field_invalid"),
    "units with a point": Case({"units": "1.5"}, "field_invalid"),
    "a memo without end": Case({"memo": "x" * 257}, "field_invalid"),
    "a nonce below zero": Case({"nonce": -1}, "field_invalid"),
    "too high a fee": Case({"fee": 1_001}, "fee_too_high"),
    "a fee below zero": Case({"fee": -1}, "field_invalid"),
}
