"""What the signer is asked to sign: every field of the transaction, as values. Stored before signing."""

from __future__ import annotations

import msgspec


class EvmIntent(msgspec.Struct, frozen=True, tag="evm", forbid_unknown_fields=True):
    """An EIP-1559 transaction. Addresses are EIP-55 text, amounts are wei, `data` is 0x-hex ("0x" when empty)."""

    network: str
    chain_id: int
    sender: str
    nonce: int
    to: str
    value: str
    data: str
    gas: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int

    # value is decimal text: JSON readers elsewhere would lose digits beyond 2**53.

    def same_payment(self, other: Intent) -> bool:
        """Whether `other` differs in fees only: the one change a replacement may make."""
        return isinstance(other, EvmIntent) and self._payment() == other._payment()

    def _payment(self) -> tuple[str, int, str, int, str, str, str]:
        return (self.network, self.chain_id, self.sender, self.nonce, self.to, self.value, self.data)

    def fee_ceiling(self) -> int:
        """The most this transaction can cost in network fees, in the network's own smallest unit."""
        return self.gas * self.max_fee_per_gas


class SimulatedIntent(msgspec.Struct, frozen=True, tag="simulated", forbid_unknown_fields=True):
    """A payment on a simulated chain. units: decimal text, of the token's smallest unit; fee: of the coin's."""

    network: str
    sender: str
    nonce: int
    to: str
    memo: str
    asset: str
    units: str
    fee: int

    def same_payment(self, other: Intent) -> bool:
        """Whether `other` differs in its fee only."""
        return isinstance(other, SimulatedIntent) and msgspec.structs.replace(other, fee=self.fee) == self

    def fee_ceiling(self) -> int:
        return self.fee


Intent = EvmIntent | SimulatedIntent

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Intent)


def encode_intent(intent: Intent) -> bytes:
    """One canonical JSON text: field order is fixed by the struct."""
    return _encoder.encode(intent)


def decode_intent(text: bytes | str) -> Intent:
    """Raises msgspec.ValidationError or msgspec.DecodeError on anything `encode_intent` does not write."""
    return _decoder.decode(text)
