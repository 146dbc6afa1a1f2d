"""The whole service in one process: a real store, a simulated chain, and a clock that is moved.

No thread acts by itself; a test makes the worker's passes one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from penstock.chains.simulated.chain import SimulatedChain
from penstock.chains.simulated.faults import Faults
from penstock.chains.simulated.node import SimulatedNode
from penstock.chains.simulated.script import Script
from penstock.core.acts import (
    AddBookEntry,
    AddressKind,
    CreateAccount,
    CreateKey,
    CreditDeposit,
    RecordOpening,
)
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing, Network
from penstock.core.commands import Command, Withdraw
from penstock.core.ids import AccountId, TimeOrderedIds, WithdrawalId
from penstock.core.states import FINAL_STATES
from penstock.core.time import ManualClock
from penstock.core.views import Accepted
from penstock.engine.rows import AccountRow, BookRow, EntryRow, WithdrawalRow
from penstock.engine.rules import Policy, Rules
from penstock.store.sqlite.store import SqliteStore
from penstock.store.verify import verify
from penstock.workers.chain_worker import run_pass
from penstock.workers.lane import Lane, Pace
from tests.simulation.fake_signer import FakeSigner

START_MS = 1_800_000_000_000
BLOCK_MS = 1_000
CONTRACT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
NETWORK = Network(code="tron", family="tron", native="TRX", confirmations=5)
RECEIVERS = ("TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW", "TNPeeaaFB7K9cmo4uQpcU32zGK8G1NYqeL")
FEE = Units(1_000_000)


def catalogue() -> Catalogue:
    return Catalogue(
        [
            Asset("USDT", "Tether", 6, "1"),
            Asset("TRX", "TRON", 6, "0.25"),
            Asset("BTC", "Bitcoin", 8, "90000"),
        ],
        [NETWORK],
        [
            Listing("USDT", "tron", 6, CONTRACT, fee=FEE, minimum=Units(2_000_000), precision=6),
            Listing("TRX", "tron", 6, None, fee=FEE, minimum=Units(2_000_000), precision=6),
        ],
    )


class WitnessingNode(SimulatedNode):
    """Looks into the service's database at the very moment it is offered bytes: are they stored by then?"""

    def __init__(self, database: Path, *arguments: Any, **options: Any) -> None:
        self.database = database
        self.offered: list[bytes] = []
        self.unstored: list[bytes] = []
        super().__init__(*arguments, **options)

    def submit(self, raw: bytes) -> str:
        self.offered.append(raw)
        reading = apsw.Connection(str(self.database), flags=apsw.SQLITE_OPEN_READONLY)
        if reading.execute("SELECT 1 FROM attempts WHERE raw = ?", (raw,)).fetchone() is None:
            self.unstored.append(raw)
        reading.close()
        return super().submit(raw)


@dataclass
class Deployment:
    """One account with money and an address book, one network, one lane at a time."""

    folder: Path
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    policy: Policy = field(default_factory=Policy)
    pace: Pace = field(default_factory=lambda: Pace(bump_after_ms=10_000, resend_after_ms=2_000))
    deposit: int = 10_000_000_000
    gas: int = 1_000_000_000
    wallet: int | None = None
    """What the node gives the hot wallet of USDT; by default exactly what customers paid in."""

    def __post_init__(self) -> None:
        self.clock = ManualClock(START_MS)
        self.rules = Rules(catalogue(), self.policy)
        self.signer = FakeSigner("tron")
        self.sender = self.signer.address("tron")
        database = self.folder / "penstock.db"
        options = {"seed": self.seed, "block_ms": BLOCK_MS, "faults": self.faults}
        self.node = WitnessingNode(database, "tron", "TRX", self.clock, **options)
        self.script = Script(self.node, self.clock)
        self.chain = SimulatedChain(NETWORK, self.node, contracts={CONTRACT: "USDT"})
        self.store = SqliteStore(database, self.rules, self.clock, TimeOrderedIds(node=1))
        self.owners = 0
        self.lane = self.new_lane()
        self._seed_accounts()

    def _seed_accounts(self) -> None:
        account = self.run(CreateAccount("test", "1001"))
        assert isinstance(account, AccountRow)
        self.account_id: AccountId = account.account_id
        self.run(
            CreateKey("test", self.account_id, "bitmart", "key-1", "secret", "memo", ("read", "withdraw"))
        )
        self.entries = [self.add_address(address) for address in RECEIVERS]
        for asset in ("USDT", "TRX"):
            credit = CreditDeposit(
                "test", self.account_id, "spot", asset, "tron", Units(self.deposit), f"first {asset}"
            )
            self.run(credit)
        self.run(RecordOpening("test", "TRX", "tron", Units(self.gas), "gas"))
        self.node.fund(self.sender, "USDT", self.deposit if self.wallet is None else self.wallet)
        self.node.fund(self.sender, "TRX", self.deposit + self.gas)

    def close(self) -> None:
        self.store.close()
        self.node.close()

    def back_up(self) -> Path:
        """A copy of the database as it is now, as an operator makes one."""
        copy = self.folder / "backup.db"
        reading = apsw.Connection(str(self.node.database), flags=apsw.SQLITE_OPEN_READONLY)
        reading.execute("VACUUM INTO ?", (str(copy),))
        reading.close()
        return copy

    def restore(self, backup: Path) -> None:
        """Start again on a backup; the chain and the signer's log are where they were."""
        self.store.close()
        self.node.database = backup
        self.store = SqliteStore(backup, self.rules, self.clock, TimeOrderedIds(node=2))
        self.lane = self.new_lane()

    def restart(self) -> None:
        """The service ends and starts again; the chain and the signer go on."""
        self.store.close()
        ids = TimeOrderedIds(node=10 + self.owners)
        self.store = SqliteStore(self.node.database, self.rules, self.clock, ids)
        self.lane = self.new_lane()

    def new_lane(self) -> Lane:
        """A worker that has just started, and knows nothing but what is stored."""
        self.owners += 1
        return Lane(
            network="tron",
            sender=self.sender,
            owner=f"worker-{self.owners}",
            chain=self.chain,
            signer=self.signer,
            store=self.store,
            clock=self.clock,
            catalogue=self.rules.catalogue,
            pace=self.pace,
        )

    def run(self, command: Command) -> object:
        return self.store.submit(command).result(10)

    def add_address(self, address: str) -> int:
        row = self.run(
            AddBookEntry(
                "test", self.account_id, AddressKind.UNIVERSAL, "", "tron", address, "", "", verified=True
            )
        )
        assert isinstance(row, BookRow)
        return row.entry_id

    def order(
        self, request_id: str, amount: int = 5_000_000, asset: str = "USDT", receiver: int = 0
    ) -> Withdraw:
        return Withdraw(
            account_id=self.account_id,
            key_id="key-1",
            venue="bitmart",
            request_id=request_id,
            business="",
            asset=asset,
            network="tron",
            wallets=("spot", "fund"),
            amount=Units(amount),
            address=RECEIVERS[receiver],
            memo="",
        )

    def withdraw(
        self, request_id: str, amount: int = 5_000_000, asset: str = "USDT", receiver: int = 0
    ) -> WithdrawalId:
        accepted = self.run(self.order(request_id, amount, asset, receiver))
        assert isinstance(accepted, Accepted)
        return accepted.withdrawal_id

    def row(self, withdrawal_id: WithdrawalId) -> WithdrawalRow:
        row = self.store.reader().row(WithdrawalRow, withdrawal_id)
        assert row is not None
        return row

    def rows(self) -> list[WithdrawalRow]:
        return list(self.store.reader().rows(WithdrawalRow))

    def states(self, withdrawal_id: WithdrawalId) -> list[str]:
        return [step.state_after for step in self.store.reader().history(withdrawal_id)]

    def passes(self, count: int, blocks: int = 1) -> None:
        for _ in range(count):
            run_pass(self.lane)
            self.clock.advance(blocks * BLOCK_MS)

    def run_until_final(self, passes_max: int = 200) -> None:
        for _ in range(passes_max):
            self.passes(1)
            if all(row.state in FINAL_STATES for row in self.rows()):
                return

    def paid(self, row: WithdrawalRow) -> int:
        """How often the chain shows exactly this payment; each test withdrawal has an amount of its own."""
        wanted = (row.address, row.asset, int(row.net))
        return sum(
            payment.paid and (payment.to, payment.asset, payment.units) == wanted
            for payment in self.node.payments()
        )

    def custody(self, asset: str) -> int:
        """What the ledger says stands on the chain for us."""
        return -sum(
            entry.units
            for entry in self.store.reader().rows(EntryRow)
            if entry.ledger_account == "system/custody/tron" and entry.asset == asset
        )

    def check(self) -> None:
        """What must hold at every moment."""
        report = verify(self.store.reader())
        assert report.ok, report.lines()
        assert not self.node.unstored, "bytes reached the node before they were stored"
        assert self.signer.exclusive(), "one nonce was signed for two payments"
        assert all(self.paid(row) <= 1 for row in self.rows()), "paid twice"

    def check_settled(self) -> None:
        """What must hold when nothing is under way: states, ledger and chain tell one story."""
        self.check()
        on_chain = [row for row in self.rows() if row.address]
        for row in on_chain:
            assert row.state in FINAL_STATES, (row.withdrawal_id, row.state)
            assert self.paid(row) == (row.state.value == "confirmed"), (row.withdrawal_id, row.state)
        paid = sum(payment.paid and payment.to != self.sender for payment in self.node.payments())
        assert paid == sum(row.state.value == "confirmed" for row in on_chain), "a payment belongs to nobody"
        assert self.node.balance(self.sender, "USDT") == self.custody("USDT")
        assert self.node.balance(self.sender, "TRX") == self.custody("TRX")
