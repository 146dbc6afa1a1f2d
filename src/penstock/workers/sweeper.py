"""The sweeper: closes what time has closed. So far challenges that nobody answered."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import structlog

from penstock.core.commands import Expire
from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.time import Clock
from penstock.store.outage import Outage
from penstock.store.store import Store

SWEPT_AT_ONCE = 500

_log = structlog.get_logger(__name__)


def sweep(store: Store, clock: Clock) -> int:
    """Expire challenges whose time is over, at most SWEPT_AT_ONCE. Returns how many were looked at.

    Raises Unavailable or InDoubt; what was not swept then is the next sweep's. The engine looks at the time again, so
    sweeping twice, or from two processes, does no harm.
    """
    due = store.reader().expired_challenges(clock.now_ms(), SWEPT_AT_ONCE)
    futures: list[Future[object]] = [
        store.submit(Expire(challenge.account_id, challenge.venue, challenge.nonce)) for challenge in due
    ]
    for future in futures:
        future.result()
    return len(due)


class Sweeper:
    """A thread that sweeps until it is stopped. interval_s: how long to rest between sweeps."""

    def __init__(self, store: Store, clock: Clock, interval_s: float) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._outage = Outage("sweep cut short", "sweeps go on again")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the sweep under way, then end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                while sweep(self._store, self._clock) == SWEPT_AT_ONCE and not self._stop.is_set():
                    pass
                self._outage.worked()
            except (Unavailable, InDoubt) as error:
                self._outage.failed(str(error))
            except Exception:  # noqa: BLE001 - the boundary of the loop
                # A bug must not end the thread: the next sweep starts from what is stored.
                _log.exception("sweep failed")
