"""A small catalogue, a seeded store, and commands to give it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from penstock.core.acts import (
    AddBookEntry,
    AddressKind,
    CreateAccount,
    CreateKey,
    CreditDeposit,
    RecordOpening,
    SetControl,
)
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing, Network
from penstock.core.commands import ClaimLane, Command, LaneStep, Plan, RecipientKind, Transfer, Withdraw
from penstock.core.ids import AccountId, TimeOrderedIds, WithdrawalId
from penstock.core.intents import SimulatedIntent, encode_intent
from penstock.core.time import ManualClock
from penstock.core.views import Accepted
from penstock.engine.rows import AccountRow, BalanceRow
from penstock.engine.rules import Policy, Rules
from penstock.engine.sending_rows import LaneRow
from penstock.store.store import Store

START_MS = 1_800_000_000_000
ADDRESS = "TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW"
SENDER = "sim1" + "0" * 40
DEPOSIT = 10**30
NETWORK = Network(code="tron", family="tron", native="TRX", confirmations=3)
RULES = Rules(
    Catalogue(
        [Asset("USDT", "Tether", 18), Asset("TRX", "TRON", 6)],
        [NETWORK],
        [
            Listing("USDT", "tron", 18, "T-contract", fee=Units(1), minimum=Units(2), precision=18),
            Listing("TRX", "tron", 6, None, fee=Units(1), minimum=Units(2), precision=6),
        ],
    ),
    Policy(),
)
T = TypeVar("T")


class PausingIds:
    """Makes ids; while paused, whoever asks waits.

    The store's writer asks, so commands queue up behind it and become one batch.
    """

    def __init__(self) -> None:
        self._ids = TimeOrderedIds(node=1)
        self._go, self._asked = threading.Event(), threading.Event()
        self._go.set()

    def next(self, now_ms: int) -> int:
        self._asked.set()
        assert self._go.wait(10)
        return self._ids.next(now_ms)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self._go.clear()
        try:
            yield
        finally:
            self._go.set()

    def together(self, store: Store, commands: Sequence[Command]) -> list[object]:
        """Outcomes, exceptions as values, of commands that all were queued before the first of them ran."""
        with self.paused():
            self._asked.clear()
            store.submit(SetControl("test", "sending", stopped=False))
            assert self._asked.wait(10)
            futures = [store.submit(command) for command in commands]
        return [future.exception(10) or future.result(10) for future in futures]


def answer(store: Store, command: Command, kind: type[T]) -> T:
    outcome = store.submit(command).result(10)
    assert isinstance(outcome, kind), outcome
    return outcome


@dataclass
class Seeded:
    """A store with two accounts; the first has money and an address."""

    store: Store
    clock: ManualClock
    ids: PausingIds

    def __post_init__(self) -> None:
        store = self.store
        self.account_id: AccountId = answer(store, CreateAccount("test", "1001"), AccountRow).account_id
        self.other_id: AccountId = answer(
            store, CreateAccount("test", "1002", email="b@example.org"), AccountRow
        ).account_id
        for number, account in enumerate((self.account_id, self.other_id)):
            self.run(CreateKey("test", account, "bitmart", f"key-{number}", "secret", "memo", ("withdraw",)))
        self.run(self.book_entry(self.account_id))
        self.run(CreditDeposit("test", self.account_id, "spot", "USDT", "tron", Units(DEPOSIT), "first"))
        self.run(RecordOpening("test", "TRX", "tron", Units(1_000), "gas"))

    def run(self, command: Command) -> object:
        return self.store.submit(command).result(10)

    def together(self, *commands: Command) -> list[object]:
        return self.ids.together(self.store, commands)

    def book_entry(self, account_id: AccountId) -> AddBookEntry:
        kind = AddressKind.UNIVERSAL
        return AddBookEntry("test", account_id, kind, "", "tron", ADDRESS, "", "", verified=True)

    def order(self, request_id: str, amount: int = 100, business: str = "") -> Withdraw:
        return Withdraw(
            self.account_id,
            "key-0",
            "bitmart",
            request_id,
            business,
            "USDT",
            "tron",
            ("spot", "fund"),
            Units(amount),
            ADDRESS,
            "",
        )

    def transfer(self, request_id: str, amount: int = 100, recipient: str = "1002") -> Transfer:
        return Transfer(
            self.account_id,
            "key-0",
            "bitmart",
            request_id,
            "",
            "USDT",
            "",
            ("spot", "fund"),
            Units(amount),
            RecipientKind.ACCOUNT_NUMBER,
            recipient,
        )

    def withdraw(self, request_id: str, amount: int = 100) -> WithdrawalId:
        return answer(self.store, self.order(request_id, amount), Accepted).withdrawal_id

    def lane(self) -> LaneStep:
        row = answer(self.store, ClaimLane("tron", SENDER, "w", 1_000_000, 0), LaneRow)
        return LaneStep("tron", SENDER, "w", row.epoch)

    def plan(self, withdrawal_id: WithdrawalId, nonce: int, fee: int = 10, ceiling: int = 40) -> Plan:
        intent = SimulatedIntent("tron", SENDER, nonce, ADDRESS, "", "USDT", "99", fee)
        return Plan(self.lane(), withdrawal_id, nonce, encode_intent(intent).decode(), fee_ceiling=ceiling)

    def balance(self, account_id: int, wallet: str = "spot", asset: str = "USDT") -> tuple[int, int]:
        row = self.store.reader().row(BalanceRow, account_id, asset, wallet)
        return (row.available, row.held) if row else (0, 0)
