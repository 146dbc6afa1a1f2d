"""What passes between a front process and the store's: length-prefixed JSON frames of many commands, or many outcomes.

JSON because it carries integers beyond 64 bits exactly (amounts in wei), and because nothing that is read here can be
anything but the structs named: the front is the process that strangers talk to.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec

from penstock.core.commands import Command
from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.core.views import Accepted, AnswerRejected
from penstock.engine.rows import AccountRow, ApiKeyRow, BookRow, CallbackRow, DepositAddressRow, DepositRow
from penstock.engine.sending_rows import AttemptRow, AuditRow, ControlRow, LaneRow
from penstock.store.link.counting import Take, Taken

LENGTH = struct.Struct(">I")
FRAME_BYTES_MAX = 16 * 1024 * 1024

Asked = Command | Take
Numbered = list[tuple[int, Asked]]


class Nothing(msgspec.Struct, frozen=True, tag=True):
    """A command that answers None."""


class RefusedOutcome(msgspec.Struct, frozen=True, tag=True):
    code: RefusalCode
    detail: dict[str, str | int]


class UnavailableOutcome(msgspec.Struct, frozen=True, tag=True):
    reason: str


class InDoubtOutcome(msgspec.Struct, frozen=True, tag=True):
    reason: str


Answer = (
    Accepted
    | AnswerRejected
    | Taken
    | Nothing
    | RefusedOutcome
    | UnavailableOutcome
    | InDoubtOutcome
    | AccountRow
    | ApiKeyRow
    | BookRow
    | CallbackRow
    | DepositRow
    | DepositAddressRow
    | ControlRow
    | LaneRow
    | AttemptRow
    | AuditRow
)


class Outcomes(msgspec.Struct, frozen=True, array_like=True):
    """keys_generation: the store's, so that the front's cache of keys knows when to empty itself."""

    keys_generation: int
    outcomes: list[tuple[int, Answer]]


_encoder = msgspec.json.Encoder()
_commands = msgspec.json.Decoder(Numbered)
_outcomes = msgspec.json.Decoder(Outcomes)


def frame_commands(numbered: Numbered) -> bytes:
    return _frame(_encoder.encode(numbered))


def read_commands(body: bytes) -> Numbered:
    """Raises msgspec.DecodeError or UnicodeDecodeError."""
    return _commands.decode(body)


def frame_outcomes(keys_generation: int, outcomes: Sequence[tuple[int, object]]) -> bytes:
    """Outcomes as the writer gives them: answers, or exceptions to raise on the other side."""
    told = [(number, _told(outcome)) for number, outcome in outcomes]
    return _frame(_encoder.encode((keys_generation, told)))


def read_outcomes(body: bytes) -> Outcomes:
    """Raises msgspec.DecodeError or UnicodeDecodeError."""
    return _outcomes.decode(body)


def _frame(body: bytes) -> bytes:
    assert len(body) <= FRAME_BYTES_MAX, len(body)
    return LENGTH.pack(len(body)) + body


def _told(outcome: object) -> object:
    if isinstance(outcome, Accepted):
        return outcome  # what nearly every one is
    match outcome:
        case None:
            return Nothing()
        case Refused():
            return RefusedOutcome(outcome.code, outcome.detail)
        case Unavailable():
            return UnavailableOutcome(str(outcome))
        case Exception():
            # A bug's own words stay in this process's log.
            return InDoubtOutcome(str(outcome) if isinstance(outcome, InDoubt) else "internal error")
        case _:
            return outcome


def raised(answer: Answer) -> Exception | None:
    """The exception that an answer stands for, if it stands for one."""
    match answer:
        case RefusedOutcome():
            return Refused(answer.code, **answer.detail)
        case UnavailableOutcome():
            return Unavailable(answer.reason)
        case InDoubtOutcome():
            return InDoubt(answer.reason)
        case _:
            return None


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies that are complete now. Raises ConnectionError for a frame that is too long."""
        buffer = self._buffer
        buffer += data
        found: list[bytes] = []
        at = 0
        while len(buffer) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer, at)
            if length > FRAME_BYTES_MAX:
                raise ConnectionError(f"a frame of {length} bytes")
            end = at + LENGTH.size + length
            if len(buffer) < end:
                break
            found.append(bytes(buffer[at + LENGTH.size : end]))
            at = end
        del buffer[:at]
        return found
