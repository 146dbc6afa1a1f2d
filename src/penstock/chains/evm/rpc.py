"""JSON-RPC to one EVM node: bounded in time and size, its chain id pinned. What it says is not judged here.

A node's URL may hold a key, so no message of ours ever shows it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar, cast

import httpx2
import msgspec

from penstock.core.refusals import Unavailable

T = TypeVar("T")

HTTP_OK = 200

# The library logs every request's URL at level INFO, and a node's URL may hold a key.
logging.getLogger("httpx2").setLevel(logging.WARNING)

# What msgspec raises: bytes that are no UTF-8 come out as a UnicodeDecodeError of their own.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_CHAIN_ID: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)


class RpcLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a node may take and how much it may say.

    connect_ms, wait_ms: for a connection, and between any two bytes. call_ms: for a whole call, however the
    node spreads its bytes. answer_bytes_max: of one answer; a full block's hashes have about 100 KiB.
    """

    connect_ms: int = 2_000
    wait_ms: int = 5_000
    call_ms: int = 10_000
    answer_bytes_max: int = 4 * 1024 * 1024


class NodeRefused(Unavailable):
    """The node answered with an error. Its words are hints, never a proof of anything."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"the node answers {code}: {message[:200]}")
        self.code = code
        self.message = message


class WrongChain(Unavailable):
    """The node serves another chain than the one configured."""


class _Error(msgspec.Struct, frozen=True):
    code: int
    message: str = ""


class _Answer(msgspec.Struct, frozen=True):
    id: int | str | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Error | None = None


_ANSWER: msgspec.json.Decoder[_Answer] = msgspec.json.Decoder(_Answer)


class _Stream(Protocol):
    def get_extra_info(self, info: str) -> object: ...


class NodeRpc:
    """One node. Calls may come from several threads; they take turns on one connection."""

    def __init__(self, url: str, chain_id: int, limits: RpcLimits | None = None) -> None:
        self._limits = limits or RpcLimits()
        self._chain_id = chain_id
        self._lock = threading.Lock()
        self._last_id = 0
        self._connection: _Stream | None = None
        # Local end of the connection on which the chain id was seen; it changes with every new connection.
        self._checked: object = None
        self._distrusted = ""
        self._url = url
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(
                self._limits.wait_ms / 1000,
                connect=self._limits.connect_ms / 1000,
                pool=self._limits.call_ms / 1000,
            ),
            limits=httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60),
            headers={"content-type": "application/json", "accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def distrust(self, reason: str) -> None:
        """Use this node no more: it was caught lying. Every later call raises Unavailable."""
        self._distrusted = reason

    def call(self, answer: msgspec.json.Decoder[T], method: str, *params: object) -> T:
        """Ask the node; `answer` reads the result.

        Raises Unavailable when no answer, no readable one or none in the limits came (whether the node acted
        is then not known), NodeRefused when it answered with an error, WrongChain when it serves another
        chain.
        """
        with self._lock:
            if self._distrusted:
                raise Unavailable(f"the node is not used any more: {self._distrusted}")
            if self._checked is None:
                self._check_chain()
            try:
                result, connection = self._ask(method, params)
                if connection != self._checked:
                    self._check_chain()
            except NodeRefused:
                raise
            except Unavailable:
                self._checked = None
                raise
        return _read(answer, result)

    def _check_chain(self) -> None:
        self._checked = None
        result, connection = self._ask("eth_chainId", ())
        said = _read(_CHAIN_ID, result)
        if said.lower() != hex(self._chain_id):
            raise WrongChain(f"the node serves chain {said[:20]}, not {hex(self._chain_id)}")
        self._checked = connection

    def _ask(self, method: str, params: Sequence[object]) -> tuple[msgspec.Raw, object]:
        """The result as it stands in the answer, and which connection it came by."""
        self._last_id += 1
        asked = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": list(params)}
        try:
            with self._cut_when_late():
                body, connection = self._exchange(msgspec.json.encode(asked))
            answer = _ANSWER.decode(body)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            raise Unavailable(f"the node does not answer {method} ({type(error).__name__})") from error
        except _UNREADABLE as error:
            raise Unavailable(f"the node's answer to {method} is no JSON-RPC") from error
        if answer.error is not None and answer.id in (self._last_id, None):
            raise NodeRefused(answer.error.code, answer.error.message)
        if answer.id != self._last_id or answer.error is not None:
            raise Unavailable(f"the node answers another question than {method}")
        if isinstance(answer.result, msgspec.UnsetType):
            raise Unavailable(f"the node's answer to {method} holds no result")
        return answer.result, connection

    def _exchange(self, body: bytes) -> tuple[bytes, object]:
        with self._client.stream(
            "POST", self._url, content=body, extensions={"trace": self._trace}
        ) as response:
            if response.status_code != HTTP_OK:
                raise Unavailable(f"the node answers with HTTP status {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Unavailable("the node compresses answers though asked not to")
            self._connection = cast("_Stream", response.extensions["network_stream"])
            connection = self._connection.get_extra_info("client_addr")
            text = bytearray()
            for part in response.iter_raw():
                text += part
                if len(text) > self._limits.answer_bytes_max:
                    raise Unavailable("the node's answer is too long")
            return bytes(text), connection

    def _trace(self, event: str, seen: Mapping[str, object]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._connection = cast("_Stream", seen["return_value"])

    @contextlib.contextmanager
    def _cut_when_late(self) -> Generator[None]:
        # The client's own timeout begins anew at every byte, so a node could hold us for hours.
        timer = threading.Timer(self._limits.call_ms / 1000, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        stream = self._connection
        connection = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(connection, socket.socket):
            # It may have been closed in this very moment.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _read(answer: msgspec.json.Decoder[T], result: msgspec.Raw) -> T:
    try:
        return answer.decode(result)
    except _UNREADABLE as error:
        raise Unavailable(f"the node's answer has an unexpected form: {error}"[:300]) from error
