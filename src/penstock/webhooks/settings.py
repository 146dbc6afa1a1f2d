"""What the operator says about callbacks."""

from __future__ import annotations

import ipaddress

import msgspec

from penstock.webhooks.addresses import Block

RETRY_MINUTES = (1, 5, 15, 30, 60, 90, 120, 180, 240, 240, 240, 240)
"""Pauses after the first attempt and each one that follows it (CryptoProcessing docs, Callbacks, April 2026)."""

RETRIES_MAX = 50
RETRY_MINUTES_MAX = 7 * 24 * 60
TIMEOUT_S_MAX = 60
CONCURRENCY_MIN, CONCURRENCY_MAX = 2, 64


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How callbacks are delivered. A value out of bounds raises ValueError, which a decoder reports with its place.

    allowed_private: networks ("127.0.0.0/8", "fd12:3456::/32") that callbacks may go to although they are not public;
    plain http is allowed to them as well. retry_minutes: pauses between attempts; after the last one it is given up.
    timeout_s: for one whole attempt. concurrency: attempts under way at once. per_account: of these, for one account.
    """

    allowed_private: tuple[str, ...] = ()
    retry_minutes: tuple[int, ...] = RETRY_MINUTES
    timeout_s: int = 10
    concurrency: int = 16
    per_account: int = 2

    def __post_init__(self) -> None:
        self.allowed_blocks()
        if len(self.retry_minutes) > RETRIES_MAX:
            raise ValueError(f"retry_minutes: at most {RETRIES_MAX} retries")
        if not all(1 <= minutes <= RETRY_MINUTES_MAX for minutes in self.retry_minutes):
            raise ValueError(f"retry_minutes: each from 1 to {RETRY_MINUTES_MAX}")
        if not 1 <= self.timeout_s <= TIMEOUT_S_MAX:
            raise ValueError(f"timeout_s: from 1 to {TIMEOUT_S_MAX}")
        if not CONCURRENCY_MIN <= self.concurrency <= CONCURRENCY_MAX:
            raise ValueError(f"concurrency: from {CONCURRENCY_MIN} to {CONCURRENCY_MAX}")
        if not 1 <= self.per_account <= self.concurrency // 2:
            raise ValueError("per_account: from 1 to half of concurrency")

    def allowed_blocks(self) -> tuple[Block, ...]:
        """allowed_private, read. Raises ValueError for what is no network, or has bits set behind its prefix."""
        return tuple(ipaddress.ip_network(text) for text in self.allowed_private)
