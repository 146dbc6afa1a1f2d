"""Addresses the sandbox pays to. Each is the hash of a label in its network's form: well-formed, and nobody's."""

from __future__ import annotations

from penstock.venues.sandbox_account import Destination

EVM_RECEIVER = "0x8304eC68CeB2aE737dAE5b73FA67F0ccB84865C3"
EVM_UNVERIFIED = "0xC8d5c9702B4c9d9893B8e3eA51c0Ab3a86d2bE08"

DESTINATIONS = (
    Destination("USDT", "ethereum", EVM_RECEIVER, "", verified=True, remark="treasury"),
    Destination("USDC", "ethereum", EVM_RECEIVER, "", verified=True, remark="treasury"),
    Destination("ETH", "ethereum", EVM_RECEIVER, "", verified=True, remark="treasury"),
    Destination("USDT", "bsc", EVM_RECEIVER, "", verified=True, remark="treasury"),
    Destination("BNB", "bsc", EVM_RECEIVER, "", verified=True, remark="treasury"),
    Destination("USDT", "tron", "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS", "", verified=True, remark="treasury"),
    Destination("TRX", "tron", "TMuyRH4gC4dGPrhDtgQKSuF8cYDQBwEmXS", "", verified=True, remark="treasury"),
    Destination(
        "BTC", "bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "", verified=True, remark="cold"
    ),
    Destination(
        "SOL", "solana", "8ZTDss24t2XUMX2WS21TjQATtWeaztsKD4HYpDPLTr9W", "", verified=True, remark="cold"
    ),
    Destination("XRP", "ripple", "rUAmRDgxsLWKNgdbJQkbvkYz6k7nyGjd9j", "7001", verified=True, remark="desk"),
    Destination("USDT", "ethereum", EVM_UNVERIFIED, "", verified=False, remark="not verified"),
    Destination(
        "USDT", "tron", "TUH8FbaoER4FRP3SEGXGcJRd7rQNz3beDG", "", verified=False, remark="not verified"
    ),
)

DEPOSIT_ADDRESSES = {
    "ethereum": ("0xB3151203dfD8699555b67F75D46a413C4FAFb6c0", ""),
    "bsc": ("0xB3151203dfD8699555b67F75D46a413C4FAFb6c0", ""),
    "tron": ("TSJ7CPg2ujE9xxmUhHgzWzgoYwsnUVyPDw", ""),
    "bitcoin": ("1HKuCLJJm17Conhr723GzqzfeA8UKa2Yk1", ""),
    "solana": ("HDwhHX3U7SRJVvZE8WeYy1WFRsKXQMweQkYw4nCJxBbT", ""),
    "ripple": ("rHKuULJJmrfUo86ifpsGzqzCew37K2pYkr", "90001"),
}
"""Network to (address, memo) of the seeded account."""
