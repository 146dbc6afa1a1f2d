"""The front processes as our children: started on a socket that stays open here, and again when one ends."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys

import msgspec
import structlog

from penstock.core.refusals import Unavailable
from penstock.process import StopRequest
from penstock.server.front import READY, FrontConfig
from penstock.server.http import BACKLOG
from penstock.store.link.counting import CountKeeper
from penstock.store.link.serving import ServedLink
from penstock.store.store import LinkedStore

READY_S_MAX = 60.0
STOP_S_MAX = 20.0
CHECK_S = 0.2

_log = structlog.get_logger(__name__)


class _Front:
    """One front process and the link to it."""

    def __init__(self, process: subprocess.Popen[bytes], link: ServedLink) -> None:
        self.process = process
        self._link = link

    def end(self) -> None:
        """Let it finish what it has taken, then end it."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._link.close()


class FrontKeeper:
    """Listens, and runs the fronts that answer there. config: its descriptors are filled in here."""

    def __init__(
        self, store: LinkedStore, counts: CountKeeper, config: FrontConfig, host: str, port: int
    ) -> None:
        """Raises Unavailable when the port cannot be had."""
        self._store = store
        self._counts = counts
        self._config = config
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
            ) from error
        bound = self._listening.getsockname()[1]
        self.base_url = f"http://[{host}]:{bound}" if family == socket.AF_INET6 else f"http://{host}:{bound}"
        self._fronts: list[_Front] = []

    def start(self, count: int) -> None:
        """Start so many fronts and wait until they take requests. Raises Unavailable when one does not."""
        for _ in range(count):
            self._fronts.append(self._started())

    def run_until(self, stopping: StopRequest) -> None:
        """Keep the fronts running until `stopping` is set.

        Raises Unavailable when a new one does not start and no other one is left to answer.
        """
        while not stopping.wait(CHECK_S):
            for at, front in enumerate(self._fronts):
                if front.process.poll() is not None and not stopping.is_set():
                    self._start_again(at, front)

    def _start_again(self, at: int, ended: _Front) -> None:
        """Raises Unavailable as `run_until` does. While others answer, the next look tries once more."""
        _log.error("a front process ended; starting it again", exit_code=ended.process.poll())
        ended.end()
        try:
            self._fronts[at] = self._started()
        except Unavailable as error:
            if all(front.process.poll() is not None for front in self._fronts):
                raise
            _log.error("a front process does not start", reason=str(error))

    def stop(self) -> None:
        """Let them finish what they have taken, then end them."""
        for front in self._fronts:
            front.process.terminate()
        for front in self._fronts:
            front.end()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.close()

    def _started(self) -> _Front:
        """A front that takes requests. Raises Unavailable when it does not; stderr says why."""
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        told = msgspec.structs.replace(
            self._config, listening=self._listening.fileno(), link=theirs.fileno(), ready=writing
        )
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "penstock.server.front"],
                stdin=subprocess.PIPE,
                pass_fds=(told.listening, told.link, told.ready),
            )
            assert process.stdin is not None
            with process.stdin as stdin:
                stdin.write(msgspec.json.encode(told))
            os.close(writing)
            theirs.close()
            front = _Front(process, ServedLink(self._store, self._counts, ours))
            heard = select.select([reading], [], [], READY_S_MAX)[0] and os.read(reading, len(READY))
        finally:
            os.close(reading)
        if heard != READY:
            front.end()
            raise Unavailable("a front process did not start")
        return front
