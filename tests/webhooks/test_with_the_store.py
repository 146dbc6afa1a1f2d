"""From a payment on the simulated chain to the receiver's socket, through the real engine and store."""

from __future__ import annotations

import json
import threading
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest

from penstock.core.acts import CreateAccount, CreateKey, CreditDeposit, ResendCallback, SetCallback
from penstock.core.amounts import Units
from penstock.core.commands import RecordDelivery, Reject
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.views import Accepted
from penstock.engine.rows import AccountRow, OutboxRow
from penstock.webhooks.delivery import Poster
from penstock.webhooks.settings import RETRY_MINUTES, WebhookSettings
from penstock.webhooks.telling import Telling
from penstock.workers.webhook_worker import WebhookWorker
from tests.simulation.deployment import Deployment
from tests.webhooks.outbox import told, write
from tests.webhooks.receiver import answers, drops, hangs, receiving

ALLOWED = (ip_network("127.0.0.0/8"),)
PATIENT_MS = 60_000


class Told:
    """A deployment whose account has a callback at `url`, and a teller for it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.deployment = Deployment(folder)
        self.set_url(url)
        self.telling = Telling(
            self.deployment.store,
            {"bitmart": write},
            Poster(ALLOWED, PATIENT_MS).post,
            self.deployment.clock,
            RETRY_MINUTES,
            threading.Event(),
            0,
        )

    def set_url(self, url: str) -> None:
        self.deployment.run(SetCallback("test", self.deployment.account_id, "bitmart", url, "key-1"))

    def withdraw(self, number: int = 1) -> WithdrawalId:
        """Each of an amount of its own, by which the deployment tells payments apart."""
        order = self.deployment.order(f"request-{number}", amount=5_000_000 + number)
        order = msgspec.structs.replace(order, notify=True)
        accepted = self.deployment.run(order)
        assert isinstance(accepted, Accepted)
        return accepted.withdrawal_id

    def withdraw_elsewhere(self, url: str) -> WithdrawalId:
        """From a second account, whose callbacks go to `url`."""
        run = self.deployment.run
        account = run(CreateAccount("test", "1002"))
        assert isinstance(account, AccountRow)
        account_id = account.account_id
        run(CreateKey("test", account_id, "bitmart", "key-2", "secret", "memo", ("withdraw",)))
        run(CreditDeposit("test", account_id, "spot", "USDT", "tron", Units(9_000_000), "second"))
        run(SetCallback("test", account_id, "bitmart", url, "key-2"))
        order = self.deployment.order("elsewhere")
        accepted = run(
            msgspec.structs.replace(
                order, account_id=account_id, key_id="key-2", any_address=True, notify=True
            )
        )
        assert isinstance(accepted, Accepted)
        return accepted.withdrawal_id

    def due(self) -> list[OutboxRow]:
        return self.deployment.store.reader().due_events(self.deployment.clock.now_ms(), 100)

    def tell_due(self) -> None:
        """Everything that is due now, one change of each withdrawal after the other."""
        while due := self.due():
            for event in due:
                self.telling.tell(event)


def test_every_state_on_the_way_to_a_final_payment_is_told_in_order(tmp_path: Path) -> None:
    with receiving(answers("500 Oops"), drops, answers("200 OK")) as receiver:
        world = Told(tmp_path, receiver.url)
        paid = [world.withdraw(number) for number in range(3)]
        for _ in range(40):
            world.tell_due()
            world.deployment.passes(1)
        # What failed at first is due a minute later.
        world.deployment.clock.advance(60_000)
        world.tell_due()
        states = {withdrawal_id: world.deployment.states(withdrawal_id) for withdrawal_id in paid}
        world.deployment.check_settled()
        world.deployment.close()
    once: dict[int, list[str]] = {
        number: list(dict.fromkeys(statuses))
        for number, statuses in told([arrived.body for arrived in receiver.arrived]).items()
    }
    assert once == {
        withdrawal_id: [state for state in entered if state != State.SIGNED]
        for withdrawal_id, entered in states.items()
    }
    assert all(entered[-1] == State.CONFIRMED for entered in states.values())


def test_a_receiver_that_is_down_never_delays_a_payment(tmp_path: Path) -> None:
    with receiving(drops) as receiver:
        world = Told(tmp_path, receiver.url)
        world.withdraw()
        for _ in range(40):
            for event in world.due():
                world.telling.tell(event)
            world.deployment.passes(1)
        world.deployment.check_settled()
        first = next(iter(world.deployment.store.reader().rows(OutboxRow)))
        assert (first.tries, first.delivered_ms) == (1, None)
        world.deployment.close()


def test_an_operator_may_have_a_callback_sent_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        world = Told(tmp_path, receiver.url)
        withdrawal_id = world.withdraw()
        world.deployment.run(Reject(withdrawal_id, "not today"))
        world.tell_due()
        world.deployment.run(ResendCallback("ada", withdrawal_id, 2))
        world.tell_due()
        world.deployment.close()
    statuses = [json.loads(arrived.body)["status"] for arrived in receiver.arrived]
    assert statuses == ["held", "rejected", "rejected"]


def test_a_url_set_later_gets_what_is_still_open(tmp_path: Path) -> None:
    with receiving() as receiver:
        world = Told(tmp_path, "http://127.0.0.1:1/")
        world.withdraw()
        world.tell_due()
        world.set_url(receiver.url)
        world.deployment.clock.advance(60_000)
        world.tell_due()
        world.deployment.close()
    assert len(receiver.arrived) == 1


def test_the_worker_tells_what_the_store_holds_and_one_accounts_backlog_hides_no_other(
    tmp_path: Path,
) -> None:
    with receiving(hangs) as dead, receiving() as alive:
        world = Told(tmp_path, dead.url)
        for number in range(30):
            world.withdraw(number)
        own = world.withdraw_elsewhere(alive.url)
        settings = WebhookSettings(("127.0.0.0/8",), concurrency=2, per_account=1)
        poster = Poster(ALLOWED, PATIENT_MS)
        deployment = world.deployment
        worker = WebhookWorker(
            deployment.store, {"bitmart": write}, poster.post, deployment.clock, settings, interval_s=0.01
        )
        worker.start()
        assert alive.got_one.acquire(timeout=20)
        assert dead.hanging.acquire(timeout=20)
        dead.released.set()
        worker.stop()
        told_of = [
            event for event in deployment.store.reader().rows(OutboxRow) if event.delivered_ms is not None
        ]
        assert [event.withdrawal_id for event in told_of] == [own]
        deployment.close()
    assert dead.connections == 1


def test_accounts_can_be_left_out_of_what_is_due(tmp_path: Path) -> None:
    world = Told(tmp_path, "")
    withdrawal_id = world.withdraw()
    reader, now_ms = world.deployment.store.reader(), world.deployment.clock.now_ms()
    account = world.deployment.account_id
    assert [event.withdrawal_id for event in reader.due_events(now_ms, 10, {AccountId(1)})] == [withdrawal_id]
    assert reader.due_events(now_ms, 10, frozenset({AccountId(1), account})) == []
    world.deployment.close()


def test_an_attempt_is_recorded_once(tmp_path: Path) -> None:
    world = Told(tmp_path, "")
    world.withdraw()
    (event,) = world.due()
    record = RecordDelivery(event.withdrawal_id, event.sequence, event.tries, delivered=True)
    world.deployment.run(record)
    with pytest.raises(Refused) as refused:
        world.deployment.run(record)
    assert refused.value.code is RefusalCode.NOT_NOW
    world.deployment.close()
