"""The message that moves money out of the exchange's layer 2: what the account's Stark key must have signed.

StarkEx Perpetual's WithdrawalToAddress, type 7. Source: StarkWare docs, "Signature construction"; edgeX docs, "L2
Signature"; proved on the samples that edgeX publishes of its own testnet.
"""

from __future__ import annotations

import hashlib

import msgspec

from penstock.venues.edgex.stark import N, pedersen_hash

WITHDRAWAL_TO_ADDRESS = 7
HOUR_MS = 3_600_000
EXPIRATION_HOURS_MAX = 2**32 - 1
AMOUNT_BOUND = 2**64
POSITION_BOUND = 2**64
_PADDING_BITS = 49


class WithdrawalMessage(msgspec.Struct, frozen=True):
    """What is signed. It binds neither the token's contract, nor the client's id beyond its nonce.

    asset_id: of the collateral on layer 2. eth_address: who is paid, as a number. position_id: the account's id.
    amount: in the asset's quantum. expire_ms: Unix milliseconds, of which full hours are signed.
    """

    asset_id: int
    eth_address: int
    position_id: int
    nonce: int
    amount: int
    expire_ms: int

    def digest(self) -> int:
        """The number to be signed: the message's hash modulo the curve's order."""
        hours = self.expire_ms // HOUR_MS
        assert 0 <= self.eth_address < 2**160, "no Ethereum address"
        assert 0 <= self.position_id < POSITION_BOUND, "no position"
        assert 0 <= self.nonce < 2**32, "no nonce"
        assert 0 <= self.amount < AMOUNT_BOUND, "too much for a message"
        assert 0 <= hours <= EXPIRATION_HOURS_MAX, "too late for a message"
        packed = WITHDRAWAL_TO_ADDRESS
        for value, bits in ((self.position_id, 64), (self.nonce, 32), (self.amount, 64), (hours, 32)):
            packed = (packed << bits) + value
        receiver = pedersen_hash(self.asset_id, self.eth_address)
        return pedersen_hash(receiver, packed << _PADDING_BITS) % N


def nonce_of(client_id: str) -> int:
    """The nonce that belongs to a client's id: the first 32 bits of its SHA-256.

    Different ids may share one; then only the first of them can be used.
    """
    return int.from_bytes(hashlib.sha256(client_id.encode()).digest()[:4], "big")
