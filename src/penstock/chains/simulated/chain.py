"""The client side of a simulated network: `Chain` over a `SimulatedNode`."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping

import msgspec

from penstock.chains.chain import Head, Located, Mined, Missing, NodeLied, Payout, Pending
from penstock.chains.simulated.node import (
    REPLACEMENT_PERCENT,
    NodeRefused,
    NodeSilent,
    Receipt,
    SimulatedNode,
)
from penstock.chains.simulated.transaction import InvalidTransaction, decode, transaction_hash
from penstock.core.catalogue import Catalogue, Network
from penstock.core.intents import Intent, SimulatedIntent
from penstock.core.refusals import Unavailable

FEE_CEILING = 1_000_000


def contracts_of(catalogue: Catalogue, network: str) -> dict[str, str]:
    """Asset code by token contract, for every token listed on `network`."""
    listings = [listing for (_, code), listing in catalogue.listings.items() if code == network]
    return {listing.contract: listing.asset for listing in listings if listing.contract is not None}


class SimulatedChain:
    """One simulated network as `Chain` asks for it.

    A token is known to the node by its asset code; contracts maps a token's contract to that code.
    fee_ceiling: the most a transaction may cost, in the native coin's smallest unit.
    """

    def __init__(
        self,
        network: Network,
        node: SimulatedNode,
        *,
        contracts: Mapping[str, str] | None = None,
        fee_ceiling: int = FEE_CEILING,
    ) -> None:
        assert (network.code, network.native) == (node.network, node.native), network.code
        self.network = network.code
        self._confirmations = max(network.confirmations, 1)
        self._node = node
        self._contracts = dict(contracts or {})
        self._fee_ceiling = fee_ceiling

    def head(self) -> Head:
        """Final are all blocks with the network's number of confirmations; a block confirms itself once."""
        with _answering():
            height = self._node.height()
        return Head(height=height, final_height=self._final_height(height))

    def next_nonce(self, sender: str) -> int:
        with _answering():
            return self._node.next_nonce(sender)

    def final_nonce(self, sender: str) -> int:
        with _answering():
            return self._node.nonce_at(sender, self._final_height(self._node.height()))

    def balance(self, holder: str, contract: str | None) -> int:
        with _answering():
            return self._node.balance(holder, self._asset(contract))

    def intent(self, sender: str, nonce: int, payout: Payout) -> Intent:
        assert self._asset(payout.contract) == payout.asset, payout
        return self._build(sender, nonce, payout.to, payout.memo, payout.asset, payout.units)

    def filler(self, sender: str, nonce: int) -> Intent:
        return self._build(sender, nonce, sender, "", self._node.native, 0)

    def bumped(self, intent: Intent) -> Intent | None:
        assert isinstance(intent, SimulatedIntent), intent
        with _answering():
            suggested = self._node.suggested_fee()
        fee = max(suggested, -(-intent.fee * REPLACEMENT_PERCENT // 100), intent.fee + 1)
        return msgspec.structs.replace(intent, fee=fee) if fee <= self._fee_ceiling else None

    def tx_hash(self, raw: bytes) -> str:
        return transaction_hash(raw)

    def carries(self, raw: bytes, intent: Intent) -> bool:
        try:
            found, _ = decode(raw)
        except InvalidTransaction:
            return False
        return found == intent

    def send(self, raw: bytes) -> None:
        ours = transaction_hash(raw)
        with _answering():
            theirs = self._node.submit(raw)
        if theirs != ours:
            raise NodeLied(f"{self.network}: the node answered {theirs}, the bytes hash to {ours}")

    def locate(self, tx_hash: str, intent: Intent) -> Located:
        assert isinstance(intent, SimulatedIntent), intent
        with _answering():
            place = self._node.locate(tx_hash)
        receipt = place.receipt
        if receipt is None:
            return Pending() if place.known else Missing()
        reason = receipt.reason or _difference(receipt, intent)
        return Mined(
            height=receipt.height,
            block_hash=receipt.block_hash,
            confirmations=place.height - receipt.height + 1,
            final=receipt.height <= self._final_height(place.height),
            paid=receipt.paid and not reason,
            network_fee=receipt.fee,
            reason=reason,
            unmoved=not receipt.paid,
        )

    def _final_height(self, height: int) -> int:
        return max(height - self._confirmations + 1, -1)

    def _asset(self, contract: str | None) -> str:
        return self._node.native if contract is None else self._contracts[contract]

    def _build(self, sender: str, nonce: int, to: str, memo: str, asset: str, units: int) -> SimulatedIntent:
        with _answering():
            fee = self._node.suggested_fee()
        if fee > self._fee_ceiling:
            raise Unavailable(f"{self.network}: a fee of {fee} is over the ceiling of {self._fee_ceiling}")
        return SimulatedIntent(
            network=self.network,
            sender=sender,
            nonce=nonce,
            to=to,
            memo=memo,
            asset=asset,
            units=str(units),
            fee=fee,
        )


def _difference(receipt: Receipt, intent: SimulatedIntent) -> str:
    """Why the mined payment is not the one intended; "" when it is, exactly."""
    mined = (receipt.asset, receipt.to, receipt.memo, receipt.units)
    return "" if mined == (intent.asset, intent.to, intent.memo, int(intent.units)) else "another payment"


@contextlib.contextmanager
def _answering() -> Generator[None]:
    """Give the node's refusals and silences the one name that `Chain` has for them."""
    try:
        yield
    except NodeRefused as error:
        raise Unavailable(f"the node refused: {error}") from error
    except NodeSilent as error:
        raise Unavailable("the node does not answer") from error
