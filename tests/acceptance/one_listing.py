"""What the worlds that run `penstock serve` list: USDT on Ethereum, worth a dollar, with a fee of 3."""

from __future__ import annotations

UNIT = 10**6
FEE_UNITS = 3 * UNIT

_SETTINGS = """\
[[assets]]
code = "USDT"
name = "Tether USD"
scale = 6
usd_price = "1"

[[assets]]
code = "ETH"
name = "Ether"
scale = 18
usd_price = "3000"

[[networks]]
code = "ethereum"
family = "evm"
native = "ETH"
confirmations = {confirmations}
chain = {{ {chain} }}

[[listings]]
asset = "USDT"
network = "ethereum"
decimals = 6
contract = "{contract}"
fee = "3"
minimum = "10"
precision = 6
"""


def listing_settings(contract: str, confirmations: int, chain: str) -> str:
    """Their part of penstock.toml. chain: what stands in the network's `chain = {...}`."""
    return _SETTINGS.format(contract=contract, confirmations=confirmations, chain=chain)


def evm_chain(rpc_url: str) -> str:
    return f'type = "evm", rpc_url = "{rpc_url}", chain_id = 31337, finality = "depth"'


def amount_text(units: int) -> str:
    """USDT as the venues take it."""
    return f"{units // UNIT}.{units % UNIT:06}"
