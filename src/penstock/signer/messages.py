"""What passes over the signer's socket: length-prefixed JSON frames, one answer to each request, in order.

A frame is four bytes of length, most significant first, then that many bytes of JSON. Nothing here touches a
socket or a key; the client and the process share it.
"""

from __future__ import annotations

import struct
from enum import StrEnum

import msgspec

from penstock.core.intents import Intent

FRAME_BYTES_MAX = 65_536
LENGTH = struct.Struct(">I")


class Reason(StrEnum):
    """Why the signer would not sign. Nothing was signed and nothing logged."""

    REQUEST_MALFORMED = "request_malformed"
    NETWORK_UNKNOWN = "network_unknown"
    WRONG_KIND = "wrong_kind"
    """The network takes another kind of transaction."""
    WRONG_CHAIN = "wrong_chain"
    WRONG_SENDER = "wrong_sender"
    FIELD_INVALID = "field_invalid"
    SHAPE_FORBIDDEN = "shape_forbidden"
    """Neither a payment of a listed coin or token nor an empty payment to oneself."""
    ASSET_NOT_ALLOWED = "asset_not_allowed"
    PAYMENT_TOO_LARGE = "payment_too_large"
    DAY_LIMIT = "day_limit"
    FEE_TOO_HIGH = "fee_too_high"
    NONCE_TAKEN = "nonce_taken"
    """Another payment was signed for this nonce."""
    FEE_NOT_HIGHER = "fee_not_higher"
    """The same payment was signed for this nonce, and some fee of this one is not above the last one's."""
    SELF_CHECK_FAILED = "self_check_failed"
    """The signed bytes, read back, did not say what the intent says: a fault of the signer."""


class SignRequest(msgspec.Struct, frozen=True, tag="sign", forbid_unknown_fields=True):
    """Sign this, or give again the bytes that were signed for it."""

    intent: Intent


class AddressRequest(msgspec.Struct, frozen=True, tag="address", forbid_unknown_fields=True):
    """From which address does the signer pay on this network?"""

    network: str


class StatusRequest(msgspec.Struct, frozen=True, tag="status", forbid_unknown_fields=True):
    """Is the signer there, and how far is its log?"""


class HasSignedRequest(msgspec.Struct, frozen=True, tag="has_signed", forbid_unknown_fields=True):
    """Was anything ever signed for this nonce of the network's key?"""

    network: str
    nonce: int


Request = SignRequest | AddressRequest | StatusRequest | HasSignedRequest


class SignedAnswer(msgspec.Struct, frozen=True, tag="signed", forbid_unknown_fields=True):
    """raw: the signed bytes in hex, without 0x. again: they were signed earlier and come from the log."""

    raw: str
    tx_hash: str
    again: bool


class AddressAnswer(msgspec.Struct, frozen=True, tag="address", forbid_unknown_fields=True):
    address: str


class StatusAnswer(msgspec.Struct, frozen=True, tag="status", forbid_unknown_fields=True):
    """log_id: which log it is; signed: how many entries it has; head: SHA-256 (hex) of its last line."""

    log_id: str
    signed: int
    head: str
    addresses: dict[str, str]


class HasSignedAnswer(msgspec.Struct, frozen=True, tag="has_signed", forbid_unknown_fields=True):
    signed: bool


class RefusedAnswer(msgspec.Struct, frozen=True, tag="refused", forbid_unknown_fields=True):
    """As SignerRefused, which the client makes of it."""

    reason: Reason
    detail: str
    signed_before: bool = False


Answer = SignedAnswer | AddressAnswer | StatusAnswer | HasSignedAnswer | RefusedAnswer


class SignerRefused(Exception):
    """The signer would not sign; it signed nothing and logged nothing.

    reason: the closed kind. detail: which bound or field, for a person; never a secret.
    signed_before: some transaction was signed earlier for the very nonce that was asked for. It may be mined
    at any time, so nothing that depends on the nonce may be taken back.
    """

    def __init__(self, reason: Reason, detail: str, *, signed_before: bool = False) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.signed_before = signed_before


class FrameTooLarge(ValueError):
    """A frame beyond FRAME_BYTES_MAX; the connection cannot be used any further."""


_encoder = msgspec.json.Encoder()
_requests = msgspec.json.Decoder(Request)
_answers = msgspec.json.Decoder(Answer)


def frame(message: Request | Answer) -> bytes:
    """The bytes that carry a message. Raises FrameTooLarge."""
    body = _encoder.encode(message)
    if len(body) > FRAME_BYTES_MAX:
        raise FrameTooLarge(f"{len(body)} bytes, at most {FRAME_BYTES_MAX}")
    return LENGTH.pack(len(body)) + body


def body_length(head: bytes) -> int:
    """How many bytes follow the four of `head`. Raises FrameTooLarge."""
    (length,) = LENGTH.unpack(head)
    assert isinstance(length, int)
    if length > FRAME_BYTES_MAX:
        raise FrameTooLarge(f"{length} bytes, at most {FRAME_BYTES_MAX}")
    return length


def read_request(body: bytes) -> Request:
    """Raises msgspec.DecodeError (of which ValidationError is one) or UnicodeDecodeError on anything else."""
    return _requests.decode(body)


def read_answer(body: bytes) -> Answer:
    """Raises as `read_request`."""
    return _answers.decode(body)
