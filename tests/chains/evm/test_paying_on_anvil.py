"""Payments on a real node: what the chain says about them, and what the node's own balances say."""

from __future__ import annotations

import msgspec
import pytest

from penstock.chains.chain import Located, Mined, Missing, Payout, PayoutImpossible, Pending
from penstock.chains.evm.chain import EvmChain, EvmSettings
from penstock.chains.evm.fees import FeeLimits
from penstock.chains.evm.rpc import NodeRpc, WrongChain
from penstock.core.intents import EvmIntent
from penstock.core.refusals import Unavailable
from penstock.sandbox.evm_setup import DEV_CHAIN_ID
from tests.chains.evm.wallet import HOT, RECEIVER, SUPPLY, compiled, signed
from tests.nodes import Anvil

COIN = 10**18


def coins(units: int, to: str = RECEIVER) -> Payout:
    return Payout("ETH", None, to, "", units)


def tokens(contract: str, units: int, to: str = RECEIVER) -> Payout:
    return Payout("USDT", contract, to, "", units)


def sent(chain: EvmChain, payout: Payout) -> tuple[str, EvmIntent, bytes]:
    intent = chain.intent(HOT.address, chain.next_nonce(HOT.address), payout)
    raw = signed(intent)
    chain.send(raw)
    return chain.tx_hash(raw), intent, raw


def mined(where: Located) -> Mined:
    assert isinstance(where, Mined), where
    return where


def test_a_coin_payment_is_paid_and_the_balances_show_it(chain: EvmChain, node: Anvil) -> None:
    before = node.balance(HOT.address)
    tx_hash, intent, _ = sent(chain, coins(COIN))
    node.mine()
    found = mined(chain.locate(tx_hash, intent))
    assert (found.paid, found.reason) == (True, "")
    assert node.balance(RECEIVER) == COIN == chain.balance(RECEIVER, None)
    assert before - node.balance(HOT.address) == COIN + found.network_fee


def test_a_token_payment_is_paid_and_the_balances_show_it(chain: EvmChain, node: Anvil, token: str) -> None:
    before = node.balance(HOT.address)
    tx_hash, intent, _ = sent(chain, tokens(token, 8_799_999))
    node.mine()
    found = mined(chain.locate(tx_hash, intent))
    assert (found.paid, found.reason) == (True, "")
    assert node.token_balance(token, RECEIVER) == 8_799_999 == chain.balance(RECEIVER, token)
    assert node.token_balance(token, HOT.address) == SUPPLY - 8_799_999
    assert before - node.balance(HOT.address) == found.network_fee <= intent.fee_ceiling()


def test_a_payment_is_missing_then_pending_then_mined_then_final(chain: EvmChain, node: Anvil) -> None:
    intent = chain.intent(HOT.address, 0, coins(1))
    raw = signed(intent)
    tx_hash = chain.tx_hash(raw)
    assert chain.locate(tx_hash, intent) == Missing()
    chain.send(raw)
    assert chain.locate(tx_hash, intent) == Pending()
    seen: list[tuple[int, bool]] = []
    for _ in range(4):
        node.mine()
        found = mined(chain.locate(tx_hash, intent))
        assert found.final == (found.height <= chain.head().final_height)
        seen.append((found.confirmations, found.final))
    assert seen == [(1, False), (2, False), (3, True), (4, True)]


def test_nonces_count_at_the_best_and_at_the_final_height(chain: EvmChain, node: Anvil) -> None:
    sent(chain, coins(1))
    assert (chain.next_nonce(HOT.address), chain.final_nonce(HOT.address)) == (0, 0)
    node.mine()
    assert (chain.next_nonce(HOT.address), chain.final_nonce(HOT.address)) == (1, 0)
    node.mine(2)
    assert (chain.next_nonce(HOT.address), chain.final_nonce(HOT.address)) == (1, 1)


def test_finality_by_tag_follows_the_node(node: Anvil, token: str) -> None:
    with NodeRpc(node.url, DEV_CHAIN_ID) as rpc:
        chain = EvmChain("ethereum", rpc, EvmSettings(DEV_CHAIN_ID, 1, "tag"))
        tx_hash, intent, _ = sent(chain, tokens(token, 5))
        node.mine()
        assert not mined(chain.locate(tx_hash, intent)).final
        node.mine(2 * 32)
        tagged = int(node.ask("eth_getBlockByNumber", "finalized", False)["number"], 16)
        assert chain.head().final_height == tagged
        assert mined(chain.locate(tx_hash, intent)).final
        assert chain.final_nonce(HOT.address) == 1


def test_sending_the_same_bytes_again_is_harmless(chain: EvmChain, node: Anvil) -> None:
    _, _, raw = sent(chain, coins(COIN))
    chain.send(raw)
    node.mine()
    chain.send(raw)
    node.mine(4)
    chain.send(raw)
    node.mine()
    assert node.balance(RECEIVER) == COIN


def test_a_reorganisation_takes_the_payment_back_and_the_same_bytes_pay_again(
    chain: EvmChain, node: Anvil, token: str
) -> None:
    node.mine(5)
    tx_hash, intent, raw = sent(chain, tokens(token, 7))
    node.mine()
    first = mined(chain.locate(tx_hash, intent))
    node.ask("anvil_reorg", 1, [])
    assert chain.locate(tx_hash, intent) == Missing()
    chain.send(raw)
    assert chain.locate(tx_hash, intent) == Pending()
    node.mine()
    again = mined(chain.locate(tx_hash, intent))
    assert again.paid
    assert again.block_hash != first.block_hash
    assert node.token_balance(token, RECEIVER) == 7


def test_a_chain_rolled_back_to_before_the_payment_knows_nothing_of_it(chain: EvmChain, node: Anvil) -> None:
    snapshot = node.ask("evm_snapshot")
    tx_hash, intent, _ = sent(chain, coins(1))
    node.mine()
    assert mined(chain.locate(tx_hash, intent)).paid
    node.ask("evm_revert", snapshot)
    assert chain.locate(tx_hash, intent) == Missing()


def test_a_bump_replaces_and_exactly_one_of_the_two_is_mined(
    chain: EvmChain, node: Anvil, token: str
) -> None:
    old_hash, old, old_raw = sent(chain, tokens(token, 7))
    new = chain.bumped(old)
    assert new is not None
    assert new.same_payment(old)
    raw = signed(new)
    chain.send(raw)
    node.mine()
    assert mined(chain.locate(chain.tx_hash(raw), new)).paid
    assert chain.locate(old_hash, old) == Missing()
    with pytest.raises(Unavailable):
        chain.send(old_raw)
    assert node.token_balance(token, RECEIVER) == 7


def test_a_bump_above_the_ceiling_is_not_made(chain: EvmChain, node: Anvil) -> None:
    _, intent, _ = sent(chain, coins(1))
    tight = FeeLimits(max_fee_per_gas_max=intent.max_fee_per_gas * 9 // 8 + 1)
    with NodeRpc(node.url, DEV_CHAIN_ID) as rpc:
        chain = EvmChain("ethereum", rpc, EvmSettings(DEV_CHAIN_ID, 1, "depth", fee_limits=tight))
        once = chain.bumped(intent)
        assert once is not None
        assert chain.bumped(once) is None


def test_a_filler_uses_the_nonce_up_and_pays_nobody(chain: EvmChain, node: Anvil) -> None:
    filler = chain.filler(HOT.address, 0)
    raw = signed(filler)
    chain.send(raw)
    node.mine()
    found = mined(chain.locate(chain.tx_hash(raw), filler))
    assert found.paid
    assert node.balance(HOT.address) == 1_000 * COIN - found.network_fee
    assert chain.next_nonce(HOT.address) == 1


def test_fees_above_the_limit_build_nothing(node: Anvil, token: str) -> None:
    limits = FeeLimits(max_fee_per_gas_max=1)
    with NodeRpc(node.url, DEV_CHAIN_ID) as rpc:
        chain = EvmChain("ethereum", rpc, EvmSettings(DEV_CHAIN_ID, 1, "depth", fee_limits=limits))
        for build in (
            lambda: chain.intent(HOT.address, 0, tokens(token, 1)),
            lambda: chain.filler(HOT.address, 0),
        ):
            with pytest.raises(Unavailable, match="fees"):
                build()


@pytest.mark.parametrize("excess", [1, 10**30])
def test_an_empty_wallet_is_no_reason_to_refuse_the_payout(chain: EvmChain, token: str, excess: int) -> None:
    for payout in (tokens(token, SUPPLY + excess), coins(1_000 * COIN + excess), coins(1_000 * COIN)):
        with pytest.raises(Unavailable, match="too little"):
            chain.intent(HOT.address, 0, payout)


def test_a_receiver_that_reverts_makes_the_payout_impossible(chain: EvmChain, node: Anvil) -> None:
    creation = {"from": node.ask("eth_accounts")[0], "data": compiled("Unpayable")}
    tx_hash = node.ask("eth_sendTransaction", creation)
    node.mine()
    receiver = node.ask("eth_getTransactionReceipt", tx_hash)["contractAddress"]
    with pytest.raises(PayoutImpossible, match="no coins"):
        chain.intent(HOT.address, 0, coins(1, receiver))


def test_a_payout_that_needs_too_much_gas_is_impossible(node: Anvil, token: str) -> None:
    with NodeRpc(node.url, DEV_CHAIN_ID) as rpc:
        chain = EvmChain("ethereum", rpc, EvmSettings(DEV_CHAIN_ID, 1, "depth", gas_limit_max=30_000))
        with pytest.raises(PayoutImpossible):
            chain.intent(HOT.address, 0, tokens(token, 1))


def test_nothing_is_built_towards_a_forbidden_or_wrong_address(chain: EvmChain, token: str) -> None:
    for to in (token, HOT.address, "0x" + "0" * 40, RECEIVER.replace("aB", "AB"), ""):
        with pytest.raises(PayoutImpossible):
            chain.intent(HOT.address, 0, coins(1, to))
    with pytest.raises(PayoutImpossible, match="memo"):
        chain.intent(HOT.address, 0, msgspec.structs.replace(coins(1), memo="7"))


def test_a_payment_to_the_wallet_that_pays_is_not_built_whatever_the_list_says(node: Anvil) -> None:
    with NodeRpc(node.url, DEV_CHAIN_ID) as rpc:
        chain = EvmChain("ethereum", rpc, EvmSettings(DEV_CHAIN_ID, 1, "depth"))
        with pytest.raises(PayoutImpossible, match="forbidden"):
            chain.intent(HOT.address, 0, coins(1, HOT.address.lower()))


def test_a_payment_reverted_in_its_block_is_mined_but_not_paid(
    chain: EvmChain, node: Anvil, token: str
) -> None:
    first = chain.intent(HOT.address, 0, tokens(token, SUPPLY))
    second = chain.intent(HOT.address, 1, tokens(token, 1))
    for intent in (first, second):
        chain.send(signed(intent))
    node.mine()
    found = mined(chain.locate(chain.tx_hash(signed(second)), second))
    assert (found.paid, found.reason) == (False, "reverted")
    assert found.network_fee > 0
    assert node.token_balance(token, RECEIVER) == SUPPLY


def test_a_balance_where_no_token_stands_is_unavailable_not_zero(chain: EvmChain) -> None:
    with pytest.raises(Unavailable, match="no token"):
        chain.balance(HOT.address, RECEIVER)


def test_a_node_of_another_chain_is_not_used(node: Anvil) -> None:
    with NodeRpc(node.url, 1) as rpc, pytest.raises(WrongChain, match="0x7a69"):
        EvmChain("ethereum", rpc, EvmSettings(1, 3, "depth")).head()


def test_a_node_that_is_gone_is_unavailable_for_every_call(chain: EvmChain, node: Anvil) -> None:
    intent = chain.intent(HOT.address, 0, coins(1))
    raw = signed(intent)
    node.stop()
    for call in (
        chain.head,
        lambda: chain.next_nonce(HOT.address),
        lambda: chain.final_nonce(HOT.address),
        lambda: chain.balance(HOT.address, None),
        lambda: chain.intent(HOT.address, 0, coins(1)),
        lambda: chain.filler(HOT.address, 0),
        lambda: chain.bumped(intent),
        lambda: chain.send(raw),
        lambda: chain.locate(chain.tx_hash(raw), intent),
    ):
        with pytest.raises(Unavailable):
            call()
