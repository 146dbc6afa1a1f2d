"""The front process as our child: started on a socket that stays open here, started again when it ends on its own."""

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
from penstock.store.link.serving import ServedLink
from penstock.store.store import LinkedStore

READY_S_MAX = 60.0
STOP_S_MAX = 20.0
CHECK_S = 0.2

_log = structlog.get_logger(__name__)


class FrontKeeper:
    """Listens, and runs the front that answers there."""

    def __init__(self, store: LinkedStore, host: str, port: int) -> None:
        """Raises Unavailable when the port cannot be had."""
        self._store = store
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
            ) from error
        bound = self._listening.getsockname()[1]
        self.base_url = f"http://[{host}]:{bound}" if family == socket.AF_INET6 else f"http://{host}:{bound}"
        self._front: subprocess.Popen[bytes] | None = None
        self._link: ServedLink | None = None

    def start(self, config: FrontConfig) -> None:
        """Start a front and wait until it takes requests. Raises Unavailable when it does not; stderr says why.

        config: its descriptors are filled in here.
        """
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        told = msgspec.structs.replace(
            config, listening=self._listening.fileno(), link=theirs.fileno(), ready=writing
        )
        try:
            self._front = subprocess.Popen(
                [sys.executable, "-m", "penstock.server.front"],
                stdin=subprocess.PIPE,
                pass_fds=(told.listening, told.link, told.ready),
            )
            assert self._front.stdin is not None
            with self._front.stdin as stdin:
                stdin.write(msgspec.json.encode(told))
            os.close(writing)
            theirs.close()
            self._link = ServedLink(self._store, ours)
            heard = select.select([reading], [], [], READY_S_MAX)[0] and os.read(reading, len(READY))
        finally:
            os.close(reading)
        if heard != READY:
            self.stop()
            raise Unavailable("the front process did not start")

    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._front is None else self._front.poll()

    def run_until(self, stopping: StopRequest, config: FrontConfig) -> None:
        """Keep a front running until `stopping` is set. Raises Unavailable when a new one does not start."""
        while not stopping.wait(CHECK_S):
            if self.exit_code() is not None and not stopping.is_set():
                _log.error("the front process ended; starting it again", exit_code=self.exit_code())
                self._end_link()
                self.start(config)

    def stop(self) -> None:
        """Let it finish what it has taken, then end it."""
        if self._front is not None:
            self._front.terminate()
            try:
                self._front.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self._front.kill()
                self._front.wait()
        self._end_link()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.close()

    def _end_link(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
