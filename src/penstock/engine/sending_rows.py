"""The rows of sending: lanes, nonces and attempts; and of the operator: switches and the audit."""

from __future__ import annotations

from penstock.core.amounts import Units
from penstock.core.ids import AttemptId, WithdrawalId
from penstock.core.time import UnixMs
from penstock.engine.row import Row


class LaneRow(Row, frozen=True, gc=False):
    """A sender of a network. next_nonce: the first never planned. quarantine: "", or why nothing is sent."""

    TABLE = "lanes"
    KEY = ("network", "sender")
    network: str
    sender: str
    next_nonce: int
    owner: str
    lease_until_ms: UnixMs
    epoch: int
    quarantine: str

    @property
    def key(self) -> tuple[str, str]:
        return (self.network, self.sender)


class NonceRow(Row, frozen=True, gc=False):
    """Who uses a nonce: a withdrawal, a filler (withdrawal_id None), or nobody for now (free).

    fee_held: what the gas float holds for it until one transaction with this nonce is final. final: one is.
    """

    TABLE = "nonces"
    KEY = ("network", "sender", "nonce")
    network: str
    sender: str
    nonce: int
    withdrawal_id: WithdrawalId | None
    free: bool
    final: bool
    fee_held: Units

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.network, self.sender, self.nonce)


class AttemptRow(Row, frozen=True, gc=False):
    """One transaction for a withdrawal or a filler. intent is encoded JSON; raw is None until signed."""

    TABLE = "attempts"
    KEY = ("attempt_id",)
    FIXED = frozenset(("withdrawal_id", "network", "sender", "nonce", "intent", "replaces", "created_ms"))
    attempt_id: AttemptId
    withdrawal_id: WithdrawalId | None
    network: str
    sender: str
    nonce: int
    intent: str
    replaces: AttemptId | None
    state: str
    raw: bytes | None
    tx_hash: str
    created_ms: UnixMs
    signed_ms: UnixMs | None
    sent_ms: UnixMs | None

    @property
    def key(self) -> tuple[int]:
        return (self.attempt_id,)


class ControlRow(Row, frozen=True, gc=False):
    """An operator's switch: "sending" or "network/<code>"."""

    TABLE = "controls"
    KEY = ("name",)
    name: str
    stopped: bool
    reason: str
    at_ms: UnixMs

    @property
    def key(self) -> tuple[str]:
        return (self.name,)


class AuditRow(Row, frozen=True, gc=False):
    """One act of an operator: who, what, on what; detail is JSON without secrets."""

    TABLE = "audit"
    KEY = ("audit_id",)
    APPEND_ONLY = True
    WRITE_ONLY = True
    audit_id: int
    actor: str
    act: str
    subject: str
    detail: str
    at_ms: UnixMs

    @property
    def key(self) -> tuple[int]:
        return (self.audit_id,)
