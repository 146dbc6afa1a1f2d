"""Tokens that take the call and do something else: mined, but the payment does not count as made."""

from __future__ import annotations

import pytest

from penstock.chains.chain import Mined, Payout
from penstock.chains.evm.chain import EvmChain
from tests.chains.evm.wallet import HOT, RECEIVER, nasty_token, signed
from tests.nodes import Anvil


@pytest.mark.parametrize(
    "name, arrives, reason",
    [
        ("FalseToken", 0, "no transfer event"),
        ("FeeToken", 990, "another amount moved: 990 instead of 1000"),
        ("SilentToken", 1000, "no transfer event"),
        ("ForgedToken", 0, "no transfer event"),
    ],
)
def test_a_token_that_does_not_do_as_asked_is_mined_and_unpaid(
    chain: EvmChain, node: Anvil, name: str, arrives: int, reason: str
) -> None:
    contract = nasty_token(node, name)
    intent = chain.intent(HOT.address, 0, Payout("BAD", contract, RECEIVER, "", 1000))
    raw = signed(intent)
    chain.send(raw)
    node.mine()
    found = chain.locate(chain.tx_hash(raw), intent)
    assert isinstance(found, Mined)
    assert (found.paid, found.reason) == (False, reason)
    assert node.ask("eth_getTransactionReceipt", chain.tx_hash(raw))["status"] == "0x1"
    assert node.token_balance(contract, RECEIVER) == arrives
