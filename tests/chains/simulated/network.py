"""A small network and the keys that pay on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from coincurve import PrivateKey

from penstock.chains.chain import Payout
from penstock.chains.simulated.chain import SimulatedChain
from penstock.chains.simulated.node import SimulatedNode
from penstock.chains.simulated.script import Script
from penstock.chains.simulated.transaction import address_of, assemble, signing_payload
from penstock.core.catalogue import Network
from penstock.core.intents import SimulatedIntent
from penstock.core.time import ManualClock

NETWORK = Network(code="tron", family="tron", native="TRX", confirmations=3)
CONTRACT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
RECEIVER = "TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW"
BLOCK_MS = 1_000


def key_of(number: int) -> PrivateKey:
    return PrivateKey(number.to_bytes(32, "big"))


def address(number: int) -> str:
    return address_of(key_of(number).public_key.format())


def sign(intent: SimulatedIntent, number: int = 1) -> bytes:
    return assemble(intent, key_of(number).sign_recoverable(signing_payload(intent), hasher=None))


def payment(
    nonce: int = 0, units: int = 5, fee: int = 1_000, number: int = 1, **changes: str
) -> SimulatedIntent:
    intent = SimulatedIntent(
        network="tron",
        sender=address(number),
        nonce=nonce,
        to=RECEIVER,
        memo="",
        asset="USDT",
        units=str(units),
        fee=fee,
    )
    return msgspec.structs.replace(intent, **changes)


@dataclass
class Net:
    """A funded node, its client side, its script, and the clock that moves all three."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(1_800_000_000_000))
    path: str | None = None
    options: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.node = self.open()
        for number in (1, 2):
            self.node.fund(address(number), "USDT", 1_000)
            self.node.fund(address(number), "TRX", 1_000_000)

    def open(self) -> SimulatedNode:
        self.node = SimulatedNode(
            "tron", "TRX", self.clock, path=self.path, block_ms=BLOCK_MS, **self.options
        )
        self.chain = SimulatedChain(NETWORK, self.node, contracts={CONTRACT: "USDT"})
        self.script = Script(self.node, self.clock)
        return self.node

    def blocks(self, count: int) -> None:
        self.clock.advance(count * BLOCK_MS)

    def payout(self, units: int = 5, memo: str = "") -> Payout:
        return Payout(asset="USDT", contract=CONTRACT, to=RECEIVER, memo=memo, units=units)
