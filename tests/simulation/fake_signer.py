"""A fake of the signing process: same promises, a real key, and its log in memory. It is no part of the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from coincurve import PrivateKey

from penstock.chains.simulated.transaction import address_of, assemble, signing_payload, transaction_hash
from penstock.core.intents import Intent, SimulatedIntent
from penstock.core.refusals import Unavailable
from penstock.signer.client import Signed
from penstock.signer.messages import Reason, SignerRefused


@dataclass
class FakeSigner:
    """Signs for one network with one key. refuses: what its limits say of an intent, None for yes."""

    network: str
    key: PrivateKey = field(default_factory=lambda: PrivateKey((7).to_bytes(32, "big")))
    log: dict[int, list[tuple[SimulatedIntent, bytes]]] = field(default_factory=dict)
    refuses: Callable[[SimulatedIntent], Reason | None] = lambda _: None
    silent: bool = False

    def address(self, network: str) -> str:
        assert network == self.network
        return address_of(self.key.public_key.format())

    def has_signed(self, network: str, nonce: int) -> bool:
        self._answer()
        assert network == self.network
        return nonce in self.log

    def sign(self, intent: Intent) -> Signed:
        self._answer()
        assert isinstance(intent, SimulatedIntent)
        signed = self.log.setdefault(intent.nonce, []) if intent.nonce in self.log else []
        for known, raw in signed:
            if known == intent:
                return Signed(raw, transaction_hash(raw))
        if signed and not intent.same_payment(signed[0][0]):
            raise SignerRefused(Reason.NONCE_TAKEN, f"nonce {intent.nonce}")
        if signed and intent.fee <= signed[-1][0].fee:
            raise SignerRefused(Reason.FEE_NOT_HIGHER, f"nonce {intent.nonce}")
        refused = self.refuses(intent)
        if refused is not None:
            raise SignerRefused(refused, "by order of the test")
        raw = self.raw(intent)
        self.log.setdefault(intent.nonce, []).append((intent, raw))
        return Signed(raw, transaction_hash(raw))

    def raw(self, intent: SimulatedIntent) -> bytes:
        """Sign without looking: what somebody else with the same key would do."""
        return assemble(intent, self.key.sign_recoverable(signing_payload(intent), hasher=None))

    def exclusive(self) -> bool:
        """Whether every nonce was signed for one payment only (promise P5)."""
        return all(
            intent.same_payment(signed[0][0]) for signed in self.log.values() for intent, _ in signed
        )

    def _answer(self) -> None:
        if self.silent:
            raise Unavailable("the signer does not answer")
