"""Makes a development node ready for the sandbox: coins and test tokens for the hot wallet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources

import msgspec
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from penstock.chains.evm.addresses import checksummed
from penstock.chains.evm.answers import BYTES, HASH, QUANTITY, Bytes, Quantity, number
from penstock.chains.evm.rpc import NodeRpc
from penstock.core.refusals import Unavailable

DEV_CHAIN_ID = 31337
"""What anvil and hardhat call their chains; no real chain has this id."""

COINS_WEI = 1_000 * 10**18
COINS_WEI_MIN = 100 * 10**18
"""The hot wallet is given `COINS_WEI` when it has less than this."""

_SYMBOL = keccak(text="symbol()")[:4]
_MINT = keccak(text="mint(address,uint256)")[:4]

TokenWish = tuple[str, str, int, int]
"""(symbol, name, decimals, supply in the token's smallest unit)."""


class _Compiled(msgspec.Struct, frozen=True):
    bytecode: Bytes


class _Outcome(msgspec.Struct, frozen=True, rename="camel"):
    status: Quantity
    contract_address: str | None = None


_ACCOUNTS: msgspec.json.Decoder[list[str]] = msgspec.json.Decoder(list[str])
_OUTCOME: msgspec.json.Decoder[_Outcome | None] = msgspec.json.Decoder(_Outcome | None)
_ANYTHING: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)


def prepare_dev_chain(
    rpc_url: str, hot_wallet: str, tokens: Sequence[TokenWish], known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Give the hot wallet coins, and deploy each token and mint its supply to the hot wallet.

    rpc_url: a node of chain id 31337 with an unlocked account, such as anvil. hot_wallet: EIP-55 address.
    known: symbol to contract, as an earlier call returned it; a token that still stands there is left alone,
    with whatever the hot wallet has of it by now.
    Returns symbol to contract, EIP-55. Blocks are mined as needed, also when the node mines none by itself.
    Raises Unavailable when the node is away, is no development node, or refuses a step; calling again is
    safe.
    """
    with NodeRpc(rpc_url, DEV_CHAIN_ID) as rpc:
        deployer = _deployer(rpc, hot_wallet)
        if number(rpc.call(QUANTITY, "eth_getBalance", hot_wallet, "latest")) < COINS_WEI_MIN:
            rpc.call(_ANYTHING, "anvil_setBalance", hot_wallet, hex(COINS_WEI))
        contracts: dict[str, str] = {}
        for symbol, name, decimals, supply in tokens:
            contract = (known or {}).get(symbol)
            if contract is None or not _stands(rpc, contract, symbol):
                contract = deploy(rpc, deployer, sandbox_token(name, symbol, decimals))
                mint(rpc, deployer, contract, hot_wallet, supply)
            contracts[symbol] = contract
        return contracts


def sandbox_token(name: str, symbol: str, decimals: int) -> str:
    """Creation code of a `SandboxToken`, as 0x-hex."""
    compiled = resources.files("penstock.sandbox").joinpath("contracts", "SandboxToken.json").read_bytes()
    bytecode = msgspec.json.decode(compiled, type=_Compiled).bytecode
    return bytecode + encode(["string", "string", "uint8"], [name, symbol, decimals]).hex()


def deploy(rpc: NodeRpc, deployer: str, creation_code: str) -> str:
    """Create a contract from an account that is unlocked on the node; returns its EIP-55 address."""
    outcome = _mined(rpc, {"from": deployer, "data": creation_code})
    if outcome.contract_address is None:
        raise Unavailable("the node created no contract")
    return checksummed(outcome.contract_address)


def mint(rpc: NodeRpc, minter: str, contract: str, to: str, units: int) -> None:
    """Make new `units` of a token whose deployer is `minter`."""
    call = "0x" + (_MINT + encode(["address", "uint256"], [to, units])).hex()
    _mined(rpc, {"from": minter, "to": contract, "data": call})


def _deployer(rpc: NodeRpc, hot_wallet: str) -> str:
    unlocked = [
        account for account in rpc.call(_ACCOUNTS, "eth_accounts") if account.lower() != hot_wallet.lower()
    ]
    if not unlocked:
        raise Unavailable("the node holds no unlocked account: is it a development node?")
    return unlocked[-1]


def _stands(rpc: NodeRpc, contract: str, symbol: str) -> bool:
    """Whether a token of this symbol has this address: a node begun anew may hold nothing or another one."""
    asked = {"to": contract, "data": "0x" + _SYMBOL.hex()}
    return rpc.call(BYTES, "eth_call", asked, "latest") == "0x" + encode(["string"], [symbol]).hex()


def _mined(rpc: NodeRpc, wanted: dict[str, str]) -> _Outcome:
    tx_hash = rpc.call(HASH, "eth_sendTransaction", wanted)
    outcome = rpc.call(_OUTCOME, "eth_getTransactionReceipt", tx_hash)
    if outcome is None:
        # The node does not mine at once; it may not mine at all by itself.
        rpc.call(_ANYTHING, "evm_mine")
        outcome = rpc.call(_OUTCOME, "eth_getTransactionReceipt", tx_hash)
    if outcome is None or number(outcome.status) != 1:
        raise Unavailable("the development node did not carry a step of the preparation out")
    return outcome
