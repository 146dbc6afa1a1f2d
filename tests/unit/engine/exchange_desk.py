"""A desk with money in several assets of different scales, and rates between them."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from penstock.core.acts import CreditDeposit
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue
from penstock.core.commands import Exchange, FeeRule, Withdraw
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.time import UnixMs
from penstock.engine.rows import EntryRow
from penstock.engine.rules import Policy, Rules
from tests.unit.engine.desk import BSC, ETHEREUM, START_MS, TRON, Desk, listing

SCALES = {"USDT": 6, "TRX": 6, "BTC": 8, "EUR": 2, "ETH": 18, "JPY": 0}
RICH = 10**40


def exchange_rules(policy: Policy | None = None, **changes: object) -> Rules:
    """USDT and TRX are paid on tron, with a listing of USDT that `changes` adjusts; the others are paid nowhere."""
    # No price for JPY: nobody can say what it is worth.
    prices = {"USDT": "1", "TRX": "0.25", "BTC": "100000", "EUR": "1.25", "ETH": "4000"}
    usdt = {"multiple": None, "precision": 6, "maximum": None} | changes
    catalogue = Catalogue(
        [Asset(code, code, scale, prices.get(code)) for code, scale in SCALES.items()],
        [TRON, ETHEREUM, BSC],
        [listing(**usdt), listing(asset="TRX", contract=None, multiple=None, precision=6)],
    )
    return Rules(catalogue, policy or Policy())


def rate(
    source: str = "EUR",
    target: str = "USDT",
    numerator: int = 108,
    denominator: int = 100,
    at_ms: int = START_MS,
) -> Rate:
    return Rate(source, target, numerator, denominator, "table", UnixMs(at_ms))


@dataclass
class ExchangeDesk(Desk):
    """The account has RICH of every asset but TRX in spot."""

    rules: Rules = field(default_factory=exchange_rules)

    def __post_init__(self) -> None:
        super().__post_init__()
        for asset in ("USDT", "BTC", "EUR", "ETH", "JPY"):
            network = "tron" if asset == "USDT" else ""
            amount = Units(RICH - (self.deposit if asset == "USDT" else 0))
            self.run(CreditDeposit("t", self.account_id, "spot", asset, network, amount, f"rich in {asset}"))

    def convert(
        self,
        amount: int,
        given: Given = Given.DEBITED,
        using: Rate | None = None,
        fee_rule: FeeRule = FeeRule.NONE,
        **changes: object,
    ) -> Withdraw:
        """Pay USDT, debit what the rate names (euros by default)."""
        conversion = Conversion(rate() if using is None else using, given)
        order = msgspec.structs.replace(
            self.order(amount=amount), conversion=conversion, fee_rule=fee_rule, wallets=("spot",)
        )
        return msgspec.structs.replace(order, **changes)

    def exchange(
        self, amount: int, given: Given = Given.DEBITED, using: Rate | None = None, request_id: str = "x"
    ) -> Exchange:
        return Exchange(
            account_id=self.account_id,
            key_id="key",
            venue="bitmart",
            request_id=request_id,
            business="",
            wallets=("spot",),
            amount=Units(amount),
            conversion=Conversion(rate() if using is None else using, given),
        )

    def booked(self, ledger_account: str) -> dict[str, int]:
        """The sum of all entries of a ledger account, by asset, without zeros."""
        sums: dict[str, int] = {}
        for entry in self.all(EntryRow):
            if entry.ledger_account == ledger_account:
                sums[entry.asset] = sums.get(entry.asset, 0) + entry.units
        return {asset: units for asset, units in sums.items() if units}

    def spot(self, asset: str) -> int:
        """available, with nothing held."""
        available, held = self.balance(asset=asset)
        assert held == 0, held
        return available
