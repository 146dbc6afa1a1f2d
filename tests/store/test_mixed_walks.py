"""Everything at once against the plain model: quotes, answers, time, conversions, people, payments, restarts."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from penstock.core.acts import (
    AddBookEntry,
    AddressKind,
    Approve,
    Cancel,
    CreditDeposit,
    Decline,
    FreezeAccount,
    RecordOpening,
)
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing
from penstock.core.commands import (
    AnswerChallenge,
    Command,
    Exchange,
    Expire,
    FeeRule,
    RecipientKind,
    RecordSigned,
    Reject,
    Settle,
    Transfer,
    Withdraw,
)
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.refusals import Refused
from penstock.core.time import ManualClock, UnixMs
from penstock.core.views import Accepted, AnswerRejected
from penstock.engine.rows import BalanceRow, EntryRow, WithdrawalRow
from penstock.engine.rules import Policy, Rules
from penstock.engine.sending_rows import AttemptRow
from penstock.store.store import Store
from penstock.store.verify import verify
from penstock.workers.sweeper import sweep
from tests.store.plain_model import (
    APPROVAL_FROM_USD,
    FEE,
    MINIMUM,
    RATE_AGE_MAX_MS,
    SCALES,
    PlainModel,
    Taken,
)
from tests.store.samples import DEPOSIT, NETWORK, PausingIds, Seeded, answer

STEPS = 45
LIFE_MS = 5_000
WALLETS = ("spot", "fund")
_LISTED: dict[str, Any] = {"fee": Units(FEE), "minimum": Units(MINIMUM), "precision": 6}
WALK_RULES = Rules(
    Catalogue(
        [Asset("USDT", "Tether", 6, "1"), Asset("TRX", "TRON", 6), Asset("EUR", "Euro", 2, "1.25")],
        [NETWORK],
        [Listing("USDT", "tron", 6, "T-contract", **_LISTED), Listing("TRX", "tron", 6, None, **_LISTED)],
    ),
    Policy(approval_from_usd=APPROVAL_FROM_USD * 10**8, rate_age_max_ms=RATE_AGE_MAX_MS),
)
_first = int(os.environ.get("SEED", "1"))
_count = int(os.environ.get("SEEDS", "1" if "SEED" in os.environ else "12"))
SEEDS = range(_first, _first + _count)

Expect = Callable[[], tuple[str, Taken | None]]
"""Asks the model what the outcome must be, at the command's turn."""


class Walk:
    """Draws commands, hands them over in batches, and compares each outcome and all of the books."""

    def __init__(self, seeded: Seeded, open_store: Callable[..., Store], seed: int) -> None:
        self.seeded, self.open_store, self.rng = seeded, open_store, random.Random(seed)
        self.model, self.nonce = PlainModel(), 0
        self.accounts = (seeded.account_id, seeded.other_id)
        self.seen: dict[str, int] = defaultdict(int)
        for account in self.accounts:
            self._book(account, AddressKind.UNIVERSAL, "tron", "T-book", "")
        self._book(self.accounts[0], AddressKind.RECIPIENT, "", "1002", RecipientKind.ACCOUNT_NUMBER.value)
        self.model.keeps_book.add(self.accounts[0])
        self.model.credit(self.accounts[0], "spot", "USDT", DEPOSIT, "first")
        for command, expect in [self._credited(*each) for each in product(self.accounts, WALLETS, SCALES)]:
            seeded.run(command)
            expect()
        seeded.run(RecordOpening("t", "TRX", "tron", Units(10**9), "more gas"))

    def _book(self, account: AccountId, kind: AddressKind, network: str, address: str, memo: str) -> None:
        self.seeded.run(AddBookEntry("t", account, kind, "", network, address, memo, "", verified=True))

    @property
    def now_ms(self) -> int:
        return self.seeded.clock.at_ms

    def run(self, steps: int) -> None:
        makers = (
            [self.withdraw] * 5 + [self.answer] * 4 + [self.exchange] * 2 + [self.transfer, self.credit] * 2
        )
        makers += [self.decide] * 3 + [self.expire, self.freeze, self.freeze]
        for _ in range(steps):
            planned = [self.rng.choice(makers)() for _ in range(self.rng.randint(1, 10))]
            outcomes = self.seeded.together(*(command for command, _ in planned))
            for (command, expect), outcome in zip(planned, outcomes, strict=True):
                self.judge(command, expect, outcome)
            self.between_batches()
            self.compare()

    def judge(self, command: Command, expect: Expect, outcome: object) -> None:
        expected, taken = expect()
        self.seen[expected] += 1
        said = outcome.code.value if isinstance(outcome, Refused) else ""
        match expected:
            case "taken" | "repeated":
                assert isinstance(outcome, Accepted), (command, outcome)
                assert taken is not None
                assert outcome.repeated == (expected == "repeated")
                if not taken.wid:
                    self.model.name(taken, outcome.withdrawal_id)
                assert outcome.withdrawal_id == taken.wid
                if expected == "taken":
                    told = (outcome.amount, outcome.fee, outcome.net, outcome.number, outcome.state.value)
                    assert told == (taken.amount, taken.fee, taken.net, taken.number, taken.state), command
            case "rejected":
                assert isinstance(outcome, AnswerRejected), (command, outcome)
            case "done":
                assert not isinstance(outcome, Exception), (command, outcome)
            case "any":
                assert said, (command, outcome)
            case _:
                assert said == expected, (command, outcome)

    # --- commands ---

    def _account(self) -> tuple[AccountId, str]:
        at = self.rng.choices((0, 1), (2, 1))[0]
        return self.accounts[at], f"key-{at}"

    def _request(self, account: int) -> tuple[str, str]:
        """Mostly new, sometimes known; with one of few contents."""
        known = [request for owner, request in self.model.requests if owner == account]
        again = known and self.rng.random() < 0.2
        request_id = self.rng.choice(known) if again else f"r{self.rng.random()}"
        return request_id, self.rng.choice(("", '{"a":"1"}', '{"a":"1"}', '{"a":"2"}'))

    def _amount(self, asset: str) -> int:
        coin = 10 ** SCALES[asset]
        likely = (2 * coin, 3 * coin + 1, 5 * coin, 20 * coin, 79 * coin, 80 * coin, 100 * coin)
        return self.rng.choice((0, 1, coin, DEPOSIT // 3, *likely * 2))

    def _conversion(self, target: str) -> Conversion:
        source = self.rng.choice([asset for asset in SCALES if asset != target])
        at_ms = self.now_ms - self.rng.choice((0, 0, 0, RATE_AGE_MAX_MS, RATE_AGE_MAX_MS + 1, -5))
        target = (
            target
            if self.rng.random() < 0.9
            else self.rng.choice([each for each in SCALES if each != source])
        )
        parts = (self.rng.choice((1, 3, 108, 10**12 + 39)) for _ in range(2))
        return Conversion(Rate(source, target, *parts, "table", UnixMs(at_ms)), self.rng.choice(tuple(Given)))

    def withdraw(self) -> tuple[Command, Expect]:
        account, key_id = self._account()
        asset = self.rng.choice(("USDT", "USDT", "TRX"))
        conversion = self._conversion(asset) if self.rng.random() < 0.4 else None
        request_id, business = self._request(account)
        given_in = (
            asset if conversion is None or conversion.given is Given.RECEIVED else conversion.rate.source
        )
        order = Withdraw(
            account,
            key_id,
            "bitmart",
            request_id,
            business,
            asset,
            "tron",
            self.rng.choice((("spot", "fund"), ("fund", "spot"), ("spot",))),
            Units(self._amount(given_in)),
            self.rng.choice(("T-book", "T-book", "T-book", "T-elsewhere")),
            "",
            fee_rule=self.rng.choice(tuple(FeeRule)),
            any_address=self.rng.random() < 0.5,
            repeatable=self.rng.random() < 0.8,
            exclusive=self.rng.choice(("", "", f"m{self.rng.randrange(40)}")),
            numbered=self.rng.random() < 0.5,
            notify=self.rng.random() < 0.5,
            challenge_ms=self.rng.choice((0, LIFE_MS)),
            conversion=conversion,
        )
        return order, lambda: self.model.withdraw(order, self.now_ms)

    def answer(self) -> tuple[Command, Expect]:
        account, key_id = self._account()
        whose = account if self.rng.random() < 0.9 else None
        quotes = [
            (quote, nonce) for (owner, nonce), quote in self.model.quotes.items() if whose in (None, owner)
        ]
        nonce, valid = "unknown", self.rng.random() < 0.7
        if quotes and self.rng.random() < 0.95:
            nonce = self.rng.choice(quotes[-4:])[1]
        open_ones = [each for each in quotes if not each[0].answer and each[0].until_ms > self.now_ms]
        if open_ones and self.rng.random() < 0.3:
            # Somebody guesses on, at the one that was guessed at most.
            valid, nonce = False, max(open_ones, key=lambda each: each[0].failures)[1]
        text = self.rng.choice(("yes", "yes", "also"))
        command = AnswerChallenge(account, key_id, "bitmart", nonce, text, valid, WALLETS)
        return command, lambda: self.model.answer(command, self.now_ms)

    def exchange(self) -> tuple[Command, Expect]:
        account, key_id = self._account()
        conversion = self._conversion(self.rng.choice(tuple(SCALES)))
        given_in = conversion.rate.source if conversion.given is Given.DEBITED else conversion.rate.target
        request_id, business = self._request(account)
        wallets = self.rng.choice((("spot", "fund"), ("fund",)))
        amount = Units(self._amount(given_in))
        command = Exchange(
            account, key_id, "bitmart", request_id, business, wallets, amount, conversion, numbered=True
        )
        return command, lambda: self.model.exchange(command, self.now_ms)

    def transfer(self) -> tuple[Command, Expect]:
        account, key_id = self._account()
        recipient = next(each for each in self.accounts if each != account)
        asset = self.rng.choice(tuple(SCALES))
        command = Transfer(
            account,
            key_id,
            "bitmart",
            *self._request(account),
            asset,
            "",
            ("spot", "fund"),
            Units(self._amount(asset)),
            RecipientKind.ACCOUNT_NUMBER,
            "1002" if recipient == self.accounts[1] else "1001",
            in_book=self.rng.random() < 0.4,
            recipient_wallet=self.rng.choice(("", "spot", "fund")),
            repeatable=self.rng.random() < 0.8,
            numbered=self.rng.random() < 0.5,
        )
        return command, lambda: self.model.transfer(command, recipient)

    def credit(self) -> tuple[Command, Expect]:
        return self._credited(self._account()[0], self.rng.choice(WALLETS), self.rng.choice(tuple(SCALES)))

    def _credited(self, account: AccountId, wallet: str, asset: str) -> tuple[Command, Expect]:
        reference = f"{account}/{asset}/{wallet}/{self.rng.randrange(6)}"
        amount = 1_000 * 10 ** SCALES[asset] + len(reference)
        command = CreditDeposit(
            "t", account, wallet, asset, "" if asset == "EUR" else "tron", Units(amount), reference
        )

        def expect() -> tuple[str, None]:
            self.model.credit(account, wallet, asset, amount, reference)
            return "done", None

        return command, expect

    def decide(self) -> tuple[Command, Expect]:
        wid = WithdrawalId(self.rng.choice([*list(self.model.taken)[-12:] * 2, 5]))
        back = self.model.give_back
        match self.rng.randrange(4):
            case 0:
                return Approve("ops", wid), lambda: (self.model.approve(wid), None)
            case 1:
                return Cancel("ops", wid), lambda: (back(wid, "cancelled", by_worker=False), None)
            case 2:
                return Decline("ops", wid, "odd"), lambda: (back(wid, "rejected", by_worker=False), None)
            case _:
                return Reject(wid, "policy"), lambda: (back(wid, "rejected", by_worker=True), None)

    def expire(self) -> tuple[Command, Expect]:
        account, _ = self._account()
        nonce = self.rng.choice([*(nonce for _, nonce in self.model.quotes), "unknown"])

        def expect() -> tuple[str, None]:
            self.model.expire(account, nonce, self.now_ms)
            return "done", None

        return Expire(account, "bitmart", nonce), expect

    def freeze(self) -> tuple[Command, Expect]:
        (account, _), frozen = self._account(), not self.model.frozen and self.rng.random() < 0.4

        def expect() -> tuple[str, None]:
            (self.model.frozen.add if frozen else self.model.frozen.discard)(account)
            return "done", None

        return FreezeAccount("t", account, frozen=frozen), expect

    # --- between the batches ---

    def between_batches(self) -> None:
        for _ in range(self.rng.randrange(3)):
            self.pay()
        if self.rng.random() < 0.1:
            sweep(self.seeded.store, self.seeded.clock)
            for account, nonce in self.model.quotes:
                self.model.expire(account, nonce, self.now_ms)
        if self.rng.random() < 0.1:
            self.seeded.store = self.open_store(WALK_RULES)
        self.seeded.clock.advance(
            self.rng.choice(
                (0, 0, 1, 500, 500, 1_000, LIFE_MS // 2, LIFE_MS if self.rng.random() < 0.2 else 2)
            )
        )

    def pay(self) -> None:
        """The worker's whole way, with either end, for one withdrawal that may be paid."""
        ready = [row.withdrawal_id for row in self.seeded.store.reader().to_plan("tron", 50)]
        expected = [
            taken.wid
            for taken in self.model.taken.values()
            if taken.on_chain and taken.state in {"held", "approved"}
        ]
        assert sorted(ready) == sorted(expected)
        ready = [wid for wid in ready if self.model.taken[wid].account not in self.model.frozen]
        if not ready:
            return
        wid, paid = self.rng.choice(ready), self.rng.random() < 0.6
        attempt = answer(self.seeded.store, self.seeded.plan(wid, self.nonce), AttemptRow)
        lane = self.seeded.lane()
        self.seeded.run(RecordSigned(lane, attempt.attempt_id, b"%d" % wid, f"hash {wid}"))
        self.seeded.run(
            Settle(lane, attempt.attempt_id, 7, "block", 3, paid=paid, network_fee=9, unmoved=not paid)
        )
        self.nonce += 1
        self.model.pay(wid, paid=paid)
        self.seen["paid" if paid else "failed"] += 1

    # --- the books ---

    def compare(self) -> None:
        reader, model = self.seeded.store.reader(), self.model
        seen = {
            (int(row.account_id), row.wallet, row.asset): [int(row.available), int(row.held)]
            for row in reader.rows(BalanceRow)
            if row.account_id
        }
        for key in seen.keys() | model.balances.keys():
            assert seen.get(key, [0, 0]) == model.balances[key], key
        self._compare_journal()
        for row in reader.rows(WithdrawalRow):
            taken = model.taken[row.withdrawal_id]
            stored = (
                row.state.value,
                row.wallet,
                row.debit_asset,
                row.amount,
                row.fee,
                row.asset,
                row.net,
                row.number,
            )
            assert stored == (
                taken.state,
                taken.wallet,
                taken.debit_asset,
                taken.amount,
                taken.fee,
                taken.asset,
                taken.net,
                taken.number,
            )
        model.conserved()
        report = verify(reader)
        assert report.ok, report.lines()

    def _compare_journal(self) -> None:
        sums: dict[tuple[str, str], int] = defaultdict(int)
        for entry in self.seeded.store.reader().rows(EntryRow):
            sums[(entry.ledger_account, entry.asset)] += entry.units
        burnt = 9 * self.nonce
        for asset in SCALES:
            # The gas that was opened and burnt stands in the same custody as the customers' TRX.
            gas = 1_000 + 10**9 - burnt if asset == "TRX" else 0
            kept = -sum(sums[(f"system/custody/{place}", asset)] for place in ("tron", "bank")) - gas
            system = self.model.system
            assert kept == system[("credited", asset)] - system[("paid", asset)], asset
            assert sums[("system/fees", asset)] == system[("fees", asset)], asset
            assert sums[("system/exchanged", asset)] == system[("exchanged", asset)], asset


@pytest.fixture
def walked(open_store: Callable[..., Store], clock: ManualClock, ids: PausingIds) -> Seeded:
    return Seeded(open_store(WALK_RULES), clock, ids)


EVERYTHING = {
    "taken",
    "repeated",
    "rejected",
    "done",
    "paid",
    "failed",
    "any",
    "not_now",
    "account_frozen",
    "balance_too_low",
    "exclusive_taken",
    "request_id_taken",
    "request_id_conflict",
    "challenge_unknown",
    "challenge_expired",
    "challenge_used",
    "challenge_exhausted",
    "address_not_in_book",
    "recipient_not_in_book",
}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_unit_is_made_or_lost_and_nothing_is_decided_twice_whatever_is_mixed(
    walked: Seeded,
    open_store: Callable[..., Store],
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    walk = Walk(walked, open_store, seed)
    walk.run(STEPS)
    record_property("tally", dict(walk.seen))


def test_a_long_walk_comes_to_everything(walked: Seeded, open_store: Callable[..., Store]) -> None:
    walk = Walk(walked, open_store, 1)
    walk.run(4 * STEPS)
    assert walk.seen.keys() >= EVERYTHING, EVERYTHING - walk.seen.keys()
