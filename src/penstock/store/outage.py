"""Saying once that something has stopped working, and once that it works again, however often it is tried."""

from __future__ import annotations

import logging
import threading
import time

import structlog

_log = structlog.get_logger(__name__)


class Outage:
    """One thing that may stop working: a database, a lane. Any thread may call.

    gone, back: the lines of the log; `back` says how long it was and how many tries had failed. level: of both, as in
    `logging`. named: what stands in both, such as which network.
    """

    def __init__(self, gone: str, back: str, level: int = logging.WARNING, **named: object) -> None:
        self._gone = gone
        self._back = back
        self._level = level
        self._named = named
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._began_s = 0.0
        self._failures = 0

    def failed(self, reason: str) -> None:
        """A try failed. Logged where the one before had not, or had for another reason."""
        with self._lock:
            if not self._failures:
                self._began_s = time.monotonic()
            self._failures += 1
            if reason == self._reason:
                return
            self._reason = reason
        _log.log(self._level, self._gone, reason=reason, **self._named)

    def worked(self) -> None:
        """A try succeeded. Costs nothing where the one before had, too."""
        if not self._failures:
            return
        with self._lock:
            failures, self._failures, self._reason = self._failures, 0, None
            lasted_s = time.monotonic() - self._began_s
        if failures:
            _log.log(self._level, self._back, after_s=round(lasted_s, 1), failures=failures, **self._named)
