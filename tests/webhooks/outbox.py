"""A store that holds nothing but events: in memory, decided by the engine's own rule, with faults on order."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

from penstock.core.amounts import Units
from penstock.core.commands import RecordDelivery
from penstock.core.ids import AccountId, TimeOrderedIds, WithdrawalId
from penstock.core.states import State
from penstock.core.time import ManualClock, UnixMs
from penstock.core.views import HistoryView, KeyView, WithdrawalView
from penstock.engine.events import decide_delivery
from penstock.engine.rows import CallbackRow, OutboxRow
from penstock.engine.rules import Moment
from penstock.engine.snapshot import Snapshot
from penstock.venues.venue import Callback

START_MS = 1_800_000_000_000
STATES = (State.HELD, State.APPROVED, State.PLANNED, State.SIGNED, State.SENT, State.MINED, State.CONFIRMED)
VENUE = "somewhere"
SECRET = b"callback-secret-01"


def write(view: WithdrawalView, entered: State, before: State | None, key: KeyView) -> Callback | None:
    """What the tests' venue tells. Of a signature it says nothing: in its words that is no change."""
    if entered is State.SIGNED:
        return None
    body = json.dumps({"id": view.withdrawal_id, "status": entered.value, "before": before and before.value})
    signature = hmac.new(key.secret, body.encode(), hashlib.sha512).hexdigest()
    return Callback(
        ((b"content-type", b"application/json"), (b"x-signature", signature.encode())), body.encode()
    )


def key_of(account_id: AccountId) -> KeyView:
    everything: Any = (frozenset(), (), None, False, False)
    return KeyView(f"key-{account_id}", VENUE, account_id, SECRET, "", *everything)


class Outbox:
    """Store and reader in one. unavailable: what the next submissions raise, in turn."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._ids = TimeOrderedIds(node=1)
        self._events: dict[tuple[int, int], OutboxRow] = {}
        self._venues: dict[int, str] = {}
        self._changed = threading.Condition(threading.RLock())
        self.callbacks: dict[AccountId, CallbackRow] = {}
        self.keys: dict[str, KeyView] = {}
        self.unavailable: list[Exception] = []
        self.unreadable: list[Exception] = []
        self.records: list[RecordDelivery] = []

    # --- what a test arranges and sees ---

    def add_account(self, account: int, url: str) -> AccountId:
        account_id = AccountId(account)
        key = key_of(account_id)
        self.keys[key.key_id] = key
        self.callbacks[account_id] = CallbackRow(account_id, VENUE, url, key.key_id)
        return account_id

    def add_withdrawal(
        self, account_id: AccountId, number: int, states: int = len(STATES), venue: str = VENUE
    ) -> WithdrawalId:
        """A withdrawal that went through its first `states` states, each of which waits to be told."""
        withdrawal_id = WithdrawalId(number)
        self._venues[number] = venue
        now_ms = self._clock.now_ms()
        for sequence, state in enumerate(STATES[:states], 1):
            event = OutboxRow(withdrawal_id, sequence, account_id, state, now_ms, now_ms, 0, None)
            self._events[event.key] = event
        return withdrawal_id

    def events(self) -> list[OutboxRow]:
        with self._changed:
            return list(self._events.values())

    def open_events(self) -> list[OutboxRow]:
        return [event for event in self.events() if event.due_ms is not None]

    def await_events(self, holds: Callable[[list[OutboxRow]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self.events()), 20), self.open_events()

    # --- the store ---

    def reader(self) -> Outbox:
        return self

    def submit(self, command: RecordDelivery) -> Future[object]:
        if self.unavailable:
            raise self.unavailable.pop(0)
        outcome: Future[object] = Future()
        with self._changed:
            snapshot = Snapshot()
            key = (command.withdrawal_id, command.sequence)
            snapshot.loaded(OutboxRow, [key], [self._events[key]])
            try:
                decision = decide_delivery(snapshot, command, Moment(self._clock.now_ms(), self._ids))
            except Exception as error:  # noqa: BLE001 - as a future does
                outcome.set_exception(error)
                return outcome
            for row in decision.writes:
                assert isinstance(row, OutboxRow)
                self._events[row.key] = row
            self.records.append(command)
            self._changed.notify_all()
        outcome.set_result(decision.answer)
        return outcome

    # --- the reader ---

    def due_events(self, now_ms: UnixMs, limit: int, without: Collection[AccountId] = ()) -> list[OutboxRow]:
        if self.unreadable:
            raise self.unreadable.pop(0)
        earliest: dict[int, OutboxRow] = {}
        for event in sorted(self.open_events(), key=lambda event: event.key):
            earliest.setdefault(event.withdrawal_id, event)
        due = [
            (event.due_ms, *event.key)
            for event in earliest.values()
            if event.due_ms is not None and event.due_ms <= now_ms and event.account_id not in without
        ]
        return [self._events[number, sequence] for _, number, sequence in sorted(due)[:limit]]

    def withdrawal(self, withdrawal_id: WithdrawalId) -> WithdrawalView | None:
        last = max(event.key for event in self.events() if event.withdrawal_id == withdrawal_id)
        event = self._events[last]
        return WithdrawalView(
            withdrawal_id=withdrawal_id,
            account_id=event.account_id,
            venue=self._venues[withdrawal_id],
            asset="BTC",
            network="bitcoin",
            wallet="spot",
            amount=Units(20_000),
            fee=Units(0),
            net=Units(20_000),
            address="tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc",
            memo="",
            recipient="",
            state=event.state,
            reason="",
            tx_hash="",
            confirmations=0,
            created_ms=event.at_ms,
            updated_ms=event.at_ms,
        )

    def history(self, withdrawal_id: WithdrawalId) -> list[HistoryView]:
        before = ("", *(state.value for state in STATES))
        return [
            HistoryView(event.sequence, before[event.sequence - 1], event.state.value, "", event.at_ms)
            for event in self.events()
            if event.withdrawal_id == withdrawal_id
        ]

    def callback(self, account_id: AccountId, venue: str) -> CallbackRow | None:
        assert venue == self.callbacks[account_id].venue if account_id in self.callbacks else True
        return self.callbacks.get(account_id)

    def find_key(self, key_id: str) -> KeyView | None:
        return self.keys.get(key_id)


def told(bodies: list[bytes]) -> dict[int, list[str]]:
    """What a receiver heard of each withdrawal: the statuses in the order in which they came."""
    heard: dict[int, list[str]] = defaultdict(list)
    for body in bodies:
        said = json.loads(body)
        heard[said["id"]].append(said["status"])
    return dict(heard)


TOLD = [state.value for state in STATES if state is not State.SIGNED]
"""All that a receiver hears of a withdrawal, once each and in order."""
