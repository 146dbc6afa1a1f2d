from __future__ import annotations

import pytest

from penstock.core.refusals import Unavailable
from penstock.sandbox.evm_setup import COINS_WEI, prepare_dev_chain
from tests.chains.evm.wallet import HOT
from tests.nodes import Anvil, anvil

TOKENS = [("USDT", "Tether", 6, 10**15), ("LINK", "Chainlink", 18, 10**24)]


def text_of(node: Anvil, contract: str, selector: str) -> str:
    answer = bytes.fromhex(node.ask("eth_call", {"to": contract, "data": selector}, "latest")[2:])
    return answer[64 : 64 + int.from_bytes(answer[32:64])].decode()


@pytest.mark.parametrize("mining", [True, False])
def test_a_fresh_node_gets_the_coins_and_the_tokens(mining: bool) -> None:
    with anvil(mining=mining) as node:
        contracts = prepare_dev_chain(node.url, HOT.address, TOKENS)
        assert node.balance(HOT.address) == COINS_WEI
        for symbol, name, decimals, supply in TOKENS:
            contract = contracts[symbol]
            assert node.token_balance(contract, HOT.address) == supply
            assert text_of(node, contract, "0x95d89b41") == symbol
            assert text_of(node, contract, "0x06fdde03") == name
            asked = {"to": contract, "data": "0x313ce567"}
            assert int(node.ask("eth_call", asked, "latest"), 16) == decimals


def test_a_prepared_chain_is_left_as_it_is(node: Anvil) -> None:
    contracts = prepare_dev_chain(node.url, HOT.address, TOKENS)
    height = node.ask("eth_blockNumber")
    node.ask("anvil_setBalance", HOT.address, hex(COINS_WEI - 1))
    assert prepare_dev_chain(node.url, HOT.address, TOKENS, contracts) == contracts
    assert node.ask("eth_blockNumber") == height
    assert node.balance(HOT.address) == COINS_WEI - 1


def test_a_token_that_is_gone_or_another_is_made_anew(node: Anvil) -> None:
    first = prepare_dev_chain(node.url, HOT.address, TOKENS)
    known = {"USDT": first["LINK"], "LINK": HOT.address}
    second = prepare_dev_chain(node.url, HOT.address, TOKENS, known)
    assert set(second.values()).isdisjoint(first.values())
    for symbol, _, _, supply in TOKENS:
        assert node.token_balance(second[symbol], HOT.address) == supply


def test_a_chain_that_is_no_development_chain_is_refused() -> None:
    with anvil("--chain-id", "1") as node:
        with pytest.raises(Unavailable, match="chain"):
            prepare_dev_chain(node.url, HOT.address, TOKENS)
        assert node.balance(HOT.address) == 0
