"""The webhook worker: a thread that looks for events that are due, and others that tell them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog

from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.time import Clock
from penstock.engine.rows import OutboxRow
from penstock.store.outage import Outage
from penstock.venues.venue import WriteCallback
from penstock.webhooks.delivery import Post
from penstock.webhooks.settings import WebhookSettings
from penstock.webhooks.slots import Slots
from penstock.webhooks.telling import EventStore, Telling

SILENT_READ_MAX = 256
"""Events read at once while all that was read last is of accounts without a callback."""

_log = structlog.get_logger(__name__)


class WebhookWorker:
    """Tells the outside of every event, in order for each withdrawal, until it is stopped.

    Payments never wait for it: it only reads what they committed. It keeps no state that a restart would miss.

    writers: how each venue writes a callback, by the venue's name. post: webhooks/delivery.py Poster.post. interval_s:
    how long to rest when nothing is due.
    """

    def __init__(
        self,
        store: EventStore,
        writers: Mapping[str, WriteCallback],
        post: Post,
        clock: Clock,
        settings: WebhookSettings,
        interval_s: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._outage = Outage("due callbacks cannot be looked after", "due callbacks are looked after again")
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._telling = Telling(
            store, writers, post, clock, settings.retry_minutes, self._stopping, interval_s
        )
        self._lock = threading.Lock()
        self._slots = Slots(settings.concurrency, settings.per_account)
        self._concurrency = settings.concurrency
        # Those under way are still due, so they fill up to `concurrency` places of what is read.
        self._read_max = 2 * settings.concurrency
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="webhook")
        self._thread = threading.Thread(target=self._work, name="webhook-worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the attempts under way, each within its own time limit, then end. What was not started stays due."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self._start_due()
                self._outage.worked()
            except (Unavailable, InDoubt, TimeoutError) as error:
                self._outage.failed(str(error) or "no commit in time")
            except Exception:  # noqa: BLE001 - the boundary of the loop
                # A bug must not end the thread that every other callback depends on.
                _log.exception("looking for due callbacks failed")
            self._wake.wait(self._interval_s)
            self._wake.clear()

    def _start_due(self) -> None:
        """Start what is due, until nothing more is or no slot is left for it. Events of accounts without a callback
        need no slot: they are recorded at once, many in one commit.
        """
        going = True
        while going and not self._stopping.is_set():
            with self._lock:
                if self._slots.full:
                    return
                closed, under_way = self._slots.closed(), self._slots.under_way()
            events = self._store.reader().due_events(self._clock.now_ms(), self._read_max, closed)
            # An attempt that has ended since that look at the slots may be recorded in the meantime; its event, as
            # it was read, would then be told twice.
            events = [event for event in events if event.withdrawal_id not in under_way]
            told = {
                account
                for account in {event.account_id for event in events}
                if self._telling.is_told(account)
            }
            started = sum(self._start(event) for event in events if event.account_id in told)
            silent = [event for event in events if event.account_id not in told]
            self._telling.pass_over(silent)
            self._read_max = SILENT_READ_MAX if len(silent) == len(events) else 2 * self._concurrency
            going = bool(started or silent)

    def _start(self, event: OutboxRow) -> bool:
        with self._lock:
            if not self._slots.take(event):
                return False
        self._pool.submit(self._tell, event)
        return True

    def _tell(self, event: OutboxRow) -> None:
        well: bool | None = None
        try:
            well = self._telling.tell(event)
        except Exception as error:  # noqa: BLE001 - the boundary of the thread
            # Nothing was recorded, so the event is due at once again: not without a pause.
            _log.warning("callback put off", withdrawal_id=event.withdrawal_id, reason=repr(error))
            self._stopping.wait(self._interval_s)
        with self._lock:
            self._slots.free(event, well=well)
        self._wake.set()
