"""One event of the outbox: written by its venue, signed, posted, and what came of it recorded.

A crash between the POST and the record leaves the event open, so its receiver gets the same callback once more: at
least once, never "at most".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

import structlog

from penstock.core.commands import RecordDelivery
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.points import point
from penstock.core.refusals import InDoubt, Refused, Unavailable
from penstock.core.states import State
from penstock.core.time import Clock, UnixMs
from penstock.core.views import HistoryView, KeyView, WithdrawalView
from penstock.engine.rows import CallbackRow, OutboxRow
from penstock.venues.venue import WriteCallback
from penstock.webhooks.delivery import Delivery, Post
from penstock.webhooks.schedule import next_attempt_ms

COMMIT_TIMEOUT_S = 30.0
_log = structlog.get_logger(__name__)


class EventReader(Protocol):
    """What delivering needs to read, as in store/reader.py."""

    def due_events(self, now_ms: UnixMs, limit: int, without: Collection[AccountId] = ...) -> list[OutboxRow]:
        """Events to be told by now, longest due first; of each withdrawal only the earliest that is still open.

        without: accounts whose events are left out, so that one account's backlog cannot hide the others.
        """
        ...

    def withdrawal(self, withdrawal_id: WithdrawalId) -> WithdrawalView | None: ...

    def history(self, withdrawal_id: WithdrawalId) -> list[HistoryView]: ...

    def callback(self, account_id: AccountId, venue: str) -> CallbackRow | None: ...

    def find_key(self, key_id: str) -> KeyView | None: ...


class EventStore(Protocol):
    """A store as delivering sees it (store/store.py)."""

    def reader(self) -> EventReader: ...

    def submit(self, command: RecordDelivery) -> Future[object]: ...


class Telling:
    """Tells one event at a time; calls may come from several threads, for different withdrawals.

    writers: how each venue writes a callback, by the venue's name; a venue that is missing has none. stopping: set when
    the service ends. pause_s: how long to wait before an outcome that the store did not take is offered to it again.
    """

    def __init__(
        self,
        store: EventStore,
        writers: Mapping[str, WriteCallback],
        post: Post,
        clock: Clock,
        retry_minutes: Sequence[int],
        stopping: threading.Event,
        pause_s: float,
    ) -> None:
        self._store = store
        self._writers = writers
        self._post = post
        self._clock = clock
        self._retry_minutes = tuple(retry_minutes)
        self._stopping = stopping
        self._pause_s = pause_s

    def tell(self, event: OutboxRow) -> bool | None:
        """Make one attempt and record it. Returns whether the account's callback could be delivered.

        None where nothing was to be sent: the venue tells nothing of this change, or the account has no callback. The
        event counts as told then. Raises Unavailable when it cannot be read; nothing was sent then.
        """
        delivery = self._attempt(event)
        self._record(event, delivery or Delivery())
        point("callback.recorded")
        return None if delivery is None else delivery.delivered

    def is_told(self, account_id: AccountId) -> bool:
        """Whether the account has a callback with any venue that calls back."""
        reader = self._store.reader()
        callbacks = (reader.callback(account_id, venue) for venue in self._writers)
        return any(callback is not None and callback.url for callback in callbacks)

    def pass_over(self, events: Sequence[OutboxRow]) -> None:
        """Record events that nobody is to be told of, together, so that they share a commit.

        Raises Unavailable or InDoubt; those not recorded stay due.
        """
        outcomes = [
            self._store.submit(
                RecordDelivery(event.withdrawal_id, event.sequence, event.tries, delivered=True)
            )
            for event in events
        ]
        for outcome in outcomes:
            # Refused: recorded already.
            with contextlib.suppress(Refused):
                outcome.result(COMMIT_TIMEOUT_S)

    def _attempt(self, event: OutboxRow) -> Delivery | None:
        try:
            send = self._prepared(event)
            if send is None:
                return None
            delivery = send()
        except (Unavailable, InDoubt):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of what a venue writes and a receiver answers
            # A bug that one event meets must neither end the worker nor be met again without a pause.
            _log.exception("callback not sent", **_named(event))
            return Delivery(f"not sent: {type(error).__name__}")
        point("callback.posted")
        return delivery

    def _prepared(self, event: OutboxRow) -> Callable[[], Delivery] | None:
        """What is left to be done once everything was read; None: nobody is to be told."""
        reader = self._store.reader()
        view = reader.withdrawal(event.withdrawal_id)
        assert view is not None, event.withdrawal_id
        callback = reader.callback(view.account_id, view.venue)
        write = self._writers.get(view.venue)
        if write is None or callback is None or not callback.url:
            return None
        key = reader.find_key(callback.key_id)
        if key is None:
            return lambda: Delivery("the key that signs is gone")
        before = _state_before(reader.history(event.withdrawal_id), event.sequence)
        message = write(view, event.state, before, key)
        if message is None:
            return None
        name = f"{event.withdrawal_id}-{event.sequence}"
        return lambda: self._post(callback.url, message, name)

    def _record(self, event: OutboxRow, delivery: Delivery) -> None:
        """Have the outcome stored, however long the store takes nothing; only the service's end gives up."""
        next_ms: UnixMs | None = None
        if not delivery.delivered:
            next_ms = next_attempt_ms(self._retry_minutes, event.tries, self._clock.now_ms())
            _log_failure(event, delivery, next_ms)
        command = RecordDelivery(
            event.withdrawal_id, event.sequence, event.tries, delivery.delivered, next_ms
        )
        while True:
            try:
                self._store.submit(command).result(COMMIT_TIMEOUT_S)
            except Refused as refused:
                # Recorded already (a lost answer, or another worker), or due anew by an operator's wish.
                _log.info("callback's outcome not needed", reason=str(refused), **_named(event))
                return
            except (Unavailable, InDoubt, TimeoutError) as error:
                _log.warning("callback's outcome not recorded yet", reason=str(error), **_named(event))
                if self._stopping.wait(self._pause_s):
                    return
            else:
                return


def _state_before(history: Sequence[HistoryView], sequence: int) -> State | None:
    """The state that change number `sequence` left; None for the first."""
    step = next(step for step in history if step.sequence == sequence)
    return State(step.state_before) if step.state_before else None


def _log_failure(event: OutboxRow, delivery: Delivery, next_ms: UnixMs | None) -> None:
    if next_ms is None:
        _log.error("callback given up", reason=delivery.reason, tries=event.tries + 1, **_named(event))
    else:
        _log.warning(
            "callback not delivered",
            reason=delivery.reason,
            tries=event.tries + 1,
            next_ms=next_ms,
            **_named(event),
        )


def _named(event: OutboxRow) -> dict[str, object]:
    return {
        "withdrawal_id": event.withdrawal_id,
        "sequence": event.sequence,
        "account_id": event.account_id,
        "state": event.state.value,
    }
