"""A fake of the signing process: its promises, a real key, its log in memory. No part of the service."""

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
    """Signs for one network with one key. refuses: what its limits say of an intent, None for yes.

    answers_with: what it hands over instead of the bytes asked for, when it is not itself any more.
    """

    network: str
    key: PrivateKey = field(default_factory=lambda: PrivateKey((7).to_bytes(32, "big")))
    log: dict[int, list[tuple[SimulatedIntent, bytes]]] = field(default_factory=dict)
    refuses: Callable[[SimulatedIntent], Reason | None] = lambda _: None
    silent: bool = False
    loses_answers: bool = False
    answers_with: Callable[[SimulatedIntent], SimulatedIntent] | None = None

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
        signed = self.log.get(intent.nonce, [])
        raw = next((raw for known, raw in signed if known == intent), None)
        if raw is None:
            reason = self._why_not(intent, [known for known, _ in signed])
            if reason is not None:
                raise SignerRefused(reason, f"nonce {intent.nonce}", signed_before=bool(signed))
            raw = self.raw(intent)
            self.log.setdefault(intent.nonce, []).append((intent, raw))
        if self.loses_answers:
            raise Unavailable("signed, and nobody heard it")
        if self.answers_with is not None:
            raw = self.raw(self.answers_with(intent))
        return Signed(raw, transaction_hash(raw))

    def _why_not(self, intent: SimulatedIntent, signed: list[SimulatedIntent]) -> Reason | None:
        if signed and not intent.same_payment(signed[0]):
            return Reason.NONCE_TAKEN
        if signed and intent.fee <= signed[-1].fee:
            return Reason.FEE_NOT_HIGHER
        return self.refuses(intent)

    def raw(self, intent: SimulatedIntent) -> bytes:
        """Sign without looking: what somebody else with the same key would do."""
        return assemble(intent, self.key.sign_recoverable(signing_payload(intent), hasher=None))

    def exclusive(self) -> bool:
        """Whether every nonce was signed for one payment only (promise P5)."""
        return all(intent.same_payment(signed[0][0]) for signed in self.log.values() for intent, _ in signed)

    def _answer(self) -> None:
        if self.silent:
            raise Unavailable("the signer does not answer")
