"""Random commands against a second, independent account of who has what: a plain dictionary of balances."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest

from penstock.core.acts import CreditDeposit, FreezeAccount
from penstock.core.amounts import Units
from penstock.core.commands import Command, Reject
from penstock.core.refusals import Refused
from penstock.core.views import Accepted
from penstock.engine.rows import BalanceRow
from penstock.store.verify import verify
from tests.store.samples import DEPOSIT, Seeded

STEPS = 40


@dataclass
class Model:
    """available and held by account; what was asked, by request id; credits seen; who is frozen."""

    available: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    asked: dict[tuple[int, str], int] = field(default_factory=dict)
    open: dict[int, tuple[int, int]] = field(default_factory=dict)
    credits: set[str] = field(default_factory=set)
    frozen: set[int] = field(default_factory=set)


class Walk:
    """Draws commands, says what the model expects of each, and compares."""

    def __init__(self, seeded: Seeded, seed: int) -> None:
        self.seeded, self.rng, self.model = seeded, random.Random(seed), Model()
        self.accounts = (seeded.account_id, seeded.other_id)
        self.model.available[seeded.account_id] = DEPOSIT
        seeded.run(seeded.book_entry(seeded.other_id))

    def run(self) -> None:
        makers = (self.order, self.order, self.transfer, self.credit, self.reject, self.freeze)
        for _ in range(STEPS):
            planned = [self.rng.choice(makers)() for _ in range(self.rng.randint(1, 8))]
            outcomes = self.seeded.together(*(command for command, _ in planned))
            for (command, expect), outcome in zip(planned, outcomes, strict=True):
                expected = expect(outcome)
                assert expected == (not isinstance(outcome, Exception)), (command, outcome)
                assert not isinstance(outcome, Exception) or isinstance(outcome, Refused), outcome
            self.compare()

    def compare(self) -> None:
        rows = [row for row in self.seeded.store.reader().rows(BalanceRow) if row.account_id]
        for row in rows:
            seen = (self.model.available[row.account_id], self.model.held[row.account_id])
            assert (row.available, row.held) == seen
        assert sum(row.available + row.held for row in rows) == sum(self.model.available.values()) + sum(
            self.model.held.values()
        )
        report = verify(self.seeded.store.reader())
        assert report.ok, report.lines()

    def _amount(self) -> int:
        return self.rng.choice((1, 2, 100, DEPOSIT // 3, DEPOSIT, 2**63, 2**64 + 1))

    def _request(self, account: int) -> str:
        mine = [request_id for owner, request_id in self.model.asked if owner == account]
        return self.rng.choice(mine) if mine and self.rng.random() < 0.3 else f"r{self.rng.random()}"

    def order(self) -> tuple[Command, Callable[[object], bool]]:
        account, amount = self.rng.choice(self.accounts), self._amount()
        key = f"key-{self.accounts.index(account)}"
        request_id = self._request(account)
        command = msgspec.structs.replace(
            self.seeded.order(request_id, amount), account_id=account, key_id=key
        )
        return command, lambda outcome: self._takes(account, request_id, amount, outcome, minimum=2)

    def _takes(self, account: int, request_id: str, amount: int, outcome: object, *, minimum: int) -> bool:
        model = self.model
        if (account, request_id) in model.asked:
            assert isinstance(outcome, Accepted)
            assert outcome.withdrawal_id == model.asked[(account, request_id)]
            return True
        if account in model.frozen or amount < minimum or model.available[account] < amount:
            return False
        assert isinstance(outcome, Accepted), outcome
        model.asked[(account, request_id)] = outcome.withdrawal_id
        model.available[account] -= amount
        if minimum > 1:
            model.held[account] += amount
            model.open[outcome.withdrawal_id] = (account, amount)
        return True

    def transfer(self) -> tuple[Command, Callable[[object], bool]]:
        account, amount = self.rng.choice(self.accounts), self._amount()
        other = next(each for each in self.accounts if each != account)
        request_id = self._request(account)
        number = "1002" if other == self.accounts[1] else "1001"
        command = msgspec.structs.replace(
            self.seeded.transfer(request_id, amount, number),
            account_id=account,
            key_id=f"key-{self.accounts.index(account)}",
        )

        def expect(outcome: object) -> bool:
            known = (account, request_id) in self.model.asked
            if not known and other in self.model.frozen:
                return False
            taken = self._takes(account, request_id, amount, outcome, minimum=1)
            if taken and not known:
                self.model.available[other] += amount
            return taken

        return command, expect

    def credit(self) -> tuple[Command, Callable[[object], bool]]:
        account = self.rng.choice(self.accounts)
        reference = f"{account}/{self.rng.randrange(20)}"
        amount = 10**18 + account % 97

        def expect(_: object) -> bool:
            if reference not in self.model.credits:
                self.model.credits.add(reference)
                self.model.available[account] += amount
            return True

        return CreditDeposit("test", account, "spot", "USDT", "tron", Units(amount), reference), expect

    def reject(self) -> tuple[Command, Callable[[object], bool]]:
        chosen = self.rng.choice([*self.model.open, 5])

        def expect(_: object) -> bool:
            if chosen not in self.model.open:
                return False
            account, amount = self.model.open.pop(chosen)
            self.model.available[account] += amount
            self.model.held[account] -= amount
            return True

        return Reject(chosen, "policy"), expect  # type: ignore[arg-type]

    def freeze(self) -> tuple[Command, Callable[[object], bool]]:
        account, frozen = self.rng.choice(self.accounts), self.rng.random() < 0.3

        def expect(_: object) -> bool:
            (self.model.frozen.add if frozen else self.model.frozen.discard)(account)
            return True

        return FreezeAccount("test", account, frozen=frozen), expect


@pytest.mark.parametrize("seed", range(1, 9))
def test_no_unit_is_made_or_lost_whatever_is_asked(seeded: Seeded, seed: int) -> None:
    Walk(seeded, seed).run()
