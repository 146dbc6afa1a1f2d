"""Asking the signer, from the worker's side. Holds no key; one connection, one question at a time."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from penstock.core.intents import Intent
from penstock.core.refusals import Unavailable
from penstock.signer.messages import (
    LENGTH,
    AddressAnswer,
    AddressRequest,
    Answer,
    FrameTooLarge,
    HasSignedAnswer,
    HasSignedRequest,
    RefusedAnswer,
    Request,
    SignedAnswer,
    SignerRefused,
    SignRequest,
    StatusAnswer,
    StatusRequest,
    body_length,
    frame,
    read_answer,
)

TIMEOUT_S = 10.0


class Signed(NamedTuple):
    """raw: the bytes to store and send. tx_hash: their hash by the signer; compute your own too."""

    raw: bytes
    tx_hash: str


class SignerClient:
    """Safe to share between threads; they wait for each other.

    Every call may be repeated: the signer answers a repeated intent with the bytes it signed the first time.
    So after Unavailable nothing is in doubt; ask again with the same intent.
    """

    def __init__(self, socket_path: Path | str, timeout_s: float = TIMEOUT_S) -> None:
        """Connects at the first question. timeout_s: for connecting and for each part of an exchange."""
        self._path = str(socket_path)
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None

    def sign(self, intent: Intent) -> Signed:
        """Have it signed, or get the bytes again that were signed for exactly this intent.

        The answer is in the signer's log, durable, before it is here.
        Raises SignerRefused (nothing was signed) and Unavailable (ask again with the same intent).
        """
        match self._ask(SignRequest(intent)):
            case SignedAnswer(raw=raw, tx_hash=tx_hash):
                try:
                    return Signed(bytes.fromhex(raw), tx_hash)
                except ValueError:
                    raise Unavailable("the signer's answer holds no bytes") from None
            case other:
                raise Unavailable(f"the signer answered with {type(other).__name__}")

    def address(self, network: str) -> str:
        """The address that the signer pays from. Raises SignerRefused (unknown network) and Unavailable."""
        match self._ask(AddressRequest(network)):
            case AddressAnswer(address=address):
                return address
            case other:
                raise Unavailable(f"the signer answered with {type(other).__name__}")

    def has_signed(self, network: str, nonce: int) -> bool:
        """Whether the signer's log holds any transaction for that nonce of its key on that network.

        Raises SignerRefused (unknown network) and Unavailable.
        """
        match self._ask(HasSignedRequest(network, nonce)):
            case HasSignedAnswer(signed=signed):
                return signed
            case other:
                raise Unavailable(f"the signer answered with {type(other).__name__}")

    def status(self) -> StatusAnswer:
        """How far its log is, and its addresses by network. Raises Unavailable."""
        match self._ask(StatusRequest()):
            case StatusAnswer() as answer:
                return answer
            case other:
                raise Unavailable(f"the signer answered with {type(other).__name__}")

    def close(self) -> None:
        """Drop the connection. The next question opens another."""
        with self._lock:
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Request) -> Answer:
        wire = frame(request)
        with self._lock:
            kept = self._connection is not None
            try:
                body = self._exchange(wire)
            except OSError as error:
                # A connection kept from before may belong to a signer that has been started anew since. A
                # timeout says no such thing.
                if not kept or isinstance(error, TimeoutError):
                    raise Unavailable(f"the signer does not answer: {type(error).__name__}") from error
                try:
                    body = self._exchange(wire)
                except OSError as again:
                    raise Unavailable(f"the signer does not answer: {type(again).__name__}") from again
        try:
            answer = read_answer(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Unavailable("the signer's answer cannot be read") from None
        if isinstance(answer, RefusedAnswer):
            raise SignerRefused(answer.reason, answer.detail, signed_before=answer.signed_before)
        return answer

    def _exchange(self, wire: bytes) -> bytes:
        """One question, its answer. Any error drops the connection, so that answers never get out of step."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.sendall(wire)
            length = body_length(_receive(self._connection, LENGTH.size))
            return _receive(self._connection, length)
        except FrameTooLarge as error:
            self._drop()
            raise ConnectionError(str(error)) from error
        except BaseException:
            self._drop()
            raise

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._timeout_s)
            connection.connect(self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _receive(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise ConnectionResetError("the signer closed the connection")
        parts += part
    return bytes(parts)
