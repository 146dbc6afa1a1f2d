"""The engine without a store: rows in a dictionary, a clock that stands, ids that count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

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
from penstock.core.commands import (
    ClaimLane,
    Command,
    LaneStep,
    Plan,
    RecipientKind,
    RecordSent,
    RecordSigned,
    Settle,
    Transfer,
    Withdraw,
)
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.intents import SimulatedIntent, encode_intent
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.engine.decide import ROUNDS_MAX, collect_needs, decide
from penstock.engine.row import Row
from penstock.engine.row_types import ROW_TYPES
from penstock.engine.rows import AccountRow, BalanceRow, BookRow, EntryRow, WithdrawalRow
from penstock.engine.rules import Moment, Policy, Rules
from penstock.engine.sending_rows import AttemptRow, LaneRow
from penstock.engine.snapshot import Needs, Snapshot

START_MS = 1_800_000_000_000
ADDRESS = "TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW"
SENDER = "sim1" + "0" * 40
TRON = Network(code="tron", family="tron", native="TRX", confirmations=3)
ETHEREUM = Network(code="ethereum", family="evm", native="ETH", confirmations=3)
BSC = Network(code="bsc", family="evm", native="BNB", confirmations=3)


def listing(**changes: object) -> Listing:
    facts: dict[str, object] = {
        "asset": "USDT",
        "network": "tron",
        "decimals": 6,
        "contract": "T-contract",
        "fee": Units(1_000_000),
        "minimum": Units(2_000_000),
        "maximum": Units(10**61),
        "multiple": Units(10),
        "precision": 5,
    }
    return Listing(**(facts | changes))  # type: ignore[arg-type]


def rules(policy: Policy | None = None, **changes: object) -> Rules:
    coins = [listing(asset="TRX", contract=None, multiple=None, precision=6)]
    catalogue = Catalogue(
        [
            Asset("USDT", "Tether", 6, "1"),
            Asset("TRX", "TRON", 6, "0.25"),
            Asset("BTC", "Bitcoin", 8, "100000"),
        ],
        [TRON, ETHEREUM, BSC],
        [listing(**changes), *coins],
    )
    return Rules(catalogue, policy or Policy())


class CountingIds:
    """1, 2, 3 and so on."""

    last = 0

    def next(self, now_ms: int) -> int:
        self.last += 1
        return self.last


R = TypeVar("R", bound=Row)


@dataclass
class Desk:
    """Decides commands one by one over rows it keeps. An account with money, a key, an address; gas; a lane."""

    rules: Rules = field(default_factory=rules)
    now_ms: int = START_MS
    rows: dict[type[Row], dict[tuple[int | str, ...], Row]] = field(
        default_factory=lambda: {row_type: {} for row_type in ROW_TYPES}
    )
    deposit: int = 1_000_000_000

    def __post_init__(self) -> None:
        self.ids = CountingIds()
        self.account_id = self._account(CreateAccount("test", "1001"))
        self.other_id = self._account(CreateAccount("test", "1002", email="b@example.org", phone="+44 7"))
        self.run(CreateKey("test", self.account_id, "bitmart", "key", "secret", "memo", ("withdraw",)))
        entry = self.run(self.entry())
        assert isinstance(entry, BookRow)
        self.entry_id = entry.entry_id
        self.run(CreditDeposit("test", self.account_id, "spot", "USDT", "tron", Units(self.deposit), "first"))
        self.run(RecordOpening("test", "TRX", "tron", Units(1_000), "gas"))
        lane = self.run(ClaimLane("tron", SENDER, "worker", 1_000_000, 0))
        assert isinstance(lane, LaneRow)
        self.lane = LaneStep("tron", SENDER, "worker", lane.epoch)

    def _account(self, command: CreateAccount) -> AccountId:
        row = self.run(command)
        assert isinstance(row, AccountRow)
        return row.account_id

    def run(self, command: Command) -> object:
        """The answer; what it writes is kept. Raises Refused, and then nothing is."""
        snapshot = Snapshot()
        snapshot.loaded(*self._table("controls"))
        for _ in range(ROUNDS_MAX):
            needs = Needs()
            collect_needs(command, snapshot, needs, self.rules, UnixMs(self.now_ms))
            if not snapshot.missing(needs):
                break
            self._load(snapshot, needs)
        decision = decide(snapshot, command, Moment(UnixMs(self.now_ms), self.ids), self.rules)
        for row in decision.writes:
            assert not (row.APPEND_ONLY and row.key in self.rows[type(row)]), "written twice"
            self.rows[type(row)][row.key] = row
        return decision.answer

    def _table(self, name: str) -> tuple[type[Row], list[tuple[int | str, ...]], list[Row]]:
        row_type = next(each for each in ROW_TYPES if name == each.TABLE)
        return row_type, [], list(self.rows[row_type].values())

    def _load(self, snapshot: Snapshot, needs: Needs) -> None:
        for row_type, keys in needs.rows.items():
            table = self.rows[row_type]
            snapshot.loaded(row_type, keys, [table[key] for key in keys if key in table])
        snapshot.loaded_book(
            needs.book, [row for row in self.all(BookRow) if (row.account_id, row.address) in needs.book]
        )
        snapshot.loaded_recipients(needs.recipients, self.all(AccountRow))
        at = needs.attempts_at
        found = [row for row in self.all(AttemptRow) if (row.network, row.sender, row.nonce) in at]
        snapshot.loaded_attempts(at, found)

    def all(self, row_type: type[R]) -> list[R]:
        return [row for row in self.rows[row_type].values() if isinstance(row, row_type)]

    def get(self, row_type: type[R], *key: int | str) -> R:
        row = self.rows[row_type][key]
        assert isinstance(row, row_type)
        return row

    def refusal(self, command: Command) -> RefusalCode:
        """Why the command is refused; nothing may have been written."""
        before = {row_type: dict(table) for row_type, table in self.rows.items()}
        try:
            answer = self.run(command)
        except Refused as refused:
            assert self.rows == before, "a refused command wrote"
            return refused.code
        raise AssertionError(f"not refused: {answer}")

    def sums(self) -> dict[str, int]:
        """By asset, over all entries: zero whenever the ledger is sound."""
        sums: dict[str, int] = {}
        for entry in self.all(EntryRow):
            sums[entry.asset] = sums.get(entry.asset, 0) + entry.units
        return sums

    # --- commands and facts ---

    def entry(self, kind: AddressKind = AddressKind.UNIVERSAL, memo: str = "") -> AddBookEntry:
        return AddBookEntry("test", self.account_id, kind, "", "tron", ADDRESS, memo, "", verified=True)

    def order(self, request_id: str = "r", amount: int = 5_000_000, business: str = "") -> Withdraw:
        return Withdraw(
            account_id=self.account_id,
            key_id="key",
            venue="bitmart",
            request_id=request_id,
            business=business,
            asset="USDT",
            network="tron",
            wallets=("spot", "fund"),
            amount=Units(amount),
            address=ADDRESS,
            memo="",
        )

    def transfer(self, request_id: str = "t", amount: int = 5) -> Transfer:
        return Transfer(
            account_id=self.account_id,
            key_id="key",
            venue="bitmart",
            request_id=request_id,
            business="",
            asset="USDT",
            network="",
            wallets=("spot",),
            amount=Units(amount),
            recipient_kind=RecipientKind.ACCOUNT_NUMBER,
            recipient="1002",
        )

    def withdraw(self, request_id: str = "r", amount: int = 5_000_000) -> WithdrawalId:
        accepted = self.run(self.order(request_id, amount))
        assert isinstance(accepted, Accepted)
        return accepted.withdrawal_id

    def plan(self, withdrawal_id: WithdrawalId, nonce: int = 0, fee: int = 10, ceiling: int = 40) -> Plan:
        return Plan(self.lane, withdrawal_id, nonce, intent(nonce, fee), fee_ceiling=ceiling)

    def planned(self, request_id: str = "r", nonce: int = 0) -> AttemptRow:
        attempt = self.run(self.plan(self.withdraw(request_id), nonce))
        assert isinstance(attempt, AttemptRow)
        return attempt

    def signed(self, attempt: AttemptRow, raw: bytes = b"raw") -> AttemptRow:
        self.run(RecordSigned(self.lane, attempt.attempt_id, raw, f"hash of {raw!r}"))
        return self.get(AttemptRow, attempt.attempt_id)

    def sent(self, request_id: str = "r", nonce: int = 0) -> AttemptRow:
        attempt = self.signed(self.planned(request_id, nonce))
        self.run(RecordSent(self.lane, attempt.attempt_id))
        return self.get(AttemptRow, attempt.attempt_id)

    def settle(self, attempt: AttemptRow, *, paid: bool = True, unmoved: bool = False) -> Settle:
        return Settle(
            self.lane, attempt.attempt_id, 7, "block", 3, paid=paid, network_fee=9, reason="", unmoved=unmoved
        )

    def withdrawal(self, withdrawal_id: int) -> WithdrawalRow:
        return self.get(WithdrawalRow, withdrawal_id)

    def balance(
        self, account_id: int | None = None, asset: str = "USDT", wallet: str = "spot"
    ) -> tuple[int, int]:
        row = self.get(BalanceRow, self.account_id if account_id is None else account_id, asset, wallet)
        return (row.available, row.held)


def intent(nonce: int = 0, fee: int = 10, **changes: str) -> str:
    facts = {"to": ADDRESS, "memo": "", "asset": "USDT", "units": "4000000"} | changes
    return encode_intent(
        SimulatedIntent(network="tron", sender=SENDER, nonce=nonce, fee=fee, **facts)
    ).decode()
