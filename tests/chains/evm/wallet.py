"""Keys and payments for the EVM tests. eth_account signs directly: no code of ours judges itself."""

from __future__ import annotations

import json
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from penstock.chains.evm.rpc import NodeRpc
from penstock.core.intents import EvmIntent
from penstock.sandbox.evm_setup import DEV_CHAIN_ID, deploy, mint
from tests.nodes import Anvil

RECEIVER = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
HOT: LocalAccount = Account.from_key(b"\x01" * 32)
SUPPLY = 10**15


def as_account_fields(intent: EvmIntent) -> dict[str, int | str]:
    """The same transaction as the dictionary that eth_account takes."""
    return {
        "type": 2,
        "chainId": intent.chain_id,
        "nonce": intent.nonce,
        "to": intent.to,
        "value": int(intent.value),
        "data": intent.data,
        "gas": intent.gas,
        "maxFeePerGas": intent.max_fee_per_gas,
        "maxPriorityFeePerGas": intent.max_priority_fee_per_gas,
    }


def signed(intent: EvmIntent, account: LocalAccount = HOT) -> bytes:
    return bytes(account.sign_transaction(as_account_fields(intent)).raw_transaction)


def compiled(name: str) -> str:
    place = Path(__file__).parent / "contracts" / f"{name}.json"
    return json.loads(place.read_text())["bytecode"]


def nasty_token(node: Anvil, name: str) -> str:
    """Deploy one of the contracts beside this file, with `SUPPLY` for the hot wallet."""
    deployer = node.ask("eth_accounts")[-1]
    with NodeRpc(node.url, DEV_CHAIN_ID) as rpc:
        contract = deploy(rpc, deployer, compiled(name))
        mint(rpc, deployer, contract, HOT.address, SUPPLY)
    return contract
