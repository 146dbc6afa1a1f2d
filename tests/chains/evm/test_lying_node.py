"""A fake stands between us and a real anvil and bends what it says: no lie we can see through is believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.chains.chain import Mined, Missing, NodeLied, Payout, PayoutImpossible, Pending
from penstock.chains.evm.chain import EvmChain, EvmSettings
from penstock.chains.evm.rpc import NodeRpc
from penstock.core.refusals import Unavailable
from penstock.sandbox.evm_setup import DEV_CHAIN_ID
from tests.chains.evm.fake_node import FakeNode, fake_node
from tests.chains.evm.wallet import HOT, RECEIVER, signed
from tests.nodes import Anvil

OTHER_HASH = "0x" + "11" * 32


@pytest.fixture
def liar(node: Anvil) -> Iterator[FakeNode]:
    with fake_node(node) as fake:
        yield fake


@pytest.fixture
def deceived(liar: FakeNode, token: str) -> Iterator[EvmChain]:
    """The chain as seen through the liar; it tells the truth until a test plants a lie."""
    with NodeRpc(liar.url, DEV_CHAIN_ID) as rpc:
        yield EvmChain("ethereum", rpc, EvmSettings(DEV_CHAIN_ID, 3, "depth"))


@pytest.fixture
def payout(token: str) -> Payout:
    return Payout("USDT", token, RECEIVER, "", 1_000)


def changed(**values: object) -> Any:
    return lambda truth: {**truth, **values}


def test_another_hash_for_our_bytes_is_a_lie_and_ends_the_use_of_the_node(
    deceived: EvmChain, liar: FakeNode, payout: Payout
) -> None:
    raw = signed(deceived.intent(HOT.address, 0, payout))
    liar.lies["eth_sendRawTransaction"] = lambda _: OTHER_HASH
    with pytest.raises(NodeLied, match=OTHER_HASH):
        deceived.send(raw)
    with pytest.raises(Unavailable, match="not used any more"):
        deceived.head()


@pytest.mark.parametrize(
    "words", ["already known", "nonce too low", "replacement transaction underpriced", ""]
)
@pytest.mark.parametrize("held", [True, False])
def test_the_words_of_an_error_decide_nothing_but_what_the_node_holds_does(
    deceived: EvmChain, liar: FakeNode, node: Anvil, payout: Payout, words: str, held: bool
) -> None:
    raw = signed(deceived.intent(HOT.address, 0, payout))
    if held:
        node.ask("eth_sendRawTransaction", "0x" + raw.hex())
    liar.whole["eth_sendRawTransaction"] = lambda _: {"error": {"code": -32000, "message": words}}
    if held:
        deceived.send(raw)
    else:
        with pytest.raises(Unavailable):
            deceived.send(raw)


def test_known_but_under_another_hash_is_a_lie(deceived: EvmChain, liar: FakeNode, payout: Payout) -> None:
    raw = signed(deceived.intent(HOT.address, 0, payout))
    liar.whole["eth_sendRawTransaction"] = lambda _: {"error": {"code": -32000, "message": "already known"}}
    held = {"hash": OTHER_HASH, "r": "0x1", "s": "0x1", "yParity": "0x0"}
    liar.whole["eth_getTransactionByHash"] = lambda _: {"result": held}
    with pytest.raises(NodeLied):
        deceived.send(raw)


def mined_payment(chain: EvmChain, node: Anvil, payout: Payout) -> tuple[str, Any]:
    intent = chain.intent(HOT.address, 0, payout)
    raw = signed(intent)
    chain.send(raw)
    node.mine()
    found = chain.locate(chain.tx_hash(raw), intent)
    assert isinstance(found, Mined)
    assert found.paid
    return chain.tx_hash(raw), intent


@pytest.mark.parametrize(
    "method, lie",
    [
        ("eth_getTransactionReceipt", changed(transactionHash=OTHER_HASH)),
        ("eth_getTransactionReceipt", changed(gasUsed="0xffffffff")),
        ("eth_getTransactionReceipt", changed(effectiveGasPrice="0xffffffffffff")),
        ("eth_getTransactionByHash", changed(hash=OTHER_HASH)),
        ("eth_getTransactionByHash", changed(r="0x1")),
        ("eth_getTransactionByHash", changed(yParity="0x5", v="0x5")),
    ],
)
def test_a_mined_transaction_that_is_not_what_we_signed_is_a_lie(
    deceived: EvmChain, liar: FakeNode, node: Anvil, payout: Payout, method: str, lie: Any
) -> None:
    tx_hash, intent = mined_payment(deceived, node, payout)
    liar.lies[method] = lie
    with pytest.raises(NodeLied):
        deceived.locate(tx_hash, intent)


def test_a_receipt_whose_block_is_not_in_the_best_chain_counts_as_not_mined(
    deceived: EvmChain, liar: FakeNode, node: Anvil, payout: Payout
) -> None:
    tx_hash, intent = mined_payment(deceived, node, payout)
    liar.lies["eth_getTransactionReceipt"] = changed(blockHash=OTHER_HASH)
    assert deceived.locate(tx_hash, intent) == Pending()
    liar.lies["eth_getTransactionByHash"] = lambda _: None
    assert deceived.locate(tx_hash, intent) == Missing()


def test_a_receipt_without_its_transaction_is_no_answer(
    deceived: EvmChain, liar: FakeNode, node: Anvil, payout: Payout
) -> None:
    tx_hash, intent = mined_payment(deceived, node, payout)
    liar.lies["eth_getTransactionByHash"] = lambda _: None
    with pytest.raises(Unavailable):
        deceived.locate(tx_hash, intent)


def test_a_receipt_beyond_the_head_has_one_confirmation_and_is_not_final(
    deceived: EvmChain, liar: FakeNode, node: Anvil, payout: Payout
) -> None:
    tx_hash, intent = mined_payment(deceived, node, payout)
    liar.lies["eth_blockNumber"] = lambda _: "0x0"
    found = deceived.locate(tx_hash, intent)
    assert isinstance(found, Mined)
    assert (found.confirmations, found.final) == (1, False)


@pytest.mark.parametrize(
    "log",
    [
        {"address": RECEIVER.lower()},
        {"data": f"0x{999:064x}"},
        {"topics": []},
        {"removed": True},
    ],
)
def test_a_log_that_is_not_the_exact_payment_does_not_pay(
    deceived: EvmChain, liar: FakeNode, node: Anvil, payout: Payout, log: dict[str, object]
) -> None:
    tx_hash, intent = mined_payment(deceived, node, payout)
    liar.lies["eth_getTransactionReceipt"] = lambda truth: {**truth, "logs": [{**truth["logs"][0], **log}]}
    found = deceived.locate(tx_hash, intent)
    assert isinstance(found, Mined)
    assert not found.paid
    assert found.reason


@pytest.mark.parametrize(
    "method, lie",
    [
        ("eth_getBlockByNumber", changed(baseFeePerGas="0x" + "f" * 30)),
        ("eth_getBlockByNumber", lambda _: None),
        ("eth_estimateGas", lambda _: "0x1"),
        ("eth_getBalance", lambda _: "0x0"),
        ("eth_call", lambda _: "0x"),
    ],
)
def test_insane_fees_gas_or_balances_build_nothing(
    deceived: EvmChain, liar: FakeNode, payout: Payout, method: str, lie: Any
) -> None:
    liar.lies[method] = lie
    with pytest.raises(Unavailable):
        deceived.intent(HOT.address, 0, payout)


def test_a_nodes_wish_for_a_tip_is_bounded(deceived: EvmChain, liar: FakeNode, payout: Payout) -> None:
    liar.lies["eth_maxPriorityFeePerGas"] = lambda _: "0x" + "f" * 30
    assert deceived.intent(HOT.address, 0, payout).max_priority_fee_per_gas == 20 * 10**9
    liar.whole["eth_maxPriorityFeePerGas"] = lambda _: {
        "error": {"code": -32601, "message": "no such method"}
    }
    assert deceived.intent(HOT.address, 0, payout).max_priority_fee_per_gas == 10**8


@pytest.mark.parametrize(
    "error, impossible",
    [
        ({"code": 3, "message": "execution reverted"}, True),
        ({"code": -32000, "message": "gas required exceeds allowance (300000)"}, True),
        ({"code": -32000, "message": "header not found"}, False),
        ({"code": -32005, "message": "rate limit"}, False),
    ],
)
def test_a_revert_is_told_apart_from_a_node_that_cannot_say(
    deceived: EvmChain, liar: FakeNode, payout: Payout, error: dict[str, object], impossible: bool
) -> None:
    liar.whole["eth_estimateGas"] = lambda _: {"error": error}
    with pytest.raises(PayoutImpossible if impossible else Unavailable):
        deceived.intent(HOT.address, 0, payout)


def test_a_final_height_above_the_best_is_cut_down_to_it(liar: FakeNode, token: str) -> None:
    with NodeRpc(liar.url, DEV_CHAIN_ID) as rpc:
        chain = EvmChain("ethereum", rpc, EvmSettings(DEV_CHAIN_ID, 3, "tag"))
        liar.lies["eth_getBlockByNumber"] = changed(number="0xffff")
        head = chain.head()
        assert head.final_height == head.height
        liar.lies["eth_getBlockByNumber"] = lambda _: None
        assert chain.head().final_height == -1
        assert chain.final_nonce(HOT.address) == 0


def test_nothing_is_final_that_the_witness_does_not_call_final_too(
    liar: FakeNode, node: Anvil, token: str, payout: Payout
) -> None:
    settings = EvmSettings(DEV_CHAIN_ID, 3, "depth")
    with NodeRpc(node.url, DEV_CHAIN_ID) as rpc, NodeRpc(liar.url, DEV_CHAIN_ID) as witness:
        chain = EvmChain("ethereum", rpc, settings, witness)
        tx_hash, intent = mined_payment(chain, node, payout)
        node.mine(2)

        def final() -> bool:
            found = chain.locate(tx_hash, intent)
            assert isinstance(found, Mined)
            return found.final

        assert final()
        assert chain.final_nonce(HOT.address) == 1
        for method, lie in (
            ("eth_blockNumber", lambda _: "0x1"),
            ("eth_getTransactionReceipt", lambda _: None),
            ("eth_getTransactionReceipt", changed(status="0x0")),
            ("eth_getTransactionReceipt", changed(blockHash=OTHER_HASH)),
            ("eth_getBlockByNumber", changed(hash=OTHER_HASH)),
        ):
            liar.lies = {method: lie}
            assert not final(), method
        liar.lies = {"eth_getTransactionCount": lambda _: "0x0"}
        assert final()
        assert chain.final_nonce(HOT.address) == 0
        liar.whole["eth_blockNumber"] = lambda _: b"no answer"
        with pytest.raises(Unavailable):
            final()
