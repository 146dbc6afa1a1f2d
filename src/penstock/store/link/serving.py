"""The store's side of a link: reads commands from a front process, queues them, sends outcomes back."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence

import msgspec
import structlog

from penstock.core.refusals import Unavailable
from penstock.store.delivery import Outcome
from penstock.store.link.counting import CountKeeper, Take
from penstock.store.link.wire import Frames, frame_outcomes, read_commands
from penstock.store.store import LinkedStore

READ_BYTES = 1024 * 1024

_log = structlog.get_logger(__name__)


class ServedLink:
    """One front's connection, with the thread that reads it. Outcomes are sent by the writer's thread."""

    def __init__(self, store: LinkedStore, counts: CountKeeper, connection: socket.socket) -> None:
        self._store = store
        self._counts = counts
        self._connection = connection
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="store-link", daemon=True)
        self._thread.start()

    def answer(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        """A Link (store/delivery.py). A front that is gone is not told; it reported doubt to its own callers."""
        frame = frame_outcomes(self._store.keys_generation, outcomes)
        with self._sending, contextlib.suppress(OSError):
            self._connection.sendall(frame)

    def close(self) -> None:
        """End the connection and its thread."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def _read(self) -> None:
        frames = Frames()
        try:
            while data := self._connection.recv(READ_BYTES):
                for body in frames.feed(data):
                    self._queue(body)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("a front's link broke", reason=str(error))

    def _queue(self, body: bytes) -> None:
        asked = read_commands(body)
        takes = [(number, take) for number, take in asked if isinstance(take, Take)]
        if takes:
            self._counts.submit(self, takes)
        numbered = [(number, command) for number, command in asked if not isinstance(command, Take)]
        if not numbered:
            return
        try:
            self._store.submit_from(self, numbered)
        except Unavailable as unavailable:
            self.answer([(number, unavailable) for number, _ in numbered])
