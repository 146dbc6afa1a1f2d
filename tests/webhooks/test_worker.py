"""The worker with real threads and sockets: everybody is served, whoever hangs holds up nobody else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator

import pytest
import structlog

from penstock.core.ids import AccountId
from penstock.core.refusals import Unavailable
from penstock.core.time import ManualClock, UnixMs
from penstock.engine.rows import OutboxRow
from penstock.venues.venue import Callback
from penstock.webhooks.delivery import Delivery, Poster
from penstock.webhooks.settings import WebhookSettings
from penstock.webhooks.telling import Telling
from penstock.workers.webhook_worker import WebhookWorker
from tests.webhooks.outbox import START_MS, TOLD, VENUE, Outbox, told, write
from tests.webhooks.receiver import answers, hangs, receiving

PATIENT_MS = 60_000
SETTINGS = WebhookSettings(allowed_private=("127.0.0.0/8",), concurrency=8, per_account=2)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(ManualClock(START_MS))


@contextlib.contextmanager
def working(
    outbox: Outbox,
    settings: WebhookSettings = SETTINGS,
    timeout_ms: int = PATIENT_MS,
    interval_s: float = 0.01,
) -> Iterator[WebhookWorker]:
    poster = Poster(settings.allowed_blocks(), timeout_ms)
    worker = WebhookWorker(outbox, {VENUE: write}, poster.post, ManualClock(START_MS), settings, interval_s)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def test_many_withdrawals_are_told_each_in_order_and_each_change_once(outbox: Outbox) -> None:
    with receiving() as receiver:
        account = outbox.add_account(1, receiver.url)
        for number in range(40):
            outbox.add_withdrawal(account, number)
        with working(outbox):
            outbox.await_events(lambda events: all(event.due_ms is None for event in events))
    assert told([arrived.body for arrived in receiver.arrived]) == dict.fromkeys(range(40), TOLD)
    assert all(event.delivered_ms == START_MS for event in outbox.events())


def test_accounts_without_a_callback_are_passed_over_however_many_events_they_have(outbox: Outbox) -> None:
    with receiving() as receiver:
        silent = outbox.add_account(1, "")
        for number in range(100):
            outbox.add_withdrawal(silent, number)
        outbox.add_withdrawal(outbox.add_account(2, receiver.url), 1_000)
        with working(outbox):
            outbox.await_events(lambda events: all(event.due_ms is None for event in events))
    assert told([arrived.body for arrived in receiver.arrived]) == {1_000: TOLD}
    assert all(event.delivered_ms == START_MS for event in outbox.events())


def test_what_is_passed_over_may_have_been_recorded_before(outbox: Outbox) -> None:
    outbox.add_withdrawal(outbox.add_account(1, ""), 1, states=1)
    (event,) = outbox.events()
    telling = Telling(
        outbox, {VENUE: write}, Poster((), 1).post, ManualClock(START_MS), (), threading.Event(), 0
    )
    telling.pass_over([event, event])
    assert len(outbox.records) == 1


def test_the_next_change_is_told_without_waiting_for_the_next_look(outbox: Outbox) -> None:
    with receiving() as receiver:
        outbox.add_withdrawal(outbox.add_account(1, receiver.url), 1)
        with working(outbox, interval_s=3_600):
            outbox.await_events(lambda events: all(event.due_ms is None for event in events))
    assert told([arrived.body for arrived in receiver.arrived]) == {1: TOLD}


def test_an_event_done_with_while_the_outbox_is_read_is_not_told_twice() -> None:
    gate, posted = threading.Event(), list[str]()

    def post(_url: str, _callback: Callback, event: str) -> Delivery:
        posted.append(event)
        assert gate.wait(20)
        return Delivery()

    class OutOfDate(Outbox):
        """What it answers is as old as it can be: meanwhile everything under way has been done with."""

        def due_events(
            self, now_ms: UnixMs, limit: int, without: Collection[AccountId] = ()
        ) -> list[OutboxRow]:
            found = super().due_events(now_ms, limit, without)
            if posted:
                gate.set()
                while worker._slots.under_way():
                    gone.wait(0.001)
            return found

    gone = threading.Event()
    outbox = OutOfDate(ManualClock(START_MS))
    outbox.add_withdrawal(outbox.add_account(1, "https://hooks.example.com/"), 1, states=1)
    worker = WebhookWorker(outbox, {VENUE: write}, post, ManualClock(START_MS), SETTINGS, 0.01)
    worker.start()
    outbox.await_events(lambda events: all(event.due_ms is None for event in events))
    worker.stop()
    assert posted == ["1-1"]


def test_a_receiver_that_hangs_holds_up_its_own_account_only(outbox: Outbox) -> None:
    with receiving(hangs) as dead, receiving() as alive:
        hanging = outbox.add_account(1, dead.url)
        # The oldest, and far more than the worker ever looks at together.
        for number in range(100):
            outbox.add_withdrawal(hanging, number)
        others = [outbox.add_account(account, alive.url) for account in range(2, 6)]
        for number, account in enumerate(others, 1_000):
            outbox.add_withdrawal(account, number)
        with working(outbox):
            outbox.await_events(
                lambda events: all(event.due_ms is None for event in events if event.account_id != hanging)
            )
            assert dead.hanging.acquire(timeout=10)
            assert dead.connections <= SETTINGS.per_account
            dead.released.set()
        heard = told([arrived.body for arrived in alive.arrived])
        assert heard == dict.fromkeys(range(1000, 1004), TOLD)


def test_however_many_receivers_hang_the_others_keep_half_of_the_slots(outbox: Outbox) -> None:
    retry = WebhookSettings(("127.0.0.0/8",), (1,) * 12, 10, concurrency=4, per_account=2)
    with receiving(answers("500 Oops"), hangs) as dead, receiving() as alive:
        clock = ManualClock(START_MS)
        box = Outbox(clock)
        sick = [box.add_account(account, dead.url) for account in range(1, 7)]
        # The first attempt of each fails at once and marks its account; then all of them hang.
        dead.script[:] = [answers("500 Oops")] * len(sick) + [hangs]
        for number, account in enumerate(sick):
            box.add_withdrawal(account, number, states=1)
        poster = Poster(retry.allowed_blocks(), PATIENT_MS)
        worker = WebhookWorker(box, {VENUE: write}, poster.post, clock, retry, 0.01)
        worker.start()
        try:
            box.await_events(lambda events: all(event.tries == 1 for event in events))
            clock.advance(60_000)
            for _ in range(2):
                assert dead.hanging.acquire(timeout=10)
            for number in range(100, 120):
                box.add_withdrawal(box.add_account(number, alive.url), number)
            box.await_events(lambda events: all(e.due_ms is None for e in events if e.withdrawal_id >= 100))
            assert dead.connections == len(sick) + 2
            dead.released.set()
        finally:
            worker.stop()
    assert told([arrived.body for arrived in alive.arrived]) == dict.fromkeys(range(100, 120), TOLD)


def test_stopping_finishes_what_is_under_way_and_starts_nothing_more(outbox: Outbox) -> None:
    with receiving(hangs) as receiver:
        account = outbox.add_account(1, receiver.url)
        for number in range(10):
            outbox.add_withdrawal(account, number, states=1)
        with working(outbox, timeout_ms=1_000):
            for _ in range(2):
                assert receiver.hanging.acquire(timeout=10)
        # Both were cut off by their own limit, and that is recorded.
        assert sorted(event.tries for event in outbox.events()) == [0] * 8 + [1] * 2
        assert receiver.connections == 2


def test_a_worker_that_never_started_stops_too(outbox: Outbox) -> None:
    worker = WebhookWorker(outbox, {}, Poster((), 1_000).post, ManualClock(START_MS), SETTINGS, 1)
    worker.stop()


@pytest.mark.parametrize("error", [Unavailable("no connection"), ZeroDivisionError()])
def test_an_outbox_that_cannot_be_read_is_read_again(outbox: Outbox, error: Exception) -> None:
    with receiving() as receiver, structlog.testing.capture_logs() as logs:
        outbox.add_withdrawal(outbox.add_account(1, receiver.url), 1)
        outbox.unreadable = [error, error]
        with working(outbox):
            outbox.await_events(lambda events: all(event.due_ms is None for event in events))
    assert len([entry for entry in logs if entry["log_level"] in {"warning", "error"}]) == 2


def test_a_lost_store_puts_an_event_off_and_loses_nothing(outbox: Outbox) -> None:
    with receiving() as receiver, structlog.testing.capture_logs():
        outbox.add_withdrawal(outbox.add_account(1, receiver.url), 1)
        outbox.unavailable = [Unavailable("queue full"), ZeroDivisionError("a bug")]
        with working(outbox):
            outbox.await_events(lambda events: all(event.due_ms is None for event in events))
    # The bug came after the POST: the event went out once more, which "at least once" allows.
    assert told([arrived.body for arrived in receiver.arrived]) == {1: ["held", *TOLD]}
