"""A key that signs. The only object in the system that holds key bytes, and it shows them to nobody."""

from __future__ import annotations

from typing import NoReturn

from coincurve import PrivateKey
from eth_utils.crypto import keccak

from penstock.chains.evm import transaction as evm
from penstock.chains.evm.addresses import checksummed
from penstock.chains.simulated import transaction as simulated
from penstock.core.intents import EvmIntent, Intent, SimulatedIntent


class SigningKey:
    """One secp256k1 key, for EVM and for simulated networks alike."""

    __slots__ = ("_private", "evm_address", "public_key", "simulated_address")

    def __init__(self, secret: bytes) -> None:
        """secret: 32 bytes, a number from 1 to the order of the curve less one; ValueError otherwise."""
        self._private = PrivateKey(secret)
        self.public_key = self._private.public_key.format(compressed=False)
        self.evm_address = checksummed(keccak(self.public_key[1:])[-20:])
        self.simulated_address = simulated.address_of(self.public_key)

    def __repr__(self) -> str:
        return f"SigningKey({self.evm_address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not copied out of its process")

    def sign(self, intent: Intent) -> bytes:
        """The signed bytes, as they go to a node. Deterministic (RFC 6979): same intent, same bytes.

        Checks nothing: limits and the guard come before, the inspection of the bytes after.
        """
        match intent:
            case EvmIntent():
                made = self._signature(evm.signing_hash(intent))
                r, s = int.from_bytes(made[:32]), int.from_bytes(made[32:64])
                return evm.assemble(intent, made[64], r, s)
            case SimulatedIntent():
                made = self._signature(simulated.signing_payload(intent))
                return simulated.assemble(intent, made)

    def _signature(self, digest: bytes) -> bytes:
        """65 bytes: r, s (the low one), recovery id."""
        # coincurve leaves the type of an argument that we do not use open.
        return self._private.sign_recoverable(digest, hasher=None)  # pyright: ignore[reportUnknownMemberType]
