"""Copying SQLite's log into the database beside the writer, so that no batch waits for it.

By default the commit that makes the log long copies all of it: some 8 MB and a flush, 25 ms in which nobody is
answered. Here a thread copies while the writer goes on. Only the writer can begin the log anew, and only when all of
it is copied; so now and then, right behind such a copy, one commit copies the little that came since.
"""

# pyright: reportUnknownMemberType=false
# apsw types blobs by a name its own stubs do not define.
from __future__ import annotations

import threading
from collections.abc import Callable

import apsw
import structlog

COPY_FRAMES = 8_000
"""So many frames (pages in the log) that are not copied are worth a copy beside the writer."""
RENEW_FRAMES = 16_000
"""From this length on the log is begun anew as soon as little is left to copy."""
LITTLE_FRAMES = 2_000
FORCED_FRAMES = 96_000
"""A log of this length is copied by the writer, however much that is: the thread does not keep up."""

_log = structlog.get_logger(__name__)


class Checkpoints:
    """Keeps the log of one database short. open_connection: for the thread that copies; not used for anything else.

    `copying` is held while the thread copies; whoever needs the log to himself takes it. A copy that fails is tried
    again: what is committed stands in the log until it is copied.
    """

    def __init__(self, open_connection: Callable[[], apsw.Connection]) -> None:
        self.copying = threading.Lock()
        self._open = open_connection
        self._wake = threading.Event()
        self._closing = False
        self._length = 0
        self._copied = 0
        self._tried = 0
        self._thread = threading.Thread(target=self._work, name="store-checkpoints", daemon=True)
        self._thread.start()

    def watch(self, connection: apsw.Connection) -> None:
        """Look after the log that this connection writes, in place of SQLite's own rule."""
        self._length = self._copied = self._tried = 0
        connection.set_wal_hook(self._committed)

    def close(self) -> None:
        """End the thread and close its connection. Before the writer's is closed, which then copies the rest."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _committed(self, connection: apsw.Connection, _name: str, frames: int) -> int:
        """Told by SQLite behind every commit how long the log is, in the writer's thread."""
        if frames < self._length:
            self._copied = self._tried = 0
        self._length = frames
        left = frames - self._copied
        due = frames >= RENEW_FRAMES and frames - self._tried >= LITTLE_FRAMES
        if due and (left <= LITTLE_FRAMES or frames >= FORCED_FRAMES):
            # A reader that looks at an old state keeps the log from being copied whole: not again at once.
            self._tried = frames
            self._copy(connection)
        elif left >= COPY_FRAMES:
            self._wake.set()
        return apsw.SQLITE_OK

    def _work(self) -> None:
        connection: apsw.Connection | None = None
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._closing:
                break
            with self.copying:
                try:
                    connection = connection or self._open()
                except apsw.Error as error:
                    _log.warning("the log cannot be copied beside the writer", reason=str(error))
                    continue
                self._copy(connection)
        if connection is not None:
            connection.close()

    def _copy(self, connection: apsw.Connection) -> None:
        length = self._length
        try:
            _, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            return  # the other of the two is copying
        except apsw.Error as error:
            _log.warning("the log was not copied into the database", reason=str(error))
            return
        # Unless the log was begun anew meanwhile, which is then a shorter one.
        if self._length >= length:
            self._copied = copied
