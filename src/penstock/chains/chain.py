"""The interface of a chain: everything the chain worker may ask or do. Implementations keep no state about payments."""

from __future__ import annotations

from typing import Protocol

import msgspec

from penstock.core.intents import Intent


class Payout(msgspec.Struct, frozen=True):
    """What is to be paid. units: of the token's smallest unit on this chain. contract: None for the native coin."""

    asset: str
    contract: str | None
    to: str
    memo: str
    units: int


class Head(msgspec.Struct, frozen=True):
    """The node's best block, and the highest one it or the configured depth calls final (-1: none yet)."""

    height: int
    final_height: int


class Missing(msgspec.Struct, frozen=True):
    """The node does not know the transaction. Never evidence of failure by itself."""


class Pending(msgspec.Struct, frozen=True):
    """The node holds it outside a block."""


class Mined(msgspec.Struct, frozen=True):
    """It stands in a block of the node's best chain.

    final: the block is at or below the final height. paid: the receipt's status is good *and* the exact payment shows
    (for a token the Transfer event of the exact amount from us to the receiver; for a coin the value itself).
    network_fee: what the sender paid for it, in the native coin's smallest unit. reason: why not paid, or "".
    unmoved: with paid False, proof that nothing at all was moved, so that the money may be given back.
    """

    height: int
    block_hash: str
    confirmations: int
    final: bool
    paid: bool
    network_fee: int
    reason: str = ""
    unmoved: bool = False


Located = Missing | Pending | Mined


class Chain(Protocol):
    """One network. All calls are synchronous and bounded in time.

    Raises core.refusals.Unavailable when the node does not answer, answers nonsense, or is not the chain it should
    be (chain id); nothing is then known about the question asked.
    """

    network: str

    def head(self) -> Head: ...

    def next_nonce(self, sender: str) -> int:
        """How many transactions of `sender` stand in blocks: the first nonce that the chain would still take."""
        ...

    def final_nonce(self, sender: str) -> int:
        """The same at the final height: every nonce below it is decided for ever."""
        ...

    def balance(self, holder: str, contract: str | None) -> int:
        """What `holder` has, in the smallest unit of the token or, for None, of the native coin."""
        ...

    def intent(self, sender: str, nonce: int, payout: Payout) -> Intent:
        """Build the transaction for a payout with fees of the moment.

        Raises Unavailable when fees are insane or `sender` has too little, PayoutImpossible when the chain
        would not carry the payout out.
        """
        ...

    def filler(self, sender: str, nonce: int) -> Intent:
        """An empty payment from `sender` to itself, to use a nonce up."""
        ...

    def bumped(self, intent: Intent) -> Intent | None:
        """The same payment with fees high enough to replace `intent`; None when the ceiling forbids it."""
        ...

    def tx_hash(self, raw: bytes) -> str:
        """The hash of signed bytes, computed here and not asked of a node."""
        ...

    def carries(self, raw: bytes, intent: Intent) -> bool:
        """Whether signed bytes say exactly what the intent says, its sender's signature included."""
        ...

    def send(self, raw: bytes) -> None:
        """Offer signed bytes to the node. Sending the same bytes again is harmless.

        Returns when the node took them or says it knows them. Raises Unavailable otherwise; the bytes may
        or may not be on their way: look the hash up, then send again. Raises NodeLied when the node
        answers with another hash than ours.
        """
        ...

    def locate(self, tx_hash: str, intent: Intent) -> Located:
        """Where the transaction stands, and whether it did what the intent says."""
        ...


class NodeLied(Exception):
    """The node's answer contradicts what we computed; it must not be used any further."""


class PayoutImpossible(Exception):
    """The chain would not carry it out (the token or the receiver reverts it, it takes too much gas).

    Trying again changes nothing by itself. Nothing was signed.
    """
