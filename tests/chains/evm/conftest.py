"""A fresh anvil per test (it starts in a tenth of a second), a funded hot wallet, a token, and the chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.chains.evm.chain import EvmChain, EvmSettings
from penstock.chains.evm.rpc import NodeRpc
from penstock.sandbox.evm_setup import DEV_CHAIN_ID, prepare_dev_chain
from tests.chains.evm.wallet import HOT, SUPPLY
from tests.nodes import Anvil, anvil

CONFIRMATIONS = 3


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil(mining=False) as running:
        yield running


@pytest.fixture
def token(node: Anvil) -> str:
    return prepare_dev_chain(node.url, HOT.address, [("USDT", "Tether", 6, SUPPLY)])["USDT"]


@pytest.fixture
def chain(node: Anvil, token: str) -> Iterator[EvmChain]:
    settings = EvmSettings(DEV_CHAIN_ID, CONFIRMATIONS, "depth", forbidden=frozenset({token, HOT.address}))
    with NodeRpc(node.url, DEV_CHAIN_ID) as rpc:
        yield EvmChain("ethereum", rpc, settings)
