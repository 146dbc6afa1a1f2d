"""An EVM chain behind one node: builds payments, sends bytes, and says where a transaction stands.

Nothing a node says is taken on trust where we can compute it: hashes are ours, the chain id is pinned, and a
transaction that the node shows must, put together again, have the hash that we signed. What remains on trust
is the node's view of the best chain and of a receipt's status and logs.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from penstock.chains.chain import (
    Head,
    Located,
    Mined,
    Missing,
    NodeLied,
    Payout,
    PayoutImpossible,
    Pending,
)
from penstock.chains.evm import answers, erc20, fees, transaction
from penstock.chains.evm.addresses import check_evm_address, checksummed
from penstock.chains.evm.answers import number
from penstock.chains.evm.rpc import NodeRefused, NodeRpc
from penstock.core.intents import EvmIntent, Intent
from penstock.core.refusals import Refused, Unavailable

TRANSFER_GAS = 21_000
"""What a payment without a call costs, always (yellow paper, appendix G)."""

REVERT_CODE = 3
# Nodes have no common code for these. A word misread costs a payout refused or tried again, never money.
IMPOSSIBLE_HINTS = ("revert", "out of gas", "outofgas", "gas required exceeds", "invalid opcode")

REVERTED = "reverted"
NO_TRANSFER = "no transfer event"
OTHER_AMOUNT = "another amount moved"


class EvmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the operator knows about the chain.

    finality: "tag" believes the node's `finalized` block, "depth" counts `confirmations` blocks, the
    transaction's own included. forbidden: EIP-55 addresses never to be paid (our wallets, token contracts).
    gas_margin_percent: added to the node's estimate; gas_limit_max: no payment may use more.
    """

    chain_id: int
    confirmations: int
    finality: Literal["tag", "depth"]
    forbidden: frozenset[str] = frozenset()
    fee_limits: fees.FeeLimits = fees.FeeLimits()
    gas_limit_max: int = 300_000
    gas_margin_percent: int = 25


class EvmChain:
    """One EVM network. Implements `penstock.chains.chain.Chain`."""

    def __init__(
        self, network: str, rpc: NodeRpc, settings: EvmSettings, witness: NodeRpc | None = None
    ) -> None:
        """witness: a second node, run by somebody else; nothing is final unless it says the same."""
        assert settings.confirmations >= 1, settings.confirmations
        self.network = network
        self._rpc = rpc
        self._settings = settings
        self._witness = witness

    # ---- looking ------------------------------------------------------------------------------------------

    def head(self) -> Head:
        """The best height and the final one, by tag or depth as configured."""
        return self._head(self._rpc)

    def _head(self, rpc: NodeRpc) -> Head:
        if self._settings.finality == "depth":
            height = number(rpc.call(answers.QUANTITY, "eth_blockNumber"))
            return Head(height, max(height - self._settings.confirmations + 1, -1))
        # The older of the two first, so that the final height is never above the best one.
        final = rpc.call(answers.BLOCK, "eth_getBlockByNumber", "finalized", False)  # noqa: FBT003 - wire
        height = number(rpc.call(answers.QUANTITY, "eth_blockNumber"))
        return Head(height, min(number(final.number), height) if final is not None else -1)

    def next_nonce(self, sender: str) -> int:
        return _nonce(self._rpc, sender, "latest")

    def final_nonce(self, sender: str) -> int:
        """As in `Chain.final_nonce`. The lower of two views counts."""
        return min(self._final_nonce(rpc, sender) for rpc in (self._rpc, self._witness) if rpc is not None)

    def _final_nonce(self, rpc: NodeRpc, sender: str) -> int:
        final_height = self._head(rpc).final_height
        return _nonce(rpc, sender, hex(final_height)) if final_height >= 0 else 0

    def balance(self, holder: str, contract: str | None) -> int:
        if contract is None:
            return number(self._rpc.call(answers.QUANTITY, "eth_getBalance", holder, "latest"))
        asked = {"to": contract, "data": erc20.balance_call(holder)}
        word = self._rpc.call(answers.BYTES, "eth_call", asked, "latest")
        if len(word) != 2 + 2 * erc20.WORD_BYTES:
            raise Unavailable(
                f"{contract} answers balanceOf with {len(word) // 2 - 1} bytes: no token there?"
            )
        return number(word)

    # ---- building -----------------------------------------------------------------------------------------

    def intent(self, sender: str, nonce: int, payout: Payout) -> EvmIntent:
        """As in `Chain.intent`; what `sender` must have is the amount and the highest fee."""
        assert payout.units > 0, payout
        if payout.memo:
            raise PayoutImpossible("this chain carries no memo")
        try:
            to = check_evm_address(payout.to, self._settings.forbidden | {sender})
        except Refused as refused:
            raise PayoutImpossible(str(refused)) from refused
        price = self._quote()
        if payout.contract is None:
            target, value, call = to, payout.units, "0x"
        else:
            target, value, call = checksummed(payout.contract), 0, erc20.transfer_call(to, payout.units)
            if self.balance(sender, target) < payout.units:
                raise Unavailable(f"{sender} has too little {payout.asset}")
        coins = self.balance(sender, None)
        if coins < value:
            raise Unavailable(f"{sender} has too little of the chain's own coin")
        gas = self._gas(sender, target, value, call)
        if coins < value + gas * price.max_fee_per_gas:
            raise Unavailable(f"{sender} has too little of the chain's own coin to pay fees")
        return self._intent(sender, nonce, (target, value, call), gas, price)

    def filler(self, sender: str, nonce: int) -> EvmIntent:
        return self._intent(sender, nonce, (sender, 0, "0x"), TRANSFER_GAS, self._quote())

    def bumped(self, intent: Intent) -> EvmIntent | None:
        assert isinstance(intent, EvmIntent), intent
        before = fees.Fees(intent.max_fee_per_gas, intent.max_priority_fee_per_gas)
        after = fees.bump(before, self._market(), self._settings.fee_limits)
        if after is None:
            return None
        replacement = msgspec.structs.replace(
            intent, max_fee_per_gas=after.max_fee_per_gas, max_priority_fee_per_gas=after.tip
        )
        assert replacement.same_payment(intent)
        return replacement

    def _intent(
        self, sender: str, nonce: int, payment: tuple[str, int, str], gas: int, price: fees.Fees
    ) -> EvmIntent:
        to, value, call = payment
        built = EvmIntent(
            network=self.network,
            chain_id=self._settings.chain_id,
            sender=sender,
            nonce=nonce,
            to=to,
            value=str(value),
            data=call,
            gas=gas,
            max_fee_per_gas=price.max_fee_per_gas,
            max_priority_fee_per_gas=price.tip,
        )
        transaction.check_intent(built)
        return built

    def _quote(self) -> fees.Fees:
        price = self._market()
        if price is None:
            raise Unavailable("fees are above the configured limit")
        return price

    def _market(self) -> fees.Fees | None:
        newest = self._rpc.call(answers.BLOCK, "eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - wire
        if newest is None or newest.base_fee_per_gas is None:
            raise Unavailable("the node knows no base fee")
        try:
            tip = number(self._rpc.call(answers.QUANTITY, "eth_maxPriorityFeePerGas"))
        except NodeRefused:
            # Not every node gives this advice; the limits' least tip then has to do.
            tip = 0
        return fees.quote(number(newest.base_fee_per_gas), tip, self._settings.fee_limits)

    def _gas(self, sender: str, to: str, value: int, call: str) -> int:
        most = self._settings.gas_limit_max
        asked = {"from": sender, "to": to, "value": hex(value), "data": call, "gas": hex(most)}
        try:
            estimate = number(self._rpc.call(answers.QUANTITY, "eth_estimateGas", asked))
        except NodeRefused as refused:
            said = refused.message.lower()
            if refused.code == REVERT_CODE or any(hint in said for hint in IMPOSSIBLE_HINTS):
                raise PayoutImpossible(
                    f"the chain would not carry it out: {refused.message[:200]}"
                ) from refused
            raise
        if estimate < TRANSFER_GAS:
            raise Unavailable(f"the node estimates {estimate} gas, less than any transaction takes")
        if estimate > most:
            raise PayoutImpossible(f"it takes {estimate} gas, more than {most}")
        return min(estimate * (100 + self._settings.gas_margin_percent) // 100, most)

    # ---- sending and watching -----------------------------------------------------------------------------

    def tx_hash(self, raw: bytes) -> str:
        return transaction.tx_hash(raw)

    def carries(self, raw: bytes, intent: Intent) -> bool:
        try:
            return transaction.decode_signed(raw, self.network) == intent
        except transaction.NotOurTransaction:
            return False

    def send(self, raw: bytes) -> None:
        ours = transaction.tx_hash(raw)
        try:
            theirs = self._rpc.call(answers.HASH, "eth_sendRawTransaction", "0x" + raw.hex())
        except NodeRefused:
            # "already known", "nonce too low" and all other words lead here: what the node holds counts.
            if self._transaction(ours) is None:
                raise
            return
        if theirs.lower() != ours:
            raise self._lie(f"it calls our transaction {ours} by the name {theirs.lower()}")

    def locate(self, tx_hash: str, intent: Intent) -> Located:
        """As in `Chain.locate`. Raises NodeLied when the node shows another transaction under this hash."""
        assert isinstance(intent, EvmIntent), intent
        # The head comes first: a block final by then and still in the best chain afterwards stays in it.
        head = self.head()
        receipt = self._rpc.call(answers.RECEIPT, "eth_getTransactionReceipt", tx_hash)
        if receipt is not None and receipt.transaction_hash.lower() != tx_hash:
            raise self._lie(f"it gives the receipt of {receipt.transaction_hash} for {tx_hash}")
        height = _best_chain_height(self._rpc, receipt)
        held = self._transaction(tx_hash)
        if held is None:
            if height is not None:
                raise Unavailable("the node has a receipt but no transaction")
            return Missing()
        self._check_same(held, tx_hash, intent)
        if receipt is None or receipt.block_hash is None or height is None:
            return Pending()
        network_fee = number(receipt.gas_used) * number(receipt.effective_gas_price)
        if network_fee > intent.fee_ceiling():
            raise self._lie(f"it says {tx_hash} cost {network_fee}, more than it allows")
        reason = _why_unpaid(receipt, intent)
        return Mined(
            height=height,
            block_hash=receipt.block_hash.lower(),
            confirmations=max(head.height - height + 1, 1),
            final=height <= head.final_height and self._witnessed(tx_hash, intent, reason, height),
            paid=not reason,
            network_fee=network_fee,
            reason=reason,
            unmoved=reason == REVERTED,
        )

    def _witnessed(self, tx_hash: str, intent: EvmIntent, reason: str, height: int) -> bool:
        """Whether the witness, where there is one, calls the same outcome at the same height final."""
        if self._witness is None:
            return True
        final_height = self._head(self._witness).final_height
        seen = self._witness.call(answers.RECEIPT, "eth_getTransactionReceipt", tx_hash)
        if seen is None or _best_chain_height(self._witness, seen) != height:
            return False
        return height <= final_height and _why_unpaid(seen, intent) == reason

    def _transaction(self, tx_hash: str) -> answers.NodeTransaction | None:
        found = self._rpc.call(answers.TRANSACTION, "eth_getTransactionByHash", tx_hash)
        if found is not None and found.hash.lower() != tx_hash:
            raise self._lie(f"it gives {found.hash} for {tx_hash}")
        return found

    def _check_same(self, held: answers.NodeTransaction, tx_hash: str, intent: EvmIntent) -> None:
        """The intent, with the signature the node shows, must have the hash: then it is what we signed."""
        parity = held.y_parity or held.v
        if parity is None:
            raise Unavailable("the node shows no signature")
        raw = transaction.assemble(intent, number(parity), number(held.r), number(held.s))
        if transaction.tx_hash(raw) != tx_hash:
            raise self._lie(f"what it holds as {tx_hash} is not what we signed")

    def _lie(self, what: str) -> NodeLied:
        self._rpc.distrust(what)
        return NodeLied(what)


def _nonce(rpc: NodeRpc, sender: str, block: str) -> int:
    return number(rpc.call(answers.QUANTITY, "eth_getTransactionCount", sender, block))


def _best_chain_height(rpc: NodeRpc, receipt: answers.Receipt | None) -> int | None:
    """The height of the receipt's block; None when that block is not, or no longer, in the best chain."""
    if receipt is None or receipt.block_number is None or receipt.block_hash is None:
        return None
    best = rpc.call(answers.BLOCK, "eth_getBlockByNumber", receipt.block_number, False)  # noqa: FBT003 - wire
    if best is None or best.hash.lower() != receipt.block_hash.lower():
        return None
    return number(receipt.block_number)


def _why_unpaid(receipt: answers.Receipt, intent: EvmIntent) -> str:
    """Empty when the receipt shows the payment; else REVERTED, NO_TRANSFER or OTHER_AMOUNT with the amounts.

    After REVERTED nothing moved. After the two others the token did something else than it was asked to, and
    a person has to look at what it moved.
    """
    if number(receipt.status) != 1:
        return REVERTED
    if intent.data == "0x":
        return ""
    asked = erc20.read_transfer_call(intent.data)
    assert asked is not None, intent.data
    amounts = erc20.moved(receipt.logs, intent.to, intent.sender, asked.to)
    if asked.units in amounts:
        return ""
    return f"{OTHER_AMOUNT}: {amounts[0]} instead of {asked.units}" if amounts else NO_TRANSFER
