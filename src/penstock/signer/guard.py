"""Whether to sign: what the log says was signed, against what is asked. Pure; the caller brings time and log.

At most one payment is ever signed for one nonce of one key. The same intent again gets the same bytes again,
a replacement must be the same payment with higher fees, anything else is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.core.intents import Intent
from penstock.core.time import DAY_MS
from penstock.signer.limits import (
    NetworkLimits,
    check_fees,
    check_fields,
    check_payment,
    check_replacement,
    payment_of,
    refuse,
    resource_at,
    resource_of,
)
from penstock.signer.log import Entry
from penstock.signer.messages import Reason, SignerRefused


@dataclass(frozen=True, slots=True)
class Payer:
    """A network's limits and the address that its key has there."""

    limits: NetworkLimits
    sender: str


@dataclass(slots=True)
class _Spent:
    """What was signed away within the last day: (when, how much), oldest first, and the sum."""

    parts: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    total: int = 0

    def add(self, at_ms: int, amount: int) -> None:
        self.parts.append((at_ms, amount))
        self.total += amount

    def within_day(self, now_ms: int) -> int:
        while self.parts and self.parts[0][0] <= now_ms - DAY_MS:
            self.total -= self.parts.popleft()[1]
        return self.total


@dataclass(frozen=True, slots=True)
class Sign:
    """Go ahead: sign, and log with this time and resource."""

    at_ms: int
    resource: str


class Guard:
    """Everything the log says, arranged for the questions. Fed with every entry, in order, by `record`."""

    def __init__(self, payers: Mapping[str, Payer]) -> None:
        """payers: by network code."""
        self._payers = payers
        self._signed: dict[str, list[Entry]] = {}
        self._units: dict[tuple[str, str], _Spent] = {}
        self._fees: dict[str, _Spent] = {}
        self._last_ms = 0

    def record(self, entry: Entry) -> None:
        """Take an entry of the log into account: at start each one, then each new one."""
        network = entry.intent.network
        before = self._signed.setdefault(resource_of(entry.intent), [])
        dearer_by = entry.intent.fee_ceiling() - (before[-1].intent.fee_ceiling() if before else 0)
        self._fees.setdefault(network, _Spent()).add(entry.at_ms, dearer_by)
        if not before:
            # A replacement pays nothing more: one of the two is ever mined.
            payment = payment_of(entry.intent)
            self._units.setdefault((network, payment.asset), _Spent()).add(entry.at_ms, payment.units)
        before.append(entry)
        self._last_ms = max(self._last_ms, entry.at_ms)

    def decide(self, intent: Intent, now_ms: int) -> Sign | Entry:
        """Sign, or answer with this entry of the log. Raises SignerRefused.

        now_ms: wall-clock time. A clock that stepped back is held at the last entry's time.
        """
        payer = self._payer(intent.network)
        resource = resource_of(intent)
        signed = self._signed.get(resource, [])
        # Bytes that were signed once are in the world already: they are given again whatever the limits say
        # today.
        for entry in signed:
            if entry.intent == intent:
                return entry
        try:
            return Sign(self._check(intent, payer, signed, max(now_ms, self._last_ms)), resource)
        except SignerRefused as refused:
            raise SignerRefused(refused.reason, refused.detail, signed_before=bool(signed)) from None

    def has_signed(self, network: str, nonce: int) -> bool:
        """Whether the log holds anything for that nonce of the network's key. Raises SignerRefused."""
        payer = self._payer(network)
        return resource_at(network, payer.limits, payer.sender, nonce) in self._signed

    def _payer(self, network: str) -> Payer:
        payer = self._payers.get(network)
        if payer is None:
            refuse(Reason.NETWORK_UNKNOWN, f"network {network[:64]!r} is not configured")
        return payer

    def _check(self, intent: Intent, payer: Payer, signed: list[Entry], at_ms: int) -> int:
        """Returns `at_ms`, when the intent may be signed then. Raises SignerRefused."""
        if signed and not signed[-1].intent.same_payment(intent):
            refuse(Reason.NONCE_TAKEN, f"another payment was signed for nonce {intent.nonce}")
        check_fields(intent, payer.limits, payer.sender)
        payment = payment_of(intent)
        allowed = check_payment(payment, payer.limits)
        if signed:
            check_replacement(intent, signed[-1].intent)
        check_fees(intent, payer.limits, replacement=bool(signed))
        if not signed and allowed is not None and allowed.day_max is not None:
            spent = self._units.setdefault((intent.network, payment.asset), _Spent()).within_day(at_ms)
            _check_day(spent, payment.units, int(allowed.day_max), payment.asset or "the coin")
        if payer.limits.fee_day_max is not None:
            dearer_by = intent.fee_ceiling() - (signed[-1].intent.fee_ceiling() if signed else 0)
            spent = self._fees.setdefault(intent.network, _Spent()).within_day(at_ms)
            _check_day(spent, dearer_by, int(payer.limits.fee_day_max), "fees")
        return at_ms


def _check_day(spent: int, more: int, at_most: int, of_what: str) -> None:
    if spent + more > at_most:
        refuse(Reason.DAY_LIMIT, f"{of_what}: {spent} within a day and {more} more, at most {at_most}")
