"""AlphaPo's callbacks, from a real server to a merchant's own: signed, in order, again until they are taken note of.

The service is `penstock serve` with a limit above which people have to approve, on what a sandbox prepared.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.alphapo_merchant import Merchant, new_merchant
from tests.acceptance.alphapo_vectors import CALLBACK, CALLBACK_SIGNATURE, OURS
from tests.acceptance.base58check import new_bitcoin_address
from tests.acceptance.process_groups import PENSTOCK, ready_url, start_group
from tests.acceptance.reply_shapes import golden, shape
from tests.acceptance.sandbox_process import Sandbox, running_sandbox
from tests.webhooks.receiver import Arrived, Behave, Receiver, answers, drops, hangs, receiving

pytestmark = pytest.mark.xdist_group("alphapo")

CATALOGUE = Path(__file__).resolve().parents[2] / "src/penstock/sandbox/catalogue.toml"
LIMIT = "1000"
"""US dollars: what is worth as much waits for a person."""
ABOVE = "1500"
TOLD_S_MAX = 20.0
FAILURES: dict[str, Behave] = {
    "500": answers("500 Internal Server Error"),
    "204": answers("204 No Content"),
    "a redirect": answers("302 Found", "Location: http://127.0.0.1:1/elsewhere"),
    "403": answers("403 Forbidden", body=b"OK"),
    "no answer": drops,
}


def settings(state: Path) -> str:
    """The sandbox's own, with the limit."""
    changed = {
        'state_dir = "."': f'state_dir = "{state}"\nport = 0\nadmin_token = {{ file = "{state}/admin-token" }}\n'
        'signer_config = "signer/signer.json"',
        "[policy]": f'[policy]\napproval_from_usd = "{LIMIT}"',
    }
    text = CATALOGUE.read_text()
    for old, new in changed.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def serve(sandbox: Sandbox) -> None:
    """Go on with a stopped sandbox's state as its operator would, by `penstock serve`."""
    config = sandbox.state.parent / "penstock.toml"
    config.write_text(settings(sandbox.state))
    sandbox.process = start_group([*PENSTOCK, "serve", "--config", str(config)], sandbox.log)
    url = ready_url(sandbox.process)
    assert url, sandbox.log.read_text()
    sandbox.facts |= {"base_url": url, "admin": sandbox.facts["admin"] | {"url": url + "/admin/v1"}}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("callbacks"), "--chain-pace", "100") as sandbox:
        assert sandbox.terminate() == 0
        serve(sandbox)
        yield sandbox


@dataclass(frozen=True)
class Told:
    """A merchant whose callbacks go to `receiver`."""

    merchant: Merchant
    receiver: Receiver

    def __post_init__(self) -> None:
        self.set_callback()

    @property
    def place(self) -> str:
        return f"/accounts/{self.merchant.customer.account_id}/callbacks/alphapo"

    def set_callback(self) -> None:
        body = {"url": self.receiver.url, "key_id": self.merchant.keys.processing_key}
        self.merchant.sandbox.admin("PUT", self.place, body)

    def withdraw(self, **changes: object) -> str:
        """The withdrawal's id with its operator."""
        made = self.merchant.withdraw(**changes)
        assert made["status"] == (
            "pending" if self.merchant.states()[-1] == "awaiting_approval" else "processing"
        )
        return str(self.merchant.customer.withdrawals()[-1][0])

    def decide(self, withdrawal_id: str, decision: str, **body: str) -> None:
        self.merchant.sandbox.admin("POST", f"/withdrawals/{withdrawal_id}/{decision}", body)

    def events(self, withdrawal_id: str) -> list[dict[str, Any]]:
        found = self.merchant.sandbox.admin("GET", f"/withdrawals/{withdrawal_id}/events")
        events: list[dict[str, Any]] = found["events"]
        return events

    def resend(self, withdrawal_id: str, sequence: int) -> None:
        self.merchant.sandbox.admin("POST", f"/withdrawals/{withdrawal_id}/events/{sequence}/resend", {})

    def hear(self, count: int) -> list[Arrived]:
        """What has arrived, at least `count` in all; each must be the merchant's own."""
        for _ in range(count):
            assert self.receiver.got_one.acquire(timeout=TOLD_S_MAX)
        for arrived in self.receiver.arrived:
            assert self.merchant.keys.wrote(arrived.headers, arrived.body)
            assert arrived.headers["content-type"] == "application/json"
            assert arrived.line == "POST /hook HTTP/1.1"
        return list(self.receiver.arrived)

    def until(self, sql: str) -> None:
        """Until there is no row any more. sql: of this account's rows."""
        ends_s, pause = time.monotonic() + TOLD_S_MAX, threading.Event()
        while self.merchant.sandbox.rows(sql, self.merchant.customer.account_id):
            assert time.monotonic() < ends_s, sql
            pause.wait(0.02)

    def until_nothing_is_due(self) -> None:
        """What can be told now was told, and what failed waits for its minute."""
        self.until("SELECT 1 FROM outbox WHERE account_id = ? AND due_ms IS NOT NULL AND tries = 0")

    def until_paid(self) -> None:
        self.until(
            "SELECT 1 FROM withdrawals WHERE account_id = ? AND state NOT IN ('confirmed', 'rejected')"
        )


@pytest.fixture
def told(own: Sandbox) -> Iterator[Told]:
    with receiving() as receiver:
        yield Told(new_merchant(own), receiver)


def told_with(own: Sandbox, receiver: Receiver) -> Told:
    return Told(new_merchant(own), receiver)


def statuses(arrived: list[Arrived]) -> list[str]:
    return [json.loads(one.body)["status"] for one in arrived]


def sequences(arrived: list[Arrived]) -> list[int]:
    return [int(one.headers["x-penstock-event"].partition("-")[2]) for one in arrived]


def in_rows(transaction: dict[str, Any]) -> Any:
    """The shape of a transaction, whose rows are of two kinds."""
    return shape(transaction | {"transactions": ""}), [shape(row) for row in transaction["transactions"]]


def test_the_published_callback_is_known_for_the_merchants() -> None:
    headers = {
        "x-processing-key": OURS.processing_key,
        "x-processing-signature": CALLBACK_SIGNATURE,
    }
    assert (len(CALLBACK), OURS.wrote(headers, CALLBACK)) == (700, True)
    assert not OURS.wrote(headers, CALLBACK.replace(b'"confirmed"', b'"cancelled"'))


# ---- what is told ----


def test_a_payment_is_told_once_when_it_is_confirmed_as_transactions_info_tells_it(told: Told) -> None:
    told.withdraw(foreign_id="paid")
    (arrived,) = told.hear(1)
    told.until_nothing_is_due()
    assert json.loads(arrived.body) == told.merchant.info(foreign_id="paid")
    assert in_rows(json.loads(arrived.body)) == in_rows(golden("alphapo", "info_confirmed"))
    assert statuses(told.receiver.arrived) == ["confirmed"]


def test_a_conversion_is_told_with_both_its_currencies_and_no_reference_where_none_was_given(
    told: Told,
) -> None:
    told.withdraw(
        currency="EUR",
        convert_to="BTC",
        amount="100",
        address=new_bitcoin_address(),
        end_user_reference=None,
    )
    (arrived,) = told.hear(1)
    body = json.loads(arrived.body)
    assert (body["currency_sent"]["currency"], body["currency_received"]["currency"]) == ("EUR", "BTC")
    pinned = golden("alphapo", "info_converted")
    del pinned["end_user_reference"]
    assert in_rows(body) == in_rows(pinned)


def test_above_the_limit_it_is_pending_then_on_its_way_then_confirmed(told: Told) -> None:
    withdrawal_id = told.withdraw(amount=ABOVE, foreign_id="large")
    (pending,) = told.hear(1)
    body = json.loads(pending.body)
    assert body == told.merchant.info(foreign_id="large")
    assert (body["status"], "currency_sent" in body, body["fees"]) == ("pending", False, [])
    pinned = golden("alphapo", "info_pending") | {"end_user_reference": ""}
    assert set(body) == set(pinned)
    told.decide(withdrawal_id, "approve")
    arrived = told.hear(2)
    told.until_nothing_is_due()
    assert statuses(told.receiver.arrived) == ["pending", "not_confirmed", "confirmed"]
    assert sequences(arrived) == sorted(sequences(arrived))
    assert {one.headers["x-penstock-event"].partition("-")[0] for one in arrived} == {withdrawal_id}


def test_what_a_person_declines_is_told_and_the_money_is_back(told: Told) -> None:
    funds = told.merchant.units()
    withdrawal_id = told.withdraw(amount=ABOVE, foreign_id="large")
    assert told.merchant.units()["USDT"][1] == 1_503_000_000
    told.hear(1)
    told.decide(withdrawal_id, "decline", reason="not today")
    _, declined = told.hear(1)
    body = json.loads(declined.body)
    assert (body["status"], "not today" in body["error"], "currency_sent" in body) == (
        "declined",
        True,
        False,
    )
    assert in_rows(body) == in_rows(golden("alphapo", "info_declined"))
    told.until_nothing_is_due()
    assert (statuses(told.receiver.arrived), told.merchant.units()) == (["pending", "declined"], funds)


def test_an_exchange_is_told_to_nobody(told: Told) -> None:
    members = {
        "sender_currency": "BTC",
        "receiver_currency": "EUR",
        "sender_amount": "0.01",
        "foreign_id": "x",
    }
    assert told.merchant.post("/exchange/now", members).status == 201
    told.withdraw(foreign_id="after")
    told.hear(1)
    told.until_nothing_is_due()
    assert [json.loads(one.body)["foreign_id"] for one in told.receiver.arrived] == ["after"]


def test_each_merchant_hears_of_its_own_withdrawals_under_its_own_key(own: Sandbox) -> None:
    with receiving() as first, receiving() as second:
        both = [told_with(own, first), told_with(own, second)]
        for number, one in enumerate(both):
            one.withdraw(foreign_id=f"of-{number}")
        heard = [one.hear(1) for one in both]
    assert [json.loads(arrived.body)["foreign_id"] for (arrived,) in heard] == ["of-0", "of-1"]


# ---- again, and in order ----


@pytest.mark.parametrize("failure", FAILURES)
def test_what_was_not_answered_with_200_is_told_again_to_the_byte(own: Sandbox, failure: str) -> None:
    with receiving(FAILURES[failure], answers("200 OK")) as receiver:
        told = told_with(own, receiver)
        withdrawal_id = told.withdraw()
        (first,) = told.hear(1)
        told.until_nothing_is_due()
        (failed,) = [event for event in told.events(withdrawal_id) if event["tries"]]
        assert (failed["tries"], failed["delivered_ms"], failed["state"]) == (1, None, "confirmed")
        assert 0 < failed["due_ms"] - time.time_ns() // 1_000_000 <= 60_000
        told.resend(withdrawal_id, failed["sequence"])
        _, second = told.hear(1)
        told.until_nothing_is_due()
        assert (second.body, second.headers) == (first.body, first.headers)
        (event,) = [one for one in told.events(withdrawal_id) if one["sequence"] == failed["sequence"]]
        assert (event["due_ms"], event["delivered_ms"] is None) == (None, False)


def test_a_receiver_that_hangs_keeps_no_payment_waiting_and_is_told_again(own: Sandbox) -> None:
    with receiving(hangs, answers("200 OK")) as receiver:
        told = told_with(own, receiver)
        withdrawal_id = told.withdraw(foreign_id="first")
        assert receiver.hanging.acquire(timeout=TOLD_S_MAX)
        told.withdraw(foreign_id="second")
        told.until_paid()
        receiver.released.set()
        told.hear(2)
        told.until_nothing_is_due()
        (failed,) = [event for event in told.events(withdrawal_id) if event["tries"]]
        told.resend(withdrawal_id, failed["sequence"])
        arrived = told.hear(1)
    assert [json.loads(one.body)["foreign_id"] for one in arrived] == ["first", "second", "first"]


def test_a_later_change_waits_until_the_earlier_one_was_taken_note_of(own: Sandbox) -> None:
    with receiving(answers("500 Internal Server Error"), answers("200 OK")) as receiver:
        told = told_with(own, receiver)
        withdrawal_id = told.withdraw(amount=ABOVE)
        told.hear(1)
        told.until("SELECT 1 FROM outbox WHERE account_id = ? AND state = 'awaiting_approval' AND tries = 0")
        told.decide(withdrawal_id, "decline", reason="not today")
        told.withdraw(foreign_id="another")
        told.hear(1)
        assert statuses(told.receiver.arrived) == ["pending", "confirmed"], (
            "only another withdrawal overtakes"
        )
        (pending,) = [event for event in told.events(withdrawal_id) if event["tries"]]
        told.resend(withdrawal_id, pending["sequence"])
        arrived = told.hear(2)
    assert statuses(arrived) == ["pending", "confirmed", "pending", "declined"]
    assert arrived[2].body == arrived[0].body, "as it was then, not as it is now"


def test_what_happened_while_no_callback_was_set_is_told_only_when_it_is_sent_again(told: Told) -> None:
    told.merchant.sandbox.admin("DELETE", told.place)
    withdrawal_id = told.withdraw()
    told.until_paid()
    told.until_nothing_is_due()
    told.set_callback()
    assert told.receiver.arrived == []
    told.resend(withdrawal_id, told.events(withdrawal_id)[-1]["sequence"])
    assert statuses(told.hear(1)) == ["confirmed"]


def test_the_ledger_is_whole_after_all_that(own: Sandbox) -> None:
    assert own.verified().startswith("verify: ok")
